//! macOS and other Apple systems, the BSDs: the poller keeps which sources were added, because a kqueue replaces the
//! knotes of a source that is added twice.

use std::collections::HashMap;
use std::io;
use std::os::unix::io::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use minimio::event::Source as _;
use minimio::unix::SourceFd;
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
pub(crate) struct Sources(Mutex<HashMap<RawFd, bool>>);

impl Sources {
    pub const SUPPORTS_EDGE: bool = true;

    pub fn new(_registry: &Registry) -> io::Result<Sources> {
        Ok(Sources(Mutex::default()))
    }

    pub fn add(&self, registry: &Registry, fd: RawFd, event: Event, mode: PollMode) -> io::Result<()> {
        let mut sources = self.lock();
        if sources.contains_key(&fd) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let interest = interest(&event, mode);
        if let Some(interest) = interest {
            SourceFd(&fd).register(registry, Token(event.key), interest)?;
        }
        sources.insert(fd, interest.is_some());
        Ok(())
    }

    pub fn modify(&self, registry: &Registry, fd: RawFd, event: Event, mode: PollMode) -> io::Result<()> {
        let mut sources = self.lock();
        let registered = sources.get_mut(&fd).ok_or(io::ErrorKind::NotFound)?;
        match interest(&event, mode) {
            // This also replaces a registration, and succeeds if the descriptor was closed and opened again.
            Some(interest) => SourceFd(&fd).register(registry, Token(event.key), interest)?,
            None if *registered => ignore_not_found(SourceFd(&fd).deregister(registry))?,
            None => {}
        }
        *registered = interest(&event, mode).is_some();
        Ok(())
    }

    pub fn delete(&self, registry: &Registry, fd: RawFd) -> io::Result<()> {
        match self.lock().remove(&fd) {
            Some(true) => ignore_not_found(SourceFd(&fd).deregister(registry)),
            Some(false) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Waits for events. Returns false if the wait must start again.
    #[inline]
    pub fn wait(&self, poll: &mut Poll, batch: &mut Batch, timeout: Option<Duration>) -> io::Result<bool> {
        poll.poll(&mut batch.0, timeout).map(|()| true)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RawFd, bool>> {
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

/// The kernel deletes the knotes of a descriptor that is closed.
fn ignore_not_found(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
