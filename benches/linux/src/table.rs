//! Prints the results as Markdown.

use std::fs;
use std::process::Command;
use std::ptr;
use std::time::Duration;

use crate::measure::{Cost, Result, Rounds};
use crate::scenarios::Kind;
use crate::Subject;

type Row = (Vec<Cost>, [Subject; 4]);

pub fn print(rows: &[Row], rounds: Rounds) -> Result<()> {
    println!("{}\n", circumstances(rounds)?);
    print_table("user-space instructions", rows, |_, cost, _| cost.instructions.map(|number| format!("{number:.0}")));
    print_table("system calls", rows, |_, cost, _| Some(hundredths(cost.system_calls)));
    if rows.iter().flat_map(|(costs, _)| costs).all(|cost| cost.allocations == 0.0) {
        println!("Allocations: none, by any of them, in any row.\n");
    } else {
        print_table("allocations", rows, |_, cost, _| Some(hundredths(cost.allocations)));
    }
    print_table("time", rows, |kind, cost, bare| match kind {
        // The length of a wait is shown as it is, not as a ratio.
        Kind::Sleep => Some(microseconds(median(cost.times.iter().copied()))),
        _ if ptr::eq(cost, bare) => Some(microseconds(median(cost.times.iter().copied()))),
        Kind::Work | Kind::Alternating | Kind::Concurrent => {
            let ratio = |(time, bare): (&Duration, &Duration)| time.as_secs_f64() / bare.as_secs_f64();
            Some(format!("{:.2}", median(cost.times.iter().zip(&bare.times).map(ratio))))
        }
    });
    Ok(())
}

/// Returns the versions and the number of rounds with which the tables were made.
fn circumstances(rounds: Rounds) -> Result<String> {
    let [minimio, mio, polling] = ["minimio", "mio", "polling"].map(version);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|err| format!("no kernel version: {err}"))?;
    let compiler = Command::new("rustc").arg("--version").output().map_err(|err| format!("cannot run rustc: {err}"))?;
    let compiler = String::from_utf8_lossy(&compiler.stdout);
    // The part after the number names the kernel's builder.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let (compiler, rounds) = (compiler.trim(), rounds.0);
    Ok(format!("minimio {minimio}, mio {mio}, polling {polling}; {compiler}; Linux {kernel}; times of {rounds} rounds"))
}

/// Returns the version of a package in the lock file of this program.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).expect("an entry");
    entry.split('"').next().expect("a version")
}

/// Prints a row for each scenario for which `cell` returns a text, from the scenario's kind, the cost, and the cost of
/// the bare loop.
fn print_table(measure: &str, rows: &[Row], cell: impl Fn(Kind, &Cost, &Cost) -> Option<String>) {
    let (_, subjects) = &rows[0];
    let libraries = subjects.iter().map(|subject| format!(" {} |", subject.library));
    println!("| {measure} |{}", libraries.collect::<String>());
    println!("|---|{}", "---:|".repeat(subjects.len()));
    for (costs, [Subject { scenario, .. }, ..]) in rows {
        let cells = costs.iter().map(|cost| cell(scenario.kind, cost, &costs[0]).map(|text| format!(" {text} |")));
        if let Some(cells) = cells.collect::<Option<String>>() {
            println!("| {} |{cells}", scenario.name);
        }
    }
    println!();
}

fn hundredths(number: f64) -> String {
    // No "-0".
    let number = (number * 100.0).round() / 100.0 + 0.0;
    number.to_string()
}

fn microseconds(time: Duration) -> String {
    let number = time.as_secs_f64() * 1e6;
    let decimals = if number < 10.0 { 2 } else { 0 };
    format!("{number:.decimals$} µs")
}

fn median<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|one, other| one.partial_cmp(other).expect("no value is a NaN"));
    values[values.len() / 2]
}
