//! The cost of the same work in a bare epoll loop, minimio, mio and polling. Prints a table for each measure;
//! `README.md` explains the tables.
//!
//!     cargo run --release                                   all tables
//!     cargo run --release -- --quick                        the same, with few rounds of timing
//!     cargo run --release -- minimio ping-pong 1000         only the work, to run under a tool

mod counting;
mod libraries;
mod measure;
mod scenarios;
mod table;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use libraries::{Bare, Minimio, Mio, Polling};
use measure::{Result, Rounds};
use scenarios::{scenarios, Scenario};

/// A scenario of one library.
pub struct Subject {
    library: &'static str,
    scenario: Scenario,
}

impl Subject {
    /// Does the work. If it takes longer than `SECONDS`, the signal of `alarm` ends the program, which then fails.
    fn run(&self, count: usize) -> Duration {
        const SECONDS: u32 = 60;
        // SAFETY: `alarm` takes no pointer, and this program has no handler for its signal.
        unsafe { libc::alarm(SECONDS) };
        let time = (self.scenario.run)(count);
        // SAFETY: as above. Zero cancels the alarm.
        unsafe { libc::alarm(0) };
        time
    }
}

/// Returns each scenario for all libraries.
fn subjects() -> Vec<[Subject; 4]> {
    let subject = |library| move |scenario| Subject { library, scenario };
    let bare = scenarios::<Bare>().map(subject("bare"));
    let minimio = scenarios::<Minimio>().map(subject("minimio"));
    let mio = scenarios::<Mio>().map(subject("mio"));
    let polling = scenarios::<Polling>().map(subject("polling"));
    let libraries = bare.into_iter().zip(minimio).zip(mio).zip(polling);
    libraries.map(|(((bare, minimio), mio), polling)| [bare, minimio, mio, polling]).collect()
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => all(Rounds(101)),
        ["--quick"] => all(Rounds(5)),
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

fn all(rounds: Rounds) -> Result<()> {
    measure::find_tools()?;
    let mut rows = Vec::new();
    for subjects in subjects() {
        eprintln!("{}", subjects[0].scenario.name);
        rows.push((measure::measure(&subjects, rounds)?, subjects));
    }
    table::print(&rows, rounds)
}

fn work(library: &str, scenario: &str, count: &str) -> Result<()> {
    let count = count.parse()?;
    let wanted = |subject: &Subject| subject.library == library && subject.scenario.name == scenario;
    let subject = subjects().into_iter().flatten().find(wanted).ok_or(format!("no {scenario} of {library}"))?;
    subject.run(count);
    Ok(())
}
