//! The cost of a scenario, in four measures. Each count is the difference of two runs, one twice as long as the other,
//! so the setup before the work and the cleanup after it cancel out.

use std::env;
use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::counting;
use crate::scenarios::Kind;
use crate::Subject;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many times a scenario is timed.
#[derive(Clone, Copy)]
pub struct Rounds(pub usize);

/// The cost of one operation.
pub struct Cost {
    pub instructions: Option<f64>,
    pub system_calls: f64,
    pub allocations: f64,
    /// The time of each round.
    pub times: Vec<Duration>,
}

/// Measures the same scenario of several libraries. Each round times all libraries one after the other, so that other
/// programs on the machine affect all libraries equally.
pub fn measure(subjects: &[Subject], rounds: Rounds) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for subject in subjects {
        // A first run does the work that a process does only once, such as resolving functions of the C library.
        subject.run(subject.scenario.count);
        costs.push(Cost {
            instructions: match subject.scenario.kind {
                Kind::Work => Some(difference(subject, instructions)?),
                Kind::Sleep | Kind::Alternating | Kind::Concurrent => None,
            },
            system_calls: match subject.scenario.kind {
                Kind::Work | Kind::Sleep | Kind::Alternating => difference(subject, system_calls)?,
                Kind::Concurrent => difference(subject, writes)?,
            },
            allocations: difference(subject, allocations)?,
            times: Vec::new(),
        });
    }
    let rounds = match subjects[0].scenario.kind {
        // Each round is a million operations.
        Kind::Concurrent => rounds.0.min(9),
        Kind::Work | Kind::Sleep | Kind::Alternating => rounds.0,
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

/// Counts the user-space instructions.
fn instructions(subject: &Subject, count: usize) -> Result<u64> {
    let report = run(subject, count, "valgrind", &["--tool=callgrind", "--callgrind-out-file=/dev/null"])?;
    let collected = report.lines().find_map(|line| line.split_once("Collected :"));
    let number = collected.and_then(|(_, number)| number.trim().parse().ok());
    Ok(number.ok_or(format!("no count in the output of valgrind: {report}"))?)
}

/// Counts the system calls, except clock reads, which are system calls on some machines only, and the calls with which
/// [`Kind::Alternating`] observes the polling thread and joins the other thread.
fn system_calls(subject: &Subject, count: usize) -> Result<u64> {
    let filter = "trace=!clock_gettime,pread64,sched_yield,futex";
    let report = run(subject, count, "strace", &["-f", "-qq", "-c", "-U", "calls,name", "-e", filter])?;
    let calls = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [calls, "total"] => calls.parse().ok(),
        _ => None,
    };
    Ok(report.lines().find_map(calls).ok_or(format!("no count in the output of strace: {report}"))?)
}

/// Counts the writes, with the kernel's own counter. Each wake that interrupts the polling thread is one write.
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

/// Runs this program under a tool, with arguments for the work only. Returns the output of the tool.
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
