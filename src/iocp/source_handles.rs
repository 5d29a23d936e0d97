//! Source handles: the registrations of `SourceHandle`s. Such a source is only a handle's number and keeps no state, so
//! the selector keeps the state.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::ffi::HANDLE;
use super::selector_state::SelectorState;
use super::waitable::{duplicate, Object, Waitable};
use crate::association::not_registered;
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

/// The waitables of source handles, by number. A waitable has a duplicate of the handle: the program may close the
/// handle while the thread pool waits.
pub(super) struct SourceHandles(Mutex<BTreeMap<usize, Arc<Waitable>>>);

impl SourceHandles {
    pub fn new() -> SourceHandles {
        SourceHandles(Mutex::new(BTreeMap::new()))
    }
}

/// Ends all waits. A wait that went on would consume signals for a poll that was dropped.
impl Drop for SourceHandles {
    fn drop(&mut self) {
        lock(&self.0).values().for_each(Waitable::deregister);
    }
}

// Register, reregister, deregister.

impl SourceHandles {
    /// Registers a handle. If its number is registered already, this replaces the registration: the program may have
    /// closed the registered handle, which this crate cannot detect.
    pub fn register(
        &self,
        shared: &Arc<SelectorState>,
        handle: HANDLE,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let mut waitables = lock(&self.0);
        let waitable = shared.new_waitable();
        let update = waitable.register(Object::Handle(Arc::new(duplicate(handle)?)), token, interest)?;
        shared.schedule_posting(&waitable, update);
        if let Some(old) = waitables.insert(handle as usize, waitable) {
            old.deregister();
        }
        Ok(())
    }

    /// Changes the registration of the object that was registered, even if the program has closed the handle.
    pub fn reregister(
        &self,
        shared: &SelectorState,
        handle: HANDLE,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let waitables = lock(&self.0);
        let waitable = waitables.get(&(handle as usize)).ok_or_else(not_registered)?;
        let update = waitable.reregister(token, interest).ok_or_else(not_registered)?;
        shared.schedule_posting(waitable, update);
        Ok(())
    }

    pub fn deregister(&self, handle: HANDLE) -> io::Result<()> {
        // The lock is held until the registration has ended, so that no other thread registers the number before.
        let mut waitables = lock(&self.0);
        let waitable = waitables.remove(&(handle as usize)).ok_or_else(not_registered)?;
        waitable.deregister();
        Ok(())
    }
}
