//! The functions, types and constants of sockets, descriptors and pipes that the standard library does not export.

#![allow(non_camel_case_types)]

use std::mem;
use std::os::raw::{c_int, c_void};

// Constants that differ between systems. On Linux, most processors share the generic values; MIPS and SPARC have their
// own. macOS and the BSDs share most values.

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6",
        target_arch = "sparc",
        target_arch = "sparc64"
    ))
))]
mod processor {
    use super::c_int;

    pub(crate) const O_NONBLOCK: c_int = 0x800;
    pub(crate) const O_CLOEXEC: c_int = 0x8_0000;
    pub(crate) const SOCK_STREAM: c_int = 1;
    pub(crate) const SOCK_DGRAM: c_int = 2;
    pub(crate) const EINPROGRESS: c_int = 115;
    pub(crate) const SOL_SOCKET: c_int = 1;

    pub(crate) const SIGBUS: c_int = 7;
    pub(crate) const SIGUSR1: c_int = 10;
    pub(crate) const SIGUSR2: c_int = 12;
    pub(crate) const SIGCHLD: c_int = 17;
    pub(crate) const SIGCONT: c_int = 18;
    pub(crate) const SIGSTOP: c_int = 19;
    pub(crate) const SIGWINCH: c_int = 28;
    pub(crate) const SIGSYS: c_int = 31;
    pub(crate) const SA_SIGINFO: c_int = 0x4;
    pub(crate) const SA_ONSTACK: c_int = 0x800_0000;
    pub(crate) const SA_RESTART: c_int = 0x1000_0000;
    pub(crate) const SA_RESETHAND: c_int = -0x8000_0000;
}

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6")
))]
mod processor {
    use super::c_int;

    pub(crate) const O_NONBLOCK: c_int = 0x80;
    pub(crate) const O_CLOEXEC: c_int = 0x8_0000;
    pub(crate) const SOCK_STREAM: c_int = 2;
    pub(crate) const SOCK_DGRAM: c_int = 1;
    pub(crate) const EINPROGRESS: c_int = 150;
    pub(crate) const SOL_SOCKET: c_int = 0xffff;

    pub(crate) const SIGBUS: c_int = 10;
    pub(crate) const SIGUSR1: c_int = 16;
    pub(crate) const SIGUSR2: c_int = 17;
    pub(crate) const SIGCHLD: c_int = 18;
    pub(crate) const SIGCONT: c_int = 25;
    pub(crate) const SIGSTOP: c_int = 23;
    pub(crate) const SIGWINCH: c_int = 20;
    pub(crate) const SIGSYS: c_int = 12;
    pub(crate) const SA_SIGINFO: c_int = 0x8;
    pub(crate) const SA_ONSTACK: c_int = 0x800_0000;
    pub(crate) const SA_RESTART: c_int = 0x1000_0000;
    pub(crate) const SA_RESETHAND: c_int = -0x8000_0000;
}

#[cfg(all(any(target_os = "linux", target_os = "android"), any(target_arch = "sparc", target_arch = "sparc64")))]
mod processor {
    use super::c_int;

    pub(crate) const O_NONBLOCK: c_int = 0x4000;
    pub(crate) const O_CLOEXEC: c_int = 0x40_0000;
    pub(crate) const SOCK_STREAM: c_int = 1;
    pub(crate) const SOCK_DGRAM: c_int = 2;
    pub(crate) const EINPROGRESS: c_int = 36;
    pub(crate) const SOL_SOCKET: c_int = 0xffff;

    pub(crate) const SIGBUS: c_int = 10;
    pub(crate) const SIGUSR1: c_int = 30;
    pub(crate) const SIGUSR2: c_int = 31;
    pub(crate) const SIGCHLD: c_int = 20;
    pub(crate) const SIGCONT: c_int = 19;
    pub(crate) const SIGSTOP: c_int = 17;
    pub(crate) const SIGWINCH: c_int = 28;
    pub(crate) const SIGSYS: c_int = 12;
    pub(crate) const SA_SIGINFO: c_int = 0x200;
    pub(crate) const SA_ONSTACK: c_int = 0x1;
    pub(crate) const SA_RESTART: c_int = 0x2;
    pub(crate) const SA_RESETHAND: c_int = 0x4;
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use super::c_int;

    pub(crate) const SOCK_NONBLOCK: c_int = super::O_NONBLOCK;
    pub(crate) const SOCK_CLOEXEC: c_int = super::O_CLOEXEC;
    pub(crate) const AF_INET6: c_int = 10;
    pub(crate) const MSG_NOSIGNAL: c_int = 0x4000;
    pub(crate) const IPV6_V6ONLY: c_int = 26;
    pub(crate) type sa_family_t = u16;
    // musl declares these two lengths with 32 bits and padding behind them (on big-endian processors, before them). For
    // values that fit into 32 bits, the bytes are the same.
    pub(crate) type msg_iovlen_t = usize;
    pub(crate) type msg_controllen_t = usize;
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod processor {
    use super::c_int;

    pub(crate) const O_NONBLOCK: c_int = 0x4;
    #[cfg(target_vendor = "apple")]
    pub(crate) const O_CLOEXEC: c_int = 0x100_0000;
    #[cfg(target_os = "freebsd")]
    pub(crate) const O_CLOEXEC: c_int = 0x10_0000;
    #[cfg(target_os = "netbsd")]
    pub(crate) const O_CLOEXEC: c_int = 0x40_0000;
    #[cfg(target_os = "openbsd")]
    pub(crate) const O_CLOEXEC: c_int = 0x1_0000;
    #[cfg(not(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd")))]
    pub(crate) const O_CLOEXEC: c_int = 0x2_0000;
    pub(crate) const SOCK_STREAM: c_int = 1;
    pub(crate) const SOCK_DGRAM: c_int = 2;
    pub(crate) const EINPROGRESS: c_int = 36;
    pub(crate) const SOL_SOCKET: c_int = 0xffff;

    pub(crate) const SIGBUS: c_int = 10;
    pub(crate) const SIGUSR1: c_int = 30;
    pub(crate) const SIGUSR2: c_int = 31;
    pub(crate) const SIGCHLD: c_int = 20;
    pub(crate) const SIGCONT: c_int = 19;
    pub(crate) const SIGSTOP: c_int = 17;
    pub(crate) const SIGWINCH: c_int = 28;
    pub(crate) const SIGSYS: c_int = 12;
    pub(crate) const SA_SIGINFO: c_int = 0x40;
    pub(crate) const SA_ONSTACK: c_int = 0x1;
    pub(crate) const SA_RESTART: c_int = 0x2;
    pub(crate) const SA_RESETHAND: c_int = 0x4;
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::c_int;

    pub(crate) const IPV6_V6ONLY: c_int = 27;
    pub(crate) type sa_family_t = u8;
    #[cfg(target_os = "openbsd")]
    pub(crate) type msg_iovlen_t = std::os::raw::c_uint;
    #[cfg(not(target_os = "openbsd"))]
    pub(crate) type msg_iovlen_t = c_int;
    pub(crate) type msg_controllen_t = super::socklen_t;

    // Apple systems have neither flag. This crate makes a socket non-blocking and close-on-exec after its creation.
    #[cfg(target_vendor = "apple")]
    pub(crate) const SOCK_NONBLOCK: c_int = 0;
    #[cfg(target_vendor = "apple")]
    pub(crate) const SOCK_CLOEXEC: c_int = 0;
    #[cfg(target_os = "openbsd")]
    pub(crate) const SOCK_NONBLOCK: c_int = 0x4000;
    #[cfg(target_os = "openbsd")]
    pub(crate) const SOCK_CLOEXEC: c_int = 0x8000;
    #[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
    pub(crate) const SOCK_NONBLOCK: c_int = 0x2000_0000;
    #[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
    pub(crate) const SOCK_CLOEXEC: c_int = 0x1000_0000;

    #[cfg(target_vendor = "apple")]
    pub(crate) const AF_INET6: c_int = 30;
    #[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
    pub(crate) const AF_INET6: c_int = 24;
    #[cfg(not(any(target_vendor = "apple", target_os = "netbsd", target_os = "openbsd")))]
    pub(crate) const AF_INET6: c_int = 28;

    /// Older releases of Apple's systems ignore this flag; they have [`SO_NOSIGPIPE`](super::SO_NOSIGPIPE).
    #[cfg(target_vendor = "apple")]
    pub(crate) const MSG_NOSIGNAL: c_int = 0x8_0000;
    #[cfg(target_os = "freebsd")]
    pub(crate) const MSG_NOSIGNAL: c_int = 0x2_0000;
    #[cfg(not(any(target_vendor = "apple", target_os = "freebsd")))]
    pub(crate) const MSG_NOSIGNAL: c_int = 0x400;
}

// <fcntl.h>, <errno.h>

pub(crate) use processor::{EINPROGRESS, O_CLOEXEC, O_NONBLOCK};

pub(crate) const F_SETFD: c_int = 2;
pub(crate) const F_GETFL: c_int = 3;
pub(crate) const F_SETFL: c_int = 4;
pub(crate) const FD_CLOEXEC: c_int = 1;

extern "C" {
    /// The address of the calling thread's `errno`. The C libraries have the function under three names, DragonFly's
    /// since 5.8.
    #[cfg(any(target_os = "linux", target_os = "dragonfly"))]
    pub(crate) fn __errno_location() -> *mut c_int;
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    pub(crate) fn __errno() -> *mut c_int;
    #[cfg(not(any(
        target_os = "linux",
        target_os = "dragonfly",
        target_os = "android",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    pub(crate) fn __error() -> *mut c_int;

    /// <https://man7.org/linux/man-pages/man2/fcntl.2.html>
    pub(crate) fn fcntl(fd: c_int, cmd: c_int, ...) -> c_int;
}

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
pub(crate) use __errno as errno_location;
#[cfg(any(target_os = "linux", target_os = "dragonfly"))]
pub(crate) use __errno_location as errno_location;
#[cfg(not(any(
    target_os = "linux",
    target_os = "dragonfly",
    target_os = "android",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub(crate) use __error as errno_location;

// <unistd.h>

/// Whether the system has `pipe2`. Apple's systems do not, and the tests over the kqueue model do not use it.
pub(crate) const HAS_PIPE2: bool = !cfg!(any(target_vendor = "apple", minimio_kqueue));

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/pipe.2.html>
    pub(crate) fn pipe(pipefd: *mut c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/pipe.2.html>
    #[cfg(not(target_vendor = "apple"))]
    pub(crate) fn pipe2(pipefd: *mut c_int, flags: c_int) -> c_int;
}

/// A placeholder for the missing function. The code checks [`HAS_PIPE2`] and never calls this placeholder.
#[cfg(target_vendor = "apple")]
pub(crate) unsafe fn pipe2(_: *mut c_int, _: c_int) -> c_int {
    -1
}

// <sys/socket.h>

pub(crate) use processor::{SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET};
pub(crate) use system::{msg_controllen_t, msg_iovlen_t, sa_family_t};
pub(crate) use system::{AF_INET6, IPV6_V6ONLY, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK};
pub(crate) const AF_UNIX: c_int = 1;
pub(crate) const AF_INET: c_int = 2;
pub(crate) const MSG_PEEK: c_int = 0x2;

/// Whether `socket` and `socketpair` take flags. Apple's systems accept no flags, and the tests over the kqueue model
/// also use the code for systems without flags.
pub(crate) const HAS_SOCKET_FLAGS: bool = !cfg!(any(target_vendor = "apple", minimio_kqueue));
/// Whether the system has `accept4`. Apple's systems do not, and Android on x86 kills a process that calls it.
pub(crate) const HAS_ACCEPT4: bool = HAS_SOCKET_FLAGS && !cfg!(all(target_os = "android", target_arch = "x86"));

/// The option of `SOL_SOCKET` that keeps a socket from raising SIGPIPE, on systems whose older releases ignore
/// [`MSG_NOSIGNAL`].
pub(crate) const SO_NOSIGPIPE: Option<c_int> = if cfg!(target_vendor = "apple") { Some(0x1022) } else { None };

/// The maximum number of buffers of one `sendmsg`, from <linux/uio.h> and <sys/limits.h>.
pub(crate) const UIO_MAXIOV: usize = 1024;

pub(crate) type socklen_t = u32;

#[repr(C)]
pub(crate) struct msghdr {
    pub msg_name: *mut c_void,
    pub msg_namelen: socklen_t,
    /// An array of `iovec`. On Unix, `std::io::IoSlice` has the layout of `iovec`.
    pub msg_iov: *const c_void,
    pub msg_iovlen: msg_iovlen_t,
    pub msg_control: *mut c_void,
    pub msg_controllen: msg_controllen_t,
    pub msg_flags: c_int,
}
#[cfg(any(target_os = "linux", target_os = "android"))]
const _: () = assert!(mem::size_of::<msghdr>() == 7 * mem::size_of::<usize>());
#[cfg(all(not(any(target_os = "linux", target_os = "android")), target_pointer_width = "64"))]
const _: () = assert!(mem::size_of::<msghdr>() == 48);

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/socket.2.html>
    #[cfg_attr(target_os = "netbsd", link_name = "__socket30")]
    pub(crate) fn socket(domain: c_int, r#type: c_int, protocol: c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/socketpair.2.html>
    pub(crate) fn socketpair(domain: c_int, r#type: c_int, protocol: c_int, sv: *mut c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/connect.2.html>
    pub(crate) fn connect(sockfd: c_int, addr: *const sockaddr, addrlen: socklen_t) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/listen.2.html>
    pub(crate) fn listen(sockfd: c_int, backlog: c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/accept.2.html>
    pub(crate) fn accept(sockfd: c_int, addr: *mut sockaddr, addrlen: *mut socklen_t) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/accept.2.html>
    #[cfg(not(target_vendor = "apple"))]
    pub(crate) fn accept4(sockfd: c_int, addr: *mut sockaddr, addrlen: *mut socklen_t, flags: c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/recv.2.html>
    pub(crate) fn recv(sockfd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize;
    /// <https://man7.org/linux/man-pages/man2/send.2.html>
    pub(crate) fn send(sockfd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize;
    /// <https://man7.org/linux/man-pages/man2/send.2.html>
    pub(crate) fn sendmsg(sockfd: c_int, msg: *const msghdr, flags: c_int) -> isize;
    /// <https://man7.org/linux/man-pages/man2/getsockopt.2.html>
    pub(crate) fn getsockopt(
        sockfd: c_int,
        level: c_int,
        optname: c_int,
        optval: *mut c_void,
        optlen: *mut socklen_t,
    ) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/setsockopt.2.html>
    pub(crate) fn setsockopt(
        sockfd: c_int,
        level: c_int,
        optname: c_int,
        optval: *const c_void,
        optlen: socklen_t,
    ) -> c_int;
}

/// A placeholder for the missing function. The code checks [`HAS_ACCEPT4`] and never calls this placeholder.
#[cfg(target_vendor = "apple")]
pub(crate) unsafe fn accept4(_: c_int, _: *mut sockaddr, _: *mut socklen_t, _: c_int) -> c_int {
    -1
}

// <signal.h>

pub(crate) const SIGHUP: c_int = 1;
pub(crate) const SIGINT: c_int = 2;
pub(crate) const SIGQUIT: c_int = 3;
pub(crate) const SIGILL: c_int = 4;
pub(crate) const SIGFPE: c_int = 8;
pub(crate) const SIGKILL: c_int = 9;
pub(crate) const SIGSEGV: c_int = 11;
pub(crate) const SIGPIPE: c_int = 13;
pub(crate) const SIGALRM: c_int = 14;
pub(crate) const SIGTERM: c_int = 15;
pub(crate) use processor::{SA_ONSTACK, SA_RESETHAND, SA_RESTART, SA_SIGINFO};
pub(crate) use processor::{SIGBUS, SIGCHLD, SIGCONT, SIGSTOP, SIGSYS, SIGUSR1, SIGUSR2, SIGWINCH};

/// The values of `sa_handler` that are not functions.
pub(crate) const SIG_DFL: usize = 0;
pub(crate) const SIG_IGN: usize = 1;

/// The action of a signal. The order of the fields differs. This crate does not look at the mask, so the mask is bytes.
#[cfg(not(any(
    all(target_os = "linux", any(target_arch = "mips", target_arch = "mips32r6"), not(target_env = "musl")),
    all(target_os = "linux", any(target_arch = "mips64", target_arch = "mips64r6"), not(target_env = "musl")),
    all(target_os = "linux", target_arch = "s390x", not(target_env = "musl")),
    all(target_os = "android", target_pointer_width = "64"),
    target_os = "freebsd",
    target_os = "dragonfly",
)))]
mod action {
    use super::{c_int, c_void, sigset_t};

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(crate) struct sigaction {
        pub sa_handler: *mut c_void,
        pub sa_mask: sigset_t,
        #[cfg(all(target_os = "linux", target_arch = "sparc64", not(target_env = "musl")))]
        pub __glibc_reserved0: c_int,
        pub sa_flags: c_int,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        pub sa_restorer: *mut c_void,
    }
}

#[cfg(any(
    all(target_os = "linux", any(target_arch = "mips", target_arch = "mips32r6"), not(target_env = "musl")),
    all(target_os = "linux", any(target_arch = "mips64", target_arch = "mips64r6"), not(target_env = "musl")),
    all(target_os = "android", target_pointer_width = "64"),
))]
mod action {
    use super::{c_int, c_void, sigset_t};

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(crate) struct sigaction {
        pub sa_flags: c_int,
        pub sa_handler: *mut c_void,
        pub sa_mask: sigset_t,
        pub sa_restorer: *mut c_void,
        #[cfg(any(target_arch = "mips", target_arch = "mips32r6"))]
        pub sa_resv: [c_int; 1],
    }
}

#[cfg(all(target_os = "linux", target_arch = "s390x", not(target_env = "musl")))]
mod action {
    use super::{c_int, c_void, sigset_t};

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(crate) struct sigaction {
        pub sa_handler: *mut c_void,
        pub __glibc_reserved0: c_int,
        pub sa_flags: c_int,
        pub sa_restorer: *mut c_void,
        pub sa_mask: sigset_t,
    }
}

#[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
mod action {
    use super::{c_int, c_void, sigset_t};

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub(crate) struct sigaction {
        pub sa_handler: *mut c_void,
        pub sa_flags: c_int,
        pub sa_mask: sigset_t,
    }
}

pub(crate) use action::sigaction;

pub(crate) type sigset_t = [u8; SIGSET_SIZE];
const SIGSET_SIZE: usize = if cfg!(target_os = "linux") {
    128
} else if cfg!(target_os = "android") {
    mem::size_of::<usize>()
} else if cfg!(any(target_vendor = "apple", target_os = "openbsd")) {
    4
} else {
    16
};

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/sigaction.2.html>
    #[cfg_attr(target_os = "netbsd", link_name = "__sigaction_siginfo")]
    pub(crate) fn sigaction(signum: c_int, act: *const sigaction, oldact: *mut sigaction) -> c_int;
}

// <netinet/in.h>

pub(crate) const IPPROTO_IPV6: c_int = 41;

/// <https://man7.org/linux/man-pages/man7/ip.7.html>
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub sin_len: u8,
    pub sin_family: sa_family_t,
    /// In network byte order, like the address.
    pub sin_port: [u8; 2],
    pub sin_addr: [u8; 4],
    pub sin_zero: [u8; 8],
}
const _: () = assert!(mem::size_of::<sockaddr_in>() == 16);

/// <https://man7.org/linux/man-pages/man7/ipv6.7.html>
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in6 {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub sin6_len: u8,
    pub sin6_family: sa_family_t,
    /// In network byte order, like the address.
    pub sin6_port: [u8; 2],
    pub sin6_flowinfo: u32,
    pub sin6_addr: [u8; 16],
    pub sin6_scope_id: u32,
}
const _: () = assert!(mem::size_of::<sockaddr_in6>() == 28);

/// Empty addresses. Only their length is set, on systems whose addresses contain it.
pub(crate) const EMPTY_SOCKADDR_IN: sockaddr_in = sockaddr_in {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    sin_len: mem::size_of::<sockaddr_in>() as u8,
    sin_family: 0,
    sin_port: [0; 2],
    sin_addr: [0; 4],
    sin_zero: [0; 8],
};
pub(crate) const EMPTY_SOCKADDR_IN6: sockaddr_in6 = sockaddr_in6 {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    sin6_len: mem::size_of::<sockaddr_in6>() as u8,
    sin6_family: 0,
    sin6_port: [0; 2],
    sin6_flowinfo: 0,
    sin6_addr: [0; 16],
    sin6_scope_id: 0,
};

/// An IPv4 or IPv6 address. The family, at the same offset in both members, distinguishes them. Any bytes are valid for
/// both.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union sockaddr {
    pub v4: sockaddr_in,
    pub v6: sockaddr_in6,
}

// <sys/un.h>

/// <https://man7.org/linux/man-pages/man7/unix.7.html>
#[repr(C)]
pub(crate) struct sockaddr_un {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub sun_len: u8,
    pub sun_family: sa_family_t,
    pub sun_path: [u8; SUN_PATH],
}
const SUN_PATH: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 108 } else { 104 };
const _: () = assert!(mem::size_of::<sockaddr_un>() == 2 + SUN_PATH);

/// An empty address.
pub(crate) const EMPTY_SOCKADDR_UN: sockaddr_un = sockaddr_un {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    sun_len: 0,
    sun_family: 0,
    sun_path: [0; SUN_PATH],
};

/// Whether a path that begins with a zero byte is an abstract name, which has no file. Elsewhere, such a path is empty.
pub(crate) const HAS_ABSTRACT_NAMES: bool = cfg!(any(target_os = "linux", target_os = "android"));
