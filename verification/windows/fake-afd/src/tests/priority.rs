//! Priority data. An interest in priority data alone also reports hang-ups: see `hang_ups.rs`.

use std::io;

use crate::kernel::layout::*;
use crate::world::everywhere;
use crate::Interest;

const PRIORITY: Interest = Interest::PRIORITY;
const READ_OR_PRIORITY: Interest = Interest::READABLE.add(PRIORITY);

#[test]
fn each_mode_reports_an_urgent_byte_as_documented() {
    everywhere(|world| {
        for interest in [PRIORITY, READ_OR_PRIORITY] {
            for mode in [interest, interest.level(), interest.oneshot()] {
                let (mut queue, mut stream, peer) = world.registered(mode);
                assert_eq!(queue.now(), []);
                peer.sends_urgent_byte();
                for repeat in 0..3 {
                    let reported = usize::from(repeat == 0 || mode.is_level());
                    assert_eq!(queue.now(), &[(1, RECEIVE_EXPEDITED)][..reported], "{mode:?}");
                }
                queue.reregister(&mut stream, 2, mode);
                assert_eq!(queue.now(), [(2, RECEIVE_EXPEDITED)]);
                peer.loses_urgent_byte();
                queue.reregister(&mut stream, 3, mode);
                assert_eq!(queue.now(), []);
            }
        }
    });
}

#[test]
fn without_interest_an_urgent_byte_completes_no_request() {
    everywhere(|world| {
        for interest in [Interest::READABLE, Interest::HANG_UP] {
            let (mut queue, _stream, peer) = world.registered(interest.level());
            assert_eq!(queue.now(), []);
            peer.sends_urgent_byte();
            assert_eq!(queue.now(), []);
        }
    });
}

#[test]
fn in_edge_mode_a_read_does_not_arm_priority_data_that_was_reported() {
    everywhere(|world| {
        let (mut queue, mut stream, peer) = world.registered(READ_OR_PRIORITY);
        assert_eq!(queue.now(), []);
        peer.sends_urgent_byte();
        assert_eq!(queue.now(), [(1, RECEIVE_EXPEDITED)]);
        for _ in 0..3 {
            peer.sends(2);
            assert_eq!(queue.now(), [(1, RECEIVE)]);
            assert_eq!(stream.read(1).unwrap(), 1);
            assert_eq!(queue.now(), [(1, RECEIVE)]);
            stream.drain();
            assert_eq!(stream.read(1).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(queue.now(), []);
        }
        queue.reregister(&mut stream, 2, READ_OR_PRIORITY);
        assert_eq!(queue.now(), [(2, RECEIVE_EXPEDITED)]);
    });
}

#[test]
fn in_edge_mode_a_read_before_the_report_does_not_hide_an_urgent_byte() {
    everywhere(|world| {
        let (mut queue, stream, peer) = world.registered(READ_OR_PRIORITY);
        assert_eq!(queue.now(), []);
        stream.drain();
        peer.sends_urgent_byte();
        assert_eq!(queue.now(), [(1, RECEIVE_EXPEDITED)]);
        assert_eq!(queue.now(), []);
    });
}
