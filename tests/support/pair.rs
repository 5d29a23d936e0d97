//! All kinds of sources behind one interface, each with a peer that makes it ready.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Shutdown, SocketAddr};

use minimio::event::Source;
use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::Interest;

use super::readiness::{borrow, handle, Handle};
use super::reset::{close_with_reset, reset_on_close};
use super::{loopback, BOTH, READ};

pub struct Pair {
    pub kind: &'static str,
    pub source: Box<dyn End>,
    /// `None` if the peer is closed, or never existed.
    pub peer: Option<Box<dyn Io>>,
    /// The directions for which the source can be registered.
    pub directions: Interest,
    pub protocol: Protocol,
    /// Whether the source is a `SourceFd` or `SourceSocket`, which does not record its registration.
    pub is_raw: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A TCP stream.
    Tcp,
    /// Another stream of bytes, which arrive at once.
    Local,
    /// Datagrams or connections.
    Messages,
}

/// Operations that do not block.
pub trait Io: Send {
    /// Returns the number of bytes, or 1 for a connection.
    fn receive(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }
    fn send(&mut self, _buf: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }
    fn shut_down_writing(&mut self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
    fn reset_on_close(&self) {}
    fn handle(&self) -> Handle;
}

pub trait End: Io + Source {}
impl<T: Io + Source> End for T {}

/// Implements the methods named by their first words.
macro_rules! impl_io {
    ($type:ty: $($method:ident)*) => {
        impl Io for $type {
            $(impl_io!(@$method);)*
            fn handle(&self) -> Handle {
                handle(self)
            }
        }
    };
    (@read) => {
        fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.read(buf)
        }
    };
    (@write) => {
        fn send(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.write(buf)
        }
    };
    (@shutdown) => {
        fn shut_down_writing(&mut self) -> io::Result<()> {
            self.shutdown(Shutdown::Write)
        }
    };
    (@datagrams) => {
        fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.recv(buf)
        }
        fn send(&mut self, buf: &[u8]) -> io::Result<usize> {
            // The method of the type, which takes `&self`, not this one.
            (*self).send(buf)
        }
    };
    (@reset) => {
        fn reset_on_close(&self) {
            reset_on_close(self);
        }
    };
    (@accept) => {
        fn receive(&mut self, _buf: &mut [u8]) -> io::Result<usize> {
            self.accept().map(|_| 1)
        }
    };
}

impl_io!(TcpStream: read write shutdown);
impl_io!(net::TcpStream: read write shutdown reset);
impl_io!(UdpSocket: datagrams);
impl_io!(TcpListener: accept);

/// The peer of a listener: streams that connect to it.
struct Clients {
    listener: SocketAddr,
    streams: VecDeque<net::TcpStream>,
}

impl Io for Clients {
    fn send(&mut self, _buf: &[u8]) -> io::Result<usize> {
        self.streams.push_back(net::TcpStream::connect(self.listener)?);
        let excess = self.streams.len().saturating_sub(Clients::MOST);
        self.streams.drain(..excess).for_each(close_with_reset);
        Ok(1)
    }

    fn handle(&self) -> Handle {
        unreachable!("it is only a peer")
    }
}

impl Clients {
    /// More connections are closed, the oldest first, accepted or not.
    const MOST: usize = 8;
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.streams.drain(..).for_each(close_with_reset);
    }
}

/// A source that the program reads and writes without the crate.
impl Io for Raw {
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
    fn send(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }
    fn shut_down_writing(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
    fn handle(&self) -> Handle {
        handle(&self.0)
    }
}

/// How many kinds of sources there are.
pub const KINDS: usize = PORTABLE_KINDS + SYSTEM_KINDS;
const PORTABLE_KINDS: usize = 4;

/// Opens a source of the given kind, less than [`KINDS`], and its peer.
pub fn open(kind: usize) -> io::Result<Pair> {
    match kind {
        0 => {
            let (stream, peer) = tcp_streams()?;
            Ok(pair("accepted TCP stream", TcpStream::from_std(stream), peer, BOTH, Protocol::Tcp))
        }
        1 => {
            let listener = net::TcpListener::bind(loopback())?;
            let source = TcpStream::connect(listener.local_addr()?)?;
            reset_on_close(&borrow(handle(&source)));
            let (peer, _) = listener.accept()?;
            set_up(&peer)?;
            Ok(pair("connecting TCP stream", source, peer, BOTH, Protocol::Tcp))
        }
        2 => {
            let source = TcpListener::bind(loopback())?;
            let peer = Clients { listener: source.local_addr()?, streams: VecDeque::new() };
            Ok(pair("TCP listener", source, peer, READ, Protocol::Messages))
        }
        3 => {
            let (source, peer) = (UdpSocket::bind(loopback())?, UdpSocket::bind(loopback())?);
            source.connect(peer.local_addr()?)?;
            peer.connect(source.local_addr()?)?;
            Ok(pair("UDP socket", source, peer, BOTH, Protocol::Messages))
        }
        _ => open_system(kind - PORTABLE_KINDS),
    }
}

/// Returns two connected, non-blocking streams. The close of the first resets the connection, so that no port stays
/// reserved after the connection.
fn tcp_streams() -> io::Result<(net::TcpStream, net::TcpStream)> {
    let listener = net::TcpListener::bind(loopback())?;
    let peer = net::TcpStream::connect(listener.local_addr()?)?;
    let (stream, _) = listener.accept()?;
    reset_on_close(&stream);
    set_up(&stream)?;
    set_up(&peer)?;
    Ok((stream, peer))
}

/// Makes a stream non-blocking, and lets it send small writes immediately.
fn set_up(stream: &net::TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)
}

fn pair(
    kind: &'static str,
    source: impl End + 'static,
    peer: impl Io + 'static,
    directions: Interest,
    protocol: Protocol,
) -> Pair {
    Pair { kind, source: Box::new(source), peer: Some(Box::new(peer)), directions, protocol, is_raw: false }
}

#[cfg(unix)]
use unix::*;
#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::io::AsRawFd;
    use std::os::unix::net::UnixStream as StdUnixStream;

    use crate::support::WRITE;
    use minimio::net::{UnixDatagram, UnixStream};
    use minimio::unix::pipe::{self, Receiver, Sender};
    use minimio::unix::SourceFd;
    use minimio::{Registry, Token};

    pub const SYSTEM_KINDS: usize = 6;

    pub fn open_system(kind: usize) -> io::Result<Pair> {
        match kind {
            0 => {
                let (source, peer) = UnixStream::pair()?;
                Ok(pair("Unix stream", source, peer, BOTH, Protocol::Local))
            }
            1 => {
                let (source, peer) = UnixDatagram::pair()?;
                Ok(pair("Unix datagram socket", source, peer, BOTH, Protocol::Messages))
            }
            2 => pipe::new()
                .map(|(sender, receiver)| pair("receiver of a pipe", receiver, sender, READ, Protocol::Local)),
            3 => {
                pipe::new().map(|(sender, receiver)| pair("sender of a pipe", sender, receiver, WRITE, Protocol::Local))
            }
            4 => {
                let (source, peer) = StdUnixStream::pair()?;
                source.set_nonblocking(true)?;
                peer.set_nonblocking(true)?;
                let peer = UnixStream::from_std(peer);
                Ok(Pair { is_raw: true, ..pair("descriptor", Raw(source), peer, BOTH, Protocol::Local) })
            }
            _ => {
                // No socket listens on this port: see `closed_port`.
                let source = TcpStream::connect("127.0.0.1:1".parse().unwrap())?;
                let (_, peer) = UnixStream::pair()?;
                Ok(Pair { peer: None, ..pair("refused TCP stream", source, peer, BOTH, Protocol::Tcp) })
            }
        }
    }

    impl_io!(UnixStream: read write shutdown);
    impl_io!(UnixDatagram: datagrams shutdown);
    impl_io!(Receiver: read);
    impl_io!(Sender: write);

    pub struct Raw(pub StdUnixStream);

    impl Source for Raw {
        fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            SourceFd(&self.0.as_raw_fd()).register(registry, token, interests)
        }
        fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            SourceFd(&self.0.as_raw_fd()).reregister(registry, token, interests)
        }
        fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
            SourceFd(&self.0.as_raw_fd()).deregister(registry)
        }
    }
}

#[cfg(windows)]
use windows::*;
#[cfg(windows)]
mod windows {
    use super::*;
    use std::os::windows::io::AsRawSocket;

    use minimio::windows::SourceSocket;
    use minimio::{Registry, Token};

    pub const SYSTEM_KINDS: usize = 1;

    pub fn open_system(_: usize) -> io::Result<Pair> {
        let (source, peer) = tcp_streams()?;
        Ok(Pair { is_raw: true, ..pair("socket", Raw(source), peer, BOTH, Protocol::Tcp) })
    }

    pub struct Raw(pub net::TcpStream);

    impl Source for Raw {
        fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            SourceSocket(&self.0.as_raw_socket()).register(registry, token, interests)
        }
        fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            SourceSocket(&self.0.as_raw_socket()).reregister(registry, token, interests)
        }
        fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
            SourceSocket(&self.0.as_raw_socket()).deregister(registry)
        }
    }
}
