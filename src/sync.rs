//! The locks and atomics of the shared state of a poll. `verification/wait` replaces this module by one that uses the
//! model checker loom.

pub(crate) use std::sync::{atomic, Arc, Mutex};
use std::sync::{MutexGuard, PoisonError};
pub(crate) use std::thread::yield_now;

/// How many items are in one block (see `blocks.rs`), at most 32.
pub(crate) const BLOCK_SIZE: usize = 32;
/// The number of bits that lead to blocks. If there are more blocks than bits, several blocks share a bit.
pub(crate) const SUMMARY_BITS: usize = 512;

/// Locks a mutex, even if a thread has panicked while it held the lock: no code of this crate leaves the data half
/// changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
