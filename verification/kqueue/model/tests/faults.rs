//! Faults that kernels cause and tests rarely meet.

mod support;
use support::*;

#[test]
fn a_wait_is_interrupted_only_when_it_would_block() {
    let kq = Kqueue::with("eintr=1");
    kq.change(77, USER, EDGE).unwrap();
    assert_eq!(kq.wait(SOON), Err(EINTR));
    assert_eq!(kq.now(), []);
    kq.trigger(77).unwrap();
    assert_eq!(kq.wait(SOON), Ok(vec![event(77, USER, 0)]));
}

#[test]
fn only_new_knotes_fail_with_enomem() {
    let kq = Kqueue::new();
    kq.change(77, USER, EDGE).unwrap();
    kq.configure("enomem=1");
    assert_eq!(kq.change(78, USER, EDGE), Err(ENOMEM));
    kq.change(77, USER, EDGE).unwrap();
    kq.trigger(77).unwrap();
    assert_eq!(kq.trigger(78), Err(ENOENT));
}

#[test]
fn a_short_batch_loses_no_event() {
    let kq = Kqueue::with("short=1");
    for number in 0..5 {
        kq.change(number, USER, EDGE).unwrap();
        kq.trigger(number).unwrap();
    }
    for number in 0..5 {
        assert_eq!(kq.now(), [event(number, USER, 0)]);
        assert_eq!(is_readable(kq.0), number < 4);
    }
    assert_eq!(kq.now(), []);
}

#[test]
fn a_spurious_event_names_an_enabled_knote() {
    let (kq, (reader, writer), (disabled, _writer)) = (Kqueue::with("spurious=1"), pipe(), pipe());
    kq.change(77, USER, EDGE).unwrap();
    kq.change(ident(&disabled), READ, EV_ADD | EV_DISABLE).unwrap();
    assert_eq!(kq.now(), []);
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    assert_eq!(kq.wait(SOON), Ok(vec![event(ident(&reader), READ, 0)]));
    // The spurious event counts as a report, so the knote is disabled now.
    assert_eq!(kq.now(), []);
    // A real event is reported before a spurious one.
    write_to(&writer, b"x");
    kq.change(ident(&reader), READ, EV_ENABLE).unwrap();
    assert_eq!(kq.now(), [event(ident(&reader), READ, 1)]);
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let history = |seed: u32| {
        let kq = Kqueue::with(&format!("seed={seed},enomem=0.3"));
        (0..200).map(|number| kq.change(number, USER, EDGE).is_err()).collect::<Vec<_>>()
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
    let failed = history(5).iter().filter(|failed| **failed).count();
    assert!((30..90).contains(&failed), "{failed}");
}

#[test]
fn an_unknown_word_is_refused() {
    let kq = Kqueue::new();
    for words in ["no-uzer", "broken-pipe", "eintr", "eintr=", "eintr=2", "seed=x", "luck=0.5"] {
        assert_eq!(kq.configure(words), -1, "{words}");
    }
    assert_eq!(kq.configure(" no-user , seed=1,, "), 0);
}
