//! One kqueue: changes, and the wait.
//!
//! The program's descriptor is an epoll instance that contains four descriptors: one epoll for the filter `READ`, one
//! for `WRITE`, an eventfd that is readable while knotes are pending (`pending_signal`), and a second eventfd, which is
//! never signalled and only identifies the kqueue (`mark`). So the program's descriptor is readable when there is
//! something to report, for `poll`, an epoll, another kqueue, and the wait in this file.
//!
//! All entries of the inner epolls are edge-triggered. An edge means that something has happened to the descriptor; in
//! a BSD kernel, a call of the internal function `knote()` means the same. This file decides whether the descriptor is
//! ready, and whether the knote is reported once or as long as it stays ready.

use std::cmp;
use std::os::raw::c_int;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::arrays::{Changes, Events};
use crate::call::{Errno, Signals};
use crate::ffi::{self, kevent};
use crate::filter::{self, Filter, Kind};
use crate::knote::{descriptor, Key, Knote, Knotes};
use crate::linux::{self, Descriptor, Edge, Epoll, EventFd};
use crate::settings::{Pipes, Settings};

pub struct Kqueue {
    /// A duplicate of the program's epoll, because the program may close its own descriptor while a thread waits.
    outer: Epoll,
    /// An entry of the program's epoll that is never signalled. It identifies duplicates of the program's descriptor:
    /// they contain this entry too.
    mark: EventFd,
    /// The number of `kevent` calls.
    pub calls: AtomicU64,
    /// Whether each call is written to standard error.
    is_traced: AtomicBool,
    state: Mutex<State>,
}

struct State {
    reading: Epoll,
    writing: Epoll,
    pending_signal: EventFd,
    is_signalled: bool,
    closed: bool,
    knotes: Knotes,
    settings: Settings,
}

// Open and close.

impl Kqueue {
    /// Returns the kqueue and the program's descriptor. A program started by `exec` inherits the descriptor, as on most
    /// systems.
    pub fn new(settings: Settings) -> Result<(Kqueue, Descriptor), Errno> {
        let Epoll(program) = Epoll::new(0)?;
        let outer = Epoll(program.duplicate()?);
        let (reading, writing) = (Epoll::new(ffi::EPOLL_CLOEXEC)?, Epoll::new(ffi::EPOLL_CLOEXEC)?);
        let pending_signal = EventFd::new()?;
        for inner in [&reading.0, &writing.0, &pending_signal.0] {
            outer.add(inner.number(), ffi::EPOLLIN)?;
        }
        let mark = EventFd::new()?;
        outer.add(mark.0.number(), 0)?;
        let knotes = Knotes::default();
        let state = State { reading, writing, pending_signal, is_signalled: false, closed: false, knotes, settings };
        let (calls, is_traced) = (AtomicU64::new(0), AtomicBool::new(settings.trace));
        Ok((Kqueue { outer, mark, calls, is_traced, state: Mutex::new(state) }, program))
    }

    /// Returns whether `fd` is one of the program's descriptors for this kqueue.
    pub fn is(&self, fd: c_int) -> bool {
        fd != self.outer.0.number() && Epoll::has(fd, &self.mark)
    }

    /// Records that the program has closed its last descriptor. Blocked waits return `EBADF`.
    pub fn close(&self) {
        let mut state = self.enter();
        state.closed = true;
        state.pending_signal.signal();
    }

    /// Deletes the knotes of a descriptor that the program is about to close, even if the descriptor has a duplicate.
    pub fn remove_descriptor(&self, fd: c_int) {
        if let Ok(ident) = usize::try_from(fd) {
            let mut state = self.enter();
            state.delete((ident, Filter::Read));
            state.delete((ident, Filter::Write));
            state.update_pending_signal();
        }
    }

    pub fn configure(&self, words: &str) -> Result<(), String> {
        let mut state = self.enter();
        let result = state.settings.apply(words);
        self.is_traced.store(state.settings.trace, Ordering::Relaxed);
        result
    }

    /// Returns whether the calls of this kqueue are traced.
    pub fn is_traced(&self) -> bool {
        self.is_traced.load(Ordering::Relaxed)
    }

    fn enter(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Change.

impl Kqueue {
    /// Applies the changes. Each change takes the lock separately, so other threads see them one after the other. The
    /// error or receipt of a change is written to `events`. After the first error or receipt that does not fit, the
    /// remaining changes are not applied.
    pub fn change(&self, changes: Changes, events: &mut Events) -> Result<(), Errno> {
        for change in changes {
            let result = self.apply(&change);
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

    /// Reports the completion of an asynchronous operation, as a kernel does for an operation whose control block names
    /// this kqueue. The report happens once.
    pub fn complete(&self, change: &kevent) {
        let mut state = self.enter();
        let key = (change.ident, Filter::Aio);
        state.knotes.insert(key, Knote::new(change, Kind::NeverWaits));
        state.knotes.activate(key);
        state.update_pending_signal();
    }

    fn apply(&self, change: &kevent) -> Result<(), Errno> {
        let mut state = self.enter();
        let result = state.change(change);
        // If a knote became pending, the kqueue's descriptor is readable immediately, and blocked waits return.
        state.collect_edges();
        state.update_pending_signal();
        result
    }
}

impl State {
    fn change(&mut self, change: &kevent) -> Result<(), Errno> {
        let filter = Filter::from_number(change.filter)
            .filter(|filter| *filter != Filter::User || !self.settings.system.no_user)
            .ok_or(Errno(ffi::EINVAL))?;
        let key = (change.ident, filter);
        let has_descriptor = matches!(filter, Filter::Read | Filter::Write);
        if has_descriptor && !descriptor(key).map_or(false, linux::is_open) {
            return Err(Errno(ffi::EBADF));
        }
        match self.knotes.get(key) {
            None if change.flags & ffi::EV_ADD == 0 => Err(Errno(ffi::ENOENT)),
            None if filter == Filter::Proc => self.add_process(key, change),
            None if matches!(filter, Filter::Signal | Filter::Timer) => self.add_counter(key, change),
            None => self.add(key, change),
            Some(_) if change.flags & ffi::EV_DELETE != 0 => {
                self.delete(key);
                Ok(())
            }
            Some(_) => self.modify(key, change),
        }
    }

    /// Fails if the fault `enomem` happens.
    fn allocate_knote(&mut self) -> Result<(), Errno> {
        if self.settings.faults.happens(self.settings.faults.enomem) {
            return Err(Errno(ffi::ENOMEM));
        }
        Ok(())
    }

    fn add(&mut self, key: Key, change: &kevent) -> Result<(), Errno> {
        self.allocate_knote()?;
        let kind = descriptor(key).map_or(Kind::NeverWaits, Kind::of);
        match self.settings.system.no_reader() {
            Some(errno) if key.1 == Filter::Write && kind == Kind::Pipe && filter::has_no_reader(key.0 as c_int) => {
                return Err(Errno(errno));
            }
            _ => {}
        }
        let mut knote = Knote::new(change, kind);
        if self.settings.system.add_triggers && key.1 == Filter::User {
            knote.touch(change);
        }
        if !knote.disabled {
            knote.kind = self.watch(key, kind)?;
        }
        self.knotes.insert(key, knote);
        self.knotes.activate(key);
        Ok(())
    }

    fn add_process(&mut self, key: Key, change: &kevent) -> Result<(), Errno> {
        self.allocate_knote()?;
        let process = linux::open_process(key.0)?;
        if filter::has_exited(process.number()) && !self.settings.system.watches_zombies {
            return Err(Errno(ffi::ESRCH));
        }
        if change.fflags & ffi::NOTE_EXIT != 0 {
            // Closing the process descriptor removes the entry.
            self.reading.add_object(&process, key.1, key.0)?;
        }
        self.knotes.insert(key, Knote::of_process(change, process));
        self.knotes.activate(key);
        Ok(())
    }

    /// Adds a knote of a signal or a timer.
    fn add_counter(&mut self, key: Key, change: &kevent) -> Result<(), Errno> {
        self.allocate_knote()?;
        let object = match key.1 {
            Filter::Signal => linux::watch_signal(key.0)?,
            _ => linux::open_clock(period(change)?, change.flags & ffi::EV_ONESHOT != 0)?,
        };
        self.reading.add_object(&object, key.1, key.0)?;
        self.knotes.insert(key, Knote::of_counter(change, object));
        Ok(())
    }

    /// Applies a change to an existing knote. The mode stays as the first `EV_ADD` set it. Another `EV_ADD` enables a
    /// knote that `EV_DISPATCH` has disabled only with the setting `add_enables`.
    fn modify(&mut self, key: Key, change: &kevent) -> Result<(), Errno> {
        let adds = change.flags & ffi::EV_ADD != 0;
        let system = self.settings.system;
        let knote = match self.knotes.get(key) {
            Some(knote) => knote,
            None => return Err(Errno(ffi::ENOENT)),
        };
        let was_disabled = knote.disabled;
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
        // A knote that is ready now is reported again, even if it was reported before.
        if !system.quiet_changes || adds || was_disabled || key.1 == Filter::User {
            self.knotes.activate(key);
        }
        Ok(())
    }

    fn enable(&mut self, key: Key) -> Result<(), Errno> {
        let kind = match self.knotes.get(key) {
            Some(knote) if knote.disabled => knote.kind,
            _ => return Ok(()),
        };
        let kind = self.watch(key, kind)?;
        if let Some(knote) = self.knotes.get(key) {
            knote.kind = kind;
            knote.disabled = false;
            knote.dispatched = false;
        }
        Ok(())
    }

    fn disable(&mut self, key: Key) {
        self.knotes.withdraw(key);
        if let Some(knote) = self.knotes.get(key) {
            if !knote.disabled {
                knote.disabled = true;
                let kind = knote.kind;
                self.unwatch(key, kind);
            }
        }
    }

    fn delete(&mut self, key: Key) {
        if let Some(knote) = self.knotes.remove(key) {
            if let Some(object) = &knote.object {
                // The counter of a signal has duplicates, so closing it does not remove the entry. A process without
                // `NOTE_EXIT` has no entry.
                let _ = self.reading.remove(object.number());
            }
            if !knote.disabled {
                self.unwatch(key, knote.kind);
            }
        }
    }

    /// Adds the descriptor to the epoll of its filter. Returns its kind: `NeverWaits` if epoll refuses the descriptor
    /// with `EPERM`, otherwise `kind`.
    fn watch(&self, key: Key, kind: Kind) -> Result<Kind, Errno> {
        match (self.inner(key.1), descriptor(key)) {
            (Some((inner, events)), Some(fd)) if kind != Kind::NeverWaits => match inner.add(fd, events) {
                Ok(()) => Ok(kind),
                Err(Errno(ffi::EPERM)) => Ok(Kind::NeverWaits),
                // The program has added a kqueue to itself, or nests kqueues too deeply.
                Err(Errno(ffi::ELOOP)) => Err(Errno(ffi::EINVAL)),
                Err(error) => Err(error),
            },
            _ => Ok(kind),
        }
    }

    fn unwatch(&self, key: Key, kind: Kind) {
        if let (Some((inner, _)), Some(fd)) = (self.inner(key.1), descriptor(key)) {
            if kind != Kind::NeverWaits {
                // This fails only if the descriptor was closed without the model's `close`. Then epoll removes the
                // entry itself when the last duplicate of the descriptor is closed.
                let _ = inner.remove(fd);
            }
        }
    }

    /// Returns the epoll of a filter and the events to register there. epoll always adds errors and hang-ups.
    fn inner(&self, filter: Filter) -> Option<(&Epoll, u32)> {
        match filter {
            Filter::Read => Some((&self.reading, ffi::EPOLLIN | ffi::EPOLLRDHUP | ffi::EPOLLET)),
            Filter::Write => Some((&self.writing, ffi::EPOLLOUT | ffi::EPOLLET)),
            Filter::User | Filter::Aio | Filter::Proc | Filter::Signal | Filter::Timer => None,
        }
    }
}

/// Returns the period of a timer.
fn period(change: &kevent) -> Result<Duration, Errno> {
    let data = u64::try_from(change.data).map_err(|_| Errno(ffi::EINVAL))?;
    let period = match change.fflags {
        0 => Duration::from_millis(data),
        ffi::NOTE_SECONDS => Duration::from_secs(data),
        ffi::NOTE_USECONDS => Duration::from_micros(data),
        ffi::NOTE_NSECONDS => Duration::from_nanos(data),
        _ => return Err(Errno(ffi::EINVAL)),
    };
    // A period of 0 would stop the clock.
    Ok(cmp::max(period, Duration::from_nanos(1)))
}

// Wait.

impl Kqueue {
    /// Reports the pending knotes. If none is pending, waits until one is or `timeout` has passed.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>, signals: &Signals) -> Result<(), Errno> {
        let system = self.enter().settings.system;
        // A deadline that the clock cannot represent never passes.
        let deadline = timeout.map(|timeout| Instant::now().checked_add(system.wait_time(timeout)));
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
            self.outer.block(left, signals)?;
        }
    }

    fn report(&self, events: &mut Events) -> Result<(), Errno> {
        let mut state = self.enter();
        if state.closed {
            return Err(Errno(ffi::EBADF));
        }
        state.collect_edges();
        state.report(events);
        state.update_pending_signal();
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        let faults = &mut self.enter().settings.faults;
        faults.happens(faults.eintr)
    }
}

impl State {
    /// Takes the edges from both inner epolls and makes their knotes pending.
    fn collect_edges(&mut self) {
        let State { reading, writing, knotes, settings, .. } = self;
        reading.take(|edge| match edge {
            Edge::Descriptor(fd) => knotes.activate((fd as usize, Filter::Read)),
            Edge::Object(filter, ident) => {
                if let Some(knote) = knotes.get((ident, filter)) {
                    knote.count((ident, filter));
                }
                knotes.activate((ident, filter));
            }
        });
        // NetBSD wakes the writers of a pipe before it records that the reader is closed.
        let is_early = |fd| settings.system.pipes == Pipes::NetBsd && filter::is_full_without_a_reader(fd);
        writing.take(|edge| match edge {
            Edge::Descriptor(fd) if !is_early(fd) => knotes.activate((fd as usize, Filter::Write)),
            _ => {}
        });
        knotes.activate_partly_read();
    }

    fn report(&mut self, events: &mut Events) {
        let faults = &mut self.settings.faults;
        let room = if faults.happens(faults.short) { cmp::min(1, events.room()) } else { events.room() };
        // Each pending knote is reported at most once; a knote that stays ready goes to the end of the queue.
        for _ in 0..self.knotes.pending() {
            if events.count() == room {
                return;
            }
            if let Some((key, Some(event))) = self.knotes.take() {
                events.push(event);
                self.was_reported(key);
            }
        }
        if events.count() == 0 {
            self.report_spuriously(events);
        }
    }

    fn was_reported(&mut self, key: Key) {
        let knote = match self.knotes.get(key) {
            Some(knote) => knote,
            None => return,
        };
        knote.clear(key);
        if knote.has(ffi::EV_ONESHOT) {
            self.delete(key);
        } else if knote.has(ffi::EV_DISPATCH) {
            knote.dispatched = true;
            self.disable(key);
        } else if !knote.has(ffi::EV_CLEAR) {
            self.knotes.activate(key);
        }
    }

    /// Reports a random descriptor that need not be ready, as a kernel does when the condition ends between the report
    /// and the program's next call.
    fn report_spuriously(&mut self, events: &mut Events) {
        let faults = &mut self.settings.faults;
        if !faults.happens(faults.spurious) {
            return;
        }
        let count = self.knotes.watched().count();
        if count == 0 {
            return;
        }
        let chosen = faults.below(count);
        let key = self.knotes.watched().nth(chosen);
        if let Some((key, event)) = key.and_then(|key| Some((key, self.knotes.spurious_event(key)?))) {
            events.push(event);
            self.was_reported(key);
        }
    }

    /// Makes `pending_signal` readable while knotes are pending, so that no thread stays blocked then, and clears it
    /// otherwise, so that no wait returns without an event.
    fn update_pending_signal(&mut self) {
        let should = self.knotes.pending() > 0;
        if should && !self.is_signalled {
            self.pending_signal.signal();
        } else if self.is_signalled && !should && !self.closed {
            self.pending_signal.clear();
        }
        self.is_signalled = should;
    }
}
