//! The wait state: when the polling thread may block, when another thread must notify the kernel, and why no wake is
//! lost.
//!
//! The state is one byte. Every thread changes it only with `AcqRel` read-modify-write operations. All changes
//! therefore form one order, and a thread that changes the state sees everything that the threads of earlier changes
//! stored before.
//!
//! ```text
//!           begin_block                   wake, notify the kernel
//!   Running ──────────────► Blocked ───────────────────────► Notified
//!    │ ▲                       │                                │  ▲
//!    │ └──── finish ───────────┘                                │  │ the kernel notification failed,
//!    │ ▲                                                        │  ▼ the next wake tries again
//!    │ └──── finish or clear, then take the pending flags ──────┤  NotifyFailed
//!    └────── wake: no system call, unless exposed ──────────────►
//! ```
//!
//! `finish` and `clear` also lead from `NotifyFailed` to `Running`.
//!
//! If one of these rules is broken, a wake can be lost (the models in `verification/wait` check the rules):
//!
//! - The polling thread sets the state to `Blocked` first, and *then* reads the timers and, on Windows, the update
//!   queue. Another thread publishes its change first, and *then* checks whether the polling thread is blocked.
//! - A waker raises its pending flag first, and *then* sets the state to `Notified`. The polling thread clears the
//!   state first, then takes the flags.
//! - A round that ends without taking flags (after an error, or with `events` full before the wait) leaves `Notified`
//!   as it is.

use std::mem;

use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The polling thread runs, and has not been notified since it last cleared the state.
const RUNNING: u8 = 0b00;
/// The polling thread blocks in the kernel, or is about to block: another thread can end the wait only by notifying the
/// kernel.
const BLOCKED: u8 = 0b01;
/// The polling thread was notified since it last cleared the state, and will take the pending flags.
const NOTIFIED: u8 = 0b10;
/// As `NOTIFIED`, but the kernel notification has failed.
const NOTIFY_FAILED: u8 = NOTIFIED | BLOCKED;

pub(crate) struct WaitState {
    state: AtomicU8,
    /// Whether an outer event loop may watch the queue's descriptor. If it may, pending wakes must make the descriptor
    /// readable.
    exposed: AtomicBool,
}

/// Methods for wakers and other threads. `notify_kernel` ends the wait of the polling thread.
impl WaitState {
    pub fn new() -> WaitState {
        WaitState { state: AtomicU8::new(RUNNING), exposed: AtomicBool::new(false) }
    }

    /// Records that a pending flag is raised. The caller raised the flag before, or left it raised because the event
    /// list was full.
    pub fn notify<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let old = self.state.swap(NOTIFIED, Ordering::AcqRel);
        let must_notify = old & BLOCKED != 0 || old == RUNNING && self.exposed.load(Ordering::Acquire);
        if !must_notify {
            return Ok(());
        }
        let result = notify_kernel();
        if result.is_err() {
            // Record the failure only if the state is still `NOTIFIED`. Otherwise the polling thread has cleared the
            // state and takes the flags next, or another wake has recorded its own failure.
            let _ = self.state.compare_exchange(NOTIFIED, NOTIFY_FAILED, Ordering::AcqRel, Ordering::Relaxed);
        }
        result
    }

    /// Ends the wait of a blocked polling thread, because the caller has changed a timer, which the polling thread
    /// reads before it blocks. The caller published the change before this call.
    pub fn interrupt<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // `fetch_or(0)` takes a place in the order of changes. If it precedes `begin_block`, the polling thread sees
        // what this thread published. If it follows `begin_block`, it reads `BLOCKED` and notifies the kernel.
        match self.state.fetch_or(0, Ordering::AcqRel) & BLOCKED {
            0 => Ok(()),
            _ => notify_kernel(),
        }
    }

    /// If pending flags are raised and an outer event loop may watch the queue's descriptor, makes the descriptor
    /// readable again.
    pub fn notify_outer_loop<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        match self.is_notified() && self.exposed.load(Ordering::Acquire) {
            true => notify_kernel(),
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
            _ => notify_kernel(),
        }
    }
}

/// Methods for the polling thread. Only one thread polls at a time.
impl WaitState {
    /// Declares that the polling thread is about to block. Returns `None` if it must not block, because a pending flag
    /// is raised.
    #[inline]
    pub fn begin_block(&self) -> Option<BlockedGuard<'_>> {
        match self.state.compare_exchange(RUNNING, BLOCKED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(BlockedGuard { wait: self }),
            Err(_) => None,
        }
    }

    /// Returns whether a pending flag is raised, for a poll that does not block.
    #[inline]
    pub fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) & NOTIFIED != 0
    }

    /// Clears the state, and returns whether a pending flag is raised. The polling thread takes the flags *after* this
    /// call: a later wake counts for the next poll.
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
        // If the state is no longer `BLOCKED`, a pending flag is raised, and the state stays notified for the next
        // poll.
        let _ = self.wait.state.compare_exchange(BLOCKED, RUNNING, Ordering::AcqRel, Ordering::Relaxed);
    }
}
