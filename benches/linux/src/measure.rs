//! What a scenario costs, in four measures. Whatever is counted is the difference of two runs, one twice as long as the
//! other, so that what comes before and after the work cancels out.

use std::env;
use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::counting;
use crate::scenarios::Kind;
use crate::Subject;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How often a scenario is timed.
#[derive(Clone, Copy)]
pub struct Rounds(pub usize);

/// What one operation costs.
pub struct Cost {
    pub instructions: Option<f64>,
    pub system_calls: f64,
    pub allocations: f64,
    /// Of each round.
    pub times: Vec<Duration>,
}

/// Measures the same scenario of several libraries. The times are taken in turn, so that a machine that is busy with
/// something else disturbs all alike.
pub fn measure(subjects: &[Subject], rounds: Rounds) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for subject in subjects {
        // What is done once for all of them, such as to find out about the C library, is done now.
        subject.run(subject.scenario.count);
        costs.push(Cost {
            instructions: match subject.scenario.kind {
                Kind::Work => Some(difference(subject, instructions)?),
                Kind::Sleep | Kind::Turns | Kind::Crowd => None,
            },
            system_calls: match subject.scenario.kind {
                Kind::Work | Kind::Sleep | Kind::Turns => difference(subject, system_calls)?,
                Kind::Crowd => difference(subject, writes)?,
            },
            allocations: difference(subject, allocations)?,
            times: Vec::new(),
        });
    }
    let rounds = match subjects[0].scenario.kind {
        // A million operations each.
        Kind::Crowd => rounds.0.min(9),
        Kind::Work | Kind::Sleep | Kind::Turns => rounds.0,
    };
    for _ in 0..rounds {
        for (subject, cost) in subjects.iter().zip(&mut costs) {
            let count = subject.scenario.count;
            cost.times.push(subject.run(count) / count as u32);
        }
    }
    Ok(costs)
}

fn difference(subject: &Subject, measure: fn(&Subject, usize) -> Result<u64>) -> Result<f64> {
    let count = subject.scenario.count;
    let (few, many) = (measure(subject, count)?, measure(subject, 2 * count)?);
    Ok((many as f64 - few as f64) / count as f64)
}

/// User-space instructions.
fn instructions(subject: &Subject, count: usize) -> Result<u64> {
    let report = run(subject, count, "valgrind", &["--tool=callgrind", "--callgrind-out-file=/dev/null"])?;
    let collected = report.lines().find_map(|line| line.split_once("Collected :"));
    let number = collected.and_then(|(_, number)| number.trim().parse().ok());
    Ok(number.ok_or(format!("valgrind has said: {report}"))?)
}

/// All but those that look at the clock, which not every machine needs, and those with which [`Kind::Turns`] watches
/// the poller and, at the end, waits for the other thread.
fn system_calls(subject: &Subject, count: usize) -> Result<u64> {
    let but_for = "trace=!clock_gettime,pread64,sched_yield,futex";
    let report = run(subject, count, "strace", &["-f", "-qq", "-c", "-U", "calls,name", "-e", but_for])?;
    let calls = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [calls, "total"] => calls.parse().ok(),
        _ => None,
    };
    Ok(report.lines().find_map(calls).ok_or(format!("strace has said: {report}"))?)
}

/// Those that wake somebody are writes, and the kernel counts writes.
fn writes(subject: &Subject, count: usize) -> Result<u64> {
    let written = || -> Result<u64> {
        let io = fs::read_to_string("/proc/self/io").map_err(|err| format!("cannot read /proc/self/io: {err}"))?;
        let writes = io.lines().find_map(|line| line.strip_prefix("syscw: "));
        Ok(writes.ok_or("the kernel does not count writes")?.parse()?)
    };
    let before = written()?;
    subject.run(count);
    Ok(written()? - before)
}

fn allocations(subject: &Subject, count: usize) -> Result<u64> {
    let before = counting::allocations();
    subject.run(count);
    Ok(counting::allocations() - before)
}

/// Runs this program, to do but the work, under a tool. Returns what the tool reports.
fn run(subject: &Subject, count: usize, tool: &str, options: &[&str]) -> Result<String> {
    let this = env::current_exe().map_err(|err| format!("cannot find this program: {err}"))?;
    let mut command = Command::new(tool);
    command.args(options).arg(this).args([subject.library, subject.scenario.name]).arg(count.to_string());
    let output = command.output().map_err(|err| format!("cannot run {tool}: {err}"))?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{command:?} has failed ({}):\n{report}", output.status).into());
    }
    Ok(report)
}

/// Fails if a tool is missing.
pub fn find_tools() -> Result<()> {
    for tool in ["valgrind", "strace"] {
        let found = Command::new(tool).arg("--version").output();
        found.map_err(|err| format!("cannot run {tool}: {err} (on Debian: `verification/setup/debian.sh {tool}`)"))?;
    }
    Ok(())
}
