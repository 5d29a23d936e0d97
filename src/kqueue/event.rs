//! Kqueue flags: from an interest to flags, and from filters and flags to the predicates of an event.

use std::cmp;
use std::fmt;
use std::os::raw::c_int;

use super::ffi::{self, flags_t, kevent};
use crate::event::{Event, Token};
use crate::Interest;

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", minimio_kqueue))]
impl Interest {
    /// The completion of an asynchronous I/O operation, such as [`aio_read`]. Apple systems, FreeBSD and DragonFly
    /// only.
    ///
    /// A program does not register the descriptor of such an operation. The program starts the operation with a control
    /// block that names the poll's descriptor (`SIGEV_KEVENT`, `sigev_notify_kqueue`) and contains the token
    /// (`sigev_value`), and the kernel registers the operation. A program uses this interest in its own
    /// [`Source`](crate::event::Source), whose
    /// `register` has the token and the registry as arguments; the poll's descriptor is [that of the
    /// registry](crate::Registry#impl-AsRawFd-for-Registry). If a descriptor is registered with this interest alone,
    /// `poll` reports nothing for it.
    ///
    /// Only FreeBSD's kernel reports such operations. The kernels of Apple systems reject the filter `EVFILT_AIO`, and
    /// DragonFly has no asynchronous I/O (`ENOSYS`); they have this constant because mio has it there.
    ///
    /// [`aio_read`]: https://man.freebsd.org/cgi/man.cgi?query=aio_read
    pub const AIO: Interest = Interest::from_bit(crate::interest::AIO);
}

#[cfg(target_os = "freebsd")]
impl Interest {
    /// The completion of a list of asynchronous I/O operations, started with [`lio_listio`]. FreeBSD only.
    ///
    /// A program uses it in the same way as [`AIO`](Interest::AIO).
    ///
    /// [`lio_listio`]: https://man.freebsd.org/cgi/man.cgi?query=lio_listio
    pub const LIO: Interest = Interest::from_bit(crate::interest::LIO);
}

// The project's tests build this folder on Linux, with programs that were written for Linux. These programs use
// `PRIORITY`. The model of kqueue never reports priority data.
#[cfg(all(minimio_kqueue, any(target_os = "linux", target_os = "android")))]
#[doc(hidden)]
#[allow(missing_docs)]
impl Interest {
    pub const PRIORITY: Interest = Interest::from_bit(crate::interest::PRIORITY);
}

/// Returns the flags with which `kevent` registers an interest. Both directions have the same flags.
#[inline]
pub(super) const fn flags(interest: Interest) -> flags_t {
    if interest.is_edge() || interest.has_no_direction() {
        ffi::EV_CLEAR
    } else if interest.is_oneshot() {
        // A report disables the knote. `EV_ONESHOT` would delete it, and a later `deregister` would fail.
        ffi::EV_DISPATCH
    } else {
        0
    }
}

/// A flag that this crate adds to events: both directions have ended. It is a flag of changes, and no event has it.
const HANG_UP: flags_t = ffi::EV_DELETE;

/// An event as the kernel writes it to memory.
pub(crate) use super::ffi::kevent as RawEvent;

impl kevent {
    /// Creates the event of a waker or a timer.
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
        !self.is_writable() && !self.is_aio() && !self.is_lio()
    }

    #[inline]
    pub(crate) const fn is_writable(&self) -> bool {
        self.filter == ffi::EVFILT_WRITE
    }

    /// With `EV_EOF`, `fflags` is the error that ended the connection, or 0.
    #[inline]
    pub(crate) const fn is_error(&self) -> bool {
        self.has(ffi::EV_ERROR) || self.has_ended() && self.fflags != 0
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

    /// An error ends both directions.
    #[inline]
    pub(crate) const fn is_hang_up(&self) -> bool {
        self.has(HANG_UP) || self.has_ended() && self.fflags != 0
    }

    pub(super) fn mark_hang_up(&mut self) {
        self.flags |= HANG_UP;
    }

    /// Returns whether the event's direction has ended.
    #[inline]
    pub(super) const fn has_ended(&self) -> bool {
        self.is_read_closed() || self.is_write_closed()
    }

    #[inline]
    const fn has(&self, flag: flags_t) -> bool {
        self.flags & flag != 0
    }
}

/// Formats the names of the filter and the flags.
impl fmt::Debug for kevent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.filter {
            ffi::EVFILT_READ => f.write_str("EVFILT_READ"),
            ffi::EVFILT_WRITE => f.write_str("EVFILT_WRITE"),
            ffi::EVFILT_AIO => f.write_str("EVFILT_AIO"),
            ffi::EVFILT_USER => f.write_str("EVFILT_USER"),
            _ if self.is_lio() => f.write_str("EVFILT_LIO"),
            // A `SourceFilter`, or a knote that the program has added through the poll's descriptor.
            filter => write!(f, "filter {filter}"),
        }?;
        for (flag, name) in [(ffi::EV_EOF, "EV_EOF"), (ffi::EV_ERROR, "EV_ERROR"), (HANG_UP, "HANG_UP")] {
            if self.has(flag) {
                write!(f, " | {name}")?;
            }
        }
        let (fflags, data) = (self.fflags, self.data);
        write!(f, ", fflags {fflags:#x}, data {data}")
    }
}

/// The events of one round of polling: wakers, timers and sources. The list never grows, so its capacity limits the
/// number of events.
pub(crate) struct RawEvents {
    /// `Event` has the layout of `kevent`, so the kernel writes directly into this list.
    pub list: Vec<Event>,
    /// The buffer of `mark_hang_ups`, so that `poll` does not allocate.
    pub(super) ended: Vec<u32>,
}

impl RawEvents {
    /// Creates a list. Most systems take the capacity as an `int`, so a larger capacity is of no use.
    pub fn with_capacity(capacity: usize) -> RawEvents {
        let capacity = cmp::min(capacity, c_int::MAX as usize);
        RawEvents { list: Vec::with_capacity(capacity), ended: Vec::with_capacity(capacity) }
    }
}
