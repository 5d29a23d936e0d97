//! The selector: one kqueue.

use std::cmp;
use std::collections::BTreeMap;
use std::io;
use std::os::raw::c_int;
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::event::{flags, RawEvents};
use super::ffi::{self, count_t, filter_t, flags_t, kevent, time_t, timespec};
use super::knote_pairs::KnotePairs;
use super::SourceState;
use crate::event::{Event, Token};
use crate::sync::lock;
use crate::unix::descriptor::close_on_exec;
use crate::Interest;

/// The identifier (`ident`) of the only user event that this crate adds to a kqueue. A program may add its own user
/// events with other identifiers; it rarely chooses this number.
pub(super) const USER_EVENT: usize = usize::MAX;

pub(crate) struct Selector {
    kqueue: Arc<OwnedFd>,
    /// The identifier (`ident`) of the notifier's knote. Before the notifier is opened, that of its user event.
    notifier: AtomicUsize,
    knote_pairs: KnotePairs,
    /// The flags of the `EV_ADD` of each `SourceFilter`, by identifier and filter. The kernel may have deleted it.
    filter_flags: Mutex<BTreeMap<(usize, filter_t), flags_t>>,
}

// Open.

impl Selector {
    pub fn new() -> io::Result<Selector> {
        // SAFETY: `kqueue` takes no pointer.
        let fd = unsafe { ffi::kqueue() };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `kqueue` has just returned `fd`, and no other code owns it yet.
        let kqueue = unsafe { OwnedFd::from_raw_fd(fd) };
        // A child of `fork` does not inherit the kqueue, but a program that this process executes would.
        close_on_exec(&kqueue)?;
        let (notifier, filter_flags) = (AtomicUsize::new(USER_EVENT), Mutex::default());
        Ok(Selector { kqueue: Arc::new(kqueue), notifier, knote_pairs: KnotePairs::new(), filter_flags })
    }

    pub(super) fn kqueue(&self) -> &Arc<OwnedFd> {
        &self.kqueue
    }

    /// Registers the user event or the pipe of the [`Notifier`](super::Notifier), edge-triggered.
    pub(super) fn register_notifier(&self, ident: usize, filter: filter_t) -> io::Result<()> {
        // The identifier is stored first, because another thread may be blocked in `wait`.
        self.notifier.store(ident, Ordering::Release);
        let mut change = [kevent::new(ident, filter, ffi::EV_ADD | ffi::EV_CLEAR, 0)];
        let result = self.apply_changes(&mut change).and_then(|()| receipt(&change[0]));
        if result.is_err() {
            // The notifier closes its pipe, and a source can get the descriptor number.
            self.notifier.store(USER_EVENT, Ordering::Release);
        }
        result
    }
}

// Register, reregister, deregister.

impl Selector {
    pub fn register(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.knote_pairs.register(fd, token, interest, || self.replace_knotes(fd, token, interest).map(drop))
    }

    pub fn reregister(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.knote_pairs.register(fd, token, interest, || match self.replace_knotes(fd, token, interest)? {
            true => Ok(()),
            false => {
                self.delete_knotes(fd)?;
                Err(io::Error::from_raw_os_error(ffi::ENOENT))
            }
        })
    }

    pub fn deregister(&self, _: &mut SourceState, fd: RawFd) -> io::Result<()> {
        match self.knote_pairs.deregister(fd, || self.delete_knotes(fd))? {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(ffi::ENOENT)),
        }
    }

    /// Deletes the knotes of a descriptor and adds one for each direction of the interest. Returns whether a knote was
    /// deleted.
    fn replace_knotes(&self, fd: RawFd, token: Token, interest: Interest) -> io::Result<bool> {
        let add = |filter| kevent::new(fd as usize, filter, ffi::EV_ADD | flags(interest), token.0);
        let (mut read, write) = (add(ffi::EVFILT_READ), add(ffi::EVFILT_WRITE));
        // On Apple systems, these are `NOTE_LOWAT` and a low-water mark of 1, which is the same number; elsewhere 0.
        (read.fflags, read.data) = (ffi::READ_FFLAGS, ffi::READ_FFLAGS as _);
        let mut changes = [delete_change(fd, ffi::EVFILT_READ), delete_change(fd, ffi::EVFILT_WRITE), read, write];
        // Take a prefix of the array: the two deletions, then the additions that are needed.
        let both = interest.has_no_direction();
        let changes = match (both || interest.is_readable(), both || interest.is_writable()) {
            (true, true) => &mut changes[..],
            (true, false) => &mut changes[..3],
            (false, true) => {
                changes[2] = write;
                &mut changes[..3]
            }
            // An interest in asynchronous I/O alone adds no knote of a descriptor.
            (false, false) => &mut changes[..2],
        };
        self.apply_changes(changes)?;
        let any_deleted = any_deleted(&changes[..2])?;
        for change in &changes[2..] {
            match receipt(change) {
                // The kernel adds no knote for a pipe without a reader: NetBSD returns EBADF, other systems EPIPE. The
                // next write returns the error. (A closed descriptor has already failed in `any_deleted`.)
                Err(err) if matches!(err.raw_os_error(), Some(ffi::EBADF | ffi::EPIPE)) => {}
                Err(err) => {
                    // Register both directions or none. (That a knote was not added is no error of `delete_knotes`.)
                    // The error of the addition is returned, so another error is ignored.
                    let _other_error = self.delete_knotes(fd);
                    return Err(err);
                }
                Ok(()) => {}
            }
        }
        Ok(any_deleted)
    }

    /// Adds the knote with this filter and this identifier, or replaces it. With `must_exist`, fails with `ENOENT` if
    /// it did not exist.
    ///
    /// `EV_DELETE` discards an event that the kernel has queued. It is necessary only to restart a timer, and to change
    /// the mode, because the kernel keeps the flags of the first `EV_ADD`.
    pub(super) fn replace_knote(&self, knote: kevent, must_exist: bool) -> io::Result<()> {
        // Locked until the kernel has applied the changes, so that the record and the knote agree.
        let filter_flags = &mut *lock(&self.filter_flags);
        let old_flags = filter_flags.insert((knote.ident, knote.filter), knote.flags);
        let keep = old_flags == Some(knote.flags) && knote.filter != ffi::EVFILT_TIMER;
        let flags = if keep { ffi::EV_ENABLE } else { ffi::EV_DELETE };
        let mut changes = [kevent { flags, ..knote }, knote];
        self.apply_changes(&mut changes)?;
        // Without a knote, the first change fails with `ENOENT`. Another error is also the error of the addition.
        let result = match receipt(&changes[0]) {
            Err(err) if must_exist && err.raw_os_error() == Some(ffi::ENOENT) => Err(err),
            _ => receipt(&changes[1]),
        };
        if result.is_err() {
            filter_flags.remove(&(knote.ident, knote.filter));
            let _kevent_failed = self.apply_changes(&mut [kevent { flags: ffi::EV_DELETE, ..knote }]);
        }
        result
    }

    pub(super) fn delete_knote(&self, ident: usize, filter: filter_t) -> io::Result<()> {
        let filter_flags = &mut *lock(&self.filter_flags);
        filter_flags.remove(&(ident, filter));
        let mut changes = [kevent::new(ident, filter, ffi::EV_DELETE, 0)];
        self.apply_changes(&mut changes)?;
        receipt(&changes[0])
    }

    /// Deletes the knotes of a descriptor. Returns whether there was one.
    fn delete_knotes(&self, fd: RawFd) -> io::Result<bool> {
        let mut changes = [delete_change(fd, ffi::EVFILT_READ), delete_change(fd, ffi::EVFILT_WRITE)];
        self.apply_changes(&mut changes)?;
        any_deleted(&changes)
    }

    /// Enables the knotes of a descriptor again: the kernel reports those whose condition holds.
    ///
    /// OpenBSD checks the condition only of a knote that was disabled, so each knote is disabled first.
    fn enable_knotes(&self, fd: RawFd, token: Token) -> io::Result<()> {
        let change = |filter, flags| kevent::new(fd as usize, filter, flags, token.0);
        let mut changes = [
            change(ffi::EVFILT_READ, ffi::EV_DISABLE),
            change(ffi::EVFILT_READ, ffi::EV_ENABLE),
            change(ffi::EVFILT_WRITE, ffi::EV_DISABLE),
            change(ffi::EVFILT_WRITE, ffi::EV_ENABLE),
        ];
        for read in &mut changes[..2] {
            (read.fflags, read.data) = (ffi::READ_FFLAGS, ffi::READ_FFLAGS as _);
        }
        // The receipts are not read: a source need not have both knotes, or any.
        self.apply_changes(&mut changes)
    }

    /// Applies changes in one call. The kernel replaces each change by its receipt.
    fn apply_changes(&self, changes: &mut [kevent]) -> io::Result<()> {
        for change in changes.iter_mut() {
            change.flags |= ffi::EV_RECEIPT;
        }
        let (list, count) = (changes.as_mut_ptr(), changes.len() as count_t);
        let zero = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `list` has `count` changes and room for as many receipts; the kernel allows both to be in the same
        // memory. `list` and `zero` outlive the call.
        match unsafe { ffi::kevent(self.kqueue.as_raw_fd(), list, count, list, count, &zero) } {
            0.. => Ok(()),
            _ => ignore_interrupted(io::Error::last_os_error()),
        }
    }
}

fn delete_change(fd: RawFd, filter: filter_t) -> kevent {
    kevent::new(fd as usize, filter, ffi::EV_DELETE, 0)
}

/// Returns the error in the receipt of a change.
fn receipt(change: &kevent) -> io::Result<()> {
    match (change.flags & ffi::EV_ERROR, change.data as c_int) {
        // Without `EV_ERROR`, a signal interrupted the call before the kernel wrote the receipt. The change was still
        // applied.
        (0, _) | (_, 0) => Ok(()),
        (_, errno) => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Returns whether any of these deletions found a knote.
fn any_deleted(deletions: &[kevent]) -> io::Result<bool> {
    let mut any = false;
    for change in deletions {
        match receipt(change) {
            Ok(()) => any = true,
            Err(err) if err.raw_os_error() == Some(ffi::ENOENT) => {}
            Err(err) => return Err(err),
        }
    }
    Ok(any)
}

/// `kevent` applies its changes before it waits, so after EINTR they are in effect.
pub(super) fn ignore_interrupted(err: io::Error) -> io::Result<()> {
    match err.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        _ => Err(err),
    }
}

// Wait.

/// The longest timeout of one call, in seconds. Some systems cannot represent a longer one, and macOS rejects more than
/// a hundred times this value. `Poll` waits again after a wait that ends before its timeout.
const MAX_TIMEOUT_SECS: u64 = 1_000_000;

impl Selector {
    /// Keeps the first `kept` events and appends ready events, up to the list's capacity. If no event is ready, waits
    /// for one, for at most `timeout` (`None`: without a limit). Returns whether the notifier's event arrived; that
    /// event is not in the list.
    #[inline(always)]
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        let RawEvents { list, ended } = events;
        list.truncate(kept);
        let kept = list.len();
        let slots = list.capacity() - kept;
        if slots == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut timeout = timeout.map(|timeout| timespec {
            tv_sec: cmp::min(timeout.as_secs(), MAX_TIMEOUT_SECS) as time_t,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        let mut notified = false;
        loop {
            let wait_number = self.knote_pairs.begin_wait();
            // SAFETY: the list has `kept` events, so the result is within its allocation.
            let buffer = unsafe { list.as_mut_ptr().add(kept) }.cast::<kevent>();
            let count = self.kevent(buffer, slots as count_t, timeout.as_ref());
            if count <= 0 {
                // Do not lose the notification. If the error persists, the next wait returns it.
                return if count == 0 || notified { Ok(notified) } else { Err(io::Error::last_os_error()) };
            }
            // SAFETY: the kernel has initialised `count` events behind the kept ones, and `count` is at most `slots`.
            unsafe { list.set_len(kept + count as usize) };

            // The notifier's user event, or the receiver of its pipe. No event of a waker or a timer has this filter
            // and this identifier.
            let ident = self.notifier.load(Ordering::Acquire);
            let filter = if ident == USER_EVENT { ffi::EVFILT_USER } else { ffi::EVFILT_READ };
            let is_notifier = |event: &Event| event.0.ident == ident && event.0.filter == filter;
            if list[kept..].iter().any(is_notifier) {
                notified = true;
                list.retain(|event| !is_notifier(event));
            }
            if list[kept..].iter().any(|event| event.0.is_write_closed()) {
                mark_hang_ups(&mut list[kept..], ended);
            }
            let enable = |fd, token| self.enable_knotes(fd, token);
            let suppressed = self.knote_pairs.suppress(list, kept, wait_number, enable);
            // If no event remains, but the batch was full or an event was suppressed (then knotes may have been
            // enabled), more events may be queued, so check again without blocking. If that check finds no event, this
            // returns before the timeout, and `Poll` waits again for the rest of the timeout.
            if list.len() > kept || !suppressed && (count as usize) < slots {
                return Ok(notified);
            }
            timeout = Some(timespec { tv_sec: 0, tv_nsec: 0 });
        }
    }

    #[inline]
    fn kevent(&self, events: *mut kevent, slots: count_t, timeout: Option<&timespec>) -> c_int {
        let timeout: *const timespec = timeout.map_or(ptr::null(), |timeout| timeout);
        // SAFETY: `wait` passes a buffer with room for `slots` events, which only this call uses until it returns, and
        // a timeout that outlives the call. The list of changes is empty.
        unsafe { ffi::kevent(self.kqueue.as_raw_fd(), ptr::null(), 0, events, slots, timeout) }
    }
}

/// Marks the two events of each source whose directions have both ended. `ended` has room for all positions.
#[cold]
#[inline(never)]
fn mark_hang_ups(events: &mut [Event], ended: &mut Vec<u32>) {
    ended.clear();
    ended.extend((0..events.len() as u32).filter(|&position| events[position as usize].0.has_ended()));
    ended.sort_unstable_by_key(|&position| events[position as usize].0.ident);
    for pair in ended.windows(2) {
        let (one, other) = (pair[0] as usize, pair[1] as usize);
        // A batch has at most one event of each filter and identifier.
        if events[one].0.ident == events[other].0.ident {
            events[one].0.mark_hang_up();
            events[other].0.mark_hang_up();
        }
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kqueue.as_fd()
    }
}
