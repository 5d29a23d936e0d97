//! Knotes: what a program has registered with a kqueue, and which knotes are pending.

use std::collections::{BTreeMap, VecDeque};
use std::os::raw::{c_int, c_void};

use crate::ffi::{self, kevent};
use crate::filter::{self, Filter, Kind, Ready};
use crate::linux::{self, Descriptor};

/// The key of a knote: an identifier and a filter. The identifier is a descriptor if the filter is `READ` or `WRITE`,
/// a process number if the filter is `PROC`, and a signal number if it is `SIGNAL`.
pub type Key = (usize, Filter);

/// Returns the descriptor of a knote, or `None` if its filter has none.
pub fn descriptor((ident, filter): Key) -> Option<c_int> {
    match filter {
        Filter::Read | Filter::Write => c_int::try_from(ident).ok(),
        Filter::User | Filter::Aio | Filter::Proc | Filter::Signal | Filter::Timer => None,
    }
}

pub struct Knote {
    /// The flags of the first `EV_ADD`. Another `EV_ADD` of the same knote does not change them.
    flags: u16,
    udata: usize,
    pub kind: Kind,
    pub disabled: bool,
    /// Disabled by a report (`EV_DISPATCH`), not by the program.
    pub dispatched: bool,
    queued: bool,
    /// The unread bytes of a pipe at the last report or partial read.
    unread: isize,
    // The next three are the state of a `USER` knote.
    triggered: bool,
    fflags: u32,
    data: isize,
    /// The process of a `PROC` knote, the clock of a `TIMER` knote, or the counter of a `SIGNAL` knote.
    pub object: Option<Descriptor>,
    /// The number of signals at the last edge of a `SIGNAL` knote.
    seen: usize,
}

impl Knote {
    pub fn new(change: &kevent, kind: Kind) -> Knote {
        Knote {
            flags: change.flags,
            udata: change.udata as usize,
            kind,
            disabled: change.flags & ffi::EV_DISABLE != 0,
            dispatched: false,
            queued: false,
            unread: 0,
            triggered: false,
            fflags: change.fflags & ffi::NOTE_FFLAGSMASK,
            data: change.data,
            object: None,
            seen: 0,
        }
    }

    /// Creates a `PROC` knote. `NOTE_EXIT` is the only condition that the model knows. A process exits once, so the
    /// report deletes the knote.
    pub fn of_process(change: &kevent, process: Descriptor) -> Knote {
        let flags = change.flags | ffi::EV_CLEAR | ffi::EV_ONESHOT;
        let fflags = change.fflags & ffi::NOTE_EXIT;
        Knote { flags, fflags, data: 0, object: Some(process), ..Knote::new(change, Kind::NeverWaits) }
    }

    /// Creates a `SIGNAL` or a `TIMER` knote. `data` counts the signals or periods since the last report.
    pub fn of_counter(change: &kevent, object: Descriptor) -> Knote {
        let flags = change.flags | ffi::EV_CLEAR;
        let seen = linux::signals_sent(change.ident);
        Knote { flags, fflags: 0, data: 0, object: Some(object), seen, ..Knote::new(change, Kind::NeverWaits) }
    }

    /// Counts the signals or periods since the last edge.
    pub fn count(&mut self, (ident, filter): Key) {
        match (filter, &self.object) {
            (Filter::Timer, Some(clock)) => self.data += linux::periods(clock),
            (Filter::Signal, _) => {
                let sent = linux::signals_sent(ident);
                self.data += (sent - std::mem::replace(&mut self.seen, sent)) as isize;
            }
            _ => {}
        }
    }

    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Sets `udata`, which every change of an existing knote sets, whatever the filter is.
    pub fn modify(&mut self, change: &kevent) {
        self.udata = change.udata as usize;
    }

    /// Applies the `fflags` and `data` of a change, which matter to `USER` only.
    pub fn touch(&mut self, change: &kevent) {
        let given = change.fflags & ffi::NOTE_FFLAGSMASK;
        match change.fflags & ffi::NOTE_FFCTRLMASK {
            ffi::NOTE_FFAND => self.fflags &= given,
            ffi::NOTE_FFOR => self.fflags |= given,
            ffi::NOTE_FFCOPY => self.fflags = given,
            // `NOTE_FFNOP`: the flags stay as they are.
            _ => {}
        }
        if self.object.is_none() {
            self.data = change.data;
        }
        if change.fflags & ffi::NOTE_TRIGGER != 0 {
            self.triggered = true;
        }
    }

    fn ready(&self, (ident, filter): Key) -> Option<Ready> {
        match filter {
            Filter::Read => filter::read(ident as c_int, self.kind),
            Filter::Write => filter::write(ident as c_int, self.kind),
            Filter::User if self.triggered => Some(Ready { data: self.data, ..Ready::default() }),
            Filter::User => None,
            // The knote exists only because the operation completed. FreeBSD sets `EV_EOF` then.
            Filter::Aio => Some(Ready { eof: true, ..Ready::default() }),
            Filter::Signal | Filter::Timer if self.data > 0 => Some(Ready { data: self.data, ..Ready::default() }),
            Filter::Signal | Filter::Timer => None,
            Filter::Proc => match &self.object {
                Some(process) if self.fflags != 0 && filter::has_exited(process.number()) => {
                    Some(Ready { eof: true, ..Ready::default() })
                }
                _ => None,
            },
        }
    }

    fn event(&self, (ident, filter): Key, ready: Ready) -> kevent {
        kevent {
            ident,
            filter: filter.number(),
            flags: if ready.eof { self.flags | ffi::EV_EOF } else { self.flags },
            fflags: if matches!(filter, Filter::User | Filter::Proc) { self.fflags } else { ready.error as u32 },
            data: ready.data,
            udata: self.udata as *mut c_void,
        }
    }

    /// Resets a knote with `EV_CLEAR` after its report. The `fflags` of a `USER` knote stay.
    pub fn clear(&mut self, (_, filter): Key) {
        if self.has(ffi::EV_CLEAR) {
            self.triggered = false;
        }
        if matches!(filter, Filter::Signal | Filter::Timer) {
            self.data = 0;
        }
    }

    /// Returns whether the program has read a part of a pipe's bytes since the last call or report.
    fn was_partly_read(&mut self, (ident, filter): Key) -> bool {
        if self.unread == 0 || self.disabled || filter != Filter::Read || self.kind != Kind::Pipe {
            return false;
        }
        let before = self.unread;
        self.unread = filter::read(ident as c_int, self.kind).map_or(0, |ready| ready.data);
        (1..before).contains(&self.unread)
    }
}

/// All knotes of a kqueue, and the queue of pending knotes, each once, in the order in which they became pending.
#[derive(Default)]
pub struct Knotes {
    knotes: BTreeMap<Key, Knote>,
    queue: VecDeque<Key>,
}

impl Knotes {
    pub fn get(&mut self, key: Key) -> Option<&mut Knote> {
        self.knotes.get_mut(&key)
    }

    pub fn insert(&mut self, key: Key, knote: Knote) {
        self.knotes.insert(key, knote);
        // A knote can become pending in a signal handler, which must not allocate.
        self.queue.reserve(self.knotes.len() - self.queue.len());
    }

    pub fn remove(&mut self, key: Key) -> Option<Knote> {
        self.withdraw(key);
        self.knotes.remove(&key)
    }

    /// Makes a knote pending if it is ready and not disabled.
    pub fn activate(&mut self, key: Key) {
        // If the knote does not exist, it was deleted, or its descriptor closed, after the edge.
        if let Some(knote) = self.knotes.get_mut(&key) {
            if !knote.disabled && !knote.queued && knote.ready(key).is_some() {
                knote.queued = true;
                self.queue.push_back(key);
            }
        }
    }

    /// Makes a knote not pending.
    pub fn withdraw(&mut self, key: Key) {
        if let Some(knote) = self.knotes.get_mut(&key) {
            if knote.queued {
                knote.queued = false;
                self.queue.retain(|queued| *queued != key);
            }
        }
    }

    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Takes the next pending knote from the queue. It has no event if it is no longer ready, for example because the
    /// program has read the data.
    pub fn take(&mut self) -> Option<(Key, Option<kevent>)> {
        let key = self.queue.pop_front()?;
        let knote = self.knotes.get_mut(&key)?;
        knote.queued = false;
        let ready = knote.ready(key);
        knote.unread = ready.map_or(0, |ready| ready.data);
        Some((key, ready.map(|ready| knote.event(key, ready))))
    }

    /// Makes the knotes of pipes pending whose bytes the program has read in part: on NetBSD 11, a read of a part is an
    /// edge.
    pub fn activate_partly_read(&mut self) {
        for (key, knote) in &mut self.knotes {
            if knote.was_partly_read(*key) && !knote.queued {
                knote.queued = true;
                self.queue.push_back(*key);
            }
        }
    }

    /// Returns the enabled knotes that have a descriptor.
    pub fn watched(&self) -> impl Iterator<Item = Key> + '_ {
        let watched = |(key, knote): (&Key, &Knote)| if knote.disabled { None } else { Some(*key) };
        self.knotes.iter().filter_map(watched).filter(|key| descriptor(*key).is_some())
    }

    /// Returns the event of a knote, whether or not it is ready.
    pub fn spurious_event(&self, key: Key) -> Option<kevent> {
        self.knotes.get(&key).map(|knote| knote.event(key, Ready::default()))
    }
}
