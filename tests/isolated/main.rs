//! Tests that count, use up or change what all threads of a process share: descriptors, handles, memory, limits and
//! signal handlers. Each test runs in a child process of its own.

#![deny(unsafe_op_in_unsafe_fn)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/allocated_bytes.rs"]
mod allocated_bytes;
mod child_exits;
mod child_exits_by_signal;
mod child_pipes;
mod closed_sockets;
mod console_events;
mod descriptors;
mod dropped;
mod forked;
mod handles;

mod named_pipe_leaks;
mod received_signals;
mod signal_handlers;
mod signals;
mod sigpipe;
mod source_handle_leaks;
