//! Ten thousand requests that wait at once for a delayed server, which is a process of its own and has one thread.
//!
//! ```text
//! cargo build --release --examples
//! cargo run --release --example delayed_load [count] [ms]
//! ```

mod client;
mod http;

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use client::{Client, Outcome};

/// Says to a second run of this program that the first one has tried to get more descriptors.
const RAISED: &str = "DELAYED_LOAD_RAISED";

fn main() {
    if env::var_os(RAISED).is_none() {
        if let Some(code) = run_again_with_more_descriptors() {
            process::exit(code);
        }
    }
    match run() {
        Ok(true) => {}
        Ok(false) => process::exit(1),
        Err(err) => {
            eprintln!("delayed_load: {err}");
            process::exit(1);
        }
    }
}

/// A process may raise its limit of open descriptors, but not by means of the standard library: a shell does it. Where
/// there is none, this run goes on with what it has.
fn run_again_with_more_descriptors() -> Option<i32> {
    let script = r#"ulimit -n "$(ulimit -H -n)" 2>/dev/null; exec "$0" "$@""#;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(script).arg(env::current_exe().ok()?).args(env::args_os().skip(1)).env(RAISED, "yes");
    match shell.status().ok()?.code() {
        // That is the shell's own code, for a program that it cannot run.
        Some(126 | 127) => None,
        code => Some(code.unwrap_or(1)),
    }
}

/// Whether every answer was right.
fn run() -> io::Result<bool> {
    let count = argument(1, 10_000)?;
    let delay = argument(2, 5000)?;
    let server = ServerProcess::start()?;
    let memory_before = server.memory();

    let paths = (0..count).map(|request| format!("/{delay}/{request}"));
    let mut client = Client::new(server.addr, paths)?;
    let mut next = client.next_outcome()?;
    // The first answers are here, so the server has never had more to remember than now.
    let memory = server.memory();

    let mut right = 0;
    let mut total = Duration::ZERO;
    while let Some(outcome) = next {
        right += usize::from(is_right(&outcome)?);
        total = outcome.elapsed;
        next = client.next_outcome()?;
    }
    println!("{right} of {count} answers were right; with a delay of {delay} ms, all took {total:.2?}.");
    print_waiting(client.most_waiting(), count);
    print_memory(memory_before, memory, client.most_waiting());
    Ok(right == count)
}

fn argument(at: usize, default: usize) -> io::Result<usize> {
    match env::args().nth(at).map(|number| number.parse()) {
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(io::Error::new(ErrorKind::InvalidInput, "usage: delayed_load [count] [ms]")),
        None => Ok(default),
    }
}

/// An error if there can be no answer because this program is at its limits.
fn is_right(outcome: &Outcome) -> io::Result<bool> {
    match &outcome.response {
        Ok(response) => Ok(response.status == 200 && response.body == outcome.request.to_string().as_bytes()),
        Err(err) => Err(io::Error::new(
            err.kind(),
            format!(
                "request {} failed: {err}\n\
                 Each takes a descriptor in either process, and a port: raise the limit (ulimit -n), or ask for fewer.",
                outcome.request + 1
            ),
        )),
    }
}

fn print_waiting(waiting: usize, count: usize) {
    println!("{waiting} waited at once, for a server of one thread.");
    if waiting < count {
        println!("That is not all of them, since the first was answered too soon: try a longer delay.");
    }
}

fn print_memory(before: Option<usize>, after: Option<usize>, waiting: usize) {
    match (before, after) {
        (Some(before), Some(after)) => println!(
            "The server grew from {before} to {after} KiB, which is {} bytes for each of them.",
            after.saturating_sub(before) * 1024 / waiting.max(1)
        ),
        _ => println!("How much memory the server takes, this system does not tell."),
    }
}

/// The server's process, which ends with this.
struct ServerProcess {
    process: Child,
    addr: SocketAddr,
}

impl ServerProcess {
    /// Starts the `delayed_server` that was built beside this program.
    fn start() -> io::Result<ServerProcess> {
        let program = env::current_exe()?.with_file_name(format!("delayed_server{}", env::consts::EXE_SUFFIX));
        let process = Command::new(&program).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().map_err(|err| {
            let hint = "build it first, with cargo build --examples and the same profile";
            io::Error::new(err.kind(), format!("cannot run {}: {err}\n{hint}", program.display()))
        })?;
        // From here on it is stopped, whatever happens.
        let mut server = ServerProcess { process, addr: ([0; 4], 0).into() };
        server.addr = server.read_addr()?;
        Ok(server)
    }

    /// The server says in its first line where it listens. The others are read, lest it wait for that, and dropped.
    fn read_addr(&mut self) -> io::Result<SocketAddr> {
        let stdout = self.process.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
        let addr = first.trim_end().strip_prefix("listening on http://").and_then(|addr| addr.parse().ok());
        addr.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the server does not say where it listens"))
    }

    /// How many KiB of memory it has in use, where `/proc` tells.
    fn memory(&self) -> Option<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
