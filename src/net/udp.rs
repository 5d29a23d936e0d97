//! UDP: datagrams, each on its own.

use std::io::{self, ErrorKind};
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::forward_source;
use crate::event::Token;
use crate::handle::socket;
use crate::io_source::IoSource;
use crate::{Interest, Registry};

/// A UDP socket that never blocks.
///
/// In edge mode, receive until [`WouldBlock`](ErrorKind::WouldBlock): several datagrams may be one event.
///
/// | | Linux, Android, macOS and its kin, BSDs | Windows |
/// |---|---|---|
/// | a datagram is longer than the buffer | what does not fit is lost | the same, and the call fails with [`WSAEMSGSIZE`] |
/// | nobody receives what was sent before | `ConnectionRefused`, if the socket is connected | `ConnectionReset`, unless `set_connreset(false)` was called |
///
/// [`WSAEMSGSIZE`]: https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2
///
/// # Examples
///
/// ```
/// use minimio::net::UdpSocket;
/// use minimio::{Events, Interest, Poll, Token};
///
/// # fn main() -> std::io::Result<()> {
/// let any = "127.0.0.1:0".parse().unwrap();
/// let (sender, mut receiver) = (UdpSocket::bind(any)?, UdpSocket::bind(any)?);
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// poll.registry().register(&mut receiver, Token(0), Interest::READABLE)?;
///
/// sender.send_to(b"ping", receiver.local_addr()?)?;
/// poll.poll(&mut events, None)?;
/// let mut buf = [0; 16];
/// assert_eq!(receiver.recv_from(&mut buf)?, (4, sender.local_addr()?));
/// # Ok(())
/// # }
/// ```
pub struct UdpSocket {
    inner: IoSource<net::UdpSocket>,
}

impl UdpSocket {
    /// A socket with this address; port 0 lets the system choose one, which [`local_addr`](UdpSocket::local_addr)
    /// tells.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` for low ports, or the system's.
    pub fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
        let socket = net::UdpSocket::bind(addr)?;
        socket.set_nonblocking(true)?;
        Ok(UdpSocket::from_std(socket))
    }

    /// Takes over a socket of the standard library's, as it is: switch it to non-blocking before, with
    /// [`set_nonblocking`](net::UdpSocket::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(socket: net::UdpSocket) -> UdpSocket {
        UdpSocket { inner: IoSource::new(socket) }
    }

    /// The address of this socket.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// The address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or the system's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }

    /// Sends to, and receives from, this address only, from now on. Nothing is sent for it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        self.inner.get().connect(addr)
    }

    /// Sends a datagram to `target`. Returns the number of bytes sent, which is all of them.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's, which may concern an earlier datagram: a connected socket hears of refusals.
    pub fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.send_to(buf, target), sending)
    }

    /// Receives a datagram, and the address it came from. What does not fit in `buf` is lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.do_io(|socket| socket.recv_from(buf), receiving)
    }

    /// Receives without taking: the next call gets the same datagram.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's.
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.do_io(|socket| socket.peek_from(buf), waiting)
    }

    /// Sends a datagram to the address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `NotConnected` (`DestinationAddressRequired`), or the system's, such as `ConnectionRefused` for an
    /// earlier datagram.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.send(buf), sending)
    }

    /// Receives a datagram; on a connected socket, from that address only. What does not fit in `buf` is lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's, such as `ConnectionRefused` for a datagram sent before.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.recv(buf), receiving)
    }

    /// Receives without taking: the next call gets the same datagram.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.peek(buf), waiting)
    }

    /// Whether datagrams may be sent to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.inner.get().set_broadcast(on)
    }

    /// What [`set_broadcast`](UdpSocket::set_broadcast) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.inner.get().broadcast()
    }

    /// Whether IPv4 multicasts that this machine sends come back to it (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.inner.get().set_multicast_loop_v4(on)
    }

    /// What [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.inner.get().multicast_loop_v4()
    }

    /// Through how many routers IPv4 multicasts may pass (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_multicast_ttl_v4(ttl)
    }

    /// What [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.inner.get().multicast_ttl_v4()
    }

    /// Whether IPv6 multicasts that this machine sends come back to it (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.inner.get().set_multicast_loop_v6(on)
    }

    /// What [`set_multicast_loop_v6`](UdpSocket::set_multicast_loop_v6) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.inner.get().multicast_loop_v6()
    }

    /// Through how many routers datagrams may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_ttl(ttl)
    }

    /// What [`set_ttl`](UdpSocket::set_ttl) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.get().ttl()
    }

    /// Joins an IPv4 multicast group, on the interface with this address (unspecified: the system chooses).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.get().join_multicast_v4(multiaddr, interface)
    }

    /// Joins an IPv6 multicast group, on the interface with this index (0: any).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.get().join_multicast_v6(multiaddr, interface)
    }

    /// Leaves a group that [`join_multicast_v4`](UdpSocket::join_multicast_v4) has joined.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.get().leave_multicast_v4(multiaddr, interface)
    }

    /// Leaves a group that [`join_multicast_v6`](UdpSocket::join_multicast_v6) has joined.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.get().leave_multicast_v6(multiaddr, interface)
    }

    /// Whether an IPv6 socket is for IPv6 alone (`IPV6_V6ONLY`).
    ///
    /// # Errors
    ///
    /// The system's, above all for an IPv4 socket.
    pub fn only_v6(&self) -> io::Result<bool> {
        socket::only_v6(self.inner.get())
    }

    /// The error that waits on this socket (`SO_ERROR`), which is cleared by asking.
    ///
    /// # Errors
    ///
    /// The system's, if it can't be asked.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Runs an I/O operation of your own on this socket's descriptor or handle, so that edges go on to come. As
    /// [`TcpStream::try_io`](crate::TcpStream::try_io).
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T>,
    {
        self.inner.do_io(|_| f(), anything)
    }
}

/// An operation of which nothing is known but its outcome. An error may have taken a datagram.
#[inline]
fn anything<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE | Interest::WRITABLE),
        _ => Some(Interest::READABLE),
    }
}

/// Whatever came of it, the next datagram is news.
#[inline]
fn receiving<T>(_: Result<&T, ErrorKind>) -> Option<Interest> {
    Some(Interest::READABLE)
}

/// There was no room. What else may go wrong keeps nobody from sending the next.
#[inline]
fn sending<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::WRITABLE),
        _ => None,
    }
}

/// A look changes nothing, unless there was nothing to see.
#[inline]
fn waiting<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE),
        _ => None,
    }
}

forward_source!(UdpSocket, net::UdpSocket);
