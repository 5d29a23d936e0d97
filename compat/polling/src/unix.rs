//! Unix: descriptors as sources, and the list of one wait.

use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::poller::NOTIFICATION;
use crate::{queue, Event, Poller};

pub(crate) type Raw = RawFd;

pub(crate) fn raw(source: &impl AsSource) -> Raw {
    source.source().as_raw_fd()
}

/// What [`Poller::add`] takes: a reference to something with a descriptor, or the descriptor's number.
pub trait AsRawSource {
    /// Returns the descriptor's number.
    fn raw(&self) -> RawFd;
}

impl<T: AsRawFd> AsRawSource for &T {
    fn raw(&self) -> RawFd {
        self.as_raw_fd()
    }
}

impl AsRawSource for RawFd {
    fn raw(&self) -> RawFd {
        *self
    }
}

/// What [`Poller::modify`] and [`Poller::delete`] take: something with an open descriptor.
pub trait AsSource: AsFd {
    /// Returns the descriptor.
    fn source(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl<T: AsFd> AsSource for T {}

/// Returns the queue's descriptor, which is readable while there are events. From now on, a notification makes it
/// readable too.
impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry.as_fd()
    }
}

/// Returns the queue's descriptor, which is readable while there are events. From now on, a notification makes it
/// readable too.
impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        self.registry.as_raw_fd()
    }
}

/// The events of one wait. They are converted when the program reads them.
pub(crate) struct Batch(pub minimio::Events);

impl Batch {
    pub fn with_capacity(capacity: usize) -> Batch {
        Batch(minimio::Events::with_capacity(capacity))
    }

    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.0.iter().filter(|event| event.token() != NOTIFICATION).map(queue::event)
    }

    #[inline]
    pub fn len(&self) -> usize {
        // A wait reports wakers first, and a poller has only one.
        let notified = self.0.iter().next().map_or(false, |event| event.token() == NOTIFICATION);
        self.0.len() - usize::from(notified)
    }

    #[inline]
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
