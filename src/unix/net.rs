//! Unix sockets: a stream, the listener it comes from, and datagrams.
//!
//! The kernel sees every operation, so nothing here says which direction it has used up, as TCP and UDP do.

// For compilers that have not heard of `bind_addr` and `connect_addr`: see the end of this file.
#![allow(unstable_name_collisions, clippy::incompatible_msrv)]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::io::OwnedFd;
use std::os::unix::net;
use std::path::Path;

use super::{ffi, socket};
use crate::event::Token;
use crate::io_source::IoSource;
use crate::net::forward_source;
use crate::{Interest, Registry};

/// The address of a Unix socket, which is the standard library's.
///
/// | | Linux, Android | macOS and its kin, BSDs |
/// |---|---|---|
/// | a path | up to 107 bytes | up to 103 bytes |
/// | none: that of a socket that was not bound | bound to it, a socket gets an abstract name | refused |
/// | an abstract name, which no file has | up to 107 bytes; `SocketAddrExt` of `std::os::linux::net` or `std::os::android::net` makes it | there are none |
///
/// That trait came with Rust 1.70. Before that, a peer may have an abstract name, but this program's sockets can't be
/// bound or connected to one: `Unsupported`.
pub use std::os::unix::net::SocketAddr;

/// A connection on this machine that never blocks.
///
/// What would block fails with [`WouldBlock`](io::ErrorKind::WouldBlock); the next event of the stream says when to try
/// again. In edge mode, read and write until then: a read that leaves part of its buffer empty proves nothing, since
/// descriptors that were passed along split reads.
///
/// Writing to a connection that the peer has closed is an error, never a signal (`SIGPIPE`).
///
/// | | Linux, Android | macOS and its kin, BSDs |
/// |---|---|---|
/// | the peer closes, and has read all | a read brings what it has sent, then the end | the same |
/// | the peer closes, and has not | what it has sent, then `ConnectionReset`, once, then the end | what it has sent, then the end |
/// | `shutdown(Read)` | the peer's writes fail with `BrokenPipe` | the peer's writes fail, or go nowhere |
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
    /// Connects to the listener whose address is `path`. As [`connect_addr`](UnixStream::connect_addr).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or has a zero byte in it, and those of `connect_addr`.
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
        UnixStream::connect_addr(&address(path.as_ref())?)
    }

    /// Connects to the listener with this address. Unlike TCP's, it is connected at once, before the listener accepts
    /// it, or not at all.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs |
    /// |---|---|---|
    /// | as many connections wait as the listener lets wait | `WouldBlock`: try again later, no event tells when | `ConnectionRefused` |
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such path, `ConnectionRefused` if nobody listens, `PermissionDenied`, `WouldBlock`, or
    /// the system's.
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        // To the standard library, this is what a datagram socket does; to the system, any socket.
        let socket = net::UnixDatagram::from(socket::open(ffi::AF_UNIX, ffi::SOCK_STREAM)?);
        match socket.connect_addr(address) {
            // On some systems a listener may have asked for this (`LOCAL_CONNWAIT`): it is connected when accepted.
            Err(err) if err.raw_os_error() == Some(ffi::EINPROGRESS) => {}
            result => result?,
        }
        Ok(UnixStream { inner: IoSource::new(OwnedFd::from(socket).into()) })
    }

    /// Takes over a stream of the standard library's, as it is: switch it to non-blocking before, with
    /// [`set_nonblocking`](net::UnixStream::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(stream: net::UnixStream) -> UnixStream {
        socket::adopt(&stream);
        UnixStream { inner: IoSource::new(stream) }
    }

    /// Two streams that are connected to each other, and have no address.
    ///
    /// # Errors
    ///
    /// The system's: no descriptors.
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (here, there) = socket::pair(ffi::SOCK_STREAM)?;
        Ok((UnixStream::from_std(here), UnixStream::from_std(there)))
    }

    /// The address of this end: of an accepted stream, its listener's; of one that has connected, none.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or the system's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }

    /// The error that waits on this socket (`SO_ERROR`), which is cleared by asking.
    ///
    /// # Errors
    ///
    /// The system's, if it can't be asked.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Ends reading, writing, or both.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or the system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().shutdown(how)
    }

    /// Runs an I/O operation of your own on this socket's descriptor: one that passes descriptors along, say. The
    /// kernel sees it, so edges come in any case; it is here for programs that are written for mio.
    ///
    /// # Errors
    ///
    /// Those of `f`.
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
        socket::send_vectored(self.inner.get(), bufs)
    }

    /// Does nothing: what was written is the system's already.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for UnixStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for UnixStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

forward_source!(UnixStream, net::UnixStream);

/// A Unix socket that listens for connections, and never blocks.
///
/// In edge mode, accept until [`WouldBlock`](io::ErrorKind::WouldBlock): several connections may be one event.
///
/// When the process has no descriptors left, `accept` fails and the connection stays waiting. In edge mode no further
/// event tells of it: call `accept` again once a descriptor is free.
///
/// The file of a path outlives the listener: the program removes it, and until then the path is `AddrInUse`.
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
    /// Listens on `path`, where it makes a file. As [`bind_addr`](UnixListener::bind_addr).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or has a zero byte in it, and those of `bind_addr`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&address(path.as_ref())?)
    }

    /// Listens on this address.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs |
    /// |---|---|---|
    /// | connections that wait to be accepted | 4096, or the system's limit if that is lower (`net.core.somaxconn`) | the same (`kern.ipc.somaxconn` and the like) |
    ///
    /// # Errors
    ///
    /// `AddrInUse`, also for a path that anything else has, `NotFound` if there is no such folder, `PermissionDenied`,
    /// or the system's.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        let listener = net::UnixListener::bind_addr(address)?;
        listener.set_nonblocking(true)?;
        socket::lengthen_backlog(&listener)?;
        Ok(UnixListener::from_std(listener))
    }

    /// Takes over a listener of the standard library's, as it is: switch it to non-blocking before, with
    /// [`set_nonblocking`](net::UnixListener::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(listener: net::UnixListener) -> UnixListener {
        UnixListener { inner: IoSource::new(listener) }
    }

    /// Takes a connection that is waiting, and the address of its other end: none, unless that was bound before it
    /// connected. The stream is non-blocking, and no program that this one starts inherits it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is waiting; on some systems `ConnectionAborted` for one that waited, but is gone; or the
    /// system's.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs |
    /// |---|---|---|
    /// | calls | [`accept4`](https://man7.org/linux/man-pages/man2/accept.2.html) (on Android on x86, `accept` and two more), and `getpeername` if the other end has an abstract name | `accept4`; `accept` and three more on macOS and its kin |
    #[inline]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, addr) = socket::accept_unix(self.inner.get())?;
        Ok((UnixStream::from_std(stream), addr))
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// The error that waits on this socket (`SO_ERROR`), which is cleared by asking.
    ///
    /// # Errors
    ///
    /// The system's, if it can't be asked.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }
}

forward_source!(UnixListener, net::UnixListener);

/// Datagrams on this machine, which are not lost on their way, by a socket that never blocks.
///
/// In edge mode, receive until [`WouldBlock`](io::ErrorKind::WouldBlock): several datagrams may be one event.
///
/// | | Linux, Android | macOS and its kin, BSDs |
/// |---|---|---|
/// | a datagram is longer than the buffer | what does not fit is lost | the same |
/// | the receiver has no room | `WouldBlock`; connected to that receiver, an event says when there is some | the error [`ENOBUFS`]: try again later, no event tells when |
/// | the receiver is gone | `ConnectionRefused` | `ConnectionRefused`, `ConnectionReset` or `NotConnected` |
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
    /// A socket with the address `path`, where it makes a file, which outlives it. As
    /// [`bind_addr`](UnixDatagram::bind_addr).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or has a zero byte in it, and those of `bind_addr`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&address(path.as_ref())?)
    }

    /// A socket with this address.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, also for a path that anything else has, `NotFound` if there is no such folder, `PermissionDenied`,
    /// or the system's.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = net::UnixDatagram::bind_addr(address)?;
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram::from_std(socket))
    }

    /// Takes over a socket of the standard library's, as it is: switch it to non-blocking before, with
    /// [`set_nonblocking`](net::UnixDatagram::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(socket: net::UnixDatagram) -> UnixDatagram {
        socket::adopt(&socket);
        UnixDatagram { inner: IoSource::new(socket) }
    }

    /// Sends to, and receives from, the socket at `path` only, from now on. Nothing is sent for it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path that is too long or has a zero byte in it, `NotFound` if there is none such,
    /// `ConnectionRefused` if nobody receives there, `PermissionDenied`, or the system's.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref();
        self.inner.get().connect(path).map_err(|err| explained(path, err))
    }

    /// A socket without an address: it can send, but nobody can send to it.
    ///
    /// # Errors
    ///
    /// The system's: no descriptors.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let socket = socket::open(ffi::AF_UNIX, ffi::SOCK_DGRAM)?;
        Ok(UnixDatagram { inner: IoSource::new(socket.into()) })
    }

    /// Two sockets that are connected to each other, and have no address.
    ///
    /// # Errors
    ///
    /// The system's: no descriptors.
    #[doc(alias = "socketpair")]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (here, there) = socket::pair(ffi::SOCK_DGRAM)?;
        Ok((UnixDatagram::from_std(here), UnixDatagram::from_std(there)))
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

    /// Receives a datagram, and the address it came from. What does not fit in `buf` is lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.get().recv_from(buf)
    }

    /// Receives a datagram. What does not fit in `buf` is lost.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's.
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        socket::recv(self.inner.get(), buf)
    }

    /// Sends a datagram to the socket at `path`. Returns the number of bytes sent, which is all of them.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](UnixDatagram::connect) and [`send`](UnixDatagram::send).
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let path = path.as_ref();
        self.inner.get().send_to(buf, path).map_err(|err| explained(path, err))
    }

    /// Sends a datagram to the address that the socket is connected to. Returns the number of bytes sent, which is all
    /// of them.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `NotConnected` (`DestinationAddressRequired`), `ConnectionRefused` if the receiver is gone, or the
    /// system's: a datagram may be too large.
    #[inline]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        socket::send(self.inner.get(), buf)
    }

    /// The error that waits on this socket (`SO_ERROR`), which is cleared by asking.
    ///
    /// # Errors
    ///
    /// The system's, if it can't be asked.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Ends receiving, sending, or both. To send is then `BrokenPipe`.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs |
    /// |---|---|---|
    /// | to receive is then | `WouldBlock`, and to send to it `BrokenPipe` | `Ok(0)` |
    ///
    /// # Errors
    ///
    /// `NotConnected`, or the system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().shutdown(how)
    }

    /// Runs an I/O operation of your own on this socket's descriptor. As [`UnixStream::try_io`].
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T>,
    {
        f()
    }
}

forward_source!(UnixDatagram, net::UnixDatagram);

fn address(path: &Path) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path).map_err(|err| explained(path, err))
}

/// Says which path it was that the standard library has refused. The system's errors stay as they are.
fn explained(path: &Path, err: io::Error) -> io::Error {
    match err.raw_os_error() {
        Some(_) => err,
        None => io::Error::new(err.kind(), format!("cannot use {path:?} as the address of a socket: {err}")),
    }
}

/// Methods that the standard library has had since Rust 1.70. Its own come before those of traits, so with a newer
/// compiler these are not used.
#[allow(dead_code)]
trait BindAddr: Sized {
    fn bind_addr(address: &SocketAddr) -> io::Result<Self>;
}

impl BindAddr for net::UnixListener {
    fn bind_addr(address: &SocketAddr) -> io::Result<net::UnixListener> {
        net::UnixListener::bind(path(address)?)
    }
}

impl BindAddr for net::UnixDatagram {
    fn bind_addr(address: &SocketAddr) -> io::Result<net::UnixDatagram> {
        net::UnixDatagram::bind(path(address)?)
    }
}

#[allow(dead_code)]
trait ConnectAddr {
    fn connect_addr(&self, address: &SocketAddr) -> io::Result<()>;
}

impl ConnectAddr for net::UnixDatagram {
    fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.connect(path(address)?)
    }
}

/// The path of an address; of none, an empty one.
#[allow(dead_code)]
fn path(address: &SocketAddr) -> io::Result<&Path> {
    match address.as_pathname() {
        Some(path) => Ok(path),
        None if address.is_unnamed() => Ok(Path::new("")),
        None => Err(io::Error::new(io::ErrorKind::Unsupported, "cannot use an abstract address before Rust 1.70")),
    }
}
