//! The filters: when a descriptor is ready, and what its event contains.
//!
//! A filter is evaluated twice: when an edge arrives, to decide whether the knote becomes pending; and again when the
//! knote is about to be reported, because the program may have read the data in between.

use std::os::raw::c_int;

use crate::ffi;
use crate::linux::{self, Poll};

/// A filter that the model knows. The order is the order of a descriptor's knotes in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    Read,
    Write,
    User,
    Aio,
    Proc,
    Signal,
    Timer,
}

impl Filter {
    pub fn from_number(number: i16) -> Option<Filter> {
        match number {
            ffi::EVFILT_READ => Some(Filter::Read),
            ffi::EVFILT_WRITE => Some(Filter::Write),
            ffi::EVFILT_USER => Some(Filter::User),
            ffi::EVFILT_PROC => Some(Filter::Proc),
            ffi::EVFILT_SIGNAL => Some(Filter::Signal),
            ffi::EVFILT_TIMER => Some(Filter::Timer),
            // Only the kernel adds `AIO` knotes; a change that names this filter is an error.
            _ => None,
        }
    }

    pub fn number(self) -> i16 {
        match self {
            Filter::Read => ffi::EVFILT_READ,
            Filter::Write => ffi::EVFILT_WRITE,
            Filter::User => ffi::EVFILT_USER,
            Filter::Aio => ffi::EVFILT_AIO,
            Filter::Proc => ffi::EVFILT_PROC,
            Filter::Signal => ffi::EVFILT_SIGNAL,
            Filter::Timer => ffi::EVFILT_TIMER,
        }
    }
}

/// The kind of a descriptor. It does not change before the descriptor is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A socket that connects or listens: TCP, a Unix stream, a Unix `SOCK_SEQPACKET`.
    Stream,
    Datagram,
    Pipe,
    /// A terminal, an eventfd, a kqueue, and everything else that `poll` supports.
    Device,
    /// A descriptor that epoll refuses because it never blocks: a file, a directory, `/dev/null`.
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

/// The variable part of a ready descriptor's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ready {
    pub data: isize,
    pub eof: bool,
    /// The error that ended the connection, for example `ECONNRESET`; 0 for none.
    pub error: c_int,
}

/// The `data` of a `WRITE` event. The model does not compute how many bytes fit.
const SOME_ROOM: isize = 1;

pub fn read(fd: c_int, kind: Kind) -> Option<Ready> {
    let poll = Poll::of(fd);
    let bytes = || linux::bytes_waiting(fd).unwrap_or(1);
    match kind {
        // The descriptor was closed in a way that the model does not see.
        _ if poll.has(ffi::POLLNVAL) => None,
        // At the end of a file, no bytes are left.
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
        // A pending error makes the socket ready without an end: the program's next call returns the error.
        Kind::Datagram => {
            let eof = poll.has(ffi::POLLRDHUP);
            // A datagram is counted with the address of its sender.
            let data = if poll.has(ffi::POLLIN) { bytes() + linux::address_size(fd) } else { 0 };
            ready_if(poll.has(ffi::POLLIN | ffi::POLLERR) || eof, Ready { data, eof, error: 0 })
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
        // The reader is closed.
        Kind::Pipe if poll.has(ffi::POLLERR) => Some(Ready { data: 0, eof: true, error: 0 }),
        Kind::Pipe | Kind::Device => ready_if(poll.has(ffi::POLLOUT), room),
    }
}

/// Returns whether the process of this process descriptor has exited.
pub fn has_exited(process: c_int) -> bool {
    Poll::of(process).has(ffi::POLLIN)
}

/// Returns whether the reader of this pipe's write end is closed.
pub fn has_no_reader(fd: c_int) -> bool {
    Poll::of(fd).has(ffi::POLLERR)
}

/// Returns whether the descriptor is the write end of a full pipe whose reader is closed.
pub fn is_full_without_a_reader(fd: c_int) -> bool {
    let poll = Poll::of(fd);
    poll.has(ffi::POLLERR) && !poll.has(ffi::POLLOUT) && linux::is_pipe(fd)
}

fn ready_if(condition: bool, ready: Ready) -> Option<Ready> {
    if condition {
        Some(ready)
    } else {
        None
    }
}

/// Returns whether the socket was never connected. Linux reports `POLLHUP` for it, without `POLLRDHUP`; a kqueue
/// reports nothing. A socket that is connecting has neither flag.
fn is_unconnected(poll: Poll) -> bool {
    poll.has(ffi::POLLHUP) && !poll.has(ffi::POLLRDHUP)
}

/// Returns how many connections wait for `accept`. Linux has the number for a TCP listener only; for other listeners it
/// reports only that at least one waits.
fn connections_waiting(fd: c_int) -> isize {
    match linux::is_tcp(fd) {
        true => std::cmp::max(linux::tcp_info(fd).tcpi_unacked as isize, 1),
        false => 1,
    }
}

/// Returns the error of a failed connection, 0 for none. Linux returns a socket's error only once, and the program must
/// get it, from its next `read` or `SO_ERROR`. So the model infers the error: `poll` reports that there is one, and
/// `tcp_info` shows whether the peer ever accepted the connection. A timeout or an unreachable host is reported as one
/// of the two.
fn pending_error(fd: c_int, poll: Poll) -> c_int {
    if !poll.has(ffi::POLLERR) {
        0
    } else if linux::is_tcp(fd) && linux::tcp_info(fd).tcpi_delivered == 0 {
        ffi::ECONNREFUSED
    } else {
        ffi::ECONNRESET
    }
}

/// Returns whether the sending half is shut down. `POLLHUP` means that both halves are. Otherwise the socket's state
/// decides.
fn has_ended_writing(fd: c_int, poll: Poll) -> bool {
    if poll.has(ffi::POLLHUP) {
        true
    } else if linux::is_tcp(fd) {
        // In all other states, TCP has sent its FIN or is about to.
        let state = linux::tcp_info(fd).tcpi_state;
        !matches!(state, ffi::TCP_ESTABLISHED | ffi::TCP_SYN_SENT | ffi::TCP_SYN_RECV | ffi::TCP_CLOSE_WAIT)
    } else {
        linux::is_unix_stream(fd) && linux::refuses_to_send(fd)
    }
}
