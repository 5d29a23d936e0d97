//! What the tests share. Every wait here has an end: a test fails, it never hangs.

#![allow(dead_code)] // No test binary uses all of it.

use std::env;
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

use minimio::net::TcpStream;
use minimio::{Event, Events, Interest, Poll, Token};

#[cfg(unix)]
pub mod descriptor;
#[cfg(windows)]
pub mod handle;
pub mod handles;
pub mod isolation;
#[cfg(windows)]
pub mod named_pipe;
#[cfg(unix)]
pub mod pipe;
pub mod program;
pub mod reset;
#[cfg(unix)]
pub mod signal;
pub mod system;
pub mod truth;

/// Longer than anything that is going to happen takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Long enough for what must not happen to show on loopback.
pub const A_WHILE: Duration = Duration::from_millis(40);

pub fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// The same of IPv6, which not every machine has: a container often lacks it. Where the project's own checks run, it
/// must.
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

/// One poll, which must bring something.
pub fn next_batch(poll: &mut Poll, events: &mut Events) -> Vec<Event> {
    let end = Instant::now() + PATIENCE;
    loop {
        match poll.poll(events, Some(end.saturating_duration_since(Instant::now()))) {
            Ok(()) if events.is_empty() => panic!("no event within {PATIENCE:?}"),
            Ok(()) => {
                assert!(Instant::now() < end, "{events:?} came only when the timeout was over");
                return events.iter().cloned().collect();
            }
            Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
            Err(err) => panic!("poll: {err}"),
        }
    }
}

/// The tokens of one poll, which must bring something.
pub fn next_tokens(poll: &mut Poll, events: &mut Events) -> Vec<Token> {
    next_batch(poll, events).iter().map(Event::token).collect()
}

/// Polls until an event of `token` is as wanted, and returns that event. Others are passed over.
pub fn wait_for(poll: &mut Poll, events: &mut Events, token: Token, mut wanted: impl FnMut(&Event) -> bool) -> Event {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let batch = next_batch(poll, events);
        if let Some(event) = batch.into_iter().find(|event| event.token() == token && wanted(event)) {
            return event;
        }
    }
    panic!("{token:?} did not become as wanted within {PATIENCE:?}");
}

/// Nothing happens for a while.
pub fn expect_silence(poll: &mut Poll, events: &mut Events) {
    let start = Instant::now();
    poll.poll(events, Some(A_WHILE)).unwrap();
    assert!(events.is_empty(), "expected no event, got {events:?}");
    assert!(start.elapsed() >= A_WHILE, "an empty poll came back before its timeout");
}

/// An address that refuses connections. No system gives so low a port to a client: one that had it would not refuse
/// itself.
pub fn nobody() -> SocketAddr {
    let addr = "127.0.0.1:1".parse().unwrap();
    assert!(net::TcpStream::connect(addr).is_err(), "somebody listens on {addr}");
    addr
}

/// A connected stream of ours and its peer, a blocking one of the standard library's. Neither is registered.
pub fn stream_and_peer() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    for timeout in [net::TcpStream::set_read_timeout, net::TcpStream::set_write_timeout] {
        timeout(&peer, Some(PATIENCE)).unwrap();
    }
    (TcpStream::from_std(stream), peer)
}

/// As `stream_and_peer`, the stream registered.
pub fn registered_stream(poll: &Poll, token: Token, interest: Interest) -> (TcpStream, net::TcpStream) {
    let (mut stream, peer) = stream_and_peer();
    poll.registry().register(&mut stream, token, interest).unwrap();
    (stream, peer)
}
