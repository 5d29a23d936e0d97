//! Which directions an operation used, computed from its result. Only the queue on Windows rearms them, because its
//! kernel has no edge mode; a reader of the other systems can skip this file.

use std::io::ErrorKind;

use crate::Interest;

/// Returns `READABLE` after a read that returned data, was interrupted, or would block. The end of the stream and an
/// error need no rearm, because they persist.
#[inline]
pub(super) fn after_read(result: Result<&usize, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(1..) | Err(ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(Interest::READABLE),
        _ => None,
    }
}

/// Returns `WRITABLE` after a write of `len` bytes that did not write all of them.
#[inline]
pub(super) fn after_write(len: usize) -> impl FnOnce(Result<&usize, ErrorKind>) -> Option<Interest> {
    move |result| match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::WRITABLE),
        Ok(written) if *written < len => Some(Interest::WRITABLE),
        _ => None,
    }
}

/// Returns `READABLE` after a peek that would block. Other peeks consume nothing and need no rearm.
#[inline]
pub(super) fn after_peek<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE),
        _ => None,
    }
}

/// Returns `READABLE` after an accept. A connection that was reset or aborted while it waited counts as accepted.
#[inline]
pub(super) fn after_accept<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(_) | Err(ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {
            Some(Interest::READABLE)
        }
        Err(_) => None,
    }
}

/// Returns `READABLE` after a receive of a datagram. Every result, even an error, may have consumed a datagram.
#[inline]
pub(super) fn after_recv<T>(_: Result<&T, ErrorKind>) -> Option<Interest> {
    Some(Interest::READABLE)
}

/// Returns `WRITABLE` after a send of a datagram that would block. Only a full buffer prevents the next send.
#[inline]
pub(super) fn after_send<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::WRITABLE),
        _ => None,
    }
}

/// Returns the directions to rearm after the program's own operation on a stream, which may be a read or a write. A
/// successful read may leave data; a successful write needs no rearm.
#[inline]
pub(super) fn after_try_io<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(_) => Some(Interest::READABLE),
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE | Interest::WRITABLE),
        Err(_) => None,
    }
}

/// Returns the directions to rearm after the program's own operation on a datagram socket, which may be a receive or a
/// send. An error may have consumed a datagram.
#[inline]
pub(super) fn after_datagram_try_io<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE | Interest::WRITABLE),
        _ => Some(Interest::READABLE),
    }
}
