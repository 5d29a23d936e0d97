//! The locks and atomics of the facade. `verification/wait` replaces this module with that of the model checker loom.

pub(crate) use std::sync::{atomic, Arc, Mutex};
use std::sync::{MutexGuard, PoisonError};

/// A lock that somebody has panicked under is entered all the same: nothing here is left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
