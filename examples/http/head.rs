//! The common part of requests and responses: they arrive in pieces, and begin with a head of lines.

use std::cmp;
use std::ops::Range;
use std::str;

/// The longest accepted head, including the empty line at its end.
pub const MAX_HEAD: usize = 8 * 1024;

/// The fault of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Malformed,
    TooLong,
}

/// The bytes that have arrived and are not consumed. What the methods take from it depends on the bytes only, not on
/// how they were split into pieces.
#[derive(Default)]
pub struct InputBuffer {
    bytes: Vec<u8>,
    /// All bytes before this index are consumed.
    start: usize,
    /// The beginning of the line that is not complete.
    line: usize,
    /// All bytes before this index were searched for the end of a line. So a head that arrives byte by byte is searched
    /// only once.
    searched: usize,
}

impl InputBuffer {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.line -= self.start;
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Takes a head. Returns `None` if the head is not complete.
    pub fn take_head(&mut self) -> Result<Option<Head<'_>>, Fault> {
        while let Some(line) = self.next_line()? {
            if line.is_empty() {
                let head = self.start..line.start;
                self.start = self.line;
                // Skip an empty line before a message: some clients send one after the previous message.
                if !head.is_empty() {
                    return Head::new(&self.bytes[head]).map(Some);
                }
            }
        }
        if self.is_empty() {
            // Free the buffer: thousands of connections may wait for a response at the same time.
            *self = InputBuffer::default();
        }
        Ok(None)
    }

    /// Returns the range of the next line, without its CR LF. A bare LF is an error: some servers treat it as the end
    /// of a line and some do not, which request smuggling exploits.
    fn next_line(&mut self) -> Result<Option<Range<usize>>, Fault> {
        let limit = self.start + MAX_HEAD;
        let here = cmp::min(limit, self.bytes.len());
        match self.bytes[self.searched..here].iter().position(|&byte| byte == b'\n') {
            Some(at) => {
                let (line, end) = (self.line, self.searched + at);
                self.line = end + 1;
                self.searched = end + 1;
                match self.bytes[line..end].ends_with(b"\r") {
                    true => Ok(Some(line..end - 1)),
                    false => Err(Fault::Malformed),
                }
            }
            None if here == limit => Err(Fault::TooLong),
            None => {
                self.searched = here;
                Ok(None)
            }
        }
    }

    /// Consumes at most `count` bytes and returns how many.
    pub fn skip(&mut self, count: usize) -> usize {
        let skipped = cmp::min(count, self.bytes.len() - self.start);
        self.advance(skipped);
        skipped
    }

    /// Takes exactly `count` bytes. Returns `None` if fewer have arrived.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let taken = self.bytes[self.start..].get(..count)?.to_vec();
        self.advance(count);
        Some(taken)
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.line = self.start;
        self.searched = self.start;
    }
}

/// The first line of a message, and its fields.
pub struct Head<'a> {
    pub first_line: &'a str,
    fields: &'a str,
}

impl<'a> Head<'a> {
    /// Parses a head, all of whose `lines` end in CR LF.
    fn new(lines: &'a [u8]) -> Result<Head<'a>, Fault> {
        let lines = str::from_utf8(lines).map_err(|_| Fault::Malformed)?;
        let is_control = |char: char| char.is_control() && char != '\t';
        if lines.split("\r\n").any(|line| line.contains(is_control)) {
            return Err(Fault::Malformed);
        }
        let (first_line, fields) = lines.split_once("\r\n").ok_or(Fault::Malformed)?;
        Ok(Head { first_line, fields })
    }

    /// Returns the names and values of the fields.
    pub fn fields(&self) -> impl Iterator<Item = Result<(&'a str, &'a str), Fault>> {
        self.fields.split_terminator("\r\n").map(|line| {
            // A space before the colon, or a line that continues the previous one, is an error too, because both are
            // used for request smuggling. A valid name contains no space.
            match line.split_once(':') {
                Some((name, value)) if is_token(name) => Ok((name, value.trim_matches(&[' ', '\t'][..]))),
                _ => Err(Fault::Malformed),
            }
        })
    }
}

/// Returns whether `name` is an HTTP token, which a method and a field name must be.
pub fn is_token(name: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token_byte)
}

/// Parses a length, which must be digits only: servers disagree about `+5`, `5, 5` and `0x5`.
pub fn length(value: &str) -> Result<usize, Fault> {
    match value.bytes().all(|byte| byte.is_ascii_digit()) {
        true => value.parse().map_err(|_| Fault::Malformed),
        false => Err(Fault::Malformed),
    }
}
