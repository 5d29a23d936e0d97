//! UDP sockets.

use std::io;
#[cfg(doc)]
use std::io::ErrorKind;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{impl_socket, used};
use crate::event::Token;
use crate::handle::socket;
use crate::io_source::IoSource;
use crate::{Interest, Registry};

/// A non-blocking UDP socket.
///
/// In edge mode, receive until [`WouldBlock`](ErrorKind::WouldBlock): several datagrams may cause one event.
///
/// | | Linux, Android, macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|
/// | a datagram is longer than the buffer | the rest of the datagram is lost | the same, and the call fails with [`WSAEMSGSIZE`] |
/// | an earlier datagram was refused | `ConnectionRefused`, if the socket is connected | `ConnectionReset`, unless `set_connreset(false)` was called |
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
    /// Creates a socket bound to `addr`. With port 0, the system chooses a port, which
    /// [`local_addr`](UdpSocket::local_addr) returns.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` for low ports, or another error of the system.
    pub fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
        let socket = net::UdpSocket::bind(addr)?;
        socket.set_nonblocking(true)?;
        Ok(UdpSocket::from_std(socket))
    }

    /// Converts a socket of the standard library. Make it non-blocking first, with
    /// [`set_nonblocking`](net::UdpSocket::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(socket: net::UdpSocket) -> UdpSocket {
        UdpSocket { inner: IoSource::new(socket) }
    }

    /// Returns the local address.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// Returns the address to which the socket is connected.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or another error of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }

    /// Connects the socket to `addr`: from now on, it sends to and receives from this address only. This sends no
    /// packet.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn connect(&self, addr: SocketAddr) -> io::Result<()> {
        self.inner.get().connect(addr)
    }

    /// Sends a datagram to `target`. Returns the number of bytes sent, which is all of them.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system. On a connected socket, the error may belong to an earlier
    /// datagram, which was refused.
    pub fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.send_to(buf, target), used::after_send)
    }

    /// Receives a datagram, and returns its length and the address of its sender. Bytes that do not fit into `buf` are
    /// lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.do_io(|socket| socket.recv_from(buf), used::after_recv)
    }

    /// Receives without consuming: the next receive returns the same datagram.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system.
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.do_io(|socket| socket.peek_from(buf), used::after_peek)
    }

    /// Sends a datagram to the address to which the socket is connected. Returns the number of bytes sent, which is all
    /// of them.
    ///
    /// # Errors
    ///
    /// `WouldBlock`; `NotConnected` or the system's error `EDESTADDRREQ` if the socket is not connected; or another
    /// error of the system, such as `ConnectionRefused` for an earlier datagram.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.send(buf), used::after_send)
    }

    /// Receives a datagram. A connected socket receives only from the address to which it is connected. Bytes that do
    /// not fit into `buf` are lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system, such as `ConnectionRefused` for an earlier datagram.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.recv(buf), used::after_recv)
    }

    /// Receives without consuming: the next receive returns the same datagram.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(|socket| socket.peek(buf), used::after_peek)
    }

    /// Sets whether the socket may send datagrams to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.inner.get().set_broadcast(on)
    }

    /// Returns the value of [`set_broadcast`](UdpSocket::set_broadcast).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.inner.get().broadcast()
    }

    /// Sets whether this machine receives the IPv4 multicasts that it sends (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.inner.get().set_multicast_loop_v4(on)
    }

    /// Returns the value of [`set_multicast_loop_v4`](UdpSocket::set_multicast_loop_v4).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.inner.get().multicast_loop_v4()
    }

    /// Sets how many routers an IPv4 multicast may pass (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_multicast_ttl_v4(ttl)
    }

    /// Returns the value of [`set_multicast_ttl_v4`](UdpSocket::set_multicast_ttl_v4).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.inner.get().multicast_ttl_v4()
    }

    /// Sets whether this machine receives the IPv6 multicasts that it sends (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.inner.get().set_multicast_loop_v6(on)
    }

    /// Returns the value of [`set_multicast_loop_v6`](UdpSocket::set_multicast_loop_v6).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.inner.get().multicast_loop_v6()
    }

    /// Sets how many routers a datagram may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_ttl(ttl)
    }

    /// Returns the value of [`set_ttl`](UdpSocket::set_ttl).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.get().ttl()
    }

    /// Joins an IPv4 multicast group on the interface with this address. With the unspecified address, the system
    /// chooses the interface.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.get().join_multicast_v4(multiaddr, interface)
    }

    /// Joins an IPv6 multicast group on the interface with this index (0: any interface).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.get().join_multicast_v6(multiaddr, interface)
    }

    /// Leaves a multicast group joined with [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.get().leave_multicast_v4(multiaddr, interface)
    }

    /// Leaves a multicast group joined with [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.get().leave_multicast_v6(multiaddr, interface)
    }

    /// Returns whether an IPv6 socket is restricted to IPv6 (`IPV6_V6ONLY`).
    ///
    /// # Errors
    ///
    /// The system's error, above all for an IPv4 socket.
    pub fn only_v6(&self) -> io::Result<bool> {
        socket::only_v6(self.inner.get())
    }

    /// Returns the pending error of this socket (`SO_ERROR`) and clears it.
    ///
    /// # Errors
    ///
    /// The system's error, if the call itself fails.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Runs the program's own I/O operation on this socket's descriptor or handle, like
    /// [`TcpStream::try_io`](crate::TcpStream::try_io).
    ///
    /// # Errors
    ///
    /// The error of `f`.
    pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T>,
    {
        self.inner.do_io(|_| f(), used::after_datagram_try_io)
    }
}

impl_socket!(UdpSocket, net::UdpSocket);
