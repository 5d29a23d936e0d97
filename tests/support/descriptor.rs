//! What the standard library has no call for, on Unix, or only one that is unsafe.

#![allow(dead_code)] // No test file uses all of it.

use std::io;
use std::net::TcpStream;
use std::os::raw::{c_int, c_void};
use std::os::unix::io::{AsFd, AsRawFd, FromRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;

/// Switches any open file to non-blocking. A duplicate shares that with the original, and this type has a method for
/// it.
pub fn set_nonblocking(file: &impl AsFd) {
    let duplicate = file.as_fd().try_clone_to_owned().unwrap();
    UnixStream::from(duplicate).set_nonblocking(true).unwrap();
}

/// Another type for the same descriptor, by way of the bare number.
pub fn from_raw<T: FromRawFd>(owner: impl IntoRawFd) -> T {
    // SAFETY: `into_raw_fd` has just given it away.
    unsafe { T::from_raw_fd(owner.into_raw_fd()) }
}

/// Sends a byte of urgent data.
pub fn send_out_of_band(stream: &TcpStream, byte: u8) {
    let place: *const u8 = &byte;
    // SAFETY: `place` holds the one byte that is read, and outlives the call.
    let sent = unsafe { send(stream.as_raw_fd(), place.cast(), 1, MSG_OOB) };
    assert_eq!(sent, 1, "{}", io::Error::last_os_error());
}

const MSG_OOB: c_int = 1;

extern "C" {
    fn send(sockfd: c_int, buf: *const c_void, len: usize, flags: c_int) -> isize;
}
