//! `Event` and `PollMode`: what a program waits for, and what `wait` reports.

use crate::queue;

/// An interest when it is passed to [`Poller`](crate::Poller); a report when it comes from
/// [`Events`](crate::Events).
///
/// Two events are equal if all their parts are equal, also what [`is_interrupt`](Event::is_interrupt),
/// [`is_priority`](Event::is_priority) and [`is_err`](Event::is_err) return. Compare
/// [`with_no_extra`](Event::with_no_extra) if these parts do not matter.
///
/// ```
/// use polling::Event;
///
/// assert_eq!(Event::all(7), Event::new(7, true, true));
/// assert_ne!(Event::all(7).with_interrupt(), Event::all(7));
/// assert_eq!(Event::all(7).with_interrupt().with_no_extra(), Event::all(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The program's number for the source. Every number except `usize::MAX` is allowed.
    pub key: usize,
    /// Whether a read does not block, or whether the program wants to read.
    pub readable: bool,
    /// Whether a write does not block, or whether the program wants to write.
    pub writable: bool,
    pub(crate) extra: Extra,
}

/// The parts of an event that have methods instead of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extra {
    pub interrupt: bool,
    pub priority: bool,
    pub error: bool,
}

impl Extra {
    pub const NONE: Extra = Extra { interrupt: false, priority: false, error: false };
}

/// How often a source is reported.
///
/// | mode | a source that is ready is reported |
/// |---|---|
/// | `Oneshot` | once, until `modify` |
/// | `Level` | by every `wait` |
/// | `Edge` | when it becomes ready |
/// | `EdgeOneshot` | once, until `modify` |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PollMode {
    /// One report for both directions. [`modify`](crate::Poller::modify) rearms the source, and the next `wait` reports
    /// it if it is ready.
    Oneshot,
    /// A report from every `wait` while the source is ready.
    Level,
    /// A report when the source becomes ready, or when more data arrives. The program reads or writes until
    /// `WouldBlock`. Fails with `InvalidInput` where [`supports_edge`](crate::Poller::supports_edge) is false.
    Edge,
    /// The same as `Oneshot`. Fails where `Edge` fails.
    EdgeOneshot,
}

impl Event {
    /// Creates an event with these parts, without interrupt and priority.
    pub const fn new(key: usize, readable: bool, writable: bool) -> Event {
        Event { key, readable, writable, extra: Extra::NONE }
    }

    /// Creates an event that is readable and writable.
    #[inline]
    pub const fn all(key: usize) -> Event {
        Event::new(key, true, true)
    }

    /// Creates an event that is readable.
    #[inline]
    pub const fn readable(key: usize) -> Event {
        Event::new(key, true, false)
    }

    /// Creates an event that is writable.
    #[inline]
    pub const fn writable(key: usize) -> Event {
        Event::new(key, false, true)
    }

    /// Creates an event that is neither readable nor writable. As an interest, it stops the reports of a source that
    /// stays added; on Linux and Android, hang-ups and errors are still reported.
    #[inline]
    pub const fn none(key: usize) -> Event {
        Event::new(key, false, false)
    }

    /// Adds an interest in hang-ups, or removes it. No effect on a kqueue. On Linux and Android, every interest
    /// contains hang-ups.
    #[inline]
    pub fn set_interrupt(&mut self, active: bool) {
        self.extra.interrupt = active && queue::HAS_EXTRA;
    }

    /// Returns this event with an interest in hang-ups.
    #[inline]
    pub fn with_interrupt(mut self) -> Self {
        self.set_interrupt(true);
        self
    }

    /// Adds an interest in priority data, such as an out-of-band byte, or removes it. No effect on a kqueue. On the
    /// other systems, a readable interest contains it.
    #[inline]
    pub fn set_priority(&mut self, active: bool) {
        self.extra.priority = active && queue::HAS_EXTRA;
    }

    /// Returns this event with an interest in priority data.
    #[inline]
    pub fn with_priority(mut self) -> Self {
        self.set_priority(true);
        self
    }

    /// Returns whether the source has hung up.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows (`AFD_POLL_…`) |
    /// |---|---|---|---|
    /// | set by | `EPOLLHUP` | never | `ABORT`, `CONNECT_FAIL` |
    #[inline]
    pub fn is_interrupt(&self) -> bool {
        self.extra.interrupt
    }

    /// Returns whether priority data has arrived.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows (`AFD_POLL_…`) |
    /// |---|---|---|---|
    /// | set by | `EPOLLPRI` | never | `RECEIVE_EXPEDITED` |
    #[inline]
    pub fn is_priority(&self) -> bool {
        self.extra.priority
    }

    /// Returns whether a connection attempt has failed: on Linux and Android, an error together with a hang-up; on
    /// Windows, as [`is_err`](Event::is_err); `None` on other systems.
    #[inline]
    #[deprecated(since = "3.4.0", note = "`is_err` and `is_interrupt` return the two conditions separately")]
    pub fn is_connect_failed(&self) -> Option<bool> {
        queue::connect_failed(&self.extra)
    }

    /// Returns whether the source has an error, for example because a connection attempt has failed, or `None` if the
    /// system's queue does not report it.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows (`AFD_POLL_…`) |
    /// |---|---|---|---|
    /// | set by | `EPOLLERR` | always `None` | `ABORT`, `CONNECT_FAIL` |
    #[inline]
    pub fn is_err(&self) -> Option<bool> {
        if queue::HAS_EXTRA {
            Some(self.extra.error)
        } else {
            None
        }
    }

    /// Removes all parts except the key, readable and writable.
    #[inline]
    pub fn clear_extra(&mut self) {
        self.extra = Extra::NONE;
    }

    /// Returns this event with only the key, readable and writable.
    #[inline]
    pub fn with_no_extra(mut self) -> Self {
        self.clear_extra();
        self
    }
}
