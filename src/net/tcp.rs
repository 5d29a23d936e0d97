//! TCP: a stream, and the listener it comes from.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};

use super::forward_source;
use crate::event::Token;
use crate::handle::socket;
use crate::io_source::IoSource;
use crate::{Interest, Registry};

/// A TCP connection that never blocks.
///
/// What would block fails with [`WouldBlock`](ErrorKind::WouldBlock); the next event of the stream says when to try
/// again. In edge mode, read and write until then. While the peer sends no urgent data, a read that leaves part of its
/// buffer empty may be taken for the end as well (unless the event was `read_closed`): the next byte brings the next
/// event.
///
/// Writing to a connection that the peer has closed is an error, never a signal (`SIGPIPE`).
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
    /// Begins to connect to `addr`, and does not wait for the outcome.
    ///
    /// To learn it: register the stream for `WRITABLE` and wait for an event. Then ask
    /// [`take_error`](TcpStream::take_error): an error means that the connection was refused or has failed. Without
    /// one, ask [`peer_addr`](TcpStream::peer_addr): `Ok` means connected; `NotConnected` means that the event came
    /// early, so wait for the next.
    ///
    /// # Errors
    ///
    /// The system's, when it can tell at once: no descriptors or handles, no route, an address that can't be connected
    /// to.
    #[inline]
    pub fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
        let stream = socket::connect(&addr)?;
        Ok(TcpStream { inner: IoSource::new(stream) })
    }

    /// Takes over a stream of the standard library's, as it is: switch it to non-blocking before, with
    /// [`set_nonblocking`](net::TcpStream::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(stream: net::TcpStream) -> TcpStream {
        socket::adopt(&stream);
        TcpStream { inner: IoSource::new(stream) }
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// `NotConnected` while the connection is being made, and after it was refused. macOS answers `InvalidInput` after
    /// that, and after a reset.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// Ends reading, writing, or both.
    ///
    /// # Errors
    ///
    /// `NotConnected`, or the system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().shutdown(how)?;
        if how != Shutdown::Read {
            self.inner.write_shut_down();
        }
        Ok(())
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`) instead of being gathered.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.get().set_nodelay(nodelay)
    }

    /// What [`set_nodelay`](TcpStream::set_nodelay) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.inner.get().nodelay()
    }

    /// Through how many routers packets may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_ttl(ttl)
    }

    /// What [`set_ttl`](TcpStream::set_ttl) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.get().ttl()
    }

    /// The error that waits on this socket (`SO_ERROR`).
    ///
    /// | | Linux, Android, macOS and its kin, BSDs | Windows |
    /// |---|---|---|
    /// | a connection was refused | told once, then cleared | told as often as one asks |
    /// | the connection was reset | told once, then cleared | not told: the next read or write fails |
    ///
    /// # Errors
    ///
    /// The system's, if it can't be asked.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.get().take_error()
    }

    /// Reads without taking: the next read gets the same bytes. On Windows in edge mode, what arrives later is not told
    /// before a read: whoever peeks until enough is there does so in level mode.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or the system's.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(
            |stream| socket::peek(stream, buf),
            |result| match result {
                Err(ErrorKind::WouldBlock) => Some(Interest::READABLE),
                _ => None,
            },
        )
    }

    /// Runs an I/O operation of your own on this socket's descriptor or handle, so that edges go on to come.
    ///
    /// The closure returns `WouldBlock` if, and only if, the operation would block.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs | Windows |
    /// |---|---|---|---|
    /// | is it needed? | no, the kernel sees every operation | no | yes, in edge mode |
    /// | what `WouldBlock` brings | nothing | nothing | the next event of either direction, and so perhaps one more that says writable |
    ///
    /// # Errors
    ///
    /// Those of `f`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use minimio::TcpStream;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?)?;
    /// let answer = stream.try_io(|| {
    ///     // A `recvmsg` with a control message, say.
    ///     Ok(42)
    /// })?;
    /// assert_eq!(answer, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> io::Result<T>,
    {
        self.inner.do_io(|_| f(), either_direction)
    }
}

/// A read that got something or would have to wait. The end of the stream, and an error, stay as they are.
#[inline]
fn reading(result: Result<&usize, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(1..) | Err(ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(Interest::READABLE),
        _ => None,
    }
}

/// A write of `len` bytes that could not take them all.
#[inline]
fn writing(len: usize) -> impl FnOnce(Result<&usize, ErrorKind>) -> Option<Interest> {
    move |result| match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::WRITABLE),
        Ok(written) if *written < len => Some(Interest::WRITABLE),
        _ => None,
    }
}

/// An operation of which nothing is known but its outcome.
#[inline]
fn either_direction<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(_) => Some(Interest::READABLE),
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE | Interest::WRITABLE),
        Err(_) => None,
    }
}

impl Read for &TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.do_io(|stream| socket::recv(stream, buf), reading)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.inner.do_io(|stream| socket::recv_vectored(stream, bufs), reading)
    }
}

impl Write for &TcpStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.do_io(|stream| socket::send(stream, buf), writing(buf.len()))
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.inner.do_io(
            |stream| socket::send_vectored(stream, bufs),
            |result| writing(bufs.iter().map(|buf| buf.len()).sum())(result),
        )
    }

    /// Does nothing: what was written is the system's already.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for TcpStream {
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

forward_source!(TcpStream, net::TcpStream);

/// A TCP socket that listens for connections, and never blocks.
///
/// In edge mode, accept until [`WouldBlock`](ErrorKind::WouldBlock): several connections may be one event.
///
/// When the process has no descriptors left, `accept` fails and the connection stays waiting. In edge mode no further
/// event tells of it: call `accept` again once a descriptor is free.
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
    /// Listens on `addr`; port 0 lets the system choose one, which [`local_addr`](TcpListener::local_addr) tells.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs | Windows |
    /// |---|---|---|---|
    /// | an address of closed connections can be taken again | at once (`SO_REUSEADDR`) | at once (`SO_REUSEADDR`) | at once |
    /// | connections that wait to be accepted | 4096, or the system's limit if that is lower (`net.core.somaxconn`) | the same (`kern.ipc.somaxconn` and the like) | [4096] |
    ///
    /// [4096]: https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-listen
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` for low ports, or the system's.
    pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
        socket::listen(&addr).map(TcpListener::from_std)
    }

    /// Takes over a listener of the standard library's, as it is: switch it to non-blocking before, with
    /// [`set_nonblocking`](net::TcpListener::set_nonblocking).
    #[must_use]
    #[inline]
    pub fn from_std(listener: net::TcpListener) -> TcpListener {
        TcpListener { inner: IoSource::new(listener) }
    }

    /// Takes a connection that is waiting, and the address of its other end. The stream is non-blocking, and no program
    /// that this one starts inherits it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is waiting; on some systems `ConnectionAborted` or `ConnectionReset` for one that waited,
    /// but is gone; or the system's. Where it was for want of descriptors or handles, the connection waits on; in edge
    /// mode it is told again with the next one, on Windows not before the next `accept`.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs | Windows |
    /// |---|---|---|---|
    /// | calls | [`accept4`](https://man7.org/linux/man-pages/man2/accept.2.html) (on Android on x86, `accept` and two more) | `accept4`; `accept` and three more on macOS and its kin | [`accept`](https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-accept), `SetHandleInformation` |
    #[inline]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, addr) = self.inner.do_io(socket::accept, |result| match result {
            Ok(_) => Some(Interest::READABLE),
            Err(ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {
                Some(Interest::READABLE)
            }
            Err(_) => None,
        })?;
        Ok((TcpStream::from_std(stream), addr))
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    /// Through how many routers packets may pass (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.inner.get().set_ttl(ttl)
    }

    /// What [`set_ttl`](TcpListener::set_ttl) has set.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.inner.get().ttl()
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

forward_source!(TcpListener, net::TcpListener);
