//! Sends many requests to a delayed server at once, on one thread, and prints the responses in the order in which they
//! arrive.
//!
//! ```text
//! cargo run --example delayed_client addr [ms/text …]
//! ```

mod client;
mod http;

use std::env;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process;

use client::{Client, Outcome};

const DEFAULTS: [&str; 5] = ["1000/last", "250/second", "750/fourth", "0/first", "500/third"];

fn main() {
    let mut args = env::args().skip(1);
    let server = args.next().unwrap_or_else(|| {
        eprintln!("usage: delayed_client addr [ms/text …]");
        process::exit(2)
    });
    let mut requests: Vec<String> = args.collect();
    if requests.is_empty() {
        requests.extend(DEFAULTS.map(String::from));
    }
    match resolve(&server).and_then(|addr| request_all(addr, &requests)) {
        Ok(true) => {}
        Ok(false) => process::exit(1),
        Err(err) => {
            eprintln!("delayed_client: {server}: {err}");
            process::exit(1);
        }
    }
}

/// Returns the address of `server`, which may also be a name (`localhost:8080`) or the URL that the server prints.
fn resolve(server: &str) -> io::Result<SocketAddr> {
    let host = server.trim_start_matches("http://").trim_end_matches('/');
    host.to_socket_addrs()?.next().ok_or_else(|| ErrorKind::AddrNotAvailable.into())
}

/// Sends all requests and prints their outcomes. Returns whether all succeeded.
fn request_all(addr: SocketAddr, requests: &[String]) -> io::Result<bool> {
    let mut client = Client::new(addr, requests.iter().map(|request| format!("/{}", http::encode(request))))?;
    let mut all_succeeded = true;
    while let Some(outcome) = client.next_outcome()? {
        all_succeeded &= outcome.response.as_ref().map_or(false, |response| response.status == 200);
        print(&requests[outcome.request], &outcome);
    }
    Ok(all_succeeded)
}

fn print(request: &str, outcome: &Outcome) {
    let milliseconds = outcome.elapsed.as_secs_f64() * 1000.0;
    match &outcome.response {
        Ok(response) => {
            println!("{milliseconds:8.1} ms  {request:20}  {}  {}", response.status, response.text());
        }
        Err(err) => println!("{milliseconds:8.1} ms  {request:20}  {err}"),
    }
}
