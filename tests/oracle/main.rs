//! Random sequences of operations through the public API, and a model that states after each poll what the poll must,
//! may and must not report. The model knows the readiness of the sources from `poll(2)` (on Windows `WSAPoll`), and the
//! time from the clock.
//!
//! `ORACLE_STEPS` is the number of operations (without it: as many as fit into `DEFAULT_TIME`), and `ORACLE_SEED`
//! replaces the seed. Millions of steps:
//!
//! ```sh
//! ORACLE_STEPS=10000000 cargo test --release --test oracle -- --nocapture
//! ```
//!
//! If a sequence violates a rule, the test removes operations from the sequence as long as the rest still violates the
//! rule, and prints the rule, the rest, and the seed of the whole sequence.

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod operation;
mod rules;
mod source;
mod timer;
mod world;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use operation::{random_operations, Operation};
use rules::{Checked, Violation};
use support::pair::KINDS;
use support::random::Random;
use world::World;

const SEED: u64 = 20_200_229;
const DEFAULT_TIME: Duration = Duration::from_millis(1500);
/// Each sequence has its own poll. A longer one reaches more states, and takes longer to shrink.
const SEQUENCE_LEN: usize = 200;
/// How long the test tries to shrink a sequence.
const SHRINK_TIME: Duration = Duration::from_secs(20);

#[test]
fn every_poll_reports_what_the_model_requires() {
    let steps: Option<usize> = parameter("ORACLE_STEPS");
    let seed = parameter("ORACLE_SEED").unwrap_or(SEED);
    let begin = Instant::now();
    let (mut done, mut polls, mut events) = (0, 0, 0);
    while steps.map_or(begin.elapsed() < DEFAULT_TIME, |steps| done < steps) {
        // The first sequence has the seed itself, so the seed of a sequence that failed repeats it.
        let seed = seed.wrapping_add((done / SEQUENCE_LEN) as u64);
        let count = steps.map_or(SEQUENCE_LEN, |steps| SEQUENCE_LEN.min(steps - done));
        // (The generator ignores the lowest bit of a seed.)
        let operations = random_operations(&mut Random::new(seed << 1, 0), count, KINDS);
        let mut world = World::new(false);
        if let Err(violation) = run(&mut world, &operations) {
            fail(&operations, &violation, seed);
        }
        done += count;
        polls += world.polls;
        events += world.events;
    }
    let time = begin.elapsed();
    println!("{done} steps with {polls} polls and {events} events in {time:?}, from ORACLE_SEED={seed}");
}

fn parameter<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Runs a sequence. A panic counts as a violation.
fn run(world: &mut World, operations: &[Operation]) -> Checked {
    let run = AssertUnwindSafe(|| operations.iter().try_for_each(|operation| world.run(*operation)));
    panic::catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(Violation { rule: "nothing panics", detail: text.unwrap_or_default() })
    })
}

fn fail(operations: &[Operation], violation: &Violation, seed: u64) -> ! {
    println!("{violation}\n  ORACLE_SEED={seed} ORACLE_STEPS={}; the sequence is being shrunk", operations.len());
    let end = Instant::now() + SHRINK_TIME;
    let violates = |operations: &[Operation]| {
        // A violation that depends on the time may need several attempts.
        (0..3).any(|_| matches!(run(&mut World::new(false), operations), Err(other) if other.rule == violation.rule))
    };
    let shrunk = shrink(operations.to_vec(), |operations| Instant::now() < end && violates(operations));
    let mut world = World::new(true);
    let last = (0..5).find_map(|_| {
        world = World::new(true);
        run(&mut world, &shrunk).err()
    });
    let trace = world.trace.unwrap_or_default();
    let last = last.map_or_else(|| "the shrunk sequence fails rarely".to_string(), |violation| violation.to_string());
    panic!("{last}\n  shrunk from ORACLE_SEED={seed}:\n    {}\n  {shrunk:?}", trace.join("\n    "));
}

/// Removes parts of a sequence as long as the rest still fails: first halves, then ever smaller parts, at last pairs.
fn shrink<T: Clone>(mut list: Vec<T>, fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut len = list.len() / 2;
    while len > 0 {
        let mut start = 0;
        while start < list.len() {
            let mut rest = list.clone();
            rest.drain(start..list.len().min(start + len));
            if fails(&rest) {
                list = rest;
            } else {
                start += len;
            }
        }
        len /= 2;
    }
    // For example, to remove only the step that opens a source, or only the one that closes it, could change others.
    let without = |list: &[T], first: usize, second: usize| -> Vec<T> {
        let rest = list.iter().enumerate().filter(|(index, _)| *index != first && *index != second);
        rest.map(|(_, element)| element.clone()).collect()
    };
    'again: loop {
        for first in 0..list.len() {
            for second in first..list.len() {
                let rest = without(&list, first, second);
                if fails(&rest) {
                    list = rest;
                    continue 'again;
                }
            }
        }
        return list;
    }
}

#[test]
fn a_sequence_is_shrunk_to_the_operations_that_fail_together() {
    let fails = |list: &[i32]| list.contains(&17) && list.contains(&80) && list.contains(&30) == list.contains(&60);
    assert_eq!(shrink((0..100).collect(), fails), [17, 80]);
}
