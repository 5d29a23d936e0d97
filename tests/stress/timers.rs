//! An actor that sets, cancels, registers and drops timers.

use std::time::{Duration, Instant};

use minimio::{Interest, Timer, Token};

use crate::actor::Actor;
use crate::run::{Delivery, Run};
use crate::support::WAIT_LIMIT;

/// A timer, its schedule, and the events since it was set.
struct TestTimer {
    timer: Timer,
    /// The token that the timer is registered with.
    token: Option<usize>,
    /// All tokens that the timer has had since it was set.
    tokens: Vec<usize>,
    schedule: Schedule,
    /// The last poll that may have reported an event of the previous schedule.
    last_previous_poll: u64,
    /// An event has arrived that may belong to this schedule or to the previous one.
    is_ambiguous: bool,
    /// The number of events that belong to this schedule.
    events: u64,
}

#[derive(Clone, Copy, Debug)]
enum Schedule {
    Never,
    At(Instant),
    Every(Duration, Instant),
}

impl TestTimer {
    fn new() -> TestTimer {
        TestTimer {
            timer: Timer::new(),
            token: None,
            tokens: Vec::new(),
            schedule: Schedule::Never,
            last_previous_poll: 0,
            is_ambiguous: false,
            events: 0,
        }
    }

    fn set(&mut self, actor: &mut Actor) {
        let now = Instant::now();
        match actor.random.below(8) {
            0..=2 => {
                let delay = actor.random.delay();
                self.timer.set(delay).unwrap();
                self.record_schedule(actor, Schedule::At(now + delay));
            }
            3 | 4 => {
                let deadline = now + actor.random.delay();
                self.timer.set_at(deadline).unwrap();
                self.record_schedule(actor, Schedule::At(deadline));
            }
            5 => {
                let period = Duration::from_micros(100) + actor.random.micros(2000);
                self.timer.set_every(period).unwrap();
                self.record_schedule(actor, Schedule::Every(period, now));
            }
            6 => {
                self.timer.set(Duration::from_secs(3600)).unwrap();
                self.record_schedule(actor, Schedule::Never);
            }
            _ => self.cancel(actor),
        }
    }

    fn cancel(&mut self, actor: &Actor) {
        self.timer.cancel();
        self.record_schedule(actor, Schedule::Never);
    }

    /// Records the schedule that the timer has just been set to.
    fn record_schedule(&mut self, actor: &Actor, schedule: Schedule) {
        self.schedule = schedule;
        self.last_previous_poll = actor.run.last_poll();
        // An event with a token that was deregistered before now does not belong to this schedule.
        self.tokens.clear();
        self.tokens.extend(self.token);
        self.is_ambiguous = false;
        self.events = 0;
    }

    fn check_event(&mut self, run: &Run, delivery: &Delivery) {
        if delivery.poll <= self.last_previous_poll {
            self.is_ambiguous = true;
            return;
        }
        self.events += 1;
        let count = u32::try_from(self.events).unwrap();
        let is_expected = match self.schedule {
            Schedule::Never => false,
            Schedule::At(deadline) => delivery.at >= deadline && self.events == 1,
            Schedule::Every(period, begin) => delivery.at - begin >= period * count,
        };
        run.check(is_expected, || {
            format!(
                "{delivery:?} is event {count} of a timer that was set to {:?} at poll {}",
                self.schedule, self.last_previous_poll
            )
        });
    }

    /// Returns whether an event must still arrive.
    fn must_report(&self) -> bool {
        match self.schedule {
            Schedule::Never => false,
            Schedule::At(_) => self.events == 0 && !self.is_ambiguous,
            Schedule::Every(..) => self.events < 3,
        }
    }

    fn register(&mut self, actor: &mut Actor) {
        let token = actor.new_token();
        actor.registry.register(&mut self.timer, Token(token), Interest::READABLE).unwrap();
        self.record_token(actor, Some(token));
    }

    /// Records that the timer is now registered with this token, or with none.
    fn record_token(&mut self, actor: &mut Actor, token: Option<usize>) {
        if let Some(old) = std::mem::replace(&mut self.token, token) {
            actor.record_deregistered(old);
        }
        self.tokens.extend(token);
    }
}

struct TestTimers {
    list: Vec<TestTimer>,
    events: u64,
}

impl TestTimers {
    /// Checks the events that have arrived. If there is none, waits for one until `deadline`.
    fn check_events(&mut self, actor: &mut Actor, deadline: Instant) {
        for delivery in actor.take_deliveries(deadline) {
            // If the timer with this token was dropped, no timer of the list has the token.
            if let Some(timer) = self.list.iter_mut().find(|timer| timer.tokens.contains(&delivery.token)) {
                timer.check_event(&actor.run, &delivery);
                self.events += 1;
            }
        }
    }

    /// Waits for the events that timer `n` must report.
    fn wait(&mut self, actor: &mut Actor, n: usize) {
        let deadline = Instant::now() + WAIT_LIMIT;
        while self.list[n].must_report() {
            let schedule = self.list[n].schedule;
            actor.run.check(Instant::now() < deadline, || {
                format!("a timer set to {schedule:?} was not reported within {WAIT_LIMIT:?}")
            });
            self.check_events(actor, deadline);
        }
    }
}

pub fn timers(actor: &mut Actor) {
    let mut timers = TestTimers { list: (0..8).map(|_| TestTimer::new()).collect(), events: 0 };
    while !actor.run.is_over() {
        let n = actor.random.below(timers.list.len() as u64) as usize;
        let timer = &mut timers.list[n];
        match (actor.random.below(12), timer.token) {
            (0..=4, _) => timer.set(actor),
            (5, Some(_)) => {
                let token = actor.new_token();
                actor.registry.reregister(&mut timer.timer, Token(token), Interest::READABLE).unwrap();
                timer.record_token(actor, Some(token));
            }
            (6, Some(_)) => {
                actor.registry.deregister(&mut timer.timer).unwrap();
                timer.record_token(actor, None);
            }
            (7, _) => {
                // The old timer is dropped while it is set and registered.
                let old = std::mem::replace(timer, TestTimer::new());
                drop(old.timer);
                old.token.into_iter().for_each(|token| actor.record_deregistered(token));
            }
            (8, Some(_)) => timers.wait(actor, n),
            (9 | 10, Some(_)) => {
                // Only one timer is set, so no other timer ends the polling thread's wait.
                timers.list.iter_mut().for_each(|timer| timer.cancel(actor));
                actor.random.spin();
                timers.list[n].set(actor);
                timers.wait(actor, n);
            }
            (_, None) => timer.register(actor),
            (_, Some(_)) => {}
        }
        timers.check_events(actor, Instant::now());
    }
    // Timers that are set at the end of the run must still be reported.
    for n in 0..timers.list.len() {
        if timers.list[n].token.is_none() {
            timers.list[n].register(actor);
        }
        timers.wait(actor, n);
    }
    actor.run.add("timer events", timers.events);
}
