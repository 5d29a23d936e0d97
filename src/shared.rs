//! The state that a poll shares with its registries, and one round of polling.

use std::cmp;
use std::io;
use std::mem;
use std::sync;
use std::time::{Duration, Instant};

use crate::association::PollId;
use crate::queue::{Notifier, RawEvents, Selector};
use crate::sync::Arc;
use crate::timers::Timers;
use crate::wait::{BlockedGuard, WaitState};
use crate::wakers::Wakers;
use crate::wakers_and_timers::WakersAndTimers;

/// The state of one poll. It exists as long as the poll or any of its registries.
pub(crate) struct Shared {
    pub id: PollId,
    pub selector: Selector,
    /// The only owner of the notifier, except during a notification. (An `Arc` of std: loom has no `Weak`.)
    pub notifier: sync::Arc<Notifier>,
    pub wakers_and_timers: Arc<WakersAndTimers>,
}

impl Shared {
    pub fn new() -> io::Result<Shared> {
        let mut selector = Selector::new()?;
        let notifier = sync::Arc::new(Notifier::new(&mut selector)?);
        let wakers_and_timers = Arc::new(WakersAndTimers::new(sync::Arc::downgrade(&notifier)));
        Ok(Shared { id: PollId::new(), selector, notifier, wakers_and_timers })
    }

    #[inline]
    fn wait(&self) -> &WaitState {
        &self.wakers_and_timers.wait
    }

    #[inline]
    fn wakers(&self) -> &Wakers {
        &self.wakers_and_timers.wakers
    }

    #[inline]
    pub fn timers(&self) -> &Timers {
        &self.wakers_and_timers.timers
    }

    /// Returns the selector to a caller that gives the selector's descriptor to an outer event loop. From now on,
    /// pending wakes make that descriptor readable.
    #[allow(dead_code)]
    pub fn expose_descriptor(&self) -> &Selector {
        // If this notification fails, the wakes that are pending now do not make the descriptor readable; the next wake
        // notifies the kernel again.
        let _notify_failed = self.wait().expose(|| self.notifier.notify());
        &self.selector
    }

    /// Ends the notifications, because the `Poll` was dropped. After this call, wakers and timers have no effect.
    pub fn close(&self) {
        self.id.release();
        self.wait().close();
    }
}

/// What the polling thread remembers of its rounds with wakers or timers.
#[derive(Default)]
pub(crate) struct Rounds {
    /// The number of the round, modulo 256. If `Events` has one slot, this number decides whether the kernel, the
    /// wakers or the timers get the slot. If `Events` has two slots, one is kept for the kernel, and this number
    /// decides whether the wakers or the timers get the other.
    number: u8,
    /// Whether the kernel wait of the last round failed. That round returned the events of wakers or timers instead of
    /// the error.
    wait_failed: bool,
}

/// One round of polling, by the polling thread.
///
/// `Poll::poll`, `poll_nonblocking`, `poll_once` and, with epoll and kqueue, `Selector::wait` are inlined into the
/// program's loop. If the timeout is the constant `None` or zero, the compiled code is then little more than the system
/// call.
impl Shared {
    /// Polls without blocking.
    #[inline(always)]
    pub fn poll_nonblocking(&self, events: &mut RawEvents, rounds: &mut Rounds) -> io::Result<()> {
        if self.wait().is_notified() || self.timers().has_deadline() {
            return self.poll_round(events, Some(Duration::ZERO), None, rounds);
        }
        let notified = self.selector.wait(events, 0, Some(Duration::ZERO)).map_err(|err| wait_error(events, err))?;
        // This wait consumed the notifier's event, so the pending wakers must be reported now.
        if notified && self.wait().is_notified() {
            self.report_wakers_after_wait(events);
        }
        Ok(())
    }

    /// Polls once, and blocks for `timeout` at most. Returns false if the wait ended without an event, for example
    /// because an earlier deadline interrupted it.
    #[inline(always)]
    pub fn poll_once(
        &self,
        events: &mut RawEvents,
        timeout: Option<Duration>,
        rounds: &mut Rounds,
    ) -> io::Result<bool> {
        // From `begin_block` to `finish`, a wake or an earlier deadline interrupts the kernel wait. Timers are
        // therefore read after `begin_block`: a deadline that was set before is seen here, and a deadline that is set
        // later interrupts the wait.
        let blocked = match self.wait().begin_block() {
            Some(blocked) => blocked,
            None => return self.poll_round(events, timeout, None, rounds).map(|()| !events.list.is_empty()),
        };
        if self.timers().has_deadline() {
            return self.poll_round(events, timeout, Some(blocked), rounds).map(|()| !events.list.is_empty());
        }
        self.selector.wait(events, 0, timeout).map_err(|err| wait_error(events, err))?;
        if blocked.finish() {
            self.report_wakers_after_wait(events);
        }
        Ok(!events.list.is_empty())
    }

    /// Runs a round in which wakers or timers may have events before the kernel wait. It blocks only if `blocked` is
    /// given.
    #[cold]
    #[inline(never)]
    fn poll_round(
        &self,
        events: &mut RawEvents,
        timeout: Option<Duration>,
        blocked: Option<BlockedGuard<'_>>,
        rounds: &mut Rounds,
    ) -> io::Result<()> {
        events.list.clear();
        if events.list.capacity() == 0 {
            return Err(wait_error(events, io::ErrorKind::InvalidInput.into()));
        }
        if mem::take(&mut rounds.wait_failed) {
            // Wait before wakers and timers are reported. Otherwise a timer that is always due would hide an error that
            // persists.
            let notified = self.selector.wait(events, 0, Some(Duration::ZERO))?;
            if notified {
                let _notify_failed = self.wait().notify_outer_loop(|| self.notifier.notify());
            }
            // If this wait consumed the notifier's event, this round must not block. Dropping the guard leaves a
            // notification for the next round.
            if !events.list.is_empty() || notified && blocked.is_some() {
                return Ok(());
            }
        }
        // The clock is read only if a timer is set.
        let now = if self.timers().has_deadline() { Some(Instant::now()) } else { None };
        let until_earliest = self.report_before_wait(events, now, blocked.is_none(), rounds);
        if events.list.len() == events.list.capacity() {
            return Ok(());
        }
        let timeout = match until_earliest {
            _ if blocked.is_none() || !events.list.is_empty() => Some(Duration::ZERO),
            Some(earliest) => Some(timeout.map_or(earliest, |timeout| cmp::min(timeout, earliest))),
            None => timeout,
        };
        let notified = match self.selector.wait(events, events.list.len(), timeout) {
            Ok(notified) => notified,
            // The events taken so far must be reported. If the error persists, the next round returns it.
            Err(_) if !events.list.is_empty() => {
                rounds.wait_failed = true;
                return Ok(());
            }
            Err(err) => return Err(err),
        };
        let must_report = match blocked {
            Some(blocked) => blocked.finish(),
            None => events.list.is_empty() && self.wait().is_notified(),
        };
        if must_report {
            self.report_wakers_after_wait(events);
        } else if notified {
            // This wait consumed the notifier's event. The next poll reports the pending wakers, because this batch may
            // already contain an event of the same waker. So make the descriptor readable again for an outer loop. If
            // this notification fails, only the outer loop misses it.
            let _notify_failed = self.wait().notify_outer_loop(|| self.notifier.notify());
        }
        if events.list.is_empty() && self.timers().has_deadline() {
            let slots = events.list.capacity();
            self.timers().expire(Instant::now(), &mut events.list, slots);
        }
        Ok(())
    }

    /// Reports pending wakers (if `may_report_wakers`: the round holds no `BlockedGuard`) and the timers that are due
    /// `now`. Leaves a slot for the kernel; with capacity 1, only in every second round. Returns the time until the
    /// earliest remaining deadline.
    fn report_before_wait(
        &self,
        events: &mut RawEvents,
        now: Option<Instant>,
        may_report_wakers: bool,
        rounds: &mut Rounds,
    ) -> Option<Duration> {
        let capacity = events.list.capacity();
        // Keep one slot for the kernel, and one for the timers if a timer is due. With capacity 2, one slot remains:
        // the wakers get it for two rounds, then the timers for two rounds. With capacity 1, successive rounds give the
        // slot to the kernel, the wakers, the kernel, the timers.
        rounds.number = rounds.number.wrapping_add(1);
        let slots = if capacity == 1 { usize::from(rounds.number % 2 == 0) } else { capacity - 1 };
        let serve_timers = slots > 1 || slots == 1 && rounds.number % 4 < 2;
        let is_due = |now| self.timers().next_deadline().map_or(false, |deadline| deadline <= now);
        let timer_due = serve_timers && now.map_or(false, is_due);

        let waker_slots = slots - usize::from(timer_due);
        if may_report_wakers && waker_slots > 0 && self.wait().is_notified() {
            self.report_wakers(events, waker_slots);
        }
        let now = now?;
        let timer_slots = slots - events.list.len();
        let earliest = self.timers().expire(now, &mut events.list, timer_slots)?;
        Some(earliest.saturating_duration_since(now))
    }

    /// Reports the wakers whose `wake` was called before or during the wait, in front of the other events.
    #[cold]
    #[inline(never)]
    fn report_wakers_after_wait(&self, events: &mut RawEvents) {
        let other_events = events.list.len();
        self.report_wakers(events, events.list.capacity() - other_events);
        let wakers = events.list.len() - other_events;
        events.list.rotate_right(wakers);
    }

    /// Reports pending wakers, at most `slots`. The state is cleared before the flags are taken: a wake in between sets
    /// the state again.
    fn report_wakers(&self, events: &mut RawEvents, slots: usize) {
        self.wait().clear();
        if self.wakers().report_pending(&mut events.list, slots) {
            // Some flags did not fit, so mark the state notified for the next poll. If the kernel notification fails,
            // only an outer loop that watches the descriptor misses it; returning an error would lose the events
            // already taken.
            let _notify_failed = self.wakers_and_timers.notify();
        }
    }
}

/// Returns the error of a wait. If the capacity is 0, replaces the error by one that names the capacity as the cause.
/// Every queue, and also `poll_round`, returns an error for capacity 0.
#[cold]
#[inline(never)]
fn wait_error(events: &RawEvents, err: io::Error) -> io::Error {
    match events.list.capacity() {
        0 => io::Error::new(io::ErrorKind::InvalidInput, "cannot poll: the capacity of `Events` is 0"),
        _ => err,
    }
}
