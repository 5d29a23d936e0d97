//! What a kqueue remembers: modes, changes, and what they do to each other.

mod support;
use support::*;

#[test]
fn a_level_knote_is_reported_as_long_as_it_is_ready() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EV_ADD).unwrap();
    kq.stays_silent();
    write_to(&writer, b"hello");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 5)]);
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 5)]);
    read_from(&reader, 9);
    kq.stays_silent();
    write_to(&writer, b"!");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
}

#[test]
fn an_edge_is_reported_once_for_each_arrival_with_all_that_waits() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 3)]);
    kq.stays_silent();
    write_to(&writer, b"de");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 5)]);
    // Reading a part of it is no arrival.
    read_from(&reader, 2);
    kq.stays_silent();
}

#[test]
fn an_edge_is_forgotten_if_the_program_reads_first() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    // By any call, it becomes pending.
    kq.change(77, USER, EDGE).unwrap();
    read_from(&reader, 3);
    kq.stays_silent();
}

#[test]
fn adding_an_edge_again_reports_again_what_is_ready() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    assert_eq!(kq.soon().len(), 1);
    kq.change(ident(&reader), READ, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 3)]);
    kq.stays_silent();
}

#[test]
fn adding_again_changes_the_udata_and_leaves_the_mode() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    let change = kevent { udata: 7 as *mut _, ..record(ident(&reader), READ, EV_ADD) };
    kq.call(&[change], &mut [], None).unwrap();
    assert_eq!(kq.soon(), [Event { token: 7, ..event(ident(&reader), READ, 3) }]);
    kq.stays_silent();
}

#[test]
fn a_oneshot_is_gone_after_its_report() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EV_ADD | EV_ONESHOT).unwrap();
    write_to(&writer, b"x");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
    kq.stays_silent();
    assert_eq!(kq.change(ident(&reader), READ, EV_DELETE), Err(ENOENT));
    kq.change(ident(&reader), READ, EV_ADD | EV_ONESHOT).unwrap();
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
}

#[test]
fn a_dispatched_knote_waits_to_be_enabled_and_adding_it_does_not() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    write_to(&writer, b"x");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
    write_to(&writer, b"y");
    kq.stays_silent();
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    kq.stays_silent();
    kq.change(ident(&reader), READ, EV_ADD | EV_ENABLE | EV_DISPATCH).unwrap();
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 2)]);
    kq.stays_silent();
    assert_eq!(kq.change(ident(&reader), READ, EV_DELETE), Ok(()));
}

#[test]
fn where_adding_enables_it_does() {
    let (kq, (reader, writer)) = (Kqueue::with("add-enables"), pipe());
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    write_to(&writer, b"x");
    assert_eq!(kq.soon().len(), 1);
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    assert_eq!(kq.soon().len(), 1);
}

#[test]
fn a_disabled_knote_says_nothing_until_it_is_enabled() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EV_ADD | EV_DISABLE).unwrap();
    write_to(&writer, b"x");
    kq.stays_silent();
    assert!(!is_readable(kq.0));
    kq.change(ident(&reader), READ, EV_ENABLE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
    // Pending already, it is taken back.
    kq.change(ident(&reader), READ, EV_DISABLE).unwrap();
    kq.stays_silent();
}

#[test]
fn a_deleted_knote_says_nothing_even_if_it_was_pending() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"x");
    // By any call, it becomes pending.
    kq.change(77, USER, EDGE).unwrap();
    assert!(is_readable(kq.0));
    kq.change(ident(&reader), READ, EV_DELETE).unwrap();
    assert!(!is_readable(kq.0));
    kq.stays_silent();
}

#[test]
fn the_filters_of_a_descriptor_are_two_knotes() {
    let (kq, (ours, theirs)) = (Kqueue::new(), connection());
    kq.change(ident(&ours), READ, EDGE).unwrap();
    kq.change(ident(&ours), WRITE, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
    write_to(&theirs, b"x");
    // What arrives is no edge of the other filter.
    assert_eq!(kq.soon(), [event(ident(&ours), READ, 1)]);
    kq.change(ident(&ours), READ, EV_DELETE).unwrap();
    kq.change(ident(&ours), WRITE, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
}

#[test]
fn what_does_not_fit_comes_next_and_nobody_is_starved() {
    let kq = Kqueue::new();
    let pipes: Vec<_> = (0..5).map(|_| pipe()).collect();
    for (reader, writer) in &pipes {
        kq.change(ident(reader), READ, EV_ADD).unwrap();
        write_to(writer, b"x");
    }
    let seen = (0..5).flat_map(|_| kq.wait_for(1, NOW).unwrap()).map(|event| event.ident);
    let mut seen: Vec<usize> = seen.collect();
    seen.sort_unstable();
    let mut all: Vec<usize> = pipes.iter().map(|(reader, _)| ident(reader)).collect();
    all.sort_unstable();
    assert_eq!(seen, all);
    // And no batch has one of them twice.
    assert_eq!(kq.now().len(), 5);
}

#[test]
fn two_kqueues_watch_one_descriptor_each_for_itself() {
    let (first, second, (reader, writer)) = (Kqueue::new(), Kqueue::new(), pipe());
    first.change(ident(&reader), READ, EDGE).unwrap();
    second.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"x");
    assert_eq!(first.soon().len(), 1);
    assert_eq!(second.soon().len(), 1);
}
