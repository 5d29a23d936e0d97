//! Source sockets: the registrations of `SourceSocket`s. Such a source is only a socket's number and keeps no state, so
//! the selector keeps the state.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::ffi::SOCKET;
use super::selector_state::SelectorState;
use super::sock::Sock;
use super::source::SourceState;
use crate::association::not_registered;
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

/// The states of registered source sockets, by number.
pub(super) struct SourceSockets(Mutex<BTreeMap<SOCKET, SourceState>>);

impl SourceSockets {
    pub fn new() -> SourceSockets {
        SourceSockets(Mutex::new(BTreeMap::new()))
    }

    /// Removes the registration of a socket that was closed.
    pub fn remove_closed(&self, sock: &Arc<Sock>) {
        if let Some(socket) = sock.source_socket {
            let mut states = lock(&self.0);
            // The number may already be registered again, for a new socket.
            if states.get(&socket).and_then(SourceState::sock).map_or(false, |known| Arc::ptr_eq(known, sock)) {
                states.remove(&socket);
            }
        }
    }
}

// Register, reregister, deregister.

impl SourceSockets {
    pub fn register(
        &self,
        shared: &Arc<SelectorState>,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let mut states = lock(&self.0);
        // A socket that was closed without being deregistered leaves its number to a new socket.
        if states.get(&socket).and_then(SourceState::sock).map_or(false, |sock| sock.is_same_socket()) {
            let reason = format!("cannot register socket {socket}: it is already registered with this Poll");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        let mut state = SourceState::default();
        state.register(shared, socket, Some(socket), token, interest)?;
        states.insert(socket, state);
        Ok(())
    }

    pub fn reregister(
        &self,
        shared: &Arc<SelectorState>,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match lock(&self.0).get_mut(&socket) {
            Some(state) => state.register(shared, socket, Some(socket), token, interest),
            None => Err(not_registered()),
        }
    }

    pub fn deregister(&self, socket: SOCKET) -> io::Result<()> {
        match lock(&self.0).remove(&socket) {
            // Dropping the state deregisters the socket.
            Some(_) => Ok(()),
            None => Err(not_registered()),
        }
    }
}
