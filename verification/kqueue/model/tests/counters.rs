//! `EVFILT_TIMER` and `EVFILT_SIGNAL`, which count what happens between two reports.

mod support;
use std::os::raw::c_int;
use std::thread;
use std::time::{Duration, Instant};

use support::*;

const TIMER: i16 = EVFILT_TIMER;
const SIGNAL: i16 = EVFILT_SIGNAL;
/// Its default action is to ignore it.
const SIGWINCH: c_int = 28;

fn start(kq: &Kqueue, flags: u16, fflags: u32, data: isize) -> Result<(), c_int> {
    let change = kevent { fflags, data, ..record(1, TIMER, flags) };
    kq.call(&[change], &mut [], None).map(drop)
}

fn raise() {
    extern "C" {
        fn raise(number: c_int) -> c_int;
    }
    // SAFETY: the call takes an integer.
    assert_eq!(unsafe { raise(SIGWINCH) }, 0);
}

#[test]
fn a_timer_is_reported_after_each_period_and_counts_the_periods() {
    let kq = Kqueue::new();
    start(&kq, EV_ADD, NOTE_USECONDS, 10_000).unwrap();
    assert_eq!(kq.now(), []);
    let begin = Instant::now();
    assert_eq!(kq.soon()[0].ident, 1);
    thread::sleep(Duration::from_millis(25));
    let events = kq.soon();
    assert!(events.len() == 1 && events[0].data >= 2, "{events:?}");
    assert!(begin.elapsed() >= Duration::from_millis(25));
    assert_eq!(kq.change(1, TIMER, EV_DELETE), Ok(()));
    kq.stays_silent();
    assert_eq!(kq.change(1, TIMER, EV_DELETE), Err(ENOENT));
}

#[test]
fn a_oneshot_timer_is_reported_once_and_deleted() {
    let kq = Kqueue::new();
    start(&kq, EV_ADD | EV_ONESHOT, 0, 1).unwrap();
    assert_eq!(kq.soon(), [event(1, TIMER, 1)]);
    kq.stays_silent();
    assert_eq!(kq.change(1, TIMER, EV_DELETE), Err(ENOENT));
}

#[test]
fn a_dispatched_timer_is_silent_until_it_is_enabled() {
    let kq = Kqueue::new();
    start(&kq, EV_ADD | EV_DISPATCH, 0, 1).unwrap();
    assert_eq!(kq.soon().len(), 1);
    kq.stays_silent();
    kq.change(1, TIMER, EV_ENABLE).unwrap();
    assert_eq!(kq.soon().len(), 1);
}

#[test]
fn a_timer_has_a_unit_and_no_negative_period() {
    let kq = Kqueue::new();
    for unit in [NOTE_USECONDS, NOTE_NSECONDS, 0] {
        start(&kq, EV_ADD, unit, 1).unwrap();
        assert_eq!(kq.soon().len(), 1);
        kq.change(1, TIMER, EV_DELETE).unwrap();
    }
    start(&kq, EV_ADD, NOTE_SECONDS, 1000).unwrap();
    kq.stays_silent();
    kq.change(1, TIMER, EV_DELETE).unwrap();
    assert_eq!(start(&kq, EV_ADD, 0, -1), Err(EINVAL));
    assert_eq!(start(&kq, EV_ADD, 1 << 20, 1), Err(EINVAL));
}

/// One test, because all tests of a process share its signals.
#[test]
fn signals_are_counted_since_the_last_report() {
    let (kq, other) = (Kqueue::new(), Kqueue::new());
    for invalid in [0, 65, usize::MAX] {
        assert_eq!(kq.change(invalid, SIGNAL, EV_ADD), Err(EINVAL));
    }
    kq.change(SIGWINCH as usize, SIGNAL, EV_ADD).unwrap();
    kq.stays_silent();
    raise();
    assert!(is_readable(kq.0));
    assert_eq!(kq.soon(), [event(SIGWINCH as usize, SIGNAL, 1)]);
    kq.stays_silent();
    // A knote counts from its own beginning.
    other.change(SIGWINCH as usize, SIGNAL, EV_ADD | EV_DISPATCH).unwrap();
    (0..3).for_each(|_| raise());
    for kq in [&kq, &other] {
        assert_eq!(kq.soon(), [event(SIGWINCH as usize, SIGNAL, 3)]);
    }
    raise();
    other.stays_silent();
    other.change(SIGWINCH as usize, SIGNAL, EV_ENABLE).unwrap();
    assert_eq!(other.soon(), [event(SIGWINCH as usize, SIGNAL, 1)]);
    assert_eq!(kq.soon(), [event(SIGWINCH as usize, SIGNAL, 1)]);
    kq.change(SIGWINCH as usize, SIGNAL, EV_DELETE).unwrap();
    raise();
    kq.stays_silent();
    assert_eq!(kq.change(SIGWINCH as usize, SIGNAL, EV_DELETE), Err(ENOENT));
}
