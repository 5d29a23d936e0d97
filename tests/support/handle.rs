//! What the standard library has no call for, on Windows, or only one that is unsafe.

use std::os::raw::c_void;
use std::os::windows::io::{FromRawSocket, RawSocket};

/// Another type for the same socket, which its owner has given away.
pub fn from_raw<T: FromRawSocket>(raw: RawSocket) -> T {
    // SAFETY: the tests pass what `into_raw_socket` has just returned.
    unsafe { T::from_raw_socket(raw) }
}

/// Whether child processes can have it.
pub fn is_inheritable(socket: RawSocket) -> bool {
    let mut flags = 0;
    // SAFETY: `flags` outlives the call.
    let done = unsafe { GetHandleInformation(socket as *mut c_void, &mut flags) };
    assert_ne!(done, 0, "{}", std::io::Error::last_os_error());
    flags & HANDLE_FLAG_INHERIT != 0
}

const HANDLE_FLAG_INHERIT: u32 = 1;

#[link(name = "kernel32")]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-gethandleinformation>
    fn GetHandleInformation(object: *mut c_void, flags: *mut u32) -> i32;
}
