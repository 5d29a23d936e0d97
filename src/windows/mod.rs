//! What only Windows has: any socket as a source, named pipes, and this crate's types as sockets of the system's.
//!
//! A socket is asked for readiness by the queue (`iocp/sock.rs`). A pipe can't be: it is read ahead, and written behind
//! the program's back (`iocp/pipe.rs`), and so it needs a type of its own, [`NamedPipe`], with buffers inside.

use std::io;
use std::os::windows::io::{
    AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket, IntoRawSocket, OwnedSocket, RawSocket,
};

use crate::event::{Source, Token};
use crate::net::{TcpListener, TcpStream, UdpSocket};
use crate::{Interest, Registry};

pub(crate) mod ffi;
mod named_pipe;
pub(crate) mod socket;

/// Sockets that only Windows has: none.
pub(crate) mod net {}

pub use named_pipe::NamedPipe;

/// What a source is, to the system.
pub(crate) type Raw = ffi::SOCKET;
pub(crate) use std::os::windows::io::AsRawSocket as AsRaw;

#[inline]
pub(crate) fn raw(source: &impl AsRawSocket) -> Raw {
    source.as_raw_socket() as Raw
}

/// Any socket as a source: one of another library's, or of a kind that this crate has no type for.
///
/// It borrows the socket, has no memory, and closes nothing. The program keeps the socket open while it is registered,
/// switches it to non-blocking if it wants that, and deregisters it before it closes it.
///
/// This crate does not see how the socket is read and written. In level and oneshot mode that makes no difference. In
/// edge mode, the next event of a direction comes only after [`reregister`](Registry::reregister), which tells of
/// what is ready already as well.
///
/// Since it has no memory, the queue remembers the socket by its number:
///
/// | | Windows |
/// |---|---|
/// | registered twice with one poll | `AlreadyExists`; but if there has just been an event, the first one may have been closed, and the second takes its place |
/// | registered with two polls | allowed: both report it |
/// | registered as a [`TcpStream`] or the like as well, or by a duplicate, with the same poll | not noticed: events of one may come as the other's |
/// | re- or deregistered unregistered | `NotFound` |
/// | a handle that is no socket | the error [`WSAENOTSOCK`] |
/// | closed while registered | forgotten, unless a duplicate of the handle lives, there has just been an event, or no poll since it was registered; its number can be registered again, except in the last case |
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
        registry.selector().reregister_raw(self.raw(), token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.selector().deregister_raw(self.raw())
    }
}

impl UdpSocket {
    /// Whether the socket's reads fail with the refusals that earlier datagrams have met (`SIO_UDP_CONNRESET`). Windows
    /// only.
    ///
    /// It is on at first: when a datagram was sent to where nobody receives, the other machine says so, and the next
    /// `recv_from` fails with [`ConnectionReset`](io::ErrorKind::ConnectionReset), even if it is about quite another
    /// peer. The socket is none the worse for it; a program either goes on, or switches this off and never hears of it.
    ///
    /// # Errors
    ///
    /// The system's.
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

/// One of our sockets is one of the system's, and one of the system's becomes ours.
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

        /// It stays non-blocking. A registration ends.
        impl IntoRawSocket for $socket {
            fn into_raw_socket(self) -> RawSocket {
                <$std>::from(self).into_raw_socket()
            }
        }

        /// It stays non-blocking. A registration ends.
        impl From<$socket> for OwnedSocket {
            fn from(socket: $socket) -> OwnedSocket {
                <$std>::from(socket).into()
            }
        }

        /// The socket should be non-blocking.
        impl FromRawSocket for $socket {
            unsafe fn from_raw_socket(socket: RawSocket) -> $socket {
                // SAFETY: the caller promises that `socket` is open, and owned by nobody else.
                $socket::from_std(unsafe { <$std>::from_raw_socket(socket) })
            }
        }

        /// The socket should be non-blocking.
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
