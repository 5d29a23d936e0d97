//! What can be registered, and who keeps it from being registered twice.

use std::io;

use crate::event::Token;
use crate::{Interest, Registry};

/// Something that can become ready: a socket, a timer, or anything that wraps one.
///
/// The sockets in [`net`](crate::net), [`Timer`](crate::Timer), on Unix `SourceFd` and the ends of pipes, on Windows
/// `SourceSocket` and `NamedPipe` implement it. A type of your own does it by passing the calls on; nothing but
/// [`Registry`]'s own methods should call it.
///
/// # Dropping
///
/// | | Linux, Android | macOS and its kin, BSDs | Windows |
/// |---|---|---|---|
/// | drop while registered | ends the registration, unless a duplicate of the descriptor lives (`try_clone`, `fork`) | ends the registration | ends the registration |
///
/// So deregister first whatever has been duplicated: the kernel would go on to report it, and nobody could stop it.
///
/// # Examples
///
/// ```
/// use minimio::{event::Source, net::UdpSocket, Interest, Registry, Token};
/// use std::io;
///
/// struct Telemetry {
///     socket: UdpSocket,
/// }
///
/// impl Source for Telemetry {
///     fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
///         self.socket.register(registry, token, interests)
///     }
///     fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
///         self.socket.reregister(registry, token, interests)
///     }
///     fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
///         self.socket.deregister(registry)
///     }
/// }
/// ```
pub trait Source {
    /// Begins to watch this source. Called by [`Registry::register`].
    ///
    /// # Errors
    ///
    /// Those of [`Registry::register`].
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Changes token and interest of this source. Called by [`Registry::reregister`].
    ///
    /// # Errors
    ///
    /// Those of [`Registry::reregister`].
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Ends the registration of this source. Called by [`Registry::deregister`].
    ///
    /// # Errors
    ///
    /// Those of [`Registry::deregister`].
    fn deregister(&mut self, registry: &Registry) -> io::Result<()>;
}

impl<T: Source + ?Sized> Source for Box<T> {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        (**self).register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        (**self).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        (**self).deregister(registry)
    }
}
