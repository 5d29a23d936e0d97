//! The state that all threads of one run share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::wakers::WakeCounts;
use crate::{ACTORS, WAKING_THREADS};

pub struct Run {
    pub seed: u64,
    pub begin: Instant,
    runs_for: Duration,
    /// How many polls have begun.
    pub polls: AtomicUsize,
    /// Set when the polling thread ends, so that no other thread waits for its events.
    pub polling_has_ended: AtomicBool,
    /// One for each waking thread.
    pub wake_counts: Vec<WakeCounts>,
    /// One for each actor.
    pub mailboxes: Vec<Mailbox>,
    /// How often each action was done, by the action's name.
    totals: Mutex<HashMap<&'static str, u64>>,
}

impl Run {
    pub fn new(seed: u64, runs_for: Duration) -> Run {
        Run {
            seed,
            begin: Instant::now(),
            runs_for,
            polls: AtomicUsize::new(0),
            polling_has_ended: AtomicBool::new(false),
            wake_counts: (0..WAKING_THREADS).map(|_| WakeCounts::default()).collect(),
            mailboxes: ACTORS.iter().map(|_| Mailbox::default()).collect(),
            totals: Mutex::default(),
        }
    }

    pub fn is_over(&self) -> bool {
        self.begin.elapsed() >= self.runs_for || self.polling_has_ended.load(Ordering::Relaxed)
    }

    /// Returns the number of the poll that began last. A token that was deregistered before this call is not reported
    /// by any later poll.
    pub fn last_poll(&self) -> u64 {
        // A read-modify-write reads the newest value; a load could read an older one.
        self.polls.fetch_add(0, Ordering::SeqCst) as u64
    }

    #[track_caller]
    pub fn check(&self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.fail(&message());
        }
    }

    #[track_caller]
    pub fn fail(&self, message: &str) -> ! {
        let after = self.begin.elapsed();
        panic!("{message} (after {after:?}, MINIMIO_STRESS_SEED={})", self.seed);
    }

    pub fn check_polling(&self) {
        self.check(!self.polling_has_ended.load(Ordering::Relaxed), || "the polling thread has ended".into());
    }

    pub fn add(&self, action: &'static str, count: u64) {
        *self.totals.lock().unwrap().entry(action).or_default() += count;
    }

    pub fn summary(&self) -> String {
        let mut totals: Vec<_> = self.totals.lock().unwrap().iter().map(|(&action, &count)| (action, count)).collect();
        totals.sort_unstable();
        let totals: Vec<_> = totals.iter().map(|(action, count)| format!("{count} {action}")).collect();
        totals.join(", ")
    }
}

/// An event that the polling thread passes to an actor.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    pub token: usize,
    /// The number of the poll that reported the event.
    pub poll: u64,
    /// When that poll returned.
    pub at: Instant,
    pub readable: bool,
    pub writable: bool,
}

/// The queue from which an actor takes its events.
#[derive(Default)]
pub struct Mailbox {
    pub deliveries: Mutex<Vec<Delivery>>,
    pub arrived: Condvar,
}

impl Mailbox {
    pub fn deliver(&self, delivery: Delivery) {
        self.deliveries.lock().unwrap().push(delivery);
        self.arrived.notify_one();
    }
}
