//! macOS and other Apple systems, the BSDs only: signals, processes and timers as sources.

use std::io;
use std::marker::PhantomData;
use std::num::NonZeroI32;
use std::os::raw::c_int;
use std::process::Child;
use std::time::Duration;

use minimio::unix::SourceFilter;

use crate::poller::check;
use crate::{Event, PollMode, Poller};

/// The methods of [`Poller`] for filters.
pub trait PollerKqueueExt<F: Filter> {
    /// Adds a filter. A wait reports it as readable, with this key.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the filter was added before.
    /// - `InvalidInput`: the key is `usize::MAX`.
    /// - Otherwise the system's error, for example for a process that does not exist.
    fn add_filter(&self, filter: F, key: usize, mode: PollMode) -> io::Result<()>;

    /// Replaces the key and the mode of a filter, and the duration of a timer.
    ///
    /// A timer starts again. If the mode stays the same, the next wait reports an exit or a signal that no wait has
    /// reported yet, with the new key. For another mode, the filter is deleted from the kqueue and added again. This
    /// discards such a signal. Such an exit is reported on FreeBSD; on other systems, the call may fail with `ESRCH`.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the filter was not added.
    /// - Otherwise as for [`add_filter`](PollerKqueueExt::add_filter).
    fn modify_filter(&self, filter: F, key: usize, mode: PollMode) -> io::Result<()>;

    /// Ends the reports of a filter.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the filter was not added.
    /// - Otherwise the system's error.
    fn delete_filter(&self, filter: F) -> io::Result<()>;
}

impl<F: Filter> PollerKqueueExt<F> for Poller {
    fn add_filter(&self, filter: F, key: usize, mode: PollMode) -> io::Result<()> {
        check(&Event::readable(key), mode)?;
        self.sources.add_source(&self.registry, filter.condition().into(), Event::readable(key), mode)
    }

    fn modify_filter(&self, filter: F, key: usize, mode: PollMode) -> io::Result<()> {
        check(&Event::readable(key), mode)?;
        self.sources.modify_source(&self.registry, filter.condition().into(), Event::readable(key), mode)
    }

    fn delete_filter(&self, filter: F) -> io::Result<()> {
        self.sources.delete_source(&self.registry, filter.condition().into())
    }
}

/// A filter: [`Signal`], [`Process`], [`Timer`], or a reference to one.
pub trait Filter: condition::Condition {}

impl<T: Filter + ?Sized> Filter for &T {}

mod condition {
    /// What the kernel watches for a filter. Other crates cannot implement this.
    pub trait Condition {
        fn condition(&self) -> minimio::unix::SourceFilter;
    }

    impl<T: Condition + ?Sized> Condition for &T {
        fn condition(&self) -> minimio::unix::SourceFilter {
            (**self).condition()
        }
    }
}

// The filters of the systems' `sys/event.h`.
const EVFILT_PROC: i16 = if cfg!(target_os = "netbsd") { 4 } else { -5 };
const EVFILT_SIGNAL: i16 = if cfg!(target_os = "netbsd") { 5 } else { -6 };
const EVFILT_TIMER: i16 = if cfg!(target_os = "netbsd") { 6 } else { -7 };
const NOTE_EXIT: u32 = 0x8000_0000;
const NOTE_FORK: u32 = 0x4000_0000;
const NOTE_EXEC: u32 = 0x2000_0000;

/// A signal, by its number. It is reported when it was sent to this process, also if the process ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub c_int);

impl Filter for Signal {}

impl condition::Condition for Signal {
    fn condition(&self) -> SourceFilter {
        SourceFilter { filter: EVFILT_SIGNAL, ident: self.0 as usize, fflags: 0, data: 0 }
    }
}

/// A child process.
#[derive(Debug)]
pub struct Process<'a> {
    pid: u32,
    operation: ProcessOps,
    _child: PhantomData<&'a Child>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProcessOps {
    /// It exits.
    Exit,
    /// It creates a child process.
    Fork,
    /// It executes another program.
    Exec,
}

impl<'a> Process<'a> {
    /// Creates a filter for a child process.
    ///
    /// # Safety
    ///
    /// The filter is deleted from the poller before the `Child` is dropped.
    #[allow(unsafe_code)]
    pub unsafe fn new(child: &'a Child, ops: ProcessOps) -> Self {
        Process { pid: child.id(), operation: ops, _child: PhantomData }
    }

    /// Creates a filter for a child process, by its id.
    ///
    /// # Safety
    ///
    /// The id is that of a child process, until the filter is deleted from the poller.
    #[allow(unsafe_code)]
    pub unsafe fn from_pid(pid: NonZeroI32, ops: ProcessOps) -> Self {
        Process { pid: pid.get() as u32, operation: ops, _child: PhantomData }
    }
}

impl Filter for Process<'_> {}

impl condition::Condition for Process<'_> {
    fn condition(&self) -> SourceFilter {
        let fflags = match self.operation {
            ProcessOps::Exit => NOTE_EXIT,
            ProcessOps::Fork => NOTE_FORK,
            ProcessOps::Exec => NOTE_EXEC,
        };
        SourceFilter { filter: EVFILT_PROC, ident: self.pid as usize, fflags, data: 0 }
    }
}

/// A timer of the kernel, which expires again and again except in the modes `Oneshot` and `EdgeOneshot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The number of the timer, which the program chooses.
    pub id: usize,
    /// The time until the timer expires, rounded up to milliseconds.
    pub timeout: Duration,
}

impl Filter for Timer {}

impl condition::Condition for Timer {
    fn condition(&self) -> SourceFilter {
        // Milliseconds are the unit that every system has.
        let milliseconds = self.timeout.as_nanos().saturating_add(999_999) / 1_000_000;
        let data = milliseconds.clamp(1, i64::MAX as u128) as i64;
        SourceFilter { filter: EVFILT_TIMER, ident: self.id, fflags: 0, data }
    }
}
