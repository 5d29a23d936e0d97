//! Epoll flags: from an interest to flags, and from flags to the predicates of an event.

use std::cmp;
use std::fmt;
use std::mem;
use std::os::raw::c_int;

use super::ffi::{self, epoll_event};
use crate::event::{Event, Token};
use crate::interest::{self, Interest};

impl Interest {
    /// Priority data, such as a TCP out-of-band byte. Linux, Android and Windows only.
    ///
    /// The event of a single out-of-band byte is also readable, as in mio, although a read may return
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock): the byte is received with `MSG_OOB` ([tcp(7)]).
    ///
    /// An interest without `READABLE` and `WRITABLE` also reports what [`HANG_UP`](Interest::HANG_UP) alone reports.
    ///
    /// [tcp(7)]: https://man7.org/linux/man-pages/man7/tcp.7.html
    pub const PRIORITY: Interest = Interest::from_bit(interest::PRIORITY);
}

/// Returns the flags with which `epoll_ctl` registers an interest.
#[inline]
pub(super) const fn flags(interest: Interest) -> u32 {
    let mut flags = 0;
    if interest.is_readable() {
        flags |= ffi::EPOLLIN | ffi::EPOLLRDHUP;
    }
    if interest.is_writable() {
        flags |= ffi::EPOLLOUT;
    }
    if interest.is_priority() {
        flags |= ffi::EPOLLPRI;
    }
    if interest.is_edge() {
        flags |= ffi::EPOLLET;
    }
    if interest.is_oneshot() {
        flags |= ffi::EPOLLONESHOT;
    }
    flags
}

/// An event as the kernel writes it to memory.
pub(crate) use super::ffi::epoll_event as RawEvent;

impl epoll_event {
    /// Creates the event of a waker or a timer.
    #[inline]
    pub(crate) const fn readable(token: Token) -> epoll_event {
        epoll_event { events: ffi::EPOLLIN, data: token.0 as u64 }
    }

    #[inline]
    pub(crate) const fn token(&self) -> Token {
        Token(self.data as usize)
    }

    /// Returns whether the source is readable. A hang-up and an error count as readable: a read does not block,
    /// although it may only return the end of the stream or the error.
    #[inline]
    pub(crate) const fn is_readable(&self) -> bool {
        self.has(ffi::EPOLLIN | ffi::EPOLLPRI | ffi::EPOLLHUP | ffi::EPOLLERR)
    }

    /// Returns whether the source is writable. An error counts as writable, because a write does not block. The kernel
    /// may report the error without `EPOLLOUT`, for example for a full pipe whose reader is closed.
    #[inline]
    pub(crate) const fn is_writable(&self) -> bool {
        self.has(ffi::EPOLLOUT | ffi::EPOLLERR)
    }

    #[inline]
    pub(crate) const fn is_error(&self) -> bool {
        self.has(ffi::EPOLLERR)
    }

    #[inline]
    pub(crate) const fn is_read_closed(&self) -> bool {
        self.has(ffi::EPOLLHUP | ffi::EPOLLRDHUP)
    }

    /// Returns whether the source is closed for writing. For a pipe whose reader is closed, the kernel reports
    /// `EPOLLERR`, with or without `EPOLLOUT`. The kernel may report the same flags for an error that does not close
    /// the source, for example a refused datagram, so this may return true for such an error too.
    #[inline]
    pub(crate) const fn is_write_closed(&self) -> bool {
        self.has(ffi::EPOLLHUP) || self.has(ffi::EPOLLOUT) && self.is_error() || self.events == ffi::EPOLLERR
    }

    #[inline]
    pub(crate) const fn is_priority(&self) -> bool {
        self.has(ffi::EPOLLPRI)
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
        self.has(ffi::EPOLLHUP)
    }

    #[inline]
    const fn has(&self, any: u32) -> bool {
        self.events & any != 0
    }
}

/// Formats the names of the flags.
impl fmt::Debug for epoll_event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (ffi::EPOLLIN, "EPOLLIN"),
            (ffi::EPOLLPRI, "EPOLLPRI"),
            (ffi::EPOLLOUT, "EPOLLOUT"),
            (ffi::EPOLLERR, "EPOLLERR"),
            (ffi::EPOLLHUP, "EPOLLHUP"),
            (ffi::EPOLLRDHUP, "EPOLLRDHUP"),
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
    /// `Event` has the layout of `epoll_event`, so the kernel writes directly into this list.
    pub list: Vec<Event>,
}

impl RawEvents {
    /// Creates a list. Limits the capacity to the largest number of events that `epoll_wait` accepts (`EP_MAX_EVENTS`
    /// in the kernel's `fs/eventpoll.c`).
    pub fn with_capacity(capacity: usize) -> RawEvents {
        let most = c_int::MAX as usize / mem::size_of::<epoll_event>();
        RawEvents { list: Vec::with_capacity(cmp::min(capacity, most)) }
    }
}
