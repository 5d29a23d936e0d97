//! The selector: one completion port, and the loop that turns its packets into events.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::RawEvents;
use super::ffi::{HANDLE, SOCKET};
use super::selector_state::{Outcome, SelectorState};
use super::source::SourceState;
use super::source_handles::SourceHandles;
use super::source_sockets::SourceSockets;
use crate::event::{Event, Token};
use crate::Interest;

pub(crate) struct Selector {
    source_sockets: SourceSockets,
    source_handles: SourceHandles,
    shared: Arc<SelectorState>,
}

// Open.

impl Selector {
    pub fn new() -> io::Result<Selector> {
        let shared = Arc::new(SelectorState::new()?);
        Ok(Selector { source_sockets: SourceSockets::new(), source_handles: SourceHandles::new(), shared })
    }

    /// Returns the handle of the port, which is open as long as this selector.
    pub fn port(&self) -> HANDLE {
        self.shared.port.raw()
    }

    pub(super) fn shared(&self) -> &Arc<SelectorState> {
        &self.shared
    }
}

// Register, reregister, deregister. The next wait submits the requests, but while a wait blocks, the calling thread
// submits its request at once.

impl Selector {
    pub fn register(
        &self,
        state: &mut SourceState,
        socket: SOCKET,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        state.register(&self.shared, socket, token, interest)
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
        state.deregister();
        Ok(())
    }

    /// Registers a socket that the caller names only by its number.
    pub fn register_raw(&self, socket: SOCKET, token: Token, interest: Interest) -> io::Result<()> {
        self.source_sockets.register(&self.shared, socket, token, interest)
    }

    pub fn reregister_raw(&self, socket: SOCKET, token: Token, interest: Interest) -> io::Result<()> {
        self.source_sockets.reregister(&self.shared, socket, token, interest)
    }

    pub fn deregister_raw(&self, socket: SOCKET) -> io::Result<()> {
        self.source_sockets.deregister(socket)
    }

    /// Registers a handle that the caller names only by its number.
    pub fn register_handle(&self, handle: HANDLE, token: Token, interest: Interest) -> io::Result<()> {
        self.source_handles.register(&self.shared, handle, token, interest)
    }

    pub fn reregister_handle(&self, handle: HANDLE, token: Token, interest: Interest) -> io::Result<()> {
        self.source_handles.reregister(&self.shared, handle, token, interest)
    }

    pub fn deregister_handle(&self, handle: HANDLE) -> io::Result<()> {
        self.source_handles.deregister(handle)
    }
}

// Wait.

/// How long a wait checks again and again after batches without an event, beyond the time that it blocked. Another
/// thread that reregisters sources without pause causes such batches without end.
const MAX_CHECK_TIME: Duration = Duration::from_millis(10);

impl Selector {
    /// Keeps the first `kept` events and appends ready events, up to the list's capacity. Without a ready event, waits
    /// for one, for `timeout` at most (`None`: without a limit). Returns whether the notifier's packet arrived; that
    /// packet is not in the list.
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        let RawEvents { list, packets } = events;
        list.truncate(kept);
        let kept = list.len();
        let buffer = match packets.get_mut(kept..) {
            Some(buffer) if !buffer.is_empty() => buffer,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let slots = buffer.len();
        let (mut timeout, mut notified, mut may_check_again, mut check_until) = (timeout, false, true, None);
        loop {
            let wait = self.shared.begin_wait(timeout != Some(Duration::ZERO));
            let packets = match self.shared.port.dequeue(buffer, wait.limit_timeout(timeout)) {
                // Do not lose the notification. If the error persists, the next wait returns it.
                Err(_) if notified => return Ok(true),
                result => result?,
            };
            // From here on, changed sources are queued for the next wait.
            let all_updated = wait.finish();

            let mut notifications = 0;
            for packet in packets {
                // SAFETY: `dequeue` has just returned the packet, and this is the only call for it.
                match unsafe { self.shared.complete(packet) } {
                    Outcome::Nothing => {}
                    Outcome::Notified => notifications += 1,
                    Outcome::Event(event) => list.push(Event(event)),
                    Outcome::Unregistered(sock) => self.source_sockets.remove_unregistered(&sock),
                }
            }
            notified |= notifications > 0;
            // If the batch holds only packets of the notifier and is not full, no packet is queued behind them.
            let only_notified = notified && notifications == packets.len() && packets.len() < slots;
            if list.len() > kept || only_notified {
                return Ok(notified);
            }
            // A batch can contain no event, for example when all its requests were cancelled. More packets may be
            // queued behind it, so check again without blocking, until no packet is queued or `MAX_CHECK_TIME` has
            // passed. If no packet was queued, but the update queue still contains sources whose update was deferred or
            // has failed, check again only once, because an update may fail again. If no check finds an event, the
            // caller waits again for the rest of its timeout.
            if packets.is_empty() && (all_updated || !may_check_again) {
                return Ok(notified);
            }
            let now = Instant::now();
            if *check_until.get_or_insert(now + MAX_CHECK_TIME) < now {
                return Ok(notified);
            }
            may_check_again &= !packets.is_empty();
            timeout = Some(Duration::ZERO);
        }
    }
}
