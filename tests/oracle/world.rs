//! The sources, wakers and timers of one poll, and the operations on them.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Events, Poll, Registry, Token, Waker};

use crate::checks::{describe, Before, LATE, NOT_REPORTED};
use crate::operation::{Meanwhile, Operation};
use crate::rules::{check, expect, Checked};
use crate::source::Watched;
use crate::support::pair::{self, Protocol};
use crate::support::readiness::{descriptor, Handle};
use crate::support::system::{EVENTS_CAN_BE_LATE, REFUSED_DATAGRAMS_ARE_REPORTED, SECOND_REGISTRATION_FAILS};
use crate::support::READ;
use crate::timer::{Schedule, WatchedTimer};

/// The slots for sources, as many as those for wakers and for timers.
pub const SLOTS: usize = 6;

/// The timeout of a poll that must end before.
const LONG: Duration = Duration::from_secs(8);

pub struct World {
    poll: Poll,
    registry: Registry,
    state: State,
    /// The poll's descriptor, if the program has taken it.
    descriptor: Option<Handle>,
    /// How many polls were made, and how many events they reported.
    pub polls: usize,
    pub events: usize,
    /// What happened, in words; kept only for a sequence that is printed.
    pub trace: Option<Vec<String>>,
}

pub struct State {
    pub sources: Vec<Watched>,
    pub wakers: Vec<WatchedWaker>,
    pub timers: Vec<WatchedTimer>,
    /// For wakers, timers and sources: how many polls in a row have reported none of those that were due.
    pub skipped: [usize; 3],
    tokens: usize,
    schedules: u64,
    start: Instant,
}

pub struct WatchedWaker {
    slot: usize,
    waker: Waker,
    pub token: Token,
    /// Whether the waker was woken since its last report.
    pub may_be_pending: bool,
    pub must_be_pending: bool,
    pub missed: usize,
}

/// What another thread does during a poll, and the index of its source, waker or timer.
#[derive(Clone, Copy, Debug)]
pub struct Concurrent {
    pub operation: Operation,
    pub index: usize,
}

impl World {
    pub fn new(trace: bool) -> World {
        let poll = Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let (sources, wakers, timers) = (Vec::new(), Vec::new(), Vec::new());
        let state = State { sources, wakers, timers, skipped: [0; 3], tokens: 0, schedules: 0, start: Instant::now() };
        World { poll, registry, state, descriptor: None, polls: 0, events: 0, trace: trace.then(Vec::new) }
    }

    /// Runs one operation. Checks the result, if the operation is a poll.
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
        let concurrent = state.concurrent(meanwhile);
        // If no event is due or will be, a long timeout would only take time.
        let will_end = !before.due.is_empty()
            || before.earliest_deadline.is_some()
            || concurrent.iter().any(|it| state.causes_event(*it));
        let timeout = if will_end { timeout } else { timeout.min(Duration::from_millis(1)) };
        let mut events = Events::with_capacity(capacity);
        let (result, changed) = if concurrent.is_empty() {
            (poll.poll(&mut events, Some(timeout)), None)
        } else {
            thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    // In some cases the poll has blocked already, in others not yet.
                    (0..capacity % 3).for_each(|_| thread::yield_now());
                    concurrent.iter().try_for_each(|it| state.apply(registry, it.operation).map(drop))?;
                    Ok(Instant::now())
                });
                let result = poll.poll(&mut events, Some(timeout));
                (result, Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))))
            })
        };
        let end = Instant::now();
        self.polls += 1;
        self.events += events.len();
        if let Some(trace) = &mut self.trace {
            let list: Vec<_> = events.iter().map(describe).collect();
            let other: Vec<_> = concurrent.iter().map(|it| it.operation).collect();
            trace.push(format!("poll({capacity}, {timeout:?}), another thread: {other:?}, reported: {list:?}"));
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
        state.record(&before, &report, end, &concurrent);
        state.check_slots(&before, &report, capacity)?;
        state.check_missing(&before, &report, capacity)
    }
}

/// The operations.
impl State {
    fn source(&self, number: usize) -> Option<usize> {
        select(number, &self.sources, |source| source.slot)
    }

    fn waker(&self, number: usize) -> Option<usize> {
        select(number, &self.wakers, |waker| waker.slot)
    }

    fn timer(&self, number: usize) -> Option<usize> {
        select(number, &self.timers, |timer| timer.slot)
    }

    /// Returns what the other thread does, as far as it is possible now.
    fn concurrent(&self, meanwhile: Meanwhile) -> Vec<Concurrent> {
        let wake = |n| (Operation::Wake(n), self.waker(n));
        let peer_send = |n| (Operation::PeerSend(n), self.source(n));
        let operations = match meanwhile {
            Meanwhile::Nothing => vec![],
            Meanwhile::Wake(n) => vec![wake(n)],
            Meanwhile::PeerSend(n) => vec![peer_send(n)],
            Meanwhile::PeerSendAndWake(n) => vec![peer_send(n), wake(n)],
            // If the timer was set already, it would not be known which deadline the poll has reported.
            Meanwhile::Set(n, delay) => {
                let index = self.timer(n).filter(|&index| self.timers[index].schedule.is_none());
                vec![(Operation::Set(n, delay), index)]
            }
            Meanwhile::Register(n, interest) => {
                let index = self.source(n).filter(|&index| self.sources[index].registration.is_none());
                vec![(Operation::Register(n, interest), index)]
            }
        };
        let possible = |(operation, index): (_, Option<usize>)| index.map(|index| Concurrent { operation, index });
        operations.into_iter().filter_map(possible).collect()
    }

    /// Returns whether this operation during a poll causes an event.
    fn causes_event(&self, Concurrent { operation, index }: Concurrent) -> bool {
        match operation {
            Operation::Wake(_) => true,
            Operation::Set(..) => self.timers[index].token.is_some(),
            Operation::Register(_, interest) => self.sources[index].is_ready_for(interest),
            Operation::PeerSend(_) => self.sources[index].will_report_input(),
            _ => false,
        }
    }

    /// Runs an operation that is not a poll. Returns its target, or `None` if the operation is not possible.
    fn apply(&mut self, registry: &Registry, operation: Operation) -> Checked<Option<String>> {
        use Operation::*;
        match operation {
            Open(..) | Close(_) | Register(..) | Reregister(..) | Deregister(_) => self.change(registry, operation),
            Receive(n, _) | Drain(n) | Send(n, _) | Fill(n) | ShutDown(n) => Ok(self.use_source(n, operation)),
            PeerSend(n) | PeerDrain(n) | PeerShutDown(n) | PeerClose(n) | PeerReset(n) => {
                Ok(self.use_peer(n, operation))
            }
            OpenWaker(_) | CloseWaker(_) | Wake(_) => self.use_waker(registry, operation),
            _ => self.use_timer(registry, operation),
        }
    }

    /// Opens, closes or registers a source, or changes its registration.
    fn change(&mut self, registry: &Registry, operation: Operation) -> Checked<Option<String>> {
        use Operation::*;
        let number = match operation {
            Open(n, _) if self.sources.iter().any(|source| source.slot == n % SLOTS) => return Ok(None),
            Open(n, kind) => {
                let pair = expect(pair::open(kind), "a source can be opened")?;
                self.sources.push(Watched::new(n % SLOTS, pair));
                return Ok(self.sources.last().map(Watched::to_string));
            }
            Close(n) | Register(n, _) | Reregister(n, _) | Deregister(n) => n,
            _ => return Ok(None),
        };
        let index = match self.source(number) {
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
            Register(_, interest) => {
                let interest = source.possible(interest);
                let result = source.pair.source.register(registry, token, interest);
                // On some systems, a second registration of a raw source replaces the first.
                let must_fail = is_registered && (!is_raw || SECOND_REGISTRATION_FAILS);
                if !must_fail && result.is_ok() {
                    source.set_registered(token, interest);
                }
                (result, if must_fail { Some(ErrorKind::AlreadyExists) } else { None })
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
        check(
            kind == expected,
            "register fails if the source is registered, reregister and deregister if it is not",
            detail,
        )?;
        Ok(Some(source.to_string()))
    }

    /// Does what a program does with its source.
    fn use_source(&mut self, n: usize, operation: Operation) -> Option<String> {
        let index = self.source(n)?;
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

    /// Does what a peer does, and waits until `poll(2)` shows the effect.
    fn use_peer(&mut self, n: usize, operation: Operation) -> Option<String> {
        let index = self.source(n)?;
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
            Operation::OpenWaker(n) if self.wakers.iter().any(|waker| waker.slot == n % SLOTS) => Ok(None),
            Operation::OpenWaker(n) => {
                let waker = expect(Waker::new(registry, token), "a waker can be created")?;
                self.wakers.push(WatchedWaker {
                    slot: n % SLOTS,
                    waker,
                    token,
                    may_be_pending: false,
                    must_be_pending: false,
                    missed: 0,
                });
                Ok(Some(format!("{token:?}")))
            }
            Operation::CloseWaker(n) => Ok(self.waker(n).map(|index| format!("{:?}", self.wakers.remove(index).token))),
            Operation::Wake(n) => match self.waker(n) {
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
            OpenTimer(n) if self.timers.iter().any(|timer| timer.slot == n % SLOTS) => return Ok(None),
            OpenTimer(n) => {
                self.timers.push(WatchedTimer::new(n % SLOTS));
                return Ok(Some(format!("in slot {}", n % SLOTS)));
            }
            CloseTimer(n) | ToggleTimer(n) | ReregisterTimer(n) | Cancel(n) => n,
            Set(n, _) | SetAt(n, _) | SetEvery(n, _) => n,
            _ => return Ok(None),
        };
        let index = match self.timer(number) {
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

/// Returns the index of the element in the slot with this number, or else in the next slot that is in use.
fn select<T>(number: usize, list: &[T], slot: impl Fn(&T) -> usize) -> Option<usize> {
    (0..list.len()).min_by_key(|&index| (slot(&list[index]) + SLOTS - number % SLOTS) % SLOTS)
}
