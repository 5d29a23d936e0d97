//! The state that this queue keeps in each source.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::ffi::SOCKET;
use super::selector_state::SelectorState;
use super::sock::{Sock, Update};
use crate::event::Token;
use crate::Interest;

/// The sock of a source, from the first registration on. Dropping the `SourceState` deregisters the source.
#[derive(Default)]
pub(crate) struct SourceState {
    sock: Option<Arc<Sock>>,
    /// The selector of `sock`. A source does not keep its poll alive.
    shared: Weak<SelectorState>,
    /// Whether the program shut down writing.
    write_shut_down: AtomicBool,
}

impl SourceState {
    /// Whether [`rearm`](SourceState::rearm) does anything.
    pub const NEEDS_REARM: bool = true;

    /// Rearms the direction that the program has just used.
    #[inline]
    pub fn rearm(&self, direction: Interest) {
        if let Some(sock) = &self.sock {
            let update = sock.rearm(direction);
            if update != Update::None {
                self.schedule(sock, update);
            }
        }
    }

    /// Records that the program has shut down writing, which AFD does not report.
    pub fn write_shut_down(&self) {
        self.write_shut_down.store(true, Ordering::Release);
        if let Some(sock) = &self.sock {
            self.schedule(sock, sock.write_shut_down());
        }
    }

    /// Passes an update to the selector, if the selector still exists.
    fn schedule(&self, sock: &Arc<Sock>, update: Update) {
        if let Some(shared) = self.shared.upgrade() {
            shared.schedule(sock, update);
        }
    }

    pub(super) fn register(
        &mut self,
        shared: &Arc<SelectorState>,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let sock = self.sock_for(shared, socket)?;
        shared.schedule(sock, sock.register(token, interest)?);
        Ok(())
    }

    /// Returns the sock for this selector. A source that was registered with another poll before gets a new sock.
    fn sock_for(&mut self, shared: &Arc<SelectorState>, socket: SOCKET) -> io::Result<&Arc<Sock>> {
        if self.sock.is_none() || self.shared.as_ptr() != Arc::as_ptr(shared) {
            let sock = Arc::new(shared.new_sock(socket, None, *self.write_shut_down.get_mut())?);
            self.deregister();
            self.sock = Some(sock);
            self.shared = Arc::downgrade(shared);
        }
        // `self.sock` is set above.
        self.sock.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn deregister(&self) {
        if let Some(sock) = &self.sock {
            sock.deregister();
        }
    }
}

impl Drop for SourceState {
    fn drop(&mut self) {
        self.deregister();
    }
}
