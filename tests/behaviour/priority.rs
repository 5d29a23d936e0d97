//! `Interest::PRIORITY`: an urgent byte in every mode, and the row of the truth table of `Event` about it.

// The model of a kqueue reports no priority data.
#![cfg(all(any(target_os = "linux", target_os = "android", windows), not(minimio_kqueue)))]

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use minimio::{Event, Events, Interest, Poll};

use crate::hang_up::{expect_hang_up, HANG_UP};
use crate::support::*;

const PRIORITY: Interest = Interest::PRIORITY;
const READ_OR_PRIORITY: Interest = READ.add(PRIORITY);

/// Polls until an event reports priority data.
fn wait_for_priority(poll: &mut Poll, events: &mut Events) {
    wait_for(poll, events, SOURCE, Event::is_priority);
}

#[test]
fn priority_is_a_separate_interest() {
    assert!(PRIORITY.is_priority() && PRIORITY.is_edge());
    assert!(!PRIORITY.is_readable() && !PRIORITY.is_writable() && !PRIORITY.is_hang_up() && !BOTH.is_priority());
    assert_eq!((BOTH | PRIORITY).remove(BOTH), Some(PRIORITY));
    assert_eq!(format!("{:?}", READ_OR_PRIORITY.level()), "READABLE | PRIORITY (level)");
}

#[test]
fn an_urgent_byte_is_priority_data() {
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(BOTH | PRIORITY);
    wait_for(&mut poll, &mut events, SOURCE, Event::is_writable);
    urgent::send(&peer, b'!');
    let mut check = |happened| truth_table::check(&mut poll, &mut events, SOURCE, happened);
    check("an out-of-band byte arrived (with `PRIORITY`)");
    poll.registry().reregister(&mut stream, SOURCE, BOTH | PRIORITY).unwrap();
    wait_for_priority(&mut poll, &mut events);
}

#[test]
fn an_urgent_byte_is_not_reported_without_interest() {
    for interest in [WRITE, WRITE | HANG_UP] {
        let (mut poll, mut events, mut stream, peer) = poll_and_stream(interest | PRIORITY);
        wait_for(&mut poll, &mut events, SOURCE, Event::is_writable);
        urgent::send(&peer, b'!');
        wait_for_priority(&mut poll, &mut events);
        poll.registry().reregister(&mut stream, SOURCE, interest).unwrap();
        let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_writable);
        assert!(!event.is_priority() && !event.is_readable(), "{event:?}");
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn in_level_mode_every_poll_reports_an_urgent_byte_until_it_was_received() {
    for interest in [PRIORITY, PRIORITY | HANG_UP, READ_OR_PRIORITY] {
        let (mut poll, mut events, stream, peer) = poll_and_stream(interest.level());
        expect_no_event(&mut poll, &mut events);
        for byte in *b"!?" {
            urgent::send(&peer, byte);
            for _ in 0..3 {
                let batch = next_batch(&mut poll, &mut events);
                assert!(batch.iter().all(|event| event.is_priority() && event.is_readable()), "{batch:?}");
            }
            assert_eq!(urgent::receive(&stream), byte);
            expect_no_event(&mut poll, &mut events);
        }
    }
}

#[test]
fn in_oneshot_mode_an_urgent_byte_is_reported_once_until_reregister() {
    for interest in [PRIORITY, PRIORITY | HANG_UP, READ_OR_PRIORITY].map(Interest::oneshot) {
        let (mut poll, mut events, mut stream, peer) = poll_and_stream(interest);
        urgent::send(&peer, b'!');
        for _ in 0..3 {
            wait_for_priority(&mut poll, &mut events);
            expect_no_event(&mut poll, &mut events);
            poll.registry().reregister(&mut stream, SOURCE, interest).unwrap();
        }
        wait_for_priority(&mut poll, &mut events);
        assert_eq!(urgent::receive(&stream), b'!');
        poll.registry().reregister(&mut stream, SOURCE, interest).unwrap();
        expect_no_event(&mut poll, &mut events);
        urgent::send(&peer, b'?');
        wait_for_priority(&mut poll, &mut events);
    }
}

#[test]
fn in_edge_mode_an_unread_urgent_byte_is_reported_again_after_reregister_and_not_after_a_read() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(READ_OR_PRIORITY);
    peer.write_all(b"data").unwrap();
    urgent::send(&peer, b'!');
    wait_for_priority(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
    // This read returns the data before the urgent byte.
    let mut data = [0; 8];
    let count = stream.read(&mut data).unwrap();
    assert_eq!(&data[..count], b"data");
    expect_no_event(&mut poll, &mut events);
    poll.registry().reregister(&mut stream, SOURCE, READ_OR_PRIORITY).unwrap();
    wait_for_priority(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
    // On Linux and under Wine, this read also drops the urgent byte.
    assert_eq!(kind(stream.read(&mut data)), ErrorKind::WouldBlock);
    expect_no_event(&mut poll, &mut events);
    // The readable direction is armed.
    peer.write_all(b"more").unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable() && !event.is_priority());
}

#[test]
fn an_urgent_byte_that_was_received_is_not_reported_by_reregister() {
    for interest in [PRIORITY, READ_OR_PRIORITY] {
        for interest in [interest, interest.level(), interest.oneshot()] {
            let (mut poll, mut events, mut stream, peer) = poll_and_stream(interest);
            urgent::send(&peer, b'!');
            wait_for_priority(&mut poll, &mut events);
            assert_eq!(urgent::receive(&stream), b'!');
            poll.registry().reregister(&mut stream, SOURCE, interest).unwrap();
            expect_no_event(&mut poll, &mut events);
        }
    }
}

#[test]
fn priority_alone_reports_a_reset_and_no_data() {
    for interest in [PRIORITY, PRIORITY | HANG_UP] {
        for mode in [interest, interest.level(), interest.oneshot()] {
            let (mut poll, mut events, mut stream, peer) = poll_and_stream(mode);
            send(&peer, &stream, b"data");
            expect_no_event(&mut poll, &mut events);
            reset::close_with_reset(peer);
            expect_hang_up(&mut poll, &mut events, &mut stream, mode);
        }
    }
}

#[test]
fn priority_alone_reports_the_end_of_both_directions() {
    for mode in [PRIORITY, PRIORITY.level(), PRIORITY.oneshot()] {
        for own_end_is_first in [false, true] {
            let (mut poll, mut events, mut stream, peer) = poll_and_stream(mode);
            for own_end in [own_end_is_first, !own_end_is_first] {
                expect_no_event(&mut poll, &mut events);
                if own_end {
                    stream.shutdown(Shutdown::Write).unwrap();
                } else {
                    peer.shutdown(Shutdown::Write).unwrap();
                }
            }
            expect_hang_up(&mut poll, &mut events, &mut stream, mode);
        }
    }
}
