//! The notifier, which ends a wait from another thread by posting a packet to the port.

use std::io;
use std::ptr;
use std::sync::Arc;

use super::port::KEY_NOTIFIER;
use super::selector_state::SelectorState;
use super::Selector;

pub(crate) struct Notifier {
    shared: Arc<SelectorState>,
}

impl Notifier {
    /// Creates a notifier of this selector.
    pub fn new(selector: &Selector) -> io::Result<Notifier> {
        Ok(Notifier { shared: Arc::clone(selector.shared()) })
    }

    /// Ends the wait in progress or, if there is none, the next one. One call ends at most one wait. Never blocks, and
    /// allocates no memory in the program.
    pub fn notify(&self) -> io::Result<()> {
        self.shared.port.post(KEY_NOTIFIER, ptr::null_mut())
    }
}
