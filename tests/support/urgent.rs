//! Sends and receives an urgent (out-of-band) byte, for which the standard library has no function.

use std::io;
use std::net;
use std::os::raw::{c_int, c_void};

use minimio::net::TcpStream;

/// Sends an urgent byte.
pub fn send(stream: &net::TcpStream, byte: u8) {
    let buffer: *const u8 = &byte;
    // SAFETY: `stream` is open, and `buffer` points to the one byte that the call reads. The byte outlives the call.
    let sent = unsafe { system::send(handle(stream), buffer.cast::<c_void>(), 1, MSG_OOB) };
    assert_eq!(sent, 1, "send(MSG_OOB): {}", io::Error::last_os_error());
}

/// Receives the urgent byte, which must have arrived.
pub fn receive(stream: &TcpStream) -> u8 {
    let mut byte = 0;
    let buffer: *mut u8 = &mut byte;
    // SAFETY: `stream` is open, and `buffer` points to the one byte that the call may write. The byte outlives the
    // call.
    let received = unsafe { system::recv(handle(stream), buffer.cast::<c_void>(), 1, MSG_OOB) };
    assert_eq!(received, 1, "recv(MSG_OOB): {}", io::Error::last_os_error());
    byte
}

const MSG_OOB: c_int = 1;

#[cfg(unix)]
fn handle(stream: &impl std::os::unix::io::AsRawFd) -> c_int {
    stream.as_raw_fd()
}

#[cfg(unix)]
mod system {
    use super::*;

    extern "C" {
        /// <https://man7.org/linux/man-pages/man2/send.2.html>
        pub fn send(sockfd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize;
        /// <https://man7.org/linux/man-pages/man2/recv.2.html>
        pub fn recv(sockfd: c_int, buf: *mut c_void, len: usize, flags: c_int) -> isize;
    }
}

#[cfg(windows)]
fn handle(stream: &impl std::os::windows::io::AsRawSocket) -> std::os::windows::io::RawSocket {
    stream.as_raw_socket()
}

#[cfg(windows)]
mod system {
    use super::*;
    use std::os::windows::io::RawSocket;

    #[link(name = "ws2_32")]
    extern "system" {
        /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-send>
        pub fn send(s: RawSocket, buf: *const c_void, len: c_int, flags: c_int) -> c_int;
        /// <https://learn.microsoft.com/windows/win32/api/winsock/nf-winsock-recv>
        pub fn recv(s: RawSocket, buf: *mut c_void, len: c_int, flags: c_int) -> c_int;
    }
}
