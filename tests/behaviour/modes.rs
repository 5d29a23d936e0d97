//! Edge, level and oneshot.

use std::io::{ErrorKind, Read, Write};
use std::net;

use minimio::net::{TcpStream, UdpSocket};
use minimio::{Events, Interest, Poll, Token};

use crate::support::*;

const SOURCE: Token = Token(1);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn readable(poll: &mut Poll, events: &mut Events) {
    wait_for(poll, events, SOURCE, |event| event.is_readable());
}

fn drain(stream: &mut TcpStream) -> usize {
    let mut total = 0;
    let mut buf = [0; 1024];
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => return total,
            Err(err) => panic!("read: {err}"),
        }
    }
}

/// What is sent is there to be read when this returns.
fn send(peer: &mut net::TcpStream, stream: &TcpStream, bytes: &[u8]) {
    peer.write_all(bytes).unwrap();
    let end = std::time::Instant::now() + WAIT_LIMIT;
    while stream.peek(&mut [0; 4096]).map_or(0, |count| count) < bytes.len() {
        assert!(std::time::Instant::now() < end, "the bytes did not arrive");
        std::thread::yield_now();
    }
}

/// Writes until there is no room and none is made by what is still in flight. Returns how much that was.
fn fill(stream: &mut TcpStream, poll: &mut Poll, events: &mut Events) -> usize {
    let mut sent = 0;
    loop {
        match stream.write(&[7; 4096]) {
            Ok(count) => sent += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                poll.poll(events, Some(SHORT_WAIT)).unwrap();
                if events.is_empty() {
                    return sent;
                }
            }
            Err(err) => panic!("write: {err}"),
        }
    }
}

// Edge.

#[test]
fn an_edge_source_is_reported_once_however_long_it_stays_ready() {
    let (mut poll, mut events) = poll();
    let (_stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    peer.write_all(b"once").unwrap();
    readable(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_drained_edge_source_is_reported_when_more_arrives() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    for round in 0..10 {
        peer.write_all(b"more").unwrap();
        readable(&mut poll, &mut events);
        assert_eq!(drain(&mut stream), 4, "round {round}");
    }
}

#[test]
fn an_edge_program_that_reads_once_per_event_goes_on_when_more_arrives() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    send(&mut peer, &stream, b"abcdef");
    let mut byte = [0];
    for expected in b"abc" {
        readable(&mut poll, &mut events);
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        assert_eq!(byte[0], *expected);
        // Three bytes are waiting all the time; only the new one is an edge.
        peer.write_all(b"x").unwrap();
    }
}

#[test]
fn what_was_read_before_it_was_told_does_not_hide_what_arrives_later() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    for _ in 0..3 {
        expect_no_event(&mut poll, &mut events);
        send(&mut peer, &stream, b"early");
        assert_eq!(drain(&mut stream), 5);
        // If this tells of it all the same, the program need not do anything about it.
        poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
        send(&mut peer, &stream, b"late");
        readable(&mut poll, &mut events);
        assert_eq!(drain(&mut stream), 4);
    }
}

#[test]
fn a_read_that_leaves_part_of_its_buffer_empty_has_drained_a_stream() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    let mut buf = [0; 64];
    for _ in 0..10 {
        peer.write_all(b"short").unwrap();
        readable(&mut poll, &mut events);
        assert_eq!(stream.read(&mut buf).unwrap(), 5);
    }
}

#[test]
fn an_edge_socket_is_reported_with_every_datagram_that_comes_after_the_last() {
    let (mut poll, mut events) = poll();
    let mut socket = UdpSocket::bind(loopback()).unwrap();
    let sender = net::UdpSocket::bind(loopback()).unwrap();
    poll.registry().register(&mut socket, SOURCE, Interest::READABLE).unwrap();
    for _ in 0..5 {
        sender.send_to(b"datagram", socket.local_addr().unwrap()).unwrap();
        readable(&mut poll, &mut events);
        while socket.recv(&mut [0; 16]).is_ok() {}
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn an_edge_stream_is_writable_again_when_a_full_buffer_has_room() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::WRITABLE);
    for _ in 0..3 {
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
        let sent = fill(&mut stream, &mut poll, &mut events);
        peer.read_exact(&mut vec![0; sent]).unwrap();
    }
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
}

#[test]
fn a_source_that_is_ready_before_it_is_registered_is_reported() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    send(&mut peer, &stream, b"early");
    poll.registry().register(&mut stream, SOURCE, Interest::READABLE).unwrap();
    readable(&mut poll, &mut events);
}

#[test]
fn reregistering_an_edge_source_that_is_still_ready_reports_it_again() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    peer.write_all(b"still here").unwrap();
    readable(&mut poll, &mut events);
    for _ in 0..3 {
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE).unwrap();
        readable(&mut poll, &mut events);
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn the_idle_one_of_two_sources_brings_no_events() {
    let (mut poll, mut events) = poll();
    let (_idle, _idle_peer) = registered_stream(&poll, Token(0), BOTH);
    let (mut busy, mut busy_peer) = registered_stream(&poll, SOURCE, BOTH);
    wait_for(&mut poll, &mut events, Token(0), |event| event.is_writable());
    for _ in 0..100 {
        busy_peer.write_all(b"busy").unwrap();
        loop {
            let batch = next_batch(&mut poll, &mut events);
            assert!(batch.iter().all(|event| event.token() == SOURCE), "{batch:?}");
            if batch.iter().any(|event| event.is_readable()) {
                break;
            }
        }
        drain(&mut busy);
    }
    expect_no_event(&mut poll, &mut events);
}

// Level.

#[test]
fn a_level_source_is_reported_by_every_poll_until_it_is_drained() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE.level());
    send(&mut peer, &stream, b"abc");
    let mut byte = [0];
    for expected in b"abc" {
        for _ in 0..2 {
            assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        }
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        assert_eq!(byte[0], *expected);
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_level_source_is_reported_by_polls_that_do_not_wait_too() {
    let (mut poll, mut events) = poll();
    let (stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE.level());
    send(&mut peer, &stream, b"abc");
    readable(&mut poll, &mut events);
    for _ in 0..3 {
        poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
    }
}

#[test]
fn a_level_stream_is_writable_for_as_long_as_there_is_room() {
    let (mut poll, mut events) = poll();
    let (mut stream, _peer) = registered_stream(&poll, SOURCE, Interest::WRITABLE.level());
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    fill(&mut stream, &mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_closed_level_stream_is_reported_by_every_poll() {
    let (mut poll, mut events) = poll();
    let (_stream, peer) = registered_stream(&poll, SOURCE, Interest::READABLE.level());
    drop(peer);
    for _ in 0..3 {
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_read_closed());
    }
}

// Oneshot.

#[test]
fn a_oneshot_source_stays_silent_until_registered_again() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE.oneshot());
    for _ in 0..3 {
        peer.write_all(b"a").unwrap();
        readable(&mut poll, &mut events);
        drain(&mut stream);
        send(&mut peer, &stream, b"b");
        expect_no_event(&mut poll, &mut events);
        drain(&mut stream);
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.oneshot()).unwrap();
    }
}

#[test]
fn reregistering_a_oneshot_source_that_is_still_ready_reports_it_again() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE.oneshot());
    peer.write_all(b"still here").unwrap();
    for _ in 0..3 {
        readable(&mut poll, &mut events);
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.oneshot()).unwrap();
    }
    readable(&mut poll, &mut events);
}

#[test]
fn the_report_of_one_direction_silences_a_oneshot_source_in_both() {
    let (mut poll, mut events) = poll();
    let (stream, mut peer) = registered_stream(&poll, SOURCE, BOTH.oneshot());
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    send(&mut peer, &stream, b"unheard");
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn two_directions_ready_at_once_are_one_report_of_a_oneshot_source() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    send(&mut peer, &stream, b"both");
    poll.registry().register(&mut stream, SOURCE, BOTH.oneshot()).unwrap();
    let batch = next_batch(&mut poll, &mut events);
    assert!(batch.iter().any(|event| event.is_readable()), "{batch:?}");
    assert!(batch.iter().any(|event| event.is_writable()), "{batch:?}");
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_oneshot_source_that_has_not_been_reported_waits() {
    let (mut poll, mut events) = poll();
    let (_stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE.oneshot());
    expect_no_event(&mut poll, &mut events);
    peer.write_all(b"late").unwrap();
    readable(&mut poll, &mut events);
}

#[test]
fn a_peer_that_closes_does_not_speak_for_a_oneshot_source_that_was_reported() {
    let (mut poll, mut events) = poll();
    let (_stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE.oneshot());
    peer.write_all(b"bye").unwrap();
    readable(&mut poll, &mut events);
    drop(peer);
    expect_no_event(&mut poll, &mut events);
}

// From one to another.

#[test]
fn reregistering_changes_the_mode() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    peer.write_all(b"here to stay").unwrap();
    readable(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);

    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.level()).unwrap();
    for _ in 0..3 {
        readable(&mut poll, &mut events);
    }
    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.oneshot()).unwrap();
    readable(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.edge()).unwrap();
    readable(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
    drain(&mut stream);
    send(&mut peer, &stream, b"!");
    readable(&mut poll, &mut events);
}

#[test]
fn what_is_ready_when_it_is_reregistered_is_told_by_the_next_poll_however_short() {
    let (mut poll, mut events) = poll();
    let (mut stream, _peer) = registered_stream(&poll, SOURCE, Interest::READABLE);
    for timeout in [std::time::Duration::ZERO, std::time::Duration::from_nanos(1)] {
        // Nothing is ready, so that whoever asks has asked by now.
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut stream, SOURCE, BOTH).unwrap();
        poll.poll(&mut events, Some(timeout)).unwrap();
        assert!(events.iter().any(|event| event.is_writable()), "{timeout:?}: {events:?}");
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE).unwrap();
    }
}

#[test]
fn reregistering_changes_the_direction() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, Interest::WRITABLE);
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE).unwrap();
    expect_no_event(&mut poll, &mut events);
    send(&mut peer, &stream, b"data");
    let event = wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    assert!(!event.is_writable(), "{event:?}");
    poll.registry().reregister(&mut stream, SOURCE, Interest::WRITABLE).unwrap();
    let event = wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    assert!(!event.is_readable(), "{event:?}");
}
