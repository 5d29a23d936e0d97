//! The filters: when a descriptor is ready, and what is said of it then.
//!
//! A filter is asked twice. When something has happened in the descriptor, its answer decides whether the knote becomes
//! pending; and again when the knote is about to be reported, since the program may have been faster.

use std::os::raw::c_int;

use crate::ffi;
use crate::linux::{self, Poll};

/// In the order in which a descriptor's knotes stand in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    Read,
    Write,
    User,
    Aio,
}

impl Filter {
    pub fn from_number(number: i16) -> Option<Filter> {
        match number {
            ffi::EVFILT_READ => Some(Filter::Read),
            ffi::EVFILT_WRITE => Some(Filter::Write),
            ffi::EVFILT_USER => Some(Filter::User),
            // The kernel adds those of `AIO` itself, and nobody else may.
            _ => None,
        }
    }

    pub fn number(self) -> i16 {
        match self {
            Filter::Read => ffi::EVFILT_READ,
            Filter::Write => ffi::EVFILT_WRITE,
            Filter::User => ffi::EVFILT_USER,
            Filter::Aio => ffi::EVFILT_AIO,
        }
    }
}

/// What a descriptor is. It can't become anything else before it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A socket that is connected, or listens: TCP, a Unix stream, a Unix socket with packets.
    Stream,
    Datagram,
    Pipe,
    /// A terminal, an eventfd, a kqueue, and whatever else `poll` knows something of.
    Device,
    /// What epoll refuses because nobody ever waits for it: files, directories, `/dev/null`.
    NeverWaits,
}

impl Kind {
    pub fn of(fd: c_int) -> Kind {
        match linux::socket_type(fd) {
            Some(ffi::SOCK_STREAM | ffi::SOCK_SEQPACKET) => Kind::Stream,
            Some(_) => Kind::Datagram,
            None if linux::is_pipe(fd) => Kind::Pipe,
            None => Kind::Device,
        }
    }
}

/// That it is ready, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ready {
    pub data: isize,
    pub eof: bool,
    /// The error that goes with the end: the peer's reset, for one.
    pub error: c_int,
}

/// How much can be written is left out. This stands for something.
const SOME_ROOM: isize = 1;

pub fn read(fd: c_int, kind: Kind) -> Option<Ready> {
    let poll = Poll::of(fd);
    let bytes = || linux::bytes_waiting(fd).unwrap_or(1);
    match kind {
        // Its number is gone, and nobody has told us.
        _ if poll.has(ffi::POLLNVAL) => None,
        // Of a file, at its end there are none.
        Kind::NeverWaits => ready_if(bytes() > 0, Ready { data: bytes(), ..Ready::default() }),
        Kind::Stream if linux::is_listener(fd) => match poll.has(ffi::POLLIN) {
            true => Some(Ready { data: connections_waiting(fd), ..Ready::default() }),
            false => None,
        },
        Kind::Stream if is_unconnected(poll) => None,
        Kind::Stream => {
            let error = pending_error(fd, poll);
            let eof = poll.has(ffi::POLLRDHUP) || error != 0;
            ready_if(poll.has(ffi::POLLIN) || eof, Ready { data: bytes(), eof, error })
        }
        // An error is told by the call that follows.
        Kind::Datagram => {
            let eof = poll.has(ffi::POLLRDHUP);
            ready_if(poll.has(ffi::POLLIN | ffi::POLLERR) || eof, Ready { data: bytes(), eof, error: 0 })
        }
        Kind::Pipe | Kind::Device => {
            let eof = poll.has(ffi::POLLHUP);
            ready_if(poll.has(ffi::POLLIN) || eof, Ready { data: bytes(), eof, error: 0 })
        }
    }
}

pub fn write(fd: c_int, kind: Kind) -> Option<Ready> {
    let poll = Poll::of(fd);
    let room = Ready { data: SOME_ROOM, ..Ready::default() };
    match kind {
        _ if poll.has(ffi::POLLNVAL) => None,
        Kind::NeverWaits => Some(room),
        Kind::Stream if linux::is_listener(fd) || is_unconnected(poll) => None,
        Kind::Stream => {
            let error = pending_error(fd, poll);
            let eof = error != 0 || has_ended_writing(fd, poll);
            ready_if(poll.has(ffi::POLLOUT) || eof, Ready { eof, error, ..room })
        }
        Kind::Datagram => {
            let eof = poll.has(ffi::POLLHUP);
            ready_if(poll.has(ffi::POLLOUT | ffi::POLLERR) || eof, Ready { eof, ..room })
        }
        // The reader is gone.
        Kind::Pipe if poll.has(ffi::POLLERR) => Some(Ready { data: 0, eof: true, error: 0 }),
        Kind::Pipe | Kind::Device => ready_if(poll.has(ffi::POLLOUT), room),
    }
}

fn ready_if(condition: bool, ready: Ready) -> Option<Ready> {
    if condition {
        Some(ready)
    } else {
        None
    }
}

/// A socket that was never connected hangs up on Linux, but has not come to an end: there is no `POLLRDHUP`. A kqueue
/// has nothing to say of it. One that is being connected does neither.
fn is_unconnected(poll: Poll) -> bool {
    poll.has(ffi::POLLHUP) && !poll.has(ffi::POLLRDHUP)
}

/// Linux tells how many wait at a TCP listener, and of others only that somebody does.
fn connections_waiting(fd: c_int) -> isize {
    match linux::is_tcp(fd) {
        true => std::cmp::max(linux::tcp_info(fd).tcpi_unacked as isize, 1),
        false => 1,
    }
}

/// The error of a connection that has failed, 0 for none. Linux gives it away once only, and that once belongs to the
/// program: the next `read` or `SO_ERROR`. So it is inferred: `poll` says that there is an error, and the connection's
/// numbers whether the peer has ever agreed to it. Timeouts and unreachable hosts are taken for one of the two.
fn pending_error(fd: c_int, poll: Poll) -> c_int {
    if !poll.has(ffi::POLLERR) {
        0
    } else if linux::is_tcp(fd) && linux::tcp_info(fd).tcpi_delivered == 0 {
        ffi::ECONNREFUSED
    } else {
        ffi::ECONNRESET
    }
}

/// Whether nothing more can be sent. `poll` knows if the peer, too, has ended; else the socket is asked.
fn has_ended_writing(fd: c_int, poll: Poll) -> bool {
    if poll.has(ffi::POLLHUP) {
        true
    } else if linux::is_tcp(fd) {
        // In all other states it has sent its end, or is about to.
        let state = linux::tcp_info(fd).tcpi_state;
        !matches!(state, ffi::TCP_ESTABLISHED | ffi::TCP_SYN_SENT | ffi::TCP_SYN_RECV | ffi::TCP_CLOSE_WAIT)
    } else {
        linux::is_unix_stream(fd) && linux::refuses_to_send(fd)
    }
}
