//! Tests that count or use up what a whole process has, or change it: descriptors, handles, memory, signal handlers.
//! Each test runs in a child process of its own.

#![deny(unsafe_op_in_unsafe_fn)]

#[path = "../support/mod.rs"]
mod support;

mod child_pipes;
mod closed_sockets;
mod descriptors;
mod handles;
mod named_pipes_counted;
mod signals;
mod sigpipe;
