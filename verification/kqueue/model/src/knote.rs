//! Knotes: what a program has asked a kqueue to watch, and which of them are pending.

use std::collections::{BTreeMap, VecDeque};
use std::os::raw::{c_int, c_void};

use crate::ffi::{self, kevent};
use crate::filter::{self, Filter, Kind, Ready};

/// What a knote is found by: an identifier, which is a descriptor if the filter is `READ` or `WRITE`, and a filter.
pub type Key = (usize, Filter);

/// The descriptor of a knote that has one.
pub fn descriptor((ident, filter): Key) -> Option<c_int> {
    match filter {
        Filter::Read | Filter::Write => c_int::try_from(ident).ok(),
        Filter::User | Filter::Aio => None,
    }
}

pub struct Knote {
    /// Those with which the knote was made. An `EV_ADD` of a knote that exists does not change them.
    flags: u16,
    udata: usize,
    pub kind: Kind,
    pub disabled: bool,
    /// Disabled by a report, and not by the program.
    pub dispatched: bool,
    queued: bool,
    /// Of `USER`.
    triggered: bool,
    fflags: u32,
    data: isize,
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
            triggered: false,
            fflags: change.fflags & ffi::NOTE_FFLAGSMASK,
            data: change.data,
        }
    }

    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// What a change says of a knote that exists.
    pub fn modify(&mut self, change: &kevent) {
        self.udata = change.udata as usize;
    }

    /// What it says besides of one that the program triggers itself.
    pub fn touch(&mut self, change: &kevent) {
        let given = change.fflags & ffi::NOTE_FFLAGSMASK;
        match change.fflags & ffi::NOTE_FFCTRLMASK {
            ffi::NOTE_FFAND => self.fflags &= given,
            ffi::NOTE_FFOR => self.fflags |= given,
            ffi::NOTE_FFCOPY => self.fflags = given,
            // They stay as they are.
            _ => {}
        }
        self.data = change.data;
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
            // There since the operation is complete, and ended as FreeBSD has it.
            Filter::Aio => Some(Ready { eof: true, ..Ready::default() }),
        }
    }

    fn event(&self, (ident, filter): Key, ready: Ready) -> kevent {
        kevent {
            ident,
            filter: filter.number(),
            flags: if ready.eof { self.flags | ffi::EV_EOF } else { self.flags },
            fflags: if filter == Filter::User { self.fflags } else { ready.error as u32 },
            data: ready.data,
            udata: self.udata as *mut c_void,
        }
    }

    /// Reported, one with `EV_CLEAR` starts from nothing.
    pub fn clear(&mut self) {
        if self.has(ffi::EV_CLEAR) {
            self.triggered = false;
            self.fflags = 0;
            self.data = 0;
        }
    }
}

/// All knotes of a kqueue, and the queue: those that are pending, each once, in the order in which they became so.
#[derive(Default)]
pub struct Notes {
    knotes: BTreeMap<Key, Knote>,
    queue: VecDeque<Key>,
}

impl Notes {
    pub fn get(&mut self, key: Key) -> Option<&mut Knote> {
        self.knotes.get_mut(&key)
    }

    pub fn insert(&mut self, key: Key, knote: Knote) {
        self.knotes.insert(key, knote);
        // So that a knote can become pending where nothing may be allocated: in a signal handler.
        self.queue.reserve(self.knotes.len() - self.queue.len());
    }

    pub fn remove(&mut self, key: Key) -> Option<Knote> {
        self.withdraw(key);
        self.knotes.remove(&key)
    }

    /// Makes a knote pending, if its filter says that it is ready.
    pub fn activate(&mut self, key: Key) {
        // One that is not there any more has been closed or deleted since.
        if let Some(knote) = self.knotes.get_mut(&key) {
            if !knote.disabled && !knote.queued && knote.ready(key).is_some() {
                knote.queued = true;
                self.queue.push_back(key);
            }
        }
    }

    /// The opposite.
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

    /// Takes the next one that is pending from the queue. It has no event if it is not ready any more: the program was
    /// faster.
    pub fn take(&mut self) -> Option<(Key, Option<kevent>)> {
        let key = self.queue.pop_front()?;
        let knote = self.knotes.get_mut(&key)?;
        knote.queued = false;
        let event = knote.ready(key).map(|ready| knote.event(key, ready));
        Some((key, event))
    }

    /// Those with a descriptor that could be reported.
    pub fn watched(&self) -> impl Iterator<Item = Key> + '_ {
        let watched = |(key, knote): (&Key, &Knote)| if knote.disabled { None } else { Some(*key) };
        self.knotes.iter().filter_map(watched).filter(|key| descriptor(*key).is_some())
    }

    /// The event of a knote that was ready a moment ago.
    pub fn late_event(&self, key: Key) -> Option<kevent> {
        self.knotes.get(&key).map(|knote| knote.event(key, Ready::default()))
    }
}
