//! `Interest`: which readiness a registration reports, and in which mode.

use std::fmt;
use std::io;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

const READABLE: u8 = 1 << 0;
const WRITABLE: u8 = 1 << 1;
pub(crate) const AIO: u8 = 1 << 2;
pub(crate) const LIO: u8 = 1 << 3;
pub(crate) const PRIORITY: u8 = 1 << 4;
const HANG_UP: u8 = 1 << 5;

/// The bits that can hold readiness: the constants above. The two highest bits hold the mode. A stronger mode has a
/// larger number: oneshot > level > edge.
const READINESS_MASK: u8 = 0b0011_1111;
const EDGE: u8 = 0;
const LEVEL: u8 = 1 << 6;
const ONESHOT: u8 = 2 << 6;

/// The kinds of readiness for which a source is registered, and the mode in which they are reported.
///
/// An interest is never empty: it contains at least one of [`READABLE`](Interest::READABLE),
/// [`WRITABLE`](Interest::WRITABLE), [`HANG_UP`](Interest::HANG_UP) and, on systems that have them, `PRIORITY`, `AIO`
/// and `LIO`. The mode selects how often a ready source is reported:
///
/// | mode | `poll` reports the source | the program |
/// |---|---|---|
/// | [`edge`](Interest::edge), the default | when the source *becomes* ready | reads or writes until [`WouldBlock`] |
/// | [`level`](Interest::level) | in every `poll` while the source is ready | reads or writes as much as it wants |
/// | [`oneshot`](Interest::oneshot) | once for both directions together | calls [`reregister`] to rearm the source |
///
/// In every mode, `reregister` makes the next `poll` report the source if it is ready.
///
/// The queue registers an interest with these flags:
///
/// | | Linux, Android | macOS and other Apple systems, BSDs | Windows (`AFD_POLL_…`) |
/// |---|---|---|---|
/// | readable | `EPOLLIN`, `EPOLLRDHUP` | `EVFILT_READ` | `RECEIVE`, `ACCEPT`, `DISCONNECT`, `ABORT`, `CONNECT_FAIL` |
/// | writable | `EPOLLOUT` | `EVFILT_WRITE` | `SEND`, `ABORT`, `CONNECT_FAIL` |
/// | priority | `EPOLLPRI` | none | `RECEIVE_EXPEDITED`, `ABORT`, `CONNECT_FAIL` |
/// | hang-up alone | no flag | both filters with `EV_CLEAR`, in every mode | `ABORT`, `CONNECT_FAIL`; see [`HANG_UP`](Interest::HANG_UP) |
/// | aio, lio | none | none: the control block selects `EVFILT_AIO`, `EVFILT_LIO` (FreeBSD only) | none |
/// | edge, level, oneshot | `EPOLLET`, no flag, `EPOLLONESHOT` | `EV_CLEAR`, no flag, `EV_DISPATCH` | no flag; see below |
///
/// On Windows, each report needs a request to the kernel. In edge mode a read or write makes the next request
/// necessary, in level mode the report itself does, in oneshot mode `reregister` does. The next `poll` submits the
/// request. In edge mode on Windows, this has these effects:
///
/// - After a program has read a part of the data, the next `poll` reports the rest. On the other systems, it reports
///   only data that arrives later (except for pipes on NetBSD).
/// - After a report, `poll` reports no later data or connection until the program reads, accepts or reregisters. A
///   peek that returns data, or an accept that fails because no handle is left, does not count. On the other systems,
///   `poll` reports later data in any case.
/// - After a report of priority data, `poll` reports no priority data until the program reregisters. Neither a read nor
///   a receive with `MSG_OOB` counts. On Linux and Android, `poll` reports later priority data in any case.
/// - If a program calls `accept` before the listener is reported, `poll` may report the listener twice for one
///   connection.
///
/// # Examples
///
/// ```
/// use minimio::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable() && both.is_edge());
///
/// let level = Interest::READABLE.level();
/// assert_eq!(format!("{level:?}"), "READABLE (level)");
/// assert_ne!(level, Interest::READABLE);
/// ```
///
/// [`WouldBlock`]: std::io::ErrorKind::WouldBlock
/// [`reregister`]: crate::Registry::reregister
#[doc(alias = "Interests")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interest(NonZeroU8);

impl Interest {
    /// Readable: data, a connection to accept, or the end of the stream.
    pub const READABLE: Interest = Interest::from_bit(READABLE);

    /// Writable: room for data, or a connection attempt that has succeeded or failed.
    pub const WRITABLE: Interest = Interest::from_bit(WRITABLE);

    /// Hang-up: the end of both directions, and errors. For a source that the program does not want to read or write
    /// now.
    ///
    /// `HANG_UP` adds nothing to `READABLE`, `WRITABLE` and `PRIORITY`. `HANG_UP` alone reports neither data, nor
    /// priority data, nor room for data, nor that only the peer has shut down writing. It reports:
    ///
    /// | what happened | Linux, Android | macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|---|
    /// | the connection was reset or refused | yes | yes | yes |
    /// | both ends of a stream have shut down writing | yes | yes | if this end used [`TcpStream::shutdown`](crate::TcpStream::shutdown) |
    /// | the peer of a Unix stream was closed | yes | yes | |
    /// | the other end of a pipe was closed | yes | yes | a client's server, once the bytes before are read |
    /// | a datagram that the socket sent was refused | yes | no | depends on the system |
    /// | a TCP stream was not connected yet | at once | no | no |
    ///
    /// Such an event also sets the predicates that [`Event`](crate::Event#what-an-event-means) lists. A program tests
    /// `event.is_hang_up() || event.is_error()`: a pipe whose reader was closed has an error on Linux and Android, and
    /// a hang-up on other systems.
    ///
    /// On macOS and the BSDs, the kernel reports data too, and the crate discards these reports: each costs one system
    /// call of a `poll` that is blocked. For a pipe's write end whose reader was already closed at registration, some
    /// of these systems report nothing, as for `WRITABLE`.
    ///
    /// A source that is only ever readable, such as [`Signals`](crate::signal::Signals), cannot be registered for
    /// `HANG_UP` alone: `InvalidInput`.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::TcpStream, Events, Interest, Poll, Token};
    /// use std::net::{Shutdown, TcpListener};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut stream = TcpStream::connect(listener.local_addr()?)?;
    /// let (peer, _) = listener.accept()?;
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// # poll.registry().register(&mut stream, Token(0), Interest::WRITABLE)?;
    /// # poll.poll(&mut events, None)?;
    /// # poll.registry().deregister(&mut stream)?;
    /// // The program waits for something else, but it wants to know when the stream is of no use any more.
    /// poll.registry().register(&mut stream, Token(0), Interest::HANG_UP)?;
    /// stream.shutdown(Shutdown::Write)?;
    /// peer.shutdown(Shutdown::Write)?;
    /// poll.poll(&mut events, None)?;
    /// assert!(events.iter().any(|event| event.token() == Token(0) && event.is_hang_up()));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "EPOLLHUP")]
    pub const HANG_UP: Interest = Interest::from_bit(HANG_UP);

    /// Creates an interest in edge mode. The queue of a system that has more kinds of readiness defines a public
    /// constant for each additional kind.
    pub(crate) const fn from_bit(bit: u8) -> Interest {
        match NonZeroU8::new(bit) {
            Some(bits) => Interest(bits),
            None => panic!("an interest is never empty"),
        }
    }

    /// Returns an interest with these bits, or `self` if they are zero.
    #[inline]
    const fn with_bits(self, bits: u8) -> Interest {
        match NonZeroU8::new(bits) {
            Some(bits) => Interest(bits),
            None => self,
        }
    }

    #[inline]
    const fn mode(self) -> u8 {
        self.0.get() & !READINESS_MASK
    }

    /// Returns the readiness of both, in the stronger of their modes (oneshot > level > edge).
    ///
    /// This is `self | other` as a `const fn`.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::Interest;
    ///
    /// const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE.level());
    /// assert_eq!(BOTH, (Interest::READABLE | Interest::WRITABLE).level());
    /// ```
    #[allow(clippy::should_implement_trait)]
    #[must_use = "this returns the union and changes neither operand"]
    #[inline]
    pub const fn add(self, other: Interest) -> Interest {
        let mode = if self.mode() >= other.mode() { self.mode() } else { other.mode() };
        self.with_bits((self.0.get() | other.0.get()) & READINESS_MASK | mode)
    }

    /// Returns the readiness of `self` without that of `other`, in the mode of `self`, or `None` if no readiness is
    /// left.
    ///
    /// ```
    /// use minimio::Interest;
    ///
    /// let both = (Interest::READABLE | Interest::WRITABLE).level();
    /// assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE.level()));
    /// assert_eq!(Interest::READABLE.remove(Interest::READABLE), None);
    /// ```
    #[must_use = "this returns what is left and changes neither operand"]
    #[inline]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        match self.0.get() & READINESS_MASK & !other.0.get() {
            0 => None,
            left => Some(self.with_bits(left | self.mode())),
        }
    }

    /// Returns whether this is an interest in hang-ups or priority data, and in neither direction. For this interest,
    /// the selector of a kqueue registers both directions, and the requests on Windows have the events that close both
    /// directions. epoll needs no flag. (A kqueue has no priority data.)
    #[allow(dead_code)]
    #[inline]
    pub(crate) const fn has_no_direction(self) -> bool {
        (self.is_hang_up() || self.is_priority()) && !self.is_readable() && !self.is_writable()
    }

    /// Returns `READABLE` in the same mode, for a source that has no other readiness. Returns `InvalidInput` if `self`
    /// is not readable; `what` names the source.
    pub(crate) fn only_readable(self, what: &str) -> io::Result<Interest> {
        if !self.is_readable() {
            let reason = format!("cannot register or reregister {what} without READABLE interest");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(self.with_bits(READABLE | self.mode()))
    }

    /// Returns the same readiness in edge mode, which reports a source when it becomes ready. This is the default.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
    /// use std::time::Duration;
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::READABLE.edge())?;
    /// socket.send_to(b"one", socket.local_addr()?)?;
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.len(), 1);
    /// // The socket is still readable, but it did not become readable again.
    /// poll.poll(&mut events, Some(Duration::ZERO))?;
    /// assert!(events.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "this returns the interest in edge mode and does not change the original"]
    #[inline]
    pub const fn edge(self) -> Interest {
        self.with_bits(self.0.get() & READINESS_MASK | EDGE)
    }

    /// Returns the same readiness in level mode, which reports a source in every `poll` while it is ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::READABLE.level())?;
    /// socket.send_to(b"one", socket.local_addr()?)?;
    /// for _ in 0..3 {
    ///     poll.poll(&mut events, None)?;
    ///     assert_eq!(events.len(), 1); // The datagram is still unread.
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "this returns the interest in level mode and does not change the original"]
    #[inline]
    pub const fn level(self) -> Interest {
        self.with_bits(self.0.get() & READINESS_MASK | LEVEL)
    }

    /// Returns the same readiness in oneshot mode, which reports a source once for both directions together, until
    /// `reregister`.
    ///
    /// If both directions are ready in the same `poll`, that `poll` reports both, in one event or in two.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
    /// use std::time::Duration;
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::READABLE.oneshot())?;
    /// socket.send_to(b"one", socket.local_addr()?)?;
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.len(), 1);
    /// socket.send_to(b"two", socket.local_addr()?)?;
    /// poll.poll(&mut events, Some(Duration::ZERO))?;
    /// assert!(events.is_empty()); // Not until the program calls `reregister`.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "this returns the interest in oneshot mode and does not change the original"]
    #[inline]
    pub const fn oneshot(self) -> Interest {
        self.with_bits(self.0.get() & READINESS_MASK | ONESHOT)
    }

    /// Returns whether the interest contains `READABLE`.
    #[must_use]
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.0.get() & READABLE != 0
    }

    /// Returns whether the interest contains `WRITABLE`.
    #[must_use]
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.0.get() & WRITABLE != 0
    }

    /// Returns whether the interest contains the completion of asynchronous I/O operations (on systems that have it).
    #[must_use]
    #[inline]
    pub const fn is_aio(self) -> bool {
        self.0.get() & AIO != 0
    }

    /// Returns whether the interest contains the completion of lists of asynchronous I/O operations (on systems that
    /// have it).
    #[must_use]
    #[inline]
    pub const fn is_lio(self) -> bool {
        self.0.get() & LIO != 0
    }

    /// Returns whether the interest contains priority data (on systems that have it).
    #[must_use]
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.0.get() & PRIORITY != 0
    }

    /// Returns whether the interest contains `HANG_UP`.
    #[must_use]
    #[inline]
    pub const fn is_hang_up(self) -> bool {
        self.0.get() & HANG_UP != 0
    }

    /// Returns whether the mode is edge.
    #[must_use]
    #[inline]
    pub const fn is_edge(self) -> bool {
        self.mode() == EDGE
    }

    /// Returns whether the mode is level.
    #[must_use]
    #[inline]
    pub const fn is_level(self) -> bool {
        self.mode() == LEVEL
    }

    /// Returns whether the mode is oneshot.
    #[must_use]
    #[inline]
    pub const fn is_oneshot(self) -> bool {
        self.mode() == ONESHOT
    }
}

impl BitOr for Interest {
    type Output = Interest;

    #[inline]
    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Interest) {
        *self = self.add(other);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.is_readable(), "READABLE"),
            (self.is_writable(), "WRITABLE"),
            (self.is_priority(), "PRIORITY"),
            (self.is_aio(), "AIO"),
            (self.is_lio(), "LIO"),
            (self.is_hang_up(), "HANG_UP"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(set, _)| *set) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        match self.mode() {
            EDGE => Ok(()),
            LEVEL => f.write_str(" (level)"),
            _ => f.write_str(" (oneshot)"),
        }
    }
}
