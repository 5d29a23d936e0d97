//! `Poll`, which waits for events, and `Registry`, with which a program registers its sources.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::association::PollId;
// `Registry` and `Source` import each other: a source registers itself with a registry, whose methods call the source.
// mio has the same circular import.
use crate::event::{Events, Source, Token};
use crate::queue::{RawEvents, Selector};
use crate::shared::{Rounds, Shared};
use crate::sync::Arc;
use crate::Interest;

/// Waits for events of many sources at once.
///
/// A program registers its sources with the poll's [`Registry`], each with a [`Token`] and an [`Interest`], and calls
/// [`poll`](Poll::poll) in a loop. `poll` returns when a source is ready, `wake` was called on a
/// [`Waker`](crate::Waker), a [`Timer`](crate::Timer) is due, or the timeout has passed.
///
/// # Examples
///
/// A program that connects to itself:
///
/// ```
/// use minimio::net::{TcpListener, TcpStream};
/// use minimio::{Events, Interest, Poll, Token};
///
/// # fn main() -> std::io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(16);
///
/// let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
/// poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
/// let mut stream = TcpStream::connect(listener.local_addr()?)?;
/// poll.registry().register(&mut stream, Token(1), Interest::WRITABLE)?;
///
/// let (mut accepted, mut connected) = (false, false);
/// while !(accepted && connected) {
///     poll.poll(&mut events, None)?;
///     for event in &events {
///         match event.token() {
///             Token(0) => accepted = listener.accept().is_ok(),
///             _ => connected = event.is_writable(),
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Nested in another event loop
///
/// The poll's descriptor is readable while the poll has events, so another poll, or any other event loop, can watch it.
/// Register the descriptor there, and when it becomes readable, call `poll` with a timeout of zero. After the program
/// has taken the descriptor with [`AsRawFd`] or [`AsFd`] from the poll or its registry, wakes make it readable too.
/// Timers never do: limit the wait of the outer loop by [`next_deadline`](Poll::next_deadline).
///
/// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|---|
/// | the descriptor | the epoll instance | the kqueue | none: an event loop cannot watch a completion port |
/// | a wake, in an edge-triggered outer loop | the first wake after each `poll` is an edge | no edge while the descriptor is readable | |
///
/// An edge-triggered outer loop reports the descriptor when it becomes readable, and perhaps not again while events
/// remain. So call `poll` until it returns no events. This loses no event, whatever the capacity of `Events`.
///
/// # Completion port
///
/// On Windows, the poll and its registry give out the completion port ([`AsHandle`], [`AsRawHandle`]): for a type that
/// must return a handle, and for system functions that take a port. `poll` dequeues the packets of the port.
///
/// | the program | Windows |
/// |---|---|
/// | posts a packet ([`PostQueuedCompletionStatus`]), or associates a handle or a job object | allowed: `poll` discards the packets |
/// | chooses a key below `1 << (usize::BITS - 1)`, such as a small number, with any address | never mistaken for a packet of the crate |
/// | chooses a larger key | mistaken only by chance: the crate's keys are random numbers |
/// | dequeues packets | not allowed: sources and wakers whose packet it takes are not reported any more |
/// | closes the handle | not allowed: the poll owns it |
/// | waits for the handle with another event loop | not documented for a port, and a pending wake may have no packet |
///
/// `poll` neither dereferences the address of a discarded packet nor reports an event for it, and it does not return
/// because of it. A program that has a result to deliver pushes the result into a queue of its own and wakes the poll.
///
/// # Fork
///
/// A child process made by `fork` must not use the polls, sources and wakers of its parent.
///
/// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|---|
/// | the parent's poll in the child | the child shares the epoll instance with the parent | the child does not inherit the kqueue | there is no `fork` |
///
/// In a child on macOS and the BSDs, another file may get the descriptor number of the kqueue. So the child must not
/// even drop the poll ([`mem::forget`](std::mem::forget)).
///
/// [`AsRawFd`]: #impl-AsRawFd-for-Poll
/// [`AsFd`]: #impl-AsFd-for-Poll
/// [`AsHandle`]: https://doc.rust-lang.org/std/os/windows/io/trait.AsHandle.html
/// [`AsRawHandle`]: https://doc.rust-lang.org/std/os/windows/io/trait.AsRawHandle.html
/// [`PostQueuedCompletionStatus`]: https://learn.microsoft.com/windows/win32/fileio/postqueuedcompletionstatus
#[doc(alias("epoll", "kqueue", "IOCP"))]
pub struct Poll {
    registry: Registry,
    rounds: Rounds,
}

/// Adds, changes and removes the sources that a [`Poll`] watches.
///
/// Any thread may use it, even while another thread is blocked in `poll`; the change takes effect immediately.
/// [`Poll::registry`] borrows the poll's own registry, and [`try_clone`](Registry::try_clone) returns one to keep.
#[doc(alias = "Registrator")]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
}

impl Poll {
    /// Creates a poll without any registered source.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|---|
    /// | opens | an epoll instance | a kqueue | a completion port |
    /// | the poll's first waker or timer opens | an eventfd | a user event of the kqueue; a pipe on NetBSD before 10 and older OpenBSD | nothing |
    ///
    /// # Errors
    ///
    /// The system's error, above all when the process or the machine has no descriptors or handles left.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Poll};
    /// use std::time::Duration;
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// // No source is registered, so only the timeout ends the wait.
    /// poll.poll(&mut events, Some(Duration::from_millis(1)))?;
    /// assert!(events.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias("epoll_create", "CreateIoCompletionPort"))]
    pub fn new() -> io::Result<Poll> {
        Ok(Poll { registry: Registry { shared: Arc::new(Shared::new()?) }, rounds: Rounds::default() })
    }

    /// Returns the registry with which the program registers its sources.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Interest, Poll, Token};
    ///
    /// let poll = Poll::new()?;
    /// let (registry, address) = (poll.registry(), "127.0.0.1:0".parse().unwrap());
    /// let (mut one, mut other) = (UdpSocket::bind(address)?, UdpSocket::bind(address)?);
    /// registry.register(&mut one, Token(1), Interest::READABLE)?;
    /// registry.register(&mut other, Token(2), Interest::READABLE)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the earliest deadline of the registered timers, or `None` if no timer is set. A program that waits in an
    /// outer event loop limits its wait by this deadline (see [above](#nested-in-another-event-loop)).
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.registry.shared.timers().next_deadline()
    }

    /// Waits until there is an event or `timeout` has passed. `None` waits without a limit; zero does not block.
    ///
    /// `poll` first clears `events`. If `poll` returns `Ok` and no events, the timeout has passed. There is no other
    /// cause.
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|---|
    /// | system calls | one: [`epoll_wait`], or `epoll_pwait2` if the timeout is not in whole milliseconds | one: [`kevent`] | one [`GetQueuedCompletionStatusEx`], and those below |
    /// | longest wait of one system call | no limit; before Linux 5.11 and on Android 24 days | 11 days | 49 days |
    ///
    /// When the longest wait of a system call ends before the timeout, `poll` waits again. A timeout is rounded up to
    /// the resolution, so `poll` never returns early. It returns late, even on an idle machine:
    ///
    /// | system | resolution of the timeout | how much later `poll` can return |
    /// |---|---|---|
    /// | Linux since 5.11 | 1 ns | 50 µs, the default of [`PR_SET_TIMERSLACK`] |
    /// | Linux before 5.11, Android | 1 ms | 50 µs |
    /// | macOS and other Apple systems | 1 ns | the kernel coalesces timers, by an amount that is not documented |
    /// | FreeBSD | 1 ns | about 6 % of the timeout, the default of `kern.timecounter.alloweddeviation` |
    /// | NetBSD | a clock tick, 10 ms | one tick: 1 ms takes 20 ms, and 15 ms takes 30 ms |
    /// | OpenBSD, DragonFly | a clock tick, 10 ms | not measured |
    /// | Windows | 1 ms, then a clock tick, up to 16 ms | less than a tick |
    ///
    /// On Windows, `poll` may make more system calls. Before it waits, it calls `NtDeviceIoControlFile` for each source
    /// whose request must be submitted. If the pending request of a source does not cover every condition that `poll`
    /// must now watch, `poll` calls `NtCancelIoFileEx` and, if no other source has an event, waits a second time. (For
    /// a `SourceSocket`, `register` and `reregister` call `NtCancelIoFileEx` whenever a request is pending.) If the
    /// program has not read the data of an event in edge mode, `poll` waits up to three times. The first wait takes at
    /// most 1 ms and has no request for that source, because another thread of the program probably reads soon, and the
    /// request would then have to be cancelled.
    ///
    /// # Errors
    ///
    /// - `Interrupted`: the thread caught a signal (not on Windows). On Linux, `poll` also returns this error after the
    ///   process was stopped and then continued by SIGCONT, even if the program has no handler for SIGCONT
    ///   ([signal(7)]). `events` is empty, and no event is lost; most programs poll again.
    /// - `InvalidInput`: the capacity of `events` is 0.
    /// - Otherwise the system's error.
    ///
    /// The failure of a source is not an error of `poll`: `poll` reports it as an event of that source.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Poll, Token, Waker};
    /// use std::{io::ErrorKind, time::Duration};
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let waker = Waker::new(poll.registry(), Token(1))?;
    /// waker.wake()?;
    /// loop {
    ///     match poll.poll(&mut events, Some(Duration::from_millis(10))) {
    ///         Ok(()) if events.is_empty() => break, // The timeout has passed.
    ///         Ok(()) => events.iter().for_each(|event| assert_eq!(event.token(), Token(1))),
    ///         Err(err) if err.kind() == ErrorKind::Interrupted => continue,
    ///         Err(err) => return Err(err),
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [`PR_SET_TIMERSLACK`]: https://man7.org/linux/man-pages/man2/PR_SET_TIMERSLACK.2const.html
    /// [signal(7)]: https://man7.org/linux/man-pages/man7/signal.7.html
    /// [`epoll_wait`]: https://man7.org/linux/man-pages/man2/epoll_wait.2.html
    /// [`kevent`]: https://man.freebsd.org/cgi/man.cgi?query=kevent
    /// [`GetQueuedCompletionStatusEx`]: https://learn.microsoft.com/windows/win32/fileio/getqueuedcompletionstatusex-func
    #[doc(alias("epoll_wait", "kevent", "GetQueuedCompletionStatusEx", "select"))]
    #[inline(always)]
    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let events = &mut events.raw;
        let shared = &*self.registry.shared;
        match timeout {
            Some(Duration::ZERO) => shared.poll_nonblocking(events, &mut self.rounds),
            Some(timeout) => self.poll_until(events, Some(timeout)),
            None => match shared.poll_once(events, None, &mut self.rounds) {
                Some(result) => result,
                None => self.poll_until(events, None),
            },
        }
    }

    /// Polls until there is an event or the timeout has passed. After a wait that ended without an event, computes the
    /// rest of the timeout from the clock.
    #[inline(never)]
    fn poll_until(&mut self, events: &mut RawEvents, timeout: Option<Duration>) -> io::Result<()> {
        let mut now = Instant::now();
        // A deadline that an `Instant` cannot represent is no limit.
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        loop {
            let rest = deadline.map(|deadline| deadline.saturating_duration_since(now));
            if let Some(result) = self.registry.shared.poll_once(events, rest, &mut self.rounds) {
                return result;
            }
            now = Instant::now();
            if deadline.map_or(false, |deadline| deadline <= now) {
                return Ok(());
            }
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.registry.shared.close();
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").finish_non_exhaustive()
    }
}

impl Registry {
    /// Registers `source`. `poll` then reports the readiness that `interests` selects, with `token`.
    ///
    /// If the source is ready already, the next `poll` reports it. (On Windows, if other sources have events, the
    /// `poll` after it may report the source instead. The same holds for [`reregister`](Registry::reregister).)
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the source is registered already, with this `Poll` or with another one that still exists. (A
    ///   `SourceFd`, a `SourceSocket` or a `SourceHandle` does not record its registration; its own page lists what is
    ///   checked instead.)
    /// - `InvalidInput`: the source is a [`Timer`](crate::Timer), and `interests` does not contain `READABLE`.
    /// - The system's error, unchanged:
    ///
    /// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
    /// |---|---|---|---|
    /// | a regular file | [`EPERM`] (`PermissionDenied`) | no error; readable until its end | [`WSAENOTSOCK`]: a `SourceSocket` takes only sockets |
    /// | a directory | [`EPERM`] (`PermissionDenied`) | depends on the system | [`WSAENOTSOCK`] |
    /// | a number that is not an open descriptor or socket | `EBADF` | `EBADF` | [`WSAENOTSOCK`] |
    /// | too many registrations of this user | [`ENOSPC`], see `/proc/sys/fs/epoll/max_user_watches` | `ENOMEM`; memory is the only limit | no limit |
    /// | a source that the kernel rejects in a later `poll` | does not happen | does not happen | an error event of this source |
    /// | a pipe's write end whose reader is closed | no error; reported | no error; reported on macOS since 10.15; elsewhere perhaps not reported, but the next write fails | |
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
    /// use std::io::ErrorKind;
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(3), Interest::READABLE | Interest::WRITABLE)?;
    /// poll.poll(&mut events, None)?;
    /// assert!(events.iter().any(|event| event.token() == Token(3) && event.is_writable()));
    ///
    /// let again = poll.registry().register(&mut socket, Token(4), Interest::READABLE);
    /// assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [`EPERM`]: https://man7.org/linux/man-pages/man2/epoll_ctl.2.html
    /// [`ENOSPC`]: https://man7.org/linux/man-pages/man2/epoll_ctl.2.html
    /// [`WSAENOTSOCK`]: https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2
    #[doc(alias("epoll_ctl", "EPOLL_CTL_ADD", "EV_ADD"))]
    #[inline]
    pub fn register<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        source.register(self, token, interests)
    }

    /// Replaces the token and the interest of a registered source.
    ///
    /// In every mode, the next `poll` reports the source again if it is ready. This is how a program rearms a oneshot
    /// source.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the source is not registered with this `Poll`.
    /// - Otherwise as for [`register`](Registry::register).
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::WRITABLE.oneshot())?;
    /// poll.poll(&mut events, None)?; // Reports the socket, and disarms it.
    /// poll.registry().reregister(&mut socket, Token(1), Interest::WRITABLE.oneshot())?;
    /// poll.poll(&mut events, None)?;
    /// assert!(events.iter().all(|event| event.token() == Token(1)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias("epoll_ctl", "EPOLL_CTL_MOD", "EV_ADD"))]
    #[inline]
    pub fn reregister<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        source.reregister(self, token, interests)
    }

    /// Ends the registration of `source`. No later `poll` reports it.
    ///
    /// An event that an earlier `poll` has returned stays in its `Events`.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the source is not registered with this `Poll`.
    /// - Otherwise the system's error, for example `EBADF` for a `SourceFd` whose descriptor is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
    /// use std::time::Duration;
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    /// poll.registry().register(&mut socket, Token(0), Interest::WRITABLE)?;
    /// poll.registry().deregister(&mut socket)?;
    /// poll.poll(&mut events, Some(Duration::ZERO))?;
    /// assert!(events.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias("epoll_ctl", "EPOLL_CTL_DEL", "EV_DELETE"))]
    #[inline]
    pub fn deregister<S>(&self, source: &mut S) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        source.deregister(self)
    }

    /// Creates another registry of the same poll. The registry may outlive the poll. Sources that are registered after
    /// the poll was dropped are never reported.
    ///
    /// # Errors
    ///
    /// None, because the new registry needs no descriptor. The signature is mio's.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
    /// use std::{io, thread};
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let registry = poll.registry().try_clone()?;
    /// let worker = thread::spawn(move || -> io::Result<UdpSocket> {
    ///     let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    ///     registry.register(&mut socket, Token(5), Interest::WRITABLE)?;
    ///     Ok(socket)
    /// });
    /// poll.poll(&mut events, None)?;
    /// assert!(events.iter().all(|event| event.token() == Token(5)));
    /// worker.join().unwrap()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<Registry> {
        Ok(Registry { shared: Arc::clone(&self.shared) })
    }

    #[inline]
    pub(crate) fn id(&self) -> PollId {
        self.shared.id
    }

    #[inline]
    pub(crate) fn selector(&self) -> &Selector {
        &self.shared.selector
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
