//! A poll inside an outer event loop, which waits for the queue's descriptor and then polls without blocking.

use super::*;
use crate::handle::Socket;
use crate::io_source::IoSource;

/// How the outer loop waits.
#[derive(Clone, Copy)]
enum Outer {
    Level,
    Edge,
}

/// The outer loop's view of the descriptor.
struct OuterLoop {
    outer: Outer,
    seen: usize,
}

impl OuterLoop {
    fn new(l: &Loop, outer: Outer) -> OuterLoop {
        l.kernel.set_kind(KernelKind { publishes: true, ..KernelKind::STRICT });
        l.poll.registry().shared.expose_descriptor();
        OuterLoop { outer, seen: l.kernel.current_edges() }
    }

    fn wait(&mut self, l: &Loop) {
        match self.outer {
            Outer::Level => l.kernel.wait_until_readable(),
            Outer::Edge => l.kernel.wait_for_edge(&mut self.seen),
        }
    }
}

/// The descriptor is exposed first, or during the wakes. A non-blocking poll follows each time the outer loop reports
/// it.
fn nested<const N: usize>(preemptions: Option<usize>, outer: Outer, capacity: usize, expose_first: bool) {
    explore(preemptions, move || {
        let mut l = Loop::new(capacity);
        let early = expose_first.then(|| OuterLoop::new(&l, outer));
        let mut waking = WakingThreads::<N>::new(&l);
        let mut watch = early.unwrap_or_else(|| OuterLoop::new(&l, outer));
        while !waking.all_seen() {
            watch.wait(&l);
            waking.check_batch(&l.poll(NON_BLOCKING));
        }
        waking.end(&mut l);
    });
}

#[test]
fn a_wake_makes_the_descriptor_readable() {
    nested::<1>(ALL, Outer::Level, 4, true);
}

#[test]
fn a_wake_is_an_edge_of_the_descriptor() {
    nested::<1>(ALL, Outer::Edge, 4, true);
}

#[test]
fn the_descriptor_is_exposed_during_a_wake() {
    nested::<1>(ALL, Outer::Level, 4, false);
}

#[test]
fn the_descriptor_is_exposed_during_a_wake_and_edges_count() {
    nested::<1>(ALL, Outer::Edge, 4, false);
}

#[test]
fn two_wakes_make_the_descriptor_readable() {
    nested::<2>(TWO, Outer::Level, 4, true);
}

#[test]
fn two_wakes_are_an_edge_of_the_descriptor() {
    nested::<2>(TWO, Outer::Edge, 4, true);
}

#[test]
fn the_descriptor_is_exposed_during_two_wakes() {
    nested::<2>(TWO, Outer::Edge, 4, false);
}

#[test]
fn wakers_that_do_not_fit_make_the_descriptor_readable() {
    nested::<2>(TWO, Outer::Level, 1, true);
}

#[test]
fn wakers_that_do_not_fit_are_an_edge_of_the_descriptor() {
    nested::<2>(TWO, Outer::Edge, 1, true);
}

#[test]
fn wakers_that_do_not_fit_into_two_slots_are_an_edge_of_the_descriptor() {
    nested::<3>(ONE, Outer::Edge, 2, true);
}

/// The program also polls when the outer loop reported nothing. If that poll consumes a notification, the outer loop
/// reports nothing later.
fn non_blocking_polls_in_between(preemptions: Option<usize>, outer: Outer, timer: bool) {
    with_loop(preemptions, move |mut l| {
        let mut watch = OuterLoop::new(&l, outer);
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE).unwrap();
        l.kernel.make_ready(7);
        let far = l.timer(5);
        if timer {
            far.set(Duration::from_secs(24 * 60 * 60)).unwrap();
        }
        let mut waking = WakingThreads::<1>::new(&l);
        waking.check_batch(&l.poll(NON_BLOCKING));
        while !waking.all_seen() {
            watch.wait(&l);
            waking.check_batch(&l.poll(NON_BLOCKING));
        }
        waking.end(&mut l);
    });
}

#[test]
fn a_non_blocking_poll_that_consumes_a_notification_reports_the_waker() {
    non_blocking_polls_in_between(ALL, Outer::Level, false);
}

#[test]
fn a_non_blocking_poll_that_consumes_a_notification_reports_the_waker_beside_a_timer() {
    non_blocking_polls_in_between(ALL, Outer::Level, true);
}

#[test]
fn a_non_blocking_poll_that_consumes_a_notification_may_leave_its_edge() {
    non_blocking_polls_in_between(ALL, Outer::Edge, true);
}

#[test]
fn a_wake_before_two_threads_expose_the_descriptor() {
    with_loop(ALL, |mut l| {
        let waker = l.waker(0);
        waker.wake().unwrap();
        let registry = l.poll.registry().try_clone().unwrap();
        let thread = thread::spawn(move || {
            registry.shared.expose_descriptor();
            registry
        });
        let mut watch = OuterLoop::new(&l, Outer::Edge);
        watch.wait(&l);
        let tokens = l.poll(NON_BLOCKING);
        thread.join().unwrap();
        assert_eq!(tokens, [0]);
    });
}

#[test]
fn a_poll_with_an_exposed_descriptor_may_still_block() {
    with_loop(ALL, |mut l| {
        let _watch = OuterLoop::new(&l, Outer::Level);
        let mut waking = WakingThreads::<1>::new(&l);
        waking.check_batch(&l.poll(NO_LIMIT));
        waking.end(&mut l);
    });
}

#[test]
fn a_failed_wait_leaves_the_descriptor_readable() {
    with_loop(ALL, |mut l| {
        l.kernel.fail_waits(1);
        let mut watch = OuterLoop::new(&l, Outer::Level);
        let mut waking = WakingThreads::<1>::new(&l);
        while !waking.all_seen() {
            watch.wait(&l);
            let tokens = l.poll_uninterrupted(NON_BLOCKING);
            waking.check_batch(&tokens);
        }
        waking.end(&mut l);
    });
}

#[test]
fn the_wake_after_a_failed_notification_makes_the_descriptor_readable() {
    with_loop(ALL, |mut l| {
        l.kernel.fail_notifications(1);
        let mut watch = OuterLoop::new(&l, Outer::Edge);
        let wakers = [l.waker(0), l.waker(1)];
        let thread = thread::spawn(move || {
            assert!(wakers[0].wake().is_err());
            wakers[1].wake().unwrap();
            wakers
        });
        watch.wait(&l);
        assert_eq!(l.poll(NON_BLOCKING), [0, 1]);
        thread.join().unwrap();
    });
}

/// A waker that was woken, and is woken again during a poll beside a ready source. The poll that consumes the
/// notification of the second wake either reports the waker or notifies again.
#[test]
fn a_second_wake_during_a_poll_is_in_the_batch_once_or_makes_the_descriptor_readable() {
    with_loop(FOUR, |mut l| {
        let mut watch = OuterLoop::new(&l, Outer::Level);
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE).unwrap();
        l.kernel.make_ready(7);
        let second = SecondWake::new(&l);
        let mut seen = false;
        while !seen {
            watch.wait(&l);
            let tokens = l.poll(NON_BLOCKING);
            seen = second.is_reported_by(&tokens);
        }
        let _waker = second.join();
        let readable = l.kernel.is_readable();
        assert!(!l.poll(NON_BLOCKING).contains(&0) || readable, "an outer loop misses the second wake");
    });
}

/// A notification and the wait of the polling thread fail. The next wake notifies the kernel again, so the outer loop
/// polls.
#[test]
fn a_wake_after_a_failed_notification_and_a_failed_wait_makes_the_descriptor_readable() {
    with_loop(ALL, |mut l| {
        let mut watch = OuterLoop::new(&l, Outer::Level);
        l.kernel.fail_notifications(1);
        l.kernel.fail_waits(1);
        let waker = l.waker(0);
        let thread = thread::spawn(move || {
            let _may_fail = waker.wake();
            waker
        });
        let _may_be_interrupted = l.try_poll(NO_LIMIT);
        let waker = thread.join().unwrap();
        while waker.wake().is_err() {}
        watch.wait(&l);
        assert_eq!(l.poll(NON_BLOCKING), [0]);
    });
}
