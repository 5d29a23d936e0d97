//! Ten thousand requests that wait for a delayed server at the same time. The server is a separate process with one
//! thread.
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

/// The environment variable that marks the second run of this program, which has the highest permitted limit of open
/// descriptors.
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

/// Runs this program again with a higher limit of open descriptors. The standard library cannot raise the limit, so a
/// shell does. If there is no shell, returns `None`, and this run continues with the limit it has.
fn run_again_with_more_descriptors() -> Option<i32> {
    let script = r#"ulimit -n "$(ulimit -H -n)" 2>/dev/null; exec "$0" "$@""#;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(script).arg(env::current_exe().ok()?).args(env::args_os().skip(1)).env(RAISED, "yes");
    match shell.status().ok()?.code() {
        // The shell returns these codes if it cannot run the program.
        Some(126 | 127) => None,
        code => Some(code.unwrap_or(1)),
    }
}

/// Returns whether every response was right.
fn run() -> io::Result<bool> {
    let count = argument(1, 10_000)?;
    let delay = argument(2, 5000)?;
    let server = ServerProcess::start()?;
    let memory_before = server.memory();

    let paths = (0..count).map(|request| format!("/{delay}/{request}"));
    let mut client = Client::new(server.addr, paths)?;
    let mut next = client.next_outcome()?;
    // The first response has just arrived, so the server holds its largest number of pending responses now.
    let memory = server.memory();

    let mut right = 0;
    let mut total = Duration::ZERO;
    while let Some(outcome) = next {
        right += usize::from(is_right(&outcome)?);
        total = outcome.elapsed;
        next = client.next_outcome()?;
    }
    println!("{right} of {count} responses were right; with a delay of {delay} ms, all took {total:.2?}.");
    print_waiting(client.most_waiting(), count);
    print_memory(memory_before, memory, client.most_waiting());
    println!("Now try: other numbers, such as delayed_load 2000 3000, which are [count] and [ms].");
    Ok(right == count)
}

fn argument(at: usize, default: usize) -> io::Result<usize> {
    match env::args().nth(at).map(|number| number.parse()) {
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(io::Error::new(ErrorKind::InvalidInput, "usage: delayed_load [count] [ms]")),
        None => Ok(default),
    }
}

/// Returns whether the response is right. A request that failed is an error, probably because a limit of the system was
/// reached.
fn is_right(outcome: &Outcome) -> io::Result<bool> {
    match &outcome.response {
        Ok(response) => Ok(response.status == 200 && response.text() == outcome.request.to_string()),
        Err(err) => Err(io::Error::new(
            err.kind(),
            format!(
                "request {} failed: {err}\n\
                 Each request takes a descriptor in both processes, and a port: raise the limit (ulimit -n), or send \
                 fewer requests.",
                outcome.request + 1
            ),
        )),
    }
}

fn print_waiting(waiting: usize, count: usize) {
    println!("{waiting} waited at the same time, for a server with one thread.");
    if waiting < count {
        println!("The first response came before the last request was sent: try a longer delay.");
    }
}

fn print_memory(before: Option<usize>, after: Option<usize>, waiting: usize) {
    match (before, after) {
        (Some(before), Some(after)) => println!(
            "The server grew from {before} to {after} KiB, which is {} bytes for each waiting request.",
            after.saturating_sub(before) * 1024 / waiting.max(1)
        ),
        _ => println!("This system has no /proc, so the server's memory is not known."),
    }
}

/// The server's process. Dropping this ends the process.
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
        // From here on, the drop of `server` ends the process, even if the next line fails.
        let mut server = ServerProcess { process, addr: ([0; 4], 0).into() };
        server.addr = server.read_addr()?;
        Ok(server)
    }

    /// Reads the server's address from its first line. A thread reads and drops the other lines; otherwise the pipe
    /// would fill, and the server would block.
    fn read_addr(&mut self) -> io::Result<SocketAddr> {
        let stdout = self.process.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
        let addr = first.trim_end().strip_prefix("listening on http://").and_then(|addr| addr.parse().ok());
        addr.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "the server's first line is not its address"))
    }

    /// Returns the server's resident memory in KiB, or `None` on a system without `/proc`.
    fn memory(&self) -> Option<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // `kill` may fail if the process has already ended. `wait` collects the exit status in both cases.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
