//! Sockets that never block.
//!
//! They are the standard library's, switched to non-blocking, and sources of a [`Poll`](crate::Poll). Options and
//! addresses go through `std`; connecting, accepting, reading and writing go straight to the system.
//!
//! | | Linux, Android, macOS and its kin, BSDs | Windows |
//! |---|---|---|
//! | TCP and UDP | [`TcpStream`], [`TcpListener`], [`UdpSocket`] | the same |
//! | Unix sockets | `UnixStream`, `UnixListener`, `UnixDatagram`, and `SocketAddr`, their addresses | none |

pub(crate) mod address;
mod tcp;
mod udp;

use crate::handle;
// Those that only this system has, if any. In two steps: one path would be a second error where there is no queue.
#[allow(unused_imports)]
pub use handle::net::*;
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

/// A source that passes everything on to the `IoSource` inside, and looks like the standard library's socket.
macro_rules! forward_source {
    ($socket:ident, $std:ty) => {
        impl $socket {
            /// What the platform's own conversions are made of.
            #[inline]
            pub(crate) fn as_std(&self) -> &$std {
                self.inner.get()
            }
        }

        impl crate::event::Source for $socket {
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

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.inner.fmt(f)
            }
        }

        /// It stays non-blocking. A registration ends without a call: deregister first, since on Unix the poll goes on
        /// to report it.
        impl From<$socket> for $std {
            fn from(socket: $socket) -> $std {
                socket.inner.into_inner()
            }
        }
    };
}
pub(crate) use forward_source;
