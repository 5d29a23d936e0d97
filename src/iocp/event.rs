//! What AFD says of a source, or a pipe in its words, and what that means.

use std::cmp;
use std::fmt;
use std::mem::MaybeUninit;

use super::ffi::{self, OVERLAPPED_ENTRY};
use crate::event::{Event, Token};
use crate::Interest;

/// What is asked for reading. The end of a connection, by whomever, is something to be read.
pub(super) const READ_EVENTS: u32 = INPUT | ffi::AFD_POLL_DISCONNECT | FAILED;
/// Something has come: bytes, or a connection. No socket has both.
pub(super) const INPUT: u32 = ffi::AFD_POLL_RECEIVE | ffi::AFD_POLL_ACCEPT;
/// What is asked for writing.
pub(super) const WRITE_EVENTS: u32 = ffi::AFD_POLL_SEND | FAILED;
/// No connection, or none any more: both directions are told.
pub(super) const FAILED: u32 = ffi::AFD_POLL_ABORT | ffi::AFD_POLL_CONNECT_FAIL;

// Not AFD's words but ours.

/// The kernel has refused to watch.
pub(super) const POLL_REJECTED: u32 = 1 << 31;
/// Both ends have shut down writing, of which AFD tells only the peer's; or a client's pipe has lost its server.
pub(super) const WRITE_CLOSED: u32 = 1 << 30;

/// The flags with which an interest is put to AFD. Modes are not among them, it has none.
#[inline]
pub(super) const fn flags(interest: Interest) -> u32 {
    let mut flags = 0;
    // `AFD_POLL_CONNECT` is never asked for: it stays up as long as the connection. `AFD_POLL_SEND` comes with it.
    if interest.is_readable() {
        flags |= READ_EVENTS;
    }
    if interest.is_writable() {
        flags |= WRITE_EVENTS;
    }
    flags
}

/// What a request has brought, under the token that its source has now.
#[derive(Clone)]
pub(crate) struct RawEvent {
    pub(super) events: u32,
    pub(super) token: Token,
}

impl RawEvent {
    /// An event that did not come from the kernel: a waker's or a timer's.
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
        self.has(READ_EVENTS | POLL_REJECTED)
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

    /// AFD knows priority data (`AFD_POLL_RECEIVE_EXPEDITED`), but this crate's Windows has no interest in it, as
    /// mio's.
    #[inline]
    pub(crate) const fn is_priority(&self) -> bool {
        false
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
    const fn has(&self, any: u32) -> bool {
        self.events & any != 0
    }
}

/// In AFD's own words, which pipes use too.
impl fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (ffi::AFD_POLL_RECEIVE, "AFD_POLL_RECEIVE"),
            (ffi::AFD_POLL_SEND, "AFD_POLL_SEND"),
            (ffi::AFD_POLL_DISCONNECT, "AFD_POLL_DISCONNECT"),
            (ffi::AFD_POLL_ABORT, "AFD_POLL_ABORT"),
            (ffi::AFD_POLL_ACCEPT, "AFD_POLL_ACCEPT"),
            (ffi::AFD_POLL_CONNECT_FAIL, "AFD_POLL_CONNECT_FAIL"),
            (WRITE_CLOSED, "finished"),
            (POLL_REJECTED, "refused"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(flag, _)| self.has(*flag)) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        Ok(())
    }
}

/// The buffer of a wait. Its capacity is the most that one wait brings, and it never grows.
pub(crate) struct RawEvents {
    pub list: Vec<Event>,
    /// Where the port puts its packets, of which each becomes an event, or none.
    pub(super) packets: Box<[MaybeUninit<OVERLAPPED_ENTRY>]>,
}

// SAFETY: the pointers in `packets` are only addresses until `Port::take` has reason to know better, and between two
// waits nobody looks at them.
unsafe impl Send for RawEvents {}
// SAFETY: through a shared reference, nobody can reach `packets`.
unsafe impl Sync for RawEvents {}

impl RawEvents {
    /// The port counts in `u32`s, so more is of no use.
    pub fn with_capacity(capacity: usize) -> RawEvents {
        let list = Vec::with_capacity(cmp::min(capacity, u32::MAX as usize));
        let packets = (0..list.capacity()).map(|_| MaybeUninit::uninit()).collect();
        RawEvents { list, packets }
    }
}
