//! The wakers and timers of a poll. Their events do not come from the kernel, so a wake or an earlier deadline ends the
//! wait of a blocked polling thread by a notification.

use std::io;
use std::sync::Weak;

use crate::queue::Notifier;
use crate::timers::Timers;
use crate::wait::WaitState;
use crate::wakers::Wakers;

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

    /// Makes a `poll` report the wakers whose pending flags are raised.
    #[inline]
    pub fn notify(&self) -> io::Result<()> {
        self.wait.notify(|| self.notify_kernel())
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
