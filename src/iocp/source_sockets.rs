//! Source sockets: the registrations of `SourceSocket`s. Such a source is only a socket's number and keeps no state, so
//! the selector keeps the state.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::ffi::SOCKET;
use super::selector_state::SelectorState;
use super::sock::Sock;
use crate::association::not_registered;
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

/// The socks of source sockets, by number. A sock stays here after its deregistration until the packet of its request
/// is dequeued. A registration in the meantime uses the same sock, and thus submits no second request for the same
/// socket.
pub(super) struct SourceSockets(Mutex<BTreeMap<SOCKET, Arc<Sock>>>);

impl SourceSockets {
    pub fn new() -> SourceSockets {
        SourceSockets(Mutex::new(BTreeMap::new()))
    }

    /// Removes a sock whose registration has ended and whose packet was dequeued.
    pub fn remove_unregistered(&self, sock: &Arc<Sock>) {
        if let Some(socket) = sock.source_socket {
            let mut socks = lock(&self.0);
            // Another thread may have registered the number again in the meantime.
            if socks.get(&socket).map_or(false, |known| Arc::ptr_eq(known, sock) && !sock.is_registered()) {
                socks.remove(&socket);
            }
        }
    }
}

// Register, reregister, deregister.

impl SourceSockets {
    /// Registers a socket. If its number is registered already, this replaces the registration: the program may have
    /// closed the registered socket, and this crate cannot detect that before the next wait.
    pub fn register(
        &self,
        shared: &Arc<SelectorState>,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        register(&mut lock(&self.0), shared, socket, token, interest)
    }

    pub fn reregister(
        &self,
        shared: &Arc<SelectorState>,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let mut socks = lock(&self.0);
        match socks.get(&socket) {
            Some(sock) if sock.is_registered() => register(&mut socks, shared, socket, token, interest),
            _ => Err(not_registered()),
        }
    }

    pub fn deregister(&self, socket: SOCKET) -> io::Result<()> {
        let mut socks = lock(&self.0);
        match socks.get(&socket) {
            Some(sock) if sock.is_registered() => {
                if sock.deregister() {
                    socks.remove(&socket);
                }
                Ok(())
            }
            _ => Err(not_registered()),
        }
    }
}

fn register(
    socks: &mut BTreeMap<SOCKET, Arc<Sock>>,
    shared: &Arc<SelectorState>,
    socket: SOCKET,
    token: Token,
    interest: Interest,
) -> io::Result<()> {
    let sock = match socks.get(&socket) {
        Some(sock) if sock.has_base_of(socket)? => Arc::clone(sock),
        _ => {
            let sock = Arc::new(shared.new_sock(socket, Some(socket), false)?);
            if let Some(old) = socks.insert(socket, Arc::clone(&sock)) {
                old.deregister();
            }
            sock
        }
    };
    shared.schedule(&sock, sock.register(token, interest)?);
    Ok(())
}
