//! macOS and other Apple systems, the BSDs: the poller keeps which sources were added, because a kqueue replaces the
//! knotes of a source that is added twice.

use std::collections::HashMap;
use std::io;
use std::os::unix::io::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use minimio::event::Source as _;
use minimio::unix::{SourceFd, SourceFilter};
use minimio::{Interest, Poll, Registry, Token};

use crate::event::Extra;
use crate::{Event, PollMode};

pub(crate) use crate::unix::Batch;

/// Whether events contain interrupts, priority and errors.
pub(crate) const HAS_EXTRA: bool = false;

pub(crate) fn connect_failed(_extra: &Extra) -> Option<bool> {
    None
}

/// The sources of a poller. The value is whether the source is registered with minimio: not if its interest is empty.
pub(crate) struct Sources(Mutex<HashMap<Key, bool>>);

/// What identifies a source: a descriptor, or a filter and its object.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Fd(RawFd),
    Filter(i16, usize),
}

/// What can be added.
pub(crate) enum Source {
    Fd(RawFd),
    Filter(SourceFilter),
}

impl From<SourceFilter> for Source {
    fn from(filter: SourceFilter) -> Source {
        Source::Filter(filter)
    }
}

impl Source {
    fn key(&self) -> Key {
        match self {
            Source::Fd(fd) => Key::Fd(*fd),
            Source::Filter(filter) => Key::Filter(filter.filter, filter.ident),
        }
    }

    /// Registers the source, or replaces its registration.
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Source::Fd(fd) => SourceFd(fd).register(registry, token, interest),
            Source::Filter(filter) => filter.register(registry, token, interest),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        let result = match self {
            Source::Fd(fd) => SourceFd(fd).deregister(registry),
            Source::Filter(filter) => filter.deregister(registry),
        };
        match result {
            // The kernel deletes the knotes of a descriptor that is closed and of a process that has exited.
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

impl Sources {
    pub const SUPPORTS_EDGE: bool = true;

    pub fn new(_registry: &Registry) -> io::Result<Sources> {
        Ok(Sources(Mutex::default()))
    }

    pub fn add(&self, registry: &Registry, fd: RawFd, event: Event, mode: PollMode) -> io::Result<()> {
        self.add_source(registry, Source::Fd(fd), event, mode)
    }

    pub fn modify(&self, registry: &Registry, fd: RawFd, event: Event, mode: PollMode) -> io::Result<()> {
        self.modify_source(registry, Source::Fd(fd), event, mode)
    }

    pub fn delete(&self, registry: &Registry, fd: RawFd) -> io::Result<()> {
        self.delete_source(registry, Source::Fd(fd))
    }

    pub fn add_source(&self, registry: &Registry, mut source: Source, event: Event, mode: PollMode) -> io::Result<()> {
        let mut sources = self.lock();
        if sources.contains_key(&source.key()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let interest = interest(&event, mode);
        if let Some(interest) = interest {
            source.register(registry, Token(event.key), interest)?;
        }
        sources.insert(source.key(), interest.is_some());
        Ok(())
    }

    pub fn modify_source(
        &self,
        registry: &Registry,
        mut source: Source,
        event: Event,
        mode: PollMode,
    ) -> io::Result<()> {
        let mut sources = self.lock();
        let registered = sources.get_mut(&source.key()).ok_or(io::ErrorKind::NotFound)?;
        match interest(&event, mode) {
            Some(interest) => source.register(registry, Token(event.key), interest)?,
            None if *registered => source.deregister(registry)?,
            None => {}
        }
        *registered = interest(&event, mode).is_some();
        Ok(())
    }

    pub fn delete_source(&self, registry: &Registry, mut source: Source) -> io::Result<()> {
        match self.lock().remove(&source.key()) {
            Some(true) => source.deregister(registry),
            Some(false) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Waits for events. Returns false if the wait must start again.
    #[inline]
    pub fn wait(&self, poll: &mut Poll, batch: &mut Batch, timeout: Option<Duration>) -> io::Result<bool> {
        poll.poll(&mut batch.0, timeout).map(|()| true)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns minimio's interest, or `None` if nothing is to be reported.
fn interest(event: &Event, mode: PollMode) -> Option<Interest> {
    let interest = match (event.readable, event.writable) {
        (true, true) => Interest::READABLE | Interest::WRITABLE,
        (true, false) => Interest::READABLE,
        (false, true) => Interest::WRITABLE,
        (false, false) => return None,
    };
    Some(match mode {
        PollMode::Oneshot | PollMode::EdgeOneshot => interest.oneshot(),
        PollMode::Level => interest.level(),
        PollMode::Edge => interest.edge(),
    })
}

/// Returns polling's event. The end of the peer's data makes a source writable, because some systems report a closed
/// pipe only in this way.
pub(crate) fn event(event: &minimio::event::Event) -> Event {
    Event::new(event.token().0, event.is_readable(), event.is_writable() || event.is_read_closed())
}
