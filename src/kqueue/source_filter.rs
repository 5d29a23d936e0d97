//! `SourceFilter`: the public type of any knote as a source.

use std::io;

use super::event::flags;
use super::ffi::{self, filter_t, kevent};
use super::selector::USER_EVENT;
use crate::event::{Source, Token};
use crate::{Interest, Registry};

/// Any condition that a kqueue can watch, as a source: an exit of a process, a signal, a timer of the kernel, a change
/// of a file. macOS and other Apple systems and the BSDs only.
///
/// The fields are those of [`kevent`] in C. The constants are those of the system, for example of the crate `libc`:
///
/// | `filter` | `ident` | `fflags` | `data` | reported as readable |
/// |---|---|---|---|---|
/// | `EVFILT_PROC` | a process id | `NOTE_EXIT`, … | 0 | when the process exits |
/// | `EVFILT_SIGNAL` | a signal number | 0 | 0 | when the signal was sent to this process, also if it is ignored |
/// | `EVFILT_TIMER` | a number that the program chooses | the unit; 0 for milliseconds | the period | at the end of each period |
/// | `EVFILT_VNODE` | a descriptor of a file | `NOTE_WRITE`, … | 0 | when the file changes |
/// | `EVFILT_USER` | any number except `usize::MAX` | 0 | 0 | when the program triggers it on the poll's descriptor |
///
/// | in C | macOS and other Apple systems | FreeBSD | OpenBSD | DragonFly | NetBSD |
/// |---|---|---|---|---|---|
/// | `EVFILT_VNODE`, `EVFILT_PROC`, `EVFILT_SIGNAL`, `EVFILT_TIMER` | -4, -5, -6, -7 | the same | the same | the same | 3, 4, 5, 6 |
/// | `EVFILT_USER` | -10 | -11 | -10, newest releases | -9 | 8, since 10 |
/// | `NOTE_EXIT` | `0x8000_0000` | the same | the same | the same | the same |
///
/// An event of such a source is readable, and has the token. `Event` has no method for the `fflags` and the `data` of
/// the kernel's event. Instead of `EVFILT_READ` and `EVFILT_WRITE`, use [`SourceFd`](crate::unix::SourceFd), whose
/// events say which direction is ready. [`Signals`](crate::signal::Signals),
/// [`ChildExit`](crate::process::ChildExit) and [`Timer`](crate::Timer) work on every system.
///
/// # Modes
///
/// | mode | flag | `poll` reports the source |
/// |---|---|---|
/// | edge | `EV_CLEAR` | once for each change; signals and periods that come before a `poll` are one event |
/// | level | none | in every `poll` while the condition holds; signals, periods and the exit of a process as in edge mode |
/// | oneshot | `EV_DISPATCH` | once, until `reregister` |
///
/// The kernel deletes the knote of a process when it has reported the exit. After that, `reregister` and `deregister`
/// fail with `NotFound`.
///
/// # Registration
///
/// A `SourceFilter` does not record its registration. The kernel identifies it by the filter and the identifier, so any
/// value with the same two fields can reregister or deregister it. The poll keeps a small record of the two and of the
/// mode until `deregister`, also after the exit of a process, when `deregister` fails with `NotFound`.
///
/// | | macOS and other Apple systems, BSDs |
/// |---|---|
/// | register twice with one poll | the second registration replaces the first, as `reregister` does |
/// | register with two polls | both polls report it |
/// | reregister in the same mode | a timer starts again; of other filters, the next `poll` reports what was not reported |
/// | reregister in another mode | a timer starts again; a signal that was not reported is discarded |
/// | reregister in another mode after an exit that was not reported | FreeBSD: the next `poll` reports it; other systems may return `ESRCH` |
/// | reregister or deregister without registration | `NotFound` |
/// | interest without `READABLE` | `InvalidInput` |
/// | `EVFILT_READ`, `EVFILT_WRITE`; `EVFILT_USER` with `usize::MAX`, which the crate uses itself | `InvalidInput` |
/// | a filter that the system does not have, or an invalid identifier | the system's error: `EINVAL`, `ESRCH`, `EBADF`, … |
///
/// # Examples
///
/// ```
/// use minimio::unix::SourceFilter;
/// use minimio::{Events, Interest, Poll, Token};
///
/// # fn main() -> std::io::Result<()> {
/// // `libc::EVFILT_TIMER`
/// const EVFILT_TIMER: i16 = if cfg!(target_os = "netbsd") { 6 } else { -7 };
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(4);
/// // Every 5 ms.
/// let mut timer = SourceFilter { filter: EVFILT_TIMER, ident: 1, fflags: 0, data: 5 };
/// poll.registry().register(&mut timer, Token(0), Interest::READABLE)?;
/// for _ in 0..3 {
///     poll.poll(&mut events, None)?;
///     assert!(events.iter().all(|event| event.token() == Token(0) && event.is_readable()));
/// }
/// poll.registry().deregister(&mut timer)?;
/// # Ok(())
/// # }
/// ```
///
/// [`kevent`]: https://man.freebsd.org/cgi/man.cgi?query=kevent
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias("kevent", "EVFILT_PROC", "EVFILT_SIGNAL", "EVFILT_TIMER", "EVFILT_VNODE"))]
pub struct SourceFilter {
    /// The condition: one of the constants `EVFILT_…`.
    pub filter: i16,
    /// The object: a descriptor, a process id, or another number, depending on the filter.
    pub ident: usize,
    /// Flags of the filter: constants `NOTE_…`.
    pub fflags: u32,
    /// A number whose meaning depends on the filter.
    pub data: i64,
}

impl SourceFilter {
    /// Checks that the knote is neither that of a `SourceFd` nor the poll's own.
    fn check(&self) -> io::Result<()> {
        match (self.filter as filter_t, self.ident) {
            (ffi::EVFILT_READ | ffi::EVFILT_WRITE, _) | (ffi::EVFILT_USER, USER_EVENT) => {
                let reason = "this filter and identifier cannot be those of a `SourceFilter`";
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }
            _ => Ok(()),
        }
    }

    fn knote(&self, token: Token, interests: Interest) -> io::Result<kevent> {
        self.check()?;
        let interests = interests.only_readable("a filter")?;
        let knote = kevent::new(self.ident, self.filter as _, ffi::EV_ADD | flags(interests), token.0);
        Ok(kevent { fflags: self.fflags, data: self.data as _, ..knote })
    }
}

impl Source for SourceFilter {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        registry.selector().replace_knote(self.knote(token, interests)?, false)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        registry.selector().replace_knote(self.knote(token, interests)?, true)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.check()?;
        registry.selector().delete_knote(self.ident, self.filter as _)
    }
}
