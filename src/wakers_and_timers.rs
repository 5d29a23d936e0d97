//! The wakers and timers of a poll. Their events do not come from the kernel, so a wake or an earlier deadline ends the
//! wait of a blocked polling thread by a notification.

use std::io;
use std::sync::Weak;

use crate::event::Token;
use crate::queue::Notifier;
use crate::timers::{Schedule, Timers};
use crate::wait::WaitState;
use crate::wakers::{WakerSlot, Wakers};

/// The state that wakers and registered timers share with their poll. They do not own the poll's descriptors: after the
/// poll was dropped, a wake or an earlier deadline has no effect.
pub(crate) struct WakersAndTimers {
    pub wait: WaitState,
    pub wakers: Wakers,
    pub timers: Timers,
    notifier: Weak<Notifier>,
}

impl WakersAndTimers {
    pub fn new(notifier: Weak<Notifier>) -> WakersAndTimers {
        WakersAndTimers { wait: WaitState::new(), wakers: Wakers::new(), timers: Timers::new(), notifier }
    }

    /// Makes a `poll` report this waker.
    #[inline]
    pub fn wake(&self, slot: &WakerSlot) -> io::Result<()> {
        slot.mark_pending();
        self.wait.notify(slot.number(), || self.wakers.set_hints(slot), || self.notify_kernel())
    }

    /// Removes a waker and discards its event.
    pub fn remove_waker(&self, slot: &WakerSlot) {
        if self.wakers.remove(slot) {
            // The next poll gives back the polling thread's part of the memory. (An outer loop may see the descriptor
            // readable without an event.) If the notification fails, a later poll gives it back.
            let _notify_failed = self.notify_hinted();
        }
    }

    /// Makes a `poll` report the wakers that have hints.
    pub fn notify_hinted(&self) -> io::Result<()> {
        self.wait.notify_hinted(|| self.notify_kernel())
    }

    /// Adds a timer. Returns its key, and whether its deadline is now the earliest.
    pub fn add_timer(&self, token: Token, schedule: Schedule) -> (usize, bool) {
        self.timers.add(&self.wait, token, schedule)
    }

    /// Changes the schedule of a timer. Returns whether its deadline is now the earliest.
    pub fn set_timer(&self, key: usize, schedule: Schedule) -> bool {
        self.timers.set(&self.wait, key, schedule)
    }

    /// Removes a timer, and returns its schedule.
    pub fn remove_timer(&self, key: usize) -> Schedule {
        self.timers.remove(&self.wait, key)
    }

    /// Ends the wait of a blocked `poll`, because a timer was set to a deadline that is now the earliest.
    pub fn interrupt(&self) -> io::Result<()> {
        self.wait.interrupt(|| self.notify_kernel())
    }

    fn notify_kernel(&self) -> io::Result<()> {
        match self.notifier.upgrade() {
            Some(notifier) => notifier.notify(),
            // The poll and its registries were dropped.
            None => Ok(()),
        }
    }
}
