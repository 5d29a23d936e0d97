//! The modes edge, level and oneshot.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use minimio::net::{TcpStream, UdpSocket};
use minimio::{Events, Interest, Poll, Registry, Token};

use crate::support::*;

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

/// Writes until the send buffer is full and bytes in transit free no more space. Returns the number of bytes.
fn fill(stream: &mut TcpStream, poll: &mut Poll, events: &mut Events) -> usize {
    let mut sent = 0;
    loop {
        match stream.write(&[7; 4096]) {
            Ok(count) => sent += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                // The peer's kernel may delay an acknowledgement, which frees space, by 200 ms.
                poll.poll(events, Some(6 * SHORT_WAIT)).unwrap();
                if events.is_empty() {
                    return sent;
                }
            }
            Err(err) => panic!("write: {err}"),
        }
    }
}

// Edge mode.

#[test]
fn a_drained_edge_source_is_reported_when_more_arrives() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    for round in 0..10 {
        peer.write_all(b"more").unwrap();
        wait_until_readable(&mut poll, &mut events);
        assert_eq!(drain(&mut stream), 4, "round {round}");
    }
}

#[test]
fn bytes_that_arrive_after_a_read_without_an_event_are_reported() {
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(Interest::READABLE);
    for _ in 0..3 {
        expect_no_event(&mut poll, &mut events);
        send(&peer, &stream, b"early");
        assert_eq!(drain(&mut stream), 5);
        // This poll may report the bytes that were already read. The program may ignore such an event.
        poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
        send(&peer, &stream, b"late");
        wait_until_readable(&mut poll, &mut events);
        assert_eq!(drain(&mut stream), 4);
    }
}

#[test]
fn a_drained_edge_socket_is_reported_for_each_new_datagram() {
    let (mut poll, mut events) = poll();
    let mut socket = UdpSocket::bind(loopback()).unwrap();
    let sender = net::UdpSocket::bind(loopback()).unwrap();
    poll.registry().register(&mut socket, SOURCE, Interest::READABLE).unwrap();
    for _ in 0..5 {
        sender.send_to(b"datagram", socket.local_addr().unwrap()).unwrap();
        wait_until_readable(&mut poll, &mut events);
        while socket.recv(&mut [0; 16]).is_ok() {}
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_source_that_is_ready_before_it_is_registered_is_reported() {
    let (mut poll, mut events) = poll();
    let (mut stream, peer) = stream_and_peer();
    send(&peer, &stream, b"early");
    poll.registry().register(&mut stream, SOURCE, Interest::READABLE).unwrap();
    wait_until_readable(&mut poll, &mut events);
}

#[test]
fn a_ready_edge_source_is_reported_again_after_reregistering() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    peer.write_all(b"still here").unwrap();
    wait_until_readable(&mut poll, &mut events);
    for _ in 0..3 {
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE).unwrap();
        wait_until_readable(&mut poll, &mut events);
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn an_idle_source_is_not_reported_while_another_source_is_busy() {
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

// Level mode.

#[test]
fn a_level_source_is_reported_by_every_poll_until_it_is_drained() {
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(Interest::READABLE.level());
    send(&peer, &stream, b"abc");
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
fn a_level_source_is_reported_by_polls_with_a_timeout_of_zero() {
    let (mut poll, mut events, stream, peer) = poll_and_stream(Interest::READABLE.level());
    send(&peer, &stream, b"abc");
    wait_until_readable(&mut poll, &mut events);
    for _ in 0..3 {
        poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
    }
}

#[test]
fn a_level_stream_is_reported_as_writable_until_its_send_buffer_is_full() {
    let (mut poll, mut events, mut stream, _peer) = poll_and_stream(Interest::WRITABLE.level());
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    fill(&mut stream, &mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_closed_level_stream_is_reported_by_every_poll() {
    let (mut poll, mut events, _stream, peer) = poll_and_stream(Interest::READABLE.level());
    drop(peer);
    for _ in 0..3 {
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_read_closed());
    }
}

// Oneshot mode.

#[test]
fn a_oneshot_source_is_not_reported_again_until_it_is_reregistered() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE.oneshot());
    for _ in 0..3 {
        peer.write_all(b"a").unwrap();
        wait_until_readable(&mut poll, &mut events);
        drain(&mut stream);
        send(&peer, &stream, b"b");
        expect_no_event(&mut poll, &mut events);
        drain(&mut stream);
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.oneshot()).unwrap();
    }
}

#[test]
fn a_ready_oneshot_source_is_reported_again_after_reregistering() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE.oneshot());
    peer.write_all(b"still here").unwrap();
    for _ in 0..3 {
        wait_until_readable(&mut poll, &mut events);
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.oneshot()).unwrap();
    }
    wait_until_readable(&mut poll, &mut events);
}

#[test]
fn the_report_of_one_direction_disarms_both_directions_of_a_oneshot_source() {
    let (mut poll, mut events, stream, peer) = poll_and_stream(BOTH.oneshot());
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    send(&peer, &stream, b"unreported");
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn two_directions_that_are_ready_at_once_are_reported_by_one_poll_in_oneshot_mode() {
    let (mut poll, mut events) = poll();
    let (mut stream, peer) = stream_and_peer();
    send(&peer, &stream, b"both");
    poll.registry().register(&mut stream, SOURCE, BOTH.oneshot()).unwrap();
    let batch = next_batch(&mut poll, &mut events);
    assert!(batch.iter().any(|event| event.is_readable()), "{batch:?}");
    assert!(batch.iter().any(|event| event.is_writable()), "{batch:?}");
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn an_unreported_oneshot_source_stays_armed() {
    let (mut poll, mut events, _stream, mut peer) = poll_and_stream(Interest::READABLE.oneshot());
    expect_no_event(&mut poll, &mut events);
    peer.write_all(b"late").unwrap();
    wait_until_readable(&mut poll, &mut events);
}

#[test]
fn the_close_of_a_peer_is_not_reported_by_a_disarmed_oneshot_source() {
    let (mut poll, mut events, _stream, mut peer) = poll_and_stream(Interest::READABLE.oneshot());
    peer.write_all(b"bye").unwrap();
    wait_until_readable(&mut poll, &mut events);
    drop(peer);
    expect_no_event(&mut poll, &mut events);
}

// Changing the mode or the readiness.

#[test]
fn reregistering_changes_the_mode() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    peer.write_all(b"here to stay").unwrap();
    wait_until_readable(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);

    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.level()).unwrap();
    for _ in 0..3 {
        wait_until_readable(&mut poll, &mut events);
    }
    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.oneshot()).unwrap();
    wait_until_readable(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE.edge()).unwrap();
    wait_until_readable(&mut poll, &mut events);
    expect_no_event(&mut poll, &mut events);
    drain(&mut stream);
    send(&peer, &stream, b"!");
    wait_until_readable(&mut poll, &mut events);
}

#[test]
fn a_source_that_is_ready_when_it_is_reregistered_is_reported_by_the_next_poll_even_with_a_timeout_of_zero() {
    let (mut poll, mut events, mut stream, _peer) = poll_and_stream(Interest::READABLE);
    for timeout in [std::time::Duration::ZERO, std::time::Duration::from_nanos(1)] {
        // On Windows, this poll submits the request for reading, so that reregistering must replace a pending request.
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut stream, SOURCE, BOTH).unwrap();
        poll.poll(&mut events, Some(timeout)).unwrap();
        assert!(events.iter().any(|event| event.is_writable()), "{timeout:?}: {events:?}");
        poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE).unwrap();
    }
}

#[test]
fn reregistering_changes_the_direction() {
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(Interest::WRITABLE);
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    poll.registry().reregister(&mut stream, SOURCE, Interest::READABLE).unwrap();
    expect_no_event(&mut poll, &mut events);
    send(&peer, &stream, b"data");
    let event = wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    assert!(!event.is_writable(), "{event:?}");
    poll.registry().reregister(&mut stream, SOURCE, Interest::WRITABLE).unwrap();
    let event = wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    assert!(!event.is_readable(), "{event:?}");
}

/// Checks that `poll` reports a two-way oneshot (a source that is registered for both directions in oneshot mode) only
/// once, although another thread changes the registration just after the report, when the other direction becomes
/// ready.
fn check_that_a_two_way_oneshot_is_reported_once(change: fn(&Registry, &mut TcpStream)) {
    const ROUNDS: usize = 3000;
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let (report_sender, report_receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let (mut stream, mut peer) = stream_and_peer();
        for round in 0..ROUNDS {
            registry.register(&mut stream, Token(round), BOTH.oneshot()).unwrap();
            let reported = report_receiver.recv_timeout(WAIT_LIMIT).expect("the report is missing");
            assert_eq!(reported, round, "this round is reported again");
            peer.write_all(b"x").unwrap();
            change(&registry, &mut stream);
            registry.deregister(&mut stream).unwrap();
            while stream.read(&mut [0]).is_err() {
                thread::yield_now();
            }
        }
    });
    let mut last = None;
    while !thread.is_finished() {
        poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
        let tokens: BTreeSet<_> = events.iter().map(|event| event.token()).filter(|token| *token != OTHER).collect();
        for token in tokens {
            assert_ne!(last, Some(token), "this round is reported again");
            last = Some(token);
            let _thread_panicked = report_sender.send(token.0);
        }
    }
    thread.join().unwrap();
}

/// The token of a changed registration for one direction, which may be reported.
const OTHER: Token = Token(usize::MAX);

#[test]
fn a_reported_two_way_oneshot_is_not_reported_again_while_it_is_deregistered() {
    check_that_a_two_way_oneshot_is_reported_once(|_, _| ());
}

#[test]
fn a_reported_two_way_oneshot_is_not_reported_again_while_it_is_reregistered_for_one_direction() {
    check_that_a_two_way_oneshot_is_reported_once(|registry, stream| {
        registry.reregister(stream, OTHER, WRITE.oneshot()).unwrap();
    });
}

#[test]
fn a_two_way_oneshot_that_becomes_edge_while_a_poll_is_blocked_is_reported_by_that_poll() {
    for round in 0..40 {
        let (mut poll, mut events) = poll();
        let registry = poll.registry().try_clone().unwrap();
        let (mut stream, mut peer) = stream_and_peer();
        registry.register(&mut stream, Token(1), BOTH.oneshot()).unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events)[0], Token(1));
        let thread = thread::spawn(move || {
            let tokens = next_tokens(&mut poll, &mut events);
            (poll, tokens)
        });
        // In some rounds the poll is blocked already, in others not yet.
        (0..round * 20).for_each(|_| thread::yield_now());
        registry.reregister(&mut stream, Token(2), READ).unwrap();
        peer.write_all(b"x").unwrap();
        let (_poll, tokens) = thread.join().unwrap();
        assert_eq!(tokens, [Token(2)]);
    }
}
