//! The program's side of a waitable, for a source that owns its handle or its flag.

use std::io;
use std::sync::{Arc, Weak};

use super::ffi::HANDLE;
use super::selector_state::SelectorState;
use super::waitable::{duplicate, Object, Waitable};
use super::Selector;
use crate::association::not_registered;
use crate::event::Token;
use crate::Interest;

/// An object, and its waitable while it is registered.
pub(crate) struct WaitSource {
    object: Object,
    /// The waitable keeps the port open. If the poll is dropped first, the port stays open until the source is
    /// registered again or dropped.
    waitable: Option<Arc<Waitable>>,
    /// The selector of `waitable`. A source does not keep its poll alive.
    shared: Weak<SelectorState>,
}

// Open and close.

impl WaitSource {
    /// Duplicates a handle.
    pub fn duplicate(handle: HANDLE) -> io::Result<WaitSource> {
        Ok(WaitSource::new(Object::Handle(Arc::new(duplicate(handle)?))))
    }

    /// Creates a source that is signalled while `set` has set it.
    pub fn flag() -> WaitSource {
        WaitSource::new(Object::Flag(false))
    }

    fn new(object: Object) -> WaitSource {
        WaitSource { object, waitable: None, shared: Weak::new() }
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
    /// Registers the object.
    ///
    /// # Errors
    ///
    /// The system's error: a thread cannot wait for the object.
    pub fn register(&mut self, selector: &Selector, token: Token, interest: Interest) -> io::Result<()> {
        // The source may still be registered with a `Poll` that was dropped.
        self.deregister();
        let shared = selector.shared();
        let waitable = shared.new_waitable();
        let update = waitable.register(self.object.clone(), token, interest)?;
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

    /// Sets or clears the flag. In edge mode, each call that sets it makes a `poll` report it.
    pub fn set(&mut self, is_set: bool) {
        self.object = Object::Flag(is_set);
        if let (Some(waitable), Some(shared)) = (&self.waitable, self.shared.upgrade()) {
            shared.schedule_posting(waitable, waitable.set_flag(is_set));
        }
    }
}
