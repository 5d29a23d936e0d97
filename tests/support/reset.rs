//! Closes a connection with a reset, for which the standard library has no stable function.

use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::raw::{c_int, c_void};

/// Closes the connection with a reset.
pub fn close_with_reset(stream: TcpStream) {
    reset_on_close(&stream);
}

/// Makes the close of this stream a reset: `SO_LINGER` with zero seconds.
pub fn reset_on_close(stream: &TcpStream) {
    let linger = Linger { on: 1, seconds: 0 };
    let len = mem::size_of::<Linger>() as c_int;
    let value: *const Linger = &linger;
    // SAFETY: `stream` is open, and `value` points to `len` bytes that outlive the call, which only reads them.
    let result = unsafe { setsockopt(handle(stream), SOL_SOCKET, SO_LINGER, value.cast::<c_void>(), len) };
    assert_eq!(result, 0, "setsockopt(SO_LINGER): {}", io::Error::last_os_error());
}

#[cfg(unix)]
use unix::*;
#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::io::AsRawFd;

    #[repr(C)]
    pub struct Linger {
        pub on: c_int,
        pub seconds: c_int,
    }

    // First the generic numbers of Linux, then those of the BSDs, which Linux uses on MIPS and SPARC.
    const GENERIC_LINUX: bool = cfg!(all(
        any(target_os = "linux", target_os = "android"),
        not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))
    ));
    pub const SOL_SOCKET: c_int = if GENERIC_LINUX { 1 } else { 0xffff };
    pub const SO_LINGER: c_int = if GENERIC_LINUX { 13 } else { 0x80 };

    pub fn handle(stream: &TcpStream) -> c_int {
        stream.as_raw_fd()
    }

    extern "C" {
        /// <https://man7.org/linux/man-pages/man2/setsockopt.2.html>
        pub fn setsockopt(
            sockfd: c_int,
            level: c_int,
            optname: c_int,
            optval: *const c_void,
            // C declares a `socklen_t`, which is unsigned. A small size has the same representation in both types.
            optlen: c_int,
        ) -> c_int;
    }
}

#[cfg(windows)]
use windows::*;
#[cfg(windows)]
mod windows {
    use super::*;
    use std::os::windows::io::{AsRawSocket, RawSocket};

    #[repr(C)]
    pub struct Linger {
        pub on: u16,
        pub seconds: u16,
    }

    pub const SOL_SOCKET: c_int = 0xffff;
    pub const SO_LINGER: c_int = 0x80;

    pub fn handle(stream: &TcpStream) -> RawSocket {
        stream.as_raw_socket()
    }

    #[link(name = "ws2_32")]
    extern "system" {
        /// <https://learn.microsoft.com/en-us/windows/win32/api/winsock/nf-winsock-setsockopt>
        pub fn setsockopt(s: RawSocket, level: c_int, optname: c_int, optval: *const c_void, optlen: c_int) -> c_int;
    }
}
