//! The wait state: when the polling thread may block, when another thread must notify the kernel, and why no wake is
//! lost.
//!
//! The state is one byte. Every thread changes it only with `AcqRel` read-modify-write operations. All changes
//! therefore form one order, and a thread that changes the state sees everything that the threads of earlier changes
//! stored before.
//!
//! ```text
//!   from                     operation                                         to
//!   Running                  begin_block                                       Blocked
//!   Running                  wake: notifies the kernel only if exposed         Notified
//!   Blocked                  wake: notifies the kernel                         Notified
//!   Blocked                  interrupt: notifies the kernel                    Interrupted
//!   Interrupted              wake: notifies the kernel again                   Notified
//!   Notified                 the notification failed                           NotifyFailed
//!   Interrupted              the notification failed                           Blocked
//!   NotifyFailed             wake or interrupt: notifies the kernel again      Notified
//!   Blocked, Interrupted     finish, or the guard is dropped                   Running
//!   Notified, NotifyFailed   finish or clear; then the pending flags are taken Running
//! ```
//!
//! The queue is *exposed* if an outer event loop may watch its descriptor. An interrupt follows a change of a timer.
//! However many threads change timers while the polling thread is blocked, they notify the kernel once. A wake does not
//! rely on that notification, because the interrupting thread may be stopped before it notifies the kernel.
//!
//! If one of these rules is broken, a wake or an earlier deadline can be lost (the models in `verification/wait` check
//! the rules):
//!
//! - The polling thread sets the state to `Blocked` first, and *then* reads the timers. Another thread changes a timer
//!   first, and *then* checks whether the polling thread is blocked.
//! - A waker raises its pending flag first, and *then* sets the state to `Notified`. The polling thread clears the
//!   state first, then takes the flags.
//! - A round that ends without taking flags (after an error, or because `events` already holds other events) leaves
//!   `Notified` as it is.

use std::mem;

use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use crate::sync::yield_now;

/// The polling thread runs, and has not been notified since it last cleared the state.
const RUNNING: u8 = 0b00;
/// The polling thread blocks in the kernel, or is about to block: another thread can end the wait only by notifying the
/// kernel.
const BLOCKED: u8 = 0b01;
/// The polling thread was notified since it last cleared the state, and will take the pending flags.
const NOTIFIED: u8 = 0b10;
/// As `NOTIFIED`, but the kernel notification has failed.
const NOTIFY_FAILED: u8 = NOTIFIED | BLOCKED;
/// As `BLOCKED`, but a thread that changed a timer notifies the kernel or has notified it: no other thread that changes
/// a timer needs to.
const INTERRUPTED: u8 = BLOCKED | 0b100;

/// The flag of `notifying`: the poll was dropped.
const CLOSED: usize = 1 << (usize::BITS - 1);

pub(crate) struct WaitState {
    state: AtomicU8,
    /// The number of threads that are notifying the kernel, and [`CLOSED`].
    notifying: AtomicUsize,
    /// Whether an outer event loop may watch the queue's descriptor. If it may, pending wakes must make the descriptor
    /// readable.
    exposed: AtomicBool,
}

/// How often [`WaitState::close`] yields at most.
const MAX_YIELDS: usize = 10_000;

/// Methods for wakers and other threads. `notify_kernel` ends the wait of the polling thread.
impl WaitState {
    pub fn new() -> WaitState {
        WaitState { state: AtomicU8::new(RUNNING), notifying: AtomicUsize::new(0), exposed: AtomicBool::new(false) }
    }

    /// Records that a pending flag is raised. The caller raised the flag before, or left it raised because the event
    /// list was full.
    pub fn notify<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let must_notify = match self.state.swap(NOTIFIED, Ordering::AcqRel) {
            BLOCKED | INTERRUPTED | NOTIFY_FAILED => true,
            RUNNING => self.exposed.load(Ordering::Acquire),
            _ => false,
        };
        match must_notify {
            true => self.notify_unless_closed(notify_kernel),
            false => Ok(()),
        }
    }

    /// Ends the wait of a blocked polling thread, because the caller has changed a timer, which the polling thread
    /// reads before it blocks. The caller published the change before this call.
    pub fn interrupt<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // `fetch_or(0)` takes a place in the order of changes. If it precedes `begin_block`, the polling thread sees
        // what this thread published. If it follows `begin_block`, it returns `BLOCKED` or `NOTIFY_FAILED`, and this
        // thread notifies the kernel; or another thread notifies the kernel, or the wait has ended.
        let old = self.state.fetch_or(0, Ordering::AcqRel);
        let new = match old {
            BLOCKED => INTERRUPTED,
            NOTIFY_FAILED => NOTIFIED,
            _ => return Ok(()),
        };
        // If this fails, another thread notifies the kernel, or the wait has ended.
        match self.state.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => self.notify_unless_closed(notify_kernel),
            Err(_) => Ok(()),
        }
    }

    /// Notifies the kernel. If that fails, records the failure, so that the next wake or interrupt tries again.
    fn notify_unless_closed<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let result = match self.notifying.fetch_add(1, Ordering::AcqRel) & CLOSED {
            0 => notify_kernel(),
            _ => Ok(()),
        };
        self.notifying.fetch_sub(1, Ordering::AcqRel);
        if result.is_err() {
            // In other states, the polling thread has cleared the state and takes the flags next, or another wake has
            // recorded its own failure.
            for (state, failed) in [(INTERRUPTED, BLOCKED), (NOTIFIED, NOTIFY_FAILED)] {
                let _ = self.state.compare_exchange(state, failed, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        result
    }

    /// Ends the notifications, and waits until no thread notifies the kernel or is about to, for at most `MAX_YIELDS`
    /// yields.
    pub fn close(&self) {
        self.notifying.fetch_or(CLOSED, Ordering::AcqRel);
        // A notification is one system call, which does not block. The limit is for a child of `fork`, in which the
        // notifying thread does not exist.
        for _ in 0..MAX_YIELDS {
            if self.notifying.load(Ordering::Acquire) == CLOSED {
                return;
            }
            yield_now();
        }
    }

    /// If pending flags are raised and an outer event loop may watch the queue's descriptor, makes the descriptor
    /// readable again.
    pub fn notify_outer_loop<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        match self.is_notified() && self.exposed.load(Ordering::Acquire) {
            true => self.notify_unless_closed(notify_kernel),
            false => Ok(()),
        }
    }

    /// From now on, lets pending wakes make the queue's descriptor readable, on systems where the queue has one.
    #[allow(dead_code)]
    pub fn expose<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if self.exposed.load(Ordering::Acquire) {
            return Ok(());
        }
        self.exposed.store(true, Ordering::Release);
        // As in `interrupt`: a later wake sees `exposed`, and an earlier wake is seen here.
        match self.state.fetch_or(0, Ordering::AcqRel) & NOTIFIED {
            0 => Ok(()),
            _ => self.notify_unless_closed(notify_kernel),
        }
    }
}

/// Methods for the polling thread. Only one thread polls at a time.
impl WaitState {
    /// Declares that the polling thread is about to block. Returns `None` if it must not block, because a pending flag
    /// may be raised.
    #[inline]
    pub fn begin_block(&self) -> Option<BlockedGuard<'_>> {
        match self.state.compare_exchange(RUNNING, BLOCKED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(BlockedGuard { wait: self }),
            Err(_) => None,
        }
    }

    /// Returns whether a pending flag may be raised, for a poll that does not block. (No flag is raised if the polling
    /// thread took the flag before the waker set the state.)
    #[inline]
    pub fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) & NOTIFIED != 0
    }

    /// Clears the state, and returns whether a pending flag may be raised. The polling thread takes the flags *after*
    /// this call: a later wake counts for the next poll.
    #[inline]
    pub fn clear(&self) -> bool {
        self.state.swap(RUNNING, Ordering::AcqRel) & NOTIFIED != 0
    }
}

/// The blocked state, from [`WaitState::begin_block`] to [`finish`](BlockedGuard::finish). Dropping the guard
/// instead, after a wait that failed or in a round that does not wait, leaves a notification for the next poll.
pub(crate) struct BlockedGuard<'a> {
    wait: &'a WaitState,
}

impl BlockedGuard<'_> {
    /// Ends the blocked state as [`WaitState::clear`] does.
    #[inline]
    pub fn finish(self) -> bool {
        let notified = self.wait.clear();
        mem::forget(self);
        notified
    }
}

impl Drop for BlockedGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // In other states, a pending flag is raised, and the state stays notified for the next poll.
        let mut state = BLOCKED;
        while let BLOCKED | INTERRUPTED = state {
            match self.wait.state.compare_exchange(state, RUNNING, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(new) => state = new,
            }
        }
    }
}
