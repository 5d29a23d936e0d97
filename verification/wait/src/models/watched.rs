//! The poll inside another event loop, which waits for the queue's descriptor and then only looks.

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
struct Watch {
    outer: Outer,
    seen: usize,
}

impl Watch {
    fn new(l: &Loop, outer: Outer) -> Watch {
        l.kernel.set_manners(Manners { publishes: true, ..Manners::STRICT });
        l.poll.registry().shared.expose_descriptor();
        Watch { outer, seen: l.kernel.begin_to_watch() }
    }

    fn wait(&mut self, l: &Loop) {
        match self.outer {
            Outer::Level => l.kernel.wait_until_readable(),
            Outer::Edge => l.kernel.wait_for_edge(&mut self.seen),
        }
    }
}

/// The descriptor is asked for first, or while the wakes come; then there is one look for each time it shows something.
fn nested<const N: usize>(preemptions: Option<usize>, outer: Outer, capacity: usize, ask_first: bool) {
    explore(preemptions, move || {
        let mut l = Loop::new(capacity);
        let early = ask_first.then(|| Watch::new(&l, outer));
        let mut senders = Senders::<N>::new(&l);
        let mut watch = early.unwrap_or_else(|| Watch::new(&l, outer));
        while !senders.all_seen() {
            watch.wait(&l);
            senders.note(&l.poll(LOOK));
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_wake_shows_on_the_descriptor() {
    nested::<1>(ALL, Outer::Level, 4, true);
}

#[test]
fn a_wake_is_an_edge_of_the_descriptor() {
    nested::<1>(ALL, Outer::Edge, 4, true);
}

#[test]
fn the_descriptor_is_asked_for_while_somebody_wakes() {
    nested::<1>(ALL, Outer::Level, 4, false);
}

#[test]
fn the_descriptor_is_asked_for_while_somebody_wakes_and_edges_count() {
    nested::<1>(ALL, Outer::Edge, 4, false);
}

#[test]
fn two_wakes_show_on_the_descriptor() {
    nested::<2>(MOST, Outer::Level, 4, true);
}

#[test]
fn two_wakes_are_an_edge_of_the_descriptor() {
    nested::<2>(MOST, Outer::Edge, 4, true);
}

#[test]
fn the_descriptor_is_asked_for_while_two_wake() {
    nested::<2>(MOST, Outer::Edge, 4, false);
}

#[test]
fn what_has_no_room_shows_on_the_descriptor() {
    nested::<2>(MOST, Outer::Level, 1, true);
}

#[test]
fn what_has_no_room_is_an_edge_of_the_descriptor() {
    nested::<2>(MOST, Outer::Edge, 1, true);
}

#[test]
fn what_has_no_room_in_two_places_is_an_edge_of_the_descriptor() {
    nested::<3>(FEWER, Outer::Edge, 2, true);
}

/// The program also looks when the descriptor has shown nothing. If that swallows a kick, nothing shows any more.
fn a_look_in_between(preemptions: Option<usize>, outer: Outer, timer: bool) {
    explore(preemptions, move || {
        let mut l = Loop::new(4);
        let mut watch = Watch::new(&l, outer);
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE).unwrap();
        l.kernel.make_ready(7);
        let far = l.timer(5);
        if timer {
            far.set(Duration::from_secs(24 * 60 * 60)).unwrap();
        }
        let mut senders = Senders::<1>::new(&l);
        senders.note(&l.poll(LOOK));
        while !senders.all_seen() {
            watch.wait(&l);
            senders.note(&l.poll(LOOK));
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_look_that_swallows_a_kick_answers_it() {
    a_look_in_between(ALL, Outer::Level, false);
}

#[test]
fn a_look_that_swallows_a_kick_answers_it_where_a_timer_is_set() {
    a_look_in_between(ALL, Outer::Level, true);
}

#[test]
fn a_look_that_swallows_a_kick_may_leave_its_edge() {
    a_look_in_between(ALL, Outer::Edge, true);
}

#[test]
fn a_wake_before_the_descriptor_is_asked_for_by_two() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let waker = l.waker(0);
        waker.wake().unwrap();
        let registry = l.poll.registry().try_clone().unwrap();
        let thread = thread::spawn(move || {
            registry.shared.expose_descriptor();
            registry
        });
        let mut watch = Watch::new(&l, Outer::Edge);
        watch.wait(&l);
        let tokens = l.poll(LOOK);
        thread.join().unwrap();
        assert_eq!(tokens, [0]);
    });
}

#[test]
fn a_watched_poll_may_still_wait_itself() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let _watch = Watch::new(&l, Outer::Level);
        let mut senders = Senders::<1>::new(&l);
        senders.note(&l.poll(FOR_EVER));
        senders.end(&mut l);
    });
}

#[test]
fn a_wait_that_fails_leaves_the_wake_on_the_descriptor() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        l.kernel.fail_waits(1);
        let mut watch = Watch::new(&l, Outer::Level);
        let mut senders = Senders::<1>::new(&l);
        while !senders.all_seen() {
            watch.wait(&l);
            let tokens = l.poll_again(LOOK);
            senders.note(&tokens);
        }
        senders.end(&mut l);
    });
}

#[test]
fn the_wake_after_a_failed_kick_shows_on_the_descriptor() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(1);
        let mut watch = Watch::new(&l, Outer::Edge);
        let wakers = [l.waker(0), l.waker(1)];
        let thread = thread::spawn(move || {
            assert!(wakers[0].wake().is_err());
            wakers[1].wake().unwrap();
            wakers
        });
        watch.wait(&l);
        assert_eq!(l.poll(LOOK), [0, 1]);
        thread.join().unwrap();
    });
}
