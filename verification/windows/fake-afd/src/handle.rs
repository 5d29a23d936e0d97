//! What a source is here: a socket of the fake kernel's.

use crate::kernel;

pub(crate) type Raw = usize;

pub(crate) trait AsHandle {
    fn number(&self) -> Raw;
}

pub(crate) fn raw(source: &impl AsHandle) -> Raw {
    source.number()
}

/// A socket of the fake kernel's, closed in the end.
#[derive(Debug)]
pub(crate) struct Socket(pub Raw);

impl AsHandle for Socket {
    fn number(&self) -> Raw {
        self.0
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        kernel::enter().close_socket(self.0);
    }
}
