//! An HTTP server that delays its responses: `GET /<ms>/<text>` returns `<text>` after `<ms>` milliseconds. One thread
//! serves all clients. The thread blocks in `poll`, when there is nothing to do, and in a write to standard output if
//! its reader is slow.
//!
//! ```text
//! cargo run --example delayed_server [ADDR]
//! ```
//!
//! Ctrl-C and SIGTERM are events too. Then the server accepts no more connections, answers the requests in flight, and
//! ends, at most three seconds later.

mod arguments;
mod http;
mod server;

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process;

use arguments::Arguments;
use minimio::signal::{Signal, Signals};
use server::{Limits, Server};

const USAGE: &str = "delayed_server [ADDR]

ADDR  where to listen, for example localhost:8080 (default: 127.0.0.1:8080)
      Port 0 is any free port.";

fn main() {
    let mut arguments = Arguments::read(USAGE);
    let addr = arguments.addr("127.0.0.1:8080");
    arguments.end();
    let mut server = start(addr).unwrap_or_else(|err| fail(addr, &err));
    // `main` owns the server, and so the signals, until the process exits: on Windows, dropping the signals ends the
    // process at once if its console closes.
    server.run().unwrap_or_else(|err| fail(addr, &err));
}

fn fail(addr: SocketAddr, err: &io::Error) -> ! {
    eprintln!("delayed_server: {addr}: {err}");
    if err.kind() == ErrorKind::AddrInUse {
        let free = SocketAddr::new(addr.ip(), 0);
        eprintln!("Another program uses this port. To listen on a free port, run\n");
        eprintln!("    cargo run --example delayed_server {free}");
    }
    process::exit(1);
}

fn start(addr: SocketAddr) -> io::Result<Server> {
    // From now on, these signals do not end the process.
    let signals = Signals::new(&[Signal::INTERRUPT, Signal::TERMINATE])?;
    let mut server = Server::bind(addr, Limits::default(), io::stdout())?;
    server.end_on(signals)?;
    let addr = server.addr()?;
    // An error means that standard output is closed. The server does not need it.
    let _ = writeln!(
        io::stdout(),
        "listening on http://{addr}\n\
         In another terminal, run: curl http://{addr}/1000/hello\n\
         Now try: other paths; then cargo run --example delayed_client {addr}"
    );
    Ok(server)
}
