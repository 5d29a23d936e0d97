//! A line for each request, written a batch at a time: a flood of requests is not a flood of system calls.

use std::fmt;
use std::io::{self, Write};

pub struct Log {
    lines: Vec<u8>,
    out: Box<dyn Write + Send>,
}

impl Log {
    pub fn new(out: impl Write + Send + 'static) -> Log {
        Log { lines: Vec::new(), out: Box::new(out) }
    }

    pub fn line(&mut self, line: fmt::Arguments<'_>) {
        writeln!(self.lines, "{line}").expect("a vector takes everything");
    }

    /// Writes what has gathered.
    pub fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let written = self.out.write_all(&self.lines).and_then(|()| self.out.flush());
        self.lines.clear();
        if written.is_err() {
            // Nobody reads it any more (`delayed_server | head -1`). The server goes on without a log.
            self.out = Box::new(io::sink());
        }
    }
}
