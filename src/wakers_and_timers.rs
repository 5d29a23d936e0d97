//! The wakers and timers of a poll. Their events do not come from the kernel, so a wake or an earlier deadline ends the
//! wait of a blocked polling thread by a notification.

use std::io;
use std::sync::Weak;

use crate::queue::Notifier;
use crate::sync::Arc;
use crate::timers::{Schedule, Timers};
use crate::wait::WaitState;
use crate::wakers::{WakerSlot, Wakers};

/// The state that wakers and registered timers share with their poll.
pub(crate) struct WakersAndTimers {
    pub wait: WaitState,
    pub wakers: Wakers,
    pub timers: Timers,
}

impl WakersAndTimers {
    pub fn new() -> WakersAndTimers {
        WakersAndTimers { wait: WaitState::new(), wakers: Wakers::new(), timers: Timers::new() }
    }
}

/// What a waker or a registered timer has of its poll. It does not own the poll's descriptors: after the poll was
/// dropped, a wake or an earlier deadline has no effect.
pub(crate) struct PollHandle {
    pub state: Arc<WakersAndTimers>,
    pub notifier: Weak<Notifier>,
}

impl PollHandle {
    /// Makes a `poll` report this waker.
    #[inline]
    pub fn wake(&self, slot: &WakerSlot) -> io::Result<()> {
        slot.mark_pending();
        let WakersAndTimers { wait, wakers, .. } = &*self.state;
        wait.notify(slot.word(), || wakers.set_hints(slot), || self.notify_kernel())
    }

    /// Removes a waker and discards its event.
    pub fn remove_waker(&self, slot: &WakerSlot) {
        if self.state.wakers.remove(slot) {
            // The next poll gives back the polling thread's part of the memory. (An outer loop may see the descriptor
            // readable without an event.) If the notification fails, a later poll gives it back.
            let _notify_failed = self.state.wait.notify_hinted(|| self.notify_kernel());
        }
    }

    /// Changes the schedule of a timer. If its deadline is now the earliest, ends the wait of a blocked `poll`.
    pub fn set_timer(&self, key: usize, schedule: Schedule) -> io::Result<()> {
        let WakersAndTimers { wait, timers, .. } = &*self.state;
        match timers.set(wait, key, schedule) {
            true => wait.interrupt(|| self.notify_kernel()),
            false => Ok(()),
        }
    }

    /// Removes a timer, and returns its schedule.
    pub fn remove_timer(&self, key: usize) -> Schedule {
        self.state.timers.remove(&self.state.wait, key)
    }

    fn notify_kernel(&self) -> io::Result<()> {
        match self.notifier.upgrade() {
            Some(notifier) => notifier.notify(),
            // The poll and its registries were dropped.
            None => Ok(()),
        }
    }
}
