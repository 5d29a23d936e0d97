//! What a registration asks for: which readiness, and how often it is told.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

const READABLE: u8 = 1 << 0;
const WRITABLE: u8 = 1 << 1;
const AIO: u8 = 1 << 2;
const LIO: u8 = 1 << 3;
const PRIORITY: u8 = 1 << 4;

/// The bits above are readiness; the two highest are the mode, and their order as numbers is their strength.
const READINESS: u8 = 0b0011_1111;
const EDGE: u8 = 0;
const LEVEL: u8 = 1 << 6;
const ONESHOT: u8 = 2 << 6;

/// What a source is registered for: a set of readiness, and a mode.
///
/// Readiness is never empty: [`READABLE`](Interest::READABLE), [`WRITABLE`](Interest::WRITABLE) or both (and, where the
/// system has them, `PRIORITY`, `AIO` and `LIO`). The mode says how often a source that is ready is reported:
///
/// | mode | an event comes | the program |
/// |---|---|---|
/// | [`edge`](Interest::edge), the default | when the source *becomes* ready | reads or writes until [`WouldBlock`] |
/// | [`level`](Interest::level) | from every `poll` while the source is ready | does as much as it likes |
/// | [`oneshot`](Interest::oneshot) | once; then silence in both directions | calls [`reregister`] when it wants the next |
///
/// After `reregister`, a source that is (still) ready is reported again, in every mode.
///
/// | | Linux, Android | macOS and its kin, BSDs | Windows (`AFD_POLL_…`) |
/// |---|---|---|---|
/// | readable | `EPOLLIN`, `EPOLLRDHUP` | `EVFILT_READ` | `RECEIVE`, `ACCEPT`, `DISCONNECT`, `ABORT`, `CONNECT_FAIL` |
/// | writable | `EPOLLOUT` | `EVFILT_WRITE` | `SEND`, `ABORT`, `CONNECT_FAIL` |
/// | priority | `EPOLLPRI` | there is none | there is none |
/// | aio, lio | there is none | nothing is watched: the program's own control block asks for `EVFILT_AIO` (macOS and its kin, FreeBSD, DragonFly) or `EVFILT_LIO` (FreeBSD) | there is none |
/// | edge, level, oneshot | `EPOLLET`, no flag, `EPOLLONESHOT` | `EV_CLEAR`, no flag, `EV_DISPATCH` | a request is made when the program has read or written, by every `poll`, by `reregister` |
///
/// So in edge mode on Windows, what was told is told again by the first `poll` after the program has read a part of it,
/// and not before: whoever reads nothing, only peeks, or can't accept for want of handles, hears of nothing new until
/// it has read, accepted or reregistered. Elsewhere, an event comes whenever more arrives, and only then.
///
/// # Examples
///
/// ```
/// use minimio::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable() && both.is_edge());
///
/// let calm = Interest::READABLE.level();
/// assert_eq!(format!("{calm:?}"), "READABLE (level)");
/// assert_ne!(calm, Interest::READABLE);
/// ```
///
/// [`WouldBlock`]: std::io::ErrorKind::WouldBlock
/// [`reregister`]: crate::Registry::reregister
#[doc(alias = "Interests")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interest(NonZeroU8);

impl Interest {
    /// Readable: there is something to read, to accept, or an end of the stream to notice.
    pub const READABLE: Interest = Interest::one(READABLE);

    /// Writable: there is room to write, or the connection is made (or has failed).
    pub const WRITABLE: Interest = Interest::one(WRITABLE);

    // A system that can watch for more says so beside its queue; the bits are kept apart here.
    #[allow(dead_code)]
    pub(crate) const WITH_AIO: Interest = Interest::one(AIO);
    #[allow(dead_code)]
    pub(crate) const WITH_LIO: Interest = Interest::one(LIO);
    #[allow(dead_code)]
    pub(crate) const WITH_PRIORITY: Interest = Interest::one(PRIORITY);

    const fn one(bit: u8) -> Interest {
        match NonZeroU8::new(bit) {
            Some(bits) => Interest(bits),
            None => panic!("an interest is never empty"),
        }
    }

    /// The same readiness and mode, with other bits; `self` where those would be no readiness at all.
    #[inline]
    const fn with(self, bits: u8) -> Interest {
        match NonZeroU8::new(bits) {
            Some(bits) => Interest(bits),
            None => self,
        }
    }

    #[inline]
    const fn mode(self) -> u8 {
        self.0.get() & !READINESS
    }

    /// The union of both: all readiness of either, and the stronger mode (oneshot > level > edge).
    ///
    /// The same as `self | other`, and `const`.
    #[allow(clippy::should_implement_trait)]
    #[must_use = "this returns the union and changes neither operand"]
    #[inline]
    pub const fn add(self, other: Interest) -> Interest {
        let mode = if self.mode() >= other.mode() { self.mode() } else { other.mode() };
        self.with((self.0.get() | other.0.get()) & READINESS | mode)
    }

    /// `self` without the readiness in `other`, in the mode it had; `None` when no readiness is left.
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
        match self.0.get() & READINESS & !other.0.get() {
            0 => None,
            left => Some(self.with(left | self.mode())),
        }
    }

    /// The same readiness in edge mode: an event when the source becomes ready. This is the default.
    #[must_use = "this returns the interest in edge mode and does not change the original"]
    #[inline]
    pub const fn edge(self) -> Interest {
        self.with(self.0.get() & READINESS | EDGE)
    }

    /// The same readiness in level mode: an event from every `poll` while the source is ready.
    #[must_use = "this returns the interest in level mode and does not change the original"]
    #[inline]
    pub const fn level(self) -> Interest {
        self.with(self.0.get() & READINESS | LEVEL)
    }

    /// The same readiness in oneshot mode: one report, then silence in both directions until `reregister`.
    ///
    /// Two directions that are ready in the same batch are one report, perhaps as two events.
    #[must_use = "this returns the interest in oneshot mode and does not change the original"]
    #[inline]
    pub const fn oneshot(self) -> Interest {
        self.with(self.0.get() & READINESS | ONESHOT)
    }

    /// Whether this asks for readable readiness.
    #[must_use]
    #[inline]
    pub const fn is_readable(self) -> bool {
        self.0.get() & READABLE != 0
    }

    /// Whether this asks for writable readiness.
    #[must_use]
    #[inline]
    pub const fn is_writable(self) -> bool {
        self.0.get() & WRITABLE != 0
    }

    /// Whether this asks for the completion of asynchronous I/O (where the system has it).
    #[must_use]
    #[inline]
    pub const fn is_aio(self) -> bool {
        self.0.get() & AIO != 0
    }

    /// Whether this asks for the completion of a list of asynchronous I/O (where the system has it).
    #[must_use]
    #[inline]
    pub const fn is_lio(self) -> bool {
        self.0.get() & LIO != 0
    }

    /// Whether this asks for priority data (where the system has it).
    #[must_use]
    #[inline]
    pub const fn is_priority(self) -> bool {
        self.0.get() & PRIORITY != 0
    }

    /// Whether the mode is edge.
    #[must_use]
    #[inline]
    pub const fn is_edge(self) -> bool {
        self.mode() == EDGE
    }

    /// Whether the mode is level.
    #[must_use]
    #[inline]
    pub const fn is_level(self) -> bool {
        self.mode() == LEVEL
    }

    /// Whether the mode is oneshot.
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
