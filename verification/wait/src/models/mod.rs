//! The models: small programs. Loom runs each once for every order in which its threads can take their steps, and for
//! every value that a load may see. Their assertions hold in all executions.

mod capacity;
mod exposed;
mod failure;
mod hints;
mod lifetime;
mod timer;
mod wake;

use std::cell::Cell as Counter;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::cell::Cell;
use loom::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Relaxed, Release},
};
use loom::thread::{self, JoinHandle};

use crate::queue::{Kernel, KernelKind, SHORT};
use crate::{Events, Interest, Poll, Timer, Token, Waker};

/// Every interleaving.
const ALL: Option<usize> = None;
/// Interleavings with at most four preemptions (stops of a thread that could continue): enough for two threads beside
/// the polling thread.
const FOUR: Option<usize> = Some(4);
/// At most three preemptions.
const THREE: Option<usize> = Some(3);
/// At most two preemptions, for three threads beside the polling thread.
const TWO: Option<usize> = Some(2);
/// At most one preemption: enough to stop a thread between any two of its steps.
const ONE: Option<usize> = Some(1);

/// Runs `model` in all interleavings with at most `preemptions` preemptions (`None`: in all). The environment variable
/// `PREEMPTIONS=4`, or `PREEMPTIONS=all`, replaces the bound of models that have one.
fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let preemptions = preemptions.and_then(|bound| match std::env::var("PREEMPTIONS") {
        Ok(wanted) if wanted == "all" => None,
        Ok(wanted) => Some(wanted.parse().expect("PREEMPTIONS is a number or `all`")),
        Err(_) => Some(bound),
    });
    let executions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&executions);
    let begin = Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let count = executions.load(Ordering::Relaxed);
    let bound = preemptions.map_or("all".to_string(), |bound| format!("{bound} preemptions"));
    let name = thread_name();
    eprintln!("{count:>9} executions ({bound}), {:.1} s: {name}", begin.elapsed().as_secs_f64());
}

/// As `explore`, with a poll whose events have four slots.
fn with_loop(preemptions: Option<usize>, model: impl Fn(Loop) + Send + Sync + 'static) {
    explore(preemptions, move || model(Loop::new(4)));
}

fn thread_name() -> String {
    std::thread::current().name().unwrap_or("?").trim_start_matches("models::").to_string()
}

/// A poll, its events, and its kernel.
struct Loop {
    poll: Poll,
    events: Events,
    kernel: Arc<Kernel>,
}

const NO_LIMIT: Option<Duration> = None;
const NON_BLOCKING: Option<Duration> = Some(Duration::ZERO);
const BRIEFLY: Option<Duration> = Some(SHORT);

impl Loop {
    fn new(capacity: usize) -> Loop {
        let poll = Poll::new().unwrap();
        let kernel = poll.registry().selector().kernel();
        Loop { poll, events: Events::with_capacity(capacity), kernel }
    }

    /// Polls once, and returns the tokens.
    fn poll(&mut self, timeout: Option<Duration>) -> Vec<usize> {
        self.try_poll(timeout).unwrap()
    }

    fn try_poll(&mut self, timeout: Option<Duration>) -> io::Result<Vec<usize>> {
        let result = self.poll.poll(&mut self.events, timeout);
        let tokens = self.tokens();
        match result {
            Ok(()) => assert!(!tokens.is_empty() || timeout.is_some(), "Ok without events before the timeout"),
            Err(_) => assert!(tokens.is_empty(), "an error with events"),
        }
        result.map(|()| tokens)
    }

    fn tokens(&self) -> Vec<usize> {
        self.events.iter().map(|event| event.token().0).collect()
    }

    /// Polls, and polls again after `Interrupted`.
    fn poll_uninterrupted(&mut self, timeout: Option<Duration>) -> Vec<usize> {
        match self.try_poll(timeout) {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => self.poll(timeout),
            result => result.unwrap(),
        }
    }

    fn waker(&self, token: usize) -> Waker {
        Waker::new(self.poll.registry(), Token(token)).unwrap()
    }

    fn timer(&self, token: usize) -> Timer {
        let mut timer = Timer::new();
        self.poll.registry().register(&mut timer, Token(token), Interest::READABLE).unwrap();
        timer
    }
}

/// A value that one thread writes before it wakes the other. It is not an atomic, so loom fails unless the write
/// happens before the read.
#[derive(Clone, Default)]
struct PlainCell(Rc<Cell<bool>>);

impl PlainCell {
    fn write(&self) {
        self.0.set(true);
    }

    fn is_written(&self) -> bool {
        self.0.get()
    }
}

/// Starts a thread that writes a cell and wakes. The thread returns its waker, so that the waker is not dropped before
/// the thread is joined.
fn write_and_wake(waker: Waker, cell: &PlainCell) -> JoinHandle<Waker> {
    let cell = cell.clone();
    thread::spawn(move || {
        cell.write();
        waker.wake().unwrap();
        waker
    })
}

/// Starts a thread that sets a timer. The thread returns the timer, so that the timer is not dropped before the thread
/// is joined.
fn set_in_thread(timer: Timer, deadline: Instant) -> JoinHandle<Timer> {
    thread::spawn(move || {
        timer.set_at(deadline).unwrap();
        timer
    })
}

/// `N` wakers with the tokens from 0 on, each in a thread of its own.
struct WakingThreads<const N: usize> {
    cells: [PlainCell; N],
    threads: Vec<JoinHandle<Waker>>,
    seen: [bool; N],
}

impl<const N: usize> WakingThreads<N> {
    fn new(l: &Loop) -> WakingThreads<N> {
        let cells: [PlainCell; N] = std::array::from_fn(|_| PlainCell::default());
        let threads = cells.iter().enumerate().map(|(n, cell)| write_and_wake(l.waker(n), cell)).collect();
        WakingThreads { cells, threads, seen: [false; N] }
    }

    /// Checks a batch: no waker is reported twice, or before its cell was written.
    fn check_batch(&mut self, tokens: &[usize]) {
        for &token in tokens.iter().filter(|&&token| token < N) {
            assert!(!self.seen[token], "waker {token} is reported twice");
            assert!(self.cells[token].is_written());
            self.seen[token] = true;
        }
    }

    fn all_seen(&self) -> bool {
        self.seen == [true; N]
    }

    fn join(&mut self) -> Vec<Waker> {
        self.threads.drain(..).map(|thread| thread.join().unwrap()).collect()
    }

    /// Checks that every waker was reported and no event is left.
    fn end(mut self, l: &mut Loop) {
        assert!(self.all_seen(), "a wake is lost: {:?}", self.seen);
        let _wakers = self.join();
        assert_eq!(l.poll(NON_BLOCKING), [], "an event without a wake");
    }
}

/// A waker with the token 0, which was woken once, and a thread that stores a value and wakes it again.
struct SecondWake {
    stored: Rc<AtomicBool>,
    thread: JoinHandle<Waker>,
}

impl SecondWake {
    fn new(l: &Loop) -> SecondWake {
        let waker = l.waker(0);
        waker.wake().unwrap();
        let stored = Rc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stored = Rc::clone(&stored);
            move || {
                stored.store(true, Relaxed);
                waker.wake().unwrap();
                waker
            }
        });
        SecondWake { stored, thread }
    }

    /// Checks that a batch contains the waker at most once. Returns whether it does after the value was stored.
    fn is_reported_by(&self, tokens: &[usize]) -> bool {
        let reports = tokens.iter().filter(|&&token| token == 0).count();
        assert!(reports <= 1, "one waker twice in a batch: {tokens:?}");
        reports == 1 && self.stored.load(Relaxed)
    }

    fn join(self) -> Waker {
        self.thread.join().unwrap()
    }
}

/// Counts polls, up to a limit that no correct execution exceeds.
#[derive(Default)]
struct PollLimit(Counter<usize>);

impl PollLimit {
    fn check(&self, limit: usize) {
        self.0.set(self.0.get() + 1);
        assert!(self.0.get() <= limit, "not within {limit} polls");
    }
}
