//! What can be registered, and who keeps it from being registered twice.

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::event::Token;
use crate::handle::{self, AsHandle};
use crate::queue::SourceState;
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

/// A socket of the standard library's that knows whether it is registered: what is inside all of our own.
pub(crate) struct IoSource<T> {
    /// Dropped before the socket: a queue that asks for it by its number must not ask for the next one's.
    state: SourceState,
    home: Home,
    io: T,
}

impl<T> IoSource<T> {
    #[inline]
    pub fn new(io: T) -> IoSource<T> {
        IoSource { state: SourceState::default(), home: Home::default(), io }
    }

    /// The socket, for what concerns neither reading nor writing.
    #[inline]
    pub fn get(&self) -> &T {
        &self.io
    }

    pub fn into_inner(self) -> T {
        self.io
    }

    /// Runs an I/O operation on the socket, then says which directions its result has used up, so that a queue
    /// without edges of its own looks for the next.
    #[inline]
    pub fn attempt<R>(
        &self,
        operation: impl FnOnce(&T) -> io::Result<R>,
        used: impl FnOnce(Result<&R, io::ErrorKind>) -> Option<Interest>,
    ) -> io::Result<R> {
        let result = operation(&self.io);
        if SourceState::REARMS {
            if let Some(direction) = used(result.as_ref().map_err(io::Error::kind)) {
                self.state.rearm(direction);
            }
        }
        result
    }

    /// Says that the program has shut down writing, for a queue that is not told by the kernel.
    #[inline]
    pub fn writing_has_ended(&self) {
        self.state.writing_has_ended();
    }
}

impl<T: AsHandle> Source for IoSource<T> {
    #[inline]
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.home.check_free(registry)?;
        registry.selector().register(&mut self.state, handle::raw(&self.io), token, interests)?;
        self.home.set(registry);
        Ok(())
    }

    #[inline]
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.home.check(registry)?;
        let (selector, raw) = (registry.selector(), handle::raw(&self.io));
        match selector.reregister(&mut self.state, raw, token, interests) {
            // It is registered, though the kernel knows nothing of it: a kqueue keeps nothing of a pipe whose reader
            // was gone, on some systems, nor of what is asynchronous.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                selector.register(&mut self.state, raw, token, interests)
            }
            result => result,
        }
    }

    #[inline]
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.home.check(registry)?;
        match registry.selector().deregister(&mut self.state, handle::raw(&self.io)) {
            // As above. Now nobody knows of it.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
        self.home = Home::default();
        Ok(())
    }
}

/// As the standard library shows it.
impl<T: fmt::Debug> fmt::Debug for IoSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

/// The number of a `Poll`: never 0, and unique among the living.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PollId(u32);

/// The numbers in use, in order, and the one given out last.
static LIVE: Mutex<(Vec<PollId>, u32)> = Mutex::new((Vec::new(), 0));

impl PollId {
    pub fn new() -> PollId {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        let (ids, last) = &mut *live;
        loop {
            // Wraps after four billion polls; a poll that still lives keeps its number.
            *last = last.wrapping_add(1);
            if let (1.., Err(at)) = (*last, ids.binary_search(&PollId(*last))) {
                ids.insert(at, PollId(*last));
                return PollId(*last);
            }
        }
    }

    /// The `Poll` is gone, and what was registered with it is free.
    pub fn retire(self) {
        let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(at) = live.0.binary_search(&self) {
            live.0.remove(at);
        }
    }

    fn is_live(self) -> bool {
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).0.binary_search(&self).is_ok()
    }
}

/// Where a source is registered: the number of a `Poll`, or 0. It moves with the source.
#[derive(Default)]
pub(crate) struct Home(u32);

impl Home {
    /// `AlreadyExists` if the source is registered with a living `Poll`.
    #[inline]
    pub fn check_free(&self, registry: &Registry) -> io::Result<()> {
        match self.0 {
            0 => Ok(()),
            id => taken(PollId(id), registry),
        }
    }

    /// `NotFound` unless the source is registered here.
    #[inline]
    pub fn check(&self, registry: &Registry) -> io::Result<()> {
        if self.0 == registry.id().0 {
            Ok(())
        } else {
            Err(not_here())
        }
    }

    #[inline]
    pub fn set(&mut self, registry: &Registry) {
        self.0 = registry.id().0;
    }
}

#[cold]
#[inline(never)]
fn taken(id: PollId, registry: &Registry) -> io::Result<()> {
    if id == registry.id() {
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "cannot register: this source is registered here already"))
    } else if id.is_live() {
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "cannot register: this source is registered with another Poll",
        ))
    } else {
        Ok(())
    }
}

#[cold]
#[inline(never)]
fn not_here() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "cannot reregister or deregister: this source is not registered here")
}

/// An error of the system's, with the words for what was attempted. Its kind stays; the system's error is its source.
#[cold]
pub(crate) fn explain(attempt: impl Into<String>, err: io::Error) -> io::Error {
    io::Error::new(err.kind(), Explained { attempt: attempt.into(), err })
}

#[derive(Debug)]
struct Explained {
    attempt: String,
    err: io::Error,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.attempt, self.err)
    }
}

impl std::error::Error for Explained {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.err)
    }
}
