//! Random programs, against a model of the events that they may and must get.
//!
//! Each run has a seed. `SEEDS=n` sets the number of runs, `SEED=n` runs only one seed, and a failure names its seed.

use std::collections::BTreeSet;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::event::Source;
use crate::kernel::layout::*;
use crate::kernel::Behaviour;
use crate::world::{Loop, Peer, RawSocket, Stream, World, FINISHED};
use crate::{Events, Interest, Token, Waker};

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
    let priority = if interest.is_priority() { RECEIVE_EXPEDITED | BROKEN } else { 0 };
    let hang_up = if interest.is_hang_up() { BROKEN } else { 0 };
    read | write | priority | hang_up
}

/// A socket of the program: an owned stream or a raw number.
enum Socket {
    Owned(Stream),
    Raw(RawSocket),
}

struct Slot {
    source: Socket,
    peer: Peer,
    /// The conditions that have held since the last report. A request may have completed with them at any time since,
    /// also a request that was submitted for an earlier registration.
    seen: u32,
    registration: Option<Registration>,
    /// The program has shut down writing.
    shut_down: bool,
}

/// The contract of a registered source, as AFD events.
struct Registration {
    token: usize,
    interest: Interest,
    /// These events must be reported as soon as they hold.
    must: u32,
    /// These events may be reported again, because the program read before the report.
    may: u32,
    /// The program has read or written since the last report.
    used: bool,
}

impl Registration {
    fn new(token: usize, interest: Interest, shut_down: bool) -> Registration {
        let mut registration = Registration { token, interest, must: flags(interest), may: 0, used: false };
        if shut_down {
            registration.arm_hang_up();
        }
        registration
    }

    /// The program has shut down writing, so the end of the peer is a hang-up from now on.
    fn arm_hang_up(&mut self) {
        if self.interest.remove(Interest::HANG_UP | Interest::PRIORITY).is_none() && self.must & BROKEN != 0 {
            self.must |= DISCONNECT;
        }
    }

    fn reported(&mut self, words: u32, seen: u32, unread: usize) {
        let words = words & !FINISHED;
        assert_ne!(words, 0, "an event without a flag");
        let allowed = (self.must | self.may) & seen;
        assert_eq!(words & !allowed, 0, "reported {words:x}, but at most {allowed:x} is allowed");
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
    /// Numbers of sockets that were closed while registered. The queue may not have detected that yet.
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
        let (read, write) = (Interest::READABLE, Interest::WRITABLE);
        let (hang_up, priority) = (Interest::HANG_UP, Interest::PRIORITY);
        let interest = [read, write, read | write, hang_up, priority, read | priority][self.pick(6)];
        [interest.edge(), interest.level(), interest.oneshot()][self.pick(3)]
    }

    fn step(&mut self) {
        let at = self.pick(SLOTS);
        if self.slots[at].is_none() {
            let source = if self.pick(2) == 0 {
                let (stream, peer) = if self.pick(2) == 0 { self.world.pair() } else { self.world.unconnected() };
                Slot { source: Socket::Owned(stream), peer, seen: 0, registration: None, shut_down: false }
            } else {
                let (number, peer) = self.world.raw();
                Slot { source: Socket::Raw(number), peer, seen: 0, registration: None, shut_down: false }
            };
            self.slots[at] = Some(source);
        }
        match self.pick(24) {
            0..=2 => self.register(at),
            3..=4 => self.reregister(at),
            5 => self.deregister(at),
            6 => self.close(at),
            7..=14 => self.peer_acts(at),
            15..=17 => self.program_acts(at),
            18..=20 => self.wait(),
            21 => self.change_faults(),
            22 => {
                self.waker.wake().unwrap();
                self.woken = true;
            }
            _ => self.check_due_events(),
        }
        self.record_conditions();
        self.world.check();
    }

    /// Records the conditions that hold.
    fn record_conditions(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            slot.seen |= slot.peer.ready_events();
        }
    }

    /// Returns whether the queue may still have a registration of an earlier socket with this socket's number.
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
                // A registration whose request cannot be cancelled fails: `closing.rs`.
                self.world.kernel().faults.cancels = 0;
                queue.register(number, token, interest)
            }
        };
        let replaces = matches!(slot.source, Socket::Raw(_));
        assert_eq!(result.is_ok(), slot.registration.is_none() || replaces, "{result:?}");
        if result.is_ok() {
            slot.registration =
                Some(Registration { used: true, ..Registration::new(token.0, interest, slot.shut_down) });
        }
    }

    fn reregister(&mut self, at: usize) {
        let interest = self.interest();
        self.last_token += 1;
        let is_stale = self.is_stale(at);
        let (token, queue) = (Token(self.last_token), self.queue.registry());
        let Some(slot) = &mut self.slots[at] else { return };
        let result = match &mut slot.source {
            Socket::Owned(stream) => queue.reregister(stream, token, interest),
            Socket::Raw(number) => {
                self.world.kernel().faults.cancels = 0;
                queue.reregister(number, token, interest)
            }
        };
        assert!(is_stale || result.is_ok() == slot.registration.is_some(), "{result:?}");
        if result.is_ok() {
            // A pending request may be older than this registration, and its data may have been read since.
            slot.registration =
                Some(Registration { used: true, ..Registration::new(token.0, interest, slot.shut_down) });
        }
    }

    fn deregister(&mut self, at: usize) {
        let is_stale = self.is_stale(at);
        let queue = self.queue.registry();
        let Some(slot) = &mut self.slots[at] else { return };
        let result = match &mut slot.source {
            Socket::Owned(stream) => queue.deregister(stream),
            Socket::Raw(number) => {
                // The cancel must succeed. Otherwise the old request may still be pending when the socket is registered
                // again; `cancels.rs` tests this.
                self.world.kernel().faults.cancels = 0;
                queue.deregister(number)
            }
        };
        assert!(is_stale || result.is_ok() == slot.registration.is_some(), "{result:?}");
        slot.registration = None;
    }

    fn close(&mut self, at: usize) {
        let deregister_first = self.pick(2) == 0;
        let Some(slot) = &self.slots[at] else { return };
        if let (Socket::Raw(_), Some(_)) = (&slot.source, &slot.registration) {
            // Only a request reports that the socket was closed.
            if deregister_first || !self.world.kernel().is_watched(slot.peer.endpoint) {
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

    /// An action of the peer.
    fn peer_acts(&mut self, at: usize) {
        let (what, size) = (self.pick(44), self.pick(5));
        let Some(Slot { peer, .. }) = &self.slots[at] else { return };
        match what {
            0..=17 => peer.sends(size),
            18..=26 => peer.makes_room(size),
            27..=35 => peer.leaves_no_room(),
            36..=37 => peer.shuts_down(),
            38 => peer.resets(),
            39..=40 => peer.sends_urgent_byte(),
            41..=42 => peer.loses_urgent_byte(),
            _ => peer.refuses_to_connect(),
        }
    }

    /// An action of the program on its socket.
    fn program_acts(&mut self, at: usize) {
        let (what, size) = (self.pick(4), 1 + self.pick(5));
        let Some(slot) = &mut self.slots[at] else { return };
        let Slot { source: Socket::Owned(stream), registration, shut_down, .. } = slot else { return };
        let (direction, uses) = match what {
            0 => (READ, stream.drain().0 > 0 || !ended(stream)),
            1 => (READ, arms(&stream.read(size))),
            2 => (WRITE, stream.write(size).map_or_else(|err| would_block(&err), |sent| sent < size)),
            _ => {
                stream.shuts_down();
                *shut_down = true;
                if let Some(registration) = registration {
                    registration.arm_hang_up();
                }
                // If the peer's end was reported before, the end of both directions is a new event.
                (DISCONNECT, true)
            }
        };
        if let (true, Some(registration)) = (uses, registration) {
            registration.arm(direction);
        }
    }

    fn apply(&mut self, reported: Vec<(usize, u32)>) -> Vec<usize> {
        let mut tokens: Vec<_> = reported.iter().map(|(token, _)| *token).collect();
        for (token, words) in reported {
            if token == WAKER {
                assert!(self.woken, "the poll reported a wake that did not happen");
                self.woken = false;
                continue;
            }
            let slot = self.slots.iter_mut().flatten().find(|slot| slot.token() == Some(token));
            let Some(Slot { registration: Some(registration), peer, seen, .. }) = slot else {
                panic!("reported {words:x} with token {token}, which no source has");
            };
            registration.reported(words, *seen, peer.unread());
            *seen = peer.ready_events();
        }
        let all = tokens.len();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), all, "one poll reported a source twice");
        tokens
    }

    /// Returns a timeout: blocking and non-blocking waits take different paths. With `timeouts_pass_at_once`, neither
    /// takes time.
    fn timeout(&mut self) -> Duration {
        Duration::from_nanos(self.pick(2) as u64)
    }

    fn wait(&mut self) {
        let capacity = 1 + self.pick(4);
        self.queue.events = Events::with_capacity(capacity);
        let timeout = self.timeout();
        let reported = self.queue.within(timeout);
        assert!(reported.len() <= capacity);
        self.apply(reported);
    }

    /// Makes kernel calls fail at random.
    fn change_faults(&mut self) {
        let fault = self.pick(5);
        let mut kernel = self.world.kernel();
        match fault {
            0 => kernel.behaviour.cancels_late = true,
            1 => kernel.deliver(),
            2 => kernel.faults.cancels = 1,
            3 => kernel.behaviour.never_at_once ^= true,
            _ => kernel.behaviour.cancels_late = false,
        }
    }

    /// Ends failures and delays of cancels, and polls six times. The polls must report every due source; in level mode,
    /// each of the later polls must report it.
    fn check_due_events(&mut self) {
        let mut kernel = self.world.kernel();
        kernel.behaviour.cancels_late = false;
        kernel.faults.cancels = 0;
        kernel.deliver();
        drop(kernel);
        self.queue.events = Events::with_capacity(64);
        let timeout = self.timeout();
        // The first poll dequeues the packet of a request that covered too little. A blocking poll may defer the update
        // of a source of which only closing events are armed, once before the cancel and once before the submit.
        let polls_before_due = if timeout == Duration::ZERO { 1 } else { 3 };
        for round in 0..6 {
            let due: Vec<_> = self.slots.iter().flatten().filter_map(Slot::due).collect();
            let reported = self.queue.within(timeout);
            let tokens = self.apply(reported);
            let forgotten = due.iter().find(|token| round >= polls_before_due && !tokens.contains(token));
            assert_eq!(forgotten, None, "ready and armed, but not reported by poll {round}");
        }
        assert!(!self.woken, "a wake was lost");
        self.stale.clear();
        let still_due = self.slots.iter().flatten().filter(|slot| slot.is_edge_or_oneshot()).find_map(Slot::due);
        assert_eq!(still_due, None, "a due event was not reported");
    }
}

/// Reads once more. Returns whether this read did not rearm: the stream has ended, or an error.
fn ended(stream: &Stream) -> bool {
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

    /// Returns the token with which the source must be reported now.
    fn due(&self) -> Option<usize> {
        let registration = self.registration.as_ref()?;
        (registration.must & self.peer.ready_events() != 0).then_some(registration.token)
    }

    fn is_edge_or_oneshot(&self) -> bool {
        self.registration.as_ref().is_some_and(|registration| !registration.interest.is_level())
    }
}

fn run(seed: u64) {
    let world = World::new(Behaviour::ALL[seed as usize % 4]);
    world.kernel().seed(seed);
    world.kernel().behaviour.timeouts_pass_at_once = true;
    let queue = Loop::new();
    let waker = Waker::new(queue.registry(), Token(WAKER)).unwrap();
    let slots = (0..SLOTS).map(|_| None).collect();
    let stale = BTreeSet::new();
    let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut program = Program { world: &world, queue, waker, woken: false, slots, stale, last_token: 0, random };
    for _ in 0..STEPS {
        program.step();
    }
    program.check_due_events();
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
fn random_programs_get_every_required_event_and_no_other() {
    let number = |name| env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(failure) = panic::catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("to repeat this failure, set SEED={seed}");
            panic::resume_unwind(failure);
        }
    }
}
