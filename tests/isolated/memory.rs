//! The memory that a poll keeps after many timers or wakers were dropped.

use minimio::{Timer, Token, Waker};
use std::time::Duration;

use crate::allocated_bytes::allocated_bytes;
use crate::support::isolation::isolated;
use crate::support::*;

/// Most of the memory is given back also if one of the timers or wakers remains.
const MAX_LEFT: usize = 64 * 1024;

#[test]
fn the_memory_of_dropped_timers_is_given_back() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        let before = allocated_bytes();
        for kept in [None, Some(0), Some(50_000), Some(99_999)] {
            let mut timers: Vec<Timer> = (0..100_000).map(|_| Timer::new()).collect();
            for (number, timer) in timers.iter_mut().enumerate() {
                poll.registry().register(timer, Token(number), READ).unwrap();
                timer.set(Duration::from_secs(3600)).unwrap();
            }
            let _kept = kept.map(|index| timers.swap_remove(index));
            drop(timers);
            let left = allocated_bytes() - before;
            assert!(left <= MAX_LEFT, "{left} bytes are left, and timer {kept:?} is kept");
        }
    });
}

#[test]
fn the_memory_of_dropped_wakers_is_given_back() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        let before = allocated_bytes();
        for kept in [None, Some(0), Some(4_999)] {
            let mut wakers: Vec<Waker> =
                (0..5_000).map(|number| Waker::new(poll.registry(), Token(number)).unwrap()).collect();
            let _kept = kept.map(|index| wakers.swap_remove(index));
            drop(wakers);
            let left = allocated_bytes() - before;
            assert!(left <= MAX_LEFT, "{left} bytes are left, and waker {kept:?} is kept");
        }
    });
}
