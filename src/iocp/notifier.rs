//! The notifier: what ends a wait from outside. A packet that nobody but us has put into the port.

use std::io;
use std::ptr;
use std::sync::Arc;

use super::port::{Port, NOTIFIER};
use super::Selector;

pub(crate) struct Notifier {
    port: Arc<Port>,
}

impl Notifier {
    /// A notifier of this selector, for as long as both live.
    pub fn new(selector: &Selector) -> io::Result<Notifier> {
        Ok(Notifier { port: Arc::clone(selector.port()) })
    }

    /// Ends the wait that is under way, or the next one, once. Never blocks, never allocates.
    pub fn notify(&self) -> io::Result<()> {
        self.port.post(NOTIFIER, ptr::null_mut())
    }
}
