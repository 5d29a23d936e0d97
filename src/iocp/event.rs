//! AFD's event flags: from an interest to flags, and from flags to the predicates of an event. Pipes use the same
//! flags.

use std::cmp;
use std::fmt;
use std::mem::MaybeUninit;

use super::ffi::{self, OVERLAPPED_ENTRY};
use crate::event::{Event, Token};
use crate::interest::{self, Interest};

impl Interest {
    /// Priority data, such as a TCP out-of-band byte. Linux, Android and Windows only.
    ///
    /// The event of a single out-of-band byte is also readable, although a read may return
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock): the byte is received with `MSG_OOB` ([`recv`]). If the option
    /// `SO_OOBINLINE` ([`setsockopt`]) is set, the byte is ordinary data, which `READABLE` reports and `PRIORITY` does
    /// not.
    ///
    /// In level mode, every `poll` reports the byte until the program has received it with `MSG_OOB`: on Windows, it is
    /// not documented that a read past the byte discards it, as on Linux.
    ///
    /// An interest without `READABLE` and `WRITABLE` also reports what [`HANG_UP`](Interest::HANG_UP) alone reports.
    ///
    /// [`recv`]: https://learn.microsoft.com/windows/win32/api/winsock/nf-winsock-recv
    /// [`setsockopt`]: https://learn.microsoft.com/windows/win32/api/winsock/nf-winsock-setsockopt
    pub const PRIORITY: Interest = Interest::from_bit(interest::PRIORITY);
}

/// The events of the readable direction. The end of the peer's data and a failed connection count as readable.
pub(super) const READ_EVENTS: u32 = INPUT | ffi::AFD_POLL_DISCONNECT | FAILED;
/// Data or a connection has arrived. No socket has both.
pub(super) const INPUT: u32 = ffi::AFD_POLL_RECEIVE | ffi::AFD_POLL_ACCEPT;
/// The events of the writable direction.
pub(super) const WRITE_EVENTS: u32 = ffi::AFD_POLL_SEND | FAILED;
/// The connection was reset, or could not be made. Reported in both directions.
pub(super) const FAILED: u32 = ffi::AFD_POLL_ABORT | ffi::AFD_POLL_CONNECT_FAIL;

// Two flags that AFD does not have.

/// The kernel rejected the poll request.
pub(super) const POLL_REJECTED: u32 = 1 << 31;
/// Both sides of a connection have shut down writing (AFD reports only the peer's side), or the server has closed or
/// disconnected a client's pipe.
pub(super) const WRITE_CLOSED: u32 = 1 << 30;

/// Returns the events to request from AFD for an interest. AFD has no flags for the modes.
#[inline]
pub(super) const fn flags(interest: Interest) -> u32 {
    let mut flags = 0;
    // `AFD_POLL_CONNECT` is never requested: it holds as long as the connection exists, and `AFD_POLL_SEND` holds as
    // soon as the connection is made.
    if interest.is_readable() {
        flags |= READ_EVENTS;
    }
    if interest.is_writable() {
        flags |= WRITE_EVENTS;
    }
    if interest.is_priority() {
        flags |= ffi::AFD_POLL_RECEIVE_EXPEDITED;
    }
    // On Linux, every interest contains hang-ups and errors.
    if interest.is_hang_up() || interest.is_priority() {
        flags |= FAILED;
    }
    flags
}

/// An event: its flags, and the token that its source has when the packet is handled.
#[derive(Clone)]
pub(crate) struct RawEvent {
    pub(super) events: u32,
    pub(super) token: Token,
}

impl RawEvent {
    /// Creates the event of a waker or a timer.
    #[inline]
    pub(crate) const fn readable(token: Token) -> RawEvent {
        RawEvent { events: ffi::AFD_POLL_RECEIVE, token }
    }

    #[inline]
    pub(crate) const fn token(&self) -> Token {
        self.token
    }

    #[inline]
    pub(crate) const fn is_readable(&self) -> bool {
        self.has(READ_EVENTS | ffi::AFD_POLL_RECEIVE_EXPEDITED | POLL_REJECTED)
    }

    #[inline]
    pub(crate) const fn is_writable(&self) -> bool {
        self.has(WRITE_EVENTS | WRITE_CLOSED | POLL_REJECTED)
    }

    #[inline]
    pub(crate) const fn is_error(&self) -> bool {
        self.has(FAILED | POLL_REJECTED)
    }

    #[inline]
    pub(crate) const fn is_read_closed(&self) -> bool {
        self.has(ffi::AFD_POLL_DISCONNECT | FAILED | POLL_REJECTED)
    }

    #[inline]
    pub(crate) const fn is_write_closed(&self) -> bool {
        self.has(FAILED | WRITE_CLOSED | POLL_REJECTED)
    }

    #[inline]
    pub(crate) const fn is_priority(&self) -> bool {
        self.has(ffi::AFD_POLL_RECEIVE_EXPEDITED)
    }

    #[inline]
    pub(crate) const fn is_aio(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) const fn is_lio(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) const fn is_hang_up(&self) -> bool {
        self.has(FAILED | WRITE_CLOSED | POLL_REJECTED)
    }

    #[inline]
    const fn has(&self, any: u32) -> bool {
        self.events & any != 0
    }
}

/// Formats the names of the flags.
impl fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (ffi::AFD_POLL_RECEIVE, "AFD_POLL_RECEIVE"),
            (ffi::AFD_POLL_RECEIVE_EXPEDITED, "AFD_POLL_RECEIVE_EXPEDITED"),
            (ffi::AFD_POLL_SEND, "AFD_POLL_SEND"),
            (ffi::AFD_POLL_DISCONNECT, "AFD_POLL_DISCONNECT"),
            (ffi::AFD_POLL_ABORT, "AFD_POLL_ABORT"),
            (ffi::AFD_POLL_ACCEPT, "AFD_POLL_ACCEPT"),
            (ffi::AFD_POLL_CONNECT_FAIL, "AFD_POLL_CONNECT_FAIL"),
            (WRITE_CLOSED, "WRITE_CLOSED"),
            (POLL_REJECTED, "POLL_REJECTED"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(flag, _)| self.has(*flag)) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        Ok(())
    }
}

/// The events of one round of polling: wakers, timers and sources. The list never grows, so its capacity limits the
/// number of events.
pub(crate) struct RawEvents {
    pub list: Vec<Event>,
    /// The buffer for packets. Each packet becomes at most one event.
    pub(super) packets: Box<[MaybeUninit<OVERLAPPED_ENTRY>]>,
}

// SAFETY: `packets` is only written and read inside `Selector::wait`, which has exclusive access. Between two waits,
// its pointers are unused.
unsafe impl Send for RawEvents {}
// SAFETY: no method uses `packets` through a shared reference.
unsafe impl Sync for RawEvents {}

impl RawEvents {
    /// Creates a list. `GetQueuedCompletionStatusEx` takes the capacity as a `u32`, so a larger capacity is of no use.
    pub fn with_capacity(capacity: usize) -> RawEvents {
        let list = Vec::with_capacity(cmp::min(capacity, u32::MAX as usize));
        let packets = (0..list.capacity()).map(|_| MaybeUninit::uninit()).collect();
        RawEvents { list, packets }
    }
}
