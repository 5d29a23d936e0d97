//! Sockets that are closed while registered, and reused numbers.

use std::io::ErrorKind;
use std::thread;

use crate::kernel::layout::*;
use crate::kernel::Behaviour;
use crate::world::{everywhere, with_loop, Loop, RawSocket, World};
use crate::{Interest, Token};

/// Returns a new socket with the number of one that was just closed.
#[track_caller]
fn again(world: &World, old: RawSocket) -> (RawSocket, crate::world::Peer) {
    let (socket, peer) = world.raw();
    assert_eq!(socket, old, "the kernel does not reuse the socket");
    (socket, peer)
}

#[test]
fn a_source_socket_is_registered_before_it_is_reregistered() {
    with_loop(|world, mut queue| {
        let (mut socket, _) = world.raw();
        let not_found = |queue: &Loop, socket: &mut RawSocket| {
            let registry = queue.registry();
            let error = registry.reregister(socket, Token(1), Interest::READABLE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_eq!(registry.deregister(socket).unwrap_err().kind(), ErrorKind::NotFound);
        };
        not_found(&queue, &mut socket);
        for token in 0..3 {
            queue.register(&mut socket, token, Interest::READABLE.level());
            // With and without a pending request.
            if token > 0 {
                assert_eq!(queue.now(), []);
            }
            queue.deregister(&mut socket);
            not_found(&queue, &mut socket);
        }
        socket.close();
    });
}

#[test]
fn registering_a_source_socket_again_replaces_its_registration() {
    with_loop(|world, mut queue| {
        let (mut socket, peer) = world.raw();
        for token in 0..6 {
            queue.register(&mut socket, token, Interest::READABLE.level());
            // With and without a pending request.
            if token % 2 == 0 {
                assert_eq!(queue.now(), []);
            }
        }
        peer.sends(1);
        for token in 5..8 {
            assert_eq!(queue.now(), [(token, RECEIVE)]);
            queue.register(&mut socket, token + 1, Interest::READABLE.level());
        }
        queue.deregister(&mut socket);
        assert_eq!(queue.now(), []);
        socket.close();
    });
}

#[test]
fn a_source_socket_that_is_deregistered_and_registered_has_one_request() {
    let world = World::new(Behaviour { cancels_late: true, ..Behaviour::WINDOWS });
    let mut queue = Loop::new();
    let (mut socket, peer) = queue.registered(world.raw(), Interest::READABLE.oneshot());
    assert_eq!(queue.now(), []);
    for token in 2..5 {
        queue.deregister(&mut socket);
        queue.register(&mut socket, token, Interest::READABLE.oneshot());
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 1);
    }
    world.kernel().deliver();
    world.kernel().behaviour.cancels_late = false;
    peer.sends(1);
    assert_eq!(queue.now(), [(4, RECEIVE)]);
    socket.close();
}

#[test]
fn a_source_socket_works_in_every_mode() {
    with_loop(|world, mut queue| {
        let (mut socket, peer) = queue.registered(world.raw(), Interest::READABLE.level());
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        queue.reregister(&mut socket, 2, Interest::READABLE.oneshot());
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        assert_eq!(queue.now(), []);
        queue.reregister(&mut socket, 3, Interest::READABLE);
        assert_eq!(queue.now(), [(3, RECEIVE)]);
        assert_eq!(queue.now(), []);
        queue.deregister(&mut socket);
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 0);
        socket.close();
    });
}

#[test]
fn the_next_poll_deregisters_a_closed_source_socket() {
    everywhere(|world| {
        for interest in [Interest::READABLE, Interest::READABLE.level(), Interest::READABLE.oneshot()] {
            let mut queue = Loop::new();
            let (mut socket, peer) = queue.registered(world.raw(), interest);
            peer.sends(1);
            queue.now();
            read_unseen_by_the_queue(world, socket);
            queue.now();
            queue.now();
            socket.close();
            assert_eq!(queue.now(), [], "{interest:?}");
            let error = queue.registry().deregister(&mut socket).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            let (mut socket, peer) = again(world, socket);
            queue.register(&mut socket, 2, interest);
            peer.sends(1);
            assert_eq!(queue.now(), [(2, RECEIVE)]);
            socket.close();
        }
    });
}

fn read_unseen_by_the_queue(world: &World, socket: RawSocket) {
    let _all = world.kernel().receive(socket.0, usize::MAX);
}

#[test]
fn a_reused_number_can_be_registered_before_the_next_poll() {
    with_loop(|world, mut queue| {
        let (mut socket, _) = world.raw();
        let (mut other, other_peer) = world.pair();
        queue.register(&mut socket, 1, Interest::READABLE.level());
        queue.register(&mut other, 5, Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        other_peer.sends(1);
        socket.close();
        // The packet that reports the closing has not been dequeued.
        let (mut socket, peer) = again(world, socket);
        queue.register(&mut socket, 2, Interest::READABLE.level());
        peer.sends(1);
        // This poll dequeues the packet of the old socket; the next one submits a request for the new socket.
        assert_eq!(queue.now(), [(5, RECEIVE)]);
        assert_eq!(queue.now(), [(2, RECEIVE), (5, RECEIVE)]);
        queue.deregister(&mut socket);
        socket.close();
    });
}

#[test]
fn a_reused_number_can_be_reregistered_before_the_next_poll() {
    everywhere(|world| {
        for (token, interest) in
            [Interest::READABLE, Interest::READABLE.level(), Interest::READABLE.oneshot()].iter().enumerate()
        {
            let mut queue = Loop::new();
            let (socket, peer) = queue.registered(world.raw(), *interest);
            assert_eq!(queue.now(), []);
            if token == 1 {
                peer.sends(1);
                assert_eq!(queue.now(), [(1, RECEIVE)]);
            }
            socket.close();
            let (mut socket, peer) = again(world, socket);
            queue.reregister(&mut socket, 2, *interest);
            // The packet of the old socket is not an event of the new one.
            assert_eq!(queue.now(), []);
            peer.sends(1);
            assert_eq!(queue.now(), [(2, RECEIVE)]);
            // The new socket is registered like any other: its closing ends the registration.
            read_unseen_by_the_queue(world, socket);
            queue.now();
            queue.now();
            socket.close();
            assert_eq!(queue.now(), []);
            let error = queue.registry().deregister(&mut socket).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    });
}

#[test]
fn the_sock_of_a_source_socket_is_freed_after_its_registration_has_ended() {
    with_loop(|world, mut queue| {
        for is_closed in [false, true] {
            for polls in [0, 1] {
                let (mut socket, _) = queue.registered(world.raw(), Interest::READABLE);
                (0..polls).for_each(|_| assert_eq!(queue.now(), []));
                if is_closed {
                    socket.close();
                } else {
                    queue.deregister(&mut socket);
                }
                (0..2).for_each(|_| assert_eq!(queue.now(), []));
                assert_eq!(crate::guard::kept(), 0, "is closed: {is_closed}, polls: {polls}");
                socket.close();
            }
        }
    });
}

#[test]
fn a_source_socket_whose_request_cannot_be_cancelled_keeps_its_registration() {
    with_loop(|world, mut queue| {
        let (mut socket, peer) = queue.registered(world.raw(), Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        world.kernel().faults.cancels = 2;
        let registry = queue.registry();
        registry.reregister(&mut socket, Token(2), Interest::WRITABLE.level()).unwrap_err();
        registry.register(&mut socket, Token(2), Interest::WRITABLE.level()).unwrap_err();
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        socket.close();
    });
}

#[test]
fn a_reused_number_is_detected_behind_many_other_packets() {
    with_loop(|world, mut queue| {
        let mut others: Vec<_> = (0..70).map(|_| world.pair()).collect();
        let (mut socket, _) = world.raw();
        for (token, (stream, _)) in others.iter_mut().enumerate() {
            queue.register(stream, token, Interest::READABLE);
        }
        queue.register(&mut socket, 100, Interest::READABLE);
        assert_eq!(queue.now(), []);
        others.iter().for_each(|(_, peer)| peer.sends(1));
        socket.close();
        let (mut socket, _) = again(world, socket);
        queue.register(&mut socket, 101, Interest::READABLE);
        let mut reported = queue.now();
        reported.extend(queue.now());
        reported.sort_unstable();
        assert_eq!(reported, (0..70).map(|token| (token, RECEIVE)).collect::<Vec<_>>());
        socket.close();
    });
}

#[test]
fn a_reused_number_is_detected_behind_packets_of_the_notifier() {
    with_loop(|world, mut queue| {
        let (socket, _) = queue.registered(world.raw(), Interest::READABLE);
        assert_eq!(queue.now(), []);
        for _ in 0..5 {
            queue.notifier().notify().unwrap();
        }
        socket.close();
        let (mut socket, peer) = again(world, socket);
        queue.register(&mut socket, 2, Interest::READABLE);
        peer.sends(1);
        // A notification without a wake ends the wait, but is not an event.
        let reported: Vec<_> = (0..8).flat_map(|_| queue.now()).collect();
        assert_eq!(reported, [(2, RECEIVE)]);
        socket.close();
    });
}

#[test]
fn a_number_that_is_reused_during_a_poll_can_be_registered() {
    let world = World::new(Behaviour::WINDOWS);
    let mut queue = Loop::new();
    let registry = queue.registry().try_clone().unwrap();
    let (socket, _) = queue.registered(world.raw(), Interest::READABLE);
    thread::scope(|scope| {
        let waits = scope.spawn(|| queue.within(std::time::Duration::from_millis(300)));
        world.until_blocked(1);
        // The packet is dequeued, but the polling thread has not handled it yet.
        world.kernel().behaviour.holds = true;
        socket.close();
        crate::world::until("the packet is not taken", || world.kernel().packets() == 0);
        let (mut socket, _) = again(&world, socket);
        let result = registry.register(&mut socket, Token(2), Interest::READABLE);
        world.kernel().let_go();
        assert_eq!(waits.join().unwrap(), []);
        socket.close();
        result.unwrap();
    });
}

#[test]
fn a_number_that_is_reused_after_a_report_can_be_registered() {
    everywhere(|world| {
        // Most programs close a socket after an event reports that the peer has closed.
        let mut queue = Loop::new();
        let (socket, peer) = queue.registered(world.raw(), Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        peer.shuts_down();
        assert_eq!(queue.now(), [(1, DISCONNECT)]);
        socket.close();
        let (mut socket, _) = again(world, socket);
        let result = queue.registry().register(&mut socket, Token(2), Interest::READABLE.level());
        socket.close();
        result.unwrap();
    });
}

#[test]
fn a_number_that_is_reused_after_a_rejected_request_can_be_registered() {
    with_loop(|world, mut queue| {
        let (socket, _) = queue.registered(world.raw(), Interest::READABLE.level());
        socket.close();
        // The kernel rejects the request, because the socket does not exist.
        queue.now();
        assert_eq!(queue.now(), []);
        let (mut socket, _) = again(world, socket);
        let result = queue.registry().register(&mut socket, Token(2), Interest::READABLE.level());
        socket.close();
        result.unwrap();
    });
}

#[test]
fn a_closed_socket_with_an_open_duplicate_is_still_reported() {
    with_loop(|world, mut queue| {
        let (mut socket, peer) = world.raw();
        let duplicate = RawSocket(world.kernel().duplicate_socket(socket.0));
        queue.register(&mut socket, 1, Interest::READABLE);
        assert_eq!(queue.now(), []);
        socket.close();
        assert_eq!(queue.now(), []);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        // As on other systems, the program must deregister a socket with a duplicate.
        queue.deregister(&mut socket);
        duplicate.close();
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn a_closing_may_be_reported_much_later() {
    let world = World::new(Behaviour { closes_late: true, ..Behaviour::WINDOWS });
    let mut queue = Loop::new();
    let (socket, _) = queue.registered(world.raw(), Interest::READABLE);
    assert_eq!(queue.now(), []);
    socket.close();
    assert_eq!(queue.now(), []);
    world.kernel().deliver();
    assert_eq!(queue.now(), []);
    let (mut socket, peer) = again(&world, socket);
    queue.register(&mut socket, 2, Interest::READABLE);
    peer.sends(1);
    assert_eq!(queue.now(), [(2, RECEIVE)]);
    socket.close();
}

#[test]
fn a_socket_closed_while_deregistered_leaves_its_number_free() {
    let world = World::new(Behaviour { cancels_late: true, ..Behaviour::WINDOWS });
    let mut queue = Loop::new();
    let (mut socket, _) = queue.registered(world.raw(), Interest::READABLE);
    assert_eq!(queue.now(), []);
    queue.deregister(&mut socket);
    socket.close();
    let (mut socket, peer) = again(&world, socket);
    queue.register(&mut socket, 2, Interest::READABLE);
    peer.sends(1);
    // The number may still name the old socket, which must not get a second request.
    assert_eq!(queue.now(), []);
    world.kernel().deliver();
    world.kernel().behaviour.cancels_late = false;
    assert_eq!(queue.now(), [(2, RECEIVE)]);
    assert_eq!(queue.now(), []);
    queue.reregister(&mut socket, 3, Interest::READABLE);
    assert_eq!(queue.now(), [(3, RECEIVE)]);
    queue.deregister(&mut socket);
    socket.close();
}

#[test]
fn a_late_packet_of_the_old_socket_leaves_the_new_one_registered() {
    let world = World::new(Behaviour { closes_late: true, ..Behaviour::WINDOWS });
    let mut queue = Loop::new();
    let (mut socket, _) = queue.registered(world.raw(), Interest::READABLE);
    assert_eq!(queue.now(), []);
    socket.close();
    queue.deregister(&mut socket);
    let (mut socket, peer) = again(&world, socket);
    queue.register(&mut socket, 2, Interest::READABLE);
    world.kernel().deliver();
    assert_eq!(queue.now(), []);
    peer.sends(1);
    assert_eq!(queue.now(), [(2, RECEIVE)]);
    queue.deregister(&mut socket);
    socket.close();
}

#[test]
fn dropping_a_source_ends_its_registration() {
    with_loop(|world, mut queue| {
        for token in 0..50 {
            let (mut stream, peer) = world.pair();
            queue.register(&mut stream, token, Interest::READABLE);
            if token % 2 == 0 {
                assert_eq!(queue.now(), []);
            }
            peer.sends(1);
        }
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().requests_pending(), 0);
        assert_eq!(crate::guard::kept(), 0);
    });
}

#[test]
fn an_owned_socket_whose_handle_was_closed_is_not_reported() {
    everywhere(|world| {
        let (mut queue, mut stream, _) = world.registered(Interest::READABLE.level());
        assert_eq!(queue.now(), []);
        RawSocket(stream.number()).close();
        assert_eq!(queue.now(), []);
        assert_eq!(queue.now(), []);
        queue.deregister(&mut stream);
    });
}

#[test]
fn a_reused_number_loses_no_event_while_no_packet_can_be_posted() {
    with_loop(|world, mut queue| {
        let (mut socket, _) = world.raw();
        let (mut other, other_peer) = world.pair();
        queue.register(&mut socket, 1, Interest::READABLE.oneshot());
        queue.register(&mut other, 5, Interest::READABLE.oneshot());
        assert_eq!(queue.now(), []);
        other_peer.sends(1);
        socket.close();
        let (mut socket, peer) = again(world, socket);
        world.kernel().faults.posts = 1;
        queue.register(&mut socket, 2, Interest::READABLE.oneshot());
        world.kernel().faults.posts = 0;
        peer.sends(1);
        assert_eq!(queue.now(), [(5, RECEIVE)]);
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        socket.close();
    });
}
