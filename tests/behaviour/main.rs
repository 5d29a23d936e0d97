//! What this crate promises about every source, mode and event, and about the wait, through its public API.

#![deny(unsafe_op_in_unsafe_fn)]

#[path = "../support/counting.rs"]
mod counting;
#[path = "../../examples/http/mod.rs"]
mod http;
#[path = "../../examples/server/mod.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod allocation;
mod book;
mod events;
mod events_unix;
mod interest;
mod modes;
mod named_pipes;
mod pipes;
mod poll;
mod poll_descriptor;
mod registration;
mod source_fd;
mod source_socket;
mod tcp;
mod timer;
mod udp;
mod unix;
mod unix_sockets;
mod wake;
mod windows;
