//! The wait state: when the polling thread may block, when another thread must notify the kernel, and why no wake is
//! lost.
//!
//! The state is one word. Every thread changes it only with `AcqRel` read-modify-write operations. All changes
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
//!   Notified                 finish, or the guard is dropped, if exposed       NotifyFailed
//!   NotifyFailed             finish, or the guard is dropped, if not exposed   Notified
//!   Notified, NotifyFailed   clear; then the pending wakers are taken          Running
//! ```
//!
//! In the states `Notified` and `NotifyFailed`, the word also holds the number of the waker that was woken first. The
//! polling thread then needs no search to find this waker. Each other waker that is woken before the polling thread
//! clears the state sets a *hint* (see `wakers.rs`), and then the flag `HINTED` in the word. The flag `DEADLINE` is set
//! while a timer is set. While no timer is set and no waker is pending, the polling thread thus checks nothing but this
//! word.
//!
//! The queue is *exposed* if an outer event loop may watch its descriptor. An interrupt follows a change of a timer.
//! However many threads change timers while the polling thread is blocked, they notify the kernel once. A wake does not
//! rely on that notification, because the interrupting thread may be stopped before it notifies the kernel.
//!
//! If one of these rules is broken, a wake or an earlier deadline can be lost (the models in `verification/wait` check
//! the rules):
//!
//! - The polling thread sets the state to `Blocked` first, and *then* reads the timers. If `DEADLINE` is not set, it
//!   does not read them. Another thread changes a timer first, and *then* checks whether the polling thread is blocked.
//! - A wake marks the waker pending first, and *then* sets the state to `Notified`. The polling thread clears the state
//!   first, then takes the pending wakers. (A wake leaves the word as it is if the word holds the waker's number.)
//! - A round that ends without taking wakers (after an error, or because `events` already holds other events) does not
//!   clear the state.

use std::mem;

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::yield_now;

/// The polling thread runs, and has not been notified since it last cleared the state.
const RUNNING: usize = 0b00;
/// The polling thread blocks in the kernel, or is about to block: another thread can end the wait only by notifying the
/// kernel.
const BLOCKED: usize = 0b01;
/// The polling thread was notified since it last cleared the state, and will take the pending wakers.
const NOTIFIED: usize = 0b10;
/// As `NOTIFIED`, but the kernel notification has failed, or may have failed: the next wake notifies the kernel again.
const NOTIFY_FAILED: usize = NOTIFIED | BLOCKED;
/// As `BLOCKED`, but a thread that changed a timer notifies the kernel or has notified it: no other thread that changes
/// a timer needs to.
const INTERRUPTED: usize = BLOCKED | 0b100;

/// The bits of the state itself.
const STATE: usize = 0b111;

/// The flag of the word: besides the waker whose number is in the word, wakers with hints may be pending.
const HINTED: usize = 0b1000;

/// The flag of the word: a timer is set.
const DEADLINE: usize = 0b10000;

/// The position of a waker's number in the word. 0 is the number of no waker. On a 32-bit system, a number has 27 bits:
/// so many wakers with their slots need more than the address space.
const NUMBER_SHIFT: u32 = 5;

/// Returns the word after a wake of the waker with this number, without flags.
pub(crate) const fn word_of_waker(number: usize) -> usize {
    NOTIFIED | number << NUMBER_SHIFT
}

/// Returns the number of the waker in a word, or 0.
#[inline]
pub(crate) const fn waker_in_word(word: usize) -> usize {
    word >> NUMBER_SHIFT
}

/// The flag of `notifying`: the poll was dropped.
const CLOSED: usize = 1 << (usize::BITS - 1);

pub(crate) struct WaitState {
    word: AtomicUsize,
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
        WaitState { word: AtomicUsize::new(RUNNING), notifying: AtomicUsize::new(0), exposed: AtomicBool::new(false) }
    }

    /// Records that a waker is pending. The caller marked it pending before. `notified` is the waker's
    /// [word](word_of_waker).
    #[inline]
    pub fn notify<E>(
        &self,
        notified: usize,
        set_hint: impl FnOnce(),
        notify_kernel: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        // The common case, for speed: the polling thread runs, and no timer is set.
        if self.word.load(Ordering::Acquire) == RUNNING
            && self.word.compare_exchange(RUNNING, notified, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            return self.notify_if_blocked(RUNNING, notify_kernel);
        }
        self.notify_in_other_state(notified, set_hint, notify_kernel)
    }

    /// As `notify`, also if a timer is set, another waker is pending, or the polling thread is blocked.
    #[cold]
    #[inline(never)]
    fn notify_in_other_state<E>(
        &self,
        notified: usize,
        set_hint: impl FnOnce(),
        notify_kernel: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let old = self.word.load(Ordering::Acquire);
        let new = notified | old & (DEADLINE | HINTED);
        // The word already leads the polling thread to this waker; `wakers.rs` explains why this load suffices.
        if old == new {
            return Ok(());
        }
        if old & NOTIFIED == 0 && self.word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return self.notify_if_blocked(old, notify_kernel);
        }
        set_hint();
        self.notify_hinted(notify_kernel)
    }

    /// Records that wakers with hints may be pending.
    #[cold]
    #[inline(never)]
    pub fn notify_hinted<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // This is a change even if the word stays the same, so the polling thread, which clears the state later, sees
        // the hints.
        let hinted = |word| Some(word & !STATE | NOTIFIED | HINTED);
        let (Ok(old) | Err(old)) = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, hinted);
        self.notify_if_blocked(old, notify_kernel)
    }

    /// Notifies the kernel if the old state requires it.
    #[inline]
    fn notify_if_blocked<E>(&self, old: usize, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // `INTERRUPTED` and `NOTIFY_FAILED` have the bit of `BLOCKED`.
        if old & BLOCKED == 0 && (old & NOTIFIED != 0 || !self.exposed.load(Ordering::Acquire)) {
            return Ok(());
        }
        self.notify_unless_closed(notify_kernel)
    }

    /// Ends the wait of a blocked polling thread, because the caller has changed a timer, which the polling thread
    /// reads before it blocks. The caller published the change before this call.
    pub fn interrupt<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // The lock of the timers orders this load: if the polling thread has read the timers before they were changed,
        // this load sees that the thread is blocked, or that its wait has ended. If the polling thread blocked because
        // no timer was set, `set_has_deadline` changed the word after `begin_block`, and this load sees it too.
        let old = self.word.load(Ordering::Acquire);
        let new = match old & STATE {
            BLOCKED => old & !STATE | INTERRUPTED,
            NOTIFY_FAILED => old & !STATE | NOTIFIED,
            _ => return Ok(()),
        };
        // If this fails, another thread notifies the kernel, or the wait has ended, or no timer is set any more:
        // another thread has cancelled the caller's timer, and the wait need not end.
        match self.word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => self.notify_unless_closed(notify_kernel),
            Err(_) => Ok(()),
        }
    }

    /// Notifies the kernel, unless the poll was dropped. If that fails, records the failure, so that the next wake or
    /// interrupt tries again.
    #[cold]
    #[inline(never)]
    fn notify_unless_closed<E>(&self, notify_kernel: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let result = match self.notifying.fetch_add(1, Ordering::AcqRel) & CLOSED {
            0 => notify_kernel(),
            _ => Ok(()),
        };
        self.notifying.fetch_sub(1, Ordering::AcqRel);
        if result.is_err() {
            // In other states, the polling thread has cleared the state and takes the wakers next, or another wake has
            // recorded its own failure.
            let failed = |word| match word & STATE {
                INTERRUPTED => Some(word & !STATE | BLOCKED),
                NOTIFIED => Some(word & !STATE | NOTIFY_FAILED),
                _ => None,
            };
            let _ = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, failed);
        }
        result
    }

    /// Records whether a timer is set. The caller holds the lock of the timers.
    pub fn set_has_deadline(&self, has_deadline: bool) {
        match has_deadline {
            true => self.word.fetch_or(DEADLINE, Ordering::AcqRel),
            false => self.word.fetch_and(!DEADLINE, Ordering::AcqRel),
        };
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

    /// If wakers are pending and an outer event loop may watch the queue's descriptor, makes the descriptor
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
        // `fetch_or(0)` takes a place in the order of changes: a later wake sees `exposed`, and an earlier wake is seen
        // here.
        match self.word.fetch_or(0, Ordering::AcqRel) & NOTIFIED {
            0 => Ok(()),
            _ => self.notify_unless_closed(notify_kernel),
        }
    }
}

/// Methods for the polling thread. Only one thread polls at a time.
impl WaitState {
    /// Declares that the polling thread is about to block. If a waker may be pending or a timer is set, fails and
    /// returns whether a waker may be pending.
    #[inline]
    pub fn begin_block(&self) -> Result<BlockedGuard<'_>, bool> {
        match self.word.compare_exchange(RUNNING, BLOCKED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(BlockedGuard { wait: self }),
            Err(word) => Err(word & NOTIFIED != 0),
        }
    }

    /// Declares that the polling thread is about to block, even if a timer is set. Returns `None` if a waker may be
    /// pending.
    pub fn begin_block_until_deadline(&self) -> Option<BlockedGuard<'_>> {
        let block = |word| if word & STATE == RUNNING { Some(word | BLOCKED) } else { None };
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, block).ok().map(|_| BlockedGuard { wait: self })
    }

    /// Ends the blocked state. Returns whether a waker may be pending; the state is then `Notified` or `NotifyFailed`.
    #[inline]
    fn end_block(&self) -> bool {
        let old = self.word.fetch_and(!INTERRUPTED, Ordering::AcqRel);
        // Only the new word is tested, for speed: on x86-64, the `and` itself sets the zero flag.
        old & !INTERRUPTED != RUNNING && self.end_changed_block()
    }

    /// Ends the blocked state after another thread changed the word, or if a timer is set.
    #[cold]
    #[inline(never)]
    fn end_changed_block(&self) -> bool {
        let notified = self.is_notified();
        if notified && self.exposed.load(Ordering::Acquire) {
            // The `and` has made `NotifyFailed` `Notified`. If the wait has failed too, the outer loop waits for the
            // notification, and the next wake tries again. (After a notification that did not fail, this is of no use.)
            self.word.fetch_or(NOTIFY_FAILED, Ordering::AcqRel);
        }
        notified
    }

    /// Returns whether no waker can be pending and no timer is set, for a poll that does not block.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.word.load(Ordering::Acquire) == RUNNING
    }

    #[inline]
    pub fn has_deadline(&self) -> bool {
        self.word.load(Ordering::Acquire) & DEADLINE != 0
    }

    /// Returns whether a waker may be pending, for a poll that does not block. (None is pending if the polling thread
    /// took the waker before the wake set the state.)
    #[inline]
    pub fn is_notified(&self) -> bool {
        self.word.load(Ordering::Acquire) & NOTIFIED != 0
    }

    /// Clears the state. Returns the number of the waker that was woken first, or 0, and whether wakers with hints
    /// may be pending. The polling thread takes the pending wakers *after* this call: a later wake counts for the
    /// next poll.
    #[cold]
    #[inline(never)]
    pub fn clear(&self) -> (usize, bool) {
        let old = self.word.fetch_and(DEADLINE, Ordering::AcqRel);
        (waker_in_word(old), old & HINTED != 0)
    }

    /// Clears the state, as `clear` does, and returns the number of the pending waker. If other wakers may be pending
    /// or a timer is set, changes nothing and returns `None`.
    #[inline]
    pub fn clear_only(&self) -> Option<usize> {
        let old = self.word.load(Ordering::Acquire);
        if old & (STATE | HINTED | DEADLINE) == NOTIFIED
            && self.word.compare_exchange(old, RUNNING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            return Some(waker_in_word(old));
        }
        None
    }
}

/// The blocked state, from [`WaitState::begin_block`] to [`finish`](BlockedGuard::finish). Dropping the guard
/// instead, after a wait that failed or in a round that does not wait, leaves a notification for the next poll.
pub(crate) struct BlockedGuard<'a> {
    wait: &'a WaitState,
}

impl BlockedGuard<'_> {
    /// Ends the blocked state. Returns whether a waker may be pending.
    #[inline]
    pub fn finish(self) -> bool {
        let notified = self.wait.end_block();
        mem::forget(self);
        notified
    }
}

impl Drop for BlockedGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.wait.end_block();
    }
}
