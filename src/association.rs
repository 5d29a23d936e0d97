//! Which `Poll` a source is registered with.

use std::io;
use std::sync::{Mutex, PoisonError};

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
    pub fn release(self) {
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
pub(crate) struct Association(u32);

impl Association {
    /// `AlreadyExists` if the source is registered with a living `Poll`.
    #[inline]
    pub fn check_unassociated(&self, poll: PollId) -> io::Result<()> {
        match self.0 {
            0 => Ok(()),
            id => already_registered(PollId(id), poll),
        }
    }

    /// `NotFound` unless the source is registered here.
    #[inline]
    pub fn check(&self, poll: PollId) -> io::Result<()> {
        if self.0 == poll.0 {
            Ok(())
        } else {
            Err(not_registered())
        }
    }

    #[inline]
    pub fn associate(&mut self, poll: PollId) {
        self.0 = poll.0;
    }
}

#[cold]
#[inline(never)]
fn already_registered(id: PollId, poll: PollId) -> io::Result<()> {
    if id == poll {
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "cannot register: I/O source already registered with a `Registry` of this `Poll`",
        ))
    } else if id.is_live() {
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "cannot register: I/O source already registered with a `Registry` of another `Poll`",
        ))
    } else {
        Ok(())
    }
}

#[cold]
#[inline(never)]
fn not_registered() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "cannot reregister or deregister: I/O source not registered with `Registry` of this `Poll`",
    )
}
