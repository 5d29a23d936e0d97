//! The call `kevent`: errors, receipts, the size of the event list, timeouts.

use std::time::{Duration, Instant};

mod support;
use support::*;

const RECEIPT: u16 = EV_RECEIPT;

fn fields(events: &[kevent]) -> Vec<(i16, u16, isize)> {
    events.iter().map(|event| (event.filter, event.flags, event.data)).collect()
}

#[test]
fn a_change_of_a_knote_that_does_not_exist_is_an_error() {
    let (kq, (reader, _writer)) = (Kqueue::new(), pipe());
    for flags in [EV_DELETE, EV_ENABLE, EV_DISABLE, 0] {
        assert_eq!(kq.change(ident(&reader), READ, flags), Err(ENOENT));
    }
    assert_eq!(kq.change(ident(&reader), 100, EV_ADD), Err(EINVAL));
    for flags in [EV_ADD, EV_DELETE] {
        assert_eq!(kq.change(9999, READ, flags), Err(EBADF));
        assert_eq!(kq.change(usize::MAX, READ, flags), Err(EBADF));
    }
}

#[test]
fn a_descriptor_that_is_not_a_kqueue_is_ebadf() {
    let (reader, _writer) = pipe();
    let no_kqueue = std::mem::ManuallyDrop::new(Kqueue(ident(&reader) as i32));
    assert_eq!(no_kqueue.change(77, USER, EDGE), Err(EBADF));
    assert_eq!(no_kqueue.calls(), -1);
    let closed = Kqueue::new();
    kqueue_model::close(closed.0);
    let closed = std::mem::ManuallyDrop::new(closed);
    assert_eq!(closed.wait(NOW), Err(EBADF));
}

#[test]
fn each_change_gets_a_receipt_and_the_call_does_not_wait() {
    let (kq, (ours, theirs)) = (Kqueue::new(), connection());
    write_to(&theirs, b"zz");
    let fd = ident(&ours);
    let changes =
        [record(fd, READ, EDGE | RECEIPT), record(fd, WRITE, EV_DELETE | RECEIPT), record(fd, WRITE, EDGE | RECEIPT)];
    let mut room = [record(0, 0, 0); 4];
    assert_eq!(kq.call(&changes, &mut room, None), Ok(3));
    let done = [(READ, EV_ERROR, 0), (WRITE, EV_ERROR, ENOENT as isize), (WRITE, EV_ERROR, 0)];
    assert_eq!(fields(&room[..3]), done);
    assert_eq!(kq.soon(), [event(fd, WRITE, 0), event(fd, READ, 2)]);
}

#[test]
fn the_changes_and_the_receipts_may_be_the_same_memory() {
    let (kq, (ours, _theirs)) = (Kqueue::new(), connection());
    let fd = ident(&ours);
    let mut both = [record(fd, READ, EDGE), record(fd, WRITE, EV_DELETE), record(fd, WRITE, EDGE | RECEIPT)];
    let first = both.as_mut_ptr();
    // SAFETY: `both` holds three entries, and the call may overwrite a change that it has read.
    let count = unsafe { kqueue_model::kevent(kq.0, first, 3, first, 3, std::ptr::null()) };
    assert_eq!(count, 2);
    assert_eq!(fields(&both[..2]), [(WRITE, EV_ERROR, ENOENT as isize), (WRITE, EV_ERROR, 0)]);
}

#[test]
fn an_error_without_room_fails_the_call_and_later_changes_are_not_applied() {
    let (kq, (reader, _writer)) = (Kqueue::new(), pipe());
    let fd = ident(&reader);
    let changes = [record(fd, READ, EDGE), record(fd, WRITE, EV_DELETE), record(fd, READ, EV_DELETE)];
    assert_eq!(kq.call(&changes, &mut [], None), Err(ENOENT));
    assert_eq!(kq.change(fd, READ, EV_DELETE), Ok(()));
}

#[test]
fn after_a_receipt_without_room_later_changes_are_not_applied() {
    let (kq, (reader, _writer)) = (Kqueue::new(), pipe());
    let fd = ident(&reader);
    let changes = [record(fd, READ, EDGE | RECEIPT), record(fd, READ, EV_DELETE)];
    assert_eq!(kq.call(&changes, &mut [], None), Ok(0));
    assert_eq!(kq.change(fd, READ, EV_DELETE), Ok(()));
}

#[test]
fn changes_are_applied_before_the_wait_of_the_same_call() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    write_to(&writer, b"x");
    let mut room = [record(0, 0, 0)];
    assert_eq!(kq.call(&[record(ident(&reader), READ, EDGE)], &mut room, None), Ok(1));
    assert_eq!(fields(&room), [(READ, EDGE, 1)]);
}

#[test]
fn without_room_the_call_does_not_wait() {
    let kq = Kqueue::new();
    assert_eq!(kq.call(&[], &mut [], None), Ok(0));
}

#[test]
fn a_timeout_is_precise_and_never_too_short() {
    let kq = Kqueue::new();
    for timeout in [Duration::from_micros(300), Duration::from_millis(20)] {
        let best = (0..20)
            .map(|_| {
                let start = Instant::now();
                assert_eq!(kq.wait(timeout), Ok(vec![]));
                start.elapsed()
            })
            .min()
            .unwrap();
        assert!(best >= timeout && best < timeout + Duration::from_micros(600), "{best:?} of {timeout:?}");
    }
}

#[test]
fn with_ticks_a_wait_lasts_one_tick_more_than_its_timeout() {
    let kq = Kqueue::with("ticks");
    for (timeout, ticks) in [(0, 0), (1, 2), (10_000, 2), (15_000, 3), (25_000, 4)] {
        let wait = |_| {
            let start = Instant::now();
            assert_eq!(kq.wait(Duration::from_micros(timeout)), Ok(vec![]));
            start.elapsed().as_millis() / 10
        };
        assert_eq!((0..5).map(wait).min(), Some(ticks), "{timeout} µs");
    }
}

#[test]
fn an_invalid_timeout_is_refused() {
    let kq = Kqueue::new();
    let mut room = [record(0, 0, 0)];
    for (tv_sec, tv_nsec) in [(0, 1_000_000_000), (0, -1), (-1, 0)] {
        assert_eq!(kq.call(&[], &mut room, Some(timespec { tv_sec, tv_nsec })), Err(EINVAL));
    }
}

#[test]
fn a_timeout_beyond_the_range_of_the_clock_never_passes() {
    let kq = Kqueue::new();
    kq.change(77, USER, EDGE).unwrap();
    let number = kq.0;
    let waiter = std::thread::spawn(move || {
        let kq = std::mem::ManuallyDrop::new(Kqueue(number));
        kq.call(&[], &mut [record(0, 0, 0)], Some(timespec { tv_sec: i64::MAX as _, tv_nsec: 999_999_999 }))
    });
    std::thread::sleep(A_WHILE);
    kq.trigger(77).unwrap();
    assert_eq!(waiter.join().unwrap(), Ok(1));
}

#[test]
fn a_successful_call_does_not_change_errno() {
    let (kq, (reader, _writer)) = (Kqueue::new(), pipe());
    assert_eq!(kq.change(ident(&reader), READ, EV_DELETE), Err(ENOENT));
    kq.change(ident(&reader), READ, EDGE).unwrap();
    kq.stays_silent();
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(ENOENT));
}

#[test]
fn calls_are_counted() {
    let (kq, other) = (Kqueue::new(), Kqueue::new());
    kq.now();
    kq.change(77, USER, EDGE).unwrap();
    kq.change(78, USER, EV_DELETE).unwrap_err();
    other.now();
    assert_eq!((kq.calls(), other.calls()), (3, 1));
}
