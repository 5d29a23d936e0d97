//! Windows: sockets as sources, and the handle of a poller.

use std::os::windows::io::{AsHandle, AsRawHandle, AsRawSocket, AsSocket, BorrowedHandle, BorrowedSocket};
use std::os::windows::io::{RawHandle, RawSocket};

use crate::Poller;

pub(crate) type Raw = RawSocket;

pub(crate) fn raw(source: &impl AsSource) -> Raw {
    source.source().as_raw_socket()
}

/// What [`Poller::add`] takes: a reference to something with a socket, or the socket's number.
pub trait AsRawSource {
    /// Returns the socket's number.
    fn raw(&self) -> RawSocket;
}

impl<T: AsRawSocket> AsRawSource for &T {
    fn raw(&self) -> RawSocket {
        self.as_raw_socket()
    }
}

impl AsRawSource for RawSocket {
    fn raw(&self) -> RawSocket {
        *self
    }
}

/// What [`Poller::modify`] and [`Poller::delete`] take: something with an open socket.
pub trait AsSource: AsSocket {
    /// Returns the socket.
    fn source(&self) -> BorrowedSocket<'_> {
        self.as_socket()
    }
}

impl<T: AsSocket> AsSource for T {}

/// Returns the completion port.
impl AsHandle for Poller {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.registry.as_handle()
    }
}

/// Returns the completion port.
impl AsRawHandle for Poller {
    fn as_raw_handle(&self) -> RawHandle {
        self.registry.as_raw_handle()
    }
}
