//! The locks and atomics of the shared state of a poll. `verification/wait` replaces this module by one that uses the
//! model checker loom.

pub(crate) use std::sync::{atomic, Arc, Mutex};
use std::sync::{MutexGuard, PoisonError};
pub(crate) use std::thread::yield_now;

/// Locks a mutex, even if a thread has panicked while it held the lock: no code of this crate leaves the data half
/// changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
