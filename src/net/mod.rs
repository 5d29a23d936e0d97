//! Non-blocking sockets, as sources of a [`Poll`](crate::Poll).
//!
//! Each wraps a socket of the standard library in non-blocking mode. Most operations use the standard library's
//! methods. Where the standard library lacks an operation (non-blocking connect, accept with flags, writes without
//! `SIGPIPE`), the crate calls the system.
//!
//! | | Linux, Android, macOS and other Apple systems, BSDs | Windows |
//! |---|---|---|
//! | TCP and UDP | [`TcpStream`], [`TcpListener`], [`UdpSocket`] | the same |
//! | Unix sockets | `UnixStream`, `UnixListener`, `UnixDatagram`, and their addresses, `SocketAddr` | none |

pub(crate) mod address;
mod tcp;
mod udp;
mod used;

use crate::handle;
// The sockets that only this system has. `unix/net.rs` and this module import each other, because the public path of
// Unix sockets is `net`. `handle` is imported first, and then its `net`: `pub use crate::handle::net::*` would add a
// second error on a system without a queue.
#[allow(unused_imports)]
pub use handle::net::*;
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

/// Implements `Source` for a type that wraps an `IoSource`, and the conversions on which platform traits are built.
macro_rules! forward_source {
    ($source:ident, $std:ty) => {
        impl $source {
            #[inline]
            pub(crate) fn as_std(&self) -> &$std {
                self.inner.get()
            }

            pub(crate) fn into_std(self) -> $std {
                self.inner.into_inner()
            }
        }

        impl crate::event::Source for $source {
            #[inline]
            fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
                self.inner.register(registry, token, interests)
            }

            #[inline]
            fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
                self.inner.reregister(registry, token, interests)
            }

            #[inline]
            fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
                self.inner.deregister(registry)
            }
        }
    };
}
pub(crate) use forward_source;

/// Completes a socket type: `forward_source!`, the `Debug` output of the standard library's socket, and the conversion
/// to it.
macro_rules! impl_socket {
    ($socket:ident, $std:ty) => {
        crate::net::forward_source!($socket, $std);

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.inner.fmt(f)
            }
        }

        /// The socket stays as it is, blocking or non-blocking. On Unix, its registration does not end: deregister the
        /// source first, or the poll continues to report it.
        impl From<$socket> for $std {
            fn from(socket: $socket) -> $std {
                socket.into_std()
            }
        }
    };
}
pub(crate) use impl_socket;

/// Implements `Read` for a type by calling the implementation for `&` of the type.
macro_rules! read_by_reference {
    ($source:ty) => {
        impl std::io::Read for $source {
            #[inline]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                (&*self).read(buf)
            }

            #[inline]
            fn read_vectored(&mut self, bufs: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                (&*self).read_vectored(bufs)
            }
        }
    };
}
pub(crate) use read_by_reference;

/// Implements `Write` for a type by calling the implementation for `&` of the type.
macro_rules! write_by_reference {
    ($source:ty) => {
        impl std::io::Write for $source {
            #[inline]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                (&*self).write(buf)
            }

            #[inline]
            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&*self).write_vectored(bufs)
            }

            #[inline]
            fn flush(&mut self) -> std::io::Result<()> {
                (&*self).flush()
            }
        }
    };
}
pub(crate) use write_by_reference;
