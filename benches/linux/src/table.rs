//! Prints the results as Markdown.

use std::fs;
use std::process::Command;
use std::ptr;
use std::time::Duration;

use crate::measure::{Cost, Result};
use crate::scenarios::Kind;
use crate::{Extent, Subject};

type Row = (Vec<Option<Cost>>, [Subject; 4]);

pub fn print(rows: &[Row], extent: Extent) -> Result<()> {
    println!("{}\n", circumstances(extent)?);
    let (among, plain): (Vec<_>, Vec<_>) = rows.iter().partition(|row| kind(row) == Kind::Among);
    let instructions = |_: &Row, cost: &Cost| {
        let counts = cost.instructions.as_ref()?;
        Some(format!("{:.0} / {:.0}", counts.release, counts.lto))
    };
    let system_calls = |_: &Row, cost: &Cost| Some(hundredths(cost.system_calls));
    let allocations = |_: &Row, cost: &Cost| Some(hundredths(cost.allocations));
    print_table("user-space instructions: release / LTO", &plain, instructions);
    print_table("system calls", &plain, system_calls);
    let (allocating, rest) = plain.iter().partition::<Vec<_>, _>(|row| allocates(row));
    if !allocating.is_empty() {
        print_table("allocations", &allocating, allocations);
    }
    if !rest.is_empty() {
        println!("Allocations in all other rows: none.\n");
    }
    print_table("time", &plain, |row, cost| match (kind(row), &row.0[0]) {
        // The length of a wait is shown as it is, not as a ratio.
        (Kind::Work | Kind::Alternating | Kind::Concurrent, Some(bare)) if !ptr::eq(cost, bare) => {
            let ratio = |(time, bare): (&Duration, &Duration)| time.as_secs_f64() / bare.as_secs_f64();
            Some(format!("{:.2}", median(cost.times.iter().zip(&bare.times).map(ratio))))
        }
        _ => Some(microseconds(median(cost.times.iter().copied()))),
    });
    println!("The same work, and more, among many objects:\n");
    print_table("user-space instructions: release / LTO", &among, instructions);
    print_table("system calls", &among, system_calls);
    let allocating: Vec<_> = among.iter().copied().filter(|row| allocates(row)).collect();
    if !allocating.is_empty() {
        print_table("allocations", &allocating, allocations);
    }
    Ok(())
}

fn kind((_, subjects): &Row) -> Kind {
    subjects[0].scenario.kind
}

fn allocates((costs, _): &Row) -> bool {
    costs.iter().flatten().any(|cost| hundredths(cost.allocations) != "0")
}

/// Returns the versions and the number of rounds with which the tables were made.
fn circumstances(extent: Extent) -> Result<String> {
    let [minimio, mio, polling] = ["minimio", "mio", "polling"].map(version);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|err| format!("no kernel version: {err}"))?;
    let compiler = Command::new("rustc").arg("--version").output().map_err(|err| format!("cannot run rustc: {err}"))?;
    let compiler = String::from_utf8_lossy(&compiler.stdout);
    // The part after the number names the kernel's builder.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let (compiler, rounds) = (compiler.trim(), extent.rounds);
    Ok(format!("minimio {minimio}, mio {mio}, polling {polling}; {compiler}; Linux {kernel}; times of {rounds} rounds"))
}

/// Returns the version of a package in the lock file of this program.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).expect("an entry");
    entry.split('"').next().expect("a version")
}

/// Prints a row for each scenario for which `cell` returns a text. A library that cannot do the work has a dash.
fn print_table(measure: &str, rows: &[&Row], cell: impl Fn(&Row, &Cost) -> Option<String>) {
    let (_, subjects) = rows[0];
    let libraries = subjects.iter().map(|subject| format!(" {} |", subject.library));
    println!("| {measure} |{}", libraries.collect::<String>());
    println!("|---|{}", "---:|".repeat(subjects.len()));
    for row in rows {
        let text = |cost: &Option<Cost>| match cost {
            Some(cost) => Some(format!(" {} |", cell(row, cost)?)),
            None => Some(" — |".to_string()),
        };
        if let Some(cells) = row.0.iter().map(text).collect::<Option<String>>() {
            println!("| {} |{cells}", row.1[0].scenario.name);
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
