//! `IoSource`: a source that wraps a socket of the standard library, or a `File` that is an end of a Unix pipe. Every
//! source of this crate that owns a socket or an end of a Unix pipe contains an `IoSource`.

use std::fmt;
use std::io;

use crate::association::Association;
use crate::event::{Source, Token};
use crate::handle::{self, AsRaw};
use crate::queue::SourceState;
use crate::{Interest, Registry};

pub(crate) struct IoSource<T> {
    /// The queue's state of the source. The field is declared first, so it is dropped first: the source is deregistered
    /// while the socket is open, and no request refers to a reused socket number.
    state: SourceState,
    association: Association,
    io: T,
}

impl<T> IoSource<T> {
    #[inline]
    pub fn new(io: T) -> IoSource<T> {
        IoSource { state: SourceState::default(), association: Association::default(), io }
    }

    /// Returns the socket, for operations that need no rearm.
    #[inline]
    pub fn get(&self) -> &T {
        &self.io
    }

    pub fn into_inner(self) -> T {
        self.io
    }

    /// Runs an I/O operation on the socket. `used_direction` computes from the result which directions the operation
    /// used. On Windows, where the kernel has no edge mode, the queue rearms these.
    #[inline]
    pub fn do_io<R>(
        &self,
        operation: impl FnOnce(&T) -> io::Result<R>,
        used_direction: impl FnOnce(Result<&R, io::ErrorKind>) -> Option<Interest>,
    ) -> io::Result<R> {
        let result = operation(&self.io);
        if SourceState::NEEDS_REARM {
            if let Some(direction) = used_direction(result.as_ref().map_err(io::Error::kind)) {
                self.state.rearm(direction);
            }
        }
        result
    }

    /// Records that the program has shut down writing, for a queue whose kernel does not report it.
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
            // The source is registered, but the kernel has no record of it. A kqueue keeps no knote for an interest in
            // asynchronous I/O alone and, on some systems, none for a pipe whose reader is closed.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                selector.register(&mut self.state, raw, token, interests)
            }
            result => result,
        }
    }

    #[inline]
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.association.check(registry.id())?;
        if let Err(err) = registry.selector().deregister(&mut self.state, handle::raw(&self.io)) {
            ignore_not_found(err)?;
        }
        self.association = Association::default();
        Ok(())
    }
}

/// Returns every error but `NotFound`: as in `reregister`, a kqueue may have no knote to delete.
#[cold]
#[inline(never)]
fn ignore_not_found(err: io::Error) -> io::Result<()> {
    match err.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(err),
    }
}

/// Formats the wrapped socket.
impl<T: fmt::Debug> fmt::Debug for IoSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
