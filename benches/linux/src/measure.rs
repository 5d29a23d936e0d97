//! The cost of a scenario, in four measures. Each count is the difference of two runs, one twice as long as the other,
//! so the setup before the work and the cleanup after it cancel out.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;

use crate::counting;
use crate::scenarios::Kind;
use crate::{Extent, Subject};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The cost of one operation.
pub struct Cost {
    pub instructions: Option<Instructions>,
    pub system_calls: f64,
    pub allocations: f64,
    /// The time of each round.
    pub times: Vec<Duration>,
}

/// The instructions in the default release profile, and with fat LTO.
pub struct Instructions {
    pub release: f64,
    pub lto: f64,
}

/// Measures the same scenario of several libraries; `instructions` is the rest of what [`instructions`] returned. Each
/// round times all libraries one after the other, so that other programs on the machine affect all libraries equally.
/// The cost is `None` for a library that cannot do the work.
pub fn measure(
    subjects: &[Subject],
    instructions: &mut impl Iterator<Item = Instructions>,
    extent: Extent,
) -> Result<Vec<Option<Cost>>> {
    let kind = subjects[0].scenario.kind;
    let mut costs = Vec::new();
    for subject in subjects {
        if !subject.is_possible() {
            costs.push(None);
            continue;
        }
        // A first run does the work that a process does only once, such as resolving functions of the C library.
        subject.run(subject.scenario.count);
        costs.push(Some(Cost {
            instructions: if is_counted(subject) { instructions.next() } else { None },
            system_calls: match kind {
                Kind::Work | Kind::Among | Kind::Sleep | Kind::Alternating => difference(subject, system_calls)?,
                Kind::Concurrent => difference(subject, writes)?,
            },
            allocations: difference(subject, allocations)?,
            times: Vec::new(),
        }));
    }
    let rounds = match kind {
        Kind::Among => 0,
        // Each round is a million operations.
        Kind::Concurrent => extent.rounds.min(9),
        Kind::Work | Kind::Sleep | Kind::Alternating => extent.rounds,
    };
    for _ in 0..rounds {
        for (subject, cost) in subjects.iter().zip(&mut costs) {
            let count = subject.scenario.count;
            if let Some(cost) = cost {
                cost.times.push(subject.run(count) / count as u32);
            }
        }
    }
    Ok(costs)
}

/// Returns whether the instructions of a scenario are counted.
fn is_counted(subject: &Subject) -> bool {
    match subject.scenario.kind {
        Kind::Work | Kind::Among => subject.is_possible(),
        Kind::Sleep | Kind::Alternating | Kind::Concurrent => false,
    }
}

/// The function whose instructions callgrind counts.
const COUNTED_FUNCTION: &str = "compare_measured";

/// Counts the user-space instructions of all scenarios for which they are counted, in both profiles.
pub fn instructions(subjects: &[[Subject; 4]], extent: Extent) -> Result<Vec<Instructions>> {
    let this = env::current_exe().map_err(|err| format!("cannot find this program: {err}"))?;
    let lto = build_with_lto(&this)?;
    eprintln!("instructions, in the default release profile");
    let release = instructions_of(&this, subjects, extent)?;
    eprintln!("instructions, with fat LTO");
    let lto = instructions_of(&lto, subjects, extent)?;
    Ok(release.into_iter().zip(lto).map(|(release, lto)| Instructions { release, lto }).collect())
}

/// Builds this program with the profile `lto`, in the same target directory. Returns the path of the new program.
fn build_with_lto(this: &Path) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let target = this.parent().and_then(Path::parent).ok_or("this program is not in a target directory")?;
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--profile", "lto", "--manifest-path", manifest, "--target-dir"]);
    let status = command.arg(target).status().map_err(|err| format!("cannot run cargo: {err}"))?;
    if !status.success() {
        return Err(format!("{command:?} has failed ({status})").into());
    }
    Ok(target.join("lto").join(env!("CARGO_BIN_NAME")))
}

/// Runs `program --count` under callgrind, which writes a file for each run of a scenario.
fn instructions_of(program: &Path, subjects: &[[Subject; 4]], extent: Extent) -> Result<Vec<f64>> {
    let folder = env::temp_dir().join(format!("compare-{}", process::id()));
    fs::create_dir(&folder).map_err(|err| format!("cannot create {}: {err}", folder.display()))?;
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", folder.join("counts").display()));
    command.args(["--zero-before=", "--dump-after="].map(|option| format!("{option}{COUNTED_FUNCTION}")));
    command.arg(program).arg("--count").args((extent.rounds < crate::FULL.rounds).then_some("--quick"));
    let counts = output(command).and_then(|_| {
        let mut runs = (1..).map(|number| total(&folder.join(format!("counts.{number}"))));
        let mut counts = Vec::new();
        for subject in subjects.iter().flatten().filter(|subject| is_counted(subject)) {
            let mut next = || runs.next().expect("the range has no end");
            let [_first, few, many] = [next()?, next()?, next()?];
            counts.push((many - few) / subject.scenario.count as f64);
        }
        Ok(counts)
    });
    fs::remove_dir_all(&folder).map_err(|err| format!("cannot remove {}: {err}", folder.display()))?;
    counts
}

/// Reads the number of instructions from a file of callgrind.
fn total(file: &Path) -> Result<f64> {
    let text = fs::read_to_string(file).map_err(|err| format!("cannot read {}: {err}", file.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or(format!("no count in {}", file.display()))?.parse()?)
}

/// Runs each scenario whose instructions are counted three times. The first run does the work that a process does only
/// once, such as resolving functions of the C library.
pub fn run_counted(subjects: &[[Subject; 4]]) -> Result<()> {
    for subject in subjects.iter().flatten().filter(|subject| is_counted(subject)) {
        let count = subject.scenario.count;
        for count in [count, count, 2 * count] {
            subject.run(count);
        }
    }
    Ok(())
}

fn difference(subject: &Subject, measure: fn(&Subject, usize) -> Result<u64>) -> Result<f64> {
    let count = subject.scenario.count;
    let (few, many) = (measure(subject, count)?, measure(subject, 2 * count)?);
    Ok((many as f64 - few as f64) / count as f64)
}

/// Counts the system calls, except clock reads, which are system calls on some machines only, and the calls with which
/// [`Kind::Alternating`] observes the polling thread and joins the other thread.
fn system_calls(subject: &Subject, count: usize) -> Result<u64> {
    let filter = "trace=!clock_gettime,pread64,sched_yield,futex";
    let this = env::current_exe().map_err(|err| format!("cannot find this program: {err}"))?;
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-qq", "-c", "-U", "calls,name", "-e", filter]).arg(this);
    command.args([subject.library, &subject.scenario.name, &count.to_string()]);
    let report = output(command)?;
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

/// Runs a tool, and returns what it writes to the standard error.
fn output(mut command: Command) -> Result<String> {
    let tool = command.get_program().to_string_lossy().into_owned();
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
