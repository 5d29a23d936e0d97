//! The command lines of the examples: `--help`, and a clear error for an argument that an example does not take.

#![allow(dead_code)] // No example uses all of it.

use std::env;
use std::fmt::{self, Display};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process;
use std::vec;

/// Checks the command line of an example that takes no arguments.
pub fn none(name: &'static str) {
    Arguments::read(name).end();
}

/// The arguments of an example. Each method takes the next ones.
pub struct Arguments {
    usage: &'static str,
    rest: vec::IntoIter<String>,
}

impl Arguments {
    /// Reads the command line. `usage` begins with the name of the example. Prints the usage and exits if an argument
    /// is `--help`.
    pub fn read(usage: &'static str) -> Arguments {
        let rest: Vec<_> = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        let arguments = Arguments { usage, rest: rest.into_iter() };
        for argument in arguments.rest.as_slice() {
            if argument == "--help" || argument == "-h" {
                println!(
                    "{arguments}\n\nThe comment at the top of examples/{}.rs explains this example.",
                    arguments.name()
                );
                process::exit(0);
            }
            if argument.starts_with('-') {
                arguments.fail(format_args!("there is no option `{argument}`"));
            }
        }
        arguments
    }

    /// Returns whether the next argument is `word`.
    pub fn word(&mut self, word: &str) -> bool {
        let is_next = self.rest.as_slice().first().map_or(false, |argument| argument == word);
        is_next && self.rest.next().is_some()
    }

    /// Takes a number from 1 to `max`.
    pub fn number(&mut self, default: usize, max: usize) -> usize {
        match self.rest.next().map(|text| (text.parse(), text)) {
            None => default,
            Some((Ok(number), _)) if (1..=max).contains(&number) => number,
            Some((_, text)) => self.fail(format_args!("`{text}` is not a number from 1 to {max}")),
        }
    }

    /// Takes an address, which may also be a name (`localhost:8080`) or a URL (`http://localhost:8080/`).
    pub fn addr(&mut self, default: &str) -> SocketAddr {
        let text = self.rest.next().unwrap_or_else(|| default.into());
        let host = text.trim_start_matches("http://").trim_end_matches('/');
        // A name may have IPv6 and IPv4 addresses. The server and its client both prefer IPv4, so that they use the
        // same address.
        match host.to_socket_addrs().map(|addrs| addrs.min_by_key(SocketAddr::is_ipv6)) {
            Ok(Some(addr)) => addr,
            Ok(None) => self.fail(format_args!("`{text}` has no address")),
            Err(err) => self.fail(format_args!("`{text}` is not an address: {err}")),
        }
    }

    /// Takes all arguments that are left.
    pub fn rest(self) -> Vec<String> {
        self.rest.collect()
    }

    /// Checks that no argument is left.
    pub fn end(mut self) {
        if let Some(argument) = self.rest.next() {
            self.fail(format_args!("unexpected argument `{argument}`"));
        }
    }

    /// Prints the problem and the usage, and exits.
    pub fn fail(&self, problem: impl Display) -> ! {
        eprintln!("{}: {problem}\n{self}", self.name());
        process::exit(2);
    }

    fn name(&self) -> &'static str {
        self.usage.split_whitespace().next().unwrap_or_default()
    }
}

impl Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usage: cargo run --example {}", self.usage)
    }
}
