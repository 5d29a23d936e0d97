//! What the kernel says of a source, and what that means.

use std::cmp;
use std::fmt;
use std::os::raw::c_int;

use super::ffi::{self, flags_t, kevent};
use crate::event::{Event, Token};
use crate::Interest;

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", minimio_kqueue))]
impl Interest {
    /// The completion of an asynchronous I/O operation, of [`aio_read`] and its kin. macOS and its kin, FreeBSD and
    /// DragonFly only.
    ///
    /// Such an operation is no descriptor: it is started with a control block that names the poll's descriptor
    /// (`SIGEV_KEVENT`, `sigev_notify_kqueue`) and bears the token as its value (`sigev_value`), and the kernel alone
    /// registers it. So this is for a [`Source`](crate::event::Source) of your own, which takes both from what it is
    /// given when it is registered: [`Registry`'s descriptor](crate::Registry#impl-AsRawFd-for-Registry) and the
    /// token. Of a descriptor, nothing is watched on account of this.
    ///
    /// [`aio_read`]: https://man.freebsd.org/cgi/man.cgi?query=aio_read
    pub const AIO: Interest = Interest::WITH_AIO;
}

#[cfg(target_os = "freebsd")]
impl Interest {
    /// The completion of a list of asynchronous I/O operations, of [`lio_listio`]. FreeBSD only.
    ///
    /// It is asked for as [`AIO`](Interest::AIO) is.
    ///
    /// [`lio_listio`]: https://man.freebsd.org/cgi/man.cgi?query=lio_listio
    pub const LIO: Interest = Interest::WITH_LIO;
}

// Programs for Linux name it, and over the model such programs run; there it is never told.
#[cfg(all(minimio_kqueue, any(target_os = "linux", target_os = "android")))]
#[doc(hidden)]
#[allow(missing_docs)]
impl Interest {
    pub const PRIORITY: Interest = Interest::WITH_PRIORITY;
}

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
        self.filter == ffi::EVFILT_AIO
    }

    #[inline]
    pub(crate) const fn is_lio(&self) -> bool {
        match ffi::EVFILT_LIO {
            Some(filter) => self.filter == filter,
            None => false,
        }
    }

    #[inline]
    const fn has(&self, flag: flags_t) -> bool {
        self.flags & flag != 0
    }
}

/// The kernel's own words.
impl fmt::Debug for kevent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.filter {
            ffi::EVFILT_READ => f.write_str("EVFILT_READ"),
            ffi::EVFILT_WRITE => f.write_str("EVFILT_WRITE"),
            ffi::EVFILT_AIO => f.write_str("EVFILT_AIO"),
            ffi::EVFILT_USER => f.write_str("EVFILT_USER"),
            _ if self.is_lio() => f.write_str("EVFILT_LIO"),
            // The program's own, put in by the poll's descriptor.
            filter => write!(f, "filter {filter}"),
        }?;
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
