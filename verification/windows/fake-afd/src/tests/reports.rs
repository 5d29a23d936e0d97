//! The events of a socket.

use std::thread;
use std::time::Duration;

use crate::kernel::layout::*;
use crate::kernel::{Behaviour, PollResult};
use crate::world::{everywhere, with_loop, Loop, World, FINISHED};
use crate::{Interest, Timer, Token, Waker};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn a_poll_that_does_not_block_reports_a_ready_source_behind_packets_of_the_notifier() {
    for (capacity, notifications) in [(1, 1), (1, 3), (4, 4), (4, 9)] {
        with_loop(|world, _| {
            let mut queue = Loop::with_capacity(capacity);
            let (mut stream, peer) = world.unconnected();
            queue.register(&mut stream, 1, Interest::READABLE.level());
            assert_eq!(queue.now(), []);
            for _ in 0..notifications {
                queue.notifier().notify().unwrap();
            }
            peer.sends(1);
            assert_eq!(queue.now(), [(1, RECEIVE)], "{notifications} notifications, capacity {capacity}");
        });
    }
}

#[test]
fn a_poll_ends_in_time_although_its_batches_without_events_never_end() {
    let world = World::new(Behaviour::WINDOWS);
    let mut queue = Loop::new();
    let (mut stream, peer) = world.unconnected();
    let empty = PollResult::nothing(SUCCESS);
    // Every submitted request completes at once without an event, and the next wait submits it again.
    peer.change(|socket| socket.results = std::iter::repeat(empty).take(10_000_000).collect());
    queue.register(&mut stream, 1, Interest::READABLE.level());
    let mut timer = Timer::new();
    queue.registry().register(&mut timer, Token(2), Interest::READABLE).unwrap();
    timer.set(Duration::from_millis(5)).unwrap();
    assert_eq!(queue.within(Duration::from_secs(5)), [(2, RECEIVE)]);
    assert_eq!(queue.within(Duration::from_millis(5)), []);
    assert_eq!(queue.now(), []);
    let mut answers_left = 0;
    peer.change(|socket| answers_left = std::mem::take(&mut socket.results).len());
    assert!(answers_left > 0, "the polls ended only after the last batch");
}

#[test]
fn data_and_room_are_reported_together() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.pair();
        peer.sends(1);
        queue.register(&mut stream, 7, BOTH);
        assert_eq!(queue.now(), [(7, RECEIVE | SEND)]);
    });
}

#[test]
fn only_events_of_the_interest_are_reported() {
    with_loop(|world, mut queue| {
        let (mut reader, reader_peer) = world.pair();
        let (mut writer, writer_peer) = world.pair();
        queue.register(&mut reader, 1, Interest::READABLE.level());
        queue.register(&mut writer, 2, Interest::WRITABLE.level());
        reader_peer.sends(1);
        writer_peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE), (2, SEND)]);
    });
}

#[test]
fn data_and_the_end_are_reported_together_or_one_after_the_other() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.pair();
        peer.change(|socket| (socket.unread, socket.ended) = (3, true));
        queue.register(&mut stream, 1, Interest::READABLE);
        let hides = world.kernel().behaviour.data_hides_end;
        assert_eq!(queue.now(), [(1, if hides { RECEIVE } else { RECEIVE | DISCONNECT })]);
        assert_eq!(stream.read(2).unwrap(), 2);
        assert_eq!(queue.now(), [(1, if hides { RECEIVE } else { RECEIVE | DISCONNECT })]);
        assert_eq!(stream.read(2).unwrap(), 1);
        assert_eq!(queue.now(), [(1, DISCONNECT)]);
        assert_eq!(stream.read(2).unwrap(), 0);
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn an_end_that_arrives_after_data_is_reported_without_a_read() {
    everywhere(|world| {
        let (mut queue, stream, peer) = world.registered(Interest::READABLE);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        peer.shuts_down();
        let hides = world.kernel().behaviour.data_hides_end;
        if !hides {
            assert_eq!(queue.now(), [(1, DISCONNECT)]);
        }
        assert_eq!(stream.read(9).unwrap(), 1);
        assert_eq!(queue.now(), [(1, DISCONNECT)]);
    });
}

#[test]
fn an_end_that_arrives_after_data_is_reported_while_other_sources_are_busy() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.pair();
        let (mut other, other_peer) = world.pair();
        queue.register(&mut stream, 1, Interest::READABLE);
        queue.register(&mut other, 2, Interest::READABLE.level());
        peer.sends(1);
        assert_eq!(queue.wait(), [(1, RECEIVE)]);
        peer.resets();
        other_peer.sends(1);
        // Every wait returns an event at once, so no wait blocks.
        let reported: Vec<_> = (0..3).flat_map(|_| queue.wait()).collect();
        assert!(reported.contains(&(1, ABORT)), "{reported:?}");
    });
}

#[test]
fn an_end_that_arrives_after_data_ends_a_wait_without_a_read() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE);
        for timeout in [None, Some(Duration::from_secs(10))] {
            peer.sends(1);
            assert_eq!(queue.wait(), [(1, RECEIVE)]);
            thread::scope(|scope| {
                let waits = scope.spawn(|| match timeout {
                    None => queue.wait(),
                    Some(timeout) => queue.within(timeout),
                });
                world.until_blocked(1);
                peer.resets();
                assert_eq!(waits.join().unwrap(), [(1, ABORT)]);
            });
            peer.change(|socket| socket.reset = false);
            queue.reregister(&mut stream, 1, Interest::READABLE);
            assert_eq!(queue.wait(), [(1, RECEIVE)]);
            stream.drain();
        }
    });
}

#[test]
fn after_a_reset_nothing_else_is_reported() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = queue.registered(world.unconnected(), Interest::READABLE);
        assert_eq!(queue.now(), []);
        peer.resets();
        // The request contained only the reading events, so it did not report the room for writing.
        queue.reregister(&mut stream, 2, BOTH);
        assert_eq!(queue.now(), [(2, ABORT)]);
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn a_shutdown_of_both_ends_is_reported_also_after_the_end_was_reported() {
    everywhere(|world| {
        for peer_is_first in [false, true] {
            let mut queue = Loop::new();
            let (mut stream, peer) = queue.registered(world.unconnected(), BOTH);
            assert_eq!(queue.now(), []);
            if peer_is_first {
                peer.shuts_down();
                assert_eq!(queue.now(), [(1, DISCONNECT)]);
                stream.shuts_down();
            } else {
                stream.shuts_down();
                assert_eq!(queue.now(), []);
                peer.shuts_down();
            }
            assert_eq!(queue.now(), [(1, DISCONNECT | FINISHED)]);
            assert_eq!(queue.now(), []);
            // The shutdown is also known after a registration with another poll.
            queue.deregister(&mut stream);
            let mut another = Loop::new();
            another.register(&mut stream, 2, Interest::READABLE.level());
            assert_eq!(another.now(), [(2, DISCONNECT | FINISHED)]);
            another.deregister(&mut stream);
        }
    });
}

#[test]
fn a_shutdown_reports_nothing_without_interest() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.unconnected();
        stream.shuts_down();
        queue.register(&mut stream, 1, Interest::WRITABLE);
        peer.shuts_down();
        assert_eq!(queue.now(), []);
        stream.shuts_down();
        assert_eq!(queue.now(), []);
        queue.reregister(&mut stream, 2, Interest::READABLE.oneshot());
        assert_eq!(queue.now(), [(2, DISCONNECT | FINISHED)]);
        stream.shuts_down();
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn a_reset_is_reported_to_readers_and_writers() {
    everywhere(|world| {
        for interest in [Interest::READABLE, Interest::WRITABLE, BOTH] {
            let mut queue = Loop::new();
            let (stream, peer) = queue.registered(world.unconnected(), interest);
            assert_eq!(queue.now(), []);
            peer.resets();
            let reported = queue.now();
            assert_eq!(reported.len(), 1);
            assert_eq!(reported[0].1 & ABORT, ABORT);
            assert!(stream.read(1).is_err());
            assert_eq!(queue.now(), [], "{interest:?}");
        }
    });
}

#[test]
fn a_connection_that_is_refused_late_is_reported_late() {
    with_loop(|world, mut queue| {
        let (_stream, peer) = queue.registered(world.unconnected(), BOTH);
        assert_eq!(queue.now(), []);
        assert_eq!(queue.within(Duration::from_millis(3)), []);
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            peer.refuses_to_connect();
            assert_eq!(waits.join().unwrap(), [(1, CONNECT_FAIL)]);
        });
        // In edge mode, the rejection is reported once.
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn each_connection_is_reported_and_remaining_ones_once_more() {
    with_loop(|world, mut queue| {
        let (listener, peer) = queue.registered(world.unconnected(), Interest::READABLE);
        peer.connects();
        peer.connects();
        assert_eq!(queue.now(), [(1, ACCEPT)]);
        assert_eq!(queue.now(), []);
        listener.accept().unwrap();
        assert_eq!(queue.now(), [(1, ACCEPT)]);
        listener.accept().unwrap();
        listener.accept().unwrap_err();
        assert_eq!(queue.now(), []);
        peer.connects();
        assert_eq!(queue.now(), [(1, ACCEPT)]);
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn a_request_that_completes_without_an_event_is_submitted_again() {
    everywhere(|world| {
        for odd in [PollResult::nothing(TIMEOUT), PollResult::nothing(SUCCESS), PollResult::failed(CANCELLED)] {
            let mut queue = Loop::new();
            let (mut stream, peer) = world.unconnected();
            peer.change(|socket| socket.results = [odd, odd, odd].into());
            queue.register(&mut stream, 1, Interest::READABLE.oneshot());
            assert_eq!(queue.now(), []);
            peer.sends(1);
            assert_eq!(queue.now(), [(1, RECEIVE)], "{odd:?}");
        }
    });
}

#[test]
fn a_wait_without_timeout_continues_after_packets_without_an_event() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.unconnected();
        let odd = PollResult::nothing(TIMEOUT);
        peer.change(|socket| socket.results = [odd, odd, odd, odd].into());
        queue.register(&mut stream, 1, Interest::READABLE.oneshot());
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            peer.sends(1);
            assert_eq!(waits.join().unwrap(), [(1, RECEIVE)]);
        });
    });
}

#[test]
fn a_source_registered_during_a_blocking_wait_is_reported_by_it() {
    everywhere(|world| {
        for interest in [Interest::READABLE, Interest::READABLE.level(), Interest::READABLE.oneshot()] {
            let mut queue = Loop::new();
            let registry = queue.registry().try_clone().unwrap();
            let (mut stream, peer) = world.pair();
            thread::scope(|scope| {
                let waits = scope.spawn(|| queue.wait());
                world.until_blocked(1);
                registry.register(&mut stream, Token(3), interest).unwrap();
                peer.sends(1);
                assert_eq!(waits.join().unwrap(), [(3, RECEIVE)]);
            });
        }
    });
}

#[test]
fn an_interest_that_grows_during_a_blocking_wait_is_reported_by_it() {
    with_loop(|world, mut queue| {
        let registry = queue.registry().try_clone().unwrap();
        let (mut stream, _) = queue.registered(world.pair(), Interest::READABLE);
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            registry.reregister(&mut stream, Token(2), BOTH).unwrap();
            assert_eq!(waits.join().unwrap(), [(2, SEND)]);
        });
    });
}

#[test]
fn a_read_long_after_a_blocking_wait_began_rearms_the_source() {
    everywhere(|world| {
        let (mut queue, stream, peer) = world.registered(Interest::READABLE);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        for _ in 0..3 {
            thread::scope(|scope| {
                let waits = scope.spawn(|| queue.wait());
                // The pending request now covers only the end of the stream.
                world.until_blocked_without_timeout();
                assert_eq!(stream.drain(), (1, false));
                peer.sends(1);
                assert_eq!(waits.join().unwrap(), [(1, RECEIVE)]);
            });
        }
    });
}

#[test]
fn a_source_registered_with_two_polls_is_reported_by_both() {
    everywhere(|world| {
        let (mut one, mut other) = (Loop::new(), Loop::new());
        let (mut socket, peer) = world.raw();
        one.register(&mut socket, 1, Interest::READABLE.level());
        other.register(&mut socket, 2, Interest::READABLE.level());
        peer.sends(1);
        assert_eq!(one.now(), [(1, RECEIVE)]);
        assert_eq!(other.now(), [(2, RECEIVE)]);
        one.deregister(&mut socket);
        assert_eq!(one.now(), []);
        assert_eq!(other.now(), [(2, RECEIVE)]);
        socket.close();
    });
}

#[test]
fn wakers_and_sources_are_reported_together() {
    with_loop(|world, mut queue| {
        let waker = Waker::new(queue.registry(), Token(9)).unwrap();
        let (_stream, peer) = queue.registered(world.pair(), Interest::READABLE.level());
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            waker.wake().unwrap();
            assert_eq!(waits.join().unwrap(), [(9, RECEIVE)]);
        });
        peer.sends(1);
        waker.wake().unwrap();
        assert_eq!(queue.now(), [(1, RECEIVE), (9, RECEIVE)]);
    });
}

#[test]
fn with_capacity_one_every_source_is_reported() {
    everywhere(|world| {
        let mut queue = Loop::with_capacity(1);
        let mut all: Vec<_> = (0..10).map(|_| world.pair()).collect();
        for (token, (stream, peer)) in all.iter_mut().enumerate() {
            peer.sends(1);
            queue.register(stream, token, Interest::READABLE.oneshot());
        }
        let mut reported: Vec<_> = (0..10).flat_map(|_| queue.now()).map(|(token, _)| token).collect();
        reported.sort_unstable();
        assert_eq!(reported, (0..10).collect::<Vec<_>>());
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn in_level_mode_with_capacity_one_every_source_is_reported() {
    let world = World::new(Behaviour::WINDOWS);
    let mut queue = Loop::with_capacity(1);
    let mut all: Vec<_> = (0..10).map(|_| world.pair()).collect();
    for (token, (stream, peer)) in all.iter_mut().enumerate() {
        peer.sends(1);
        queue.register(stream, token, Interest::READABLE.level());
    }
    let mut reported: Vec<_> = (0..20).flat_map(|_| queue.now()).map(|(token, _)| token).collect();
    reported.sort_unstable();
    assert_eq!(reported, (0..20).map(|n| n / 2).collect::<Vec<_>>());
}
