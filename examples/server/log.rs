//! The log: one line for each request. All lines of a batch of events are written with one system call.

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
        writeln!(self.lines, "{line}").expect("writing to a vector cannot fail");
    }

    /// Writes the lines collected since the last call.
    pub fn flush(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let written = self.out.write_all(&self.lines).and_then(|()| self.out.flush());
        self.lines.clear();
        if written.is_err() {
            // The reader of the log is gone, as in `delayed_server | head -1`. The server continues without a log.
            self.out = Box::new(io::sink());
        }
    }
}
