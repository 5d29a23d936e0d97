//! Registrations whose two knotes depend on each other. For the kernel, the two directions of a source are two knotes.
//! For the program, they are one source.
//!
//! - A *two-way oneshot* is registered in oneshot mode for both directions. Each of its knotes reports once, but `poll`
//!   does not report the source again after its first report. This module therefore suppresses the event of the second
//!   knote, unless both events arrive in the same batch.
//! - A registration for *hang-ups alone* is reported when both directions have ended, or with an error. Its knotes have
//!   `EV_CLEAR` in every mode, because a level-triggered knote would report unread data without end, and `EV_DISPATCH`
//!   would disable the knote after a report that is not a hang-up. This module suppresses the events before the
//!   hang-up, and remembers which direction has ended. In level mode, it enables the knotes again after each report.
//!
//! If another thread reregisters or deregisters the source while a wait is in progress, an event that this wait returns
//! may belong to the old or to the new registration. The two cannot be distinguished. If the old registration was
//! already reported, its second event must not be reported. An event of the old registration must also not count as the
//! first report of the new registration. This module therefore suppresses the event and enables the knotes again: if
//! the condition still holds, the kernel reports it again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::os::raw::c_int;
use std::os::unix::io::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use super::ffi::{self, filter_t, kevent};
use crate::event::{Event, Token};
use crate::sync::lock;
use crate::unix::ffi::{getsockopt, socklen_t, SOL_SOCKET};
use crate::Interest;

/// The records of the two kinds of registrations, and of those that they replaced.
pub(super) struct KnotePairs {
    /// The number of records. Threads read this to avoid the lock.
    count: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// The sequence number of the wait that began last, counted from 1. Waits that begin while there is no record have
    /// no number.
    wait_number: u64,
    /// The records, by descriptor. If a source is dropped without `deregister`, its record stays until another source
    /// with the same descriptor number is registered.
    records: BTreeMap<RawFd, Record>,
    /// The descriptors whose record became `Replaced`. The next wait removes these records.
    replaced: BTreeSet<RawFd>,
}

struct Record {
    /// The token with which the descriptor's knotes are enabled again. After `deregister`, the token has no meaning,
    /// because there is no knote.
    token: Token,
    /// The value of `wait_number` when this source was registered, reregistered or deregistered.
    changed_after: u64,
    kind: RecordKind,
}

enum RecordKind {
    /// `reported_by` is the sequence number of the wait that returned the report.
    TwoWayOneshot {
        reported_by: Option<u64>,
    },
    HangUp(HangUp),
    /// One of the above that was deregistered, whose registration failed, or that was reregistered with an interest
    /// that has no record.
    Replaced,
}

/// A registration for hang-ups alone.
struct HangUp {
    interest: Interest,
    /// Whether the descriptor is a socket. A socket has two directions, any other descriptor one.
    is_socket: bool,
    /// The filter of the direction that has ended first.
    ended: Option<filter_t>,
    /// The sequence number of the wait that returned the first report.
    reported_by: Option<u64>,
}

impl HangUp {
    fn new(fd: RawFd, interest: Interest) -> HangUp {
        HangUp { interest, is_socket: is_socket(fd), ended: None, reported_by: None }
    }

    /// Marks the event if both directions have ended now. Returns whether the wait reports the event.
    fn is_reported(&mut self, event: &mut kevent, wait_number: u64) -> bool {
        if event.has_ended() {
            let ended_first = *self.ended.get_or_insert(event.filter);
            if !self.is_socket || ended_first != event.filter {
                event.mark_hang_up();
            }
        }
        (event.is_hang_up() || event.is_error())
            && (!self.interest.is_oneshot() || *self.reported_by.get_or_insert(wait_number) == wait_number)
    }
}

fn is_socket(fd: RawFd) -> bool {
    let (mut kind, mut len) = (0, mem::size_of::<c_int>() as socklen_t);
    let value: *mut c_int = &mut kind;
    // SAFETY: `value` has room for `len` bytes, and both outlive the call.
    unsafe { getsockopt(fd, SOL_SOCKET, ffi::SO_TYPE, value.cast(), &mut len) == 0 }
}

impl KnotePairs {
    pub fn new() -> KnotePairs {
        let state = State { wait_number: 0, records: BTreeMap::new(), replaced: BTreeSet::new() };
        KnotePairs { count: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    /// Calls `replace_knotes`, which registers or reregisters a descriptor. Records the registration if it is two-way
    /// oneshot or for hang-ups alone. If it is neither, or if it fails, marks the record of the descriptor as replaced.
    #[inline]
    pub fn register(
        &self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        replace_knotes: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let is_two_way = interest.is_oneshot() && interest.is_readable() && interest.is_writable();
        let is_recorded = is_two_way || interest.has_no_direction();
        if !is_recorded && self.count.load(Ordering::Acquire) == 0 {
            return replace_knotes();
        }
        let mut state = lock(&self.state);
        if is_recorded {
            let kind = match is_two_way {
                true => RecordKind::TwoWayOneshot { reported_by: None },
                false => RecordKind::HangUp(HangUp::new(fd, interest)),
            };
            let record = Record { token, changed_after: state.wait_number, kind };
            state.records.insert(fd, record);
            // Store the count before the kernel can report the new knotes.
            self.count.store(state.records.len(), Ordering::Release);
        }
        let result = replace_knotes();
        if !is_recorded || result.is_err() {
            state.replace(fd, token);
        }
        result
    }

    /// Calls `delete_knotes`, and marks a record of the descriptor as replaced. No wait begins in between.
    pub fn deregister<R>(&self, fd: RawFd, delete_knotes: impl FnOnce() -> R) -> R {
        if self.count.load(Ordering::Acquire) == 0 {
            return delete_knotes();
        }
        let mut state = lock(&self.state);
        let result = delete_knotes();
        state.replace(fd, Token(0));
        result
    }

    /// Begins a wait. Returns the wait's sequence number, or `None` if there is no record. After `None`, every record
    /// that exists when the wait returns was added during the wait.
    #[inline]
    pub fn begin_wait(&self) -> Option<u64> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut state = lock(&self.state);
        state.wait_number += 1;
        state.remove_replaced();
        self.count.store(state.records.len(), Ordering::Release);
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
        self.count.load(Ordering::Acquire) != 0 && self.suppress_recorded(list, kept, wait_number, enable)
    }

    #[cold]
    #[inline(never)]
    fn suppress_recorded(
        &self,
        list: &mut Vec<Event>,
        kept: usize,
        wait_number: Option<u64>,
        mut enable: impl FnMut(RawFd, Token) -> io::Result<()>,
    ) -> bool {
        let mut state = lock(&self.state);
        let len_before = list.len();
        let mut position = 0;
        list.retain_mut(|Event(event)| {
            position += 1;
            let is_direction = event.filter == ffi::EVFILT_READ || event.filter == ffi::EVFILT_WRITE;
            let fd = event.ident as RawFd;
            let record = match state.records.get_mut(&fd) {
                Some(record) if position > kept && is_direction => record,
                _ => return true,
            };
            match (&mut record.kind, wait_number) {
                // The registration is older than this wait. Of the waits that began after the registration, the first
                // that returns an event of the source reports it; the events of later waits are suppressed.
                (RecordKind::TwoWayOneshot { reported_by }, Some(wait_number))
                    if record.changed_after < wait_number =>
                {
                    *reported_by.get_or_insert(wait_number) == wait_number
                }
                // As above, but only a hang-up or an error is a report.
                (RecordKind::HangUp(hang_up), Some(wait_number)) if record.changed_after < wait_number => {
                    let is_reported = hang_up.is_reported(event, wait_number);
                    if is_reported && hang_up.interest.is_level() {
                        // `enable` fails only if the `kevent` call itself fails, and so does the next wait then.
                        let _kevent_failed = enable(fd, record.token);
                    }
                    is_reported
                }
                // The source was registered, reregistered or deregistered during this wait.
                _ => {
                    // If the source was deregistered or its descriptor closed, there is no knote to enable and no event
                    // to report, and `enable` returns `Ok`. It fails only if the `kevent` call itself fails.
                    let _kevent_failed = enable(fd, record.token);
                    false
                }
            }
        });
        list.len() < len_before
    }
}

impl State {
    /// Marks the record of a descriptor as replaced, if there is one.
    fn replace(&mut self, fd: RawFd, token: Token) {
        if let Some(record) = self.records.get_mut(&fd) {
            *record = Record { token, changed_after: self.wait_number, kind: RecordKind::Replaced };
            self.replaced.insert(fd);
        }
    }

    /// Removes the replaced records: they matter only to events of the waits that began before the change.
    fn remove_replaced(&mut self) {
        for fd in mem::take(&mut self.replaced) {
            if let Some(Record { kind: RecordKind::Replaced, .. }) = self.records.get(&fd) {
                self.records.remove(&fd);
            }
        }
    }
}
