//! Windows only: any socket or handle as a source, named pipes, and the conversions between sources and sockets.
//!
//! The queue can request the readiness of a socket (`iocp/sock.rs`), but not that of a pipe. A pipe reads ahead and
//! writes from a buffer (`iocp/pipe.rs`), so it has a type of its own, [`NamedPipe`], which contains the buffers.

use std::io;
use std::os::windows::io::{
    AsHandle, AsRawHandle, AsRawSocket, AsSocket, BorrowedHandle, BorrowedSocket, FromRawSocket, IntoRawSocket,
    OwnedSocket, RawHandle, RawSocket,
};

// This module and `crate::book` import each other, because `AsRawSocket` exists only on Windows.
use crate::book;
use crate::event::{Source, Token};
// This module and `crate::net` import each other: the conversions between the public sockets and the system's sockets
// are here, and the public sockets are built on `windows/socket.rs`.
use crate::net::{TcpListener, TcpStream, UdpSocket};
use crate::{Interest, Poll, Registry};

pub(crate) mod ffi;
mod named_pipe;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod socket;
mod source_handle;

/// Empty: on Windows, this crate has no sockets beyond those of `crate::net`.
pub(crate) mod net {}

pub use named_pipe::NamedPipe;
pub use source_handle::SourceHandle;

/// The system's identifier of a source: its socket.
pub(crate) type Raw = ffi::SOCKET;
pub(crate) use std::os::windows::io::AsRawSocket as AsRaw;

#[inline]
pub(crate) fn raw(source: &impl AsRawSocket) -> Raw {
    source.as_raw_socket() as Raw
}

/// Any socket as a source: the socket of another library, or of a kind for which this crate has no type.
///
/// A `SourceSocket` only borrows the socket and does not close it. The program keeps the socket open while it is
/// registered, makes it non-blocking if necessary, and deregisters it before the socket is closed.
///
/// This crate does not see how the program reads and writes the socket. In level and oneshot mode, that makes no
/// difference. In edge mode, `poll` reports a direction again only after [`reregister`](Registry::reregister), which
/// also reports a socket that is ready already.
///
/// A `SourceSocket` does not record its registration, so the queue identifies the socket by its number:
///
/// | | Windows |
/// |---|---|
/// | register twice with one poll | the second registration replaces the first |
/// | register with two polls | both polls report it |
/// | register also as a [`TcpStream`], or through a duplicate, with the same poll | not detected: events of one may arrive as events of the other |
/// | reregister or deregister without registration | `NotFound` |
/// | a handle that is not a socket | [`WSAENOTSOCK`] |
/// | close while registered | deregistered by the next `poll`, with the exceptions below |
/// | register or reregister the number of a closed socket that is still registered | registers the socket that has the number now |
///
/// The next `poll` deregisters a closed socket (or a later one, if `Events` is too small for all sources that are
/// ready), except if a duplicate of its handle is open, or if fewer than two calls of `poll` have followed its
/// registration or its last event. In the second case, `poll` may watch the socket that has the number then, if there
/// is one.
///
/// # Examples
///
/// ```
/// use minimio::windows::SourceSocket;
/// use minimio::{Events, Interest, Poll, Token};
/// use std::net::UdpSocket;
/// use std::os::windows::io::AsRawSocket;
///
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(4);
/// let socket = there.as_raw_socket();
/// poll.registry().register(&mut SourceSocket(&socket), Token(0), Interest::READABLE.level())?;
/// here.send_to(b"!", there.local_addr()?)?;
/// poll.poll(&mut events, None)?;
/// assert!(events.iter().any(|event| event.token() == Token(0) && event.is_readable()));
/// poll.registry().deregister(&mut SourceSocket(&socket))?;
/// # Ok(())
/// # }
/// ```
///
/// [`WSAENOTSOCK`]: https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2
#[derive(Debug)]
pub struct SourceSocket<'a>(pub &'a RawSocket);

impl SourceSocket<'_> {
    fn raw(&self) -> Raw {
        *self.0 as Raw
    }
}

impl Source for SourceSocket<'_> {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        socket::check_socket(self.raw())?;
        registry.selector().register_raw(self.raw(), token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        socket::check_socket(self.raw())?;
        registry.selector().reregister_raw(self.raw(), token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.selector().deregister_raw(self.raw())
    }
}

/// Returns the completion port ([what a program may do with it](Poll#completion-port)).
impl AsHandle for Registry {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        // SAFETY: the port is open as long as its selector, which the registry keeps.
        unsafe { BorrowedHandle::borrow_raw(self.selector().port()) }
    }
}

/// Returns the completion port ([what a program may do with it](Poll#completion-port)).
impl AsRawHandle for Registry {
    fn as_raw_handle(&self) -> RawHandle {
        self.selector().port()
    }
}

/// Returns the completion port ([what a program may do with it](Poll#completion-port)).
impl AsHandle for Poll {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.registry().as_handle()
    }
}

/// Returns the completion port ([what a program may do with it](Poll#completion-port)).
impl AsRawHandle for Poll {
    fn as_raw_handle(&self) -> RawHandle {
        self.registry().as_raw_handle()
    }
}

impl UdpSocket {
    /// Sets whether a receive fails when an earlier datagram was refused (`SIO_UDP_CONNRESET`). Windows only.
    ///
    /// The default is `true`. If a datagram was sent to a port on which no socket receives, the other machine reports
    /// the refusal, and the next `recv_from` fails with [`ConnectionReset`](io::ErrorKind::ConnectionReset), even if it
    /// would receive from another peer. The socket remains usable: a program either ignores the error or sets this to
    /// `false`.
    ///
    /// # Errors
    ///
    /// The system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let server = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// server.set_connreset(false)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "SIO_UDP_CONNRESET")]
    pub fn set_connreset(&self, on: bool) -> io::Result<()> {
        socket::set_connreset(self.as_std(), on)
    }
}

/// Converts between a source that wraps `$std` and the system's socket.
macro_rules! impl_socket_traits {
    ($socket:ident, $std:ty) => {
        impl AsRawSocket for $socket {
            #[inline]
            fn as_raw_socket(&self) -> RawSocket {
                self.as_std().as_raw_socket()
            }
        }

        impl AsSocket for $socket {
            #[inline]
            fn as_socket(&self) -> BorrowedSocket<'_> {
                self.as_std().as_socket()
            }
        }

        /// The socket stays as it is, blocking or non-blocking. Its registration ends.
        impl IntoRawSocket for $socket {
            fn into_raw_socket(self) -> RawSocket {
                self.into_std().into_raw_socket()
            }
        }

        /// The socket stays as it is, blocking or non-blocking. Its registration ends.
        impl From<$socket> for OwnedSocket {
            fn from(socket: $socket) -> OwnedSocket {
                socket.into_std().into()
            }
        }

        /// Takes the socket as it is. It should be non-blocking.
        impl FromRawSocket for $socket {
            unsafe fn from_raw_socket(socket: RawSocket) -> $socket {
                // SAFETY: the caller promises that `socket` is open and that no other code owns it.
                $socket::from_std(unsafe { <$std>::from_raw_socket(socket) })
            }
        }

        /// Takes the socket as it is. It should be non-blocking.
        impl From<OwnedSocket> for $socket {
            fn from(socket: OwnedSocket) -> $socket {
                $socket::from_std(socket.into())
            }
        }
    };
}

impl_socket_traits!(TcpStream, std::net::TcpStream);
impl_socket_traits!(TcpListener, std::net::TcpListener);
impl_socket_traits!(UdpSocket, std::net::UdpSocket);

impl AsRawSocket for book::TcpStream {
    fn as_raw_socket(&self) -> RawSocket {
        self.source().as_raw_socket()
    }
}

/// Handles an event of the console as the handler does that [`Signals`](crate::signal::Signals) installs. Only the
/// project's tests call this: Wine cannot generate such an event.
#[doc(hidden)]
pub fn handle_console_event(event: u32) -> bool {
    signal::handle(event)
}
