//! The sources of the fake kernel: its sockets.

use crate::kernel;

pub(crate) type Raw = usize;

pub(crate) trait AsRaw {
    fn number(&self) -> Raw;
}

pub(crate) fn raw(source: &impl AsRaw) -> Raw {
    source.number()
}

/// A socket of the fake kernel, closed on drop.
#[derive(Debug)]
pub(crate) struct Socket(pub Raw);

impl AsRaw for Socket {
    fn number(&self) -> Raw {
        self.0
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        kernel::lock().close_socket(self.0);
    }
}
