//! Wait and wake: who may sleep, who must be woken, and why no wake is lost.
//!
//! One byte says what the poller is doing, and everybody changes it by read-modify-write only. So all changes stand in
//! one order, and whoever comes later sees all that the earlier ones published before.
//!
//! ```text
//!            block                        wake, kick
//!   Idle ───────────────► Blocked ───────────────────────► Notified
//!    │ ▲                     │                                │  ▲
//!    │ └──── leave ──────────┘                                │  │ the kick failed,
//!    │ ▲                                                      │  ▼ the next wake tries again
//!    │ └──── leave, then take the flags ──────────────────────┤  Unkicked
//!    └────── wake: no system call ────────────────────────────►
//! ```
//!
//! The rules, each of which loses a wake when it is broken (`verification/wait` explores them):
//!
//! - The poller declares itself `Blocked` first, and *then* looks at timers and updates. Whoever changes those
//!   publishes first, and *then* looks whether the poller is blocked.
//! - A waker raises its own flag first, then the state. The poller clears the state first, then takes the flags.
//! - A way out that takes no flags (an error) leaves `Notified` as it is.

use std::mem;

use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The poller is elsewhere, and there are no flags to take.
const IDLE: u8 = 0b00;
/// A kick is needed to be noticed: the poller sleeps, or is about to.
const BLOCKED: u8 = 0b01;
/// There are flags to take, and the poller will come for them.
const NOTIFIED: u8 = 0b10;
/// There are flags to take, and the kick that should have said so has failed.
const UNKICKED: u8 = NOTIFIED | BLOCKED;

pub(crate) struct Wait {
    state: AtomicU8,
    /// Somebody waits for the queue's own descriptor, so what is pending must show there.
    watched: AtomicBool,
}

/// The wakers' and other threads' side. `kick` ends the poller's wait in the kernel.
impl Wait {
    pub fn new() -> Wait {
        Wait { state: AtomicU8::new(IDLE), watched: AtomicBool::new(false) }
    }

    /// There is a flag to take. A waker has raised it before, or the poller has left it for want of room.
    pub fn notify<E>(&self, kick: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let old = self.state.swap(NOTIFIED, Ordering::AcqRel);
        let unseen = old & BLOCKED != 0 || old == IDLE && self.watched.load(Ordering::Acquire);
        if !unseen {
            return Ok(());
        }
        let kicked = kick();
        if kicked.is_err() {
            // Only if nothing has changed; else the poller has come for the flags, or is on its way to them.
            let _ = self.state.compare_exchange(NOTIFIED, UNKICKED, Ordering::AcqRel, Ordering::Relaxed);
        }
        kicked
    }

    /// Something that the poller looks at before it sleeps has changed. The caller has published it before.
    pub fn nudge<E>(&self, kick: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        // A read that takes part in the order of changes: if this one comes first, a later `block` sees what was
        // published.
        match self.state.fetch_or(0, Ordering::AcqRel) & BLOCKED {
            0 => Ok(()),
            _ => kick(),
        }
    }

    /// From now on, what is pending shows on the queue's descriptor, where there is one.
    #[allow(dead_code)]
    pub fn watch<E>(&self, kick: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if self.watched.load(Ordering::Acquire) {
            return Ok(());
        }
        self.watched.store(true, Ordering::Release);
        // As in `nudge`: a wake that comes later sees `watched`, and one that came earlier is seen here.
        match self.state.fetch_or(0, Ordering::AcqRel) & NOTIFIED {
            0 => Ok(()),
            _ => kick(),
        }
    }
}

/// The poller's side: one thread at a time.
impl Wait {
    /// Declares that the poller is about to sleep. `None`: it must not, there are flags to take.
    #[inline]
    pub fn block(&self) -> Option<Blocked<'_>> {
        match self.state.compare_exchange(IDLE, BLOCKED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(Blocked { wait: self }),
            Err(_) => None,
        }
    }

    /// Whether there are flags to take, for a poller that does not sleep.
    #[inline]
    pub fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) & NOTIFIED != 0
    }

    /// The poller takes the flags, *after* this: a wake from now on counts for the next time. True if there are any.
    #[inline]
    pub fn clear(&self) -> bool {
        self.state.swap(IDLE, Ordering::AcqRel) & NOTIFIED != 0
    }
}

/// The poller is blocked. Dropped on the way out of a failure, it leaves a notification for the next wait.
pub(crate) struct Blocked<'a> {
    wait: &'a Wait,
}

impl Blocked<'_> {
    /// The regular way out: [`Wait::clear`].
    #[inline]
    pub fn leave(self) -> bool {
        let notified = self.wait.clear();
        mem::forget(self);
        notified
    }
}

impl Drop for Blocked<'_> {
    #[inline]
    fn drop(&mut self) {
        // If it is no longer `Blocked`, there are flags to take, and the state goes on to say so.
        let _ = self.wait.state.compare_exchange(BLOCKED, IDLE, Ordering::AcqRel, Ordering::Relaxed);
    }
}
