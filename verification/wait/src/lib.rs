//! The crate's own files, unchanged, with loom's locks and atomics behind their one door, and over a queue that is a
//! model.
//!
//! `README.md` says what is explored, and how to run it. The models are in `models/`, the queue they run on in
//! `queue.rs`.

// The crate's files have more than the models use, and without tests there are no models.
#![allow(dead_code, unused_imports)]

// As in the crate's `lib.rs`: these two are the platform, here an invented one.
mod handle;
mod queue;

#[path = "../../../src/association.rs"]
mod association;
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

use event::{Events, Token};
use interest::Interest;
use poll::{Poll, Registry};
use timer::Timer;
use waker::Waker;

/// What stands behind the crate's door to locks and atomics.
mod sync {
    pub(crate) use loom::sync::{atomic, Arc, Mutex, MutexGuard};
    use std::sync::PoisonError;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod models;
