//! The checks of one poll.

use std::time::{Duration, Instant};

use minimio::{Event, Events, Poll, Token};

use crate::operation::Operation;
use crate::rules::{check, Checked, Violation};
use crate::source::{Reported, Watched, DIRECTIONS};
use crate::support::readiness::{readiness, Handle, Readiness};
use crate::support::system::{EVENTS_CAN_BE_LATE, SUPPRESSED_EVENTS_TAKE_SLOTS};
use crate::timer::WatchedTimer;
use crate::world::{Concurrent, State, SLOTS};

/// How much later than it must a poll may return, on a busy machine.
pub const LATE: Duration = Duration::from_secs(5);
/// How many polls in a row may be full without an event that is due, and how many events they may report: one for each
/// direction of each source. A list of one event serves the sources in every second poll, and timers in every fourth.
const MAX_EVENTS_BEFORE: usize = 2 * SLOTS;
const MAX_POLLS_BEFORE: usize = 4 * 4 * SLOTS;

/// What an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Waker(usize),
    Timer(usize),
    Source(usize),
}

impl Owner {
    /// Returns the place in the order in which a poll reports.
    fn rank(self) -> usize {
        match self {
            Owner::Waker(_) => 0,
            Owner::Timer(_) => 1,
            Owner::Source(_) => 2,
        }
    }
}

const RANKS: [&str; 3] = ["wakers", "timers", "sources"];

/// A rule that a poll may break at first on systems whose events can be late.
pub const NOT_REPORTED: &str = "a poll reports all that is due, if it fits";

pub fn describe(event: &Event) -> String {
    let flags = [(event.is_readable(), "readable"), (event.is_writable(), "writable"), (event.is_error(), "error")];
    let flags: Vec<_> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    format!("{:?} {}", event.token(), flags.join(" "))
}

/// What holds before a poll.
pub struct Before {
    pub begin: Instant,
    readiness: Vec<Readiness>,
    /// Whether each waker may be pending.
    pending: Vec<bool>,
    /// How many slots the events of sources can take that are not reported.
    suppressed: usize,
    /// What the poll must report: for a source, also the direction.
    pub due: Vec<(Owner, usize)>,
    pub earliest_deadline: Option<Instant>,
}

impl Before {
    pub fn of(state: &State) -> Before {
        let begin = Instant::now();
        let mut due = Vec::new();
        let wakers = state.wakers.iter().enumerate().filter(|(_, waker)| waker.must_be_pending);
        due.extend(wakers.map(|(index, _)| (Owner::Waker(index), 0)));
        let timers = state.timers.iter().enumerate().filter(|(_, timer)| timer.is_due(begin));
        due.extend(timers.map(|(index, _)| (Owner::Timer(index), 0)));
        for (index, source) in state.sources.iter().enumerate() {
            let directions = (0..DIRECTIONS.len()).filter(|&direction| source.is_due(direction));
            due.extend(directions.map(|direction| (Owner::Source(index), direction)));
        }
        let earliest_deadline = state.timers.iter().filter_map(|timer| timer.bounds()).map(|(_, latest)| latest).min();
        let readiness = state.sources.iter().map(|source| source.readiness).collect();
        let pending = state.wakers.iter().map(|waker| waker.may_be_pending).collect();
        let has_second_direction = |source: &&Watched| SUPPRESSED_EVENTS_TAKE_SLOTS && source.is_reported_oneshot();
        let suppressed = state.sources.iter().filter(has_second_direction).count();
        Before { begin, readiness, pending, suppressed, due, earliest_deadline }
    }

    /// Checks that an outer event loop sees that a waker or a source is due.
    pub fn check_descriptor(&self, descriptor: Option<Handle>) -> Checked {
        let is_due = self.due.iter().any(|(owner, _)| !matches!(owner, Owner::Timer(_)));
        let is_readable = |handle| readiness(&[handle])[0].is_readable();
        let is_seen = !is_due || descriptor.map_or(true, is_readable);
        check(is_seen, "the poll's descriptor is readable if wakers or sources are due", || format!("{:?}", self.due))
    }
}

/// The checks of a poll.
impl State {
    /// Records what `poll(2)` shows for all sources.
    pub fn observe(&mut self) {
        let handles: Vec<_> = self.sources.iter().map(|source| source.pair.source.handle()).collect();
        for (source, readiness) in self.sources.iter_mut().zip(readiness(&handles)) {
            source.observe(readiness);
            source.forget_misses();
        }
    }

    /// Checks the deadline for an outer event loop.
    pub fn check_next_deadline(&self, poll: &Poll) -> Checked {
        let bounds: Vec<_> = self.timers.iter().filter_map(WatchedTimer::bounds).collect();
        let earliest = bounds.iter().map(|(earliest, _)| *earliest).min();
        let latest = bounds.iter().map(|(_, latest)| *latest).min();
        let next = poll.next_deadline();
        let holds = next >= earliest && next <= latest && next.is_some() == latest.is_some();
        check(holds, "next_deadline returns the earliest deadline", || format!("{next:?}, {earliest:?} to {latest:?}"))
    }

    /// Checks that the poll returned neither early nor late.
    pub fn check_time(&self, before: &Before, events: &Events, end: Instant, timeout: Duration) -> Checked {
        let passed = end - before.begin;
        let detail = || format!("{events:?} after {passed:?}, timeout {timeout:?}, due {:?}", before.due);
        let is_early = events.is_empty() && passed < timeout;
        check(!is_early, "a poll without events returns after its timeout", detail)?;
        let deadline = before.earliest_deadline.filter(|deadline| *deadline <= before.begin + timeout);
        check(!events.is_empty() || deadline.is_none(), "a poll without events returns before the deadlines", detail)?;
        let expected = match before.due.is_empty() {
            true => deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(before.begin)),
            false => Duration::ZERO,
        };
        check(passed <= expected + LATE, "a poll returns at its timeout, or earlier if there is an event", detail)
    }

    fn owner(&self, token: Token) -> Option<Owner> {
        let waker = self.wakers.iter().position(|waker| waker.token == token).map(Owner::Waker);
        let timer = || self.timers.iter().position(|timer| timer.token == Some(token)).map(Owner::Timer);
        let is_source = |source: &Watched| source.registration.as_ref().map(|it| it.token) == Some(token);
        let source = || self.sources.iter().position(is_source).map(Owner::Source);
        waker.or_else(timer).or_else(source)
    }

    /// Checks each event.
    pub fn check_events(&self, before: &Before, events: &Events, end: Instant) -> Checked<Report> {
        let mut report = Report { owners: Vec::new(), sources: vec![Reported::default(); self.sources.len()] };
        let mut previous = None;
        for event in events {
            let detail = || format!("{event:?} in {events:?}");
            let owner = self.owner(event.token()).ok_or_else(|| Violation {
                rule: "an event has the newest token of a source, waker or timer that is registered",
                detail: detail(),
            })?;
            let in_order = report.owners.last().map_or(true, |last: &Owner| last.rank() <= owner.rank());
            check(in_order, "a poll reports first wakers, then timers, then sources", detail)?;
            let is_plain = event.is_readable() && !event.is_writable() && !event.is_error();
            let is_source = matches!(owner, Owner::Source(_));
            check(is_source || is_plain, "the event of a waker or timer is readable and nothing else", detail)?;
            let mut is_first = !report.owners.contains(&owner);
            match owner {
                Owner::Waker(index) => {
                    check(self.wakers[index].may_be_pending, "a waker is reported once after its wakes", detail)?;
                }
                Owner::Timer(index) => previous = Some(self.timers[index].check_event(end, previous)?),
                Owner::Source(index) => {
                    self.sources[index].check_event(event, before.readiness[index])?;
                    let reported = &mut report.sources[index];
                    let [readable, writable] = &mut reported.directions;
                    is_first = !(*readable && event.is_readable() || *writable && event.is_writable());
                    *readable |= event.is_readable();
                    *writable |= event.is_writable();
                    reported.error |= event.is_error();
                    reported.end |= event.is_read_closed();
                }
            }
            check(is_first, "a poll reports each direction once", detail)?;
            report.owners.push(owner);
        }
        Ok(report)
    }

    /// Records what the poll has reported.
    pub fn record(&mut self, before: &Before, report: &Report, end: Instant, concurrent: &[Concurrent]) {
        for &owner in &report.owners {
            match owner {
                Owner::Waker(index) => {
                    let waker = &mut self.wakers[index];
                    // If the waker was pending before the poll, a wake during the poll may not have been reported.
                    let is_wake = |it: &Concurrent| matches!(it.operation, Operation::Wake(_)) && it.index == index;
                    let was_woken = concurrent.iter().any(is_wake);
                    waker.may_be_pending = was_woken && before.pending[index];
                    waker.must_be_pending = false;
                    waker.missed = 0;
                }
                Owner::Timer(index) => self.timers[index].set_expired(before.begin, end),
                Owner::Source(_) => {}
            }
        }
        for (index, source) in self.sources.iter_mut().enumerate() {
            source.set_reported(report.sources[index], before.readiness[index]);
        }
        // The effect may have followed the report.
        for &Concurrent { operation, index } in concurrent {
            if let Operation::PeerSend(_) | Operation::Register(..) = operation {
                self.sources[index].set_used();
            }
        }
    }

    /// Checks that wakers, timers and sources each get a slot: in each poll with enough slots, otherwise in turns.
    pub fn check_slots(&mut self, before: &Before, report: &Report, capacity: usize) -> Checked {
        for (rank, skipped) in self.skipped.iter_mut().enumerate() {
            let is_due = before.due.iter().any(|(owner, _)| owner.rank() == rank);
            let is_reported = report.owners.iter().any(|owner| owner.rank() == rank);
            *skipped = if is_due && !is_reported { *skipped + 1 } else { 0 };
            let (enough, most) = [(3, 3), (3, 3), (2, 1)][rank];
            let is_fair = *skipped == 0 || capacity < enough && *skipped <= most;
            let detail = || format!("{} were due in {skipped} polls, capacity {capacity}", RANKS[rank]);
            check(is_fair || rank == 2 && EVENTS_CAN_BE_LATE, "wakers, timers and sources each get slots", detail)?;
        }
        Ok(())
    }

    /// Checks that what was due is reported, or that the list was full and the delay is not too long.
    pub fn check_missing(&mut self, before: &Before, report: &Report, capacity: usize) -> Checked {
        let owners = &report.owners;
        let events = owners.iter().filter(|owner| matches!(owner, Owner::Source(_))).count();
        for &(owner, direction) in &before.due {
            let (polls, events, what) = match owner {
                Owner::Source(index) if !report.sources[index].directions[direction] => {
                    let (polls, events) = self.sources[index].miss(direction, events);
                    (polls, events, format!("{:?} of {}", DIRECTIONS[direction], self.sources[index]))
                }
                Owner::Waker(index) if !owners.contains(&owner) => {
                    self.wakers[index].missed += 1;
                    (self.wakers[index].missed, 0, format!("{owner:?}"))
                }
                Owner::Timer(index) if !owners.contains(&owner) => {
                    self.timers[index].missed += 1;
                    (self.timers[index].missed, 0, format!("{owner:?}"))
                }
                _ => continue,
            };
            let detail = || format!("{what} is missing, reported are {owners:?}, capacity {capacity}");
            // One slot is the kernel's, and the notifier's event can take a slot. Without an event, a poll is not full.
            let is_full = !owners.is_empty() && owners.len() + 1 + before.suppressed >= capacity;
            check(is_full, NOT_REPORTED, detail)?;
            let is_soon = polls <= MAX_POLLS_BEFORE && events <= MAX_EVENTS_BEFORE;
            check(is_soon || EVENTS_CAN_BE_LATE, "what does not fit is reported by one of the next polls", detail)?;
        }
        Ok(())
    }
}

/// What a poll has reported.
pub struct Report {
    /// The owner of each event.
    owners: Vec<Owner>,
    sources: Vec<Reported>,
}
