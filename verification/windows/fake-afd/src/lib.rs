//! The crate's queue for Windows, its files unchanged, on Linux over a fake kernel. The fake defines the system
//! functions that the queue calls. It behaves like Windows, like Wine, or worse than both, and checks every argument.
//!
//! `README.md` describes the fake kernel and how to run the tests. The kernel is in `kernel/`, the tests are in
//! `tests/`.

#![deny(unsafe_op_in_unsafe_fn, rust_2018_idioms)]
#![deny(clippy::undocumented_unsafe_blocks)]
// The tests use only a part of the crate's files.
#![allow(dead_code, unused_imports)]
// `clippy.toml` sets the minimum Rust version of the crate's files; the files of this package may use newer features.
#![allow(clippy::incompatible_msrv)]

// As in the crate's `lib.rs` on Windows.
#[path = "../../../../src/iocp/mod.rs"]
mod iocp;
use iocp as queue;
mod handle;
mod windows;

#[path = "../../../../src/association.rs"]
mod association;
#[path = "../../../../src/blocks.rs"]
mod blocks;
#[path = "../../../../src/event.rs"]
mod event;
#[path = "../../../../src/interest.rs"]
mod interest;
#[path = "../../../../src/io_source.rs"]
mod io_source;
#[path = "../../../../src/poll.rs"]
mod poll;
#[path = "../../../../src/shared.rs"]
mod shared;
#[path = "../../../../src/source.rs"]
mod source;
#[path = "../../../../src/sync.rs"]
mod sync;
#[path = "../../../../src/timer.rs"]
mod timer;
#[path = "../../../../src/timers.rs"]
mod timers;
#[path = "../../../../src/wait.rs"]
mod wait;
#[path = "../../../../src/waker.rs"]
mod waker;
#[path = "../../../../src/wakers.rs"]
mod wakers;
#[path = "../../../../src/wakers_and_timers.rs"]
mod wakers_and_timers;

use event::{Events, Token};
use interest::Interest;
use poll::{Poll, Registry};
use timer::Timer;
use waker::Waker;

mod guard;
mod kernel;
mod world;

#[cfg(test)]
mod tests;
