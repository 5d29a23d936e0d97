//! What only Unix has: any descriptor as a source, pipes, and this crate's types as descriptors.

use std::io;
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use crate::event::{Source, Token};
use crate::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use crate::queue::SourceState;
use crate::{Interest, Poll, Registry};

pub(crate) mod ffi;
pub(crate) mod net;
pub mod pipe;
pub(crate) mod socket;

/// What a source is, to the system.
pub(crate) type Raw = RawFd;
pub(crate) use std::os::unix::io::AsRawFd as AsRaw;

#[inline]
pub(crate) fn raw(source: &impl AsRawFd) -> Raw {
    source.as_raw_fd()
}

/// Any descriptor as a source: a pipe, a terminal, a timerfd, another library's socket.
///
/// It borrows the descriptor, has no memory, and closes nothing. The program keeps the descriptor open while it is
/// registered, switches it to non-blocking if it wants that, and deregisters it before it closes it.
///
/// Since it has no memory, the kernel's word counts where a [`Source`] of this crate would know better:
///
/// | | Linux, Android | macOS and its kin, BSDs |
/// |---|---|---|
/// | registered twice with one poll | `AlreadyExists` | the second takes the place of the first |
/// | registered with two polls | allowed: both report it | the same |
/// | re- or deregistered unregistered | `NotFound` | `NotFound` |
/// | a regular file or directory | `PermissionDenied` | a file is readable until its end, which is not told |
/// | closed while registered | forgotten with the last duplicate of the descriptor | forgotten |
///
/// # Examples
///
/// ```
/// use minimio::unix::SourceFd;
/// use minimio::{Events, Interest, Poll, Token};
/// use std::io::Write;
/// use std::os::unix::{io::AsRawFd, net::UnixStream};
///
/// # fn main() -> std::io::Result<()> {
/// let (mut here, there) = UnixStream::pair()?;
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(4);
/// poll.registry().register(&mut SourceFd(&there.as_raw_fd()), Token(0), Interest::READABLE)?;
/// here.write_all(b"!")?;
/// poll.poll(&mut events, None)?;
/// assert!(events.iter().any(|event| event.token() == Token(0) && event.is_readable()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SourceFd<'a>(pub &'a RawFd);

impl Source for SourceFd<'_> {
    #[inline]
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        registry.selector().register(&mut SourceState::default(), *self.0, token, interests)
    }

    #[inline]
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        registry.selector().reregister(&mut SourceState::default(), *self.0, token, interests)
    }

    #[inline]
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.selector().deregister(&mut SourceState::default(), *self.0)
    }
}

/// The queue's descriptor, to be watched by another event loop. From now on, wakes show on it.
impl AsFd for Registry {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.expose_descriptor().as_fd()
    }
}

/// The queue's descriptor, to be watched by another event loop. From now on, wakes show on it.
impl AsRawFd for Registry {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// The queue's descriptor, to be watched by another event loop. From now on, wakes show on it.
impl AsFd for Poll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry().as_fd()
    }
}

/// The queue's descriptor, to be watched by another event loop. From now on, wakes show on it.
impl AsRawFd for Poll {
    fn as_raw_fd(&self) -> RawFd {
        self.registry().as_raw_fd()
    }
}

/// A socket is its descriptor, and a descriptor becomes one.
macro_rules! impl_fd_traits {
    ($socket:ident, $std:ty) => {
        impl AsRawFd for $socket {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                self.as_std().as_raw_fd()
            }
        }

        impl AsFd for $socket {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.as_std().as_fd()
            }
        }

        /// It stays non-blocking. A registration ends without a call: deregister first, or the poll goes on to report
        /// it.
        impl IntoRawFd for $socket {
            fn into_raw_fd(self) -> RawFd {
                <$std>::from(self).into_raw_fd()
            }
        }

        /// It stays non-blocking. A registration ends without a call: deregister first, or the poll goes on to report
        /// it.
        impl From<$socket> for OwnedFd {
            fn from(socket: $socket) -> OwnedFd {
                <$std>::from(socket).into()
            }
        }

        /// The descriptor should be non-blocking.
        impl FromRawFd for $socket {
            unsafe fn from_raw_fd(fd: RawFd) -> $socket {
                // SAFETY: the caller promises that `fd` is open, and owned by nobody else.
                $socket::from_std(unsafe { <$std>::from_raw_fd(fd) })
            }
        }

        /// The descriptor should be non-blocking.
        impl From<OwnedFd> for $socket {
            fn from(fd: OwnedFd) -> $socket {
                $socket::from_std(fd.into())
            }
        }
    };
}

impl_fd_traits!(TcpStream, std::net::TcpStream);
impl_fd_traits!(TcpListener, std::net::TcpListener);
impl_fd_traits!(UdpSocket, std::net::UdpSocket);
impl_fd_traits!(UnixStream, std::os::unix::net::UnixStream);
impl_fd_traits!(UnixListener, std::os::unix::net::UnixListener);
impl_fd_traits!(UnixDatagram, std::os::unix::net::UnixDatagram);
