//! Two-way oneshot registrations: sources registered in oneshot mode for both directions.
//!
//! For the kernel, such a source is two knotes, each of which reports once. For the program, it is one source, which
//! `poll` does not report again after its first report. This module therefore suppresses the event of the second knote,
//! unless both events arrive in the same batch.
//!
//! If another thread reregisters the source while a wait is in progress, an event that this wait returns may belong to
//! the old or to the new registration. The two cannot be distinguished, and an event of the old registration must not
//! count as the first report of the new one. This module therefore suppresses the event and enables both knotes again:
//! if the condition still holds, the kernel reports it again.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::io::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use super::ffi;
use crate::event::{Event, Token};
use crate::sync::lock;
use crate::Interest;

pub(super) struct TwoWayOneshots {
    /// The number of registrations. Threads read this to avoid the lock.
    count: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// The sequence number of the wait that began last, counted from 1. Waits that begin while nothing is registered
    /// here have no number.
    wait_number: u64,
    /// The registrations, by descriptor. If a source is dropped without `deregister`, its record stays until another
    /// source with the same descriptor number is registered.
    registrations: BTreeMap<RawFd, TwoWayOneshot>,
}

struct TwoWayOneshot {
    token: Token,
    /// The value of `wait_number` when this source was registered or reregistered.
    registered_after: u64,
    /// The sequence number of the wait that returned the report.
    reported_by: Option<u64>,
}

impl TwoWayOneshots {
    pub fn new() -> TwoWayOneshots {
        let state = State { wait_number: 0, registrations: BTreeMap::new() };
        TwoWayOneshots { count: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    /// Calls `replace_knotes`, which registers or reregisters a descriptor. Records the registration if it is two-way
    /// oneshot, and otherwise removes an older record of the descriptor.
    #[inline]
    pub fn register(
        &self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        replace_knotes: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let is_two_way = interest.is_oneshot() && interest.is_readable() && interest.is_writable();
        if !is_two_way && self.count.load(Ordering::Acquire) == 0 {
            return replace_knotes();
        }
        let mut state = lock(&self.state);
        let registered_after = state.wait_number;
        match is_two_way {
            true => state.registrations.insert(fd, TwoWayOneshot { token, registered_after, reported_by: None }),
            false => state.registrations.remove(&fd),
        };
        // Store the count before the kernel can report the new knotes.
        self.count.store(state.registrations.len(), Ordering::Release);
        let result = replace_knotes();
        if result.is_err() {
            state.registrations.remove(&fd);
            self.count.store(state.registrations.len(), Ordering::Release);
        }
        result
    }

    pub fn deregister(&self, fd: RawFd) {
        if self.count.load(Ordering::Acquire) != 0 {
            let mut state = lock(&self.state);
            state.registrations.remove(&fd);
            self.count.store(state.registrations.len(), Ordering::Release);
        }
    }

    /// Begins a wait. Returns the wait's sequence number, or `None` if no two-way oneshot is registered. After `None`,
    /// every two-way oneshot that exists when the wait returns was registered during the wait.
    #[inline]
    pub fn begin_wait(&self) -> Option<u64> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut state = lock(&self.state);
        state.wait_number += 1;
        Some(state.wait_number)
    }

    /// Of the events after the first `kept`, suppresses those that must not be reported. Calls `enable` if an event may
    /// belong to an older registration. Returns whether it suppressed an event.
    #[inline]
    pub fn suppress(
        &self,
        list: &mut Vec<Event>,
        kept: usize,
        wait_number: Option<u64>,
        enable: impl FnMut(RawFd, Token) -> io::Result<()>,
    ) -> bool {
        self.count.load(Ordering::Acquire) != 0 && self.suppress_registered(list, kept, wait_number, enable)
    }

    #[cold]
    #[inline(never)]
    fn suppress_registered(
        &self,
        list: &mut Vec<Event>,
        kept: usize,
        wait_number: Option<u64>,
        mut enable: impl FnMut(RawFd, Token) -> io::Result<()>,
    ) -> bool {
        let mut state = lock(&self.state);
        let len_before = list.len();
        let mut position = 0;
        list.retain(|Event(event)| {
            position += 1;
            let is_direction = event.filter == ffi::EVFILT_READ || event.filter == ffi::EVFILT_WRITE;
            let fd = event.ident as RawFd;
            let registration = match state.registrations.get_mut(&fd) {
                Some(registration) if position > kept && is_direction => registration,
                _ => return true,
            };
            match wait_number {
                // The registration is older than this wait. The first such wait that returns an event of the source
                // reports it; the events of later waits are suppressed.
                Some(wait_number) if registration.registered_after < wait_number => {
                    let reported_by = *registration.reported_by.get_or_insert(wait_number);
                    reported_by == wait_number
                }
                // The source was registered or reregistered during this wait.
                _ => {
                    // If the descriptor was closed in the meantime, there is no knote to enable and no event to report.
                    let _closed = enable(fd, registration.token);
                    false
                }
            }
        });
        list.len() < len_before
    }
}
