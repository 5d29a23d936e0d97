//! The program's side of a waitable, for a source that owns its handle.

use std::io;
use std::sync::{Arc, Weak};

use super::ffi::HANDLE;
use super::port::Handle;
use super::selector_state::SelectorState;
use super::waitable::{duplicate, Waitable};
use super::Selector;
use crate::association::not_registered;
use crate::event::Token;
use crate::Interest;

/// A handle, and its waitable while it is registered.
pub(crate) struct WaitSource {
    handle: Arc<Handle>,
    /// The waitable keeps the port open. If the poll is dropped first, the port stays open until the source is
    /// registered again or dropped.
    waitable: Option<Arc<Waitable>>,
    /// The selector of `waitable`. A source does not keep its poll alive.
    shared: Weak<SelectorState>,
}

// Open and close.

impl WaitSource {
    /// Takes ownership of a handle.
    ///
    /// # Safety
    ///
    /// The handle is open, and no other code closes it.
    pub unsafe fn from_raw(raw: HANDLE) -> WaitSource {
        // SAFETY: the caller promises the same.
        WaitSource::new(unsafe { Handle::from_raw(raw) })
    }

    /// Duplicates a handle.
    pub fn duplicate(handle: HANDLE) -> io::Result<WaitSource> {
        Ok(WaitSource::new(duplicate(handle)?))
    }

    fn new(handle: Handle) -> WaitSource {
        WaitSource { handle: Arc::new(handle), waitable: None, shared: Weak::new() }
    }

    pub fn raw(&self) -> HANDLE {
        self.handle.raw()
    }
}

/// Ends the registration.
impl Drop for WaitSource {
    fn drop(&mut self) {
        self.deregister();
    }
}

// Register, reregister, deregister.

impl WaitSource {
    /// Registers the handle.
    ///
    /// # Errors
    ///
    /// The system's error: a thread cannot wait for the object.
    pub fn register(&mut self, selector: &Selector, token: Token, interest: Interest) -> io::Result<()> {
        // The source may still be registered with a `Poll` that was dropped.
        self.deregister();
        let shared = selector.shared();
        let waitable = shared.new_waitable();
        let update = waitable.register(Arc::clone(&self.handle), token, interest)?;
        shared.schedule_posting(&waitable, update);
        (self.waitable, self.shared) = (Some(waitable), Arc::downgrade(shared));
        Ok(())
    }

    pub fn reregister(&self, selector: &Selector, token: Token, interest: Interest) -> io::Result<()> {
        let waitable = self.waitable.as_ref().ok_or_else(not_registered)?;
        let update = waitable.reregister(token, interest).ok_or_else(not_registered)?;
        selector.shared().schedule_posting(waitable, update);
        Ok(())
    }

    pub fn deregister(&mut self) {
        if let Some(waitable) = self.waitable.take() {
            waitable.deregister();
        }
    }

    /// In edge mode, makes the next `poll` report the object again if it is signalled.
    pub fn rearm(&self) {
        if let (Some(waitable), Some(shared)) = (&self.waitable, self.shared.upgrade()) {
            shared.schedule_posting(waitable, waitable.rearm());
        }
    }
}
