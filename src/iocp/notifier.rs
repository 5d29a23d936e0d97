//! The notifier, which ends a wait from another thread: a packet that this crate posts.

use std::io;
use std::ptr;
use std::sync::Arc;

use super::port::KEY_NOTIFIER;
use super::shared::Shared;
use super::Selector;

pub(crate) struct Notifier {
    shared: Arc<Shared>,
}

impl Notifier {
    /// Creates a notifier of this selector.
    pub fn new(selector: &mut Selector) -> io::Result<Notifier> {
        Ok(Notifier { shared: Arc::clone(selector.shared()) })
    }

    /// Ends the wait in progress, or else the next one, once. Never blocks and never allocates.
    pub fn notify(&self) -> io::Result<()> {
        self.shared.port.post(KEY_NOTIFIER, ptr::null_mut())
    }
}
