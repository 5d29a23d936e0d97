//! The queue, as a model: a kernel that does what the contract in the crate's `lib.rs` says, and no more.
//!
//! A call into the kernel is one step, which loom puts in every place among the other threads' steps. The step is a
//! relaxed read-modify-write, so the kernel *orders* its callers but *publishes nothing* between them: what a poller
//! sees after a kick, it sees through the crate's own atomics and locks. Real kernels are kinder than that. Only one
//! thing needs their kindness: whoever has seen a kick on the queue's descriptor, from outside, and then polls with a
//! timeout of zero, must find the flags. There, and only there (`models/watched.rs`), a kick publishes what its thread
//! did before ([`Manners::publishes`]).
//!
//! Time does not pass. A timeout of zero looks once; a short one ([`SHORT`] or less) looks once too, since whatever
//! could happen before its end can as well happen before it begins; a longer one, and none at all, never end. So a
//! poller that nobody wakes looks again and again until there is nobody left to wait for, and then says that a wake was
//! lost.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;
use std::sync::{self, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loom::sync::atomic::{AtomicUsize, Ordering};

use crate::event::{Event, Token};
use crate::handle::Raw;
use crate::Interest;

/// The longest timeout that passes.
pub(crate) const SHORT: Duration = Duration::from_nanos(1);

/// So often a wait looks before it gives up. Loom runs everybody else first, as long as anybody can run.
const PATIENCE: usize = 60;

#[derive(Debug, Default)]
pub(crate) struct SourceState {}

impl SourceState {
    pub const NEEDS_REARM: bool = false;

    pub fn rearm(&self, _direction: Interest) {}

    pub fn write_shut_down(&self) {}
}

#[derive(Clone, Debug)]
pub(crate) struct RawEvent {
    token: Token,
    /// It came from the kernel, and not from a waker or timer.
    pub kernel: bool,
}

impl RawEvent {
    pub const fn readable(token: Token) -> RawEvent {
        RawEvent { token, kernel: false }
    }

    pub const fn token(&self) -> Token {
        self.token
    }

    pub const fn is_readable(&self) -> bool {
        true
    }

    pub const fn is_writable(&self) -> bool {
        false
    }

    pub const fn is_error(&self) -> bool {
        false
    }

    pub const fn is_read_closed(&self) -> bool {
        false
    }

    pub const fn is_write_closed(&self) -> bool {
        false
    }

    pub const fn is_priority(&self) -> bool {
        false
    }

    pub const fn is_aio(&self) -> bool {
        false
    }

    pub const fn is_lio(&self) -> bool {
        false
    }
}

pub(crate) struct RawEvents {
    pub list: Vec<Event>,
}

impl RawEvents {
    pub fn with_capacity(capacity: usize) -> RawEvents {
        RawEvents { list: Vec::with_capacity(capacity) }
    }
}

/// The kernel's side of one poll.
pub(crate) struct Kernel {
    steps: AtomicUsize,
    /// Loom runs one thread at a time and switches between steps only, so this lock is never contended.
    state: sync::Mutex<State>,
}

/// How kernels differ, as far as the contract lets them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// Kicks that nobody has seen yet are one (epoll, kqueue), or each is a packet of its own (IOCP).
    pub coalesces: bool,
    /// A kick takes a place in the buffer of a wait, in the order of arrival, or is told beside it.
    pub takes_a_place: bool,
    /// What a thread did before it entered the kernel is seen by whoever enters later.
    pub publishes: bool,
}

impl Manners {
    pub const STRICT: Manners = Manners { coalesces: true, takes_a_place: true, publishes: false };
}

#[derive(Debug)]
struct State {
    manners: Manners,
    /// What the next wait brings, oldest first.
    ready: VecDeque<Ready>,
    sources: BTreeMap<Raw, Registration>,
    /// How often the queue's own descriptor has become readable, as an edge-triggered observer counts.
    edges: usize,
    /// How many kicks were made, also those that failed.
    kicks: usize,
    /// So many kicks from now fail.
    kicks_that_fail: usize,
    /// So many waits from now fail.
    waits_that_fail: usize,
    /// The next wait unwinds.
    wait_that_unwinds: bool,
    /// Somebody sleeps.
    asleep: bool,
    /// A signal has come while somebody slept.
    signalled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Kick,
    Source(Raw),
}

#[derive(Debug)]
struct Registration {
    token: Token,
    interest: Interest,
    ready: bool,
}

impl Kernel {
    fn new() -> Kernel {
        let state = State {
            manners: Manners::STRICT,
            ready: VecDeque::new(),
            sources: BTreeMap::new(),
            edges: 0,
            kicks: 0,
            kicks_that_fail: 0,
            waits_that_fail: 0,
            wait_that_unwinds: false,
            asleep: false,
            signalled: false,
        };
        Kernel { steps: AtomicUsize::new(0), state: sync::Mutex::new(state) }
    }

    /// A call into the kernel. What is done with the result, until the next step or atomic operation, is done at once.
    fn step(&self) -> MutexGuard<'_, State> {
        let publishes = self.aside().manners.publishes;
        self.steps.fetch_add(1, if publishes { Ordering::AcqRel } else { Ordering::Relaxed });
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For what a model sets up or looks at while nobody else runs: no step.
    fn aside(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) -> io::Result<()> {
        let mut state = self.step();
        state.kicks += 1;
        if state.kicks_that_fail > 0 {
            state.kicks_that_fail -= 1;
            return Err(io::Error::new(io::ErrorKind::Other, "the kick failed"));
        }
        if !state.manners.coalesces || !state.ready.contains(&Ready::Kick) {
            state.ready.push_back(Ready::Kick);
        }
        state.edges += 1;
        Ok(())
    }
}

/// What models do to the kernel.
impl Kernel {
    pub fn set_manners(&self, manners: Manners) {
        self.aside().manners = manners;
    }

    pub fn fail_kicks(&self, count: usize) {
        self.aside().kicks_that_fail = count;
    }

    pub fn fail_waits(&self, count: usize) {
        self.aside().waits_that_fail = count;
    }

    pub fn unwind_from_wait(&self) {
        self.aside().wait_that_unwinds = true;
    }

    /// How many kicks were made, also those that failed.
    pub fn kicks(&self) -> usize {
        self.aside().kicks
    }

    /// A source becomes ready, and stays so.
    pub fn make_ready(&self, raw: Raw) {
        let mut state = self.step();
        let source = state.sources.get_mut(&raw).expect("make_ready: not registered");
        source.ready = true;
        if !state.ready.contains(&Ready::Source(raw)) {
            state.ready.push_back(Ready::Source(raw));
        }
        state.edges += 1;
    }

    /// Whoever sleeps is interrupted; if nobody does, the signal is somebody else's.
    pub fn signal(&self) {
        let mut state = self.step();
        state.signalled = state.asleep;
    }

    /// What an edge-triggered event loop has seen of the descriptor when it begins to watch it: if it is readable, that
    /// is the first edge to come.
    pub fn begin_to_watch(&self) -> usize {
        let state = self.step();
        state.edges - usize::from(!state.ready.is_empty())
    }

    /// Waits, as another event loop would, until the queue's descriptor is readable.
    pub fn wait_until_readable(&self) {
        self.look_until("the descriptor does not become readable", |state| !state.ready.is_empty());
    }

    /// Waits, as an edge-triggered event loop would, until the queue's descriptor has become readable once more.
    pub fn wait_for_edge(&self, seen: &mut usize) {
        self.look_until("the descriptor shows no new edge", |state| {
            let news = state.edges > *seen;
            *seen = state.edges;
            news
        });
    }

    fn look_until(&self, lost: &str, mut done: impl FnMut(&State) -> bool) {
        for _ in 0..PATIENCE {
            if done(&self.step()) {
                return;
            }
            loom::thread::yield_now();
        }
        panic!("a wake is lost: {lost}");
    }
}

impl State {
    /// Moves what is ready to `events`, as far as there is room. True if there was a kick.
    fn take(&mut self, events: &mut Vec<Event>) -> bool {
        let mut kicked = false;
        if !self.manners.takes_a_place {
            kicked = self.ready.contains(&Ready::Kick);
            self.ready.retain(|ready| *ready != Ready::Kick);
        }
        let room = events.capacity() - events.len();
        for _ in 0..room.min(self.ready.len()) {
            match self.ready.pop_front() {
                Some(Ready::Source(raw)) => {
                    let source = &self.sources[&raw];
                    events.push(Event(RawEvent { token: source.token, kernel: true }));
                    // Level: it is reported again, after everybody else.
                    if source.interest.is_level() && source.ready {
                        self.ready.push_back(Ready::Source(raw));
                    }
                }
                Some(Ready::Kick) => kicked = true,
                None => {}
            }
        }
        kicked
    }
}

pub(crate) struct Selector {
    /// Not loom's: the kernel's memory is nobody's affair.
    kernel: sync::Arc<Kernel>,
}

impl Selector {
    pub fn new() -> io::Result<Selector> {
        Ok(Selector { kernel: sync::Arc::new(Kernel::new()) })
    }

    pub fn kernel(&self) -> sync::Arc<Kernel> {
        sync::Arc::clone(&self.kernel)
    }

    pub fn register(&self, _: &mut SourceState, raw: Raw, token: Token, interest: Interest) -> io::Result<()> {
        let old = self.kernel.step().sources.insert(raw, Registration { token, interest, ready: false });
        assert!(old.is_none(), "registered twice");
        Ok(())
    }

    pub fn reregister(&self, _: &mut SourceState, raw: Raw, token: Token, interest: Interest) -> io::Result<()> {
        let mut state = self.kernel.step();
        let source = state.sources.get_mut(&raw).expect("reregister: not registered");
        (source.token, source.interest) = (token, interest);
        if source.ready && !state.ready.contains(&Ready::Source(raw)) {
            state.ready.push_back(Ready::Source(raw));
            state.edges += 1;
        }
        Ok(())
    }

    pub fn deregister(&self, _: &mut SourceState, raw: Raw) -> io::Result<()> {
        let mut state = self.kernel.step();
        state.sources.remove(&raw).expect("deregister: not registered");
        state.ready.retain(|ready| *ready != Ready::Source(raw));
        Ok(())
    }

    /// Keeps `kept` events, and puts what is ready behind them.
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        events.list.truncate(kept);
        if events.list.capacity() == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let kept = events.list.len();
        let begin = Instant::now();
        for _ in 0..PATIENCE {
            let mut state = self.kernel.step();
            state.asleep = false;
            if mem::take(&mut state.wait_that_unwinds) {
                drop(state);
                // As a panic, but without a word on stderr.
                std::panic::resume_unwind(Box::new("the wait unwinds"));
            }
            if state.waits_that_fail > 0 {
                state.waits_that_fail -= 1;
                return Err(io::ErrorKind::Interrupted.into());
            }
            // The signal goes first, so that what is ready has to wait for the next time.
            if mem::take(&mut state.signalled) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let kicked = state.take(&mut events.list);
            let is_over = timeout.map_or(false, |timeout| timeout <= SHORT);
            if kicked || events.list.len() > kept || is_over {
                pass(begin, timeout);
                return Ok(kicked);
            }
            state.asleep = true;
            drop(state);
            loom::thread::yield_now();
        }
        panic!("a wake is lost: the poller sleeps for ever");
    }
}

/// A short timeout is over when the wait is, in real time as well. Else what happens next would depend on the clock,
/// and loom could not repeat it.
fn pass(begin: Instant, timeout: Option<Duration>) {
    if let Some(timeout) = timeout.filter(|timeout| *timeout <= SHORT) {
        while begin.elapsed() < timeout {}
    }
}

pub(crate) struct Notifier {
    kernel: sync::Arc<Kernel>,
}

impl Notifier {
    pub fn new(selector: &Selector) -> io::Result<Notifier> {
        Ok(Notifier { kernel: selector.kernel() })
    }

    pub fn notify(&self) -> io::Result<()> {
        self.kernel.notify()
    }
}
