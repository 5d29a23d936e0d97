//! What remains after polls, timers and wakers were dropped: memory, and open descriptors or handles.

use std::thread;
use std::time::Duration;

use minimio::{Events, Poll, Timer, Token, Waker};

use crate::allocated_bytes::allocated_bytes;
use crate::support::isolation::isolated;
use crate::support::*;

/// The most bytes that may stay allocated after all timers or wakers were dropped, or all except one.
const MAX_LEFT: usize = 64 * 1024;

fn check_that_memory_is_given_back<T>(count: usize, create: fn(&Poll, Token) -> T) {
    let (mut poll, mut events) = poll();
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    let before = allocated_bytes();
    for kept in [None, Some(0), Some(count / 2), Some(count - 1)] {
        let mut created: Vec<T> = (0..count).map(|number| create(&poll, Token(number))).collect();
        let _kept = kept.map(|index| created.swap_remove(index));
        drop(created);
        let left = allocated_bytes() - before;
        assert!(left <= MAX_LEFT, "{left} bytes are left, and number {kept:?} is kept");
    }
}

#[test]
fn the_memory_of_dropped_timers_is_given_back() {
    isolated(|| {
        check_that_memory_is_given_back(100_000, |poll, token| {
            let mut timer = Timer::new();
            poll.registry().register(&mut timer, token, READ).unwrap();
            timer.set(Duration::from_secs(3600)).unwrap();
            timer
        });
    });
}

#[test]
fn the_memory_of_dropped_wakers_is_given_back() {
    isolated(|| {
        check_that_memory_is_given_back(100_000, |poll, token| Waker::new(poll.registry(), token).unwrap());
    });
}

/// Each poll reports only three of the pending wakers, so the wakers of earlier rounds are still queued when they are
/// dropped.
#[test]
fn the_memory_of_pending_wakers_that_are_dropped_before_their_report_does_not_grow() {
    isolated(|| {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(4);
        let before = allocated_bytes();
        for _ in 0..2_000 {
            let wakers: Vec<_> = (0..64).map(|number| Waker::new(poll.registry(), Token(number)).unwrap()).collect();
            wakers.iter().for_each(|waker| waker.wake().unwrap());
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.len(), 3);
        }
        let left = allocated_bytes() - before;
        assert!(left <= MAX_LEFT, "{left} bytes are left");
    });
}

/// The polling thread gives back its part of the memory in the next poll, although no waker is woken.
#[test]
fn the_memory_of_dropped_wakers_that_a_poll_has_reported_is_given_back() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        let before = allocated_bytes();
        for kept in [None, Some(0), Some(50_000), Some(99_999)] {
            let mut wakers: Vec<_> =
                (0..100_000).map(|number| Waker::new(poll.registry(), Token(number)).unwrap()).collect();
            wakers.iter().for_each(|waker| waker.wake().unwrap());
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            while !events.is_empty() {
                poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            }
            let _kept = kept.map(|index| wakers.swap_remove(index));
            drop(wakers);
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            let left = allocated_bytes() - before;
            assert!(left <= MAX_LEFT, "{left} bytes are left, and number {kept:?} is kept");
        }
    });
}

#[test]
fn wakers_and_timers_of_a_dropped_poll_keep_no_descriptor_or_handle_open() {
    isolated(|| {
        let build = || {
            let (poll, _) = poll();
            let waker = Waker::new(poll.registry(), Token(1)).unwrap();
            let mut timer = Timer::new();
            poll.registry().register(&mut timer, Token(2), READ).unwrap();
            (poll, waker, timer)
        };
        drop(build());
        let before = handles::open_handles();
        let mut kept = Vec::new();
        for _ in 0..20 {
            let (poll, waker, timer) = build();
            let registry = poll.registry().try_clone().unwrap();
            drop(poll);
            drop(registry);
            // Both have no effect.
            waker.wake().unwrap();
            timer.set(Duration::ZERO).unwrap();
            kept.push((waker, timer));
        }
        assert_eq!(handles::open_handles(), before);
    });
}

#[test]
fn polls_can_be_dropped_while_other_threads_wake_them() {
    isolated(|| {
        let build = || Poll::new().map(|poll| (Waker::new(poll.registry(), Token(1)).unwrap(), poll)).unwrap();
        drop(build());
        let before = handles::open_handles();
        for _ in 0..500 {
            let (waker, mut poll) = build();
            thread::scope(|scope| {
                let waking = scope.spawn(|| (0..20).for_each(|_| waker.wake().unwrap()));
                let mut events = Events::with_capacity(4);
                poll.poll(&mut events, Some(Duration::from_micros(20))).unwrap();
                drop(poll);
                waking.join().unwrap();
            });
        }
        assert_eq!(handles::open_handles(), before);
    });
}
