//! Windows: the poller keeps its sources, because minimio does not detect a socket that is added twice, and because an
//! event of a handle is the handle's interest.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::windows::io::{RawHandle, RawSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use minimio::event::Source as _;
use minimio::windows::{SourceHandle, SourceSocket};
use minimio::{Interest, Poll, Registry, Token, Waker};

use crate::event::Extra;
use crate::poller::NOTIFICATION;
use crate::{Event, PollMode};

/// Whether events contain interrupts, priority and errors.
pub(crate) const HAS_EXTRA: bool = true;

pub(crate) fn connect_failed(extra: &Extra) -> Option<bool> {
    Some(extra.error)
}

/// The token of the waker that interrupts a wait when a packet was posted.
const POSTED: Token = Token(usize::MAX - 1);

/// The sources of a poller, and the events that were posted.
pub(crate) struct Sources {
    state: Mutex<State>,
    posted: Mutex<Vec<Event>>,
    post: Waker,
}

#[derive(Default)]
struct State {
    sources: HashMap<Source, Registration>,
    /// The source of each token.
    tokens: HashMap<Token, Source>,
    last_token: usize,
}

/// What can be added.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Socket(RawSocket),
    /// The number of a handle. (As a pointer, it would not be `Send`.)
    Handle(usize),
}

struct Registration {
    /// No other source ever has this token, so an event that was dequeued before its source was deleted belongs to no
    /// other source.
    token: Token,
    interest: Event,
    /// Whether the source is registered with minimio: not if its interest is empty.
    registered: bool,
}

impl Source {
    fn handle(self) -> RawHandle {
        match self {
            Source::Handle(number) => number as RawHandle,
            Source::Socket(_) => unreachable!("a socket is not used as a handle"),
        }
    }

    /// Returns minimio's interest, or `None` if nothing is to be reported.
    fn interest(self, event: &Event, mode: PollMode) -> Option<Interest> {
        // As in polling, a readable interest contains priority data.
        let readable = event.readable.then_some(Interest::READABLE | Interest::PRIORITY);
        let writable = event.writable.then_some(Interest::WRITABLE);
        let hang_up = event.extra.interrupt.then_some(Interest::HANG_UP);
        let priority = event.extra.priority.then_some(Interest::PRIORITY);
        let interest = match self {
            Source::Socket(_) => [readable, writable, hang_up, priority].into_iter().flatten().reduce(|a, b| a | b)?,
            Source::Handle(_) => readable.or(writable).and(Some(Interest::READABLE))?,
        };
        match mode {
            PollMode::Level => Some(interest.level()),
            _ => Some(interest.oneshot()),
        }
    }

    fn register(self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Source::Socket(socket) => SourceSocket(&socket).register(registry, token, interest),
            Source::Handle(_) => SourceHandle(&self.handle()).register(registry, token, interest),
        }
    }

    fn reregister(self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Source::Socket(socket) => SourceSocket(&socket).reregister(registry, token, interest),
            Source::Handle(_) => SourceHandle(&self.handle()).reregister(registry, token, interest),
        }
    }

    fn deregister(self, registry: &Registry) -> io::Result<()> {
        match self {
            Source::Socket(socket) => SourceSocket(&socket).deregister(registry),
            Source::Handle(_) => SourceHandle(&self.handle()).deregister(registry),
        }
    }
}

impl Registration {
    /// Makes the registration with minimio match the interest.
    fn update(&mut self, registry: &Registry, source: Source, event: Event, mode: PollMode) -> io::Result<()> {
        match source.interest(&event, mode) {
            Some(interest) if self.registered => match source.reregister(registry, self.token, interest) {
                // The socket was closed, and a wait has deregistered it. The number belongs to another socket.
                Err(err) if err.kind() == io::ErrorKind::NotFound => {
                    source.register(registry, self.token, interest)?;
                }
                result => result?,
            },
            Some(interest) => source.register(registry, self.token, interest)?,
            None if self.registered => ignore_not_found(source.deregister(registry))?,
            None => {}
        }
        self.registered = source.interest(&event, mode).is_some();
        self.interest = event;
        Ok(())
    }

    /// Returns what `wait` reports, or `None` if the event contains nothing of the interest.
    fn report(&self, source: Source, event: &minimio::event::Event) -> Option<Event> {
        if let Source::Handle(_) = source {
            return Some(self.interest);
        }
        let Event { key, readable, writable, extra } = self.interest;
        let (interrupt, priority) = (event.is_hang_up(), event.is_priority());
        let report = Event {
            key,
            readable: event.is_readable() && readable,
            writable: event.is_writable() && writable,
            extra: Extra { interrupt, priority, error: event.is_error() },
        };
        let is_wanted =
            report.readable || report.writable || interrupt && extra.interrupt || priority && extra.priority;
        is_wanted.then_some(report)
    }
}

impl Sources {
    /// In edge mode, minimio reports a socket of the standard library again only after `reregister`, because minimio
    /// does not see the program's reads and writes. polling promises more.
    pub const SUPPORTS_EDGE: bool = false;

    pub fn new(registry: &Registry) -> io::Result<Sources> {
        Ok(Sources { state: Mutex::default(), posted: Mutex::default(), post: Waker::new(registry, POSTED)? })
    }

    pub fn add(&self, registry: &Registry, socket: RawSocket, interest: Event, mode: PollMode) -> io::Result<()> {
        self.add_source(registry, Source::Socket(socket), interest, mode)
    }

    pub fn modify(&self, registry: &Registry, socket: RawSocket, interest: Event, mode: PollMode) -> io::Result<()> {
        self.modify_source(registry, Source::Socket(socket), interest, mode)
    }

    pub fn delete(&self, registry: &Registry, socket: RawSocket) -> io::Result<()> {
        self.delete_source(registry, Source::Socket(socket))
    }

    pub fn add_source(&self, registry: &Registry, source: Source, event: Event, mode: PollMode) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.sources.contains_key(&source) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let token = state.unused_token();
        let mut registration = Registration { token, interest: event, registered: false };
        registration.update(registry, source, event, mode)?;
        state.sources.insert(source, registration);
        state.tokens.insert(token, source);
        Ok(())
    }

    pub fn modify_source(&self, registry: &Registry, source: Source, event: Event, mode: PollMode) -> io::Result<()> {
        match lock(&self.state).sources.get_mut(&source) {
            Some(registration) => registration.update(registry, source, event, mode),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub fn delete_source(&self, registry: &Registry, source: Source) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.sources.remove(&source) {
            Some(registration) => {
                state.tokens.remove(&registration.token);
                match registration.registered {
                    true => ignore_not_found(source.deregister(registry)),
                    false => Ok(()),
                }
            }
            // As in polling.
            None => Ok(()),
        }
    }

    /// Makes a wait report this event.
    pub fn post(&self, event: Event) -> io::Result<()> {
        lock(&self.posted).push(event);
        self.post.wake()
    }

    /// Waits for events. Returns false if the wait must start again, because the batch contained nothing to report.
    pub fn wait(&self, poll: &mut Poll, batch: &mut Batch, timeout: Option<Duration>) -> io::Result<bool> {
        batch.clear();
        poll.poll(&mut batch.events, timeout)?;
        let mut must_return = batch.events.is_empty();
        let mut state = lock(&self.state);
        for event in &batch.events {
            match event.token() {
                NOTIFICATION => must_return = true,
                POSTED => {
                    // The packets are taken after the wake, so a packet that is posted later wakes again.
                    let posted = mem::take(&mut *lock(&self.posted));
                    must_return |= !posted.is_empty();
                    batch.reports.extend(posted.into_iter().filter(|event| event.key != NOTIFICATION.0));
                }
                token => batch.reports.extend(state.report(poll.registry(), token, event)),
            }
        }
        Ok(must_return || !batch.reports.is_empty())
    }
}

impl State {
    fn unused_token(&mut self) -> Token {
        loop {
            self.last_token = self.last_token.wrapping_add(1);
            let token = Token(self.last_token);
            // After a wrap, numbers may be in use.
            if token != NOTIFICATION && token != POSTED && !self.tokens.contains_key(&token) {
                return token;
            }
        }
    }

    fn report(&mut self, registry: &Registry, token: Token, event: &minimio::event::Event) -> Option<Event> {
        let source = *self.tokens.get(&token)?;
        let registration = self.sources.get_mut(&source)?;
        let report = registration.report(source, event);
        if report.is_none() && event.is_error() && registration.registered {
            // An interest in priority data alone: unlike minimio, polling does not report that the connection has
            // failed. In level mode minimio would report the failure in every wait. No priority data can follow, except
            // after another `connect`, which a program follows by `modify`.
            registration.registered = source.deregister(registry).is_err();
        }
        report
    }
}

/// The events of one wait, which converts them while it knows their sources.
pub(crate) struct Batch {
    events: minimio::Events,
    reports: Vec<Event>,
}

impl Batch {
    pub fn with_capacity(capacity: usize) -> Batch {
        Batch { events: minimio::Events::with_capacity(capacity), reports: Vec::new() }
    }

    pub fn capacity(&self) -> usize {
        self.events.capacity()
    }

    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.reports.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.reports.len()
    }

    pub fn clear(&mut self) {
        self.reports.clear();
    }
}

/// If a wait has deregistered a closed socket, there is nothing left to deregister.
fn ignore_not_found(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
