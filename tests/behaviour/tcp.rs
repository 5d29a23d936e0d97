//! TCP streams and listeners over loopback.

use std::collections::HashSet;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use minimio::net::{TcpListener, TcpStream};
use minimio::{Event, Events, Interest, Poll, Token};

use crate::support::*;

const LISTENER: Token = Token(1);
const STREAM: Token = Token(2);

fn registered_listener(poll: &Poll, token: Token) -> (TcpListener, SocketAddr) {
    let mut listener = TcpListener::bind(loopback()).unwrap();
    poll.registry().register(&mut listener, token, Interest::READABLE).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// As `support::poll_and_stream`, with the token `STREAM` instead of `SOURCE`.
fn poll_and_stream(interest: Interest) -> (Poll, Events, TcpStream, net::TcpStream) {
    let (poll, events) = poll();
    let (stream, peer) = registered_stream(&poll, STREAM, interest);
    (poll, events, stream, peer)
}

fn poll_and_listener() -> (Poll, Events, TcpListener, SocketAddr) {
    let (poll, events) = poll();
    let (listener, addr) = registered_listener(&poll, LISTENER);
    (poll, events, listener, addr)
}

/// Accepts `count` connections, and waits for an event whenever `accept` would block.
fn accept_all(
    poll: &mut Poll,
    events: &mut Events,
    listener: &TcpListener,
    count: usize,
) -> Vec<(TcpStream, SocketAddr)> {
    let mut accepted = Vec::new();
    while accepted.len() < count {
        match listener.accept() {
            Ok(connection) => accepted.push(connection),
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                wait_for(poll, events, LISTENER, Event::is_readable);
            }
            Err(err) => panic!("accept: {err}"),
        }
    }
    accepted
}

/// Reads `len` bytes, and waits for an event of `token` whenever the read would block.
fn read_exactly(poll: &mut Poll, events: &mut Events, mut stream: &TcpStream, token: Token, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => panic!("the stream ended after {filled} of {len} bytes"),
            Ok(count) => filled += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                wait_for(poll, events, token, Event::is_readable);
            }
            Err(err) => panic!("read: {err}"),
        }
    }
    bytes
}

/// Runs, on a thread of its own, an operation that must not block. If the operation blocks, the test fails.
fn without_blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(what()));
    receiver.recv_timeout(WAIT_LIMIT).expect("the operation blocked")
}

/// Bytes with a prime period, so that a swapped, lost or doubled piece differs from the expected piece.
struct Pattern(Vec<u8>);

const PERIOD: usize = 65_521;
const CHUNK: usize = 64 * 1024;

impl Pattern {
    fn new() -> Pattern {
        let mut state = 1u32;
        let once: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(PERIOD)
        .collect();
        Pattern(once.iter().cycle().take(PERIOD + CHUNK).copied().collect())
    }

    /// Returns the bytes from `position` up to `end`, at most `CHUNK` of them.
    fn at(&self, position: usize, end: usize) -> &[u8] {
        &self.0[position % PERIOD..][..CHUNK.min(end - position)]
    }

    fn check(&self, position: usize, bytes: &[u8]) {
        // `assert_eq!` would print all of them.
        assert!(bytes == self.at(position, position + bytes.len()), "wrong bytes at {position}");
    }

    fn read_all(&self, mut stream: &net::TcpStream, len: usize) {
        let mut buf = vec![0; CHUNK];
        let mut position = 0;
        while position < len {
            let count = stream.read(&mut buf).unwrap();
            assert_ne!(count, 0, "the stream ended after {position} of {len} bytes");
            self.check(position, &buf[..count]);
            position += count;
        }
    }

    fn write_all(&self, mut stream: &net::TcpStream, len: usize) {
        let mut position = 0;
        while position < len {
            position += stream.write(self.at(position, len)).unwrap();
        }
    }
}

// Connecting.

#[test]
fn connect_returns_immediately_and_a_writable_event_reports_the_connection() {
    let (mut poll, mut events) = poll();
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();

    let mut stream = TcpStream::connect(addr).unwrap();
    poll.registry().register(&mut stream, STREAM, Interest::WRITABLE).unwrap();
    wait_for(&mut poll, &mut events, STREAM, |event| {
        event.is_writable() && stream.take_error().unwrap().is_none() && stream.peer_addr().is_ok()
    });

    assert_eq!(stream.peer_addr().unwrap(), addr);
    let (_, client) = listener.accept().unwrap();
    assert_eq!(stream.local_addr().unwrap(), client);
}

#[test]
fn a_refused_connect_is_reported_by_a_writable_event_and_take_error() {
    let (mut poll, mut events) = poll();
    let closed_port = closed_port();

    let mut stream = match TcpStream::connect(closed_port) {
        Ok(stream) => stream,
        // Some systems refuse the connection inside `connect`.
        Err(err) => return assert_eq!(err.kind(), ErrorKind::ConnectionRefused),
    };
    poll.registry().register(&mut stream, STREAM, Interest::WRITABLE).unwrap();
    let event = wait_for(&mut poll, &mut events, STREAM, Event::is_writable);

    assert!(event.is_error(), "{event:?}");
    assert_eq!(kind(stream.peer_addr()), system::NO_PEER_ERROR);
    let refusal = stream.take_error().unwrap().expect("the socket keeps the refusal until `take_error`");
    assert_eq!(refusal.kind(), ErrorKind::ConnectionRefused);
    let again = stream.take_error().unwrap();
    assert!(again.is_none() || !system::TAKE_ERROR_CLEARS, "`take_error` did not clear the error");
    assert_eq!(kind(stream.shutdown(Shutdown::Both)), system::NO_SHUTDOWN_ERROR);
    assert!(stream.write(b"x").is_err());
}

#[test]
fn the_first_write_after_a_refused_connect_fails() {
    let (mut poll, mut events) = poll();
    let closed_port = closed_port();
    let mut stream = match TcpStream::connect(closed_port) {
        Ok(stream) => stream,
        Err(err) => return assert_eq!(err.kind(), ErrorKind::ConnectionRefused),
    };
    poll.registry().register(&mut stream, STREAM, Interest::WRITABLE).unwrap();
    wait_for(&mut poll, &mut events, STREAM, Event::is_writable);

    let failure = kind(stream.write(b"x"));
    assert!(system::FIRST_WRITE_ERRORS.contains(&failure), "{failure:?}");
}

#[test]
fn a_stream_can_be_dropped_while_it_connects() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(addr).unwrap();
        poll.registry().register(&mut stream, STREAM, Interest::READABLE | Interest::WRITABLE).unwrap();
        drop(stream);
    }
    // The listener still accepts another connection, whether or not it accepted the fifty.
    let mut stream = TcpStream::connect(addr).unwrap();
    poll.registry().register(&mut stream, STREAM, Interest::WRITABLE).unwrap();
    let client = stream.local_addr().unwrap();
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        assert!(Instant::now() < end, "the last connection was not accepted");
        match listener.accept() {
            Ok((_, addr)) if addr == client => break,
            Err(err) if err.kind() == ErrorKind::WouldBlock => drop(next_batch(&mut poll, &mut events)),
            _ => {}
        }
    }
}

#[test]
fn both_ends_of_a_connection_never_block() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    let mut connected = TcpStream::connect(addr).unwrap();
    let (mut accepted, from) = accept_all(&mut poll, &mut events, &listener, 1).pop().unwrap();

    assert_eq!(from, connected.local_addr().unwrap());
    assert_eq!(accepted.peer_addr().unwrap(), from);
    assert_eq!(accepted.local_addr().unwrap(), addr);
    poll.registry().register(&mut connected, STREAM, Interest::WRITABLE).unwrap();
    wait_for(&mut poll, &mut events, STREAM, Event::is_writable);
    let failures = without_blocking(move || [connected.read(&mut [0; 8]), accepted.read(&mut [0; 8])].map(kind));
    assert_eq!(failures, [ErrorKind::WouldBlock; 2]);
}

// Addresses.

#[test]
fn a_connection_over_ipv6_has_ipv6_addresses_and_passes_data() {
    let loopback_addr = match loopback_v6() {
        Some(loopback_addr) => loopback_addr,
        None => return,
    };
    let (mut poll, mut events) = poll();
    let mut listener = TcpListener::bind(loopback_addr).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    let addr = listener.local_addr().unwrap();
    assert!(addr.is_ipv6() && addr.ip().is_loopback() && addr.port() != 0, "{addr}");

    let mut stream = TcpStream::connect(addr).unwrap();
    poll.registry().register(&mut stream, STREAM, Interest::READABLE).unwrap();
    let (mut accepted, from) = accept_all(&mut poll, &mut events, &listener, 1).pop().unwrap();
    assert_eq!(from, stream.local_addr().unwrap());
    assert_eq!(accepted.peer_addr().unwrap(), from);
    assert_eq!(stream.peer_addr().unwrap(), addr);

    assert_eq!(accepted.write(b"over IPv6").unwrap(), 9);
    assert_eq!(read_exactly(&mut poll, &mut events, &stream, STREAM, 9), b"over IPv6");
}

#[test]
fn accept_returns_the_address_and_port_of_each_peer() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    // Among twenty ports, some have two different bytes. For these, an error in the byte order changes the port.
    let clients: Vec<_> = (0..20).map(|_| net::TcpStream::connect(addr).unwrap()).collect();
    let accepted = accept_all(&mut poll, &mut events, &listener, clients.len());

    let ours: HashSet<SocketAddr> = accepted.iter().map(|(_, from)| *from).collect();
    let theirs: HashSet<SocketAddr> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
    assert_eq!(ours, theirs);
    for (stream, from) in &accepted {
        assert_eq!(stream.peer_addr().unwrap(), *from);
    }
}

#[test]
fn an_address_in_use_is_refused() {
    let listener = TcpListener::bind(loopback()).unwrap();
    assert_eq!(kind(TcpListener::bind(listener.local_addr().unwrap())), ErrorKind::AddrInUse);
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // RFC 5737 reserves this network for documentation. `bind` sends no packet.
    assert_eq!(kind(TcpListener::bind("203.0.113.1:0".parse().unwrap())), ErrorKind::AddrNotAvailable);
}

#[test]
fn the_address_of_closed_connections_can_be_bound_again_immediately() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    let mut client = net::TcpStream::connect(addr).unwrap();
    client.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
    let accepted = accept_all(&mut poll, &mut events, &listener, 1);
    // The port of the side that closes first stays in TIME_WAIT.
    drop(accepted);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    drop(listener);
    assert_eq!(TcpListener::bind(addr).unwrap().local_addr().unwrap(), addr);
}

// Options.

#[test]
fn options_keep_the_values_that_were_set() {
    let (stream, _peer) = stream_and_peer();
    for nodelay in [true, false, true] {
        stream.set_nodelay(nodelay).unwrap();
        assert_eq!(stream.nodelay().unwrap(), nodelay);
    }
    for ttl in [1, 61, 255] {
        stream.set_ttl(ttl).unwrap();
        assert_eq!(stream.ttl().unwrap(), ttl);
    }
    assert!(stream.take_error().unwrap().is_none());

    let listener = TcpListener::bind(loopback()).unwrap();
    for ttl in [1, 61, 255] {
        listener.set_ttl(ttl).unwrap();
        assert_eq!(listener.ttl().unwrap(), ttl);
    }
    assert!(listener.take_error().unwrap().is_none());
}

#[test]
fn debug_output_contains_the_addresses() {
    let (stream, _peer) = stream_and_peer();
    let shown = format!("{stream:?}");
    assert!(shown.starts_with("TcpStream"), "{shown}");
    assert!(shown.contains(&stream.local_addr().unwrap().to_string()), "{shown}");
    assert!(shown.contains(&stream.peer_addr().unwrap().to_string()), "{shown}");

    let listener = TcpListener::bind(loopback()).unwrap();
    let shown = format!("{listener:?}");
    assert!(shown.starts_with("TcpListener"), "{shown}");
    assert!(shown.contains(&listener.local_addr().unwrap().to_string()), "{shown}");
}

// Conversions to the standard library and back.

#[test]
fn a_stream_converted_to_std_and_back_stays_non_blocking() {
    let (stream, mut peer) = stream_and_peer();
    let addrs = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    let mut std = net::TcpStream::from(stream);
    assert_eq!((std.local_addr().unwrap(), std.peer_addr().unwrap()), addrs);
    let (failure, std) = without_blocking(move || (kind(std.read(&mut [0; 8])), std));
    assert_eq!(failure, ErrorKind::WouldBlock);

    // The conversion back keeps the bytes that have arrived or are in transit.
    peer.write_all(b"kept").unwrap();
    let (mut poll, mut events) = poll();
    let mut stream = TcpStream::from_std(std);
    poll.registry().register(&mut stream, STREAM, Interest::READABLE).unwrap();
    assert_eq!(read_exactly(&mut poll, &mut events, &stream, STREAM, 4), b"kept");
}

#[test]
fn a_listener_converted_to_std_and_back_stays_non_blocking() {
    let (mut poll, mut events) = poll();
    let listener = TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    let std = net::TcpListener::from(listener);
    assert_eq!(std.local_addr().unwrap(), addr);
    let (failure, std) = without_blocking(move || (kind(std.accept()), std));
    assert_eq!(failure, ErrorKind::WouldBlock);

    let mut listener = TcpListener::from_std(std);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    let client = net::TcpStream::connect(addr).unwrap();
    let (mut stream, from) = accept_all(&mut poll, &mut events, &listener, 1).pop().unwrap();
    assert_eq!(from, client.local_addr().unwrap());
    // A stream accepted by the converted listener is non-blocking too.
    assert_eq!(without_blocking(move || kind(stream.read(&mut [0; 8]))), ErrorKind::WouldBlock);
}

// Reading and writing.

#[test]
fn the_type_and_its_reference_read_and_write_alike() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    let mut buf = [0; 16];

    assert_eq!(stream.write(b"one ").unwrap(), 4);
    assert_eq!((&stream).write(b"two ").unwrap(), 4);
    let pieces = [IoSlice::new(b"th"), IoSlice::new(b"ree ")];
    assert_eq!(stream.write_vectored(&pieces).unwrap(), 6);
    assert_eq!((&stream).write_vectored(&pieces).unwrap(), 6);
    stream.flush().unwrap();
    (&stream).flush().unwrap();
    let mut received = [0; 20];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"one two three three ");

    for _ in 0..4 {
        peer.write_all(b"abcdef").unwrap();
    }
    // All bytes have arrived before the first read, so each read is complete.
    let end = Instant::now() + WAIT_LIMIT;
    let mut whole = [0; 64];
    while !matches!(stream.peek(&mut whole), Ok(24)) {
        assert!(Instant::now() < end, "24 bytes did not arrive");
        poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
    }
    assert_eq!(stream.read(&mut buf[..6]).unwrap(), 6);
    assert_eq!(&buf[..6], b"abcdef");
    assert_eq!((&stream).read(&mut buf[..6]).unwrap(), 6);
    assert_eq!(&buf[..6], b"abcdef");
    let (mut left, mut right) = ([0; 2], [0; 4]);
    for by_reference in [false, true] {
        let mut pieces = [IoSliceMut::new(&mut left), IoSliceMut::new(&mut right)];
        let count = match by_reference {
            false => stream.read_vectored(&mut pieces),
            true => (&stream).read_vectored(&mut pieces),
        };
        assert_eq!(count.unwrap(), 6);
        assert_eq!((&left, &right), (b"ab", b"cdef"));
    }
    for result in [stream.read(&mut buf), (&stream).read(&mut buf), stream.peek(&mut buf)] {
        assert_eq!(kind(result), ErrorKind::WouldBlock);
    }
    let mut pieces = [IoSliceMut::new(&mut left), IoSliceMut::new(&mut right)];
    assert_eq!(kind(stream.read_vectored(&mut pieces)), ErrorKind::WouldBlock);
}

#[test]
fn peek_leaves_the_bytes_in_the_stream() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    let mut buf = [0; 16];
    assert_eq!(kind(stream.peek(&mut buf)), ErrorKind::WouldBlock);
    peer.write_all(b"look").unwrap();
    wait_for(&mut poll, &mut events, STREAM, Event::is_readable);

    for _ in 0..3 {
        assert_eq!(stream.peek(&mut buf[..2]).unwrap(), 2);
        assert_eq!(&buf[..2], b"lo");
    }
    assert_eq!(read_exactly(&mut poll, &mut events, &stream, STREAM, 4), b"look");
    assert_eq!(kind(stream.peek(&mut buf)), ErrorKind::WouldBlock);

    // At the end of the stream, `peek` returns 0 and not `WouldBlock`.
    drop(peer);
    wait_for(&mut poll, &mut events, STREAM, Event::is_read_closed);
    assert_eq!(stream.peek(&mut buf).unwrap(), 0);
    assert_eq!(stream.read(&mut buf).unwrap(), 0);
}

#[test]
fn a_vectored_write_with_more_buffers_than_the_system_takes_writes_some_of_them() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::WRITABLE);
    let bytes: Vec<u8> = (0..5000u32).map(|number| (number % 251) as u8).collect();

    let mut written = 0;
    while written < bytes.len() {
        let pieces: Vec<IoSlice<'_>> = bytes[written..].chunks(1).map(IoSlice::new).collect();
        match stream.write_vectored(&pieces) {
            Ok(count) => {
                assert!((1..=pieces.len()).contains(&count), "{count} bytes of {}", pieces.len());
                written += count;
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                wait_for(&mut poll, &mut events, STREAM, Event::is_writable);
            }
            Err(err) => panic!("write_vectored: {err}"),
        }
    }
    let mut received = vec![0; bytes.len()];
    peer.read_exact(&mut received).unwrap();
    assert!(received == bytes);
}

#[test]
fn a_vectored_read_with_more_buffers_than_the_system_takes_fills_some_of_them() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    let bytes: Vec<u8> = (0..5000u32).map(|number| (number % 251) as u8).collect();
    peer.write_all(&bytes).unwrap();

    let mut received = vec![0; bytes.len()];
    let mut filled = 0;
    while filled < received.len() {
        let mut pieces: Vec<IoSliceMut<'_>> = received[filled..].chunks_mut(1).map(IoSliceMut::new).collect();
        match stream.read_vectored(&mut pieces) {
            Ok(0) => panic!("the stream ended after {filled} bytes"),
            Ok(count) => filled += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
            }
            Err(err) => panic!("read_vectored: {err}"),
        }
    }
    assert!(received == bytes);
}

#[test]
fn empty_buffers_are_skipped() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    let pieces = [b"", &b"a"[..], b"", b"bc", b""].map(IoSlice::new);
    assert_eq!(stream.write_vectored(&pieces).unwrap(), 3);
    let mut received = [0; 3];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"abc");

    peer.write_all(b"def").unwrap();
    wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
    let (mut nothing, mut left, mut empty, mut right) = ([], [0; 1], [], [0; 2]);
    let mut filled = 0usize;
    while filled < 3 {
        // If the three bytes arrive in pieces, the next read fills the rest of the buffers.
        let (skip_left, skip_right) = (filled.min(1), filled.saturating_sub(1));
        let mut pieces = [
            IoSliceMut::new(&mut nothing),
            IoSliceMut::new(&mut left[skip_left..]),
            IoSliceMut::new(&mut empty),
            IoSliceMut::new(&mut right[skip_right..]),
        ];
        match stream.read_vectored(&mut pieces) {
            Ok(0) => panic!("the stream ended after {filled} bytes"),
            Ok(count) => filled += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
            }
            Err(err) => panic!("read_vectored: {err}"),
        }
    }
    assert_eq!((&left, &right), (b"d", b"ef"));
}

#[test]
fn an_empty_list_of_buffers_moves_no_byte() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    assert_eq!(stream.write(&[]).unwrap(), 0);
    assert_eq!(stream.write_vectored(&[]).unwrap(), 0);
    assert_eq!(stream.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[])]).unwrap(), 0);

    peer.write_all(b"still here").unwrap();
    wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
    assert_eq!(stream.read(&mut []).unwrap(), 0);
    assert_eq!(stream.peek(&mut []).unwrap(), 0);
    assert_eq!(stream.read_vectored(&mut []).unwrap(), 0);
    assert_eq!(stream.read_vectored(&mut [IoSliceMut::new(&mut [])]).unwrap(), 0);
    assert_eq!(read_exactly(&mut poll, &mut events, &stream, STREAM, 10), b"still here");

    // The peer received none of the empty writes.
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn one_thread_can_read_a_stream_while_another_thread_writes_to_it() {
    const LEN: usize = 4 << 20;
    let pattern = &Pattern::new();
    let (mut poll, mut events, stream, peer) = poll_and_stream(Interest::READABLE | Interest::WRITABLE);
    let (stream, peer) = (&stream, &peer);

    thread::scope(|scope| {
        scope.spawn(move || pattern.write_all(peer, LEN));
        scope.spawn(move || pattern.read_all(peer, LEN));
        scope.spawn(move || {
            // The writing thread gets no events, so it retries in a loop.
            let (mut position, end) = (0, Instant::now() + WAIT_LIMIT);
            while position < LEN {
                match (&*stream).write(pattern.at(position, LEN)) {
                    Ok(count) => position += count,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                    Err(err) => panic!("write: {err}"),
                }
                assert!(Instant::now() < end, "wrote {position} of {LEN} bytes");
            }
        });
        let received = read_exactly(&mut poll, &mut events, stream, STREAM, LEN);
        received.chunks(CHUNK).enumerate().for_each(|(number, chunk)| pattern.check(number * CHUNK, chunk));
    });
}

// Shutting down and closing.

#[test]
fn shutting_down_writing_ends_only_the_peers_reading() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    assert_eq!(stream.write(b"last words").unwrap(), 10);
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    peer.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"last words");
    assert!(stream.write(b"x").is_err());

    peer.write_all(b"answer").unwrap();
    assert_eq!(read_exactly(&mut poll, &mut events, &stream, STREAM, 6), b"answer");
}

#[test]
fn shutting_down_reading_ends_only_reading() {
    let (mut stream, mut peer) = stream_and_peer();
    assert_eq!(kind(stream.read(&mut [0; 8])), ErrorKind::WouldBlock);
    stream.shutdown(Shutdown::Read).unwrap();
    // On Windows, the read returns an error.
    if let Ok(count) = stream.read(&mut [0; 8]) {
        assert_eq!(count, 0);
    } else {
        assert_ne!(kind(stream.read(&mut [0; 8])), ErrorKind::WouldBlock);
    }
    assert_eq!(stream.write(b"still writes").unwrap(), 12);
    let mut received = [0; 12];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"still writes");
}

#[test]
fn shutting_down_both_directions_ends_both() {
    let (mut stream, mut peer) = stream_and_peer();
    stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    assert!(stream.write(b"x").is_err());
    match stream.read(&mut [0; 8]) {
        Ok(count) => assert_eq!(count, 0),
        Err(err) => assert_ne!(err.kind(), ErrorKind::WouldBlock),
    }
}

#[test]
fn dropping_a_stream_ends_the_peers_reading() {
    let (mut poll, mut events, stream, mut peer) = poll_and_stream(Interest::READABLE | Interest::WRITABLE);
    wait_for(&mut poll, &mut events, STREAM, Event::is_writable);
    drop(stream);
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn writing_to_a_peer_that_has_closed_is_an_error() {
    let (mut poll, mut events) = poll();
    let writes: [fn(&TcpStream) -> io::Result<usize>; 2] = [
        |mut stream| stream.write(b"x"),
        |mut stream| stream.write_vectored(&[IoSlice::new(b"x"), IoSlice::new(b"y")]),
    ];
    for write in writes {
        let (mut stream, peer) = registered_stream(&poll, STREAM, Interest::READABLE | Interest::WRITABLE);
        drop(peer);
        wait_for(&mut poll, &mut events, STREAM, Event::is_read_closed);
        // The kernel may accept the first write. Only the reset that answers it shows that the peer has closed.
        let end = Instant::now() + WAIT_LIMIT;
        let failure = loop {
            assert!(Instant::now() < end, "writes to a closed peer still succeed");
            match write(&stream) {
                Ok(_) => thread::yield_now(),
                Err(err) => break err.kind(),
            }
        };
        let reset = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted];
        assert!(reset.contains(&failure), "{failure:?}");
        // Later writes fail as well.
        assert_ne!(kind(write(&stream)), ErrorKind::WouldBlock);
        poll.registry().deregister(&mut stream).unwrap();
    }
}

#[test]
fn a_read_after_a_reset_returns_the_error() {
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(Interest::READABLE);
    reset::close_with_reset(peer);
    let event = wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
    assert!(event.is_read_closed(), "{event:?}");
    assert_eq!(kind(stream.read(&mut [0; 8])), ErrorKind::ConnectionReset);
}

// Full buffers.

/// Writes until the write would block and no writable event follows. Returns the number of bytes written.
fn fill(poll: &mut Poll, events: &mut Events, mut stream: &TcpStream, pattern: &Pattern) -> usize {
    let (mut position, far) = (0, 1 << 30);
    let mut silent = false;
    loop {
        let bytes = pattern.at(position, far);
        let result = if silent { stream.write_vectored(&[IoSlice::new(bytes)]) } else { stream.write(bytes) };
        match result {
            Ok(count) => {
                // The kernel may free some room without a writable event, so write once more.
                silent = false;
                position += count;
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                if silent {
                    return position;
                }
                poll.poll(events, Some(SHORT_WAIT)).unwrap();
                silent = events.is_empty();
            }
            Err(err) => panic!("write: {err}"),
        }
        assert!(position < far, "the peer reads nothing, but the kernel accepted {position} bytes");
    }
}

#[test]
fn a_full_stream_becomes_writable_once_the_peer_has_read() {
    let (mut poll, mut events) = poll();
    let pattern = Pattern::new();
    let (mut stream, peer) = registered_stream(&poll, STREAM, Interest::WRITABLE);
    for _ in 0..2 {
        let len = fill(&mut poll, &mut events, &stream, &pattern);
        pattern.read_all(&peer, len);
        wait_for(&mut poll, &mut events, STREAM, Event::is_writable);
        assert_eq!(stream.write(b"x").unwrap(), 1);
        assert_eq!((&peer).read(&mut [0; 8]).unwrap(), 1);
    }
}

#[test]
fn many_megabytes_leave_whole_and_in_order_through_full_buffers() {
    const LEN: usize = 48 << 20;
    let pattern = &Pattern::new();
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(Interest::WRITABLE);
    let mut position = fill(&mut poll, &mut events, &stream, pattern);
    assert!(position < LEN, "the buffers hold {position} bytes, more than the test has to send");

    thread::scope(|scope| {
        let peer = &peer;
        scope.spawn(move || pattern.read_all(peer, LEN));
        let mut vectored = false;
        while position < LEN {
            let bytes = pattern.at(position, LEN);
            vectored = !vectored;
            let result = if vectored {
                let (left, right) = bytes.split_at(bytes.len() / 3);
                stream.write_vectored(&[IoSlice::new(left), IoSlice::new(right)])
            } else {
                stream.write(bytes)
            };
            match result {
                Ok(count) => position += count,
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    wait_for(&mut poll, &mut events, STREAM, Event::is_writable);
                }
                Err(err) => panic!("write: {err}"),
            }
        }
    });
}

#[test]
fn many_megabytes_arrive_whole_and_in_order() {
    const LEN: usize = 48 << 20;
    let pattern = &Pattern::new();
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(Interest::READABLE);
    thread::scope(|scope| {
        let peer = &peer;
        scope.spawn(move || {
            pattern.write_all(peer, LEN);
            peer.shutdown(Shutdown::Write).unwrap();
        });
        let mut buf = vec![0; CHUNK];
        let mut position = 0;
        loop {
            match stream.read(&mut buf) {
                Ok(0) => break,
                Ok(count) => {
                    pattern.check(position, &buf[..count]);
                    position += count;
                }
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
                }
                Err(err) => panic!("read: {err}"),
            }
        }
        assert_eq!(position, LEN);
    });
}

#[test]
fn an_echo_passes_megabytes_both_ways_through_one_edge_registration() {
    const LEN: usize = 24 << 20;
    let pattern = &Pattern::new();
    let (mut poll, mut events, mut stream, peer) = poll_and_stream(Interest::READABLE | Interest::WRITABLE);
    let peer = &peer;
    thread::scope(|scope| {
        // Where a half-closed stream loses no data, the peer shuts down writing while the echo is still being written.
        let ends_early = system::half_closed_streams_lose_nothing();
        scope.spawn(move || {
            pattern.write_all(peer, LEN);
            if ends_early {
                peer.shutdown(Shutdown::Write).unwrap();
            }
        });
        scope.spawn(move || {
            pattern.read_all(peer, LEN);
            if !ends_early {
                peer.shutdown(Shutdown::Write).unwrap();
            }
        });

        // While a buffer waits to be written, the echo reads nothing, so both directions fill up, one after the other.
        let mut buf = vec![0; 200_000];
        let (mut filled, mut echoed) = (0, 0);
        let mut ended = false;
        while !ended || echoed < filled {
            let result = if echoed < filled {
                stream.write(&buf[echoed..filled]).map(|count| echoed += count)
            } else {
                stream.read(&mut buf).map(|count| {
                    (filled, echoed) = (count, 0);
                    ended = count == 0;
                })
            };
            match result {
                Ok(()) => {}
                Err(err) if err.kind() == ErrorKind::WouldBlock => drop(next_batch(&mut poll, &mut events)),
                Err(err) => panic!("echo: {err}"),
            }
        }
    });
}

// Edges.

#[test]
fn an_edge_is_reported_once() {
    let (mut poll, mut events, _stream, mut peer) = poll_and_stream(Interest::READABLE);
    let (_listener, addr) = registered_listener(&poll, LISTENER);
    peer.write_all(b"news").unwrap();
    wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
    expect_no_event(&mut poll, &mut events);

    let _client = net::TcpStream::connect(addr).unwrap();
    wait_for(&mut poll, &mut events, LISTENER, Event::is_readable);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_read_that_leaves_part_of_its_buffer_empty_may_be_the_last_read_of_an_event() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    let mut buf = [0; 4096];
    for round in 0..500 {
        let message = vec![round as u8; 1 + round];
        peer.write_all(&message).unwrap();
        let mut filled = 0;
        while filled < message.len() {
            // A message may arrive in pieces, each with an event; but the test never reads until `WouldBlock`.
            let event = wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
            assert!(!event.is_read_closed(), "{event:?}");
            filled += stream.read(&mut buf).unwrap();
        }
        assert_eq!(filled, message.len());
    }
    // The end of the stream has an event of its own; after it, the test reads until 0.
    drop(peer);
    wait_for(&mut poll, &mut events, STREAM, |event| event.is_readable() && event.is_read_closed());
    assert_eq!(stream.read(&mut buf).unwrap(), 0);
}

#[test]
fn a_program_that_reads_once_per_event_gets_an_event_when_more_data_arrives() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(Interest::READABLE);
    peer.set_nodelay(true).unwrap();
    let mut byte = [0; 1];
    for _ in 0..200 {
        // Two more bytes arrive and one is read, so unread data always remains.
        peer.write_all(b"..").unwrap();
        wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
    }
}

#[test]
fn an_operation_run_by_try_io_rearms_the_edges() {
    let (mut poll, mut events) = poll();
    let (stream, mut peer) = stream_and_peer();
    let std = net::TcpStream::from(stream);
    std.set_nonblocking(true).unwrap();
    let mut duplicate = std.try_clone().unwrap();
    let mut stream = TcpStream::from_std(std);
    poll.registry().register(&mut stream, STREAM, Interest::READABLE).unwrap();

    let mut buf = [0; 64];
    for _ in 0..50 {
        peer.write_all(b"message").unwrap();
        let mut received = 0;
        while received < 7 {
            wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
            // The crate sees only the results of these reads.
            loop {
                match stream.try_io(|| duplicate.read(&mut buf)) {
                    Ok(count) => received += count,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => panic!("try_io: {err}"),
                }
            }
        }
        assert_eq!(received, 7);
    }
    poll.registry().deregister(&mut stream).unwrap();
}

#[test]
fn a_write_run_by_try_io_that_would_block_gets_a_writable_event_later() {
    let (mut poll, mut events) = poll();
    let (stream, mut peer) = stream_and_peer();
    let std = net::TcpStream::from(stream);
    std.set_nonblocking(true).unwrap();
    let mut duplicate = std.try_clone().unwrap();
    let mut stream = TcpStream::from_std(std);
    poll.registry().register(&mut stream, STREAM, Interest::READABLE | Interest::WRITABLE).unwrap();
    wait_for(&mut poll, &mut events, STREAM, Event::is_writable);

    for _ in 0..3 {
        // Before the writes, the last event of the stream is a readable one.
        peer.write_all(b"question").unwrap();
        wait_for(&mut poll, &mut events, STREAM, Event::is_readable);
        read_exactly(&mut poll, &mut events, &stream, STREAM, 8);
        let mut sent = 0;
        while let Ok(count) = stream.try_io(|| duplicate.write(&[7; 4096])) {
            sent += count;
        }
        peer.read_exact(&mut vec![0; sent]).unwrap();
        wait_for(&mut poll, &mut events, STREAM, Event::is_writable);
    }
    poll.registry().deregister(&mut stream).unwrap();
}

#[test]
fn try_io_returns_the_result_of_the_operation() {
    let (stream, _peer) = stream_and_peer();
    assert_eq!(stream.try_io(|| Ok("value")).unwrap(), "value");
    assert_eq!(kind(stream.try_io(|| Err::<(), _>(ErrorKind::WouldBlock.into()))), ErrorKind::WouldBlock);
    let failure = stream.try_io(|| Err::<(), _>(io::Error::new(ErrorKind::Other, "its own words")));
    assert_eq!(failure.unwrap_err().to_string(), "its own words");
}

// Listening.

#[test]
fn accept_without_a_connection_would_block() {
    for _ in 0..3 {
        let listener = TcpListener::bind(loopback()).unwrap();
        assert_eq!(without_blocking(move || kind(listener.accept())), ErrorKind::WouldBlock);
    }
}

#[test]
fn after_accept_would_block_the_next_connection_is_a_new_event() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    for round in 1..=10 {
        let clients: Vec<_> = (0..round).map(|_| net::TcpStream::connect(addr).unwrap()).collect();
        wait_for(&mut poll, &mut events, LISTENER, Event::is_readable);
        let accepted = accept_all(&mut poll, &mut events, &listener, clients.len());
        assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
        let ours: HashSet<SocketAddr> = accepted.iter().map(|(_, from)| *from).collect();
        assert!(clients.iter().all(|client| ours.contains(&client.local_addr().unwrap())));
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_listener_that_was_not_drained_reports_the_next_connection() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    let mut clients = Vec::new();
    let mut accepted = Vec::new();
    for _ in 0..20 {
        // Two more connections arrive and one is accepted, so connections always wait.
        clients.push(net::TcpStream::connect(addr).unwrap());
        clients.push(net::TcpStream::connect(addr).unwrap());
        wait_for(&mut poll, &mut events, LISTENER, Event::is_readable);
        accepted.push(listener.accept().unwrap());
    }
    accepted.extend(accept_all(&mut poll, &mut events, &listener, 20));
    assert_eq!(accepted.len(), clients.len());
}

/// Needs more than a thousand descriptors, where so many connections can wait.
#[test]
fn many_waiting_connections_are_all_accepted() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    let count = system::max_backlog().min(1000);
    let clients: Vec<TcpStream> = (0..count).map(|_| TcpStream::connect(addr).unwrap()).collect();

    let mut waiting: HashSet<SocketAddr> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
    while !waiting.is_empty() {
        for (_, from) in accept_all(&mut poll, &mut events, &listener, 1) {
            assert!(waiting.remove(&from), "accepted {from}, which no client of this test has");
        }
    }
    assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
}

#[test]
fn data_sent_before_accept_is_read_after_it() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    let mut client = net::TcpStream::connect(addr).unwrap();
    client.write_all(b"in advance").unwrap();
    drop(client);

    let (mut stream, _) = accept_all(&mut poll, &mut events, &listener, 1).pop().unwrap();
    poll.registry().register(&mut stream, STREAM, Interest::READABLE).unwrap();
    assert_eq!(read_exactly(&mut poll, &mut events, &stream, STREAM, 10), b"in advance");
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        assert!(Instant::now() < end, "the end of the stream was not reported");
        match stream.read(&mut [0; 8]) {
            Ok(count) => break assert_eq!(count, 0),
            Err(err) if err.kind() == ErrorKind::WouldBlock => drop(next_batch(&mut poll, &mut events)),
            Err(err) => panic!("read: {err}"),
        }
    }
}

#[test]
fn a_connection_reset_before_accept_does_not_disturb_other_connections() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    for _ in 0..20 {
        let gone = net::TcpStream::connect(addr).unwrap();
        let mut stays = net::TcpStream::connect(addr).unwrap();
        stays.write_all(b"here").unwrap();
        let (gone_addr, stays_addr) = (gone.local_addr().unwrap(), stays.local_addr().unwrap());
        reset::close_with_reset(gone);

        let end = Instant::now() + WAIT_LIMIT;
        let mut served = loop {
            assert!(Instant::now() < end, "the remaining connection was not accepted");
            match listener.accept() {
                Ok((stream, from)) if from == stays_addr => break stream,
                Ok((mut stream, from)) => {
                    assert_eq!(from, gone_addr);
                    assert_eq!(kind(stream.read(&mut [0; 8])), ErrorKind::ConnectionReset);
                }
                // On some systems, `accept` returns the reset.
                Err(err) if matches!(err.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    wait_for(&mut poll, &mut events, LISTENER, Event::is_readable);
                }
                Err(err) => panic!("accept: {err}"),
            }
        };
        poll.registry().register(&mut served, STREAM, Interest::READABLE).unwrap();
        assert_eq!(read_exactly(&mut poll, &mut events, &served, STREAM, 4), b"here");
    }
}

#[test]
fn each_of_many_listeners_has_its_own_connections() {
    const COUNT: usize = 60;
    let (mut poll, mut events) = poll();
    let listeners: Vec<(TcpListener, SocketAddr)> =
        (0..COUNT).map(|number| registered_listener(&poll, Token(number))).collect();
    let clients: Vec<net::TcpStream> =
        listeners.iter().map(|(_, addr)| net::TcpStream::connect(addr).unwrap()).collect();

    let mut served = HashSet::new();
    while served.len() < COUNT {
        for token in next_tokens(&mut poll, &mut events) {
            let (_, from) = listeners[token.0].0.accept().unwrap();
            assert_eq!(from, clients[token.0].local_addr().unwrap(), "a connection of another listener");
            assert!(served.insert(token));
        }
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_dropped_listener_refuses_connections_and_closes_the_waiting_ones() {
    let (mut poll, mut events, listener, addr) = poll_and_listener();
    // This connection stays open, so that the kernel does not give the port to the listener of another test.
    let _client = net::TcpStream::connect(addr).unwrap();
    let _accepted = accept_all(&mut poll, &mut events, &listener, 1);

    let mut client = net::TcpStream::connect(addr).unwrap();
    client.set_read_timeout(Some(WAIT_LIMIT)).unwrap();
    wait_for(&mut poll, &mut events, LISTENER, Event::is_readable);
    drop(listener);
    expect_no_event(&mut poll, &mut events);

    match client.read(&mut [0; 8]) {
        Ok(count) => assert_eq!(count, 0),
        Err(err) => assert!(matches!(err.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted), "{err}"),
    }
    assert_eq!(kind(net::TcpStream::connect(addr)), ErrorKind::ConnectionRefused);
}
