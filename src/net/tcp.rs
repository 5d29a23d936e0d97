//! TCP streams and listeners.

#[cfg(doc)]
use std::io::ErrorKind;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};

use super::{impl_socket, read_by_reference, used, write_by_reference};
use crate::event::Token;
use crate::handle::socket;
use crate::io_source::IoSource;
use crate::{Interest, Registry};

/// A non-blocking TCP connection.
///
/// An operation that would block fails with [`WouldBlock`](ErrorKind::WouldBlock), and the stream's next event reports
/// when to try again. In edge mode, read and write until `WouldBlock`. After a read that does not fill its buffer, the
/// program may also stop reading, because the next byte causes an event. This does not hold after urgent data or a
/// `read_closed` event.
///
/// A write to a connection that the peer has closed returns an error and raises no signal (`SIGPIPE`).
///
/// # Examples
///
/// ```
/// use minimio::net::{TcpListener, TcpStream};
/// use minimio::{Events, Interest, Poll, Token};
/// use std::io::{ErrorKind, Read, Write};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let mut stream = TcpStream::connect(listener.local_addr()?)?;
/// let (mut peer, _) = listener.accept()?;
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// poll.registry().register(&mut stream, Token(0), Interest::READABLE)?;
/// peer.write_all(b"hello")?;
/// poll.poll(&mut events, None)?;
///
/// let mut buf = [0; 64];
/// assert_eq!(stream.read(&mut buf)?, 5);
/// assert_eq!(stream.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
/// # Ok(())
/// # }
/// ```
pub struct TcpStream {
    inner: IoSource<net::TcpStream>,
}

impl TcpStream {
    /// Starts to connect to `addr`, and returns without waiting for the connection.
    ///
    /// To wait for the connection, register the stream for `WRITABLE` and poll for an event. Then call
    /// [`take_error`](TcpStream::take_error): an error means that the connection was refused or has failed. Without an
    /// error, call [`peer_addr`](TcpStream::peer_addr): `Ok` means that the stream is connected. `NotConnected` means
    /// that the event came early, so wait for the next event.
    ///
    /// # Errors
    ///
    /// The system's error, if it is known immediately: no descriptors or handles left, no route, an address to which no
    /// socket can connect.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Interest, Poll, TcpStream, Token};
    /// use std::io::ErrorKind;
    ///
    /// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut stream = TcpStream::connect(server.local_addr()?)?;
    /// poll.registry().register(&mut stream, Token(0), Interest::WRITABLE)?;
    /// loop {
    ///     poll.poll(&mut events, None)?;
    ///     if let Some(err) = stream.take_error()? {
    ///         return Err(err);
    ///     }
    ///     match stream.peer_addr() {
    ///         Ok(peer) => break println!("connected to {peer}"),
    ///         Err(err) if err.kind() == ErrorKind::NotConnected => continue,
    ///         Err(err) => return Err(err),
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
        let stream = socket::connect(&addr)?;
        Ok(TcpStream { inner: IoSource::new(stream) })
    }

    /// Converts a stream of the standard library. Make it non-blocking first, with
    /// [`set_nonblocking`](net::TcpStream::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(stream: net::TcpStream) -> TcpStream {
        socket::set_nosigpipe(&stream);
        TcpStream { inner: IoSource::new(stream) }
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// `NotConnected` while the stream connects, and after the connection was refused. macOS returns `InvalidInput`
    /// after a refusal, and after a reset.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }

    /// Returns the local address.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// Shuts down reading, writing, or both.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or another error of the system. NetBSD returns `InvalidInput` after a refused connect.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().shutdown(how)?;
        if how != Shutdown::Read {
            self.inner.write_shut_down();
        }
        Ok(())
    }

    /// Sets whether the system sends small writes immediately (`TCP_NODELAY`) instead of gathering them.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.get().set_nodelay(nodelay)
    }

    /// Returns the value of [`set_nodelay`](TcpStream::set_nodelay).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.inner.get().nodelay()
    }

    /// Sets how many routers a packet may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_ttl(ttl)
    }

    /// Returns the value of [`set_ttl`](TcpStream::set_ttl).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.get().ttl()
    }

    /// Returns the pending error of this socket (`SO_ERROR`).
    ///
    /// | | Linux, Android, macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|
    /// | the connection was refused | returned once, then cleared | returned by every call |
    /// | the connection was reset | returned once, then cleared | not returned: the next read or write fails |
    ///
    /// # Errors
    ///
    /// The system's error, if the call itself fails.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Reads without consuming: the next read returns the same bytes.
    ///
    /// On Windows in edge mode, a peek that returns data rearms nothing: after it, `poll` does not report newly arrived
    /// data until the program reads. To peek until enough data has arrived, use level mode.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or another error of the system.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(|stream| socket::peek(stream, buf), used::after_peek)
    }

    /// Runs the program's own I/O operation on this socket's descriptor or handle, and rearms the directions that the
    /// operation may have used, according to its result.
    ///
    /// The closure must return `WouldBlock` if, and only if, the operation would block.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|---|
    /// | needed | no, the kernel sees every operation | no | yes, in edge mode |
    /// | `Ok` rearms | nothing | nothing | the readable direction |
    /// | `WouldBlock` rearms | nothing | nothing | both directions, so one more writable event may arrive |
    ///
    /// # Errors
    ///
    /// The error of `f`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use minimio::TcpStream;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// let result = stream.try_io(|| {
    ///     // For example, a `recvmsg` with a control message.
    ///     Ok(42)
    /// })?;
    /// assert_eq!(result, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T>,
    {
        self.inner.do_io(|_| f(), used::after_try_io)
    }
}

impl Read for &TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(|stream| socket::recv(stream, buf), used::after_read)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if bufs.is_empty() {
            // NetBSD and macOS return an error in this case.
            return Ok(0);
        }
        self.inner.do_io(|stream| socket::recv_vectored(stream, bufs), used::after_read)
    }
}

impl Write for &TcpStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.do_io(|stream| socket::send(stream, buf), used::after_write(buf.len()))
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if bufs.is_empty() {
            // NetBSD and macOS return an error in this case.
            return Ok(0);
        }
        self.inner.do_io(
            |stream| socket::send_vectored(stream, bufs),
            |result| used::after_write(bufs.iter().map(|buf| buf.len()).sum())(result),
        )
    }

    /// Does nothing: the system already has all written bytes.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl_socket!(TcpStream, net::TcpStream);
read_by_reference!(TcpStream);
write_by_reference!(TcpStream);

/// A non-blocking TCP socket that listens for connections.
///
/// In edge mode, accept until [`WouldBlock`](ErrorKind::WouldBlock): several connections may cause one event.
///
/// If the process has no descriptors left, `accept` fails and the connection remains in the queue. In edge mode, no
/// event reports it until the next connection arrives, and on Windows not even then: call `accept` again once a
/// descriptor is free. On macOS, the kernel closes the connection instead.
///
/// # Examples
///
/// ```
/// use minimio::net::TcpListener;
/// use std::io::ErrorKind;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
/// # Ok(())
/// # }
/// ```
pub struct TcpListener {
    inner: IoSource<net::TcpListener>,
}

impl TcpListener {
    /// Listens on `addr`. With port 0, the system chooses a port, which [`local_addr`](TcpListener::local_addr)
    /// returns.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|---|
    /// | the address can be bound while closed connections still use it | yes (`SO_REUSEADDR`) | yes (`SO_REUSEADDR`) | yes |
    /// | connections that can wait for `accept` | 4096, or the system's limit if that is lower (`net.core.somaxconn`) | the same (`kern.ipc.somaxconn` and the like) | [4096] |
    ///
    /// [4096]: https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-listen
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` for low ports, or another error of the system.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
        socket::listen(&addr).map(TcpListener::from_std)
    }

    /// Converts a listener of the standard library. Make it non-blocking first, with
    /// [`set_nonblocking`](net::TcpListener::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(listener: net::TcpListener) -> TcpListener {
        TcpListener { inner: IoSource::new(listener) }
    }

    /// Accepts a waiting connection, and returns it with the address of the peer. The stream is non-blocking and
    /// close-on-exec (on Windows, not inheritable).
    ///
    /// # Errors
    ///
    /// - `WouldBlock`: no connection is waiting.
    /// - `ConnectionAborted` or `ConnectionReset`, on some systems: the connection was closed while it waited.
    /// - Another error of the system. If no descriptor or handle is left, the connection remains in the queue, except
    ///   on macOS, where the kernel closes the connection. In edge mode, `poll` reports the listener again only when
    ///   the next connection arrives. On Windows, that event comes only after another `accept` has taken a connection
    ///   from the queue or has found the queue empty.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|---|
    /// | calls | [`accept4`](https://man7.org/linux/man-pages/man2/accept.2.html) (on Android on x86, `accept` and two calls for flags) | `accept4`; on Apple systems `accept` and three calls for flags | [`accept`](https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-accept), `SetHandleInformation` |
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::TcpListener, Events, Interest, Poll, Token};
    /// use std::io::ErrorKind;
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
    /// let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// poll.poll(&mut events, None)?;
    /// loop {
    ///     match listener.accept() {
    ///         Ok((stream, peer)) => println!("{stream:?} from {peer}"),
    ///         Err(err) if err.kind() == ErrorKind::WouldBlock => break,
    ///         Err(err) => return Err(err),
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, addr) = self.inner.do_io(socket::accept, used::after_accept)?;
        Ok((TcpStream::from_std(stream), addr))
    }

    /// Returns the address on which the listener listens.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// Sets how many routers a packet may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_ttl(ttl)
    }

    /// Returns the value of [`set_ttl`](TcpListener::set_ttl).
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.get().ttl()
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

impl_socket!(TcpListener, net::TcpListener);
