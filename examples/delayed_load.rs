//! Ten thousand requests that wait for a delayed server at the same time. The server is a separate process with one
//! thread.
//!
//! ```text
//! cargo run --release --example delayed_load [COUNT [MS]]
//! ```

mod arguments;
mod client;
mod http;
mod server;

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;

use arguments::Arguments;
use client::{Client, Outcome};
use server::{Limits, Server};

const USAGE: &str = "delayed_load [COUNT [MS]]

COUNT  how many requests to send (default: 10000)
MS     the delay of each request, in milliseconds (default: 5000)";

/// The environment variable with the part that a process of this program runs. The first process starts a client, which
/// has the highest permitted limit of open descriptors, and the client starts a server.
const PART: &str = "DELAYED_LOAD_PART";

fn main() {
    let mut arguments = Arguments::read(USAGE);
    let (count, delay) = (arguments.number(10_000, 1_000_000), arguments.number(5000, 60_000));
    arguments.end();

    let part = env::var(PART).unwrap_or_default();
    if part.is_empty() {
        if let Some(code) = run_again_with_more_descriptors() {
            process::exit(code);
        }
    }
    let result = match &part[..] {
        "server" => run_server(),
        _ => run_client(count, delay),
    };
    match result {
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
    shell.arg("-c").arg(script).arg(env::current_exe().ok()?).args(env::args_os().skip(1)).env(PART, "client");
    match shell.status().ok()?.code() {
        // The shell returns these codes if it cannot run the program.
        Some(126 | 127) => None,
        code => Some(code.unwrap_or(1)),
    }
}

/// Prints the address and serves until this process is killed.
fn run_server() -> io::Result<bool> {
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), Limits::default(), io::sink())?;
    println!("{}", server.addr()?);
    server.run().map(|()| true)
}

/// Returns whether every response was right.
fn run_client(count: usize, delay: usize) -> io::Result<bool> {
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
    println!("Now try: the arguments 2000 3000 (see --help); then cargo run --example wake");
    Ok(right == count)
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
            "The server grew from {before} to {after} KiB: {} bytes for each waiting request.",
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
    fn start() -> io::Result<ServerProcess> {
        let process = Command::new(env::current_exe()?).env(PART, "server").stdout(Stdio::piped()).spawn()?;
        // From here on, the drop of `server` ends the process, even if the next line fails.
        let mut server = ServerProcess { process, addr: ([0; 4], 0).into() };
        server.addr = server.read_addr()?;
        Ok(server)
    }

    /// Reads the server's address, the only line that the server prints.
    fn read_addr(&mut self) -> io::Result<SocketAddr> {
        let stdout = self.process.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let addr = line.trim_end().parse();
        addr.map_err(|_| io::Error::new(ErrorKind::InvalidData, "the server has not printed its address"))
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
