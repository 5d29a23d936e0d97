//! An interest in hang-ups or priority data alone.

use std::time::Duration;

use super::pipes::Pipe;
use crate::kernel::layout::*;
use crate::kernel::OperationKind;
use crate::world::{everywhere, with_loop, FINISHED};
use crate::Interest;

const HANG_UP: Interest = Interest::HANG_UP;
const PRIORITY: Interest = Interest::PRIORITY;
const MODES: [Interest; 6] =
    [HANG_UP, HANG_UP.level(), HANG_UP.oneshot(), PRIORITY, PRIORITY.level(), PRIORITY.oneshot()];

#[test]
fn a_reset_and_a_failed_connect_are_reported_in_every_mode() {
    everywhere(|world| {
        for (event, peer_acts) in [(ABORT, true), (CONNECT_FAIL, false)] {
            for mode in MODES {
                let (mut queue, mut stream, peer) = world.registered(mode);
                assert_eq!(queue.now(), []);
                if peer_acts {
                    peer.resets();
                } else {
                    peer.refuses_to_connect();
                }
                for repeat in 0..3 {
                    let expected = if repeat == 0 || mode.is_level() { vec![(1, event)] } else { vec![] };
                    assert_eq!(queue.now(), expected);
                }
                queue.reregister(&mut stream, 2, mode);
                assert_eq!(queue.wait(), [(2, event)]);
            }
        }
    });
}

#[test]
fn data_room_and_the_end_of_the_peer_complete_no_request() {
    everywhere(|world| {
        for mode in MODES {
            let (mut queue, stream, peer) = world.registered(mode);
            assert_eq!(queue.now(), []);
            let before = world.counts();
            peer.sends(3);
            peer.makes_room(1);
            peer.shuts_down();
            assert_eq!(queue.now(), []);
            stream.drain();
            assert_eq!(queue.now(), []);
            let (submits, cancels, _) = world.since(before);
            assert_eq!((submits, cancels), (0, 0));
        }
    });
}

#[test]
fn the_ends_of_both_sides_are_a_hang_up_in_either_order() {
    everywhere(|world| {
        for mode in MODES {
            for own_end_is_first in [true, false] {
                let (mut queue, mut stream, peer) = world.registered(mode);
                for own_end in [own_end_is_first, !own_end_is_first] {
                    assert_eq!(queue.now(), []);
                    if own_end {
                        stream.shuts_down();
                    } else {
                        peer.shuts_down();
                    }
                }
                for repeat in 0..3 {
                    let hang_up = [(1, DISCONNECT | FINISHED)];
                    assert_eq!(queue.now(), &hang_up[..usize::from(repeat == 0 || mode.is_level())]);
                }
                queue.reregister(&mut stream, 2, mode);
                assert_eq!(queue.now(), [(2, DISCONNECT | FINISHED)]);
            }
        }
    });
}

#[test]
fn a_oneshot_hang_up_that_was_reported_is_not_armed_by_a_shutdown() {
    everywhere(|world| {
        for interest in [HANG_UP, PRIORITY] {
            let (mut queue, stream, peer) = world.registered(interest.oneshot());
            stream.shuts_down();
            peer.shuts_down();
            assert_eq!(queue.now(), [(1, DISCONNECT | FINISHED)]);
            stream.shuts_down();
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn with_another_interest_hang_up_requests_nothing_more() {
    everywhere(|world| {
        for mode in [Interest::WRITABLE | HANG_UP, (Interest::WRITABLE | HANG_UP).level()] {
            let (mut queue, stream, peer) = world.registered(mode);
            peer.leaves_no_room();
            stream.shuts_down();
            peer.shuts_down();
            assert_eq!(queue.now(), []);
        }
        let (mut queue, _stream, peer) = world.registered(Interest::READABLE | HANG_UP);
        peer.shuts_down();
        assert_eq!(queue.now(), [(1, DISCONNECT)]);
    });
}

#[test]
fn a_source_socket_reports_hang_ups_alone() {
    everywhere(|world| {
        for mode in MODES {
            let mut queue = crate::world::Loop::new();
            let (mut socket, peer) = queue.registered(world.raw(), mode);
            peer.sends(1);
            peer.shuts_down();
            assert_eq!(queue.now(), []);
            peer.resets();
            assert_eq!(queue.now(), [(1, ABORT)]);
            queue.deregister(&mut socket);
            assert_eq!(queue.now(), []);
            socket.close();
        }
    });
}

#[test]
fn a_client_whose_server_closes_the_pipe_is_a_hang_up() {
    everywhere(|_| {
        for mode in MODES {
            let mut queue = crate::world::Loop::new();
            let mut pipe = Pipe::client();
            queue.register(&mut pipe, 1, mode);
            pipe.ends(OperationKind::Read, SUCCESS, 3);
            assert_eq!(queue.now(), []);
            assert_eq!(pipe.read(3).unwrap(), 3);
            assert_eq!(queue.now(), []);
            pipe.ends(OperationKind::Read, PIPE_BROKEN, 0);
            for repeat in 0..3 {
                assert_eq!(queue.now(), &[(1, FINISHED)][..usize::from(repeat == 0 || mode.is_level())]);
            }
            queue.reregister(&mut pipe, 2, mode);
            assert_eq!(queue.now(), [(2, FINISHED)]);
        }
    });
}

#[test]
fn in_level_mode_every_blocking_poll_reports_a_hang_up_beside_another_source() {
    everywhere(|world| {
        for interest in [HANG_UP, PRIORITY] {
            let (mut queue, _stream, peer) = world.registered(interest.level());
            let (mut other, other_peer) = world.pair();
            queue.register(&mut other, 2, Interest::READABLE.level());
            other_peer.sends(1);
            peer.resets();
            for _ in 0..6 {
                assert_eq!(queue.within(Duration::from_nanos(1)), [(1, ABORT), (2, RECEIVE)]);
            }
        }
    });
}
