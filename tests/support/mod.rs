//! What all tests share. Every wait of these functions has a time limit, so a test that waits only through them can
//! fail, but it cannot hang.

#![allow(dead_code)] // No test binary uses all of it.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::net::{self, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use minimio::net::TcpStream;
use minimio::{Event, Events, Interest, Poll, Token};

#[cfg(unix)]
pub mod descriptor;
#[cfg(unix)]
pub mod fork;
pub mod handles;
pub mod isolation;
#[cfg(windows)]
pub mod named_pipe;
#[cfg(windows)]
pub mod object;
pub mod pair;
#[cfg(unix)]
pub mod pipe;
pub mod program;
pub mod raise;
pub mod random;
#[cfg(windows)]
pub mod raw_socket;
pub mod readiness;
pub mod reset;
#[cfg(unix)]
pub mod seccomp;
#[cfg(unix)]
pub mod signal;
pub mod system;
pub mod truth_table;
pub mod urgent;

pub const SOURCE: Token = Token(1);
pub const READ: Interest = Interest::READABLE;
pub const WRITE: Interest = Interest::WRITABLE;
pub const BOTH: Interest = READ.add(WRITE);

/// How long a test waits for something that must happen. Long enough for a busy machine.
pub const WAIT_LIMIT: Duration = Duration::from_secs(20);

/// How long a test waits for an event that must not be reported. On loopback, a wrong event is reported within this
/// time.
pub const SHORT_WAIT: Duration = Duration::from_millis(40);

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Returns the IPv6 loopback address, or `None` on a machine without IPv6, as many containers are. On a machine with
/// the environment variable `CI`, a missing address is a failure.
pub fn loopback_v6() -> Option<SocketAddr> {
    let addr = "[::1]:0".parse().unwrap();
    match net::UdpSocket::bind(addr) {
        Ok(_) => Some(addr),
        Err(err) => {
            assert!(env::var_os("CI").is_none(), "this machine has no IPv6 loopback: {err}");
            println!("not tested: this machine has no IPv6 loopback ({err})");
            None
        }
    }
}

pub fn poll() -> (Poll, Events) {
    (Poll::new().unwrap(), Events::with_capacity(64))
}

/// Polls once, and again only after an interruption by a signal. Returns the events. There must be at least one.
pub fn next_batch(poll: &mut Poll, events: &mut Events) -> Vec<Event> {
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        match poll.poll(events, Some(end.saturating_duration_since(Instant::now()))) {
            Ok(()) if events.is_empty() => panic!("no event within {WAIT_LIMIT:?}"),
            Ok(()) => {
                assert!(Instant::now() < end, "{events:?} were reported only after the timeout");
                return events.iter().cloned().collect();
            }
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => panic!("poll: {err}"),
        }
    }
}

/// Polls once, and returns the tokens of the events. There must be at least one event.
pub fn next_tokens(poll: &mut Poll, events: &mut Events) -> Vec<Token> {
    next_batch(poll, events).iter().map(Event::token).collect()
}

/// Polls until an event of `token` satisfies `wanted`, and returns that event. Other events are ignored.
pub fn wait_for(poll: &mut Poll, events: &mut Events, token: Token, mut wanted: impl FnMut(&Event) -> bool) -> Event {
    let end = Instant::now() + WAIT_LIMIT;
    while Instant::now() < end {
        let batch = next_batch(poll, events);
        if let Some(event) = batch.into_iter().find(|event| event.token() == token && wanted(event)) {
            return event;
        }
    }
    panic!("no wanted event of {token:?} within {WAIT_LIMIT:?}");
}

/// Polls until an event reports that `SOURCE` is readable.
pub fn wait_until_readable(poll: &mut Poll, events: &mut Events) {
    wait_for(poll, events, SOURCE, Event::is_readable);
}

/// Polls once for a short time. No event must be reported, and the poll must not return early.
pub fn expect_no_event(poll: &mut Poll, events: &mut Events) {
    let start = Instant::now();
    poll.poll(events, Some(SHORT_WAIT)).unwrap();
    assert!(events.is_empty(), "expected no event, got {events:?}");
    assert!(start.elapsed() >= SHORT_WAIT, "a poll without events returned before its timeout");
}

/// Returns an address that refuses connections. The port is lower than all ports that a system gives to clients: if a
/// system could give this port to the client, the client could connect to itself.
pub fn closed_port() -> SocketAddr {
    let addr = "127.0.0.1:1".parse().unwrap();
    assert!(net::TcpStream::connect(addr).is_err(), "a socket listens on {addr}");
    addr
}

/// Returns a connected stream of this crate and its peer, a blocking stream of the standard library. Neither is
/// registered.
pub fn stream_and_peer() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    for timeout in [net::TcpStream::set_read_timeout, net::TcpStream::set_write_timeout] {
        timeout(&peer, Some(WAIT_LIMIT)).unwrap();
    }
    (TcpStream::from_std(stream), peer)
}

/// Sends bytes to the stream, and waits until they have arrived.
pub fn send(mut peer: &net::TcpStream, stream: &TcpStream, bytes: &[u8]) {
    peer.write_all(bytes).unwrap();
    let end = Instant::now() + WAIT_LIMIT;
    while stream.peek(&mut [0; 4096]).map_or(0, |count| count) < bytes.len() {
        assert!(Instant::now() < end, "the bytes have not arrived");
        thread::yield_now();
    }
}

/// Returns the kind of an error that must have occurred.
pub fn kind<T>(result: io::Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("this should have failed"),
        Err(err) => err.kind(),
    }
}

/// As `stream_and_peer`, with the stream registered.
pub fn registered_stream(poll: &Poll, token: Token, interest: Interest) -> (TcpStream, net::TcpStream) {
    let (mut stream, peer) = stream_and_peer();
    poll.registry().register(&mut stream, token, interest).unwrap();
    (stream, peer)
}

/// Returns a poll, and a stream that is registered with it as `SOURCE`, and the stream's peer.
pub fn poll_and_stream(interest: Interest) -> (Poll, Events, TcpStream, net::TcpStream) {
    let (poll, events) = poll();
    let (stream, peer) = registered_stream(&poll, SOURCE, interest);
    (poll, events, stream, peer)
}
