//! Which directions an operation used, computed from its result. Only a queue without kernel edges (Windows) rearms
//! them; a reader of the other systems can skip this file.

use std::io::ErrorKind;

use crate::Interest;

/// A read that returned data, was interrupted, or would block. The end of the stream and an error need no rearm,
/// because they persist.
#[inline]
pub(super) fn after_read(result: Result<&usize, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(1..) | Err(ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(Interest::READABLE),
        _ => None,
    }
}

/// A write of `len` bytes that did not write all of them.
#[inline]
pub(super) fn after_write(len: usize) -> impl FnOnce(Result<&usize, ErrorKind>) -> Option<Interest> {
    move |result| match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::WRITABLE),
        Ok(written) if *written < len => Some(Interest::WRITABLE),
        _ => None,
    }
}

/// A peek. It consumes nothing, so it needs a rearm only if it would block.
#[inline]
pub(super) fn after_peek<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE),
        _ => None,
    }
}

/// An accept. A connection that was reset or aborted while it waited counts as accepted.
#[inline]
pub(super) fn after_accept<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(_) | Err(ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {
            Some(Interest::READABLE)
        }
        Err(_) => None,
    }
}

/// A receive of a datagram. Every result, also an error, may have consumed a datagram.
#[inline]
pub(super) fn after_recv<T>(_: Result<&T, ErrorKind>) -> Option<Interest> {
    Some(Interest::READABLE)
}

/// A send of a datagram. Only a full buffer keeps the next datagram from being sent.
#[inline]
pub(super) fn after_send<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::WRITABLE),
        _ => None,
    }
}

/// The program's own operation on a stream, whose direction is unknown.
#[inline]
pub(super) fn after_try_io<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Ok(_) => Some(Interest::READABLE),
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE | Interest::WRITABLE),
        Err(_) => None,
    }
}

/// The program's own operation on a datagram socket, whose direction is unknown. An error may have consumed a datagram.
#[inline]
pub(super) fn after_datagram_try_io<T>(result: Result<&T, ErrorKind>) -> Option<Interest> {
    match result {
        Err(ErrorKind::WouldBlock) => Some(Interest::READABLE | Interest::WRITABLE),
        _ => Some(Interest::READABLE),
    }
}
