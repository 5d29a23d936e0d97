//! The cost of the same work in a bare epoll loop, minimio, mio and polling. Prints a table for each measure;
//! `README.md` explains the tables.
//!
//!     cargo run --release                                   all tables
//!     cargo run --release -- --quick                        the same, with fewer timings, and at most 1,000 objects
//!     cargo run --release -- minimio ping-pong 1000         only the work, to run under a tool

mod counting;
mod descriptors;
mod libraries;
mod measure;
mod scenarios;
mod table;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use libraries::{Bare, Minimio, Mio, Polling};
use measure::Result;
use scenarios::{scenarios, Scenario};

/// A scenario of one library.
pub struct Subject {
    library: &'static str,
    scenario: Scenario,
}

impl Subject {
    fn is_possible(&self) -> bool {
        self.scenario.run.is_some()
    }

    /// Does the work. If it takes longer than `SECONDS`, the signal of `alarm` ends the program, which then fails.
    fn run(&self, count: usize) -> Duration {
        const SECONDS: u32 = 300;
        let run = self.scenario.run.as_ref().expect("a possible scenario");
        // SAFETY: `alarm` takes no pointer, and this program has no handler for its signal.
        unsafe { libc::alarm(SECONDS) };
        let time = run(count);
        // SAFETY: as above. Zero cancels the alarm.
        unsafe { libc::alarm(0) };
        time
    }
}

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Extent {
    /// How many times a scenario is timed.
    rounds: usize,
    /// The size of the largest scenario.
    most: usize,
    /// How many descriptors the scenarios, this program and valgrind need.
    descriptors: u64,
}

const FULL: Extent = Extent { rounds: 101, most: usize::MAX, descriptors: 19_050 };
const QUICK: Extent = Extent { rounds: 5, most: 1_000, descriptors: 3_050 };

/// Returns each scenario for all libraries.
fn subjects(extent: Extent) -> Vec<[Subject; 4]> {
    let subject = |library| move |scenario| Subject { library, scenario };
    let bare = scenarios::<Bare>(extent.most).into_iter().map(subject("bare"));
    let minimio = scenarios::<Minimio>(extent.most).into_iter().map(subject("minimio"));
    let mio = scenarios::<Mio>(extent.most).into_iter().map(subject("mio"));
    let polling = scenarios::<Polling>(extent.most).into_iter().map(subject("polling"));
    let libraries = bare.zip(minimio).zip(mio).zip(polling);
    libraries.map(|(((bare, minimio), mio), polling)| [bare, minimio, mio, polling]).collect()
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => all(FULL),
        ["--quick"] => all(QUICK),
        ["--count"] => count_all(FULL),
        ["--count", "--quick"] => count_all(QUICK),
        [library, scenario, count] => work(library, scenario, count),
        _ => Err("usage: compare [--quick | <library> <scenario> <count>]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("compare: {err}");
            ExitCode::FAILURE
        }
    }
}

fn all(extent: Extent) -> Result<()> {
    descriptors::raise_limit(extent.descriptors)?;
    measure::find_tools()?;
    let subjects = subjects(extent);
    let mut instructions = measure::instructions(&subjects, extent)?.into_iter();
    let mut rows = Vec::new();
    for subjects in subjects {
        eprintln!("{}", subjects[0].scenario.name);
        rows.push((measure::measure(&subjects, &mut instructions, extent)?, subjects));
    }
    table::print(&rows, extent)
}

/// Does the work under callgrind.
fn count_all(extent: Extent) -> Result<()> {
    descriptors::raise_limit(0)?;
    measure::run_counted(&subjects(extent))
}

fn work(library: &str, scenario: &str, count: &str) -> Result<()> {
    descriptors::raise_limit(0)?;
    let count = count.parse()?;
    let wanted = |subject: &Subject| subject.library == library && subject.scenario.name == scenario;
    let subject = subjects(FULL).into_iter().flatten().find(|subject| wanted(subject) && subject.is_possible());
    subject.ok_or(format!("no {scenario} of {library}"))?.run(count);
    Ok(())
}
