//! What the scenarios ask of a library, and the four that provide it.

use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::time::Duration;

mod bare;
mod minimio;
mod mio;
mod polling;

pub use self::{bare::Bare, minimio::Minimio, mio::Mio, polling::Polling};

/// How many events one poll may bring.
const ROOM: usize = 256;

/// The key of a waker's events, where those have one.
const WAKER: usize = usize::MAX;

/// A library in a program's hands. Each method is what a program writes at that place, and is inlined there, so that
/// what is measured is the library.
pub trait Library {
    /// A non-blocking stream, as programs that use this library have it.
    type Stream: Read + Write;
    type Listener;
    type Waker: Sync;

    fn new() -> Self;

    /// Waits, and calls `readable` with the key of each stream that can be read. (Of wakers with any key, or not.)
    fn poll(&mut self, timeout: Option<Duration>, readable: impl FnMut(usize));

    /// Watches for edges of reading.
    fn register(&self, stream: &mut Self::Stream, key: usize);
    /// Watches for edges of writing instead.
    fn reregister(&self, stream: &mut Self::Stream, key: usize);
    fn deregister(&self, stream: &mut Self::Stream);

    fn waker(&self) -> Self::Waker;
    fn wake(waker: &Self::Waker);

    /// Takes over a stream that is non-blocking already.
    fn adopt(stream: net::TcpStream) -> Self::Stream;
    /// A non-blocking listener on loopback.
    fn listen() -> (Self::Listener, SocketAddr);
    fn connect(address: SocketAddr) -> Self::Stream;
    fn accept(listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)>;
}

fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}
