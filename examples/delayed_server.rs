//! An HTTP server that delays its responses: `GET /<ms>/<text>` returns `<text>` after `<ms>` milliseconds. One thread
//! serves all clients. The thread blocks in `poll`, when there is nothing to do, and in a write to standard output if
//! its reader is slow.
//!
//! ```text
//! cargo run --example delayed_server [addr]
//! ```

mod http;
mod server;

use std::env;
use std::io::{self, Write};
use std::process;

use server::{Limits, Server};

fn main() {
    let addr = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    if let Err(err) = serve(&addr) {
        eprintln!("delayed_server: {addr}: {err}");
        process::exit(1);
    }
}

fn serve(addr: &str) -> io::Result<()> {
    let addr =
        addr.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not an address like 127.0.0.1:8080"))?;
    let server = Server::bind(addr, Limits::default(), io::stdout())?;
    let url = format!("http://{}", server.addr()?);
    // An error means that standard output is closed. The server does not need it.
    let _ = writeln!(io::stdout(), "listening on {url}\ntry: curl {url}/1000/hello");
    server.run()
}
