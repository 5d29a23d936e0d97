//! What a poll brings: [`Events`], each an [`Event`] with a [`Token`]. And what can bring one: a [`Source`].

use std::fmt;
use std::slice;

use crate::queue::{RawEvent, RawEvents};
pub use crate::source::Source;

/// What a program calls a source by. Given at registration, it comes back with each event.
///
/// Any number will do, `usize::MAX` too: none is reserved. It is the program's to keep tokens apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub usize);

impl From<Token> for usize {
    #[inline]
    fn from(token: Token) -> usize {
        token.0
    }
}

impl From<usize> for Token {
    #[inline]
    fn from(number: usize) -> Token {
        Token(number)
    }
}

/// A source is ready, and how.
///
/// An event is a hint that a read, write or accept will not block, to be taken as that: try it, and expect
/// [`WouldBlock`](std::io::ErrorKind::WouldBlock) still, since another thread may have been faster.
///
/// # What an event says
///
/// What comes for a source registered for `READABLE | WRITABLE` in edge mode (a pipe's end: for its own direction). `■`
/// is set, `·` is clear, `?` may be either:
///
/// | what happened | readable | writable | read closed | write closed | error |
/// |---|---|---|---|---|---|
/// | data arrived | ■ | ? | · | · | · |
/// | the peer shut down writing | ■ | ? | ■ | · | · |
/// | the peer reset the connection | ■ | ■ | ■ | ■ | ■ |
/// | local `shutdown(Read)` | ? | ? | ? | · | · |
/// | local `shutdown(Write)` | ? | ? | · | ? | · |
/// | both ends have shut down writing | ■ | ■ | ■ | ■ | · |
/// | a connection was made | · | ■ | · | · | · |
/// | a connection was refused | ■ | ■ | ■ | ■ | ■ |
/// | a listener has a connection | ■ | · | · | · | · |
/// | a datagram arrived | ■ | ? | · | · | · |
/// | an out-of-band byte arrived (with `PRIORITY`) | ■ | ? | · | · | · |
/// | a Unix stream's peer is gone | ■ | ■ | ■ | ■ | ? |
/// | a pipe's writer is gone | ■ | · | ■ | ? | · |
/// | a pipe's reader is gone | · | ■ | · | ■ | ? |
/// | a waker was woken, a timer is due | ■ | · | · | · | · |
///
/// Writable is `?` where room has been there all along: epoll tells it again with each edge of the other direction.
///
/// On Windows, that both ends have shut down is known only if it was this crate's [`TcpStream`](crate::TcpStream) that
/// did it here.
///
/// | | Linux, Android | macOS and its kin, BSDs | Windows (`AFD_POLL_…`) |
/// |---|---|---|---|
/// | readable | `EPOLLIN`, `EPOLLPRI` or `EPOLLHUP` | `EVFILT_READ` | `RECEIVE`, `ACCEPT`, `DISCONNECT`, `ABORT` or `CONNECT_FAIL` |
/// | writable | `EPOLLOUT`, or `EPOLLERR` alone | `EVFILT_WRITE` | `SEND`, `ABORT` or `CONNECT_FAIL`, or `DISCONNECT` after this end has shut down |
/// | read closed | `EPOLLHUP` or `EPOLLRDHUP` | `EVFILT_READ` with `EV_EOF` | `DISCONNECT`, `ABORT` or `CONNECT_FAIL` |
/// | write closed | `EPOLLHUP`, `EPOLLOUT` with `EPOLLERR`, or `EPOLLERR` alone | `EVFILT_WRITE` with `EV_EOF` | `ABORT` or `CONNECT_FAIL`, or `DISCONNECT` after this end has shut down |
/// | error | `EPOLLERR` | `EV_EOF` with an error number in `fflags` | `ABORT` or `CONNECT_FAIL` |
/// | priority | `EPOLLPRI` | never | never |
/// | aio, lio | never | `EVFILT_AIO`; `EVFILT_LIO`, on FreeBSD | never |
///
/// A kqueue tells the two directions by two events, and a named pipe may. What a program puts into the poll's kqueue
/// itself comes too: the token is its `udata`. If Windows refuses to watch a source, the first five are set, once.
#[derive(Clone)]
#[repr(transparent)]
pub struct Event(pub(crate) RawEvent);

impl Event {
    /// The token with which the source was registered.
    #[doc(alias = "id")]
    #[must_use]
    #[inline]
    pub fn token(&self) -> Token {
        self.0.token()
    }

    /// A read, receive or accept will not block.
    #[must_use]
    #[inline]
    pub fn is_readable(&self) -> bool {
        self.0.is_readable()
    }

    /// A write or send will not block; a connection has been made, or has failed.
    #[must_use]
    #[inline]
    pub fn is_writable(&self) -> bool {
        self.0.is_writable()
    }

    /// Something is wrong with the source. What it is, the next read or write tells, or `take_error`.
    #[must_use]
    #[inline]
    pub fn is_error(&self) -> bool {
        self.0.is_error()
    }

    /// No more will arrive; what has arrived can still be read. This flag alone is never the end: read until `Ok(0)`.
    #[must_use]
    #[inline]
    pub fn is_read_closed(&self) -> bool {
        self.0.is_read_closed()
    }

    /// Nothing more can be sent.
    #[must_use]
    #[inline]
    pub fn is_write_closed(&self) -> bool {
        self.0.is_write_closed()
    }

    /// There is priority data, such as an out-of-band byte. Only where `Interest::PRIORITY` exists.
    #[must_use]
    #[inline]
    pub fn is_priority(&self) -> bool {
        self.0.is_priority()
    }

    /// An asynchronous I/O operation is complete. Only where `Interest::AIO` exists.
    #[must_use]
    #[inline]
    pub fn is_aio(&self) -> bool {
        self.0.is_aio()
    }

    /// A list of asynchronous I/O operations is complete. Only where `Interest::LIO` exists.
    #[must_use]
    #[inline]
    pub fn is_lio(&self) -> bool {
        self.0.is_lio()
    }
}

/// In this crate's words, then in the kernel's.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("token", &self.token())
            .field("readable", &self.is_readable())
            .field("writable", &self.is_writable())
            .field("error", &self.is_error())
            .field("read_closed", &self.is_read_closed())
            .field("write_closed", &self.is_write_closed())
            .field("priority", &self.is_priority())
            .field("aio", &self.is_aio())
            .field("lio", &self.is_lio())
            .field("raw", &self.0)
            .finish()
    }
}

/// The buffer that [`Poll::poll`](crate::Poll::poll) fills.
///
/// Its capacity is the most that one `poll` brings; what does not fit comes with the next one. Wakers stand first, then
/// timers by deadline, then sources as the kernel has them. When there is more of the first two than room, one place is
/// kept for the kernel and one for the timers; a buffer of one or two places serves them in turn, so that nobody
/// starves.
///
/// # Examples
///
/// ```
/// use minimio::{Events, Poll};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(128);
/// poll.poll(&mut events, Some(Duration::from_millis(1)))?;
/// for event in &events {
///     println!("{event:?}");
/// }
/// assert!(events.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Events {
    pub(crate) raw: RawEvents,
}

impl Events {
    /// A buffer for at most `capacity` events a poll. It is allocated here, and never again.
    ///
    /// With a capacity of 0, `poll` fails with `InvalidInput`.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Events {
        Events { raw: RawEvents::with_capacity(capacity) }
    }

    /// The most events that one poll can bring.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        self.raw.list.capacity()
    }

    /// How many events the last poll has brought.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.raw.list.len()
    }

    /// Whether the last poll has brought none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.raw.list.is_empty()
    }

    /// The events of the last poll.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { list: self.raw.list.iter() }
    }

    /// Forgets the events. `poll` begins with this; there is no need to call it.
    #[inline]
    pub fn clear(&mut self) {
        self.raw.list.clear();
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = Iter<'a>;

    #[inline]
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// An iterator over [`Events`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    list: slice::Iter<'a, Event>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Event;

    #[inline]
    fn next(&mut self) -> Option<&'a Event> {
        self.list.next()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.list.size_hint()
    }

    #[inline]
    fn count(self) -> usize {
        self.list.count()
    }
}

impl ExactSizeIterator for Iter<'_> {}
