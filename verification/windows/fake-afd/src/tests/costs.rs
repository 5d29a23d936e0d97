//! The number of kernel calls and allocations.

use std::thread;

use crate::guard;
use crate::kernel::layout::*;
use crate::kernel::Behaviour;
use crate::world::{everywhere, with_loop, Loop, Peer, Stream, World};
use crate::Interest;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn a_drained_and_echoed_message_costs_one_request() {
    everywhere(|world| {
        for interest in [Interest::READABLE, BOTH] {
            let (mut queue, stream, peer) = world.registered(interest);
            queue.now();
            assert_eq!(queue.now(), []);
            let before = world.counts();
            for _ in 0..100 {
                peer.sends(10);
                assert_eq!(queue.now(), [(1, RECEIVE)]);
                assert_eq!(stream.drain(), (10, false));
                assert_eq!(stream.write(10).unwrap(), 10);
            }
            assert_eq!(world.since(before), (99, 0, 100), "{interest:?}");
            let posts = world.counts().posts - before.posts;
            assert_eq!(posts, 0);
        }
    });
}

#[test]
fn a_read_by_another_thread_after_the_next_wait_began_costs_one_request_too() {
    let world = World::new(Behaviour { timeouts_are_stretched: true, ..Behaviour::WINDOWS });
    let mut queue = Loop::new();
    let (stream, peer) = queue.registered(world.unconnected(), Interest::READABLE);
    assert_eq!(queue.now(), []);
    peer.sends(1);
    assert_eq!(queue.wait(), [(1, RECEIVE)]);
    let before = world.counts();
    for _ in 0..5 {
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            assert_eq!(stream.drain(), (1, false));
            peer.sends(1);
            assert_eq!(waits.join().unwrap(), [(1, RECEIVE)]);
        });
    }
    assert_eq!(world.since(before), (5, 0, 5));
}

#[test]
fn a_ready_source_is_reported_by_the_first_wait() {
    everywhere(|world| {
        for interest in [Interest::READABLE, BOTH.level(), BOTH.oneshot()] {
            let (mut queue, mut stream, peer) = world.registered(interest);
            peer.sends(1);
            let before = world.counts();
            assert_ne!(queue.wait(), []);
            queue.reregister(&mut stream, 1, Interest::WRITABLE);
            assert_eq!(queue.wait(), [(1, SEND)]);
            assert_eq!(world.since(before), (2, 0, 2));
        }
    });
}

#[test]
fn in_level_mode_a_report_costs_one_request() {
    everywhere(|world| {
        let (mut queue, _stream, peer) = world.registered(BOTH.level());
        peer.sends(1);
        let before = world.counts();
        for _ in 0..100 {
            assert_eq!(queue.now(), [(1, RECEIVE | SEND)]);
        }
        assert_eq!(world.since(before), (100, 0, 100));
    });
}

#[test]
fn a_oneshot_report_costs_one_request() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE.oneshot());
        peer.sends(1);
        let before = world.counts();
        for _ in 0..100 {
            assert_eq!(queue.now(), [(1, RECEIVE)]);
            queue.reregister(&mut stream, 1, Interest::READABLE.oneshot());
        }
        assert_eq!(world.since(before), (100, 0, 100));
    });
}

#[test]
fn an_interest_that_shrinks_costs_no_request() {
    with_loop(|world, mut queue| {
        let (mut stream, _) = queue.registered(world.unconnected(), BOTH);
        assert_eq!(queue.now(), []);
        let before = world.counts();
        for interest in [Interest::READABLE, Interest::WRITABLE, BOTH, BOTH.level(), Interest::READABLE.oneshot()] {
            queue.reregister(&mut stream, 2, interest);
            assert_eq!(queue.now(), []);
        }
        assert_eq!(world.since(before), (0, 0, 5));
    });
}

#[test]
fn an_interest_that_grows_costs_one_cancel_and_one_request() {
    with_loop(|world, mut queue| {
        let (mut stream, _) = queue.registered(world.unconnected(), Interest::READABLE);
        assert_eq!(queue.now(), []);
        let before = world.counts();
        queue.reregister(&mut stream, 2, BOTH);
        assert_eq!(queue.now(), []);
        let (submits, cancels, _) = world.since(before);
        assert_eq!((submits, cancels), (1, 1));
    });
}

#[test]
fn changes_that_cancel_out_before_the_next_poll_cost_nothing() {
    with_loop(|world, mut queue| {
        let (mut stream, _) = world.unconnected();
        let before = world.counts();
        for interest in [Interest::READABLE, Interest::WRITABLE.level(), BOTH.oneshot(), Interest::READABLE] {
            queue.register(&mut stream, 1, interest);
            queue.reregister(&mut stream, 2, interest);
            queue.deregister(&mut stream);
        }
        queue.register(&mut stream, 1, BOTH);
        assert_eq!(world.since(before), (0, 0, 0));
        assert_eq!(queue.now(), []);
        assert_eq!(world.since(before), (1, 0, 1));
    });
}

#[test]
fn a_poll_of_silent_sources_submits_no_request() {
    with_loop(|world, mut queue| {
        let mut all: Vec<_> = (0..50).map(|_| world.unconnected()).collect();
        for (stream, _) in &mut all {
            queue.register(stream, 1, BOTH.level());
        }
        assert_eq!(queue.now(), []);
        let before = world.counts();
        for _ in 0..10 {
            assert_eq!(queue.now(), []);
        }
        assert_eq!(world.since(before), (0, 0, 10));
    });
}

#[test]
fn five_thousand_sockets_need_157_devices_and_leave_one() {
    let world = World::new(Behaviour::WINDOWS);
    let mut queue = Loop::with_capacity(6_000);
    for round in 0..2 {
        let mut all: Vec<_> = (0..5_000).map(|_| world.unconnected()).collect();
        for (token, (stream, _)) in all.iter_mut().enumerate() {
            queue.register(stream, token, Interest::READABLE);
        }
        assert_eq!(world.kernel().devices(), 157);
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 5_000);
        if round == 0 {
            // Sockets that are registered now use the devices that have room.
            let opened = world.counts().devices_opened;
            for (token, (stream, peer)) in all.iter_mut().enumerate().step_by(3) {
                (*stream, *peer) = world.unconnected();
                queue.now();
                queue.register(stream, token, Interest::READABLE);
            }
            assert_eq!(world.kernel().devices(), 157);
            assert_eq!(world.counts().devices_opened, opened);
        } else {
            for (stream, _) in &mut all {
                queue.deregister(stream);
            }
        }
        drop(all);
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().devices(), 1);
        assert_eq!(world.kernel().requests_pending(), 0);
    }
}

#[test]
fn registering_one_socket_repeatedly_opens_one_device() {
    with_loop(|world, mut queue| {
        for token in 0..100 {
            let (mut stream, _) = world.unconnected();
            queue.register(&mut stream, token, Interest::READABLE);
            queue.now();
            drop(stream);
            queue.now();
        }
        assert_eq!(world.counts().devices_opened, 1);
    });
}

#[test]
fn sources_dropped_between_two_polls_do_not_accumulate() {
    with_loop(|world, mut queue| {
        for token in 0..2_000 {
            let (mut stream, _) = world.unconnected();
            queue.register(&mut stream, token, Interest::READABLE);
        }
        assert_eq!(world.kernel().devices(), 1);
        assert_eq!(queue.now(), []);
        assert_eq!(world.counts().submits, 0);
    });
}

/// Runs one round of a busy program, and returns how many blocks the polling and rearming allocated.
fn round(queue: &mut Loop, all: &[(Stream, Peer)]) -> usize {
    for (_, peer) in all {
        peer.sends(1);
    }
    let before = guard::allocations();
    queue.poll.poll(&mut queue.events, Some(std::time::Duration::ZERO)).unwrap();
    for event in &queue.events {
        let (stream, _) = &all[event.token().0];
        stream.drain();
        stream.write(1).unwrap();
    }
    guard::allocations() - before
}

#[test]
fn after_warm_up_polling_and_rearming_do_not_allocate() {
    everywhere(|world| {
        for interest in [BOTH, BOTH.level()] {
            let mut queue = Loop::new();
            let mut all: Vec<_> = (0..50).map(|_| world.pair()).collect();
            for (token, (stream, _)) in all.iter_mut().enumerate() {
                queue.register(stream, token, interest);
            }
            for _ in 0..3 {
                round(&mut queue, &all);
            }
            let allocated: usize = (0..100).map(|_| round(&mut queue, &all)).sum();
            assert_eq!(allocated, 0, "{interest:?}");
            let before = guard::allocations();
            for _ in 0..100 {
                for (token, (stream, _)) in all.iter_mut().enumerate() {
                    queue.reregister(stream, token, interest);
                }
                queue.poll.poll(&mut queue.events, Some(std::time::Duration::ZERO)).unwrap();
            }
            assert_eq!(guard::allocations() - before, 0, "{interest:?}");
        }
    });
}

#[test]
fn a_blocking_poll_rounds_its_timeout_up() {
    let world = World::new(Behaviour::WINDOWS);
    let mut queue = Loop::new();
    for (timeout, milliseconds) in [(1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
        let selector = crate::queue::Selector::new().unwrap();
        let waits = world.kernel().timeouts.len();
        let mut events = crate::queue::RawEvents::with_capacity(1);
        selector.wait(&mut events, 0, Some(std::time::Duration::from_nanos(timeout))).unwrap();
        assert_eq!(world.kernel().timeouts[waits], milliseconds);
    }
    let begin = std::time::Instant::now();
    assert_eq!(queue.within(std::time::Duration::from_micros(1_500)), []);
    assert!(begin.elapsed() >= std::time::Duration::from_micros(1_500));
}
