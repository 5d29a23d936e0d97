//! Ten requests with ten delays, and two threads: a client and a server. Neither thread sleeps for a single delay.
//!
//! ```text
//! cargo run --example delayed
//! ```

mod arguments;
mod client;
mod http;
mod server;

use std::io;
use std::process;
use std::time::Duration;

use client::{Client, Outcome};
use server::{Background, Limits, Server};

/// The requests, in the order in which they are sent: how many milliseconds to wait, and the text of the response.
const REQUESTS: [(u64, &str); 10] = [
    (700, "at"),
    (200, "thread"),
    (1000, "time"),
    (400, "for"),
    (900, "same"),
    (100, "one"),
    (600, "answers"),
    (300, "waits"),
    (800, "the"),
    (500, "ten"),
];

/// How many columns the longest bar has.
const WIDTH: usize = 50;

/// How much longer than the longest delay the whole run may take. A busy machine needs some of it.
const TOLERANCE: Duration = Duration::from_millis(400);

fn main() {
    arguments::none("delayed");
    match run() {
        Ok(true) => {}
        Ok(false) => process::exit(1),
        Err(err) => {
            eprintln!("delayed: {err}");
            process::exit(1);
        }
    }
}

/// Returns whether every response was right and on time.
fn run() -> io::Result<bool> {
    let addr = ([127, 0, 0, 1], 0).into();
    let server = Background::start(Server::bind(addr, Limits::default(), io::sink())?)?;

    print_head();
    let paths = REQUESTS.iter().map(|(delay, word)| format!("/{delay}/{word}"));
    let mut client = Client::new(server.addr(), paths)?;
    let mut total = Duration::ZERO;
    let mut is_right = true;
    while let Some(outcome) = client.next_outcome()? {
        is_right &= print_outcome(&outcome);
        total = outcome.elapsed;
    }
    server.stop()?;

    let is_in_time = print_total(total);
    Ok(is_right && is_in_time)
}

fn print_head() {
    println!("Ten requests leave at once. One thread answers them all, each after its delay.\n");
    print_row("sent", "request", &format!("0{:>1$}", format!("{} ms", sum().as_millis()), WIDTH - 1), "answered");
}

/// Prints a row for a response. Returns whether the response is right and not early.
fn print_outcome(outcome: &Outcome) -> bool {
    let (delay, word) = REQUESTS[outcome.request];
    let delay = Duration::from_millis(delay);
    let (answer, is_right) = match &outcome.response {
        Ok(response) => (
            response.text().into_owned(),
            response.status == 200 && response.text() == word && outcome.elapsed >= delay,
        ),
        Err(err) => (err.to_string(), false),
    };
    let sent = format!("#{}", outcome.request + 1);
    let request = format!("/{}/{word}", delay.as_millis());
    let mark = if is_right { "●" } else { "✗" };
    print_row(&sent, &request, &format!("{}{mark} {answer}", bar(outcome.elapsed)), &time(outcome.elapsed));
    is_right
}

/// Prints how long the run took, and how long it would have taken one request at a time. Returns whether it took about
/// as long as the longest delay.
fn print_total(total: Duration) -> bool {
    let is_in_time = total < longest() + TOLERANCE;
    println!();
    print_row("", "together", &bar(total), &time(total));
    print_row("", "one by one", &bar(sum()), &time(sum()));
    match is_in_time {
        true => println!("\nWaiting for all ten takes as long as waiting for the longest."),
        false => println!("\nThat took too long: the longest delay is {}.", time(longest())),
    }
    println!("Now try: other REQUESTS in delayed.rs; then cargo run --example delayed_server");
    is_in_time
}

fn print_row(sent: &str, request: &str, line: &str, time: &str) {
    println!(" {sent:4} {request:12} {line:WIDTH$} {time:>9}");
}

/// Returns a bar whose length shows `time`. All bars have one scale: the longest is the sum of all delays.
fn bar(time: Duration) -> String {
    let share = time.as_secs_f64() / sum().as_secs_f64();
    let halves = (share.min(1.0) * (2 * WIDTH) as f64).round() as usize;
    "━".repeat(halves / 2) + ["", "╸"][halves % 2]
}

fn time(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn sum() -> Duration {
    REQUESTS.iter().map(|(delay, _)| Duration::from_millis(*delay)).sum()
}

fn longest() -> Duration {
    REQUESTS.iter().map(|(delay, _)| Duration::from_millis(*delay)).max().unwrap_or_default()
}
