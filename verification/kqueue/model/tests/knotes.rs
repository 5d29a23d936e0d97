//! Knotes: modes, changes, and the order of reports.

mod support;
use support::*;

#[test]
fn a_level_triggered_knote_is_reported_while_it_is_ready() {
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
fn each_arrival_is_reported_once_with_all_unread_bytes() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 3)]);
    kq.stays_silent();
    write_to(&writer, b"de");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 5)]);
    kq.stays_silent();
}

#[test]
fn reading_a_part_is_an_edge_of_a_pipe_but_not_of_a_socket() {
    let (kq, (reader, writer), (ours, theirs)) = (Kqueue::new(), pipe(), connection());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    kq.change(ident(&ours), READ, EDGE).unwrap();
    write_to(&writer, b"abcde");
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 5)]);
    write_to(&theirs, b"abcde");
    assert_eq!(kq.soon(), [event(ident(&ours), READ, 5)]);
    for (count, left) in [(2, 3), (1, 2)] {
        read_from(&reader, count);
        read_from(&ours, count);
        assert_eq!(kq.soon(), [event(ident(&reader), READ, left)]);
        kq.stays_silent();
    }
    read_from(&reader, 2);
    kq.stays_silent();
}

#[test]
fn an_edge_is_not_reported_if_the_program_reads_first() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    // A change also collects the edges, so this one makes the knote of the reader pending.
    kq.change(77, USER, EDGE).unwrap();
    read_from(&reader, 3);
    kq.stays_silent();
}

#[test]
fn adding_an_edge_triggered_knote_again_reports_it_again() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    assert_eq!(kq.soon().len(), 1);
    kq.change(ident(&reader), READ, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 3)]);
    kq.stays_silent();
}

#[test]
fn adding_again_changes_udata_but_not_the_mode() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    let change = kevent { udata: 7 as *mut _, ..record(ident(&reader), READ, EV_ADD) };
    kq.call(&[change], &mut [], None).unwrap();
    assert_eq!(kq.soon(), [Event { token: 7, ..event(ident(&reader), READ, 3) }]);
    kq.stays_silent();
}

#[test]
fn a_oneshot_knote_is_deleted_by_its_report() {
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
fn adding_a_dispatched_knote_does_not_enable_it() {
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
fn with_add_enables_adding_enables_a_dispatched_knote() {
    let (kq, (reader, writer)) = (Kqueue::with("add-enables"), pipe());
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    write_to(&writer, b"x");
    assert_eq!(kq.soon().len(), 1);
    kq.change(ident(&reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    assert_eq!(kq.soon().len(), 1);
}

#[test]
fn with_quiet_changes_enabling_reports_only_a_knote_that_was_disabled_again() {
    let (kq, (reader, writer)) = (Kqueue::with("quiet-changes"), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"x");
    assert_eq!(kq.soon().len(), 1);
    kq.change(ident(&reader), READ, EV_ENABLE).unwrap();
    kq.stays_silent();
    kq.change(ident(&reader), READ, EV_DISABLE).unwrap();
    kq.change(ident(&reader), READ, EV_ENABLE).unwrap();
    assert_eq!(kq.soon().len(), 1);
}

#[test]
fn a_disabled_knote_is_not_reported_until_it_is_enabled() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EV_ADD | EV_DISABLE).unwrap();
    write_to(&writer, b"x");
    kq.stays_silent();
    assert!(!is_readable(kq.0));
    kq.change(ident(&reader), READ, EV_ENABLE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
    // Disabling a pending knote makes it not pending.
    kq.change(ident(&reader), READ, EV_DISABLE).unwrap();
    kq.stays_silent();
}

#[test]
fn a_deleted_knote_is_not_reported_even_if_it_was_pending() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"x");
    // A change also collects the edges, so this one makes the knote of the reader pending.
    kq.change(77, USER, EDGE).unwrap();
    assert!(is_readable(kq.0));
    kq.change(ident(&reader), READ, EV_DELETE).unwrap();
    assert!(!is_readable(kq.0));
    kq.stays_silent();
}

#[test]
fn the_two_filters_of_a_descriptor_are_separate_knotes() {
    let (kq, (ours, theirs)) = (Kqueue::new(), connection());
    kq.change(ident(&ours), READ, EDGE).unwrap();
    kq.change(ident(&ours), WRITE, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
    write_to(&theirs, b"x");
    // An arrival is not an edge of the other filter.
    assert_eq!(kq.soon(), [event(ident(&ours), READ, 1)]);
    kq.change(ident(&ours), READ, EV_DELETE).unwrap();
    kq.change(ident(&ours), WRITE, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&ours), WRITE, 0)]);
}

#[test]
fn events_that_do_not_fit_come_next_and_no_knote_starves() {
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
    // No batch contains a knote twice.
    assert_eq!(kq.now().len(), 5);
}

#[test]
fn two_kqueues_report_the_same_descriptor_independently() {
    let (first, second, (reader, writer)) = (Kqueue::new(), Kqueue::new(), pipe());
    first.change(ident(&reader), READ, EDGE).unwrap();
    second.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"x");
    assert_eq!(first.soon().len(), 1);
    assert_eq!(second.soon().len(), 1);
}
