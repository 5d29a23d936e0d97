//! A socket of the standard library, wrapped as a source.

use std::fmt;
use std::io;

use crate::association::Association;
use crate::event::{Source, Token};
use crate::handle::{self, AsRaw};
use crate::queue::SourceState;
use crate::{Interest, Registry};

/// A socket of the standard library's that knows whether it is registered: what is inside all of our own.
pub(crate) struct IoSource<T> {
    /// Dropped before the socket: a queue that asks for it by its number must not ask for the next one's.
    state: SourceState,
    association: Association,
    io: T,
}

impl<T> IoSource<T> {
    #[inline]
    pub fn new(io: T) -> IoSource<T> {
        IoSource { state: SourceState::default(), association: Association::default(), io }
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
    pub fn do_io<R>(
        &self,
        operation: impl FnOnce(&T) -> io::Result<R>,
        used: impl FnOnce(Result<&R, io::ErrorKind>) -> Option<Interest>,
    ) -> io::Result<R> {
        let result = operation(&self.io);
        if SourceState::NEEDS_REARM {
            if let Some(direction) = used(result.as_ref().map_err(io::Error::kind)) {
                self.state.rearm(direction);
            }
        }
        result
    }

    /// Says that the program has shut down writing, for a queue that is not told by the kernel.
    #[inline]
    pub fn write_shut_down(&self) {
        self.state.write_shut_down();
    }
}

impl<T: AsRaw> Source for IoSource<T> {
    #[inline]
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check_unassociated(registry.id())?;
        registry.selector().register(&mut self.state, handle::raw(&self.io), token, interests)?;
        self.association.associate(registry.id());
        Ok(())
    }

    #[inline]
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check(registry.id())?;
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
        self.association.check(registry.id())?;
        match registry.selector().deregister(&mut self.state, handle::raw(&self.io)) {
            // As above. Now nobody knows of it.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
        self.association = Association::default();
        Ok(())
    }
}

/// As the standard library shows it.
impl<T: fmt::Debug> fmt::Debug for IoSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
