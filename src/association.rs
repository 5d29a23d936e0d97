//! Which `Poll` a source is registered with.

use std::io;
use std::sync::{Mutex, PoisonError};

/// The id of a `Poll`. It is never 0, and no two existing polls have the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PollId(u32);

/// The ids of all existing polls, sorted, and the id of the newest poll.
static EXISTING: Mutex<(Vec<PollId>, u32)> = Mutex::new((Vec::new(), 0));

impl PollId {
    pub fn new() -> PollId {
        let mut existing = EXISTING.lock().unwrap_or_else(PoisonError::into_inner);
        let (ids, last) = &mut *existing;
        loop {
            // The counter wraps after 2^32 polls. 0, and the ids of polls that still exist, are skipped.
            *last = last.wrapping_add(1);
            if let (1.., Err(at)) = (*last, ids.binary_search(&PollId(*last))) {
                ids.insert(at, PollId(*last));
                return PollId(*last);
            }
        }
    }

    /// Records that the `Poll` was dropped. Its sources can be registered with other polls from now on.
    pub fn release(self) {
        let mut existing = EXISTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(at) = existing.0.binary_search(&self) {
            existing.0.remove(at);
        }
    }

    fn exists(self) -> bool {
        EXISTING.lock().unwrap_or_else(PoisonError::into_inner).0.binary_search(&self).is_ok()
    }
}

/// The id of the `Poll` with which a source is registered, or 0. It is part of the source and moves with it.
#[derive(Default)]
pub(crate) struct Association(u32);

impl Association {
    /// Returns `AlreadyExists` if the source is registered with a `Poll` that still exists.
    #[inline]
    pub fn check_unassociated(&self, poll: PollId) -> io::Result<()> {
        match self.0 {
            0 => Ok(()),
            id => already_registered(PollId(id), poll),
        }
    }

    /// Returns `NotFound` unless the source is registered with `poll`.
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
    } else if id.exists() {
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
pub(crate) fn not_registered() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "cannot reregister or deregister: I/O source not registered with a `Registry` of this `Poll`",
    )
}
