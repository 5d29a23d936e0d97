//! Responses: a server writes them, a client parses them.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use super::head::{length, Fault, Head, InputBuffer};

/// The longest body that a client accepts.
const MAX_BODY: usize = 1024 * 1024;

/// The status of a response: the number and its phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16, pub &'static str);

impl Status {
    pub const OK: Status = Status(200, "OK");
    pub const BAD_REQUEST: Status = Status(400, "Bad Request");
    pub const NOT_FOUND: Status = Status(404, "Not Found");
    pub const METHOD_NOT_ALLOWED: Status = Status(405, "Method Not Allowed");
    pub const CONTENT_TOO_LARGE: Status = Status(413, "Content Too Large");
    pub const HEADER_TOO_LARGE: Status = Status(431, "Request Header Fields Too Large");
    pub const NOT_IMPLEMENTED: Status = Status(501, "Not Implemented");
    pub const VERSION_NOT_SUPPORTED: Status = Status(505, "HTTP Version Not Supported");

    /// Appends the head of a response to `out`. The head contains the length of the body, so the client finds the
    /// beginning of the next response.
    pub fn write_head(self, length: usize, keep_alive: bool, out: &mut Vec<u8>) {
        let allow = if self == Status::METHOD_NOT_ALLOWED { "Allow: GET, HEAD\r\n" } else { "" };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        write!(
            out,
            "HTTP/1.1 {self}\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {length}\r\n\
             {allow}\
             Connection: {connection}\r\n\
             \r\n",
        )
        .expect("writing to a vector cannot fail");
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
    pub keep_alive: bool,
}

impl Response {
    /// Returns the body without the newline at its end.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.body.strip_suffix(b"\n").unwrap_or(&self.body))
    }
}

/// Parses responses from a stream of bytes that arrives in pieces. Each response must contain its length.
#[derive(Default)]
pub struct Responses {
    input: InputBuffer,
    /// A response whose head is complete, and the length of its body.
    unfinished: Option<(Response, usize)>,
}

impl Responses {
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// Takes the next response. Returns `None` if the response is not complete.
    pub fn take(&mut self) -> Result<Option<Response>, Fault> {
        if self.unfinished.is_none() {
            self.unfinished = match self.input.take_head()? {
                Some(head) => Some(read_head(&head)?),
                None => return Ok(None),
            };
        }
        let body = self.unfinished.as_ref().and_then(|(_, length)| self.input.take(*length));
        Ok(body.and_then(|body| self.unfinished.take().map(|(response, _)| Response { body, ..response })))
    }
}

/// Returns the response without its body, and the length of the body.
fn read_head(head: &Head<'_>) -> Result<(Response, usize), Fault> {
    let mut words = head.first_line.splitn(3, ' ');
    let status = match (words.next(), words.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(status)) if status.len() == 3 => length(status)? as u16,
        _ => return Err(Fault::Malformed),
    };
    let mut keep_alive = head.first_line.starts_with("HTTP/1.1");
    let mut body = None;
    for field in head.fields() {
        let (name, value) = field?;
        if name.eq_ignore_ascii_case("Content-Length") {
            body = Some(length(value)?);
        } else if name.eq_ignore_ascii_case("Connection") {
            keep_alive = value.eq_ignore_ascii_case("keep-alive");
        }
    }
    match body {
        None => Err(Fault::Malformed),
        Some(body) if body > MAX_BODY => Err(Fault::TooLong),
        Some(body) => Ok((Response { status, body: Vec::new(), keep_alive }, body)),
    }
}
