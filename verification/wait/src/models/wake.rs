//! Wakes against a blocking poll, a non-blocking poll, and a poll with a short timeout.

use super::*;
use crate::handle::Socket;
use crate::io_source::IoSource;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// `N` threads wake. The polls have these timeouts, and then no limit.
fn wakes<const N: usize>(preemptions: Option<usize>, timeouts: &'static [Option<Duration>]) {
    with_loop(preemptions, move |mut l| {
        let mut waking = WakingThreads::<N>::new(&l);
        let mut timeouts = timeouts.iter().copied();
        while !waking.all_seen() {
            waking.check_batch(&l.poll(timeouts.next().unwrap_or(NO_LIMIT)));
        }
        waking.end(&mut l);
    });
}

#[test]
fn a_wake_before_while_and_after_the_poll_begins_to_wait() {
    wakes::<1>(ALL, &[]);
}

#[test]
fn two_wakers_each_with_its_token() {
    wakes::<2>(TWO, &[]);
}

#[test]
fn three_wakers_each_with_its_token() {
    wakes::<3>(ONE, &[]);
}

/// Two threads use one waker, each after a write. Their wakes may be one event, which then publishes both writes.
fn coalesced(preemptions: Option<usize>, timeouts: &'static [Option<Duration>]) {
    with_loop(preemptions, move |mut l| {
        let waker = Rc::new(l.waker(0));
        let written: [Rc<AtomicBool>; 2] = Default::default();
        let threads: Vec<_> = written
            .iter()
            .map(|written| {
                let (waker, written) = (Rc::clone(&waker), Rc::clone(written));
                thread::spawn(move || {
                    written.store(true, Relaxed);
                    waker.wake().unwrap();
                })
            })
            .collect();

        let mut seen = [false; 2];
        let mut timeouts = timeouts.iter().copied();
        while seen != [true; 2] {
            if !l.poll(timeouts.next().unwrap_or(NO_LIMIT)).is_empty() {
                // If this event does not publish one of the writes, another event must follow, or a later poll fails.
                seen = [0, 1].map(|n: usize| written[n].load(Relaxed));
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn wakes_that_are_one_event_publish_the_writes_of_both_threads() {
    coalesced(THREE, &[]);
}

#[test]
fn wakes_that_are_one_event_publish_both_writes_to_non_blocking_polls() {
    coalesced(THREE, &[NON_BLOCKING]);
}

#[test]
fn one_thread_wakes_twice() {
    with_loop(FOUR, |mut l| {
        let waker = l.waker(0);
        let written: [Rc<AtomicBool>; 2] = Default::default();
        let thread = thread::spawn({
            let written = written.clone();
            move || {
                for written in written {
                    written.store(true, Relaxed);
                    waker.wake().unwrap();
                }
                waker
            }
        });
        // The two wakes are one event or two, and the last event publishes both writes.
        let mut seen = [false; 2];
        while seen != [true; 2] {
            l.poll(NO_LIMIT);
            seen = [1, 0].map(|n: usize| written[n].load(Relaxed));
            assert!(seen[1] >= seen[0], "the second wake without the first");
            seen.reverse();
        }
        thread.join().unwrap();
    });
}

#[test]
fn non_blocking_polls_see_a_wake_without_a_notification() {
    with_loop(TWO, |mut l| {
        let mut waking = WakingThreads::<2>::new(&l);
        while !waking.all_seen() {
            waking.check_batch(&l.poll(NON_BLOCKING));
            thread::yield_now();
        }
        waking.end(&mut l);
        assert_eq!(l.kernel.notifications(), 0);
    });
}

#[test]
fn a_blocking_poll_after_non_blocking_ones() {
    wakes::<1>(ALL, &[NON_BLOCKING, NON_BLOCKING]);
}

#[test]
fn a_blocking_poll_after_non_blocking_ones_with_two_wakers() {
    wakes::<2>(TWO, &[NON_BLOCKING, NON_BLOCKING]);
}

#[test]
fn a_timeout_that_passes_during_a_wake() {
    wakes::<1>(ALL, &[BRIEFLY, BRIEFLY]);
}

#[test]
fn a_timeout_that_passes_during_two_wakes() {
    wakes::<2>(TWO, &[BRIEFLY, NON_BLOCKING]);
}

#[test]
fn every_notification_may_be_a_packet_of_its_own() {
    with_loop(TWO, |mut l| {
        l.kernel.set_kind(KernelKind { coalesces: false, takes_a_slot: false, ..KernelKind::STRICT });
        let mut waking = WakingThreads::<2>::new(&l);
        for timeout in [BRIEFLY, NO_LIMIT, NO_LIMIT] {
            if !waking.all_seen() {
                waking.check_batch(&l.poll(timeout));
            }
        }
        waking.end(&mut l);
    });
}

#[test]
fn a_wake_while_a_source_becomes_ready() {
    with_loop(ALL, |mut l| {
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE).unwrap();
        let mut waking = WakingThreads::<1>::new(&l);
        let kernel = Arc::clone(&l.kernel);
        let thread = thread::spawn(move || kernel.make_ready(7));
        let mut ready = false;
        while !(ready && waking.all_seen()) {
            let tokens = l.poll(NO_LIMIT);
            waking.check_batch(&tokens);
            ready |= tokens.contains(&7);
        }
        thread.join().unwrap();
        waking.end(&mut l);
    });
}

/// A waker that was woken, and is woken again during a poll beside an always ready source: it is in each batch at most
/// once, and the second wake is not lost.
fn woken_again(timeout: Option<Duration>) {
    with_loop(FOUR, move |mut l| {
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE.level()).unwrap();
        l.kernel.make_ready(7);
        let second = SecondWake::new(&l);
        let mut seen = false;
        let polls = PollLimit::default();
        while !seen && polls.0.get() < 3 {
            let tokens = l.poll(timeout);
            seen |= second.is_reported_by(&tokens);
            polls.check(3);
        }
        let _waker = second.join();
        if !seen {
            assert!(l.poll(timeout).contains(&0), "the second wake is lost");
        }
    });
}

#[test]
fn a_waker_that_is_woken_again_during_a_poll_is_in_the_batch_once() {
    woken_again(NO_LIMIT);
}

#[test]
fn a_waker_that_is_woken_again_during_a_non_blocking_poll_is_in_the_batch_once() {
    woken_again(NON_BLOCKING);
}
