//! Helpers for tests that pass a socket as a `RawSocket`, its number: a pair of UDP sockets, and operations for which
//! the standard library has no safe function. (These are not sockets of the type `SOCK_RAW`.)

use std::net::UdpSocket;
use std::os::raw::c_void;
use std::os::windows::io::{FromRawSocket, RawSocket};

/// Returns a non-blocking socket of the standard library, and a socket that sends to it.
pub fn socket_and_sender() -> (UdpSocket, UdpSocket) {
    let [socket, sender] = [(); 2].map(|()| UdpSocket::bind(super::loopback()).unwrap());
    socket.set_nonblocking(true).unwrap();
    sender.connect(socket.local_addr().unwrap()).unwrap();
    (socket, sender)
}

/// Converts a raw socket, whose ownership was given up, to a type that owns it.
pub fn from_raw<T: FromRawSocket>(raw: RawSocket) -> T {
    // SAFETY: the tests pass only sockets that `into_raw_socket` has just returned.
    unsafe { T::from_raw_socket(raw) }
}

/// Returns whether child processes inherit the socket.
pub fn is_inheritable(socket: RawSocket) -> bool {
    let mut flags = 0;
    // SAFETY: `flags` outlives the call.
    let succeeded = unsafe { GetHandleInformation(socket as *mut c_void, &mut flags) };
    assert_ne!(succeeded, 0, "{}", std::io::Error::last_os_error());
    flags & HANDLE_FLAG_INHERIT != 0
}

const HANDLE_FLAG_INHERIT: u32 = 1;

#[link(name = "kernel32")]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-gethandleinformation>
    fn GetHandleInformation(object: *mut c_void, flags: *mut u32) -> i32;
}
