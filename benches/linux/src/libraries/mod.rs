//! The trait that the scenarios need, and its four implementations.

use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

mod bare;
mod mio_like;
mod polling;

pub use self::{bare::Bare, mio_like::Minimio, mio_like::Mio, polling::Polling};

/// How many events one poll can return.
const CAPACITY: usize = 256;

/// The key of a waker's events, for libraries that report wakes as events.
const WAKER: usize = usize::MAX;

/// How many wakers a queue can have if each waker has a descriptor: more than that many descriptors are often not
/// allowed.
const MOST_WAKERS_WITH_DESCRIPTOR: usize = 10_000;

/// A library as a program uses it. Each method contains the code that a program would write and is inlined, so only the
/// cost of the library is measured.
pub trait Library {
    /// The non-blocking stream type of programs that use this library.
    type Stream: Read + Write;
    type Listener;
    type Waker: Sync;
    type Timer;
    /// The queue without the buffer for its events.
    type Poll;

    /// How many wakers one queue can have.
    const MOST_WAKERS: usize;

    fn new() -> Self;
    fn new_poll() -> Self::Poll;

    /// Waits, and calls `readable` with the key of each readable stream. A wake may call it too, with any key.
    fn poll(&mut self, timeout: Option<Duration>, readable: impl FnMut(usize));

    /// Registers the stream for readable edges.
    fn register(&self, stream: &mut Self::Stream, key: usize);
    /// Reregisters the stream for writable edges.
    fn reregister(&self, stream: &mut Self::Stream, key: usize);
    fn deregister(&self, stream: &mut Self::Stream);

    fn waker(&self) -> Self::Waker;
    fn wake(waker: &Self::Waker);

    /// Registers a timer that is not set. Returns `None` if the library has no timers.
    fn timer(&self) -> Option<Self::Timer> {
        None
    }
    fn set(_: &Self::Timer, _deadline: Instant) {
        unreachable!("no timer exists");
    }
    fn cancel(_: &Self::Timer) {
        unreachable!("no timer exists");
    }

    /// Converts a stream that is already non-blocking.
    fn adopt(stream: net::TcpStream) -> Self::Stream;
    /// Returns a non-blocking listener on loopback.
    fn listen() -> (Self::Listener, SocketAddr);
    fn connect(address: SocketAddr) -> Self::Stream;
    fn accept(listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)>;
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}
