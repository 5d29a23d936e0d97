//! Edge, level and oneshot, which AFD knows nothing of.

use std::io;

use crate::kernel::layout::*;
use crate::world::{everywhere, Loop};
use crate::Interest;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn in_level_mode_every_poll_tells_what_is_ready() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        peer.sends(2);
        queue.register(&mut stream, 1, BOTH.level());
        for _ in 0..5 {
            assert_eq!(queue.now(), [(1, RECEIVE | SEND)]);
        }
        stream.drain();
        for _ in 0..5 {
            assert_eq!(queue.now(), [(1, SEND)]);
        }
        peer.leaves_no_room();
        // What was ready when the poll began is told; a poll later it is not.
        queue.now();
        assert_eq!(queue.now(), []);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
    });
}

#[test]
fn in_level_mode_what_is_read_after_a_report_is_not_told_again() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.unconnected();
        queue.register(&mut stream, 1, Interest::READABLE.level());
        for _ in 0..3 {
            peer.sends(1);
            // The next request is made by the next poll, and not by this one, that it may see what was read.
            assert_eq!(queue.wait(), [(1, RECEIVE)]);
            stream.drain();
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn in_edge_mode_a_write_arms_nothing_for_a_reader() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.unconnected();
        queue.register(&mut stream, 1, Interest::READABLE);
        assert_eq!(stream.write(1).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(queue.now(), []);
        peer.makes_room(1);
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn in_edge_mode_what_is_left_unread_without_a_read_is_told_once() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        queue.register(&mut stream, 1, BOTH);
        assert_eq!(queue.now(), [(1, SEND)]);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        for _ in 0..5 {
            peer.sends(1);
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn in_edge_mode_a_program_that_reads_once_an_event_gets_through() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        queue.register(&mut stream, 1, Interest::READABLE);
        peer.sends(5);
        for _ in 0..5 {
            assert_eq!(queue.now(), [(1, RECEIVE)]);
            assert_eq!(stream.read(1).unwrap(), 1);
        }
        assert_eq!(queue.now(), []);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
    });
}

#[test]
fn in_edge_mode_what_was_read_before_it_was_told_does_not_hide_what_comes_next() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        let (mut listener, clients) = world.unconnected();
        queue.register(&mut stream, 1, Interest::READABLE);
        queue.register(&mut listener, 2, Interest::READABLE);
        assert_eq!(queue.now(), []);
        for _ in 0..3 {
            // The packets are in the port, and then the program reads and accepts.
            peer.sends(1);
            clients.connects();
            assert_eq!(stream.drain(), (1, false));
            listener.accept().unwrap();
            assert_eq!(queue.now(), [(1, RECEIVE), (2, ACCEPT)]);
            // It sees no reason to read again; and still hears of what comes next.
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn in_edge_mode_a_read_does_not_arm_writing() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        queue.register(&mut stream, 1, BOTH);
        peer.sends(1);
        let mut told = 0;
        for _ in 0..2 {
            told |= queue.now().iter().fold(0, |sum, (_, words)| sum | words);
        }
        assert_eq!(told, RECEIVE | SEND);
        for _ in 0..3 {
            stream.drain();
            assert_eq!(queue.now(), []);
            peer.sends(1);
            assert_eq!(queue.now(), [(1, RECEIVE)]);
        }
    });
}

#[test]
fn in_edge_mode_a_write_that_finds_no_room_is_told_when_there_is() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.unconnected();
        peer.makes_room(10);
        queue.register(&mut stream, 1, Interest::WRITABLE);
        assert_eq!(queue.now(), [(1, SEND)]);
        assert_eq!(stream.write(5).unwrap(), 5);
        // There is room still, and nothing has said otherwise.
        assert_eq!(queue.now(), []);
        assert_eq!(stream.write(9).unwrap(), 5);
        assert_eq!(queue.now(), []);
        peer.makes_room(10);
        assert_eq!(queue.now(), [(1, SEND)]);
        assert_eq!(stream.write(10).unwrap(), 10);
        assert_eq!(stream.write(1).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        peer.makes_room(1);
        assert_eq!(queue.now(), [(1, SEND)]);
    });
}

#[test]
fn in_edge_mode_an_operation_that_may_have_been_of_either_direction_arms_both() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        queue.register(&mut stream, 1, BOTH);
        assert_eq!(queue.now(), [(1, SEND)]);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        let _nothing_there: io::Result<()> = stream.do_io(|| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(queue.now(), [(1, RECEIVE | SEND)]);
        // Whoever writes so, is told of room, whatever was told last.
        peer.leaves_no_room();
        let _no_room: io::Result<()> = stream.do_io(|| Err(io::ErrorKind::WouldBlock.into()));
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        peer.makes_room(10);
        assert_eq!(queue.now(), [(1, SEND)]);
    });
}

#[test]
fn a_oneshot_source_is_told_once_until_it_is_registered_again() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        queue.register(&mut stream, 1, BOTH.oneshot());
        assert_eq!(queue.now(), [(1, SEND)]);
        for _ in 0..3 {
            peer.sends(1);
            assert_eq!(queue.now(), []);
            stream.read(1).unwrap();
        }
        peer.sends(1);
        for token in 2..5 {
            queue.reregister(&mut stream, token, BOTH.oneshot());
            assert_eq!(queue.now(), [(token, RECEIVE | SEND)]);
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn registering_again_tells_again_what_is_so_in_every_mode() {
    everywhere(|world| {
        for interest in [Interest::READABLE, Interest::READABLE.level(), Interest::READABLE.oneshot()] {
            let mut queue = Loop::new();
            let (mut stream, peer) = world.pair();
            peer.sends(1);
            queue.register(&mut stream, 1, interest);
            for token in 1..4 {
                assert_eq!(queue.now(), [(token, RECEIVE)]);
                queue.reregister(&mut stream, token + 1, interest);
            }
        }
    });
}

#[test]
fn the_mode_may_change_from_each_to_each() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        peer.sends(1);
        let modes = [BOTH, BOTH.level(), BOTH.oneshot()];
        queue.register(&mut stream, 0, modes[0]);
        for token in 0..30 {
            let (from, to) = (modes[token % 3], modes[token / 3 % 3]);
            for interest in [from, to] {
                queue.reregister(&mut stream, token, interest);
                assert_eq!(queue.now(), [(token, RECEIVE | SEND)]);
                let expected = if interest.is_level() { vec![(token, RECEIVE | SEND)] } else { vec![] };
                assert_eq!(queue.now(), expected);
            }
        }
    });
}

#[test]
fn in_level_and_oneshot_mode_reading_arms_nothing() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.pair();
        queue.register(&mut stream, 1, Interest::READABLE.oneshot());
        peer.sends(2);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        stream.read(1).unwrap();
        assert_eq!(queue.now(), []);

        queue.reregister(&mut stream, 2, Interest::READABLE.level());
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        stream.drain();
        let before = world.counts();
        // The poll asks, and what it asks stays out.
        queue.now();
        stream.read(1).unwrap_err();
        queue.now();
        assert!(world.since(before).0 <= 1);
    });
}

#[test]
fn what_is_no_longer_wanted_is_not_told_though_it_was_asked_for() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut stream, peer) = world.unconnected();
        queue.register(&mut stream, 1, BOTH.level());
        assert_eq!(queue.now(), []);
        queue.reregister(&mut stream, 2, Interest::WRITABLE.level());
        peer.sends(1);
        assert_eq!(queue.now(), []);
        peer.makes_room(1);
        assert_eq!(queue.now(), [(2, SEND)]);
    });
}
