//! Buffers that are too small: what does not fit is told the next time, and nobody waits for ever behind the others.

use super::*;
use crate::handle::Socket;
use crate::io_source::IoSource;

const IN_PLACE: Manners = Manners::STRICT;
const BESIDE: Manners = Manners { takes_a_place: false, ..Manners::STRICT };

/// Two wakers, and a source that is ready from the beginning: always (`level`), or once.
fn room_for(capacity: usize, manners: Manners, interest: Option<Interest>, preemptions: Option<usize>) {
    explore(preemptions, move || {
        let mut l = Loop::new(capacity);
        l.kernel.set_manners(manners);
        let mut source = IoSource::new(Socket(7));
        if let Some(interest) = interest {
            l.poll.registry().register(&mut source, Token(7), interest).unwrap();
            l.kernel.make_ready(7);
        }
        let level = interest.map_or(false, Interest::is_level);
        let mut from_kernel = 0;

        // First while they wake, and the source that is always ready ends every wait.
        let mut senders = Senders::<2>::new(&l);
        let patience = Patience::default();
        while !(senders.all_seen() && (from_kernel > 0 || interest.is_none())) && !(level && patience.0.get() == 2) {
            let tokens = l.poll(FOR_EVER);
            from_kernel += tokens.iter().filter(|&&token| token == 7).count();
            senders.note(&tokens);
            patience.check(6);
        }
        // Then with all that they have left.
        let _wakers = senders.join();
        let patience = Patience::default();
        while !(senders.all_seen() && (from_kernel > 0 || interest.is_none())) {
            let tokens = l.poll(FOR_EVER);
            from_kernel += tokens.iter().filter(|&&token| token == 7).count();
            senders.note(&tokens);
            patience.check(5);
        }
        if !level {
            assert_eq!(from_kernel, usize::from(interest.is_some()));
            senders.end(&mut l);
        }
    });
}

#[test]
fn one_place_for_two_wakers() {
    room_for(1, IN_PLACE, None, MOST);
}

#[test]
fn one_place_for_two_wakers_and_a_kick_beside_it() {
    room_for(1, BESIDE, None, MOST);
}

#[test]
fn one_place_for_two_wakers_and_an_edge() {
    room_for(1, IN_PLACE, Some(Interest::READABLE), MOST);
}

#[test]
fn one_place_for_two_wakers_and_an_edge_and_a_kick_beside_it() {
    room_for(1, BESIDE, Some(Interest::READABLE), MOST);
}

#[test]
fn one_place_for_two_wakers_and_a_source_that_is_always_ready() {
    room_for(1, IN_PLACE, Some(Interest::READABLE.level()), MOST);
}

#[test]
fn two_places_for_two_wakers() {
    room_for(2, IN_PLACE, None, MOST);
}

#[test]
fn two_places_for_two_wakers_and_an_edge() {
    room_for(2, IN_PLACE, Some(Interest::READABLE), MOST);
}

#[test]
fn two_places_for_two_wakers_and_a_source_that_is_always_ready() {
    room_for(2, IN_PLACE, Some(Interest::READABLE.level()), MOST);
}

#[test]
fn two_places_for_two_wakers_and_a_source_that_is_always_ready_and_a_kick_beside_it() {
    room_for(2, BESIDE, Some(Interest::READABLE.level()), MOST);
}

/// Everybody at once: a waker, a timer that is due, and a source that is always ready.
fn all_kinds(capacity: usize) {
    explore(ALL, move || {
        let mut l = Loop::new(capacity);
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE.level()).unwrap();
        l.kernel.make_ready(7);
        let timer = l.timer(5);
        timer.set(Duration::ZERO).unwrap();
        let mut senders = Senders::<1>::new(&l);
        let (mut from_kernel, mut expired) = (0, 0);
        for joined in [false, true] {
            let _wakers = if joined { senders.join() } else { vec![] };
            for _ in 0..if joined { 6 } else { 2 } {
                let tokens = l.poll(FOR_EVER);
                from_kernel += tokens.iter().filter(|&&token| token == 7).count();
                expired += tokens.iter().filter(|&&token| token == 5).count();
                senders.note(&tokens);
            }
        }
        assert!(senders.all_seen() && from_kernel > 0);
        assert_eq!(expired, 1);
    });
}

#[test]
fn one_place_for_all_kinds() {
    all_kinds(1);
}

#[test]
fn two_places_for_all_kinds() {
    all_kinds(2);
}

/// However often one waker is woken, the others have their turn.
#[test]
fn one_place_for_a_waker_beside_one_that_never_rests() {
    explore(ALL, || {
        let mut l = Loop::new(1);
        let restless = l.waker(9);
        restless.wake().unwrap();
        let mut senders = Senders::<2>::new(&l);
        let _wakers = senders.join();
        let patience = Patience::default();
        while !senders.all_seen() {
            let tokens = l.poll(FOR_EVER);
            senders.note(&tokens);
            restless.wake().unwrap();
            patience.check(8);
        }
    });
}

/// The kernel has nothing to say, so it is no excuse that it was its turn.
#[test]
fn one_place_and_every_look_finds_the_wake_before_it() {
    explore(ALL, || {
        let mut l = Loop::new(1);
        for _ in 0..3 {
            let mut senders = Senders::<1>::new(&l);
            let _wakers = senders.join();
            senders.note(&l.poll(LOOK));
            senders.end(&mut l);
        }
    });
}
