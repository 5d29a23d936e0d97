//! The part of HTTP/1.1 that the examples need, without sockets: the caller pushes bytes as they arrive and takes
//! complete messages.
//!
//! - `head.rs`: bytes that arrive in pieces, and the lines that begin every message.
//! - `request.rs`: parsing requests from a stream of bytes, and writing one.
//! - `response.rs`: the same for responses.
//! - `percent.rs`: text in a path.

#![allow(dead_code, unused_imports)] // No example uses all of it.

mod head;
mod percent;
mod request;
mod response;

pub use head::{Fault, MAX_HEAD};
pub use percent::{decode, encode};
pub use request::{write_request, Request, Requests, MAX_BODY};
pub use response::{Response, Responses, Status};
