//! Tests, through the public API, of what this crate guarantees for every source, mode and event, and for the wait.

#![deny(unsafe_op_in_unsafe_fn)]

#[path = "../support/allocation_count.rs"]
mod allocation_count;
#[path = "../../examples/http/mod.rs"]
mod http;
#[path = "../../examples/server/mod.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod allocation;
mod book;
mod completion_port;
mod events;
mod events_unix;
mod hang_up;
mod hang_up_unix;
mod hang_up_windows;
mod interest;
mod modes;
mod named_pipes;
mod pipes;
mod poll;
mod poll_descriptor;
mod priority;
mod registration;
mod source_fd;
mod source_filter;
mod source_handle;
mod source_socket;
mod tcp;
mod timer;
mod udp;
mod unix;
mod unix_sockets;
mod wake;
mod windows;
