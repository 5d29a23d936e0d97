//! Sends many requests to a delayed server at once, on one thread, and prints the responses in the order in which they
//! arrive.
//!
//! ```text
//! cargo run --example delayed_client [ADDR [MS/TEXT …]]
//! ```

mod arguments;
mod client;
mod http;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process;

use arguments::Arguments;
use client::{Client, Outcome};

const USAGE: &str = "delayed_client [ADDR [MS/TEXT …]]

ADDR     the server, for example localhost:8080 (default: 127.0.0.1:8080)
MS/TEXT  a request: its delay in milliseconds, and the text of the response";

const DEFAULTS: [&str; 5] = ["1000/last", "250/second", "750/fourth", "0/first", "500/third"];

fn main() {
    let mut arguments = Arguments::read(USAGE);
    let addr = arguments.addr("127.0.0.1:8080");
    let mut requests = arguments.rest();
    if requests.is_empty() {
        requests.extend(DEFAULTS.map(String::from));
    }
    match request_all(addr, &requests) {
        Ok(true) => println!("Now try: 100/one 50/two after the address; then cargo run --example delayed_load"),
        Ok(false) => process::exit(1),
        Err(err) => {
            eprintln!("delayed_client: {addr}: {err}");
            process::exit(1);
        }
    }
}

/// Sends all requests and prints their outcomes. Returns whether all succeeded.
fn request_all(addr: SocketAddr, requests: &[String]) -> io::Result<bool> {
    let mut client = Client::new(addr, requests.iter().map(|request| format!("/{}", http::encode(request))))?;
    let mut all_succeeded = true;
    let mut is_refused = false;
    while let Some(outcome) = client.next_outcome()? {
        is_refused |= matches!(&outcome.response, Err(err) if err.kind() == ErrorKind::ConnectionRefused);
        all_succeeded &= outcome.response.as_ref().map_or(false, |response| response.status == 200);
        print(&requests[outcome.request], &outcome);
    }
    if is_refused {
        eprintln!("Start a server in another terminal: cargo run --example delayed_server {addr}");
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
