//! The predicates of an event: a test for each row of the truth table in the documentation of `Event`. The tests of the
//! rows about pipes are in `events_unix.rs`, that of the row about an out-of-band byte is in `priority.rs`, and that of
//! the row about Unix streams is in `unix_sockets.rs`.

use std::io::{ErrorKind, Read, Write};
use std::net::{self, Shutdown, TcpListener as StdListener};

use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Events, Poll, Timer, Waker};

use crate::support::*;

struct RowChecker {
    poll: Poll,
    events: Events,
}

impl RowChecker {
    fn new() -> RowChecker {
        let (poll, events) = poll();
        RowChecker { poll, events }
    }

    /// Returns a registered stream and its peer. The first event, that the stream is writable, has been reported.
    fn stream(&mut self) -> (TcpStream, net::TcpStream) {
        let pair = registered_stream(&self.poll, SOURCE, BOTH);
        wait_for(&mut self.poll, &mut self.events, SOURCE, |event| event.is_writable());
        expect_no_event(&mut self.poll, &mut self.events);
        pair
    }

    fn check(&mut self, happened: &str) {
        truth_table::check(&mut self.poll, &mut self.events, SOURCE, happened);
    }
}

#[test]
fn every_row_of_the_truth_table_has_a_test() {
    let source = [
        include_str!("events.rs"),
        include_str!("events_unix.rs"),
        include_str!("priority.rs"),
        include_str!("unix_sockets.rs"),
    ]
    .concat();
    for (happened, _) in truth_table::rows() {
        assert!(source.contains(&format!("check(\"{happened}\")")), "no test checks {happened:?}");
    }
}

#[test]
fn data_makes_a_stream_readable() {
    let mut checker = RowChecker::new();
    let (_stream, mut peer) = checker.stream();
    peer.write_all(b"data").unwrap();
    checker.check("data arrived");
}

#[test]
fn a_stream_is_read_closed_when_its_peer_has_shut_down_writing() {
    let mut checker = RowChecker::new();
    let (_stream, peer) = checker.stream();
    peer.shutdown(Shutdown::Write).unwrap();
    checker.check("the peer shut down writing");
}

#[test]
fn data_before_the_end_of_a_stream_is_readable_and_read_closed() {
    let mut checker = RowChecker::new();
    let (mut stream, mut peer) = checker.stream();
    peer.write_all(b"last words").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    wait_for(&mut checker.poll, &mut checker.events, SOURCE, |event| {
        assert!(event.is_readable(), "{event:?}");
        if !system::end_is_reported_before_unread_data() {
            let _would_block = stream.read_to_end(&mut received);
        }
        event.is_read_closed()
    });
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"last words");
}

#[test]
fn a_reset_closes_both_directions_and_is_an_error() {
    let mut checker = RowChecker::new();
    let (mut stream, peer) = checker.stream();
    reset::close_with_reset(peer);
    checker.check("the peer reset the connection");
    let error = stream.take_error().unwrap();
    assert!(error.is_some() || !system::TAKE_ERROR_CLEARS);
    let error = error.unwrap_or_else(|| stream.read(&mut [0]).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_is_reported_while_earlier_bytes_are_unread() {
    let mut checker = RowChecker::new();
    let (_stream, mut peer) = checker.stream();
    peer.write_all(b"unread").unwrap();
    wait_for(&mut checker.poll, &mut checker.events, SOURCE, |event| event.is_readable());
    reset::close_with_reset(peer);
    wait_for(&mut checker.poll, &mut checker.events, SOURCE, |event| event.is_error());
}

#[test]
fn shutting_down_reading_does_not_close_writing() {
    let mut checker = RowChecker::new();
    let (stream, _peer) = checker.stream();
    stream.shutdown(Shutdown::Read).unwrap();
    checker.check("local `shutdown(Read)`");
}

#[test]
fn shutting_down_writing_does_not_close_reading() {
    let mut checker = RowChecker::new();
    let (stream, _peer) = checker.stream();
    stream.shutdown(Shutdown::Write).unwrap();
    checker.check("local `shutdown(Write)`");
}

#[test]
fn a_connection_whose_ends_have_both_shut_down_writing_is_closed_in_both_directions() {
    let mut checker = RowChecker::new();
    let (stream, peer) = checker.stream();
    stream.shutdown(Shutdown::Write).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    checker.check("both ends have shut down writing");
}

#[test]
fn an_established_connection_is_writable() {
    let mut checker = RowChecker::new();
    let listener = StdListener::bind(loopback()).unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    checker.poll.registry().register(&mut stream, SOURCE, BOTH).unwrap();
    checker.check("a connection was made");
    assert!(stream.take_error().unwrap().is_none());
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[test]
fn a_refused_connection_is_an_error() {
    let mut checker = RowChecker::new();
    let closed_port = closed_port();
    let mut stream = TcpStream::connect(closed_port).unwrap();
    checker.poll.registry().register(&mut stream, SOURCE, BOTH).unwrap();
    checker.check("a connection was refused");
    assert_eq!(stream.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_connection_makes_a_listener_readable() {
    let mut checker = RowChecker::new();
    let mut listener = TcpListener::bind(loopback()).unwrap();
    checker.poll.registry().register(&mut listener, SOURCE, BOTH).unwrap();
    expect_no_event(&mut checker.poll, &mut checker.events);
    let _peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    checker.check("a listener has a connection");
}

#[test]
fn a_datagram_makes_a_socket_readable() {
    let mut checker = RowChecker::new();
    let mut socket = UdpSocket::bind(loopback()).unwrap();
    checker.poll.registry().register(&mut socket, SOURCE, BOTH).unwrap();
    wait_for(&mut checker.poll, &mut checker.events, SOURCE, |event| event.is_writable());
    let sender = net::UdpSocket::bind(loopback()).unwrap();
    sender.send_to(b"ping", socket.local_addr().unwrap()).unwrap();
    checker.check("a datagram arrived");
}

#[test]
fn a_refused_datagram_makes_its_sender_readable_and_the_next_receive_returns_the_error() {
    let mut checker = RowChecker::new();
    let mut socket = socket_with_a_closed_peer();
    checker.poll.registry().register(&mut socket, SOURCE, BOTH).unwrap();
    wait_for(&mut checker.poll, &mut checker.events, SOURCE, |event| event.is_writable());
    socket.send(b"refused").unwrap();
    if system::REFUSED_DATAGRAMS_ARE_REPORTED {
        checker.check("a datagram that the socket sent was refused");
        assert_is_refused(socket.recv(&mut [0]));
    }
    check_next_datagram(&mut checker.poll, &mut checker.events, &socket);
}

#[test]
fn a_refused_datagram_is_reported_to_a_reader_in_every_mode_until_the_error_is_received() {
    for mode in [READ, READ.level(), READ.oneshot()] {
        let (mut poll, mut events) = poll();
        let mut socket = socket_with_a_closed_peer();
        poll.registry().register(&mut socket, SOURCE, mode).unwrap();
        socket.send(b"refused").unwrap();
        if !system::REFUSED_DATAGRAMS_ARE_REPORTED {
            check_next_datagram(&mut poll, &mut events, &socket);
            continue;
        }
        for _ in 0..if mode.is_level() { 3 } else { 1 } {
            let batch = next_batch(&mut poll, &mut events);
            assert!(batch.iter().all(|event| event.token() == SOURCE && event.is_readable()), "{mode:?}: {batch:?}");
        }
        assert_is_refused(socket.recv(&mut [0]));
        expect_no_event(&mut poll, &mut events);
    }
}

/// Returns a datagram socket whose peer's port is closed.
fn socket_with_a_closed_peer() -> UdpSocket {
    let peer = net::UdpSocket::bind(loopback()).unwrap();
    let socket = UdpSocket::bind(loopback()).unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    socket
}

/// Opens the peer's port again, sends a datagram from it, and checks that the datagram is reported. Events and errors
/// of earlier datagrams may precede the report.
fn check_next_datagram(poll: &mut Poll, events: &mut Events, socket: &UdpSocket) {
    let peer = net::UdpSocket::bind(socket.peer_addr().unwrap()).unwrap();
    peer.send_to(b"!", socket.local_addr().unwrap()).unwrap();
    let mut buf = [0];
    while !matches!(socket.recv(&mut buf), Ok(1)) {
        next_batch(poll, events);
    }
    assert_eq!(&buf, b"!");
}

/// Checks the error that follows a refused datagram. Windows reports it as a reset.
fn assert_is_refused(result: std::io::Result<usize>) {
    let kind = result.unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset), "{kind}");
}

#[test]
fn the_event_of_a_waker_is_only_readable() {
    let mut checker = RowChecker::new();
    let waker = Waker::new(checker.poll.registry(), SOURCE).unwrap();
    waker.wake().unwrap();
    checker.check("`wake` was called on a waker, a timer is due");
}

#[test]
fn the_event_of_a_timer_is_only_readable() {
    let mut checker = RowChecker::new();
    let mut timer = Timer::new();
    checker.poll.registry().register(&mut timer, SOURCE, BOTH).unwrap();
    timer.set(std::time::Duration::ZERO).unwrap();
    checker.check("`wake` was called on a waker, a timer is due");
}

#[test]
fn the_event_of_arrived_data_sets_neither_priority_nor_aio_nor_lio() {
    let mut checker = RowChecker::new();
    let (_stream, mut peer) = checker.stream();
    peer.write_all(b"data").unwrap();
    let event = wait_for(&mut checker.poll, &mut checker.events, SOURCE, |event| event.is_readable());
    assert!(!event.is_priority() && !event.is_aio() && !event.is_lio());
}
