//! The sources, wakers and timers of one poll, the operations on them, and the check of each poll.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Event, Events, Poll, Registry, Token, Waker};

use crate::operation::{Meanwhile, Operation};
use crate::rules::{check, Checked, Violation};
use crate::source::{Reported, Watched, DIRECTIONS};
use crate::support::pair::{self, Protocol};
use crate::support::readiness::{descriptor, readiness, Handle, Readiness};
use crate::support::system::{EVENTS_CAN_BE_LATE, REFUSED_DATAGRAMS_ARE_REPORTED, SECOND_REGISTRATION_FAILS};
use crate::support::READ;
use crate::timer::{Schedule, WatchedTimer};

const MAX_SOURCES: usize = 6;
const MAX_WAKERS: usize = 4;
const MAX_TIMERS: usize = 5;

/// The timeout of a poll that must end before.
const LONG: Duration = Duration::from_secs(4);
/// How much later than it must a poll may return, on a busy machine.
const LATE: Duration = Duration::from_secs(2);
/// How many polls in a row may be full without an event that is due, and how many events they may report: one for each
/// direction of each source. A list of one event serves the sources in every second poll, and timers in every fourth.
const MAX_EVENTS_BEFORE: usize = 2 * MAX_SOURCES;
const MAX_POLLS_BEFORE: usize = 4 * (2 * MAX_SOURCES + MAX_WAKERS + MAX_TIMERS);

pub struct World {
    poll: Poll,
    registry: Registry,
    state: State,
    /// The poll's descriptor, if the program has taken it.
    descriptor: Option<Handle>,
    pub trace: Option<Vec<String>>,
}

struct State {
    sources: Vec<Watched>,
    wakers: Vec<WatchedWaker>,
    timers: Vec<WatchedTimer>,
    /// For each rank: how many polls in a row have reported none of those that were due.
    skipped: [usize; 3],
    tokens: usize,
    schedules: u64,
    start: Instant,
}

struct WatchedWaker {
    waker: Waker,
    token: Token,
    /// Whether the waker was woken since its last report.
    may_be_pending: bool,
    must_be_pending: bool,
    missed: usize,
}

/// What an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
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

impl World {
    pub fn new(trace: bool) -> World {
        let poll = Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let (sources, wakers, timers) = (Vec::new(), Vec::new(), Vec::new());
        let state = State { sources, wakers, timers, skipped: [0; 3], tokens: 0, schedules: 0, start: Instant::now() };
        World { poll, registry, state, descriptor: None, trace: trace.then(Vec::new) }
    }

    pub fn run(&mut self, operation: Operation) -> Checked {
        let (capacity, timeout, meanwhile) = match operation {
            Operation::Poll(capacity, timeout) => (capacity, Duration::from_micros(timeout), Meanwhile::Nothing),
            Operation::PollWhile(capacity, meanwhile) => (capacity, LONG, meanwhile),
            Operation::TakeDescriptor => {
                self.descriptor = descriptor(&self.poll);
                self.trace.iter_mut().for_each(|trace| trace.push("TakeDescriptor".to_string()));
                return Ok(());
            }
            _ => {
                let target = self.state.apply(&self.registry, operation)?;
                if let (Some(trace), Some(target)) = (&mut self.trace, target) {
                    trace.push(format!("{operation:?} {target}"));
                }
                return Ok(());
            }
        };
        let end = Instant::now() + LONG;
        let mut round = self.poll(capacity, timeout, meanwhile);
        while EVENTS_CAN_BE_LATE && Instant::now() < end {
            match round {
                Err(violation) if violation.rule == NOT_REPORTED => {}
                _ => break,
            }
            thread::yield_now();
            round = self.poll(capacity, Duration::ZERO, Meanwhile::Nothing);
            // Of the polls without an event, the trace keeps only one.
            if let Some(trace) = &mut self.trace {
                trace.dedup();
            }
        }
        round
    }

    /// Polls once, and checks the events.
    fn poll(&mut self, capacity: usize, timeout: Duration, meanwhile: Meanwhile) -> Checked {
        let (poll, registry, state) = (&mut self.poll, &self.registry, &mut self.state);
        state.observe();
        state.check_next_deadline(poll)?;
        let before = Before::of(state);
        before.check_descriptor(self.descriptor)?;
        let operation = state.operation(meanwhile);
        // If no event is due or will be, a long timeout would only take time.
        let will_end = !before.due.is_empty()
            || before.earliest_deadline.is_some()
            || operation.map_or(false, |operation| state.causes_event(operation));
        let timeout = if will_end { timeout } else { timeout.min(Duration::from_millis(1)) };
        let mut events = Events::with_capacity(capacity);
        let (result, changed) = match operation {
            None => (poll.poll(&mut events, Some(timeout)), None),
            Some(operation) => thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    // The poll has blocked already in some cases, and not yet in others.
                    (0..capacity).for_each(|_| thread::yield_now());
                    state.apply(registry, operation).map(|_| Instant::now())
                });
                let result = poll.poll(&mut events, Some(timeout));
                (result, Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
            }),
        };
        let end = Instant::now();
        if let Some(trace) = &mut self.trace {
            let list: Vec<_> = events.iter().map(describe).collect();
            let other = operation.map_or(String::new(), |operation| format!(", another thread: {operation:?}"));
            trace.push(format!("poll with capacity {capacity} and timeout {timeout:?}{other}: {list:?}"));
        }
        let changed_at = changed.transpose()?;
        expect(result, "poll succeeds")?;
        state.observe();
        let detail = || format!("{events:?}, capacity {capacity}");
        check(events.len() <= capacity, "a poll reports at most as many events as the capacity", detail)?;
        state.check_time(&before, &events, end, timeout)?;
        let is_late = changed_at.map_or(false, |at| end > at.max(before.begin) + LATE);
        let has_effect = !events.is_empty() || !Before::of(state).due.is_empty();
        check(!(is_late && has_effect), "what another thread does ends a blocked poll", detail)?;
        let report = state.check_events(&before, &events, end)?;
        state.record(&before, &report, end, operation);
        state.check_slots(&before, &report, capacity)?;
        state.check_missing(&before, &report, capacity)
    }
}

const NOT_REPORTED: &str = "a poll reports all that is due, if it fits";

fn expect<T>(result: io::Result<T>, rule: &'static str) -> Checked<T> {
    result.map_err(|err| Violation { rule, detail: err.to_string() })
}

fn describe(event: &Event) -> String {
    let flags = [(event.is_readable(), "readable"), (event.is_writable(), "writable"), (event.is_error(), "error")];
    let flags: Vec<_> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    format!("{:?} {}", event.token(), flags.join(" "))
}

/// What holds before a poll.
struct Before {
    begin: Instant,
    readiness: Vec<Readiness>,
    /// Whether each waker may be pending.
    pending: Vec<bool>,
    /// What the poll must report: for a source, also the direction.
    due: Vec<(Owner, usize)>,
    earliest_deadline: Option<Instant>,
}

impl Before {
    fn of(state: &State) -> Before {
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
        Before { begin, readiness, pending, due, earliest_deadline }
    }

    /// Checks that an outer event loop sees that a waker or a source is due.
    fn check_descriptor(&self, descriptor: Option<Handle>) -> Checked {
        let is_due = self.due.iter().any(|(owner, _)| !matches!(owner, Owner::Timer(_)));
        let is_readable = |handle| readiness(&[handle])[0].is_readable();
        let is_seen = !is_due || descriptor.map_or(true, is_readable);
        check(is_seen, "the poll's descriptor is readable if wakers or sources are due", || format!("{:?}", self.due))
    }
}

/// The checks of a poll.
impl State {
    fn observe(&mut self) {
        let handles: Vec<_> = self.sources.iter().map(|source| source.pair.source.handle()).collect();
        for (source, readiness) in self.sources.iter_mut().zip(readiness(&handles)) {
            source.observe(readiness);
            source.forget_misses();
        }
    }

    fn check_next_deadline(&self, poll: &Poll) -> Checked {
        let bounds: Vec<_> = self.timers.iter().filter_map(WatchedTimer::bounds).collect();
        let earliest = bounds.iter().map(|(earliest, _)| *earliest).min();
        let latest = bounds.iter().map(|(_, latest)| *latest).min();
        let next = poll.next_deadline();
        let holds = next >= earliest && next <= latest && next.is_some() == latest.is_some();
        check(holds, "next_deadline returns the earliest deadline", || format!("{next:?}, {earliest:?} to {latest:?}"))
    }

    fn check_time(&self, before: &Before, events: &Events, end: Instant, timeout: Duration) -> Checked {
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
    fn check_events(&self, before: &Before, events: &Events, end: Instant) -> Checked<Report> {
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
    fn record(&mut self, before: &Before, report: &Report, end: Instant, operation: Option<Operation>) {
        for &owner in &report.owners {
            match owner {
                Owner::Waker(index) => {
                    let waker = &mut self.wakers[index];
                    // If the waker was pending before the poll, a wake during the poll may not have been reported.
                    let was_woken = matches!(operation, Some(Operation::Wake(woken)) if woken == index);
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
        if let Some(Operation::PeerSend(index) | Operation::Register(index, _)) = operation {
            self.sources[index].set_used();
        }
    }

    /// Checks that wakers, timers and sources each get a slot: in each poll with enough slots, otherwise in turns.
    fn check_slots(&mut self, before: &Before, report: &Report, capacity: usize) -> Checked {
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
    fn check_missing(&mut self, before: &Before, report: &Report, capacity: usize) -> Checked {
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
            // One slot is the kernel's, and the notifier's event can take a slot.
            let is_full = owners.len() >= capacity.saturating_sub(1).max(1);
            check(is_full, NOT_REPORTED, detail)?;
            let is_soon = polls <= MAX_POLLS_BEFORE && events <= MAX_EVENTS_BEFORE;
            check(is_soon, "what does not fit is reported by one of the next polls", detail)?;
        }
        Ok(())
    }
}

/// What a poll has reported.
struct Report {
    /// The owner of each event.
    owners: Vec<Owner>,
    sources: Vec<Reported>,
}

/// The operations.
impl State {
    /// Returns what the other thread does, or `None` if it is not possible now.
    fn operation(&self, meanwhile: Meanwhile) -> Option<Operation> {
        match meanwhile {
            Meanwhile::Nothing => None,
            Meanwhile::Wake(n) => select(n, &self.wakers).map(Operation::Wake),
            // If the timer was set already, it would not be known which deadline the poll has reported.
            Meanwhile::Set(n, delay) => select(n, &self.timers)
                .filter(|&index| self.timers[index].schedule.is_none())
                .map(|index| Operation::Set(index, delay)),
            Meanwhile::PeerSend(n) => select(n, &self.sources).map(Operation::PeerSend),
            Meanwhile::Register(n, interest) => select(n, &self.sources)
                .filter(|&index| self.sources[index].registration.is_none())
                .map(|index| Operation::Register(index, interest)),
        }
    }

    /// Returns whether this operation during a poll causes an event.
    fn causes_event(&self, operation: Operation) -> bool {
        match operation {
            Operation::Wake(_) => true,
            Operation::Set(index, _) => self.timers[index].token.is_some(),
            Operation::Register(index, interest) => self.sources[index].is_ready_for(interest),
            Operation::PeerSend(index) => self.sources[index].will_report_input(),
            _ => false,
        }
    }

    /// Runs an operation that is not a poll. Returns its target, or `None` if the operation is not possible.
    fn apply(&mut self, registry: &Registry, operation: Operation) -> Checked<Option<String>> {
        use Operation::*;
        match operation {
            Open(_) | Close(_) | Register(..) | Reregister(..) | Deregister(_) => self.change(registry, operation),
            Receive(n, _) | Drain(n) | Send(n, _) | Fill(n) | ShutDown(n) => Ok(self.use_source(n, operation)),
            PeerSend(n) | PeerDrain(n) | PeerShutDown(n) | PeerClose(n) | PeerReset(n) => {
                Ok(self.use_peer(n, operation))
            }
            OpenWaker | CloseWaker(_) | Wake(_) => self.use_waker(registry, operation),
            _ => self.use_timer(registry, operation),
        }
    }

    fn change(&mut self, registry: &Registry, operation: Operation) -> Checked<Option<String>> {
        use Operation::*;
        let number = match operation {
            Open(kind) if self.sources.len() < MAX_SOURCES => {
                let pair = expect(pair::open(kind), "a source can be opened")?;
                self.sources.push(Watched::new(pair));
                return Ok(self.sources.last().map(Watched::to_string));
            }
            Close(n) | Register(n, _) | Reregister(n, _) | Deregister(n) => n,
            _ => return Ok(None),
        };
        let index = match select(number, &self.sources) {
            Some(index) => index,
            None => return Ok(None),
        };
        let (token, source) = (self.new_token(), &mut self.sources[index]);
        let (is_registered, is_raw) = (source.registration.is_some(), source.pair.is_raw);
        let (result, expected) = match operation {
            Close(_) => {
                let mut source = self.sources.remove(index);
                if is_registered && is_raw {
                    expect(source.pair.source.deregister(registry), "a source can be deregistered before its close")?;
                }
                let description = source.to_string();
                drop(source.pair.source);
                source.pair.peer.iter().for_each(|peer| peer.reset_on_close());
                return Ok(Some(description));
            }
            // On some systems, always or sometimes, a second registration replaces the first.
            Register(..) if is_registered && is_raw && !SECOND_REGISTRATION_FAILS => return Ok(None),
            Register(_, interest) => {
                let interest = source.possible(interest);
                let result = source.pair.source.register(registry, token, interest);
                if !is_registered && result.is_ok() {
                    source.set_registered(token, interest);
                }
                (result, if is_registered { Some(ErrorKind::AlreadyExists) } else { None })
            }
            Reregister(_, interest) => {
                let interest = source.possible(interest);
                let result = source.pair.source.reregister(registry, token, interest);
                if is_registered && result.is_ok() {
                    source.set_registered(token, interest);
                }
                (result, if is_registered { None } else { Some(ErrorKind::NotFound) })
            }
            _ => {
                let result = source.pair.source.deregister(registry);
                source.registration = None;
                (result, if is_registered { None } else { Some(ErrorKind::NotFound) })
            }
        };
        let kind = result.as_ref().err().map(io::Error::kind);
        let detail = || format!("{operation:?} of {source} returned {result:?}, expected {expected:?}");
        check(kind == expected, "registering fails only for a registered source, the others for others", detail)?;
        Ok(Some(source.to_string()))
    }

    fn use_source(&mut self, n: usize, operation: Operation) -> Option<String> {
        let index = select(n, &self.sources)?;
        let source = &mut self.sources[index];
        match operation {
            Operation::Receive(_, len) => drop(source.receive(len)),
            Operation::Drain(_) => while let Ok(1..) = source.receive(4096) {},
            Operation::Send(_, len) => drop(source.send(len)),
            Operation::Fill(_) => source.fill(),
            _ => source.shut_down(),
        }
        source.set_used();
        source.look();
        Some(source.to_string())
    }

    fn use_peer(&mut self, n: usize, operation: Operation) -> Option<String> {
        let index = select(n, &self.sources)?;
        let source = &mut self.sources[index];
        let peer = source.pair.peer.as_mut()?;
        match operation {
            Operation::PeerSend(_) => match peer.send(&[7; 20]) {
                Ok(count) => source.arrived(count),
                Err(_) => return None,
            },
            Operation::PeerDrain(_) => source.drain_peer(),
            Operation::PeerShutDown(_) => match peer.shut_down_writing() {
                Ok(()) => source.wait_for_end(),
                Err(_) => return None,
            },
            // After that, datagrams would be refused.
            _ if source.pair.protocol == Protocol::Messages && !REFUSED_DATAGRAMS_ARE_REPORTED => return None,
            _ => {
                if let Operation::PeerReset(_) = operation {
                    peer.reset_on_close();
                }
                source.pair.peer = None;
                source.wait_for_end();
            }
        }
        source.set_used();
        source.look();
        Some(source.to_string())
    }

    fn use_waker(&mut self, registry: &Registry, operation: Operation) -> Checked<Option<String>> {
        let token = self.new_token();
        match operation {
            Operation::OpenWaker if self.wakers.len() < MAX_WAKERS => {
                let waker = expect(Waker::new(registry, token), "a waker can be created")?;
                self.wakers.push(WatchedWaker {
                    waker,
                    token,
                    may_be_pending: false,
                    must_be_pending: false,
                    missed: 0,
                });
                Ok(Some(format!("{token:?}")))
            }
            Operation::CloseWaker(n) => {
                Ok(select(n, &self.wakers).map(|index| format!("{:?}", self.wakers.remove(index).token)))
            }
            Operation::Wake(n) => match select(n, &self.wakers) {
                Some(index) => {
                    let waker = &mut self.wakers[index];
                    expect(waker.waker.wake(), "wake succeeds")?;
                    waker.may_be_pending = true;
                    waker.must_be_pending = true;
                    Ok(Some(format!("{:?}", waker.token)))
                }
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn use_timer(&mut self, registry: &Registry, operation: Operation) -> Checked<Option<String>> {
        use Operation::*;
        let number = match operation {
            OpenTimer if self.timers.len() < MAX_TIMERS => {
                self.timers.push(WatchedTimer::new());
                return Ok(Some(String::new()));
            }
            CloseTimer(n) | ToggleTimer(n) | ReregisterTimer(n) | Cancel(n) => n,
            Set(n, _) | SetAt(n, _) | SetEvery(n, _) => n,
            _ => return Ok(None),
        };
        let index = match select(number, &self.timers) {
            Some(index) => index,
            None => return Ok(None),
        };
        let token = self.new_token();
        self.schedules += 1;
        let (number, start) = (self.schedules, self.start);
        let watched = &mut self.timers[index];
        let WatchedTimer { timer, token: registered, schedule, .. } = watched;
        let now = Instant::now();
        let result = match operation {
            CloseTimer(_) => {
                self.timers.remove(index);
                return Ok(Some(format!("timer {index}")));
            }
            ToggleTimer(_) if registered.is_some() => {
                *registered = None;
                let again = registry.register(timer, token, READ).map_err(|err| err.kind());
                let is_refused = again == Err(ErrorKind::AlreadyExists);
                check(is_refused, "a second registration of a timer fails", || format!("{again:?}"))?;
                registry.deregister(timer)
            }
            ToggleTimer(_) => {
                *registered = Some(token);
                // The deadlines of a heap are ordered by when they were added to it.
                schedule.iter_mut().for_each(|schedule| schedule.number = number);
                registry.register(timer, token, READ)
            }
            ReregisterTimer(_) if registered.is_none() => return Ok(None),
            ReregisterTimer(_) => {
                *registered = Some(token);
                registry.reregister(timer, token, READ)
            }
            Set(_, micros) => {
                let (delay, result) = (Duration::from_micros(micros), timer.set(Duration::from_micros(micros)));
                *schedule = Some(Schedule::after(delay, now, None, number));
                result
            }
            SetAt(_, micros) => {
                let rounded = (now - start).as_micros() as u64 / 100 * 100;
                let deadline = start + Duration::from_micros(rounded + micros / 100 * 100);
                *schedule = Some(Schedule::at(deadline, number));
                timer.set_at(deadline)
            }
            SetEvery(_, micros) => {
                let period = Duration::from_micros(micros);
                let result = timer.set_every(period);
                *schedule = Some(Schedule::after(period, now, Some(period), number));
                result
            }
            _ => {
                *schedule = None;
                timer.cancel();
                Ok(())
            }
        };
        watched.missed = 0;
        expect(result, "the operations on a timer succeed")?;
        Ok(Some(format!("timer {index} {:?}", watched.token)))
    }

    fn new_token(&mut self) -> Token {
        self.tokens += 1;
        // Any number can be a token, also the largest.
        Token(if self.tokens % 2 == 0 { self.tokens } else { usize::MAX - self.tokens / 2 })
    }
}

/// Returns a number as an index, or `None` if there is no element.
fn select<T>(number: usize, list: &[T]) -> Option<usize> {
    number.checked_rem(list.len())
}
