//! Descriptors: flags, pipes, and the errors of system calls.

use std::io;
use std::os::raw::c_int;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::ffi;

/// Returns the result of a system call, or its error if the result is negative.
#[inline]
pub(super) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Makes the kernel close the descriptor when the process executes another program.
pub(crate) fn close_on_exec(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: `F_SETFD` takes an integer.
    check(unsafe { ffi::fcntl(fd.as_raw_fd(), ffi::F_SETFD, ffi::FD_CLOEXEC) }).map(drop)
}

pub(super) fn set_nonblocking(fd: RawFd, nonblocking: bool) -> io::Result<()> {
    // SAFETY: `F_GETFL` takes no argument.
    let flags = check(unsafe { ffi::fcntl(fd, ffi::F_GETFL) })?;
    let flags = if nonblocking { flags | ffi::O_NONBLOCK } else { flags & !ffi::O_NONBLOCK };
    // SAFETY: `F_SETFL` takes an integer.
    check(unsafe { ffi::fcntl(fd, ffi::F_SETFL, flags) }).map(drop)
}

/// Opens a pipe whose ends are non-blocking and close-on-exec. The read end comes first, as in C.
pub(crate) fn open_pipe() -> io::Result<[OwnedFd; 2]> {
    let mut fds: [c_int; 2] = [-1; 2];
    check(if ffi::HAS_PIPE2 {
        // SAFETY: `fds` has room for two descriptors and outlives the call.
        unsafe { ffi::pipe2(fds.as_mut_ptr(), ffi::O_CLOEXEC | ffi::O_NONBLOCK) }
    } else {
        // SAFETY: as above.
        unsafe { ffi::pipe(fds.as_mut_ptr()) }
    })?;
    // SAFETY: the call has just returned both descriptors, and no other code owns them yet.
    let ends = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    if !ffi::HAS_PIPE2 {
        for end in &ends {
            close_on_exec(end)?;
            set_nonblocking(end.as_raw_fd(), true)?;
        }
    }
    Ok(ends)
}

/// Opens a pipe that stays readable, and returns its read end: the write end is closed.
pub(crate) fn open_readable_pipe() -> io::Result<OwnedFd> {
    let [receiver, _sender] = open_pipe()?;
    Ok(receiver)
}
