//! Kernel calls that fail.

use std::io;

use crate::kernel::layout::*;
use crate::kernel::{Behaviour, PollResult};
use crate::world::{everywhere, with_loop, Loop, World, REJECTED};
use crate::{Interest, Poll, Token};

const REJECTIONS: [Status; 4] = [INSUFFICIENT_RESOURCES, ACCESS_DENIED, INVALID_HANDLE, OBJECT_TYPE_MISMATCH];

#[test]
fn a_rejected_request_is_one_error_event_of_its_source() {
    everywhere(|world| {
        for rejection in REJECTIONS {
            for interest in [Interest::READABLE, Interest::READABLE.level(), Interest::READABLE.oneshot()] {
                let mut queue = Loop::new();
                let (mut stream, peer) = world.pair();
                let (mut other, other_peer) = world.pair();
                queue.register(&mut stream, 1, interest);
                queue.register(&mut other, 2, Interest::READABLE.level());
                peer.change(|socket| socket.rejects_with = Some(rejection));
                other_peer.sends(1);
                assert_eq!(queue.now(), [(1, REJECTED), (2, RECEIVE)]);
                for _ in 0..3 {
                    assert_eq!(queue.now(), [(2, RECEIVE)]);
                }
                peer.change(|socket| socket.rejects_with = None);
                assert_eq!(queue.now(), [(2, RECEIVE)]);
                peer.sends(1);
                queue.reregister(&mut stream, 3, interest);
                assert_eq!(queue.now(), [(2, RECEIVE), (3, RECEIVE)]);
            }
        }
    });
}

#[test]
fn a_source_socket_whose_request_is_rejected_is_reported_once_too() {
    with_loop(|world, mut queue| {
        let (mut socket, peer) = queue.registered(world.raw(), Interest::READABLE.level());
        peer.change(|socket| socket.rejects_with = Some(INSUFFICIENT_RESOURCES));
        assert_eq!(queue.now(), [(1, REJECTED)]);
        assert_eq!(queue.now(), []);
        peer.change(|socket| socket.rejects_with = None);
        peer.sends(1);
        queue.reregister(&mut socket, 2, Interest::READABLE.level());
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        queue.deregister(&mut socket);
        socket.close();
    });
}

#[test]
fn a_rejected_source_is_not_reported_again_after_a_read() {
    everywhere(|world| {
        let (mut queue, stream, peer) = world.registered(Interest::READABLE);
        peer.change(|socket| socket.rejects_with = Some(INSUFFICIENT_RESOURCES));
        assert_eq!(queue.now(), [(1, REJECTED)]);
        for _ in 0..3 {
            stream.drain();
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn an_accepted_request_that_fails_is_one_error_event_too() {
    everywhere(|world| {
        for failure in [ACCESS_DENIED, BUFFER_OVERFLOW, HANDLES_CLOSED] {
            let mut queue = Loop::new();
            let (_stream, peer) = queue.registered(world.unconnected(), Interest::READABLE.level());
            assert_eq!(queue.now(), []);
            world.kernel().fail(peer.endpoint, failure);
            assert_eq!(queue.now(), [(1, REJECTED)]);
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn a_request_that_returns_a_warning_queues_a_packet() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.unconnected();
        peer.change(|socket| socket.results = [PollResult::failed(BUFFER_OVERFLOW)].into());
        queue.register(&mut stream, 1, Interest::READABLE.level());
        assert_eq!(queue.now(), [(1, REJECTED)]);
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn a_rejected_request_whose_packet_cannot_be_posted_is_tried_again() {
    everywhere(|world| {
        for failures in [1, 2, 5] {
            let mut queue = Loop::new();
            let (mut stream, peer) = world.pair();
            let (mut other, other_peer) = world.pair();
            queue.register(&mut stream, 1, Interest::READABLE.oneshot());
            queue.register(&mut other, 2, Interest::READABLE.oneshot());
            peer.change(|socket| socket.rejects_with = Some(INSUFFICIENT_RESOURCES));
            other_peer.sends(1);
            world.kernel().faults.posts = failures;
            let mut reported: Vec<_> = (0..10).flat_map(|_| queue.now()).collect();
            reported.sort_unstable();
            assert_eq!(reported, [(1, REJECTED), (2, RECEIVE)]);
        }
    });
}

#[test]
fn a_rejected_request_whose_packet_cannot_be_posted_limits_the_next_wait() {
    everywhere(|world| {
        let (mut queue, _stream, peer) = world.registered(Interest::READABLE);
        peer.change(|socket| socket.rejects_with = Some(INSUFFICIENT_RESOURCES));
        world.kernel().faults.posts = 2;
        assert_eq!(queue.wait(), [(1, REJECTED)]);
    });
}

#[test]
fn a_poll_can_be_dropped_with_the_packet_of_a_rejected_request_in_its_port() {
    everywhere(|world| {
        let mut queue = Loop::with_capacity(1);
        let mut both = [world.pair(), world.pair()];
        for (token, (stream, peer)) in both.iter_mut().enumerate() {
            queue.register(stream, token, Interest::READABLE);
            peer.change(|socket| socket.rejects_with = Some(INSUFFICIENT_RESOURCES));
        }
        assert_eq!(queue.now(), [(0, REJECTED)]);
        assert_eq!(world.kernel().packets(), 1);
        drop(queue);
    });
}

#[test]
fn a_poll_without_other_events_ends_while_no_packet_can_be_posted() {
    everywhere(|world| {
        let (mut queue, _stream, peer) = world.registered(Interest::READABLE);
        peer.change(|socket| socket.rejects_with = Some(INSUFFICIENT_RESOURCES));
        world.kernel().faults.posts = usize::MAX;
        assert_eq!(queue.now(), []);
        peer.change(|socket| socket.rejects_with = None);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        world.kernel().faults.posts = 0;
    });
}

#[test]
fn deregister_discards_a_rejection_in_the_port() {
    with_loop(|world, mut queue| {
        let registry = queue.registry().try_clone().unwrap();
        let (mut stream, peer) = world.pair();
        peer.change(|socket| socket.rejects_with = Some(INSUFFICIENT_RESOURCES));
        std::thread::scope(|scope| {
            // A blocking wait is in progress, so the request is submitted at once, and its packet is in the port.
            let waits = scope.spawn(|| queue.within(std::time::Duration::from_millis(50)));
            world.until_blocked(1);
            world.kernel().behaviour.holds = true;
            registry.register(&mut stream, Token(1), Interest::READABLE).unwrap();
            registry.deregister(&mut stream).unwrap();
            world.kernel().let_go();
            assert_eq!(waits.join().unwrap(), []);
        });
    });
}

#[test]
fn a_failed_wait_is_an_error_of_poll_and_the_next_poll_works() {
    everywhere(|world| {
        let (mut queue, _stream, peer) = world.registered(Interest::READABLE.level());
        peer.sends(1);
        world.kernel().faults.waits = 2;
        for timeout in [Some(std::time::Duration::ZERO), None] {
            queue.poll.poll(&mut queue.events, timeout).unwrap_err();
            assert!(queue.events.is_empty());
        }
        let (mut other, other_peer) = world.pair();
        other_peer.sends(1);
        queue.register(&mut other, 2, Interest::READABLE.level());
        assert_eq!(queue.now(), [(1, RECEIVE), (2, RECEIVE)]);
    });
}

#[test]
fn without_a_device_register_fails_and_a_later_register_succeeds() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.pair();
        let (mut socket, number_peer) = world.raw();
        for fault in 0..2 {
            let fail = |times| {
                let mut kernel = world.kernel();
                match fault {
                    0 => kernel.faults.devices = times,
                    _ => kernel.faults.associations = times,
                }
            };
            fail(2);
            let error = queue.registry().register(&mut stream, Token(1), Interest::READABLE).unwrap_err();
            assert!(error.raw_os_error().is_some(), "the error of the system: {error:?}");
            let error = queue.registry().register(&mut socket, Token(1), Interest::READABLE).unwrap_err();
            assert!(error.raw_os_error().is_some(), "the error of the system: {error:?}");
            assert_eq!(world.kernel().devices(), 0);
            let error = queue.registry().deregister(&mut stream).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            let error = queue.registry().reregister(&mut socket, Token(1), Interest::READABLE).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            assert_eq!(queue.now(), []);
        }
        peer.sends(1);
        number_peer.sends(1);
        queue.register(&mut stream, 1, Interest::READABLE);
        queue.register(&mut socket, 2, Interest::READABLE);
        assert_eq!(queue.now(), [(1, RECEIVE), (2, RECEIVE)]);
        queue.deregister(&mut socket);
        socket.close();
    });
}

#[test]
fn without_a_port_poll_new_fails() {
    let world = World::new(Behaviour::WINDOWS);
    world.kernel().faults.ports = 1;
    let error = Poll::new().unwrap_err();
    assert!(error.raw_os_error().is_some(), "the error of the system: {error:?}");
    Poll::new().unwrap();
}

#[test]
fn a_poll_with_capacity_zero_fails() {
    everywhere(|world| {
        let mut queue = Loop::with_capacity(0);
        let (_stream, peer) = queue.registered(world.pair(), Interest::READABLE);
        peer.sends(1);
        let error = queue.poll.poll(&mut queue.events, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let mut events = crate::Events::with_capacity(1);
        queue.poll.poll(&mut events, None).unwrap();
        assert_eq!(events.len(), 1);
    });
}
