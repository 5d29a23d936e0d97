//! The work, and what it has cost.

use std::time::{Duration, Instant};

use crate::calls::{self, Calls};
use crate::counting;

/// The same work for both, since the names are the same.
mod ours {
    use minimio as library;
    include!("work.rs");
}

mod mios {
    use mio as library;
    include!("work.rs");
}

/// What it is called, a message or what else is counted, how many of these, and the work, which returns the events.
type Scenario = (&'static str, usize, [fn(usize) -> usize; 2]);

const SCENARIOS: [Scenario; 8] = [
    ("echo, drained", 2000, [ours::drained, mios::drained]),
    ("echo, one read an event", 2000, [ours::one_read, mios::one_read]),
    ("echo, both directions", 2000, [ours::both_directions, mios::both_directions]),
    ("echo, read elsewhere", 2000, [ours::read_elsewhere, mios::read_elsewhere]),
    ("64 at once", 2560, [ours::batch, mios::batch]),
    ("udp", 2000, [ours::udp, mios::udp]),
    ("accept", 500, [ours::accept, mios::accept]),
    ("register, deregister", 2000, [ours::register, mios::register]),
];

/// What a run has cost.
#[derive(Clone, Copy)]
struct Cost {
    calls: Calls,
    events: usize,
    allocations: usize,
    time: Duration,
}

fn run(work: fn(usize) -> usize, count: usize) -> Cost {
    let (calls, allocations, start) = (Calls::now(), counting::allocations(), Instant::now());
    let events = work(count);
    let time = start.elapsed();
    Cost { calls: Calls::now() - calls, events, allocations: counting::allocations() - allocations, time }
}

pub fn print() {
    calls::intercept();
    // Whoever comes first pays for what is done once.
    for (_, _, works) in SCENARIOS {
        for work in works {
            run(work, 64);
        }
    }
    println!(
        "{:26}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "", "submits", "cancels", "waits", "events", "allocs", "time"
    );
    for (name, count, works) in SCENARIOS {
        // Of nine runs, the fastest, turn by turn.
        let mut best = [None::<Cost>; 2];
        for _ in 0..9 {
            for (best, work) in best.iter_mut().zip(works) {
                let cost = run(work, count);
                if best.is_none_or(|best| cost.time < best.time) {
                    *best = Some(cost);
                }
            }
        }
        let [ours, mios] = best.map(Option::unwrap);
        for (library, cost) in [("minimio", ours), ("mio", mios)] {
            let each = |number: usize| number as f64 / count as f64;
            println!(
                "{:26}{library:>9}{:9.3}{:9.3}{:9.3}{:9.3}{:9.3}{:9.3}",
                if library == "mio" { "" } else { name },
                each(cost.calls.submits),
                each(cost.calls.cancels),
                each(cost.calls.waits),
                each(cost.events),
                each(cost.allocations),
                cost.time.as_secs_f64() / mios.time.as_secs_f64(),
            );
        }
    }
}
