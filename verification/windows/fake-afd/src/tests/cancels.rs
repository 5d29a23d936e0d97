//! Cancelled requests, and memory that outlives its owner.

use std::thread;

use crate::kernel::layout::*;
use crate::kernel::{Behaviour, PollResult};
use crate::world::{everywhere, with_loop, Loop, World};
use crate::{Interest, Token};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A kernel that completes cancelled requests only when the test lets it.
fn late() -> World {
    World::new(Behaviour { cancels_late: true, ..Behaviour::WINDOWS })
}

#[test]
fn after_deregister_a_completed_request_is_not_reported() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        // The packet is in the port.
        peer.sends(1);
        queue.deregister(&mut stream);
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 0);
    });
}

#[test]
fn deregister_cancels_only_the_request_of_its_source() {
    with_loop(|world, mut queue| {
        let mut all: Vec<_> = (0..10).map(|_| world.pair()).collect();
        for (stream, _) in &mut all {
            queue.register(stream, 1, Interest::READABLE);
        }
        assert_eq!(queue.now(), []);
        let before = world.counts();
        queue.deregister(&mut all[3].0);
        assert_eq!(queue.now(), []);
        assert_eq!(world.since(before), (0, 1, 2));
        assert_eq!(world.kernel().requests_pending(), 9);
    });
}

#[test]
fn a_cancel_of_a_completed_request_loses_no_event() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = queue.registered(world.unconnected(), Interest::READABLE);
        assert_eq!(queue.now(), []);
        peer.change(|socket| (socket.unread, socket.room) = (1, 1));
        // The request covers too little, so it is cancelled, but it has already completed.
        queue.reregister(&mut stream, 2, BOTH);
        let mut reported = 0;
        for _ in 0..2 {
            reported |= queue.now().iter().fold(0, |sum, (token, words)| sum | words | u32::from(*token != 2) << 30);
        }
        assert_eq!(reported, RECEIVE | SEND);
    });
}

#[test]
fn a_cancelled_request_that_completes_with_its_own_result_loses_no_event() {
    let world = late();
    let mut queue = Loop::new();
    let (mut stream, peer) = queue.registered(world.unconnected(), Interest::READABLE);
    assert_eq!(queue.now(), []);
    queue.reregister(&mut stream, 2, BOTH);
    assert_eq!(queue.now(), []);
    peer.change(|socket| (socket.unread, socket.room) = (1, 1));
    assert_eq!(queue.now(), []);
    world.kernel().deliver_instead(PollResult::events(RECEIVE));
    assert_eq!(queue.now(), [(2, RECEIVE)]);
    assert_eq!(queue.now(), [(2, SEND)]);
}

#[test]
fn no_request_is_submitted_before_the_packet_of_the_cancelled_one_is_dequeued() {
    let world = late();
    let (mut queue, mut stream, peer) = world.registered(Interest::READABLE);
    assert_eq!(queue.now(), []);
    queue.deregister(&mut stream);
    let before = world.counts();
    queue.register(&mut stream, 2, BOTH);
    for token in 3..9 {
        assert_eq!(queue.now(), []);
        queue.reregister(&mut stream, token, BOTH.level());
    }
    assert_eq!(world.since(before).0, 0);
    world.kernel().deliver();
    peer.sends(1);
    assert_eq!(queue.now(), [(8, RECEIVE | SEND)]);
    let (submits, cancels, _) = world.since(before);
    assert_eq!((submits, cancels), (1, 0));
    world.kernel().behaviour.cancels_late = false;
}

#[test]
fn the_memory_of_a_dropped_source_lives_until_its_packet_is_dequeued() {
    let world = late();
    let (mut queue, stream, _) = world.registered(Interest::READABLE);
    assert_eq!(queue.now(), []);
    drop(stream);
    assert_eq!(queue.now(), []);
    world.check();
    assert_eq!(world.kernel().requests_pending(), 1);
    world.kernel().deliver();
    assert_eq!(queue.now(), []);
    assert_eq!(world.kernel().requests_pending(), 0);
    assert_eq!(crate::guard::kept(), 0);
}

#[test]
fn a_source_registered_again_before_its_packet_is_dequeued_keeps_its_sock() {
    let world = late();
    let mut queue = Loop::new();
    let mut all: Vec<_> = (0..100).map(|_| world.pair()).collect();
    for round in 0..4 {
        for (stream, _) in &mut all {
            queue.register(stream, round, Interest::READABLE);
        }
        assert_eq!(queue.now(), []);
        for (stream, _) in &mut all {
            queue.deregister(stream);
        }
        assert_eq!(world.kernel().devices(), 4);
        world.kernel().deliver();
        assert_eq!(queue.now(), []);
    }
}

#[test]
fn dropping_the_poll_waits_for_the_packets_of_cancelled_requests() {
    with_loop(|world, mut queue| {
        let mut all: Vec<_> = (0..100).map(|_| world.pair()).collect();
        for (stream, _) in &mut all {
            queue.register(stream, 1, Interest::READABLE);
        }
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 100);
        let before = world.counts();
        drop(queue);
        // Each wait dequeues up to 32 packets.
        assert_eq!(world.since(before).2, 4);
        assert_eq!(world.kernel().requests_pending(), 0);
        assert_eq!(world.kernel().devices(), 0);
    });
}

#[test]
fn dropping_a_poll_without_pending_requests_does_not_wait() {
    everywhere(|world| {
        let (mut queue, _stream, peer) = world.registered(Interest::READABLE.oneshot());
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        let waits = world.counts().waits;
        drop(queue);
        assert_eq!(world.counts().waits, waits);
    });
}

#[test]
fn dropping_the_poll_waits_for_a_late_packet() {
    let world = late();
    let (mut queue, _stream, _) = world.registered(Interest::READABLE);
    assert_eq!(queue.now(), []);
    thread::scope(|scope| {
        let drops = scope.spawn(|| drop(queue));
        world.until_blocked(1);
        assert_eq!(world.kernel().requests_pending(), 1);
        world.kernel().deliver();
        drops.join().unwrap();
    });
}

#[test]
fn a_packet_that_never_arrives_keeps_its_memory_and_the_drop_ends_after_five_seconds() {
    let mut world = World::new(Behaviour { cancels_late: true, timeouts_pass_at_once: true, ..Behaviour::WINDOWS });
    let mut queue = Loop::new();
    let (mut stream, _) = world.pair();
    let (mut other, _) = world.pair();
    queue.register(&mut stream, 1, Interest::READABLE);
    queue.register(&mut other, 2, Interest::READABLE);
    assert_eq!(queue.now(), []);
    drop(other);
    let waits = world.kernel().timeouts.len();
    drop(queue);
    assert_eq!(world.kernel().timeouts[waits..], [5_000]);
    // The source remains usable and can be registered with another poll.
    let mut another = Loop::new();
    another.register(&mut stream, 3, Interest::READABLE);
    assert_eq!(another.now(), []);
    drop(stream);
    world.kernel().behaviour.cancels_late = false;
    drop(another);
    // The memory of the three requests stays allocated, because their packets could still arrive.
    world.expect_leaks(3);
}

#[test]
fn the_last_registry_may_be_dropped_with_pending_requests() {
    with_loop(|world, mut queue| {
        let registry = queue.registry().try_clone().unwrap();
        let (mut stream, _) = world.pair();
        let (mut second, _) = world.pair();
        queue.register(&mut stream, 1, Interest::READABLE);
        assert_eq!(queue.now(), []);
        drop(queue);
        registry.register(&mut second, Token(2), Interest::READABLE).unwrap();
        drop(second);
        drop(registry);
        assert_eq!(world.kernel().devices(), 0);
        // The rearm after this read has no effect, because the poll was dropped.
        assert!(stream.read(1).is_err());
    });
}

#[test]
fn a_source_of_a_dropped_poll_can_be_registered_with_another_poll() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE);
        assert_eq!(queue.now(), []);
        drop(queue);
        let mut queue = Loop::new();
        queue.register(&mut stream, 2, Interest::READABLE);
        peer.sends(1);
        assert_eq!(queue.now(), [(2, RECEIVE)]);
    });
}

#[test]
fn a_deregistered_source_can_be_registered_with_another_poll_while_its_request_is_pending() {
    let world = late();
    let (mut one, mut other) = (Loop::new(), Loop::new());
    let (mut stream, peer) = world.pair();
    one.register(&mut stream, 1, Interest::READABLE);
    assert_eq!(one.now(), []);
    one.deregister(&mut stream);
    other.register(&mut stream, 2, Interest::READABLE);
    peer.sends(1);
    assert_eq!(other.now(), [(2, RECEIVE)]);
    assert_eq!(one.now(), []);
    world.kernel().deliver();
    assert_eq!(one.now(), []);
    world.check();
}

#[test]
fn a_failed_cancel_at_deregister_leaks_nothing() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE);
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = 1;
        queue.deregister(&mut stream);
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 1);
        peer.sends(1);
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 0);
        queue.register(&mut stream, 2, Interest::READABLE);
        assert_eq!(queue.now(), [(2, RECEIVE)]);
    });
}

#[test]
fn after_a_failed_cancel_at_deregister_the_source_can_be_registered_again() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE);
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = 1;
        queue.deregister(&mut stream);
        queue.register(&mut stream, 2, Interest::READABLE);
        assert_eq!(queue.now(), []);
        peer.sends(1);
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        // The same holds for an interest that the request does not cover.
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = 1;
        queue.deregister(&mut stream);
        queue.register(&mut stream, 3, Interest::WRITABLE);
        assert_eq!(queue.now(), [(3, SEND)]);
    });
}

#[test]
fn a_failed_cancel_of_a_request_that_covers_too_little_is_tried_again() {
    everywhere(|world| {
        let (mut queue, mut stream, _) = world.registered(Interest::READABLE);
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = 3;
        queue.reregister(&mut stream, 2, BOTH);
        let reported: Vec<_> = (0..5).flat_map(|_| queue.now()).collect();
        assert_eq!(reported, [(2, SEND)]);
    });
}

#[test]
fn a_failed_cancel_limits_the_next_wait() {
    everywhere(|world| {
        let (mut queue, mut stream, _) = world.registered(Interest::READABLE);
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = 2;
        queue.reregister(&mut stream, 2, BOTH);
        assert_eq!(queue.wait(), [(2, SEND)]);
    });
}

#[test]
fn a_cancel_that_fails_during_a_blocking_wait_is_tried_again() {
    with_loop(|world, mut queue| {
        let registry = queue.registry().try_clone().unwrap();
        let (mut stream, _) = queue.registered(world.pair(), Interest::READABLE);
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            world.kernel().faults.cancels = 1;
            registry.reregister(&mut stream, Token(2), BOTH).unwrap();
            assert_eq!(waits.join().unwrap(), [(2, SEND)]);
        });
    });
}

#[test]
fn a_cancel_that_always_fails_does_not_delay_other_sources() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.pair();
        let (mut other, other_peer) = world.pair();
        queue.register(&mut stream, 1, Interest::READABLE);
        queue.register(&mut other, 2, Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = usize::MAX;
        queue.reregister(&mut stream, 3, BOTH);
        other_peer.sends(1);
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        // The pending request stays in use.
        peer.sends(1);
        assert!(queue.now().contains(&(3, RECEIVE)));
        assert!(queue.now().contains(&(3, SEND)));
        world.kernel().faults.cancels = 0;
    });
}

#[test]
fn a_cancel_that_always_fails_does_not_delay_the_timeout() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE);
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = usize::MAX;
        queue.reregister(&mut stream, 2, BOTH);
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = 0;
        peer.sends(1);
        assert!(queue.now().contains(&(2, RECEIVE)));
    });
}

#[test]
fn a_poll_whose_requests_cannot_be_cancelled_can_be_dropped() {
    let mut world = World::new(Behaviour { timeouts_pass_at_once: true, ..Behaviour::WINDOWS });
    let (mut queue, stream, _) = world.registered(Interest::READABLE);
    assert_eq!(queue.now(), []);
    world.kernel().faults.cancels = usize::MAX;
    drop(queue);
    world.expect_leaks(1);
    drop(stream);
}

#[test]
fn where_closing_a_device_completes_its_requests_their_memory_is_valid() {
    let mut world = World::new(Behaviour { cancels_late: true, timeouts_pass_at_once: true, ..Behaviour::WINE });
    let (mut queue, stream, _) = world.registered(Interest::READABLE);
    assert_eq!(queue.now(), []);
    drop(queue);
    world.check();
    world.expect_leaks(1);
    drop(stream);
}

#[test]
fn sources_may_be_dropped_while_the_poll_is_dropped() {
    for _ in 0..200 {
        let world = World::new(Behaviour::WINDOWS);
        let mut queue = Loop::new();
        let mut all: Vec<_> = (0..40).map(|_| world.pair().0).collect();
        for stream in &mut all {
            queue.register(stream, 1, Interest::READABLE);
        }
        queue.now();
        thread::scope(|scope| {
            scope.spawn(|| drop(queue));
            all.iter().for_each(|stream| drop(stream.read(1)));
            drop(all);
        });
    }
}
