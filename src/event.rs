//! What `poll` returns: [`Events`], a list of [`Event`]s, each with a [`Token`]. Also the public path of [`Source`].

use std::fmt;
use std::slice;

// The queue's event module and this one import each other: an `Event` wraps the queue's event, and the queue's list
// holds `Event`s, so that the kernel can write directly into it (with epoll and kqueue).
use crate::queue::{RawEvent, RawEvents};
pub use crate::source::Source;

/// The program's name for a source: passed at registration, and returned with each event of the source.
///
/// Any number is allowed, also `usize::MAX`: none is reserved. The program chooses different tokens for sources that it
/// must distinguish.
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

/// A report that a source is ready, and for which operations.
///
/// An event is a hint that a read, write or accept does not block. The operation may still return
/// [`WouldBlock`](std::io::ErrorKind::WouldBlock), for example because another thread has read the data first.
///
/// # What an event means
///
/// The table shows the event of a source that is registered for `READABLE | WRITABLE` in edge mode (an end of a pipe:
/// for its own direction). `■` is set, `·` is clear, and `?` may be either:
///
/// | what happened | readable | writable | read closed | write closed | error | hang-up |
/// |---|---|---|---|---|---|---|
/// | data arrived | ■ | ? | · | · | · | · |
/// | the peer shut down writing | ■ | ? | ■ | · | · | · |
/// | the peer reset the connection | ■ | ■ | ■ | ■ | ■ | ■ |
/// | local `shutdown(Read)` | ? | ? | ? | · | · | · |
/// | local `shutdown(Write)` | ? | ? | · | ? | · | · |
/// | both ends have shut down writing | ■ | ■ | ■ | ■ | · | ■ |
/// | a connection was made | · | ■ | · | · | · | · |
/// | a connection was refused | ■ | ■ | ■ | ■ | ■ | ■ |
/// | a listener has a connection | ■ | · | · | · | · | · |
/// | a datagram arrived | ■ | ? | · | · | · | · |
/// | a datagram that the socket sent was refused | ■ | ? | · | ? | ? | ? |
/// | an out-of-band byte arrived (with `PRIORITY`) | ■ | ? | · | · | · | · |
/// | a Unix stream's peer was closed | ■ | ■ | ■ | ■ | ? | ■ |
/// | a pipe's writer was closed | ■ | · | ■ | ? | · | ? |
/// | a pipe's reader was closed | ? | ■ | · | ■ | ? | · |
/// | `wake` was called on a waker, a timer is due | ■ | · | · | · | · | · |
///
/// Writable is `?` where the source was writable before: epoll reports writable again with each edge of the readable
/// direction.
///
/// If a program closes a TCP stream with unread bytes, the kernel resets the connection. On FreeBSD and NetBSD, the
/// kernel only shuts down writing, and resets the connection when more bytes arrive.
///
/// On Windows, the crate detects that both ends have shut down only if the program has shut down its end with
/// [`TcpStream::shutdown`](crate::TcpStream::shutdown).
///
/// These flags of the systems set the predicates:
///
/// | | Linux, Android | macOS and other Apple systems, BSDs | Windows (`AFD_POLL_…`) |
/// |---|---|---|---|
/// | readable | `EPOLLIN`, `EPOLLPRI`, `EPOLLHUP` or `EPOLLERR` | `EVFILT_READ`, and every filter that has no other row | `RECEIVE`, `RECEIVE_EXPEDITED`, `ACCEPT`, `DISCONNECT`, `ABORT` or `CONNECT_FAIL` |
/// | writable | `EPOLLOUT` or `EPOLLERR` | `EVFILT_WRITE` | `SEND`, `ABORT` or `CONNECT_FAIL`, or `DISCONNECT` after this end has shut down |
/// | read closed | `EPOLLHUP` or `EPOLLRDHUP` | `EVFILT_READ` with `EV_EOF` | `DISCONNECT`, `ABORT` or `CONNECT_FAIL` |
/// | write closed | `EPOLLHUP`, `EPOLLOUT` with `EPOLLERR`, or `EPOLLERR` alone | `EVFILT_WRITE` with `EV_EOF` | `ABORT` or `CONNECT_FAIL`, or `DISCONNECT` after this end has shut down |
/// | error | `EPOLLERR` | `EV_ERROR`, or `EV_EOF` with an error number in `fflags` | `ABORT` or `CONNECT_FAIL` |
/// | hang-up | `EPOLLHUP` | `EV_EOF` with an error number, or `EV_EOF` of both filters in one `poll` | `ABORT` or `CONNECT_FAIL`, or `DISCONNECT` after this end has shut down |
/// | priority | `EPOLLPRI` | never | `RECEIVE_EXPEDITED` |
/// | aio, lio | never | `EVFILT_AIO`, `EVFILT_LIO` (both on FreeBSD only, see [`Interest`](crate::Interest)) | never |
///
/// A kqueue reports the two directions of a source as two events. One call of `poll` that returns both marks both as a
/// hang-up. If the list is full after the first, neither is marked. In edge mode, the second may be returned alone and
/// unmarked if a program shuts down a Unix stream after `poll` has reported the end of the peer's data. A source that
/// is registered for one direction, and a pipe, is a hang-up only with an error. A registration for `HANG_UP` alone has
/// none of these limits.
///
/// On Windows, `poll` may also report the two directions of a named pipe as two events. If a program adds its own knote
/// (a condition that the kernel watches) to the poll's kqueue, `poll` reports the knote with the knote's `udata` as the
/// token. If Windows rejects the request for a source, `poll` reports the source once, with readable, writable, read
/// closed, write closed, error and hang-up set.
#[derive(Clone)]
#[repr(transparent)]
pub struct Event(pub(crate) RawEvent);

impl Event {
    /// Returns the token with which the source was registered.
    #[doc(alias = "id")]
    #[must_use]
    #[inline]
    pub fn token(&self) -> Token {
        self.0.token()
    }

    /// Returns whether a read, receive or accept does not block.
    #[must_use]
    #[inline]
    pub fn is_readable(&self) -> bool {
        self.0.is_readable()
    }

    /// Returns whether a write or send does not block. For a connecting stream: whether it has connected or failed.
    #[must_use]
    #[inline]
    pub fn is_writable(&self) -> bool {
        self.0.is_writable()
    }

    /// Returns whether the source has an error, which the next read, or `take_error`, returns. The next write to a
    /// stream fails too: on Linux with the same error, on macOS and the BSDs with `BrokenPipe`, on Windows with the
    /// same error or, after a refused connect, with `NotConnected`.
    #[must_use]
    #[inline]
    pub fn is_error(&self) -> bool {
        self.0.is_error()
    }

    /// Returns whether no more data will arrive. Data that has arrived can still be read, so read until `Ok(0)`.
    #[must_use]
    #[inline]
    pub fn is_read_closed(&self) -> bool {
        self.0.is_read_closed()
    }

    /// Returns whether no more data can be sent.
    ///
    /// On Linux and Android, this is also set with an error that does not close the source, such as a refused datagram
    /// or a message in the socket's error queue, because the kernel reports the same flags for it. The next write shows
    /// whether the source is closed.
    #[must_use]
    #[inline]
    pub fn is_write_closed(&self) -> bool {
        self.0.is_write_closed()
    }

    /// Returns whether both directions have ended: no more data will arrive, and none can be sent.
    ///
    /// On Unix, an error that leaves the source open can set [`is_read_closed`](Event::is_read_closed) and
    /// [`is_write_closed`](Event::is_write_closed), but not this. On Windows, a refused datagram may set all three.
    /// [`Interest::HANG_UP`](crate::Interest::HANG_UP) reports hang-ups and errors alone.
    #[doc(alias("is_interrupt", "EPOLLHUP"))]
    #[must_use]
    #[inline]
    pub fn is_hang_up(&self) -> bool {
        self.0.is_hang_up()
    }

    /// Returns whether priority data has arrived, such as an out-of-band byte. Always false where `Interest::PRIORITY`
    /// does not exist.
    #[must_use]
    #[inline]
    pub fn is_priority(&self) -> bool {
        self.0.is_priority()
    }

    /// Returns whether an asynchronous I/O operation has completed. Always false where `Interest::AIO` does not exist.
    #[must_use]
    #[inline]
    pub fn is_aio(&self) -> bool {
        self.0.is_aio()
    }

    /// Returns whether a list of asynchronous I/O operations has completed. Always false where `Interest::LIO` does not
    /// exist.
    #[must_use]
    #[inline]
    pub fn is_lio(&self) -> bool {
        self.0.is_lio()
    }
}

/// Formats the token and the predicates, then the kernel's flags.
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
            .field("hang_up", &self.is_hang_up())
            .field("raw", &self.0)
            .finish()
    }
}

/// The list of events that [`Poll::poll`](crate::Poll::poll) fills.
///
/// One `poll` returns at most as many events as the capacity; the next `poll` returns the others. Wakers come first,
/// then timers by deadline, then sources in the kernel's order. If wakers and timers need more slots than there are,
/// one slot is kept for the kernel's events and, if a timer is due, one for timers. With a capacity of 2, wakers and
/// timers alternate on the other slot; with a capacity of 1, the kernel, wakers and timers alternate. Every source,
/// waker and timer is therefore reported eventually.
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
    /// Creates a list for at most `capacity` events per poll. No other function allocates memory for the list.
    ///
    /// With a capacity of 0, `poll` fails with `InvalidInput`.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Events {
        Events { raw: RawEvents::with_capacity(capacity) }
    }

    /// Returns how many events one poll can return at most.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        self.raw.list.capacity()
    }

    /// Returns the number of events of the last poll.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.raw.list.len()
    }

    /// Returns whether the last poll returned no event.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.raw.list.is_empty()
    }

    /// Returns an iterator over the events of the last poll.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { list: self.raw.list.iter() }
    }

    /// Removes the events. `poll` does this first, so a program need not call it.
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
