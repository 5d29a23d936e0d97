//! Linux and Android: the kernel keeps all registrations, and detects a source that is added twice or was not added.

use std::io;
use std::os::unix::io::RawFd;
use std::time::Duration;

use minimio::unix::SourceFd;
use minimio::{Interest, Poll, Registry, Token};

use crate::event::Extra;
use crate::{Event, PollMode};

pub(crate) use crate::unix::Batch;

/// Whether events contain interrupts, priority and errors.
pub(crate) const HAS_EXTRA: bool = true;

/// A connection attempt that fails, or a socket that was never connected, also hangs up.
pub(crate) fn connect_failed(extra: &Extra) -> Option<bool> {
    Some(extra.error && extra.interrupt)
}

/// The sources of a poller. The kernel keeps them.
pub(crate) struct Sources {}

impl Sources {
    pub const SUPPORTS_EDGE: bool = true;

    pub fn new(_registry: &Registry) -> io::Result<Sources> {
        Ok(Sources {})
    }

    #[inline]
    pub fn add(&self, registry: &Registry, fd: RawFd, event: Event, mode: PollMode) -> io::Result<()> {
        registry.register(&mut SourceFd(&fd), Token(event.key), interest(&event, mode))
    }

    #[inline]
    pub fn modify(&self, registry: &Registry, fd: RawFd, event: Event, mode: PollMode) -> io::Result<()> {
        registry.reregister(&mut SourceFd(&fd), Token(event.key), interest(&event, mode))
    }

    #[inline]
    pub fn delete(&self, registry: &Registry, fd: RawFd) -> io::Result<()> {
        registry.deregister(&mut SourceFd(&fd))
    }

    /// Waits for events. Returns false if the wait must start again.
    #[inline]
    pub fn wait(&self, poll: &mut Poll, batch: &mut Batch, timeout: Option<Duration>) -> io::Result<bool> {
        poll.poll(&mut batch.0, timeout).map(|()| true)
    }
}

/// Returns minimio's interest. The kernel adds hang-ups and errors to every interest.
#[inline]
fn interest(event: &Event, mode: PollMode) -> Interest {
    let mut interest = Interest::HANG_UP;
    if event.readable {
        interest |= Interest::READABLE | Interest::PRIORITY;
    }
    if event.writable {
        interest |= Interest::WRITABLE;
    }
    if event.extra.priority {
        interest |= Interest::PRIORITY;
    }
    match mode {
        // With `EPOLLONESHOT`, `EPOLLET` has no effect: the kernel reports the source once in either case.
        PollMode::Oneshot | PollMode::EdgeOneshot => interest.oneshot(),
        PollMode::Level => interest.level(),
        PollMode::Edge => interest.edge(),
    }
}

/// Returns polling's event. A hang-up and an error make a source readable and writable.
#[inline]
pub(crate) fn event(event: &minimio::event::Event) -> Event {
    let interrupt = event.is_hang_up();
    Event {
        key: event.token().0,
        readable: event.is_readable(),
        writable: event.is_writable() || interrupt,
        extra: Extra { interrupt, priority: event.is_priority(), error: event.is_error() },
    }
}
