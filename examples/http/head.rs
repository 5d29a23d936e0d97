//! What requests and responses have in common: they arrive in pieces, and begin with a head of lines.

use std::cmp;
use std::ops::Range;
use std::str;

/// The longest head that is read, with the empty line at its end.
pub const MAX_HEAD: usize = 8 * 1024;

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Malformed,
    TooLong,
}

/// The bytes that have arrived and are not used up. What comes out depends on the bytes alone, not on how they were
/// cut.
#[derive(Default)]
pub struct Intake {
    bytes: Vec<u8>,
    /// All before this is used up.
    start: usize,
    /// Where the line begins that has not ended yet.
    line: usize,
    /// All before this was searched for the end of a line: a head that arrives byte by byte is read once, not each
    /// time.
    searched: usize,
}

impl Intake {
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

    /// Takes a head. `None`: it has not arrived completely.
    pub fn take_head(&mut self) -> Result<Option<Head<'_>>, Fault> {
        while let Some(line) = self.next_line()? {
            if line.is_empty() {
                let head = self.start..line.start;
                self.start = self.line;
                // An empty line before a message is no message: some clients send one too many after the last.
                if !head.is_empty() {
                    return Head::new(&self.bytes[head]).map(Some);
                }
            }
        }
        if self.is_empty() {
            // Thousands of connections that wait for an answer need no buffer for it.
            *self = Intake::default();
        }
        Ok(None)
    }

    /// Where the next line stands, without its end. Lines end in CR LF: a bare LF, which others may take for the end of
    /// a line or not, is how requests are smuggled.
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

    /// Uses up to `count` bytes up, and says how many those were.
    pub fn skip(&mut self, count: usize) -> usize {
        let skipped = cmp::min(count, self.bytes.len() - self.start);
        self.advance(skipped);
        skipped
    }

    /// Takes exactly `count` bytes. `None`: they have not all arrived.
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
    /// `lines` all end in CR LF.
    fn new(lines: &'a [u8]) -> Result<Head<'a>, Fault> {
        let lines = str::from_utf8(lines).map_err(|_| Fault::Malformed)?;
        let is_control = |char: char| char.is_control() && char != '\t';
        if lines.split("\r\n").any(|line| line.contains(is_control)) {
            return Err(Fault::Malformed);
        }
        let (first_line, fields) = lines.split_once("\r\n").ok_or(Fault::Malformed)?;
        Ok(Head { first_line, fields })
    }

    /// Names and values.
    pub fn fields(&self) -> impl Iterator<Item = Result<(&'a str, &'a str), Fault>> {
        self.fields.split_terminator("\r\n").map(|line| {
            // A space before the colon, and a line that continues the one above, are smugglers' tools too: no token has
            // one.
            match line.split_once(':') {
                Some((name, value)) if is_token(name) => Ok((name, value.trim_matches(&[' ', '\t'][..]))),
                _ => Err(Fault::Malformed),
            }
        })
    }
}

/// Whether this is a name in the sense of HTTP: a method's, or a field's.
pub fn is_token(name: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token_byte)
}

/// A length, which is digits and nothing else: `+5`, `5, 5` and `0x5` mean different things to different readers.
pub fn length(value: &str) -> Result<usize, Fault> {
    match value.bytes().all(|byte| byte.is_ascii_digit()) {
        true => value.parse().map_err(|_| Fault::Malformed),
        false => Err(Fault::Malformed),
    }
}
