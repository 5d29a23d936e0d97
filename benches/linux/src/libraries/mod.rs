//! The trait that the scenarios need, and its four implementations.

use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::time::Duration;

mod bare;
mod mio_like;
mod polling;

pub use self::{bare::Bare, mio_like::Minimio, mio_like::Mio, polling::Polling};

/// How many events one poll can return.
const CAPACITY: usize = 256;

/// The key of a waker's events, for libraries that report wakes as events.
const WAKER: usize = usize::MAX;

/// A library as a program uses it. Each method contains the code that a program would write and is inlined, so only the
/// cost of the library is measured.
pub trait Library {
    /// The non-blocking stream type of programs that use this library.
    type Stream: Read + Write;
    type Listener;
    type Waker: Sync;

    fn new() -> Self;

    /// Waits, and calls `readable` with the key of each readable stream. A wake may call it too, with any key.
    fn poll(&mut self, timeout: Option<Duration>, readable: impl FnMut(usize));

    /// Registers the stream for readable edges.
    fn register(&self, stream: &mut Self::Stream, key: usize);
    /// Reregisters the stream for writable edges.
    fn reregister(&self, stream: &mut Self::Stream, key: usize);
    fn deregister(&self, stream: &mut Self::Stream);

    fn waker(&self) -> Self::Waker;
    fn wake(waker: &Self::Waker);

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
