//! A model of the queue: a kernel that keeps the contract in the crate's `lib.rs`, and gives no further guarantee.
//!
//! A call into the kernel is one step, and loom tries every order of the steps of all threads. The step is a relaxed
//! read-modify-write, so the kernel *orders* its callers but *publishes nothing* between them: what a polling thread
//! sees after a notification, it sees through the crate's own atomics and locks. Real kernels publish more. Only one
//! case needs that: an outer loop sees a notification on the queue's descriptor, then polls without blocking, and must
//! find the flags. In the models of that case, `models/exposed.rs`, a thread that enters the kernel therefore sees what
//! earlier threads did before they entered it ([`KernelKind::publishes`]).
//!
//! Time does not pass. A timeout of zero checks once. A short timeout ([`SHORT`] or less) checks once too, because
//! whatever can happen before its end can also happen before its start. A longer timeout, or none, never ends: the wait
//! checks repeatedly until no other thread can run, and then the model fails with a lost wake.

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

/// How often a wait checks before the model fails. Loom runs all other threads first, as long as one can run.
const MAX_CHECKS: usize = 60;

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
    /// Whether the event came from the kernel, and not from a waker or timer.
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

    pub const fn is_hang_up(&self) -> bool {
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

/// The kernel's part of one poll.
pub(crate) struct Kernel {
    steps: AtomicUsize,
    /// Loom runs one thread at a time and switches between steps only, so this lock is never contended.
    state: sync::Mutex<State>,
}

/// The differences between kernels that the contract allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelKind {
    /// Whether several notifications before a wait are one (epoll, kqueue), or each is a packet of its own (IOCP).
    pub coalesces: bool,
    /// Whether a notification takes a slot in the events of a wait, in the order of arrival, or is reported beside
    /// them.
    pub takes_a_slot: bool,
    /// Whether a thread that enters the kernel sees what earlier threads did before they entered it.
    pub publishes: bool,
}

impl KernelKind {
    /// The kernel that guarantees the least: it may merge notifications, report fewer events, and publishes nothing.
    pub const STRICT: KernelKind = KernelKind { coalesces: true, takes_a_slot: true, publishes: false };
}

#[derive(Debug)]
struct State {
    kind: KernelKind,
    /// The events of the next wait, oldest first.
    ready: VecDeque<Ready>,
    sources: BTreeMap<Raw, Registration>,
    /// How often the queue's own descriptor has become readable, for an edge-triggered outer loop.
    edges: usize,
    /// The number of notifications, including failed ones.
    notifications: usize,
    /// The number of waits.
    waits: usize,
    /// How many of the next notifications fail.
    failing_notifications: usize,
    /// How many of the next waits fail.
    failing_waits: usize,
    /// Whether the next wait unwinds.
    unwinding_wait: bool,
    /// Whether a thread is blocked in a wait.
    blocked: bool,
    /// Whether a signal has arrived while a thread was blocked.
    signalled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Notification,
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
            kind: KernelKind::STRICT,
            ready: VecDeque::new(),
            sources: BTreeMap::new(),
            edges: 0,
            notifications: 0,
            waits: 0,
            failing_notifications: 0,
            failing_waits: 0,
            unwinding_wait: false,
            blocked: false,
            signalled: false,
        };
        Kernel { steps: AtomicUsize::new(0), state: sync::Mutex::new(state) }
    }

    /// Enters the kernel: one step. The caller's use of the state, until the next step or atomic operation, is part of
    /// this step.
    fn step(&self) -> MutexGuard<'_, State> {
        let publishes = self.without_step().kind.publishes;
        self.steps.fetch_add(1, if publishes { Ordering::AcqRel } else { Ordering::Relaxed });
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state without a step, for the setup and the checks of a model. Loom does not switch threads here.
    fn without_step(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) -> io::Result<()> {
        let mut state = self.step();
        state.notifications += 1;
        if state.failing_notifications > 0 {
            state.failing_notifications -= 1;
            return Err(io::Error::new(io::ErrorKind::Other, "the notification failed"));
        }
        if !state.kind.coalesces || !state.ready.contains(&Ready::Notification) {
            state.ready.push_back(Ready::Notification);
        }
        state.edges += 1;
        Ok(())
    }
}

/// Actions of models.
impl Kernel {
    pub fn set_kind(&self, kind: KernelKind) {
        self.without_step().kind = kind;
    }

    pub fn fail_notifications(&self, count: usize) {
        self.without_step().failing_notifications = count;
    }

    pub fn fail_waits(&self, count: usize) {
        self.without_step().failing_waits = count;
    }

    pub fn unwind_from_wait(&self) {
        self.without_step().unwinding_wait = true;
    }

    /// The number of notifications, including failed ones.
    pub fn notifications(&self) -> usize {
        self.without_step().notifications
    }

    /// The number of waits.
    pub fn waits(&self) -> usize {
        self.without_step().waits
    }

    /// Makes a source ready from now on.
    pub fn make_ready(&self, raw: Raw) {
        let mut state = self.step();
        let source = state.sources.get_mut(&raw).expect("make_ready: not registered");
        source.ready = true;
        if !state.ready.contains(&Ready::Source(raw)) {
            state.ready.push_back(Ready::Source(raw));
        }
        state.edges += 1;
    }

    /// Interrupts the blocked thread. If no thread is blocked, the signal has no effect.
    pub fn signal(&self) {
        let mut state = self.step();
        state.signalled = state.blocked;
    }

    /// Returns the number of edges that an edge-triggered outer loop has seen when it registers the descriptor. If the
    /// descriptor is readable, the next edge is due.
    pub fn current_edges(&self) -> usize {
        let state = self.step();
        state.edges - usize::from(!state.ready.is_empty())
    }

    /// Returns whether the queue's descriptor is readable.
    pub fn is_readable(&self) -> bool {
        !self.without_step().ready.is_empty()
    }

    /// Blocks like an outer event loop until the queue's descriptor is readable.
    pub fn wait_until_readable(&self) {
        self.block_until("the descriptor does not become readable", |state| !state.ready.is_empty());
    }

    /// Blocks like an edge-triggered outer loop until the queue's descriptor becomes readable again.
    pub fn wait_for_edge(&self, seen: &mut usize) {
        self.block_until("the descriptor shows no new edge", |state| {
            let has_new_edge = state.edges > *seen;
            *seen = state.edges;
            has_new_edge
        });
    }

    fn block_until(&self, lost: &str, mut done: impl FnMut(&State) -> bool) {
        for _ in 0..MAX_CHECKS {
            if done(&self.step()) {
                return;
            }
            loom::thread::yield_now();
        }
        panic!("a wake is lost: {lost}");
    }
}

impl State {
    /// Moves ready events to `events`, up to the capacity. Returns whether there was a notification.
    fn take(&mut self, events: &mut Vec<Event>) -> bool {
        let mut notified = false;
        if !self.kind.takes_a_slot {
            notified = self.ready.contains(&Ready::Notification);
            self.ready.retain(|ready| *ready != Ready::Notification);
        }
        let slots = events.capacity() - events.len();
        for _ in 0..slots.min(self.ready.len()) {
            match self.ready.pop_front() {
                Some(Ready::Source(raw)) => {
                    let source = &self.sources[&raw];
                    events.push(Event(RawEvent { token: source.token, kernel: true }));
                    // In level mode, the source is reported again, after all others.
                    if source.interest.is_level() && source.ready {
                        self.ready.push_back(Ready::Source(raw));
                    }
                }
                Some(Ready::Notification) => notified = true,
                None => {}
            }
        }
        notified
    }
}

pub(crate) struct Selector {
    /// An `Arc` of std: loom need not check the kernel's memory.
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

    /// Keeps `kept` events and appends ready ones.
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        events.list.truncate(kept);
        if events.list.capacity() == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let kept = events.list.len();
        let begin = Instant::now();
        self.kernel.without_step().waits += 1;
        for _ in 0..MAX_CHECKS {
            let mut state = self.kernel.step();
            state.blocked = false;
            if mem::take(&mut state.unwinding_wait) {
                drop(state);
                // Unwinds like a panic, but without a message on stderr.
                std::panic::resume_unwind(Box::new("the wait unwinds"));
            }
            if state.failing_waits > 0 {
                state.failing_waits -= 1;
                return Err(io::ErrorKind::Interrupted.into());
            }
            // The signal comes first, so ready events are left for the next wait.
            if mem::take(&mut state.signalled) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let notified = state.take(&mut events.list);
            if notified && events.list.len() == kept && events.list.capacity() == kept + 1 {
                // The notification took the only slot.
                state.take(&mut events.list);
            }
            let is_over = timeout.map_or(false, |timeout| timeout <= SHORT);
            if notified || events.list.len() > kept || is_over {
                pass(begin, timeout);
                return Ok(notified);
            }
            state.blocked = true;
            drop(state);
            loom::thread::yield_now();
        }
        panic!("a wake is lost: the polling thread blocks without end");
    }
}

/// Lets a short timeout pass in real time too. Otherwise the next step would depend on the clock, and loom could not
/// repeat it.
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
