//! The state of a descriptor or socket at this moment, from `poll` (on Windows `WSAPoll`). It shares no code with the
//! queues of this crate.

use std::io;
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::raw::c_int;

use minimio::Poll;

#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Data, a connection, or the end can be read.
    input: bool,
    output: bool,
    /// The peer has shut down writing, or has closed.
    pub end: bool,
    pub error: bool,
}

impl Readiness {
    /// Returns whether a read and a write would not block.
    pub fn directions(self) -> [bool; 2] {
        [self.is_readable(), self.is_writable()]
    }

    pub fn is_readable(self) -> bool {
        self.input || self.end || self.error
    }

    pub fn is_writable(self) -> bool {
        self.output || self.error || END_IS_WRITABLE && self.end
    }

    /// Returns whether the connection has ended or failed since `old`.
    pub fn has_new_end(self, old: Readiness) -> bool {
        self.end && !old.end || self.error && !old.error
    }

    /// Returns whether a condition of the readable direction has begun since `old`.
    pub fn has_new_input(self, old: Readiness) -> bool {
        self.input && !old.input || self.has_new_end(old)
    }

    /// Returns whether a condition of the writable direction has begun since `old`. An error ends only a stream.
    pub fn has_new_output(self, old: Readiness, is_stream: bool) -> bool {
        self.is_writable() && !old.is_writable() || is_stream && self.error && !old.error
    }
}

/// Returns the state of each handle, from one call of `poll`.
pub fn readiness(handles: &[Handle]) -> Vec<Readiness> {
    let mut list: Vec<_> = handles.iter().map(|&fd| pollfd { fd, events: REQUESTED, revents: 0 }).collect();
    if list.is_empty() {
        // `WSAPoll` fails for an empty list.
        return Vec::new();
    }
    let (first, count) = (list.as_mut_ptr(), list.len());
    // SAFETY: the list has `count` elements and outlives the call.
    let result = unsafe { poll(first, count as count_t, 0) };
    assert!(result >= 0, "poll: {}", io::Error::last_os_error());
    list.iter()
        .map(|pollfd { revents, .. }| {
            assert_eq!(revents & POLLNVAL, 0, "poll: a handle is closed");
            let has = |flags| revents & flags != 0;
            Readiness { input: has(POLLIN), output: has(POLLOUT), end: has(POLLHUP | POLLRDHUP), error: has(POLLERR) }
        })
        .collect()
}

/// Returns how many bytes a TCP stream can read, at most `UNREAD_LIMIT`. The stream stays as it is: unlike
/// `TcpStream::peek`, this does not rearm a source of this crate.
pub fn unread_bytes(handle: Handle) -> usize {
    let stream: ManuallyDrop<TcpStream> = borrow(handle);
    stream.peek(&mut [0; UNREAD_LIMIT]).unwrap_or(0)
}

pub const UNREAD_LIMIT: usize = 1 << 14;

const POLLRDHUP: i16 = match HAS_POLLRDHUP {
    true => 0x2000,
    false => 0,
};

/// Whether the end of a stream has a flag of its own, which is set even while bytes before the end are unread.
pub const HAS_POLLRDHUP: bool =
    cfg!(all(any(target_os = "linux", target_os = "android"), not(target_arch = "sparc64")));

/// Whether `POLLHUP` stands for both directions. On Linux, `POLLOUT` and `POLLERR` report the writable direction.
const END_IS_WRITABLE: bool = cfg!(not(any(target_os = "linux", target_os = "android", windows)));

#[cfg(unix)]
#[allow(non_camel_case_types)]
mod unix {
    use super::*;
    use std::os::unix::io::{AsRawFd, FromRawFd, RawFd};

    pub type Handle = RawFd;

    pub fn handle(source: &impl AsRawFd) -> Handle {
        source.as_raw_fd()
    }

    /// Takes the descriptor of a poll, as a program does that watches the poll in an outer event loop.
    pub fn descriptor(poll: &Poll) -> Option<Handle> {
        Some(poll.as_raw_fd())
    }

    pub fn borrow(handle: Handle) -> ManuallyDrop<TcpStream> {
        // SAFETY: the caller's source owns the descriptor and outlives this value, which never closes the descriptor.
        ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(handle) })
    }

    #[repr(C)]
    pub struct pollfd {
        pub fd: c_int,
        pub events: i16,
        pub revents: i16,
    }

    #[cfg(target_os = "linux")]
    pub type count_t = std::os::raw::c_ulong;
    #[cfg(not(target_os = "linux"))]
    pub type count_t = std::os::raw::c_uint;

    pub const REQUESTED: i16 = POLLIN | POLLOUT | POLLRDHUP;
    pub const POLLIN: i16 = 1;
    pub const POLLOUT: i16 = 4;
    pub const POLLERR: i16 = 8;
    pub const POLLHUP: i16 = 16;
    pub const POLLNVAL: i16 = 32;

    extern "C" {
        /// <https://man7.org/linux/man-pages/man2/poll.2.html>
        pub fn poll(fds: *mut pollfd, nfds: count_t, timeout: c_int) -> c_int;
    }
}

#[cfg(windows)]
#[allow(non_camel_case_types)]
mod windows {
    use super::*;
    use std::os::windows::io::{AsRawSocket, FromRawSocket, RawSocket};

    pub type Handle = RawSocket;

    pub fn handle(source: &impl AsRawSocket) -> Handle {
        source.as_raw_socket()
    }

    pub fn descriptor(_: &Poll) -> Option<Handle> {
        None
    }

    pub fn borrow(handle: Handle) -> ManuallyDrop<TcpStream> {
        // SAFETY: the caller's source owns the socket and outlives this value, which never closes the socket.
        ManuallyDrop::new(unsafe { TcpStream::from_raw_socket(handle) })
    }

    #[repr(C)]
    pub struct pollfd {
        pub fd: RawSocket,
        pub events: i16,
        pub revents: i16,
    }

    pub type count_t = u32;

    /// Without the flags that `WSAPoll` only returns.
    pub const REQUESTED: i16 = POLLIN | POLLOUT;
    pub const POLLIN: i16 = 0x0100;
    pub const POLLOUT: i16 = 0x0010;
    pub const POLLERR: i16 = 1;
    pub const POLLHUP: i16 = 2;
    pub const POLLNVAL: i16 = 4;

    #[link(name = "ws2_32")]
    extern "system" {
        /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsapoll>
        #[link_name = "WSAPoll"]
        pub fn poll(fds: *mut pollfd, nfds: count_t, timeout: c_int) -> c_int;
    }
}
