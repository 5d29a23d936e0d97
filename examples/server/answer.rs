//! The answer to a request: status, body and delay.

use std::time::Duration;

use crate::http::{decode, Request, Status};

pub struct Answer {
    pub status: Status,
    /// The body ends with a newline, so that `curl` in a terminal leaves the cursor at the beginning of a line.
    pub body: Vec<u8>,
    /// Whether the body is sent. The answer to HEAD has only the head of the answer to GET. (The refusal of a request
    /// that the server does not understand has a body whatever the method is; the connection is closed after it.)
    pub has_body: bool,
    pub delay: Duration,
}

impl Answer {
    /// Returns the answer to `request`. A delay above `max_delay` is refused.
    pub fn new(request: &Request, max_delay: Duration) -> Answer {
        match &request.method[..] {
            "GET" => Answer::get(&request.path, max_delay),
            "HEAD" => Answer { has_body: false, ..Answer::get(&request.path, max_delay) },
            _ => Answer::refusal(Status::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered\n"),
        }
    }

    fn get(path: &str, max_delay: Duration) -> Answer {
        let (delay, text) = match parts(path) {
            Some(parts) => parts,
            None => return Answer::refusal(Status::NOT_FOUND, "Try /1000/hello\n"),
        };
        // A number that does not fit into `u64` is refused like a delay that is too long.
        match delay.parse().map(Duration::from_millis) {
            Ok(delay) if delay <= max_delay => match decode(text) {
                Some(mut body) => {
                    body.push(b'\n');
                    Answer { status: Status::OK, body, has_body: true, delay }
                }
                None => Answer::refusal(Status::BAD_REQUEST, "A % must be followed by two hexadecimal digits\n"),
            },
            _ => Answer::refusal(Status::BAD_REQUEST, "The delay is too long\n"),
        }
    }

    /// Returns an error answer without a delay.
    pub fn refusal(status: Status, body: &str) -> Answer {
        Answer { status, body: body.into(), has_body: true, delay: Duration::ZERO }
    }
}

/// Returns the digits and the text of `/<ms>/<text>`. A query after a question mark is ignored. A prefix `/delay` is
/// accepted, because clients of similar servers send it.
fn parts(path: &str) -> Option<(&str, &str)> {
    let path = path.split('?').next()?;
    let path = path.strip_prefix("/delay").unwrap_or(path);
    let (delay, text) = path.strip_prefix('/')?.split_once('/')?;
    let is_number = !delay.is_empty() && delay.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((delay, text))
}
