//! Runs the examples as a reader does. Each must end without input, print its result, and name the next example.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command_lines::{check_columns, check_next};
use crate::support::program::{example, interrupt, Program};

/// Runs an example without arguments, and returns the lines that it prints, except the last line. The last line must
/// name the next example.
fn run_example(name: &str) -> Vec<String> {
    let (code, output) = Program::start(Command::new(example(name)).stdin(Stdio::null())).finish();
    assert_eq!(code, Some(0), "{output}");
    let mut lines: Vec<String> = output.lines().map(String::from).collect();
    check_next(name, lines.pop().as_deref());
    check_columns(&output);
    lines
}

/// Returns all numbers in a line, in order.
fn numbers(line: &str) -> Vec<f64> {
    line.split(|char: char| !char.is_ascii_digit() && char != '.').filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn wake_prints_all_results_of_its_worker_thread() {
    let mut lines = run_example("wake");
    let summary = numbers(&lines.pop().unwrap());
    let counts: Vec<_> = lines.iter().map(|line| numbers(line)).collect();
    let primes = [[4., 10.], [25., 100.], [168., 1e3], [1229., 1e4], [2262., 2e4], [4203., 4e4]];
    assert_eq!(counts, primes);
    assert_eq!(summary[0], 7.);
    assert!((1. ..=7.).contains(&summary[1]), "{summary:?}");
}

#[test]
fn timers_prints_no_early_timer_and_no_cancelled_one() {
    let lines = run_example("timers");
    let times = |word: &str| -> Vec<f64> {
        lines.iter().skip(1).filter(|line| line.contains(word)).map(|line| numbers(line)[0]).collect()
    };
    let (ticks, tea, eggs) = (times("  tick"), times("tea is ready"), times("eggs are ready"));
    assert!(ticks[0] >= 100., "{lines:#?}");
    // Three ticks expire while the example sleeps, and are one event. If the event of the eggs is late, a seventh tick
    // may be reported with it.
    assert!((1..6).contains(&ticks.len()), "{lines:#?}");
    assert!(tea.len() == 1 && tea[0] >= 250., "{lines:#?}");
    assert!(eggs.len() == 1 && eggs[0] >= 650., "{lines:#?}");
    assert!(lines.iter().skip(1).all(|line| !line.ends_with("  alarm")), "{lines:#?}");
}

/// Checks the output of `supervisor`. Returns the delays before the restarts of one child.
fn check_supervisor(output: &str, child: &str) -> Vec<f64> {
    let lines: Vec<&str> = output.lines().collect();
    check_next("supervisor", lines.last().copied());
    check_columns(output);
    assert_eq!(lines[lines.len() - 2], "All children have exited, and no process is left.");
    let started = lines.iter().filter(|line| line.starts_with(child) && line.contains("started")).count();
    let exited = lines.iter().filter(|line| line.starts_with(child) && line.contains("exit")).count();
    assert!(started == exited || started == exited + 1, "{output}");
    let delays = lines.iter().filter(|line| line.starts_with(child) && line.contains("starts again in"));
    delays.map(|line| numbers(line.split("again in").nth(1).unwrap())[0]).collect()
}

#[test]
fn supervisor_restarts_a_child_after_a_delay_that_grows() {
    let (code, output) = Program::start(Command::new(example("supervisor")).arg("2")).finish();
    assert_eq!(code, Some(0), "{output}");
    let delays = check_supervisor(&output, "broken");
    assert!(delays.len() >= 2 && delays.iter().zip([100., 200., 400., 800.]).all(|(is, set)| *is == set), "{output}");
    assert_eq!(check_supervisor(&output, "steady"), []);
}

#[test]
fn supervisor_ends_all_children_when_it_is_interrupted() {
    let mut program = Program::start(&mut Command::new(example("supervisor")));
    let mut output = BufReader::new(program.0.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("broken: started") {
        assert!(output.read_line(&mut text).unwrap() > 0, "{text}");
    }
    if !interrupt(&program) {
        return;
    }
    // A child that ran on would keep the output open.
    output.read_to_string(&mut text).unwrap();
    assert_eq!(program.0.wait().unwrap().code(), Some(0), "{text}");
    assert!(text.contains("INTERRUPT: end all children\n"), "{text}");
    check_supervisor(&text, "steady");
}

#[test]
fn udp_repeats_each_request_until_it_is_answered_or_times_out() {
    let lines = run_example("udp");
    let ends: Vec<_> = lines.iter().filter(|line| line.contains("answered") || line.ends_with("given up")).collect();
    let expected = [
        "request 0: answered at attempt 1",
        "request 1: answered at attempt 2",
        "request 2: answered at attempt 3",
        "request 3: no response within 320 ms, given up",
    ];
    assert_eq!(ends, expected, "{lines:#?}");
    for (request, losses) in [0, 1, 2, 4].iter().enumerate() {
        let lost = lines.iter().filter(|line| **line == format!("request {request}: lost on the way"));
        assert_eq!(lost.count(), *losses, "{lines:#?}");
    }
}

#[test]
fn echo_needs_fewer_events_in_edge_mode() {
    let lines = run_example("echo");
    let (level, edge) = (lines[1].strip_prefix("Level: ").unwrap(), lines[2].strip_prefix("Edge: ").unwrap());
    let [level, edge] = [level, edge].map(numbers);
    // There are three clients. Each sends eight megabytes, and each event reads four kilobytes.
    assert!(level[1] >= 3. * 8. * 256., "{lines:#?}");
    assert!(edge[1] < level[1], "{lines:#?}");
    assert_eq!(edge[2], 0., "{lines:#?}");
}

#[test]
fn the_tasks_of_executor_wait_concurrently() {
    // On a busy machine, a run can be too slow. One of three runs must not be.
    let shown = (0..3).map(|_| run_example("executor")).find(|lines| {
        let answers: Vec<_> = lines.iter().filter_map(|line| line.split("ms: ").nth(1)).collect();
        let total = numbers(&lines[5]);
        assert!(total[0] >= 700., "{lines:#?}");
        answers == ["one", "thread", "awaits", "them", "all"] && total[0] < 1800. && total[1] == 1800.
    });
    assert!(shown.is_some());
}

#[test]
fn book_runs_its_tasks_in_the_order_in_which_they_become_ready() {
    let lines = run_example("book");
    let answers = |line: &String| line.split("ms: ").nth(1).map(String::from);
    let answers: Vec<_> = lines.iter().filter_map(answers).collect();
    assert_eq!(answers, ["first", "second", "third", "fourth"], "{lines:#?}");
}

#[test]
fn any_fd_prints_the_lines_from_a_source_of_another_library() {
    let lines = run_example("any_fd");
    assert_eq!(lines[..3], ["one", "two", "three"]);
    // The end is reported with the last line or after it. If the machine is busy, one event can report two lines.
    assert!((2. ..=4.).contains(&numbers(&lines[3])[0]), "{lines:#?}");
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn any_fd_reads_its_standard_input_to_its_end_whatever_it_is() {
    let program = example("any_fd");
    let mut pipe = Program::start(Command::new(&program).arg("stdin").stdin(Stdio::piped()));
    let mut input = pipe.0.stdin.take().unwrap();
    for word in ["to be", " or ", "not to be\n"] {
        input.write_all(word.as_bytes()).unwrap();
    }
    drop(input);
    let (code, output) = pipe.finish();
    assert_eq!(code, Some(0), "{output}");
    let events = output.strip_prefix("to be or not to be\n").unwrap_or_else(|| panic!("{output}"));
    assert!((1. ..=4.).contains(&numbers(events)[0]), "{output}");

    let (code, output) = Program::start(Command::new(&program).arg("stdin").stdin(Stdio::null())).finish();
    assert_eq!(code, Some(0), "{output}");
    // Epoll does not accept this descriptor.
    assert!(output.starts_with("No events: ") || output.starts_with("1 events, "), "{output}");

    // `file!()` is relative to the workspace, which may be another folder than the package's.
    let this_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples/programs.rs");
    let text = fs::read_to_string(&this_file).unwrap();
    let file = File::open(&this_file).unwrap();
    let (code, output) = Program::start(Command::new(&program).arg("stdin").stdin(file)).finish();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.starts_with(&format!("{text}No events: ")), "{output}");
}
