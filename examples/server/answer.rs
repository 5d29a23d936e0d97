//! What is answered to a request, and when.

use std::time::Duration;

use crate::http::{decode, Request, Status};

pub struct Answer {
    pub status: Status,
    pub body: Vec<u8>,
    pub delay: Duration,
}

impl Answer {
    /// The answer to `request`, where nobody may ask for a delay above `longest`.
    pub fn new(request: &Request, longest: Duration) -> Answer {
        if request.method != "GET" {
            return Answer::refusal(Status::METHOD_NOT_ALLOWED, "");
        }
        let (delay, text) = match parts(&request.path) {
            Some(parts) => parts,
            None => return Answer::refusal(Status::NOT_FOUND, "Try /1000/hello\n"),
        };
        // More digits than a number can have are too many as well.
        match delay.parse().map(Duration::from_millis) {
            Ok(delay) if delay <= longest => match decode(text) {
                Some(body) => Answer { status: Status::OK, body, delay },
                None => Answer::refusal(Status::BAD_REQUEST, "After a % come two hexadecimal digits\n"),
            },
            _ => Answer::refusal(Status::BAD_REQUEST, "Nobody waits that long\n"),
        }
    }

    /// An answer that needs no thought. That to a wrong method has no body, since the method may have been HEAD, which
    /// allows none.
    pub fn refusal(status: Status, body: &str) -> Answer {
        Answer { status, body: body.into(), delay: Duration::ZERO }
    }
}

/// The digits and the text in `/<ms>/<text>`; what follows a question mark does not count. Some servers of this kind,
/// and so their clients, have `/delay` in front.
fn parts(path: &str) -> Option<(&str, &str)> {
    let path = path.split('?').next()?;
    let path = path.strip_prefix("/delay").unwrap_or(path);
    let (delay, text) = path.strip_prefix('/')?.split_once('/')?;
    let is_number = !delay.is_empty() && delay.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((delay, text))
}
