//! The crate's queue for Windows, its files unchanged, on Linux: what it calls in the system is defined here, by a fake
//! kernel that behaves as Windows does, or Wine, or as badly as either might, and objects to whatever it is told wrong.
//!
//! `README.md` says what is modelled, and how to run it. The kernel is in `kernel/`, the tests are in `tests/`.

#![deny(unsafe_op_in_unsafe_fn, rust_2018_idioms)]
#![deny(clippy::undocumented_unsafe_blocks)]
// The crate's files have more than the tests use, and without tests nothing uses them.
#![allow(dead_code, unused_imports)]
// `clippy.toml` says what the crate's files are held to; the others may use what is newer.
#![allow(clippy::incompatible_msrv)]

// As in the crate's `lib.rs`, on a system that is called Windows.
#[path = "../../../../src/iocp/mod.rs"]
mod iocp;
use iocp as queue;
mod handle;
mod windows;

#[path = "../../../../src/association.rs"]
mod association;
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
