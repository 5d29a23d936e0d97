//! What the kernel says of a source, and what that means.

use std::cmp;
use std::fmt;
use std::os::raw::c_int;

use super::ffi::{self, flags_t, kevent};
use crate::event::{Event, Token};
use crate::Interest;

/// The flags with which an interest is put to the kernel, the same for both directions.
#[inline]
pub(super) const fn flags(interest: Interest) -> flags_t {
    if interest.is_edge() {
        ffi::EV_CLEAR
    } else if interest.is_oneshot() {
        // Disabled by a report, not deleted as `EV_ONESHOT` would have it: to deregister it is no error then.
        ffi::EV_DISPATCH
    } else {
        0
    }
}

/// An event as the kernel writes it.
pub(crate) use super::ffi::kevent as RawEvent;

impl kevent {
    /// An event that did not come from the kernel: a waker's or a timer's.
    #[inline]
    pub(crate) const fn readable(token: Token) -> kevent {
        kevent::new(0, ffi::EVFILT_USER, 0, token.0)
    }

    #[inline]
    pub(crate) const fn token(&self) -> Token {
        Token(self.udata)
    }

    #[inline]
    pub(crate) const fn is_readable(&self) -> bool {
        self.filter == ffi::EVFILT_READ || self.filter == ffi::EVFILT_USER
    }

    #[inline]
    pub(crate) const fn is_writable(&self) -> bool {
        self.filter == ffi::EVFILT_WRITE
    }

    /// At the end of a connection, `fflags` says what has gone wrong, if anything has.
    #[inline]
    pub(crate) const fn is_error(&self) -> bool {
        self.has(ffi::EV_ERROR) || self.has(ffi::EV_EOF) && self.fflags != 0
    }

    #[inline]
    pub(crate) const fn is_read_closed(&self) -> bool {
        self.filter == ffi::EVFILT_READ && self.has(ffi::EV_EOF)
    }

    #[inline]
    pub(crate) const fn is_write_closed(&self) -> bool {
        self.filter == ffi::EVFILT_WRITE && self.has(ffi::EV_EOF)
    }

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
    const fn has(&self, flag: flags_t) -> bool {
        self.flags & flag != 0
    }
}

/// The kernel's own words.
impl fmt::Debug for kevent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.filter {
            ffi::EVFILT_READ => "EVFILT_READ",
            ffi::EVFILT_WRITE => "EVFILT_WRITE",
            _ => "EVFILT_USER",
        })?;
        for (flag, name) in [(ffi::EV_EOF, "EV_EOF"), (ffi::EV_ERROR, "EV_ERROR")] {
            if self.has(flag) {
                write!(f, " | {name}")?;
            }
        }
        let (fflags, data) = (self.fflags, self.data);
        write!(f, ", fflags {fflags:#x}, data {data}")
    }
}

/// The buffer of a wait. Its capacity is the most that one wait brings, and it never grows.
pub(crate) struct RawEvents {
    /// An `Event` is a `kevent` and nothing more, so the kernel writes straight into this list.
    pub list: Vec<Event>,
}

impl RawEvents {
    /// Most systems count in `int`s, so more is of no use.
    pub fn with_capacity(capacity: usize) -> RawEvents {
        RawEvents { list: Vec::with_capacity(cmp::min(capacity, c_int::MAX as usize)) }
    }
}
