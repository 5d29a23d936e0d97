//! The functions, types and constants of kqueue.
//!
//! kqueue was written for [FreeBSD]; [NetBSD], [OpenBSD], [DragonFly], [macOS] and the other Apple systems have it too.
//! All differences between the declarations of these systems are in this file.
//!
//! [FreeBSD]: https://man.freebsd.org/cgi/man.cgi?query=kqueue
//! [NetBSD]: https://man.netbsd.org/kqueue.2
//! [OpenBSD]: https://man.openbsd.org/kqueue.2
//! [DragonFly]: https://man.dragonflybsd.org/?command=kqueue
//! [macOS]: https://developer.apple.com/library/archive/documentation/System/Conceptual/ManPages_iPhoneOS/man2/kqueue.2.html

#![allow(non_camel_case_types)]

use std::os::raw::{c_int, c_long};

// <sys/event.h>

#[cfg(not(target_os = "netbsd"))]
mod types {
    pub type filter_t = i16;
    pub type flags_t = u16;
    /// The type of the two counts that `kevent` takes.
    pub type count_t = std::os::raw::c_int;
}

#[cfg(target_os = "netbsd")]
mod types {
    pub type filter_t = u32;
    pub type flags_t = u32;
    pub type count_t = usize;
}

pub use types::{count_t, filter_t, flags_t};

#[cfg(any(target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
pub type data_t = i64;
#[cfg(not(any(target_os = "freebsd", target_os = "netbsd", target_os = "openbsd")))]
pub type data_t = isize;

/// A change that `kevent` takes, and an event that it returns.
///
/// Packed to an alignment of 4 bytes on Apple systems, as in their header. On NetBSD, this is the struct that the
/// function `__kevent50` takes, which every supported release has. Newer releases also have a longer struct, which the
/// function `__kevent100` takes.
#[cfg_attr(any(target_vendor = "apple", minimio_kqueue), repr(C, packed(4)))]
#[cfg_attr(not(any(target_vendor = "apple", minimio_kqueue)), repr(C))]
#[derive(Clone, Copy)]
pub struct kevent {
    pub ident: usize,
    pub filter: filter_t,
    pub flags: flags_t,
    pub fflags: u32,
    pub data: data_t,
    /// A pointer in C. The kernel does not dereference it, so this crate declares a number.
    pub udata: usize,
    #[cfg(target_os = "freebsd")]
    pub ext: [u64; 4],
}

#[cfg(all(target_pointer_width = "64", target_os = "freebsd"))]
const _: () = assert!(std::mem::size_of::<kevent>() == 64);
#[cfg(all(target_pointer_width = "64", target_os = "netbsd"))]
const _: () = assert!(std::mem::size_of::<kevent>() == 40);
#[cfg(all(target_pointer_width = "64", not(any(target_os = "freebsd", target_os = "netbsd"))))]
const _: () = assert!(std::mem::size_of::<kevent>() == 32);
#[cfg(all(target_arch = "x86", target_os = "freebsd"))]
const _: () = assert!(std::mem::size_of::<kevent>() == 56);
#[cfg(all(target_arch = "x86", target_os = "netbsd"))]
const _: () = assert!(std::mem::size_of::<kevent>() == 28);
#[cfg(all(target_arch = "x86", target_os = "openbsd"))]
const _: () = assert!(std::mem::size_of::<kevent>() == 24);

#[cfg(not(target_os = "netbsd"))]
mod filters {
    use super::filter_t;

    pub const EVFILT_READ: filter_t = -1;
    pub const EVFILT_WRITE: filter_t = -2;
    pub const EVFILT_AIO: filter_t = -3;
    pub const EVFILT_PROC: filter_t = -5;
    pub const EVFILT_TIMER: filter_t = -7;
    #[cfg(target_os = "freebsd")]
    pub const EVFILT_USER: filter_t = -11;
    #[cfg(target_os = "dragonfly")]
    pub const EVFILT_USER: filter_t = -9;
    #[cfg(not(any(target_os = "freebsd", target_os = "dragonfly")))]
    pub const EVFILT_USER: filter_t = -10;
}

#[cfg(target_os = "netbsd")]
mod filters {
    use super::filter_t;

    pub const EVFILT_READ: filter_t = 0;
    pub const EVFILT_WRITE: filter_t = 1;
    pub const EVFILT_AIO: filter_t = 2;
    pub const EVFILT_PROC: filter_t = 4;
    pub const EVFILT_TIMER: filter_t = 6;
    pub const EVFILT_USER: filter_t = 8;
}

pub use filters::{EVFILT_AIO, EVFILT_PROC, EVFILT_READ, EVFILT_TIMER, EVFILT_USER, EVFILT_WRITE};
/// The filter for lists of asynchronous I/O operations. Every FreeBSD release that this crate supports has this filter,
/// and no other system has it.
#[cfg(target_os = "freebsd")]
pub const EVFILT_LIO: Option<filter_t> = Some(-10);
#[cfg(not(target_os = "freebsd"))]
pub const EVFILT_LIO: Option<filter_t> = None;

pub const EV_ADD: flags_t = 0x0001;
pub const EV_DELETE: flags_t = 0x0002;
pub const EV_ENABLE: flags_t = 0x0004;
pub const EV_DISABLE: flags_t = 0x0008;
pub const EV_CLEAR: flags_t = 0x0020;
pub const EV_RECEIPT: flags_t = 0x0040;
pub const EV_DISPATCH: flags_t = 0x0080;
pub const EV_ERROR: flags_t = 0x4000;
pub const EV_EOF: flags_t = 0x8000;

pub const NOTE_TRIGGER: u32 = 0x0100_0000;
pub const NOTE_EXIT: u32 = 0x8000_0000;
/// The `fflags` of a knote for reading, and also its `data`: `NOTE_LOWAT` and the low-water mark are both 1. With
/// `NOTE_LOWAT` and the `data` 1, macOS accepts devices such as `/dev/tty`, which it rejects otherwise. For other
/// descriptors, a low-water mark of 1 changes nothing.
#[cfg(target_vendor = "apple")]
pub const READ_FFLAGS: u32 = NOTE_LOWAT;
#[cfg(not(target_vendor = "apple"))]
pub const READ_FFLAGS: u32 = 0;
#[cfg(target_vendor = "apple")]
const NOTE_LOWAT: u32 = 0x0001;

// <time.h>

#[cfg(any(target_vendor = "apple", all(target_os = "freebsd", target_arch = "x86")))]
pub type time_t = c_long;
#[cfg(not(any(target_vendor = "apple", all(target_os = "freebsd", target_arch = "x86"))))]
pub type time_t = i64;

#[repr(C)]
pub struct timespec {
    pub tv_sec: time_t,
    pub tv_nsec: c_long,
}
#[cfg(target_pointer_width = "64")]
const _: () = assert!(std::mem::size_of::<timespec>() == 16);

impl kevent {
    pub const fn new(ident: usize, filter: filter_t, flags: flags_t, udata: usize) -> kevent {
        kevent {
            ident,
            filter,
            flags,
            fflags: 0,
            data: 0,
            udata,
            #[cfg(target_os = "freebsd")]
            ext: [0; 4],
        }
    }
}

extern "C" {
    pub fn kqueue() -> c_int;
    #[cfg_attr(target_os = "netbsd", link_name = "__kevent50")]
    pub fn kevent(
        kq: c_int,
        changelist: *const kevent,
        nchanges: count_t,
        eventlist: *mut kevent,
        nevents: count_t,
        timeout: *const timespec,
    ) -> c_int;
}

// <sys/socket.h>

/// With the model, Linux's number.
pub const SO_TYPE: c_int = if cfg!(minimio_kqueue) { 3 } else { 0x1008 };

// <errno.h>

pub const ENOENT: c_int = 2;
pub const ESRCH: c_int = 3;
pub const EBADF: c_int = 9;
pub const EINVAL: c_int = 22;
pub const EPIPE: c_int = 32;
