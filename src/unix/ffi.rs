//! What the systems and their C libraries promise: the socket calls, types and numbers that the standard library keeps
//! to itself.

#![allow(non_camel_case_types)]

use std::mem;
use std::os::raw::{c_int, c_void};

// Numbers that differ from processor to processor: the generic ones, and the two families with a past of their own.

#[cfg(not(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6",
    target_arch = "sparc",
    target_arch = "sparc64"
)))]
mod numbers {
    use super::c_int;

    pub(crate) const O_NONBLOCK: c_int = 0x800;
    pub(crate) const O_CLOEXEC: c_int = 0x8_0000;
    pub(crate) const SOCK_STREAM: c_int = 1;
    pub(crate) const EINPROGRESS: c_int = 115;
}

#[cfg(any(target_arch = "mips", target_arch = "mips32r6", target_arch = "mips64", target_arch = "mips64r6"))]
mod numbers {
    use super::c_int;

    pub(crate) const O_NONBLOCK: c_int = 0x80;
    pub(crate) const O_CLOEXEC: c_int = 0x8_0000;
    pub(crate) const SOCK_STREAM: c_int = 2;
    pub(crate) const EINPROGRESS: c_int = 150;
}

#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
mod numbers {
    use super::c_int;

    pub(crate) const O_NONBLOCK: c_int = 0x4000;
    pub(crate) const O_CLOEXEC: c_int = 0x40_0000;
    pub(crate) const SOCK_STREAM: c_int = 1;
    pub(crate) const EINPROGRESS: c_int = 36;
}

// <fcntl.h>, <errno.h>

pub(crate) use numbers::{EINPROGRESS, O_CLOEXEC, O_NONBLOCK};
pub(crate) const EINTR: c_int = 4;

// <sys/socket.h>

pub(crate) use numbers::SOCK_STREAM;
pub(crate) const SOCK_NONBLOCK: c_int = O_NONBLOCK;
pub(crate) const SOCK_CLOEXEC: c_int = O_CLOEXEC;

/// Whether `accept4` may be called: Android on x86 kills a process for it.
pub(crate) const HAS_ACCEPT4: bool = !cfg!(all(target_os = "android", target_arch = "x86"));

pub(crate) const AF_INET: c_int = 2;
pub(crate) const AF_INET6: c_int = 10;

pub(crate) const MSG_PEEK: c_int = 0x2;
pub(crate) const MSG_NOSIGNAL: c_int = 0x4000;

/// As many buffers as one `sendmsg` takes, from <linux/uio.h>.
pub(crate) const UIO_MAXIOV: usize = 1024;

pub(crate) type sa_family_t = u16;
pub(crate) type socklen_t = u32;

#[repr(C)]
pub(crate) struct msghdr {
    pub msg_name: *mut c_void,
    pub msg_namelen: socklen_t,
    /// An array of `iovec`, which is what a `std::io::IoSlice` is on Unix.
    pub msg_iov: *const c_void,
    /// musl has an `int` here and padding after (on big-endian processors, before) it: the same bytes for what fits an
    /// `int`.
    pub msg_iovlen: usize,
    pub msg_control: *mut c_void,
    pub msg_controllen: usize,
    pub msg_flags: c_int,
}
const _: () = assert!(mem::size_of::<msghdr>() == 7 * mem::size_of::<usize>());

extern "C" {
    /// <https://man7.org/linux/man-pages/man2/socket.2.html>
    pub(crate) fn socket(domain: c_int, r#type: c_int, protocol: c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/connect.2.html>
    pub(crate) fn connect(sockfd: c_int, addr: *const sockaddr, addrlen: socklen_t) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/listen.2.html>
    pub(crate) fn listen(sockfd: c_int, backlog: c_int) -> c_int;
    /// <https://man7.org/linux/man-pages/man2/accept.2.html>
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
}

// <netinet/in.h>

pub(crate) const IPPROTO_IPV6: c_int = 41;
pub(crate) const IPV6_V6ONLY: c_int = 26;

/// <https://man7.org/linux/man-pages/man7/ip.7.html>
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in {
    pub sin_family: sa_family_t,
    /// In network order, as the address.
    pub sin_port: [u8; 2],
    pub sin_addr: [u8; 4],
    pub sin_zero: [u8; 8],
}
const _: () = assert!(mem::size_of::<sockaddr_in>() == 16);

/// <https://man7.org/linux/man-pages/man7/ipv6.7.html>
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in6 {
    pub sin6_family: sa_family_t,
    /// In network order, as the address.
    pub sin6_port: [u8; 2],
    pub sin6_flowinfo: u32,
    pub sin6_addr: [u8; 16],
    pub sin6_scope_id: u32,
}
const _: () = assert!(mem::size_of::<sockaddr_in6>() == 28);

/// A socket address of either kind; the family says which. Every kind of it is valid as bytes of zero.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union sockaddr {
    pub family: sa_family_t,
    pub v4: sockaddr_in,
    pub v6: sockaddr_in6,
}
