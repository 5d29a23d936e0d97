//! The state that a poll shares with its registries, and one round of polling.

use std::cmp;
use std::io;
use std::mem;
use std::sync;
use std::time::{Duration, Instant};

use crate::association::PollId;
use crate::event::{Event, Token};
use crate::queue::{Notifier, RawEvent, RawEvents, Selector};
use crate::sync::{lock, Arc, Mutex};
use crate::timers::Timers;
use crate::wait::WaitState;
use crate::wakers::{PendingWakers, Wakers};
use crate::wakers_and_timers::{PollHandle, WakersAndTimers};

/// The state of one poll. It exists as long as the poll or any of its registries.
pub(crate) struct Shared {
    pub id: PollId,
    pub selector: Selector,
    /// The notifier, which is opened with the first waker or timer. `Shared` is its only owner, except during a
    /// notification. (An `Arc` of std: loom has no `Weak`.)
    notifier: Mutex<Option<sync::Arc<Notifier>>>,
    wakers_and_timers: Arc<WakersAndTimers>,
}

impl Shared {
    pub fn new() -> io::Result<Shared> {
        let selector = Selector::new()?;
        let wakers_and_timers = Arc::new(WakersAndTimers::new());
        Ok(Shared { id: PollId::new(), selector, notifier: Mutex::new(None), wakers_and_timers })
    }

    /// Returns a handle for a waker or a timer, and opens the notifier if it is not open.
    pub fn handle(&self) -> io::Result<PollHandle> {
        let notifier = &mut *lock(&self.notifier);
        let notifier = match notifier {
            Some(notifier) => notifier,
            None => notifier.insert(sync::Arc::new(Notifier::new(&self.selector)?)),
        };
        Ok(PollHandle { state: Arc::clone(&self.wakers_and_timers), notifier: sync::Arc::downgrade(notifier) })
    }

    /// Notifies the kernel, if the notifier is open: without it, there is no waker and no timer.
    fn notify_kernel(&self) -> io::Result<()> {
        lock(&self.notifier).as_ref().map_or(Ok(()), |notifier| notifier.notify())
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
        let _notify_failed = self.wait().expose(|| self.notify_kernel());
        &self.selector
    }

    /// Ends the notifications, because the `Poll` was dropped. After this call, wakers and timers have no effect.
    pub fn close(&self) {
        self.id.release();
        self.wait().close();
    }
}

/// What the polling thread remembers of its rounds.
#[derive(Default)]
pub(crate) struct Rounds {
    /// The number of rounds in which the event list had a capacity of one or two, modulo 256.
    number: u8,
    /// Whether the kernel wait of the last round failed. That round returned the events of wakers or timers instead of
    /// the error.
    wait_failed: bool,
    pending_wakers: PendingWakers,
}

impl Rounds {
    /// Returns how many slots the wakers and timers have before the kernel wait, and whether one of them is kept for a
    /// timer that is due. One slot is left for the kernel.
    #[inline]
    fn slots_before_wait(&mut self, capacity: usize) -> (usize, bool) {
        if capacity > 2 {
            return (capacity - 1, true);
        }
        // With capacity 2, one slot remains: the wakers get it for two rounds, then the timers for two rounds. With
        // capacity 1, successive rounds give the slot to the kernel, the wakers, the kernel, the timers.
        self.number = self.number.wrapping_add(1);
        let slots = if capacity == 1 { usize::from(self.number % 2 == 0) } else { capacity / 2 };
        (slots, slots > 0 && self.number % 4 < 2)
    }
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
        if !self.wait().is_idle() {
            return self.round_without_blocking(events, rounds);
        }
        let notified = self.selector.wait(events, 0, Some(Duration::ZERO)).map_err(|err| wait_error(events, err))?;
        // This wait consumed the notifier's event, so the pending wakers must be reported now.
        if notified && self.wait().is_notified() {
            self.report_wakers_after_wait(events, rounds);
        }
        Ok(())
    }

    /// Polls once, and blocks for `timeout` at most. Returns `None` if the wait ended without an event, for example
    /// because an earlier deadline interrupted it.
    #[inline(always)]
    pub fn poll_once(
        &self,
        events: &mut RawEvents,
        timeout: Option<Duration>,
        rounds: &mut Rounds,
    ) -> Option<io::Result<()>> {
        let result = match self.wait().begin_block() {
            Ok(blocked) => {
                // From `begin_block` to `finish`, a wake or an earlier deadline interrupts this wait.
                let notified = match self.selector.wait(events, 0, timeout) {
                    Ok(notified) => notified,
                    Err(err) => return Some(Err(wait_error(events, err))),
                };
                if notified || events.list.is_empty() {
                    drop(blocked);
                } else if !blocked.finish() {
                    return Some(Ok(()));
                }
                self.end_round(events, rounds);
                Ok(())
            }
            Err(true) => self.round_without_blocking(events, rounds),
            Err(false) => self.round_until_deadline(events, timeout, rounds),
        };
        match result {
            Ok(()) if events.list.is_empty() => None,
            result => Some(result),
        }
    }

    /// Runs a round that does not block: reports the pending wakers and the timers that are due, then the events of the
    /// kernel.
    #[cold]
    #[inline(never)]
    fn round_without_blocking(&self, events: &mut RawEvents, rounds: &mut Rounds) -> io::Result<()> {
        // The common case, for speed: one waker is pending, and no timer is set.
        match self.take_only_waker(events.list.capacity(), rounds) {
            Some(token) => {
                events.list.clear();
                events.list.push(Event(RawEvent::readable(token)));
            }
            None => {
                if let Some(result) = self.report_before_wait(events, rounds) {
                    return result;
                }
            }
        }
        match self.selector.wait(events, events.list.len(), Some(Duration::ZERO)) {
            Ok(false) if !events.list.is_empty() => Ok(()),
            result => self.end_round_after_wait(result, events, rounds),
        }
    }

    /// Takes the pending waker and returns its token, if there is only one, no timer is set, and the kernel has a slot
    /// too.
    #[inline(always)]
    fn take_only_waker(&self, capacity: usize, rounds: &mut Rounds) -> Option<Token> {
        if capacity <= 2 {
            return None;
        }
        rounds.pending_wakers.take_only(self.wakers(), self.wait().clear_only()?)
    }

    /// Reports the pending wakers and the timers that are due. Returns a result if the round must end here.
    #[cold]
    #[inline(never)]
    fn report_before_wait(&self, events: &mut RawEvents, rounds: &mut Rounds) -> Option<io::Result<()>> {
        events.list.clear();
        if mem::take(&mut rounds.wait_failed) {
            // Wait before wakers and timers are reported. Otherwise a timer that is always due would hide an error that
            // persists.
            match self.selector.wait(events, 0, Some(Duration::ZERO)) {
                Ok(true) => self.notify_outer_loop(),
                Ok(false) => {}
                Err(err) => return Some(Err(err)),
            }
            if !events.list.is_empty() {
                return Some(Ok(()));
            }
        }
        let (slots, keep_one) = rounds.slots_before_wait(events.list.capacity());
        // The clock is read only if a timer is set.
        let now = if self.wait().has_deadline() { Some(Instant::now()) } else { None };
        let timer_due = keep_one && now.map_or(false, |now| self.timers().is_due(now));
        let waker_slots = slots - usize::from(timer_due);
        if waker_slots > 0 && self.wait().is_notified() {
            self.report_wakers(events, waker_slots, rounds);
        }
        if let Some(now) = now {
            let timer_slots = slots - events.list.len();
            self.timers().expire(self.wait(), now, &mut events.list, timer_slots);
        }
        match slots > 0 && events.list.len() == events.list.capacity() {
            true => Some(Ok(())),
            false => None,
        }
    }

    /// Runs a round that may block, until the earliest deadline at most: reports the timers that are due, then the
    /// events of the kernel.
    #[cold]
    #[inline(never)]
    fn round_until_deadline(
        &self,
        events: &mut RawEvents,
        timeout: Option<Duration>,
        rounds: &mut Rounds,
    ) -> io::Result<()> {
        // Timers are read after `begin_block`: a deadline that was set before is seen here, and a deadline that is set
        // later interrupts the wait.
        let blocked = match self.wait().begin_block_until_deadline() {
            Some(blocked) => blocked,
            None => return self.round_without_blocking(events, rounds),
        };
        events.list.clear();
        let now = Instant::now();
        let (slots, _) = rounds.slots_before_wait(events.list.capacity());
        let earliest = self.timers().expire(self.wait(), now, &mut events.list, slots);
        let timeout = match earliest.map(|earliest| earliest.saturating_duration_since(now)) {
            _ if !events.list.is_empty() => Some(Duration::ZERO),
            Some(earliest) => Some(timeout.map_or(earliest, |timeout| cmp::min(timeout, earliest))),
            None => timeout,
        };
        if slots > 0 && events.list.len() == events.list.capacity() {
            return Ok(());
        }
        let result = self.selector.wait(events, events.list.len(), timeout);
        if blocked.finish() && result.is_ok() {
            self.end_round(events, rounds);
            return Ok(());
        }
        self.end_round_after_wait(result, events, rounds)
    }

    /// Ends a round with wakers or timers after the kernel wait.
    #[cold]
    #[inline(never)]
    fn end_round_after_wait(
        &self,
        result: io::Result<bool>,
        events: &mut RawEvents,
        rounds: &mut Rounds,
    ) -> io::Result<()> {
        match result {
            Ok(_) if events.list.is_empty() => self.end_round(events, rounds),
            // This wait consumed the notifier's event. The next poll reports the pending wakers, because this batch may
            // already contain an event of the same waker.
            Ok(true) => self.notify_outer_loop(),
            Ok(false) => {}
            // The events taken so far must be reported. If the error persists, the next round returns it: the hinted
            // state makes the next round call `report_before_wait`, which reads `wait_failed`.
            Err(_) if !events.list.is_empty() => {
                rounds.wait_failed = true;
                let _notify_failed = self.wait().notify_hinted(|| self.notify_kernel());
            }
            Err(err) => return Err(wait_error(events, err)),
        }
        Ok(())
    }

    /// Ends a round: reports the wakers whose `wake` was called during the wait, and, if there is no other event, the
    /// timers that are due now.
    #[cold]
    #[inline(never)]
    fn end_round(&self, events: &mut RawEvents, rounds: &mut Rounds) {
        if self.wait().is_notified() {
            self.report_wakers_after_wait(events, rounds);
        }
        if events.list.is_empty() && self.wait().has_deadline() {
            let slots = events.list.capacity();
            self.timers().expire(self.wait(), Instant::now(), &mut events.list, slots);
        }
    }

    /// Makes the descriptor readable again for an outer loop if wakers are pending, after a wait that consumed the
    /// notifier's event. If the notification fails, only the outer loop misses it.
    #[cold]
    fn notify_outer_loop(&self) {
        let _notify_failed = self.wait().notify_outer_loop(|| self.notify_kernel());
    }

    /// Reports the wakers whose `wake` was called before or during the wait, in front of the other events.
    #[cold]
    #[inline(never)]
    fn report_wakers_after_wait(&self, events: &mut RawEvents, rounds: &mut Rounds) {
        let other_events = events.list.len();
        self.report_wakers(events, events.list.capacity() - other_events, rounds);
        let wakers = events.list.len() - other_events;
        events.list.rotate_right(wakers);
    }

    /// Reports pending wakers, at most `slots`. The state is cleared before the wakers are taken: a wake in between
    /// sets the state again.
    fn report_wakers(&self, events: &mut RawEvents, slots: usize, rounds: &mut Rounds) {
        let woken = self.wait().clear();
        if rounds.pending_wakers.report(self.wakers(), woken, &mut events.list, slots) {
            // Some wakers did not fit, so mark the state notified for the next poll. If the kernel notification fails,
            // only an outer loop that watches the descriptor misses it; returning an error would lose the events
            // already taken.
            let _notify_failed = self.wait().notify_hinted(|| self.notify_kernel());
        }
    }
}

/// Returns the error of a wait. If the capacity is 0, replaces the error by one that names the capacity as the cause.
/// Every queue returns an error for capacity 0.
#[cold]
#[inline(never)]
fn wait_error(events: &RawEvents, err: io::Error) -> io::Error {
    match events.list.capacity() {
        0 => io::Error::new(io::ErrorKind::InvalidInput, "cannot poll: the capacity of `Events` is 0"),
        _ => err,
    }
}
