//! The functions, types and constants of epoll, and of eventfd, with which the notifier ends a wait.

#![allow(non_camel_case_types, non_upper_case_globals)]

use std::mem;
use std::os::raw::{c_int, c_long, c_uint, c_void};

use crate::unix::ffi::{O_CLOEXEC, O_NONBLOCK};

// <sys/epoll.h>

/// The interest that `epoll_ctl` takes, and the event that `epoll_wait` returns.
///
/// Packed on x86_64, so that the layout is that of a 32-bit x86 program. (On x86, packing makes no difference. On m68k,
/// a `u64` is aligned to 2 bytes.)
#[cfg_attr(any(target_arch = "x86_64", target_arch = "x86"), repr(C, packed))]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "x86")), repr(C))]
#[derive(Clone, Copy)]
pub struct epoll_event {
    pub events: u32,
    pub data: u64,
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
const _: () = assert!(mem::size_of::<epoll_event>() == 12 && mem::align_of::<epoll_event>() == 1);
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "m68k")))]
const _: () = assert!(mem::size_of::<epoll_event>() == 16 && mem::align_of::<epoll_event>() == 8);
#[cfg(target_arch = "m68k")]
const _: () = assert!(mem::size_of::<epoll_event>() == 12);

pub const EPOLL_CLOEXEC: c_int = O_CLOEXEC;
pub const EPOLL_CTL_ADD: c_int = 1;
pub const EPOLL_CTL_DEL: c_int = 2;
pub const EPOLL_CTL_MOD: c_int = 3;

pub const EPOLLIN: u32 = 0x001;
pub const EPOLLPRI: u32 = 0x002;
pub const EPOLLOUT: u32 = 0x004;
pub const EPOLLERR: u32 = 0x008;
pub const EPOLLHUP: u32 = 0x010;
pub const EPOLLRDHUP: u32 = 0x2000;
pub const EPOLLONESHOT: u32 = 1 << 30;
pub const EPOLLET: u32 = 1 << 31;

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/epoll_create.2.html>
    pub fn epoll_create1(flags: c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/epoll_ctl.2.html>
    pub fn epoll_ctl(epfd: c_int, op: c_int, fd: c_int, event: *mut epoll_event) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/epoll_wait.2.html>
    pub fn epoll_wait(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: c_int) -> c_int;
}

// <sys/syscall.h>, <linux/time_types.h>

/// The `timespec` of newer system calls: both fields have 64 bits on every processor, unlike those of the C library's
/// `timespec`.
#[repr(C)]
pub struct __kernel_timespec {
    pub tv_sec: i64,
    pub tv_nsec: i64,
}
const _: () = assert!(mem::size_of::<__kernel_timespec>() == 16);

/// `epoll_wait` with a timeout in nanoseconds, since Linux 5.11. This crate calls it by number, because older C
/// libraries do not have the function. Since Linux 5.1, a new system call has the same number on every processor, apart
/// from processors that add a base.
pub const SYS_epoll_pwait2: c_long = SYSCALL_BASE + 441;

#[cfg(any(target_arch = "mips", target_arch = "mips32r6"))]
const SYSCALL_BASE: c_long = 4000;
#[cfg(any(target_arch = "mips64", target_arch = "mips64r6"))]
const SYSCALL_BASE: c_long = 5000;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "32"))]
const SYSCALL_BASE: c_long = 0x4000_0000;
#[cfg(not(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6",
    all(target_arch = "x86_64", target_pointer_width = "32"),
)))]
const SYSCALL_BASE: c_long = 0;

/// Whether `epoll_pwait2` may be tried. Android kills an app that makes a system call that Android's seccomp filter
/// does not allow.
pub const TRY_PWAIT2: bool = !cfg!(target_os = "android");

/// Returns a descriptor of a process, since Linux 5.3. This crate calls it by number, as above.
pub const SYS_pidfd_open: c_long = SYSCALL_BASE + 434;

/// Whether `pidfd_open` may be tried, as above.
pub const TRY_PIDFD_OPEN: bool = !cfg!(target_os = "android");

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/syscall.2.html>
    pub fn syscall(number: c_long, ...) -> c_long;
}

// <sys/eventfd.h>

pub const EFD_CLOEXEC: c_int = O_CLOEXEC;
pub const EFD_NONBLOCK: c_int = O_NONBLOCK;

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/eventfd.2.html>
    pub fn eventfd(initval: c_uint, flags: c_int) -> c_int;
}

// <sys/wait.h>, <signal.h>

pub const P_PID: c_uint = 1;
pub const WNOHANG: c_int = 1;
pub const WEXITED: c_int = 4;
pub const WNOWAIT: c_int = 0x100_0000;

/// What `waitid` writes: 128 bytes. The first field of the struct is the number of the signal.
pub type siginfo_t = [c_int; 32];

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/waitid.2.html>
    pub fn waitid(idtype: c_uint, id: c_uint, infop: *mut c_void, options: c_int) -> c_int;
}

// <errno.h>

pub const EPERM: c_int = 1;
pub const ESRCH: c_int = 3;
pub const ECHILD: c_int = 10;
#[cfg(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6"))]
pub const ENOSYS: c_int = 89;
#[cfg(target_arch = "sparc64")]
pub const ENOSYS: c_int = 90;
#[cfg(not(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6",
    target_arch = "sparc64",
)))]
pub const ENOSYS: c_int = 38;
