//! An actor: its tokens, and the events that were reported for them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use minimio::{Interest, Registry};

use crate::run::{Delivery, Run};
use crate::support::random::Random;
use crate::support::WAIT_LIMIT;
use crate::ACTORS;

pub struct Actor {
    pub run: Arc<Run>,
    pub registry: Registry,
    pub random: Random,
    index: usize,
    token_count: usize,
    /// The tokens of registered sources.
    registered: HashSet<usize>,
    /// The tokens of deregistered sources: the last poll that may report each of them, and when it was deregistered.
    deregistered: HashMap<usize, (u64, Instant)>,
    /// How many connections were made.
    pub connections: u32,
}

impl Actor {
    pub fn new(run: Arc<Run>, registry: Registry, index: usize) -> Actor {
        let random = Random::new(run.seed, 1000 + index as u64);
        let (registered, deregistered) = (HashSet::new(), HashMap::new());
        Actor { run, registry, random, index, token_count: 0, registered, deregistered, connections: 0 }
    }

    /// Returns a token that was never used, for a source that is about to be registered.
    pub fn new_token(&mut self) -> usize {
        self.token_count += 1;
        let token = self.token_count * ACTORS.len() + self.index;
        self.registered.insert(token);
        token
    }

    /// Records that the source of this token has just been deregistered or dropped.
    pub fn record_deregistered(&mut self, token: usize) {
        self.registered.remove(&token);
        self.deregistered.insert(token, (self.run.last_poll(), Instant::now()));
        if self.deregistered.len() % 65_536 == 0 {
            // The polling thread delivers the events of a poll within `WAIT_LIMIT`, so older records are not needed.
            self.deregistered.retain(|_, (_, at)| at.elapsed() < WAIT_LIMIT);
        }
    }

    /// Records that a token must not be reported at all, not even by a poll that began before.
    pub fn record_never_reported(&mut self, token: usize) {
        self.registered.remove(&token);
    }

    /// Takes the events that have arrived. If there is none, waits for one until `deadline`.
    pub fn take_deliveries(&mut self, deadline: Instant) -> Vec<Delivery> {
        let mailbox = &self.run.mailboxes[self.index];
        let mut queue = mailbox.deliveries.lock().unwrap();
        while queue.is_empty() {
            self.run.check_polling();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue = mailbox.arrived.wait_timeout(queue, left).unwrap().0;
        }
        let deliveries = std::mem::take(&mut *queue);
        drop(queue);
        for delivery in &deliveries {
            let last = self.deregistered.get(&delivery.token).map(|(last, _)| *last);
            let is_expected =
                self.registered.contains(&delivery.token) || last.map_or(false, |last| delivery.poll <= last);
            self.run.check(is_expected, || {
                format!("{delivery:?}, but its token was deregistered when poll {last:?} was the last to have begun")
            });
        }
        deliveries
    }

    /// Waits until an event of `token` satisfies `wanted`. Events of other tokens are ignored.
    pub fn wait_for(&mut self, token: usize, failure: &str, wanted: impl Fn(&Delivery) -> bool) {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            let deliveries = self.take_deliveries(deadline);
            if deliveries.iter().any(|delivery| delivery.token == token && wanted(delivery)) {
                return;
            }
            self.run
                .check(Instant::now() < deadline, || format!("{failure}: no event of {token} within {WAIT_LIMIT:?}"));
        }
    }

    /// Returns whether the actor may make one more connection. The system keeps the port of a closed connection for a
    /// minute or more, and ports are few.
    pub fn may_connect(&mut self) -> bool {
        let allowed = 10 + self.run.begin.elapsed().as_millis() / 50;
        let may = u128::from(self.connections) < allowed;
        self.connections += u32::from(may);
        may
    }

    pub fn random_mode(&mut self, readiness: Interest) -> Interest {
        match self.random.below(3) {
            0 => readiness.edge(),
            1 => readiness.level(),
            _ => readiness.oneshot(),
        }
    }
}
