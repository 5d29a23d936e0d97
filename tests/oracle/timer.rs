//! One timer, and when the model requires its events.

use std::time::{Duration, Instant};

use minimio::{Timer, Token};

use crate::rules::{check, Checked};

pub struct WatchedTimer {
    pub timer: Timer,
    /// `None`: not registered.
    pub token: Option<Token>,
    pub schedule: Option<Schedule>,
    /// How many polls did not report the timer although it was due.
    pub missed: usize,
}

/// When a timer expires: the deadline is between `earliest` and `latest`.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    earliest: Instant,
    latest: Instant,
    period: Option<Duration>,
    /// Counts the deadlines that were set.
    pub number: u64,
}

impl Schedule {
    /// A deadline that the timer has computed from the clock, between the two times.
    pub fn after(delay: Duration, before: Instant, period: Option<Duration>, number: u64) -> Schedule {
        Schedule { earliest: before + delay, latest: Instant::now() + delay, period, number }
    }

    pub fn at(deadline: Instant, number: u64) -> Schedule {
        Schedule { earliest: deadline, latest: deadline, period: None, number }
    }

    /// Returns the schedule after an expiry between the two times.
    fn next(self, after: Instant, before: Instant) -> Option<Schedule> {
        let period = self.period?;
        // The next deadline is the first that is later than the expiry and a whole number of periods after the old one.
        let next = |deadline: Instant, expiry: Instant| {
            let passed = expiry.saturating_duration_since(deadline).as_nanos() / period.as_nanos();
            (passed, deadline + period * (passed as u32 + 1))
        };
        let expiry = after.max(self.earliest);
        let (few, earliest) = next(self.latest, expiry);
        let (many, _) = next(self.earliest, before);
        // If the bounds are in different periods, any deadline within a period is possible.
        let is_exact = self.earliest == self.latest || few == many;
        let (earliest, latest) = match is_exact {
            true => (next(self.earliest, expiry).1.min(earliest), next(self.latest, before).1),
            false => (expiry, before + period),
        };
        Some(Schedule { earliest, latest, ..self })
    }
}

impl WatchedTimer {
    pub fn new() -> WatchedTimer {
        WatchedTimer { timer: Timer::new(), token: None, schedule: None, missed: 0 }
    }

    /// Returns the bounds of the deadline, if the timer is registered and set.
    pub fn bounds(&self) -> Option<(Instant, Instant)> {
        let Schedule { earliest, latest, .. } = self.schedule?;
        self.token.map(|_| (earliest, latest))
    }

    /// Returns whether a poll that begins now must report the timer.
    pub fn is_due(&self, now: Instant) -> bool {
        self.bounds().map_or(false, |(_, latest)| latest <= now)
    }

    /// Checks an event that a poll between the two times has reported, after that of `previous` in the same poll.
    pub fn check_event(&self, end: Instant, previous: Option<Schedule>) -> Checked<Schedule> {
        let detail = || format!("the schedule {:?}, the end of the poll {end:?}, {previous:?} before", self.schedule);
        let is_set = self.schedule.map_or(false, |schedule| schedule.earliest <= end);
        check(is_set, "a timer expires not before its deadline, and only if it is set", detail)?;
        let schedule = self.schedule.expect("the timer is set");
        let in_order = previous.map_or(true, |previous| {
            let is_one = previous.period.is_none() && schedule.period.is_none();
            let are_equal = previous.earliest == schedule.latest && previous.latest == schedule.earliest;
            previous.earliest <= schedule.latest && !(is_one && are_equal && previous.number > schedule.number)
        });
        check(in_order, "timers expire in the order of their deadlines, and then in which they were set", detail)?;
        Ok(schedule)
    }

    pub fn set_expired(&mut self, begin: Instant, end: Instant) {
        self.schedule = self.schedule.and_then(|schedule| schedule.next(begin, end));
        self.missed = 0;
    }
}
