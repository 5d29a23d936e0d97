//! The example programs, and the code that the examples share.

#[path = "../../examples/http/mod.rs"]
mod http;
#[path = "../../examples/server/mod.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod command_lines;
mod delayed;
mod http_messages;
mod programs;
