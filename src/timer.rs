//! `Timer`: a source that becomes readable at a deadline.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::association::Association;
use crate::event::{Source, Token};
use crate::sync::{lock, Mutex};
use crate::timers::Schedule;
use crate::wakers_and_timers::PollHandle;
use crate::{Interest, Registry};

/// A source that becomes readable at a deadline, once or periodically.
///
/// A timer needs no descriptor of its own, and no system call except to interrupt a blocked `poll` if the new deadline
/// is the earliest: a [`Poll`](crate::Poll) keeps the deadlines of its timers in a heap, and the earliest deadline
/// limits the wait. (The poll's first waker or timer opens the poll's [notifier](crate::Poll::new).)
/// Setting, cancelling and expiring a timer are `O(log n)`.
///
/// - A timer never expires early. How late it can expire depends on the scheduler and the clock of the system: the
///   table of [`poll`](crate::Poll::poll) has the resolution on each system.
/// - The methods take `&self`, and any thread may call them, before or after registration. An earlier deadline takes
///   effect in a `poll` that is already blocked.
/// - Setting a timer replaces its schedule, and discards a deadline that has passed but was not reported.
/// - A periodic timer does not drift: each deadline is a whole number of periods after the first one. Deadlines that
///   pass between two polls cause one event.
/// - A timer is registered like any other source: once, with one `Poll`, for `READABLE`. It ignores other readiness and
///   the mode. It keeps its schedule when it is deregistered and registered again. Dropping a timer discards its event.
///
/// The behaviour is the same on all systems. The clock is that of [`Instant`]. Whether it runs while the machine is
/// suspended depends on the system:
///
/// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|---|
/// | the clock runs during suspend | no | macOS: no; BSDs: depends on the system's `CLOCK_MONOTONIC` | yes, but the timeout of a blocked `poll` stops during suspend |
///
/// # Examples
///
/// ```
/// use minimio::{Events, Interest, Poll, Timer, Token};
/// use std::time::{Duration, Instant};
///
/// # fn main() -> std::io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut timer = Timer::new();
/// poll.registry().register(&mut timer, Token(1), Interest::READABLE)?;
///
/// let start = Instant::now();
/// timer.set(Duration::from_millis(20))?;
/// poll.poll(&mut events, None)?;
/// assert_eq!(events.iter().next().map(|event| event.token()), Some(Token(1)));
/// assert!(start.elapsed() >= Duration::from_millis(20));
/// # Ok(())
/// # }
/// ```
pub struct Timer {
    state: Mutex<TimerState>,
}

struct TimerState {
    association: Association,
    registration: Registration,
}

enum Registration {
    /// Not registered: the timer keeps the schedule.
    Unregistered(Schedule),
    /// Registered: the heap of this poll keeps the schedule, under this key.
    Registered(PollHandle, usize),
}

impl Timer {
    /// Creates a timer that is neither set nor registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Interest, Poll, Timer, Token};
    ///
    /// let poll = Poll::new()?;
    /// let mut timer = Timer::new();
    /// poll.registry().register(&mut timer, Token(0), Interest::READABLE)?;
    /// assert_eq!(poll.next_deadline(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Timer {
        let registration = Registration::Unregistered(Schedule::UNSET);
        Timer { state: Mutex::new(TimerState { association: Association::default(), registration }) }
    }

    /// Sets the timer to expire once, after `delay`. If the deadline is later than an [`Instant`] can represent, the
    /// timer never expires.
    ///
    /// # Errors
    ///
    /// The error of the system call that interrupts a blocked `poll`; no case is known. The timer is set nevertheless.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Interest, Poll, Timer, Token};
    /// use std::time::{Duration, Instant};
    ///
    /// let (mut poll, mut events, mut timer) = (Poll::new()?, Events::with_capacity(8), Timer::new());
    /// poll.registry().register(&mut timer, Token(0), Interest::READABLE)?;
    /// let start = Instant::now();
    /// timer.set(Duration::from_secs(60))?;
    /// timer.set(Duration::from_millis(5))?; // Replaces the first deadline.
    /// poll.poll(&mut events, None)?;
    /// assert!(start.elapsed() >= Duration::from_millis(5) && events.len() == 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set(&self, delay: Duration) -> io::Result<()> {
        self.apply(Schedule { deadline: Instant::now().checked_add(delay), period: None })
    }

    /// Sets the timer to expire once, at `deadline`. A deadline in the past expires in the next `poll`.
    ///
    /// # Errors
    ///
    /// As for [`set`](Timer::set).
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Interest, Poll, Timer, Token};
    /// use std::time::{Duration, Instant};
    ///
    /// let (mut poll, mut events, mut timer) = (Poll::new()?, Events::with_capacity(8), Timer::new());
    /// poll.registry().register(&mut timer, Token(0), Interest::READABLE)?;
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// timer.set_at(deadline)?;
    /// assert_eq!(poll.next_deadline(), Some(deadline));
    /// poll.poll(&mut events, None)?;
    /// assert!(Instant::now() >= deadline && events.len() == 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_at(&self, deadline: Instant) -> io::Result<()> {
        self.apply(Schedule { deadline: Some(deadline), period: None })
    }

    /// Sets the timer to expire every `period`, for the first time one `period` from now.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `period` is zero, otherwise as for [`set`](Timer::set).
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Interest, Poll, Timer, Token};
    /// use std::time::{Duration, Instant};
    ///
    /// let (mut poll, mut events, mut timer) = (Poll::new()?, Events::with_capacity(8), Timer::new());
    /// poll.registry().register(&mut timer, Token(0), Interest::READABLE)?;
    /// let start = Instant::now();
    /// timer.set_every(Duration::from_millis(5))?;
    /// for _ in 0..3 {
    ///     poll.poll(&mut events, None)?;
    ///     assert_eq!(events.len(), 1);
    /// }
    /// assert!(start.elapsed() >= Duration::from_millis(15));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_every(&self, period: Duration) -> io::Result<()> {
        if period == Duration::ZERO {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a timer to a period of zero"));
        }
        self.apply(Schedule { deadline: Instant::now().checked_add(period), period: Some(period) })
    }

    /// Cancels the timer: it does not expire until it is set again. A deadline that has passed but was not reported is
    /// discarded.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Interest, Poll, Timer, Token};
    /// use std::time::Duration;
    ///
    /// let (mut poll, mut events, mut timer) = (Poll::new()?, Events::with_capacity(8), Timer::new());
    /// poll.registry().register(&mut timer, Token(0), Interest::READABLE)?;
    /// timer.set(Duration::from_millis(1))?;
    /// timer.cancel();
    /// poll.poll(&mut events, Some(Duration::from_millis(5)))?;
    /// assert!(events.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel(&self) {
        // Without a deadline, the timer cannot become the earliest one, so no interrupt is needed. A blocked `poll` may
        // end its wait at the old deadline. It then finds no timer due and blocks again.
        let _no_interrupt = self.apply(Schedule::UNSET);
    }

    fn apply(&self, schedule: Schedule) -> io::Result<()> {
        let mut state = lock(&self.state);
        match &mut state.registration {
            Registration::Unregistered(kept) => {
                *kept = schedule;
                Ok(())
            }
            Registration::Registered(poll, key) => poll.set_timer(*key, schedule),
        }
    }
}

impl TimerState {
    /// Ends the registration, if there is one, and keeps the schedule.
    fn end_registration(&mut self) {
        if let Registration::Registered(poll, key) = &self.registration {
            let schedule = poll.remove_timer(*key);
            self.registration = Registration::Unregistered(schedule);
        }
        self.association = Association::default();
    }
}

impl Source for Timer {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        interests.only_readable("a timer")?;
        let mut state = lock(&self.state);
        state.association.check_unassociated(registry.id())?;
        // The timer may still be registered with a `Poll` that was dropped.
        state.end_registration();
        if let Registration::Unregistered(schedule) = state.registration {
            let poll = registry.shared.handle()?;
            let key = poll.state.timers.add(token);
            if let Err(err) = poll.set_timer(key, schedule) {
                state.registration = Registration::Unregistered(poll.remove_timer(key));
                return Err(err);
            }
            state.registration = Registration::Registered(poll, key);
            state.association.associate(registry.id());
        }
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        interests.only_readable("a timer")?;
        let state = lock(&self.state);
        state.association.check(registry.id())?;
        if let Registration::Registered(poll, key) = &state.registration {
            poll.state.timers.set_token(*key, token);
        }
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.association.check(registry.id())?;
        state.end_registration();
        Ok(())
    }
}

impl Default for Timer {
    fn default() -> Timer {
        Timer::new()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        lock(&self.state).end_registration();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        let (schedule, registered) = match &state.registration {
            Registration::Unregistered(schedule) => (*schedule, false),
            Registration::Registered(poll, key) => (poll.state.timers.get(*key), true),
        };
        f.debug_struct("Timer")
            .field("deadline", &schedule.deadline)
            .field("period", &schedule.period)
            .field("registered", &registered)
            .finish()
    }
}
