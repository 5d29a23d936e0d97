//! The crate's own files, unchanged, with loom's locks and atomics in `sync`, over a model of the queue.
//!
//! `README.md` describes what is explored and how to run it. The models are in `models/`, their queue in `queue.rs`.

// The models use only a part of the crate's files.
#![allow(dead_code, unused_imports)]

// As in the crate's `lib.rs`, these two are the platform: a model.
mod handle;
mod queue;

#[path = "../../../src/association.rs"]
mod association;
#[path = "../../../src/blocks.rs"]
mod blocks;
#[path = "../../../src/event.rs"]
mod event;
#[path = "../../../src/interest.rs"]
mod interest;
#[path = "../../../src/io_source.rs"]
mod io_source;
#[path = "../../../src/poll.rs"]
mod poll;
#[path = "../../../src/shared.rs"]
mod shared;
#[path = "../../../src/source.rs"]
mod source;
#[path = "../../../src/timer.rs"]
mod timer;
#[path = "../../../src/timers.rs"]
mod timers;
#[path = "../../../src/wait.rs"]
mod wait;
#[path = "../../../src/waker.rs"]
mod waker;
#[path = "../../../src/wakers.rs"]
mod wakers;
#[path = "../../../src/wakers_and_timers.rs"]
mod wakers_and_timers;

use event::{Events, Token};
use interest::Interest;
use poll::{Poll, Registry};
use timer::Timer;
use waker::Waker;

/// Replaces the crate's `sync.rs`.
mod sync {
    pub(crate) use loom::sync::{atomic, Arc, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;
    use std::sync::PoisonError;

    /// Few slots and bits, so a few wakers are in several blocks, and blocks share a bit.
    pub(crate) const BLOCK_SIZE: usize = 2;
    pub(crate) const SUMMARY_BITS: usize = 2;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod models;
