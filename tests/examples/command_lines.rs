//! The order of the examples, and their command lines: `--help` and wrong arguments.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::program::{example, Program};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Returns the names of all examples, from the folder of their sources.
fn examples() -> BTreeSet<String> {
    let files = fs::read_dir(path("examples")).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|file| file.extension().map_or(false, |extension| extension == "rs"));
    sources.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Returns the names in the first column of the table of examples in `file`, whose lines begin with `prefix`.
fn documented_order(file: &str, prefix: &str) -> Vec<String> {
    let text = fs::read_to_string(path(file)).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
    let rows = lines.skip_while(|line| !line.starts_with("| `cargo run --example …` |")).skip(2);
    rows.map_while(|row| row.strip_prefix("| `")?.split_once("` |").map(|(name, _)| name.to_owned())).collect()
}

/// Returns the name of the next example in the last line that an example prints.
fn next(line: &str) -> Option<&str> {
    line.strip_prefix("Now try: ")?.split_once("; then cargo run --example ").map(|(_, next)| next)
}

/// Checks that `line` names the example that README lists after `name`.
pub fn check_next(name: &str, line: Option<&str>) {
    let order = documented_order("README.md", "");
    let at = order.iter().position(|listed| listed == name).expect("README does not list the example");
    assert_eq!(line.and_then(next), Some(&order[(at + 1) % order.len()][..]), "{name}: {line:?}");
}

/// Checks that the output fits into a terminal.
pub fn check_columns(output: &str) {
    assert!(output.lines().all(|line| line.chars().count() <= 80), "{output}");
}

#[test]
fn the_last_line_of_each_example_leads_to_the_next_one_through_all_of_them() {
    let order = documented_order("README.md", "");
    assert_eq!(documented_order("src/lib.rs", "//! "), order);

    // Begin at the first example, and follow the lines in the sources until an example comes again. Other tests check
    // that each example prints its line.
    let mut visited = Vec::new();
    let mut name = order[0].clone();
    while !visited.contains(&name) {
        let source = fs::read_to_string(path(&format!("examples/{name}.rs"))).unwrap();
        let lines: Vec<&str> = source.lines().filter_map(|line| next(&line[line.find("Now try: ")?..])).collect();
        assert_eq!(lines.len(), 1, "{name}: {lines:?}");
        visited.push(name);
        name = lines[0].split(|char: char| char != '_' && !char.is_ascii_lowercase()).next().unwrap().to_owned();
    }
    assert_eq!((&visited, &name), (&order, &order[0]));
    assert_eq!(visited.into_iter().collect::<BTreeSet<_>>(), examples());
}

/// Runs an example that must end at once. Returns its exit code and its output.
fn run(name: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let (code, output) = Program::start(Command::new(example(name)).args(arguments)).finish();
    check_columns(&output);
    (code, output)
}

#[test]
fn each_example_prints_its_usage_for_help() {
    for name in examples() {
        let (code, output) = run(&name, &["--help"]);
        assert_eq!(code, Some(0), "{output}");
        let usage = output.lines().next().and_then(|line| line.strip_prefix("usage: cargo run --example "));
        assert!(usage.map_or(false, |usage| usage.split(' ').next() == Some(&name)), "{output}");
        assert_eq!(run(&name, &["x", "-h"]), (code, output));
    }
}

#[test]
fn each_example_refuses_a_wrong_argument_with_its_usage() {
    for name in examples() {
        let mut wrong: Vec<&[&str]> = vec![&["--verbose"], &["-1"]];
        wrong.extend::<&[&[&str]]>(match &name[..] {
            "any_fd" => &[&["stdout"], &["stdin", "more"]],
            "delayed_client" => &[&["nowhere"], &["localhost:1", "--verbose"], &["localhost:99999", "0/x"]],
            "delayed_load" => &[&["many"], &["0"], &["10", "1.5"], &["10", "60001"], &["10", "10", "more"]],
            "delayed_server" => &[&["nowhere"], &["localhost"], &["localhost:0", "more"]],
            _ => &[&["more"]],
        });
        for arguments in wrong {
            let (code, output) = run(&name, arguments);
            assert_eq!(code, Some(2), "{arguments:?}: {output}");
            let (error, usage) = output.split_once('\n').unwrap();
            let quoted = arguments.iter().any(|argument| error.contains(&format!("`{argument}`")));
            assert!(error.starts_with(&format!("{name}: ")) && quoted, "{arguments:?}: {output}");
            assert!(usage.starts_with(&format!("usage: cargo run --example {name}")), "{arguments:?}: {output}");
        }
    }
}
