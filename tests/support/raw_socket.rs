//! Operations on raw sockets for which the standard library has no function, or only an unsafe one.

use std::os::raw::c_void;
use std::os::windows::io::{FromRawSocket, RawSocket};

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
