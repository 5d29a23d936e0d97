//! Requests: a server parses them, a client writes them.

use std::net::SocketAddr;

use super::head::{is_token, length, Fault, Head, InputBuffer};
use super::Status;

/// The longest body that a request may have. The server skips the body to find the next request.
pub const MAX_BODY: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Whether the connection stays open after the response.
    pub keep_alive: bool,
}

/// Parses requests from a stream of bytes that arrives in pieces.
///
/// A missing `Host` is accepted, so that a request can be typed by hand. Everything that two parsers could understand
/// differently is an error. After an error the beginning of the next request is unknown.
#[derive(Default)]
pub struct Requests {
    input: InputBuffer,
    /// A request whose head is complete, and how many bytes of its body are missing.
    unfinished: Option<(Request, usize)>,
}

impl Requests {
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// Takes the next request. Returns `None` if the request is not complete. An error is the status of the response.
    pub fn take(&mut self) -> Result<Option<Request>, Status> {
        if self.unfinished.is_none() {
            self.unfinished = match self.input.take_head()? {
                Some(head) => Some(read_head(&head)?),
                None => return Ok(None),
            };
        }
        if let Some((_, missing)) = &mut self.unfinished {
            *missing -= self.input.skip(*missing);
        }
        match self.unfinished.take() {
            Some((request, 0)) => Ok(Some(request)),
            unfinished => {
                self.unfinished = unfinished;
                Ok(None)
            }
        }
    }

    /// Returns whether a part of a request has arrived. Call this after `take` returned `None`.
    pub fn is_midway(&self) -> bool {
        self.unfinished.is_some() || !self.input.is_empty()
    }
}

/// Returns the request and the length of its body.
fn read_head(head: &Head<'_>) -> Result<(Request, usize), Status> {
    let (method, path, is_old) = read_first_line(head.first_line)?;
    let (mut close, mut keep_alive) = (false, false);
    let mut body = None;
    for field in head.fields() {
        let (name, value) = field?;
        if name.eq_ignore_ascii_case("Connection") {
            close |= lists(value, "close");
            keep_alive |= lists(value, "keep-alive");
        } else if name.eq_ignore_ascii_case("Content-Length") {
            // A second length is an error: a proxy might use the first and this server the second.
            if body.replace(length(value)?).is_some() {
                return Err(Status::BAD_REQUEST);
            }
        } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Err(Status::NOT_IMPLEMENTED);
        }
    }
    match body.unwrap_or(0) {
        body if body > MAX_BODY => Err(Status::CONTENT_TOO_LARGE),
        body => {
            let keep_alive = !close && (keep_alive || !is_old);
            Ok((Request { method: method.into(), path: path.into(), keep_alive }, body))
        }
    }
}

/// Returns the method, the path, and whether the version is HTTP/1.0.
fn read_first_line(line: &str) -> Result<(&str, &str, bool), Status> {
    let mut words = line.split(' ');
    let (method, path, version) = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(path), Some(version), None) => (method, path, version),
        _ => return Err(Status::BAD_REQUEST),
    };
    if !is_token(method) || path.is_empty() || path.contains(char::is_whitespace) {
        return Err(Status::BAD_REQUEST);
    }
    match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some([b'1', b'.', b'0']) => Ok((method, path, true)),
        Some([b'1', b'.', b'1'..=b'9']) => Ok((method, path, false)),
        Some([b'0'..=b'9', b'.', b'0'..=b'9']) => Err(Status::VERSION_NOT_SUPPORTED),
        _ => Err(Status::BAD_REQUEST),
    }
}

/// Returns whether the comma-separated list `value` contains `option`.
fn lists(value: &str, option: &str) -> bool {
    value.split(',').any(|word| word.trim().eq_ignore_ascii_case(option))
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Status {
        match fault {
            Fault::Malformed => Status::BAD_REQUEST,
            Fault::TooLong => Status::HEADER_TOO_LARGE,
        }
    }
}

/// Returns the bytes of a request that closes the connection after its response.
pub fn write_request(host: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
}
