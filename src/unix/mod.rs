//! Unix only: any descriptor as a source, pipes, and the conversions between sources and descriptors.

use std::io;
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

// This module and `crate::book` import each other, because `AsRawFd` exists only on Unix.
use crate::book;
use crate::event::{Source, Token};
// This module and `crate::net` import each other: the conversions between the public sockets and descriptors are here,
// and the sockets are built on `unix/socket.rs`.
use crate::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use crate::queue::{source_filter, SourceState};
use crate::{Interest, Poll, Registry};

pub(crate) mod addr_compat;
pub(crate) mod descriptor;
pub(crate) mod ffi;
pub(crate) mod net;
pub mod pipe;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod signal_handler;
pub(crate) mod socket;
pub(crate) mod source_state;

// Empty with epoll.
#[allow(unused_imports)]
pub use source_filter::*;

/// The system's identifier of a source: its descriptor.
pub(crate) type Raw = RawFd;
pub(crate) use std::os::unix::io::AsRawFd as AsRaw;

#[inline]
pub(crate) fn raw(source: &impl AsRawFd) -> Raw {
    source.as_raw_fd()
}

/// Any descriptor as a source: a pipe, a terminal, a timerfd, the socket of another library.
///
/// A `SourceFd` only borrows the descriptor and does not close it. The program keeps the descriptor open while it is
/// registered, makes it non-blocking if necessary, and deregisters it before the descriptor is closed.
///
/// A `SourceFd` does not record its registration, so the kernel's checks apply instead of those of other sources:
///
/// | | Linux, Android | macOS and other Apple systems, BSDs |
/// |---|---|---|
/// | register twice with one poll | `AlreadyExists` | the second registration replaces the first |
/// | register with two polls | both polls report it | both polls report it |
/// | reregister or deregister without registration | `NotFound` | `NotFound` |
/// | a regular file | `PermissionDenied` (`EPERM`) | readable until its end; the end is not reported |
/// | a directory | `PermissionDenied` (`EPERM`) | depends on the system |
/// | a FIFO (named pipe) | reported | reported, but macOS does not report that its writers have closed it |
/// | close while registered | deregistered when the last duplicate of the descriptor is closed | deregistered |
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

/// Returns the queue's descriptor, for an outer event loop. From now on, a wake makes it readable.
impl AsFd for Registry {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.expose_descriptor().as_fd()
    }
}

/// Returns the queue's descriptor, for an outer event loop. From now on, a wake makes it readable.
impl AsRawFd for Registry {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Returns the queue's descriptor, for an outer event loop. From now on, a wake makes it readable.
impl AsFd for Poll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry().as_fd()
    }
}

/// Returns the queue's descriptor, for an outer event loop. From now on, a wake makes it readable.
impl AsRawFd for Poll {
    fn as_raw_fd(&self) -> RawFd {
        self.registry().as_raw_fd()
    }
}

/// Converts between a source that wraps `$std` and its descriptor.
macro_rules! impl_fd_traits {
    ($source:ident, $std:ty) => {
        impl AsRawFd for $source {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                self.as_std().as_raw_fd()
            }
        }

        impl AsFd for $source {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.as_std().as_fd()
            }
        }

        /// The descriptor stays as it is, blocking or non-blocking. Its registration does not end: deregister the
        /// source first, or the poll continues to report it.
        impl IntoRawFd for $source {
            fn into_raw_fd(self) -> RawFd {
                self.into_std().into_raw_fd()
            }
        }

        /// The descriptor stays as it is, blocking or non-blocking. Its registration does not end: deregister the
        /// source first, or the poll continues to report it.
        impl From<$source> for OwnedFd {
            fn from(source: $source) -> OwnedFd {
                source.into_std().into()
            }
        }

        /// Takes the descriptor as it is. It should be non-blocking.
        impl FromRawFd for $source {
            unsafe fn from_raw_fd(fd: RawFd) -> $source {
                // SAFETY: the caller promises that `fd` is open and that no other code owns it.
                $source::from_std(unsafe { <$std>::from_raw_fd(fd) })
            }
        }

        /// Takes the descriptor as it is. It should be non-blocking.
        impl From<OwnedFd> for $source {
            fn from(fd: OwnedFd) -> $source {
                $source::from_std(fd.into())
            }
        }
    };
}
pub(crate) use impl_fd_traits;

impl_fd_traits!(TcpStream, std::net::TcpStream);
impl_fd_traits!(TcpListener, std::net::TcpListener);
impl_fd_traits!(UdpSocket, std::net::UdpSocket);
impl_fd_traits!(UnixStream, std::os::unix::net::UnixStream);
impl_fd_traits!(UnixListener, std::os::unix::net::UnixListener);
impl_fd_traits!(UnixDatagram, std::os::unix::net::UnixDatagram);

impl AsRawFd for book::TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.source().as_raw_fd()
    }
}
