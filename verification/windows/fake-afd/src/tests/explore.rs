//! Random programs, against a model that says what they may and must be told.
//!
//! A run is a seed. `SEEDS=n` says how many there are, `SEED=n` runs only that one, and a failure names it.

use std::collections::BTreeSet;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::event::Source;
use crate::kernel::layout::*;
use crate::kernel::Manners;
use crate::world::{Loop, Number, Peer, Stream, World, FINISHED};
use crate::{Events, Interest, Registry, Token, Waker};

const SEEDS: u64 = 60_000;
const STEPS: usize = 300;
const SLOTS: usize = 7;
const WAKER: usize = usize::MAX;

const BROKEN: u32 = ABORT | CONNECT_FAIL;
const READ: u32 = RECEIVE | ACCEPT | DISCONNECT | BROKEN;
const WRITE: u32 = SEND | BROKEN;

fn flags(interest: Interest) -> u32 {
    let read = if interest.is_readable() { READ } else { 0 };
    let write = if interest.is_writable() { WRITE } else { 0 };
    read | write
}

/// A socket of the program's, which owns it or knows but its number.
enum Socket {
    Owned(Stream),
    Raw(Number),
}

struct Slot {
    source: Socket,
    peer: Peer,
    /// What has been so since it was told last. A request may have met it at any time since, also one that was made for
    /// an earlier registration.
    seen: u32,
    registration: Option<Registration>,
}

/// What the contract says of a source that is registered, in AFD's words.
struct Registration {
    token: usize,
    interest: Interest,
    /// This must be told as soon as it is so.
    must: u32,
    /// This may be told again: what was read before it was told.
    may: u32,
    /// The program has read or written since it was told last.
    used: bool,
}

impl Registration {
    fn new(token: usize, interest: Interest) -> Registration {
        Registration { token, interest, must: flags(interest), may: 0, used: false }
    }

    fn told(&mut self, words: u32, seen: u32, unread: usize) {
        let words = words & !FINISHED;
        assert_ne!(words, 0, "an event that says nothing");
        let allowed = (self.must | self.may) & seen;
        assert_eq!(words & !allowed, 0, "told {words:x}, but at most {allowed:x} was news");
        if self.interest.is_oneshot() || !self.interest.is_level() && words & BROKEN != 0 {
            (self.must, self.may) = (0, 0);
        } else if self.interest.is_edge() {
            self.must &= !words;
            self.may &= !words;
            if self.used && unread == 0 && words & !(RECEIVE | ACCEPT) == 0 {
                self.may |= words;
            }
        }
        self.used = false;
    }

    fn arm(&mut self, direction: u32) {
        self.used = true;
        if self.interest.is_edge() {
            self.must |= direction & flags(self.interest);
        }
    }
}

struct Program<'a> {
    world: &'a World,
    queue: Loop,
    waker: Waker,
    woken: bool,
    slots: Vec<Option<Slot>>,
    /// Numbers of sockets that were closed while they were registered: that may not have been heard of yet.
    stale: BTreeSet<usize>,
    last_token: usize,
    random: u64,
}

impl Program<'_> {
    fn pick(&mut self, of: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % of
    }

    fn interest(&mut self) -> Interest {
        let both = Interest::READABLE | Interest::WRITABLE;
        let interest = [Interest::READABLE, Interest::WRITABLE, both][self.pick(3)];
        [interest.edge(), interest.level(), interest.oneshot()][self.pick(3)]
    }

    fn step(&mut self) {
        let at = self.pick(SLOTS);
        if self.slots[at].is_none() {
            let source = if self.pick(2) == 0 {
                let (stream, peer) = if self.pick(2) == 0 { self.world.pair() } else { self.world.unconnected() };
                Slot { source: Socket::Owned(stream), peer, seen: 0, registration: None }
            } else {
                let (number, peer) = self.world.raw();
                Slot { source: Socket::Raw(number), peer, seen: 0, registration: None }
            };
            self.slots[at] = Some(source);
        }
        match self.pick(24) {
            0..=2 => self.register(at),
            3..=4 if !self.is_stale(at) => self.reregister(at),
            5 if !self.is_stale(at) => self.deregister(at),
            6 => self.close(at),
            7..=14 => self.happens(at),
            15..=17 => self.uses(at),
            18..=20 => self.wait(),
            21 => self.has_trouble(),
            22 => {
                self.waker.wake().unwrap();
                self.woken = true;
            }
            _ => self.settles(),
        }
        self.see();
        self.world.check();
    }

    /// Takes note of what is so.
    fn see(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            slot.seen |= slot.peer.up();
        }
    }

    /// Whether it may be taken for a socket that had its number before, and was registered.
    fn is_stale(&self, at: usize) -> bool {
        match &self.slots[at] {
            Some(Slot { source: Socket::Raw(number), registration: None, .. }) => self.stale.contains(&number.0),
            _ => false,
        }
    }

    fn register(&mut self, at: usize) {
        let interest = self.interest();
        self.last_token += 1;
        let (token, queue) = (Token(self.last_token), self.queue.registry());
        let Some(slot) = &mut self.slots[at] else { return };
        let result = match &mut slot.source {
            Socket::Owned(stream) => queue.register(stream, token, interest),
            Socket::Raw(number) => {
                // Whether the number is still that of the socket before is found out by cancelling its request.
                self.world.kernel().faults.cancels = 0;
                queue.register(number, token, interest)
            }
        };
        // A number that something has happened to may be another socket's by now: the second takes the place of the
        // first.
        let may_be_another = matches!(slot.source, Socket::Raw(_)) && slot.registration.is_some() && result.is_ok();
        assert_eq!(result.is_err(), slot.registration.is_some() && !may_be_another, "{result:?}");
        if result.is_ok() {
            slot.registration = Some(Registration { used: true, ..Registration::new(token.0, interest) });
        }
    }

    fn reregister(&mut self, at: usize) {
        let interest = self.interest();
        self.last_token += 1;
        let (token, queue) = (Token(self.last_token), self.queue.registry());
        let Some(slot) = &mut self.slots[at] else { return };
        let result = match &mut slot.source {
            Socket::Owned(stream) => queue.reregister(stream, token, interest),
            Socket::Raw(number) => queue.reregister(number, token, interest),
        };
        assert_eq!(result.is_ok(), slot.registration.is_some(), "{result:?}");
        if let Some(registration) = &mut slot.registration {
            // A request that is out may be of a time before, and what it met have been read since.
            *registration = Registration { used: true, ..Registration::new(token.0, interest) };
        }
    }

    fn deregister(&mut self, at: usize) {
        let queue = self.queue.registry();
        let Some(slot) = &mut self.slots[at] else { return };
        let result = match &mut slot.source {
            Socket::Owned(stream) => queue.deregister(stream),
            Socket::Raw(number) => {
                // It is forgotten at once, and if it came back, its old request would be out still: `cancels.rs`.
                self.world.kernel().faults.cancels = 0;
                queue.deregister(number)
            }
        };
        assert_eq!(result.is_ok(), slot.registration.is_some(), "{result:?}");
        slot.registration = None;
    }

    fn close(&mut self, at: usize) {
        let politely = self.pick(2) == 0;
        let Some(slot) = &self.slots[at] else { return };
        if let (Socket::Raw(_), Some(_)) = (&slot.source, &slot.registration) {
            // That it is closed can only be heard of by a request.
            if politely || !self.world.kernel().is_watched(slot.peer.endpoint) {
                self.deregister(at);
            }
        }
        match self.slots[at].take() {
            Some(Slot { source: Socket::Raw(number), registration, .. }) => {
                if registration.is_some() {
                    self.stale.insert(number.0);
                }
                number.close();
            }
            gone => drop(gone),
        }
    }

    /// Something that the peer does.
    fn happens(&mut self, at: usize) {
        let (what, size) = (self.pick(40), self.pick(5));
        let Some(Slot { peer, .. }) = &self.slots[at] else { return };
        match what {
            0..=17 => peer.sends(size),
            18..=26 => peer.makes_room(size),
            27..=35 => peer.leaves_no_room(),
            36..=37 => peer.shuts_down(),
            38 => peer.resets(),
            _ => peer.refuses_to_connect(),
        }
    }

    /// Something that the program does to a socket of its own.
    fn uses(&mut self, at: usize) {
        let (what, size) = (self.pick(4), 1 + self.pick(5));
        let Some(Slot { source: Socket::Owned(stream), registration, .. }) = &mut self.slots[at] else { return };
        let (direction, uses) = match what {
            0 => (READ, stream.drain().0 > 0 || !ended(stream)),
            1 => (READ, arms(&stream.read(size))),
            2 => (WRITE, stream.write(size).map_or_else(|err| would_block(&err), |sent| sent < size)),
            _ => {
                stream.shuts_down();
                // The end of both is news, if the peer's was told before.
                (DISCONNECT, true)
            }
        };
        if let (true, Some(registration)) = (uses, registration) {
            registration.arm(direction);
        }
    }

    fn apply(&mut self, told: Vec<(usize, u32)>) -> Vec<usize> {
        let mut tokens: Vec<_> = told.iter().map(|(token, _)| *token).collect();
        for (token, words) in told {
            if token == WAKER {
                assert!(self.woken, "a wake that nobody has made");
                self.woken = false;
                continue;
            }
            let slot = self.slots.iter_mut().flatten().find(|slot| slot.token() == Some(token));
            let Some(Slot { registration: Some(registration), peer, seen, .. }) = slot else {
                panic!("told {words:x} under token {token}, which nobody has");
            };
            registration.told(words, *seen, peer.unread());
            *seen = peer.up();
        }
        let all = tokens.len();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), all, "somebody is told twice by one poll");
        tokens
    }

    /// Whether to wait or only to look, which the queue goes about in different ways. Time passes at once.
    fn timeout(&mut self) -> Duration {
        Duration::from_nanos(self.pick(2) as u64)
    }

    fn wait(&mut self) {
        let capacity = 1 + self.pick(4);
        self.queue.events = Events::with_capacity(capacity);
        let timeout = self.timeout();
        let told = self.queue.within(timeout);
        assert!(told.len() <= capacity);
        self.apply(told);
    }

    /// The kernel has its moods.
    fn has_trouble(&mut self) {
        let mood = self.pick(5);
        let mut kernel = self.world.kernel();
        match mood {
            0 => kernel.manners.cancels_late = true,
            1 => kernel.deliver(),
            2 => kernel.faults.cancels = 1,
            3 => kernel.manners.never_at_once ^= true,
            _ => kernel.manners.cancels_late = false,
        }
    }

    /// Nothing happens for a while: then whoever is to be told is told, and in level mode by every poll.
    fn settles(&mut self) {
        let mut kernel = self.world.kernel();
        kernel.manners.cancels_late = false;
        kernel.faults.cancels = 0;
        kernel.deliver();
        drop(kernel);
        self.queue.events = Events::with_capacity(64);
        let timeout = self.timeout();
        // A request that was too narrow is back after the first poll. One that waits may pass over somebody who wants
        // no more than to hear of the end, once before he cancels and once before he asks.
        let patience = if timeout == Duration::ZERO { 1 } else { 3 };
        for round in 0..6 {
            let due: Vec<_> = self.slots.iter().flatten().filter_map(Slot::due).collect();
            let told = self.queue.within(timeout);
            let tokens = self.apply(told);
            let forgotten = due.iter().find(|token| round >= patience && !tokens.contains(token));
            assert_eq!(forgotten, None, "ready, armed, and not told by poll {round}");
        }
        assert!(!self.woken, "a wake was lost");
        self.stale.clear();
        let idle = self.slots.iter().flatten().filter(|slot| slot.is_edge_or_oneshot()).find_map(Slot::due);
        assert_eq!(idle, None, "still to be told");
    }
}

fn ended(stream: &Stream) -> bool {
    // A last read arms as any other.
    !arms(&stream.read(1))
}

fn arms(result: &std::io::Result<usize>) -> bool {
    match result {
        Ok(got) => *got > 0,
        Err(err) => would_block(err),
    }
}

fn would_block(err: &std::io::Error) -> bool {
    err.kind() == std::io::ErrorKind::WouldBlock
}

impl Slot {
    fn token(&self) -> Option<usize> {
        self.registration.as_ref().map(|registration| registration.token)
    }

    /// The token under which it must be told now.
    fn due(&self) -> Option<usize> {
        let registration = self.registration.as_ref()?;
        (registration.must & self.peer.up() != 0).then_some(registration.token)
    }

    fn is_edge_or_oneshot(&self) -> bool {
        self.registration.as_ref().is_some_and(|registration| !registration.interest.is_level())
    }
}

fn run(seed: u64) {
    let world = World::new(Manners::ALL[seed as usize % 4]);
    world.kernel().seed(seed);
    world.kernel().manners.time_flies = true;
    let queue = Loop::new();
    let waker = Waker::new(queue.registry(), Token(WAKER)).unwrap();
    let slots = (0..SLOTS).map(|_| None).collect();
    let stale = BTreeSet::new();
    let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut program = Program { world: &world, queue, waker, woken: false, slots, stale, last_token: 0, random };
    for _ in 0..STEPS {
        program.step();
    }
    program.settles();
    let poll_first = program.pick(2) == 0;
    let Program { queue, waker, slots, .. } = program;
    let mut queue = Some(queue);
    if poll_first {
        drop(waker);
        queue = None;
    }
    for slot in slots.into_iter().flatten() {
        if let Socket::Raw(number) = slot.source {
            number.close();
        }
    }
    drop(queue);
}

#[test]
fn random_programs_are_told_what_they_must_be_and_nothing_else() {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(failure) = panic::catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("SEED={seed} shows it again");
            panic::resume_unwind(failure);
        }
    }
}
