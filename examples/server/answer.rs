//! The answer to a request: status, body and delay.

use std::time::Duration;

use crate::http::{decode, Request, Status};

pub struct Answer {
    pub status: Status,
    pub body: Vec<u8>,
    pub delay: Duration,
}

impl Answer {
    /// Returns the answer to `request`. A delay above `max_delay` is refused.
    pub fn new(request: &Request, max_delay: Duration) -> Answer {
        if request.method != "GET" {
            return Answer::refusal(Status::METHOD_NOT_ALLOWED, "");
        }
        let (delay, text) = match parts(&request.path) {
            Some(parts) => parts,
            None => return Answer::refusal(Status::NOT_FOUND, "Try /1000/hello\n"),
        };
        // A number that does not fit into `u64` is refused like a delay that is too long.
        match delay.parse().map(Duration::from_millis) {
            Ok(delay) if delay <= max_delay => match decode(text) {
                Some(body) => Answer { status: Status::OK, body, delay },
                None => Answer::refusal(Status::BAD_REQUEST, "A % must be followed by two hexadecimal digits\n"),
            },
            _ => Answer::refusal(Status::BAD_REQUEST, "The delay is too long\n"),
        }
    }

    /// Returns an error answer without a delay. The answer to an unknown method has no body, because the method may be
    /// HEAD, whose response must not have one.
    pub fn refusal(status: Status, body: &str) -> Answer {
        Answer { status, body: body.into(), delay: Duration::ZERO }
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
