//! Unix sockets: streams, listeners and datagram sockets.
//!
//! The kernel sees every operation, so these sockets do not compute which direction an operation used. TCP and UDP
//! sockets compute the direction, because Windows needs it.

// `addr_compat` supplies `bind_addr` and `connect_addr` to compilers before Rust 1.70.
#![allow(unstable_name_collisions, clippy::incompatible_msrv)]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::io::OwnedFd;
use std::os::unix::net;
use std::path::Path;

#[allow(unused_imports)]
use super::addr_compat::{BindAddr, ConnectAddr};
use super::{ffi, socket};
use crate::event::Token;
use crate::io_source::IoSource;
use crate::net::{impl_socket, read_by_reference, write_by_reference};
use crate::{Interest, Registry};

/// The address of a Unix socket: the type of the standard library.
///
/// | | Linux, Android | macOS and other Apple systems, BSDs |
/// |---|---|---|
/// | longest path | 107 bytes | 103 bytes |
/// | binding to an unnamed address | assigns an abstract name | fails |
/// | abstract names, which have no file | up to 107 bytes | none |
///
/// `SocketAddrExt` of `std::os::linux::net` or `std::os::android::net` constructs the address of an abstract name. The
/// trait has existed since Rust 1.70. Before 1.70, a peer may have an abstract name, but binding or connecting to one
/// fails with `Unsupported`.
pub use std::os::unix::net::SocketAddr;

/// A non-blocking connection between two sockets of this machine.
///
/// An operation that would block fails with [`WouldBlock`](io::ErrorKind::WouldBlock), and the stream's next event
/// reports when to try again. In edge mode, read and write until `WouldBlock`: after a read that did not fill its
/// buffer, unread data may remain, because a read ends where the peer has passed descriptors.
///
/// A write to a connection that the peer has closed returns an error and raises no signal (`SIGPIPE`).
///
/// | | Linux, Android | macOS and other Apple systems, BSDs |
/// |---|---|---|
/// | the peer closes after it has read all data | reads return the peer's data, then the end | the same |
/// | the peer closes with unread data | reads return the peer's data, then `ConnectionReset` once, then the end | reads return the peer's data, then the end |
/// | `shutdown(Read)` | the peer's writes fail with `BrokenPipe` | the peer's writes fail, or their data is discarded |
///
/// # Examples
///
/// ```
/// use minimio::net::UnixStream;
/// use minimio::{Events, Interest, Poll, Token};
/// use std::io::{ErrorKind, Read, Write};
///
/// # fn main() -> std::io::Result<()> {
/// let (mut here, mut there) = UnixStream::pair()?;
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// poll.registry().register(&mut there, Token(0), Interest::READABLE)?;
/// here.write_all(b"hello")?;
/// poll.poll(&mut events, None)?;
///
/// let mut buf = [0; 64];
/// assert_eq!(there.read(&mut buf)?, 5);
/// assert_eq!(there.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
/// # Ok(())
/// # }
/// ```
pub struct UnixStream {
    inner: IoSource<net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at `path`, like [`connect_addr`](UnixStream::connect_addr).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or contains a zero byte, and the errors of `connect_addr`.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::net::UnixStream;
    /// use std::io::ErrorKind;
    ///
    /// let err = UnixStream::connect("/no/such/socket").unwrap_err();
    /// assert_eq!(err.kind(), ErrorKind::NotFound);
    /// ```
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&to_socket_addr(path.as_ref())?)
    }

    /// Connects to the listener at this address. Unlike a TCP connect, this call succeeds or fails immediately. It does
    /// not wait until the listener accepts. (On some systems, a listener can have the option `LOCAL_CONNWAIT`. Then the
    /// stream is connected only when the listener accepts.)
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs |
    /// |---|---|---|
    /// | the listener's backlog is full | `WouldBlock`; no event reports when to try again | `ConnectionRefused` |
    ///
    /// # Errors
    ///
    /// `NotFound` if the path does not exist, `ConnectionRefused` if no socket listens on it, `PermissionDenied`,
    /// `WouldBlock`, or another error of the system.
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        // The standard library has a non-blocking `connect_addr` only for datagram sockets, but the system call
        // connects any socket.
        let socket = net::UnixDatagram::from(socket::open(ffi::AF_UNIX, ffi::SOCK_STREAM)?);
        match socket.connect_addr(address) {
            // On some systems, a stream that connects to a listener with the option `LOCAL_CONNWAIT` is connected only
            // when the listener accepts.
            Err(err) if err.raw_os_error() == Some(ffi::EINPROGRESS) => {}
            result => result?,
        }
        Ok(UnixStream { inner: IoSource::new(OwnedFd::from(socket).into()) })
    }

    /// Converts a stream of the standard library. Make it non-blocking first, with
    /// [`set_nonblocking`](net::UnixStream::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(stream: net::UnixStream) -> UnixStream {
        socket::set_nosigpipe(&stream);
        UnixStream { inner: IoSource::new(stream) }
    }

    /// Creates two streams that are connected to each other and have no address.
    ///
    /// # Errors
    ///
    /// The system's error, for example when no descriptors are left.
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (here, there) = socket::pair(ffi::SOCK_STREAM)?;
        Ok((UnixStream::from_std(here), UnixStream::from_std(there)))
    }

    /// Returns the local address. An accepted stream has the address of its listener; a stream that has connected has
    /// none.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or another error of the system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }

    /// Returns the pending error of this socket (`SO_ERROR`) and clears it.
    ///
    /// # Errors
    ///
    /// The system's error, if the call itself fails.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Shuts down reading, writing, or both.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or another error of the system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().shutdown(how)
    }

    /// Runs the program's own I/O operation on this socket's descriptor, for example one that passes descriptors. The
    /// kernel sees every operation, so edges arrive without this method too. It exists for programs written for mio.
    ///
    /// # Errors
    ///
    /// The error of `f`.
    pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T>,
    {
        f()
    }
}

impl Read for &UnixStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        socket::recv(self.inner.get(), buf)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if bufs.is_empty() {
            // NetBSD and macOS return an error in this case.
            return Ok(0);
        }
        self.inner.get().read_vectored(bufs)
    }
}

impl Write for &UnixStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        socket::send(self.inner.get(), buf)
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if bufs.is_empty() {
            // NetBSD and macOS return an error in this case.
            return Ok(0);
        }
        socket::send_vectored(self.inner.get(), bufs)
    }

    /// Does nothing: the system already has all written bytes.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl_socket!(UnixStream, net::UnixStream);
read_by_reference!(UnixStream);
write_by_reference!(UnixStream);

/// A non-blocking Unix socket that listens for connections.
///
/// In edge mode, accept until [`WouldBlock`](io::ErrorKind::WouldBlock): several connections may cause one event.
///
/// If the process has no descriptors left, `accept` fails and the connection remains in the queue. In edge mode, no
/// event reports it until the next connection arrives: call `accept` again once a descriptor is free.
///
/// The socket's file remains after the listener is dropped. Until the program removes it, binding to the path fails
/// with `AddrInUse`.
///
/// # Examples
///
/// ```
/// use minimio::net::{UnixListener, UnixStream};
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("minimio-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let client = UnixStream::connect(&path)?;
/// let (stream, addr) = listener.accept()?;
/// assert!(addr.is_unnamed());
/// assert_eq!(stream.local_addr()?.as_pathname(), Some(&*path));
/// # drop(client);
/// std::fs::remove_file(path)
/// # }
/// ```
pub struct UnixListener {
    inner: IoSource<net::UnixListener>,
}

impl UnixListener {
    /// Creates a file at `path` and listens on it, like [`bind_addr`](UnixListener::bind_addr).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or contains a zero byte, and the errors of `bind_addr`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&to_socket_addr(path.as_ref())?)
    }

    /// Listens on this address.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs |
    /// |---|---|---|
    /// | connections that can wait for `accept` | 4096, or the system's limit if that is lower (`net.core.somaxconn`) | the same (`kern.ipc.somaxconn` and the like) |
    ///
    /// # Errors
    ///
    /// `AddrInUse`, also for the path of any existing file, `NotFound` if the folder does not exist,
    /// `PermissionDenied`, or another error of the system.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        let listener = net::UnixListener::bind_addr(address)?;
        listener.set_nonblocking(true)?;
        socket::set_backlog(&listener)?;
        Ok(UnixListener::from_std(listener))
    }

    /// Converts a listener of the standard library. Make it non-blocking first, with
    /// [`set_nonblocking`](net::UnixListener::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(listener: net::UnixListener) -> UnixListener {
        UnixListener { inner: IoSource::new(listener) }
    }

    /// Accepts a waiting connection, and returns it with the address of the peer, which is unnamed unless the peer was
    /// bound before it connected. The stream is non-blocking and close-on-exec.
    ///
    /// # Errors
    ///
    /// - `WouldBlock`: no connection is waiting.
    /// - `ConnectionAborted`, on some systems: the connection was closed while it waited.
    /// - Another error of the system.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs |
    /// |---|---|---|
    /// | calls | [`accept4`](https://man7.org/linux/man-pages/man2/accept.2.html) (on Android on x86, `accept` and two calls for flags), and `getpeername` if the peer has an abstract name | `accept4`; on Apple systems `accept` and three calls for flags |
    #[inline]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, addr) = socket::accept_unix(self.inner.get())?;
        Ok((UnixStream::from_std(stream), addr))
    }

    /// Returns the address on which the listener listens.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// Returns the pending error of this socket (`SO_ERROR`) and clears it.
    ///
    /// # Errors
    ///
    /// The system's error, if the call itself fails.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }
}

impl_socket!(UnixListener, net::UnixListener);

/// A non-blocking datagram socket for this machine. The kernel loses no datagram between two such sockets.
///
/// In edge mode, receive until [`WouldBlock`](io::ErrorKind::WouldBlock): several datagrams may cause one event.
///
/// | | Linux, Android | macOS and other Apple systems, BSDs |
/// |---|---|---|
/// | a datagram is longer than the buffer | the rest of the datagram is lost | the same |
/// | the receiver's buffer is full | `WouldBlock`; a connected socket gets an event when there is room | [`ENOBUFS`]; no event reports when to try again |
/// | the receiver is closed | `ConnectionRefused` | `ConnectionRefused`, `ConnectionReset` or `NotConnected` |
///
/// [`ENOBUFS`]: https://man.freebsd.org/cgi/man.cgi?query=send&sektion=2
///
/// # Examples
///
/// ```
/// use minimio::net::UnixDatagram;
/// use minimio::{Events, Interest, Poll, Token};
///
/// # fn main() -> std::io::Result<()> {
/// let (sender, mut receiver) = UnixDatagram::pair()?;
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// poll.registry().register(&mut receiver, Token(0), Interest::READABLE)?;
///
/// sender.send(b"ping")?;
/// poll.poll(&mut events, None)?;
/// let mut buf = [0; 16];
/// assert_eq!(receiver.recv(&mut buf)?, 4);
/// # Ok(())
/// # }
/// ```
pub struct UnixDatagram {
    inner: IoSource<net::UnixDatagram>,
}

impl UnixDatagram {
    /// Creates a file at `path` and a socket bound to it, like [`bind_addr`](UnixDatagram::bind_addr). The file remains
    /// after the socket is dropped.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or contains a zero byte, and the errors of `bind_addr`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&to_socket_addr(path.as_ref())?)
    }

    /// Creates a socket bound to this address.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, also for the path of any existing file, `NotFound` if the folder does not exist,
    /// `PermissionDenied`, or another error of the system.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = net::UnixDatagram::bind_addr(address)?;
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram::from_std(socket))
    }

    /// Converts a socket of the standard library. Make it non-blocking first, with
    /// [`set_nonblocking`](net::UnixDatagram::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(socket: net::UnixDatagram) -> UnixDatagram {
        socket::set_nosigpipe(&socket);
        UnixDatagram { inner: IoSource::new(socket) }
    }

    /// Connects this socket to the socket at `path`. From now on, this socket sends to and receives from that one only.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or contains a zero byte, `NotFound` if the path does not exist,
    /// `ConnectionRefused` if no socket is bound to it, `PermissionDenied`, or another error of the system.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref();
        self.inner.get().connect(path).map_err(|err| path_error(path, err))
    }

    /// Creates a socket without an address. It can send, but no socket can send to it.
    ///
    /// # Errors
    ///
    /// The system's error, for example when no descriptors are left.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let socket = socket::open(ffi::AF_UNIX, ffi::SOCK_DGRAM)?;
        Ok(UnixDatagram { inner: IoSource::new(socket.into()) })
    }

    /// Creates two sockets that are connected to each other and have no address.
    ///
    /// # Errors
    ///
    /// The system's error, for example when no descriptors are left.
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (here, there) = socket::pair(ffi::SOCK_DGRAM)?;
        Ok((UnixDatagram::from_std(here), UnixDatagram::from_std(there)))
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

    /// Receives a datagram, and returns its length and the address of its sender. Bytes that do not fit into `buf` are
    /// lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.get().recv_from(buf)
    }

    /// Receives a datagram. Bytes that do not fit into `buf` are lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system.
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        socket::recv(self.inner.get(), buf)
    }

    /// Sends a datagram to the socket at `path`. Returns the number of bytes sent, which is all of them.
    ///
    /// # Errors
    ///
    /// The errors of [`connect`](UnixDatagram::connect) and [`send`](UnixDatagram::send).
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let path = path.as_ref();
        self.inner.get().send_to(buf, path).map_err(|err| path_error(path, err))
    }

    /// Sends a datagram to the address to which the socket is connected. Returns the number of bytes sent, which is all
    /// of them.
    ///
    /// # Errors
    ///
    /// `WouldBlock`; `NotConnected` or the system's error `EDESTADDRREQ` if the socket is not connected;
    /// `ConnectionRefused` if the receiver is closed; or another error of the system, for example for a datagram that
    /// is too large.
    #[inline]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        socket::send(self.inner.get(), buf)
    }

    /// Returns the pending error of this socket (`SO_ERROR`) and clears it.
    ///
    /// # Errors
    ///
    /// The system's error, if the call itself fails.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Shuts down receiving, sending, or both. After sending is shut down, a send fails with `BrokenPipe`.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs |
    /// |---|---|---|
    /// | a receive after receiving is shut down | `WouldBlock`; sends to this socket fail with `BrokenPipe` | `Ok(0)` |
    ///
    /// # Errors
    ///
    /// `NotConnected`, or another error of the system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().shutdown(how)
    }

    /// Runs the program's own I/O operation on this socket's descriptor, like [`UnixStream::try_io`].
    ///
    /// # Errors
    ///
    /// The error of `f`.
    pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T>,
    {
        f()
    }
}

impl_socket!(UnixDatagram, net::UnixDatagram);

fn to_socket_addr(path: &Path) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path).map_err(|err| path_error(path, err))
}

/// Adds the path to an error with which the standard library rejects it. System errors pass unchanged.
fn path_error(path: &Path, err: io::Error) -> io::Error {
    match err.raw_os_error() {
        Some(_) => err,
        None => io::Error::new(err.kind(), format!("cannot use {path:?} as the address of a socket: {err}")),
    }
}
