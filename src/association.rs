//! Which `Poll` a source is registered with.

use std::cmp;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// The id of a `Poll`. It is never 0, and no two existing polls have the same id. (The ids repeat after 2^32 polls.)
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PollId(u32);

/// The newest id.
static NEWEST: AtomicU32 = AtomicU32::new(0);

/// The ids of the existing polls. An id is in the place that its lowest 16 bits select, so that no lock is needed: a
/// child of `fork` could not take a lock that another thread of its parent held.
static EXISTING: [AtomicU32; MAX_LISTED] = [UNUSED; MAX_LISTED];
const MAX_LISTED: usize = 1 << 16;
#[allow(clippy::declare_interior_mutable_const)] // The constant only initialises the places of `EXISTING`.
const UNUSED: AtomicU32 = AtomicU32::new(0);

impl PollId {
    pub fn new() -> PollId {
        let mut id = PollId::next();
        for _ in 0..MAX_LISTED {
            // If the place is in use by an older poll, the next id has another place.
            if id.0 != 0 && id.place().compare_exchange(0, id.0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return id;
            }
            id = PollId::next();
        }
        // So many polls exist that this one is not listed: its sources can also be registered with another poll.
        PollId(cmp::max(id.0, 1))
    }

    fn next() -> PollId {
        PollId(NEWEST.fetch_add(1, Ordering::Relaxed).wrapping_add(1))
    }

    fn place(self) -> &'static AtomicU32 {
        &EXISTING[self.0 as usize % MAX_LISTED]
    }

    /// Records that the `Poll` was dropped. Its sources can be registered with other polls from now on.
    pub fn release(self) {
        let _unlisted = self.place().compare_exchange(self.0, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn exists(self) -> bool {
        self.place().load(Ordering::Relaxed) == self.0
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
