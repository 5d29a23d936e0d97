//! What kernels do, and tests rarely meet.

mod support;
use support::*;

#[test]
fn a_wait_is_interrupted_only_where_it_would_sleep() {
    let kq = Kqueue::with("eintr=1");
    kq.change(77, USER, EDGE).unwrap();
    assert_eq!(kq.wait(SOON), Err(EINTR));
    assert_eq!(kq.now(), []);
    kq.trigger(77).unwrap();
    assert_eq!(kq.wait(SOON), Ok(vec![event(77, USER, 0)]));
}

#[test]
fn memory_ends_for_new_knotes_only() {
    let kq = Kqueue::new();
    kq.change(77, USER, EDGE).unwrap();
    kq.configure("enomem=1");
    assert_eq!(kq.change(78, USER, EDGE), Err(ENOMEM));
    kq.change(77, USER, EDGE).unwrap();
    kq.trigger(77).unwrap();
    assert_eq!(kq.trigger(78), Err(ENOENT));
}

#[test]
fn a_batch_cut_short_loses_nothing() {
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
fn a_spurious_event_is_of_a_descriptor_that_is_watched() {
    let (kq, (reader, writer), (disabled, _writer)) = (Kqueue::with("spurious=1"), pipe(), pipe());
    kq.change(77, USER, EDGE).unwrap();
    kq.change(ident(&disabled), READ, EV_ADD | EV_DISABLE).unwrap();
    assert_eq!(kq.now(), []);
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    assert_eq!(kq.wait(SOON), Ok(vec![event(ident(&reader), READ, 0)]));
    // It counts as a report.
    assert_eq!(kq.now(), []);
    // A true one comes first.
    write_to(&writer, b"x");
    kq.change(ident(&reader), READ, EV_ENABLE).unwrap();
    assert_eq!(kq.now(), [event(ident(&reader), READ, 1)]);
}

#[test]
fn a_seed_tells_what_happens() {
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
fn a_word_that_is_not_understood_is_refused() {
    let kq = Kqueue::new();
    for words in ["no-uzer", "eintr", "eintr=", "eintr=2", "seed=x", "luck=0.5"] {
        assert_eq!(kq.configure(words), -1, "{words}");
    }
    assert_eq!(kq.configure(" no-user , seed=1,, "), 0);
}
