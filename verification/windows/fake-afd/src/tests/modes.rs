//! The modes edge, level and oneshot, which AFD does not have.

use std::io;

use crate::kernel::layout::*;
use crate::world::{everywhere, with_loop};
use crate::Interest;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[test]
fn in_level_mode_every_poll_reports_a_ready_source() {
    with_loop(|world, mut queue| {
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
        // Only this poll submits the next request, when there is no room any more.
        assert_eq!(queue.now(), []);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
    });
}

#[test]
fn in_level_mode_data_read_after_a_report_is_not_reported_again() {
    with_loop(|world, mut queue| {
        let (stream, peer) = queue.registered(world.unconnected(), Interest::READABLE.level());
        for _ in 0..3 {
            peer.sends(1);
            // Only the next poll submits the next request, after the read, so that request does not find the data.
            assert_eq!(queue.wait(), [(1, RECEIVE)]);
            stream.drain();
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn in_edge_mode_a_write_does_not_arm_a_direction_without_interest() {
    with_loop(|world, mut queue| {
        let (stream, peer) = queue.registered(world.unconnected(), Interest::READABLE);
        assert_eq!(stream.write(1).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(queue.now(), []);
        peer.makes_room(1);
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn in_edge_mode_unread_data_is_reported_once_without_a_read() {
    everywhere(|world| {
        let (mut queue, _stream, peer) = world.registered(BOTH);
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
fn in_edge_mode_a_program_that_reads_once_per_event_gets_all_data() {
    everywhere(|world| {
        let (mut queue, stream, peer) = world.registered(Interest::READABLE);
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
fn in_edge_mode_a_read_before_the_report_does_not_hide_the_next_event() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.pair();
        let (mut listener, clients) = world.unconnected();
        queue.register(&mut stream, 1, Interest::READABLE);
        queue.register(&mut listener, 2, Interest::READABLE);
        assert_eq!(queue.now(), []);
        for _ in 0..3 {
            // The packets are in the port before the program reads and accepts.
            peer.sends(1);
            clients.connects();
            assert_eq!(stream.drain(), (1, false));
            listener.accept().unwrap();
            assert_eq!(queue.now(), [(1, RECEIVE), (2, ACCEPT)]);
            // The program does not read again, and still gets the next event.
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn in_edge_mode_a_read_does_not_rearm_writing() {
    everywhere(|world| {
        let (mut queue, stream, peer) = world.registered(BOTH);
        peer.sends(1);
        let mut reported = 0;
        for _ in 0..2 {
            reported |= queue.now().iter().fold(0, |sum, (_, words)| sum | words);
        }
        assert_eq!(reported, RECEIVE | SEND);
        for _ in 0..3 {
            stream.drain();
            assert_eq!(queue.now(), []);
            peer.sends(1);
            assert_eq!(queue.now(), [(1, RECEIVE)]);
        }
    });
}

#[test]
fn in_edge_mode_free_room_is_reported_after_a_write_that_would_block() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = world.unconnected();
        peer.makes_room(10);
        queue.register(&mut stream, 1, Interest::WRITABLE);
        assert_eq!(queue.now(), [(1, SEND)]);
        assert_eq!(stream.write(5).unwrap(), 5);
        // There is still room, and no write has failed.
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
fn in_edge_mode_an_operation_of_unknown_direction_rearms_both() {
    everywhere(|world| {
        let (mut queue, stream, peer) = world.registered(BOTH);
        assert_eq!(queue.now(), [(1, SEND)]);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        let _nothing_there: io::Result<()> = stream.do_io(|| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(queue.now(), [(1, RECEIVE | SEND)]);
        // After such a write, free room is reported, whatever the last event was.
        peer.leaves_no_room();
        let _no_room: io::Result<()> = stream.do_io(|| Err(io::ErrorKind::WouldBlock.into()));
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        peer.makes_room(10);
        assert_eq!(queue.now(), [(1, SEND)]);
    });
}

#[test]
fn a_oneshot_source_is_reported_once_until_it_is_reregistered() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(BOTH.oneshot());
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
fn reregister_changes_every_mode_to_every_mode() {
    with_loop(|world, mut queue| {
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
fn in_level_and_oneshot_mode_a_read_rearms_nothing() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(Interest::READABLE.oneshot());
        peer.sends(2);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        stream.read(1).unwrap();
        assert_eq!(queue.now(), []);

        queue.reregister(&mut stream, 2, Interest::READABLE.level());
        assert_eq!(queue.now(), [(2, RECEIVE)]);
        stream.drain();
        let before = world.counts();
        // The poll submits a request, which stays pending.
        queue.now();
        stream.read(1).unwrap_err();
        queue.now();
        assert!(world.since(before).0 <= 1);
    });
}

#[test]
fn a_requested_event_without_interest_is_not_reported() {
    with_loop(|world, mut queue| {
        let (mut stream, peer) = queue.registered(world.unconnected(), BOTH.level());
        assert_eq!(queue.now(), []);
        queue.reregister(&mut stream, 2, Interest::WRITABLE.level());
        peer.sends(1);
        assert_eq!(queue.now(), []);
        peer.makes_room(1);
        assert_eq!(queue.now(), [(2, SEND)]);
    });
}
