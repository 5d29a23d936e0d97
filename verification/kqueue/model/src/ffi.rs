//! C declarations: macOS's `<sys/event.h>`, which this library implements, and the Linux calls that it uses.

#![allow(non_camel_case_types)]

use std::mem;
use std::os::raw::{c_char, c_int, c_long, c_short, c_uint, c_ulong, c_void};

// <sys/event.h>, as on macOS

#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct kevent {
    pub ident: usize,
    pub filter: i16,
    pub flags: u16,
    pub fflags: u32,
    pub data: isize,
    pub udata: *mut c_void,
}
#[cfg(target_pointer_width = "64")]
const _: () = assert!(mem::size_of::<kevent>() == 32 && mem::align_of::<kevent>() == 4);

pub const EVFILT_READ: i16 = -1;
pub const EVFILT_WRITE: i16 = -2;
pub const EVFILT_AIO: i16 = -3;
pub const EVFILT_PROC: i16 = -5;
pub const EVFILT_SIGNAL: i16 = -6;
pub const EVFILT_TIMER: i16 = -7;
pub const EVFILT_USER: i16 = -10;

pub const EV_ADD: u16 = 0x0001;
pub const EV_DELETE: u16 = 0x0002;
pub const EV_ENABLE: u16 = 0x0004;
pub const EV_DISABLE: u16 = 0x0008;
pub const EV_ONESHOT: u16 = 0x0010;
pub const EV_CLEAR: u16 = 0x0020;
pub const EV_RECEIPT: u16 = 0x0040;
pub const EV_DISPATCH: u16 = 0x0080;
pub const EV_ERROR: u16 = 0x4000;
pub const EV_EOF: u16 = 0x8000;

pub const NOTE_TRIGGER: u32 = 0x0100_0000;
pub const NOTE_EXIT: u32 = 0x8000_0000;
pub const NOTE_SECONDS: u32 = 0x0001;
pub const NOTE_USECONDS: u32 = 0x0002;
pub const NOTE_NSECONDS: u32 = 0x0004;
pub const NOTE_FFAND: u32 = 0x4000_0000;
pub const NOTE_FFOR: u32 = 0x8000_0000;
pub const NOTE_FFCOPY: u32 = 0xc000_0000;
pub const NOTE_FFCTRLMASK: u32 = 0xc000_0000;
pub const NOTE_FFLAGSMASK: u32 = 0x00ff_ffff;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct timespec {
    pub tv_sec: c_long,
    pub tv_nsec: c_long,
}

// <errno.h>, as on Linux

pub const EPERM: c_int = 1;
pub const ENOENT: c_int = 2;
pub const ESRCH: c_int = 3;
pub const EINTR: c_int = 4;
pub const EBADF: c_int = 9;
pub const ENOMEM: c_int = 12;
pub const EINVAL: c_int = 22;
pub const EPIPE: c_int = 32;
pub const ENOSYS: c_int = 38;
pub const ELOOP: c_int = 40;
pub const ECONNRESET: c_int = 104;
pub const ECONNREFUSED: c_int = 111;

extern "C" {
    /// Returns the address of this thread's `errno`.
    pub fn __errno_location() -> *mut c_int;
}

// <unistd.h>, <fcntl.h>, <sys/ioctl.h>

extern "C" {
    /// glibc's second name of `close`. The model replaces the first.
    pub fn __close(fd: c_int) -> c_int;
    pub fn getpid() -> c_int;
    pub fn read(fd: c_int, buffer: *mut c_void, length: usize) -> isize;
    pub fn write(fd: c_int, buffer: *const c_void, length: usize) -> isize;
    pub fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    pub fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    pub fn syscall(number: c_long, ...) -> c_long;
}

pub const F_GETFD: c_int = 1;
pub const F_DUPFD_CLOEXEC: c_int = 1030;
pub const F_GETPIPE_SZ: c_int = 1032;
pub const O_NONBLOCK: c_int = 0o4000;
pub const O_CLOEXEC: c_int = 0o2000000;
pub const FIONREAD: c_ulong = 0x541b;

// <dlfcn.h>

extern "C" {
    pub fn dlsym(handle: *mut c_void, name: c_str) -> *mut c_void;
}

// <signal.h>, <pthread.h>

/// glibc's type, 1024 bits. The kernel uses the first 64.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct sigset_t([c_ulong; 1024 / c_ulong::BITS as usize]);
pub const NO_SIGNALS: sigset_t = sigset_t([0; 1024 / c_ulong::BITS as usize]);
pub const ALL_SIGNALS: sigset_t = sigset_t([!0; 1024 / c_ulong::BITS as usize]);
pub const KERNEL_SIGSET_SIZE: c_long = 8;
pub const SIG_SETMASK: c_int = 2;

/// The number of signals of Linux, plus one.
pub const SIGNALS: usize = 65;
pub const SIG_IGN: usize = 1;
pub const SA_RESTART: c_int = 0x1000_0000;
pub const SA_SIGINFO: c_int = 4;

/// glibc's type. `sa_handler` is 0 for the default action, `SIG_IGN`, or a function.
#[repr(C)]
pub struct sigaction {
    pub sa_handler: usize,
    pub sa_mask: sigset_t,
    pub sa_flags: c_int,
    pub sa_restorer: usize,
}

extern "C" {
    #[link_name = "sigaction"]
    pub fn set_sigaction(number: c_int, action: *const sigaction, old: *mut sigaction) -> c_int;
}

// <sys/timerfd.h>, <time.h>

#[repr(C)]
pub struct itimerspec {
    pub it_interval: timespec,
    pub it_value: timespec,
}

pub const CLOCK_MONOTONIC: c_int = 1;
pub const TFD_CLOEXEC: c_int = O_CLOEXEC;
pub const TFD_NONBLOCK: c_int = O_NONBLOCK;

extern "C" {
    pub fn timerfd_create(clock: c_int, flags: c_int) -> c_int;
    pub fn timerfd_settime(fd: c_int, flags: c_int, new: *const itimerspec, old: *mut itimerspec) -> c_int;
}

extern "C" {
    pub fn pthread_sigmask(how: c_int, set: *const sigset_t, old: *mut sigset_t) -> c_int;
}

// <sys/epoll.h>, <sys/eventfd.h>, <poll.h>

#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
#[derive(Clone, Copy)]
pub struct epoll_event {
    pub events: u32,
    pub data: u64,
}

/// The timeout of `epoll_pwait2`: 64-bit fields on all processors.
#[repr(C)]
pub struct __kernel_timespec {
    pub tv_sec: i64,
    pub tv_nsec: i64,
}

#[repr(C)]
pub struct pollfd {
    pub fd: c_int,
    pub events: c_short,
    pub revents: c_short,
}

pub const EPOLL_CLOEXEC: c_int = O_CLOEXEC;
pub const EPOLL_CTL_ADD: c_int = 1;
pub const EPOLL_CTL_DEL: c_int = 2;
pub const EPOLL_CTL_MOD: c_int = 3;
pub const EPOLLIN: u32 = 0x001;
pub const EPOLLOUT: u32 = 0x004;
pub const EPOLLRDHUP: u32 = 0x2000;
pub const EPOLLET: u32 = 1 << 31;
pub const SYS_epoll_pwait2: c_long = 441;
pub const SYS_pidfd_open: c_long = 434;
pub const EFD_CLOEXEC: c_int = O_CLOEXEC;
pub const EFD_NONBLOCK: c_int = O_NONBLOCK;
pub const POLLIN: c_short = 0x001;
pub const POLLOUT: c_short = 0x004;
pub const POLLERR: c_short = 0x008;
pub const POLLHUP: c_short = 0x010;
pub const POLLNVAL: c_short = 0x020;
pub const POLLRDHUP: c_short = 0x2000;

extern "C" {
    pub fn epoll_create1(flags: c_int) -> c_int;
    pub fn epoll_ctl(epfd: c_int, op: c_int, fd: c_int, event: *mut epoll_event) -> c_int;
    pub fn epoll_wait(epfd: c_int, events: *mut epoll_event, maxevents: c_int, timeout: c_int) -> c_int;
    pub fn eventfd(initval: c_uint, flags: c_int) -> c_int;
    pub fn poll(fds: *mut pollfd, count: c_ulong, timeout: c_int) -> c_int;
}

// <sys/socket.h>, <netinet/tcp.h>

pub const SOL_SOCKET: c_int = 1;
pub const SO_TYPE: c_int = 3;
pub const SO_ACCEPTCONN: c_int = 30;
pub const SO_PROTOCOL: c_int = 38;
pub const SO_DOMAIN: c_int = 39;
pub const SOCK_STREAM: c_int = 1;
pub const SOCK_SEQPACKET: c_int = 5;
pub const AF_UNIX: c_int = 1;
pub const AF_INET: c_int = 2;
pub const AF_INET6: c_int = 10;
pub const IPPROTO_TCP: c_int = 6;
pub const MSG_DONTWAIT: c_int = 0x40;
pub const MSG_NOSIGNAL: c_int = 0x4000;
pub const TCP_INFO: c_int = 11;

/// The fields up to the last one used here. The kernel writes no more than the length that it is given.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct tcp_info {
    pub tcpi_state: u8,
    _options: [u8; 7],
    _times: [u32; 4],
    /// For a listener: the number of connections that wait for `accept`.
    pub tcpi_unacked: u32,
    _numbers: [u32; 19],
    _totals: [u64; 11],
    /// The number of segments that the peer has acknowledged, beginning with the handshake.
    pub tcpi_delivered: u32,
    _rest: u32,
}
const _: () = assert!(mem::size_of::<tcp_info>() == 200);

pub const TCP_ESTABLISHED: u8 = 1;
pub const TCP_SYN_SENT: u8 = 2;
pub const TCP_SYN_RECV: u8 = 3;
pub const TCP_CLOSE_WAIT: u8 = 8;

extern "C" {
    pub fn getsockopt(fd: c_int, level: c_int, name: c_int, value: *mut c_void, length: *mut c_uint) -> c_int;
    pub fn send(fd: c_int, buffer: *const c_void, length: usize, flags: c_int) -> isize;
}

/// A C string.
pub type c_str = *const c_char;
