//! `Source`: what a program can register.

use std::io;

use crate::event::Token;
use crate::{Interest, Registry};

/// A source of events: a socket, a timer, or a type that wraps one.
///
/// The sockets in [`net`](crate::net), [`Timer`](crate::Timer), [`Signals`](crate::signal::Signals) and
/// [`ChildExit`](crate::process::ChildExit) implement this trait; on Unix also `SourceFd` and the ends of pipes, on
/// Windows also `SourceSocket`, `SourceHandle` and `NamedPipe`. A type that wraps a source implements the trait by
/// forwarding the calls. Only [`Registry`]'s methods and such wrappers should call the methods of this trait.
///
/// # Dropping
///
/// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|---|
/// | drop while registered (not a `SourceFd`, `SourceSocket` or `SourceHandle`, whose drop changes nothing) | ends the registration, unless a duplicate of the descriptor remains open (`try_clone`, `fork`) | ends the registration | ends the registration |
///
/// On Linux, deregister a source that has duplicates before you drop it. Otherwise the kernel continues to report it,
/// and the program cannot end the registration. On DragonFly, a `poll` that is blocked while another thread drops the
/// source may still report it.
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
    /// Registers this source. [`Registry::register`] calls this method.
    ///
    /// # Errors
    ///
    /// As for [`Registry::register`].
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Replaces the token and the interest of this source. [`Registry::reregister`] calls this method.
    ///
    /// # Errors
    ///
    /// As for [`Registry::reregister`].
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()>;

    /// Ends the registration of this source. [`Registry::deregister`] calls this method.
    ///
    /// # Errors
    ///
    /// As for [`Registry::deregister`].
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
