//! The examples, run as a reader runs them: each ends by itself, has shown what it is about, and says what to try next.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::program::{example, Program};

/// Runs an example without arguments. The lines that it has printed, but for the last, which is the same for all: it
/// says what to try next, and names another example.
fn lines(name: &str) -> Vec<String> {
    let (code, output) = Program::start(Command::new(example(name)).stdin(Stdio::null())).finish();
    assert_eq!(code, Some(0), "{output}");
    let mut lines: Vec<String> = output.lines().map(String::from).collect();
    let last = lines.pop().unwrap();
    let next = last.strip_prefix("Now try: ").and_then(|last| last.split_once("; then cargo run --example "));
    let (_, next) = next.unwrap_or_else(|| panic!("{output}"));
    example(next);
    assert!(output.lines().all(|line| line.chars().count() <= 80), "{output}");
    lines
}

/// All numbers in a line, in their order.
fn numbers(line: &str) -> Vec<f64> {
    line.split(|char: char| !char.is_ascii_digit() && char != '.').filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn the_worker_of_wake_is_heard_of_whatever_it_finds() {
    let mut lines = lines("wake");
    let summary = numbers(&lines.pop().unwrap());
    let counts: Vec<_> = lines.iter().map(|line| numbers(line)).collect();
    let primes = [[4., 10.], [25., 100.], [168., 1e3], [1229., 1e4], [2262., 2e4], [4203., 4e4]];
    assert_eq!(counts, primes);
    assert_eq!(summary[0], 7.);
    assert!((1. ..=7.).contains(&summary[1]), "{summary:?}");
}

#[test]
fn the_timers_are_not_early_and_miss_what_they_are_meant_to_miss() {
    let lines = lines("timers");
    let times = |word: &str| -> Vec<f64> {
        lines.iter().skip(1).filter(|line| line.contains(word)).map(|line| numbers(line)[0]).collect()
    };
    let (ticks, tea, eggs) = (times("  tick"), times("the tea is ready"), times("the eggs are ready"));
    assert!(ticks[0] >= 100., "{lines:#?}");
    // While it drinks, three ticks pass, as one event. A seventh may come with the eggs, if they are late.
    assert!((1..6).contains(&ticks.len()), "{lines:#?}");
    assert!(tea.len() == 1 && tea[0] >= 250., "{lines:#?}");
    assert!(eggs.len() == 1 && eggs[0] >= 650., "{lines:#?}");
    assert!(lines.iter().skip(1).all(|line| !line.ends_with("the alarm")), "{lines:#?}");
}

#[test]
fn the_requests_of_udp_are_sent_until_they_are_answered_or_given_up() {
    let lines = lines("udp");
    let ends: Vec<_> = lines.iter().filter(|line| line.contains("answered") || line.ends_with("given up")).collect();
    let expected = [
        "request 0: answered at attempt 1",
        "request 1: answered at attempt 2",
        "request 2: answered at attempt 3",
        "request 3: no answer within 320 ms, given up",
    ];
    assert_eq!(ends, expected, "{lines:#?}");
    for (request, losses) in [0, 1, 2, 4].iter().enumerate() {
        let lost = lines.iter().filter(|line| **line == format!("request {request}: lost on the way"));
        assert_eq!(lost.count(), *losses, "{lines:#?}");
    }
}

#[test]
fn the_server_of_echo_needs_fewer_events_in_edge_mode() {
    let lines = lines("echo");
    let (level, edge) = (lines[1].strip_prefix("Level: ").unwrap(), lines[2].strip_prefix("Edge: ").unwrap());
    let [level, edge] = [level, edge].map(numbers);
    // Three clients, eight megabytes each, four kilobytes an event.
    assert!(level[1] >= 3. * 8. * 256., "{lines:#?}");
    assert!(edge[1] < level[1], "{lines:#?}");
    assert_eq!(edge[2], 0., "{lines:#?}");
}

#[test]
fn the_tasks_of_the_executor_wait_at_once() {
    // A machine that is busy may be late, but not three times.
    let shown = (0..3).map(|_| lines("executor")).find(|lines| {
        let answers: Vec<_> = lines.iter().filter_map(|line| line.split("ms: ").nth(1)).collect();
        let total = numbers(&lines[5]);
        assert!(total[0] >= 700., "{lines:#?}");
        answers == ["one", "thread", "awaits", "them", "all"] && total[0] < 1800. && total[1] == 1800.
    });
    assert!(shown.is_some());
}

#[test]
fn the_executor_of_the_book_runs_what_is_ready() {
    let lines = lines("book");
    let answers = |line: &String| line.split("ms: ").nth(1).map(String::from);
    let answers: Vec<_> = lines.iter().filter_map(answers).collect();
    assert_eq!(answers, ["first", "second", "third", "fourth"], "{lines:#?}");
}

#[test]
fn any_fd_prints_what_comes_through_something_foreign() {
    assert_eq!(lines("any_fd"), ["one", "two", "three"]);
}

#[test]
fn any_fd_reads_a_pipe_or_a_file_to_its_end_or_says_that_it_cannot() {
    let program = example("any_fd");
    if env::consts::FAMILY != "unix" {
        let (code, output) = Program::start(Command::new(&program).arg("stdin").stdin(Stdio::null())).finish();
        assert_eq!(code, Some(1), "{output}");
        assert!(output.contains("only sockets can be waited for"), "{output}");
        return;
    }
    let mut pipe = Program::start(Command::new(&program).arg("stdin").stdin(Stdio::piped()));
    let mut input = pipe.0.stdin.take().unwrap();
    for word in ["to be", " or ", "not to be\n"] {
        input.write_all(word.as_bytes()).unwrap();
    }
    drop(input);
    let (code, output) = pipe.finish();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.starts_with("to be or not to be\nNow try: "), "{output}");

    let (code, output) = Program::start(Command::new(&program).arg("stdin").stdin(Stdio::null())).finish();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.starts_with("Now try: "), "{output}");

    let this_file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file!());
    let text = fs::read_to_string(&this_file).unwrap();
    let file = File::open(&this_file).unwrap();
    let (code, output) = Program::start(Command::new(&program).arg("stdin").stdin(file)).finish();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.starts_with(&format!("{text}Now try: ")), "{output}");
}
