//! The selector: one completion port, and the sources whose requests come back to it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::event::RawEvents;
use super::ffi::{OVERLAPPED_ENTRY, SOCKET};
use super::pipe::Pipe;
use super::port::{Port, AFD, NOTIFIER};
use super::sock::{News, Sock, SourceState};
use crate::event::{Event, Token};
use crate::sync::lock;
use crate::Interest;

pub(crate) struct Selector {
    /// The states of sources that can't keep one.
    raw: Mutex<BTreeMap<SOCKET, SourceState>>,
    port: Arc<Port>,
}

// Open.

impl Selector {
    pub fn new() -> io::Result<Selector> {
        Ok(Selector { raw: Mutex::new(BTreeMap::new()), port: Arc::new(Port::new()?) })
    }

    /// Where a [`Notifier`](super::Notifier) posts its packets, and a pipe's operations end.
    pub(super) fn port(&self) -> &Arc<Port> {
        &self.port
    }
}

// Register, change, forget. The kernel hears of it with the next wait.

impl Selector {
    pub fn register(
        &self,
        state: &mut SourceState,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        state.sock_at(&self.port, socket, None)?.register(&self.port, token, interest);
        Ok(())
    }

    pub fn reregister(
        &self,
        state: &mut SourceState,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.register(state, socket, token, interest)
    }

    pub fn deregister(&self, state: &mut SourceState, _: SOCKET) -> io::Result<()> {
        if let Some(sock) = state.sock() {
            sock.deregister();
        }
        Ok(())
    }
}

// The same for a source that is a number and nothing else, and has no memory: the selector's serves.

impl Selector {
    pub fn register_raw(&self, socket: SOCKET, token: Token, interest: Interest) -> io::Result<()> {
        let mut raw = lock(&self.raw);
        // One that was closed, without a word to us, leaves its number to the next.
        if raw.get(&socket).and_then(SourceState::sock).map_or(false, |sock| sock.is_current()) {
            let reason = format!("cannot register socket {socket}: it is registered here already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        let mut state = SourceState::default();
        state.sock_at(&self.port, socket, Some(socket))?.register(&self.port, token, interest);
        raw.insert(socket, state);
        Ok(())
    }

    pub fn reregister_raw(&self, socket: SOCKET, token: Token, interest: Interest) -> io::Result<()> {
        match lock(&self.raw).get_mut(&socket) {
            Some(state) => self.reregister(state, socket, token, interest),
            None => Err(not_here("reregister", socket)),
        }
    }

    pub fn deregister_raw(&self, socket: SOCKET) -> io::Result<()> {
        match lock(&self.raw).remove(&socket) {
            // It ends with its state.
            Some(_) => Ok(()),
            None => Err(not_here("deregister", socket)),
        }
    }

    /// Forgets a socket that was closed.
    fn forget(&self, sock: &Arc<Sock>) {
        if let Some(socket) = sock.raw {
            let mut raw = lock(&self.raw);
            if raw.get(&socket).and_then(SourceState::sock).map_or(false, |known| Arc::ptr_eq(known, sock)) {
                raw.remove(&socket);
            }
        }
    }
}

#[cold]
fn not_here(verb: &str, socket: SOCKET) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("cannot {verb} socket {socket}: it is not registered here"))
}

// Wait.

impl Selector {
    /// Keeps the first `kept` events, and puts what is ready behind them, as far as there is room. If nothing is, it
    /// waits for `timeout` (`None`: as long as it takes). True: the notifier was kicked.
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        let RawEvents { list, packets } = events;
        list.truncate(kept);
        let kept = list.len();
        let room = match packets.get_mut(kept..) {
            Some(room) if !room.is_empty() => room,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let (mut timeout, mut is_patient) = (timeout, true);
        loop {
            let waiting = self.port.begin_wait(timeout != Some(Duration::ZERO));
            let taken = self.port.take(room, waiting.limit(timeout))?;
            // From here on, what is left to be asked for is asked for by the next wait.
            let is_complete = waiting.end();

            let mut kicked = false;
            for packet in taken {
                match packet.lpCompletionKey {
                    NOTIFIER => kicked = true,
                    AFD => list.extend(self.complete(packet)),
                    _ => list.extend(self.complete_pipe(packet)),
                }
            }
            // A batch may bring nothing: of requests that were cancelled, of sources that want something else by now.
            // Then there may be more behind it; and nobody was asked yet who was passed over. That is looked at without
            // waiting: once, since it may be that they can't be asked. Whoever waits for longer comes again by himself,
            // with what is left of his time.
            if kicked || list.len() > kept || taken.is_empty() && (is_complete || !is_patient) {
                return Ok(kicked);
            }
            is_patient &= !taken.is_empty();
            timeout = Some(Duration::ZERO);
        }
    }

    /// Sees to a packet of AFD's that has just been taken, once.
    fn complete(&self, packet: &OVERLAPPED_ENTRY) -> Option<Event> {
        // SAFETY: the packet bears the key, has been taken from the port, and we see to it once, say our callers.
        let sock = unsafe { Sock::from_packet(packet.lpOverlapped) };
        self.port.return_one();
        // SAFETY: as above.
        match unsafe { sock.complete(&self.port) } {
            News::Event(event) => Some(Event(event)),
            News::Closed => {
                self.forget(&sock);
                None
            }
            News::Nothing => None,
        }
    }

    /// The same for a packet of a pipe's.
    fn complete_pipe(&self, packet: &OVERLAPPED_ENTRY) -> Option<Event> {
        // SAFETY: the packet bears a pipe's key, has been taken from the port, and we see to it once, say our callers.
        let pipe = unsafe { Pipe::from_packet(packet.lpCompletionKey) };
        self.port.return_one();
        // SAFETY: as above.
        unsafe { pipe.complete(&self.port, packet.lpOverlapped) }.map(Event)
    }
}
