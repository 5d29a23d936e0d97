//! One kqueue: changes, and the wait.
//!
//! The descriptor that the program holds is an epoll instance with three things in it: an epoll for each of the filters
//! `READ` and `WRITE`, and a bell, which is rung while the queue of pending knotes is not empty. So it is readable when
//! there is something to report, for whoever looks: `poll`, an epoll, another kqueue, and the wait in here.
//!
//! All entries of the inner epolls are edge-triggered. An edge is what a kernel's `knote()` is: a hint that something
//! has happened. Whether the descriptor is ready, and whether that is told once or for as long as it lasts, is decided
//! here.

use std::cmp;
use std::os::raw::c_int;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::arrays::{Changes, Events};
use crate::call::{Errno, Signals};
use crate::ffi::{self, kevent};
use crate::filter::{Filter, Kind};
use crate::knote::{descriptor, Key, Knote, Notes};
use crate::linux::{self, Bell, Descriptor, Epoll};
use crate::settings::Settings;

pub struct Kqueue {
    /// The program's epoll under a number of our own, since the program may close its own number while a thread sleeps.
    outer: Epoll,
    /// Stands in the program's epoll, and is never rung. The program may duplicate its descriptor, and by this we know
    /// the duplicate.
    mark: Bell,
    /// How many times `kevent` was called.
    pub calls: AtomicU64,
    state: Mutex<State>,
}

struct State {
    reading: Epoll,
    writing: Epoll,
    bell: Bell,
    rings: bool,
    closed: bool,
    notes: Notes,
    settings: Settings,
}

// Open and close.

impl Kqueue {
    /// The second is the program's descriptor. It is inherited by `exec`, as on most systems.
    pub fn new(settings: Settings) -> Result<(Kqueue, Descriptor), Errno> {
        let Epoll(program) = Epoll::new(0)?;
        let outer = Epoll(program.duplicate()?);
        let (reading, writing) = (Epoll::new(ffi::EPOLL_CLOEXEC)?, Epoll::new(ffi::EPOLL_CLOEXEC)?);
        let bell = Bell::new()?;
        for inner in [&reading.0, &writing.0, &bell.0] {
            outer.add(inner.number(), ffi::EPOLLIN)?;
        }
        let mark = Bell::new()?;
        outer.add(mark.0.number(), 0)?;
        let notes = Notes::default();
        let state = State { reading, writing, bell, rings: false, closed: false, notes, settings };
        Ok((Kqueue { outer, mark, calls: AtomicU64::new(0), state: Mutex::new(state) }, program))
    }

    /// Whether this is one of the numbers that the program has for it.
    pub fn is(&self, fd: c_int) -> bool {
        fd != self.outer.0.number() && Epoll::has(fd, &self.mark)
    }

    /// The program has closed it. Whoever still waits is told.
    pub fn close(&self) {
        let mut state = self.enter();
        state.closed = true;
        state.bell.ring();
    }

    /// A descriptor of the program's is about to be closed, and its knotes die with it, even if a duplicate lives.
    pub fn forget(&self, fd: c_int) {
        if let Ok(ident) = usize::try_from(fd) {
            let mut state = self.enter();
            state.delete((ident, Filter::Read));
            state.delete((ident, Filter::Write));
            state.answer_the_bell();
        }
    }

    pub fn configure(&self, words: &str) -> Result<(), String> {
        self.enter().settings.apply(words)
    }

    fn enter(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Change.

impl Kqueue {
    /// Makes the changes, each by itself, as other threads see it. A change that fails, or wants a receipt, is answered
    /// in `events`. Where there is no room for the answer, the rest is not looked at.
    pub fn change(&self, changes: Changes, events: &mut Events) -> Result<(), Errno> {
        for change in changes {
            let result = self.make(&change);
            if result.is_ok() && change.flags & ffi::EV_RECEIPT == 0 {
                continue;
            }
            if events.room() == 0 {
                return result;
            }
            let error = result.err().map_or(0, |Errno(number)| number as isize);
            events.push(kevent { flags: ffi::EV_ERROR, data: error, ..change });
        }
        Ok(())
    }

    /// An asynchronous operation is complete whose control block has asked to be told here, once.
    pub fn complete(&self, change: &kevent) {
        let mut state = self.enter();
        let key = (change.ident, Filter::Aio);
        state.notes.insert(key, Knote::new(change, Kind::NeverWaits));
        state.notes.activate(key);
        state.answer_the_bell();
    }

    fn make(&self, change: &kevent) -> Result<(), Errno> {
        let mut state = self.enter();
        let result = state.change(change);
        // What it has brought about shows on the descriptor at once, and wakes whoever waits.
        state.look();
        state.answer_the_bell();
        result
    }
}

impl State {
    fn change(&mut self, change: &kevent) -> Result<(), Errno> {
        let filter = Filter::from_number(change.filter)
            .filter(|filter| *filter != Filter::User || !self.settings.system.no_user)
            .ok_or(Errno(ffi::EINVAL))?;
        let key = (change.ident, filter);
        if filter != Filter::User && !descriptor(key).map_or(false, linux::is_open) {
            return Err(Errno(ffi::EBADF));
        }
        match self.notes.get(key) {
            None if change.flags & ffi::EV_ADD == 0 => Err(Errno(ffi::ENOENT)),
            None => self.add(key, change),
            Some(_) if change.flags & ffi::EV_DELETE != 0 => {
                self.delete(key);
                Ok(())
            }
            Some(_) => self.modify(key, change),
        }
    }

    fn add(&mut self, key: Key, change: &kevent) -> Result<(), Errno> {
        if self.settings.faults.happens(self.settings.faults.enomem) {
            return Err(Errno(ffi::ENOMEM));
        }
        let kind = descriptor(key).map_or(Kind::NeverWaits, Kind::of);
        if self.settings.system.broken_pipe && key.1 == Filter::Write && kind == Kind::Pipe && is_broken(key) {
            return Err(Errno(ffi::EPIPE));
        }
        let mut knote = Knote::new(change, kind);
        if self.settings.system.add_triggers && key.1 == Filter::User {
            knote.touch(change);
        }
        if !knote.disabled {
            knote.kind = self.watch(key, kind)?;
        }
        self.notes.insert(key, knote);
        self.notes.activate(key);
        Ok(())
    }

    /// The mode stays what it was when the knote was made; and where `EV_DISPATCH` has disabled it, adding it again
    /// does not enable it.
    fn modify(&mut self, key: Key, change: &kevent) -> Result<(), Errno> {
        let adds = change.flags & ffi::EV_ADD != 0;
        let system = self.settings.system;
        let knote = match self.notes.get(key) {
            Some(knote) => knote,
            None => return Err(Errno(ffi::ENOENT)),
        };
        knote.modify(change);
        if !adds || system.add_triggers {
            knote.touch(change);
        }
        let enables = change.flags & ffi::EV_ENABLE != 0 || adds && system.add_enables && knote.dispatched;
        if change.flags & ffi::EV_DISABLE != 0 {
            self.disable(key);
        }
        if enables {
            self.enable(key)?;
        }
        // Ready now is reported again, told before or not.
        self.notes.activate(key);
        Ok(())
    }

    fn enable(&mut self, key: Key) -> Result<(), Errno> {
        let kind = match self.notes.get(key) {
            Some(knote) if knote.disabled => knote.kind,
            _ => return Ok(()),
        };
        let kind = self.watch(key, kind)?;
        if let Some(knote) = self.notes.get(key) {
            knote.kind = kind;
            knote.disabled = false;
            knote.dispatched = false;
        }
        Ok(())
    }

    fn disable(&mut self, key: Key) {
        self.notes.withdraw(key);
        if let Some(knote) = self.notes.get(key) {
            if !knote.disabled {
                knote.disabled = true;
                let kind = knote.kind;
                self.unwatch(key, kind);
            }
        }
    }

    fn delete(&mut self, key: Key) {
        if let Some(knote) = self.notes.remove(key) {
            if !knote.disabled {
                self.unwatch(key, knote.kind);
            }
        }
    }

    /// Asks for edges. The answer is what kind of thing it has turned out to be.
    fn watch(&self, key: Key, kind: Kind) -> Result<Kind, Errno> {
        match (self.inner(key.1), descriptor(key)) {
            (Some((inner, events)), Some(fd)) if kind != Kind::NeverWaits => match inner.add(fd, events) {
                Ok(()) => Ok(kind),
                Err(Errno(ffi::EPERM)) => Ok(Kind::NeverWaits),
                // A kqueue in itself.
                Err(Errno(ffi::ELOOP)) => Err(Errno(ffi::EINVAL)),
                Err(error) => Err(error),
            },
            _ => Ok(kind),
        }
    }

    fn unwatch(&self, key: Key, kind: Kind) {
        if let (Some((inner, _)), Some(fd)) = (self.inner(key.1), descriptor(key)) {
            if kind != Kind::NeverWaits {
                // It can only fail if the descriptor was closed behind our back, and then it is not in there.
                let _ = inner.remove(fd);
            }
        }
    }

    /// The epoll of a filter, and the edges that it is after. Errors and hang-ups come with all of them.
    fn inner(&self, filter: Filter) -> Option<(&Epoll, u32)> {
        match filter {
            Filter::Read => Some((&self.reading, ffi::EPOLLIN | ffi::EPOLLRDHUP | ffi::EPOLLET)),
            Filter::Write => Some((&self.writing, ffi::EPOLLOUT | ffi::EPOLLET)),
            Filter::User | Filter::Aio => None,
        }
    }
}

fn is_broken((ident, _): Key) -> bool {
    linux::Poll::of(ident as c_int).has(ffi::POLLERR)
}

// Wait.

impl Kqueue {
    /// Reports what is pending; if nothing is, waits until something is, or `timeout` has passed.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>, signals: &Signals) -> Result<(), Errno> {
        // What no clock can reach never comes.
        let deadline = timeout.map(|timeout| Instant::now().checked_add(timeout));
        loop {
            self.report(events)?;
            if events.count() > 0 {
                return Ok(());
            }
            let left = match deadline {
                None | Some(None) => None,
                Some(Some(deadline)) => Some(deadline.saturating_duration_since(Instant::now())),
            };
            if left == Some(Duration::ZERO) {
                return Ok(());
            }
            if self.is_interrupted() {
                return Err(Errno(ffi::EINTR));
            }
            self.outer.sleep(left, signals)?;
        }
    }

    fn report(&self, events: &mut Events) -> Result<(), Errno> {
        let mut state = self.enter();
        if state.closed {
            return Err(Errno(ffi::EBADF));
        }
        state.look();
        state.report(events);
        state.answer_the_bell();
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        let faults = &mut self.enter().settings.faults;
        faults.happens(faults.eintr)
    }
}

impl State {
    /// Collects the edges.
    fn look(&mut self) {
        let State { reading, writing, notes, .. } = self;
        reading.take(|fd| notes.activate((fd as usize, Filter::Read)));
        writing.take(|fd| notes.activate((fd as usize, Filter::Write)));
    }

    fn report(&mut self, events: &mut Events) {
        let faults = &mut self.settings.faults;
        let room = if faults.happens(faults.short) { cmp::min(1, events.room()) } else { events.room() };
        // Each has one turn: those that stay ready go to the end of the queue.
        for _ in 0..self.notes.pending() {
            if events.count() == room {
                return;
            }
            if let Some((key, Some(event))) = self.notes.take() {
                events.push(event);
                self.was_reported(key);
            }
        }
        if events.count() == 0 {
            self.report_spuriously(events);
        }
    }

    fn was_reported(&mut self, key: Key) {
        let knote = match self.notes.get(key) {
            Some(knote) => knote,
            None => return,
        };
        knote.clear();
        if knote.has(ffi::EV_ONESHOT) {
            self.delete(key);
        } else if knote.has(ffi::EV_DISPATCH) {
            knote.dispatched = true;
            self.disable(key);
        } else if !knote.has(ffi::EV_CLEAR) {
            self.notes.activate(key);
        }
    }

    /// As if what made a descriptor ready were gone: the program was faster, or the peer took it back.
    fn report_spuriously(&mut self, events: &mut Events) {
        let faults = &mut self.settings.faults;
        if !faults.happens(faults.spurious) {
            return;
        }
        let count = self.notes.watched().count();
        if count == 0 {
            return;
        }
        let chosen = faults.below(count);
        let key = self.notes.watched().nth(chosen);
        if let Some((key, event)) = key.and_then(|key| Some((key, self.notes.late_event(key)?))) {
            events.push(event);
            self.was_reported(key);
        }
    }

    /// Nobody waits beside a full queue, nor is woken by an empty one.
    fn answer_the_bell(&mut self) {
        let should = self.notes.pending() > 0;
        if should && !self.rings {
            self.bell.ring();
        } else if self.rings && !should && !self.closed {
            self.bell.silence();
        }
        self.rings = should;
    }
}
