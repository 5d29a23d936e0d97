//! Small capacities: events that do not fit are reported by a later poll, and every source, waker and timer is reported
//! eventually.

use super::*;
use crate::handle::Socket;
use crate::io_source::IoSource;

const IN_SLOT: KernelKind = KernelKind::STRICT;
const BESIDE: KernelKind = KernelKind { takes_a_slot: false, ..KernelKind::STRICT };

/// Two wakers and, with an `interest`, a source that is ready from the start: in level mode always, in edge mode once.
fn two_wakers_with_capacity(capacity: usize, kind: KernelKind, interest: Option<Interest>, preemptions: Option<usize>) {
    explore(preemptions, move || {
        let mut l = Loop::new(capacity);
        l.kernel.set_kind(kind);
        let mut source = IoSource::new(Socket(7));
        if let Some(interest) = interest {
            l.poll.registry().register(&mut source, Token(7), interest).unwrap();
            l.kernel.make_ready(7);
        }
        let level = interest.map_or(false, Interest::is_level);
        let mut from_kernel = 0;

        // First, poll while the threads wake. The always ready source ends every wait.
        let mut waking = WakingThreads::<2>::new(&l);
        let polls = PollLimit::default();
        while !(waking.all_seen() && (from_kernel > 0 || interest.is_none())) && !(level && polls.0.get() == 2) {
            let tokens = l.poll(NO_LIMIT);
            from_kernel += tokens.iter().filter(|&&token| token == 7).count();
            waking.check_batch(&tokens);
            polls.check(6);
        }
        // Then poll for the remaining events.
        let _wakers = waking.join();
        let polls = PollLimit::default();
        while !(waking.all_seen() && (from_kernel > 0 || interest.is_none())) {
            let tokens = l.poll(NO_LIMIT);
            from_kernel += tokens.iter().filter(|&&token| token == 7).count();
            waking.check_batch(&tokens);
            polls.check(5);
        }
        if !level {
            assert_eq!(from_kernel, usize::from(interest.is_some()));
            waking.end(&mut l);
        }
    });
}

#[test]
fn one_slot_for_two_wakers() {
    two_wakers_with_capacity(1, IN_SLOT, None, TWO);
}

#[test]
fn one_slot_for_two_wakers_with_notifications_beside_the_events() {
    two_wakers_with_capacity(1, BESIDE, None, TWO);
}

#[test]
fn one_slot_for_two_wakers_and_an_edge() {
    two_wakers_with_capacity(1, IN_SLOT, Some(Interest::READABLE), TWO);
}

#[test]
fn one_slot_for_two_wakers_and_an_edge_with_notifications_beside_the_events() {
    two_wakers_with_capacity(1, BESIDE, Some(Interest::READABLE), TWO);
}

#[test]
fn one_slot_for_two_wakers_and_an_always_ready_source() {
    two_wakers_with_capacity(1, IN_SLOT, Some(Interest::READABLE.level()), TWO);
}

#[test]
fn two_slots_for_two_wakers() {
    two_wakers_with_capacity(2, IN_SLOT, None, TWO);
}

#[test]
fn two_slots_for_two_wakers_and_an_edge() {
    two_wakers_with_capacity(2, IN_SLOT, Some(Interest::READABLE), TWO);
}

#[test]
fn two_slots_for_two_wakers_and_an_always_ready_source() {
    two_wakers_with_capacity(2, IN_SLOT, Some(Interest::READABLE.level()), TWO);
}

#[test]
fn two_slots_for_two_wakers_and_an_always_ready_source_with_notifications_beside_the_events() {
    two_wakers_with_capacity(2, BESIDE, Some(Interest::READABLE.level()), TWO);
}

/// A waker, a due timer, and an always ready source together.
fn all_kinds(capacity: usize) {
    explore(ALL, move || {
        let mut l = Loop::new(capacity);
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE.level()).unwrap();
        l.kernel.make_ready(7);
        let timer = l.timer(5);
        timer.set(Duration::ZERO).unwrap();
        let mut waking = WakingThreads::<1>::new(&l);
        let (mut from_kernel, mut expired) = (0, 0);
        for joined in [false, true] {
            let _wakers = if joined { waking.join() } else { vec![] };
            for _ in 0..if joined { 6 } else { 2 } {
                let tokens = l.poll(NO_LIMIT);
                from_kernel += tokens.iter().filter(|&&token| token == 7).count();
                expired += tokens.iter().filter(|&&token| token == 5).count();
                waking.check_batch(&tokens);
            }
        }
        assert!(waking.all_seen() && from_kernel > 0);
        assert_eq!(expired, 1);
    });
}

#[test]
fn one_slot_for_all_kinds_of_events() {
    all_kinds(1);
}

#[test]
fn two_slots_for_all_kinds_of_events() {
    all_kinds(2);
}

/// However often one waker is woken, the others are reported too.
#[test]
fn one_slot_for_a_waker_beside_one_that_is_woken_repeatedly() {
    explore(ALL, || {
        let mut l = Loop::new(1);
        let repeated = l.waker(9);
        repeated.wake().unwrap();
        let mut waking = WakingThreads::<2>::new(&l);
        let _wakers = waking.join();
        let polls = PollLimit::default();
        while !waking.all_seen() {
            let tokens = l.poll(NO_LIMIT);
            waking.check_batch(&tokens);
            repeated.wake().unwrap();
            polls.check(8);
        }
    });
}

/// The kernel has no event, so its slot must be used for the waker.
#[test]
fn one_slot_and_every_non_blocking_poll_finds_the_wake_before_it() {
    explore(ALL, || {
        let mut l = Loop::new(1);
        for _ in 0..3 {
            let mut waking = WakingThreads::<1>::new(&l);
            let _wakers = waking.join();
            waking.check_batch(&l.poll(NON_BLOCKING));
            waking.end(&mut l);
        }
    });
}
