//! The facade: a `Poll` to wait with, and its `Registry` to say for what.

use std::cmp;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::association::PollId;
use crate::event::{Events, Source, Token};
use crate::queue::{Notifier, RawEvents, Selector};
use crate::sync::Arc;
use crate::timer::Timers;
use crate::wait::{Blocked, Wait};
use crate::waker::Wakers;
use crate::Interest;

/// Waits for many sources at once.
///
/// A program registers its sources with the poll's [`Registry`], each with a [`Token`] and an [`Interest`], and calls
/// [`poll`](Poll::poll) in a loop: it returns when one is ready, a [`Waker`](crate::Waker) was woken, a
/// [`Timer`](crate::Timer) is due, or the timeout has passed.
///
/// # Examples
///
/// A connection made to itself:
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
/// The poll's descriptor is readable while events are waiting, so that another poll, or any other event loop, can watch
/// it: register it there, and call `poll` with a timeout of zero when it becomes readable. From the moment it is asked
/// for ([`AsRawFd`], [`AsFd`], of the poll or its registry), wakes show on it too. Timers never do: bound the outer
/// wait by [`next_deadline`](Poll::next_deadline).
///
/// | | Linux, Android | macOS and its kin, BSDs | Windows |
/// |---|---|---|---|
/// | the descriptor | the epoll instance | the kqueue | there is none: a completion port can't be watched |
/// | in an outer loop that is edge-triggered | each wake is an edge | poll until nothing comes: what is readable already does not become so again | |
///
/// # Fork
///
/// After `fork`, where there is one, let a child process use none of its parent's polls, sources or wakers. An epoll
/// instance is the parent's as well; a kqueue is not there at all, and its number may soon be something else's, so
/// that the child must not even drop a poll ([`mem::forget`](std::mem::forget)).
///
/// [`AsRawFd`]: #impl-AsRawFd-for-Poll
/// [`AsFd`]: #impl-AsFd-for-Poll
#[doc(alias("epoll", "kqueue", "IOCP"))]
pub struct Poll {
    registry: Registry,
    /// Whose turn it is when `Events` has too few places to serve everybody at once.
    turn: u8,
}

/// Says what a [`Poll`] waits for. Works from any thread, also while another one is blocked in `poll`, and at once.
///
/// [`Poll::registry`] lends the poll's own; [`try_clone`](Registry::try_clone) makes one to keep.
#[doc(alias = "Registrator")]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
}

/// What a poll, its registries, wakers and timers have in common. It lives as long as any of them.
pub(crate) struct Shared {
    id: PollId,
    selector: Selector,
    notifier: Notifier,
    wait: Wait,
    pub wakers: Wakers,
    pub timers: Timers,
}

impl Poll {
    /// A new queue, with nothing registered.
    ///
    /// # Errors
    ///
    /// The system's, above all when the process or the machine has no descriptors or handles left.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs | Windows |
    /// |---|---|---|---|
    /// | opens | one epoll instance, one eventfd | one kqueue (and a pipe on NetBSD before 10 and older OpenBSD) | one completion port |
    #[doc(alias("epoll_create", "CreateIoCompletionPort"))]
    pub fn new() -> io::Result<Poll> {
        let selector = Selector::new()?;
        let notifier = Notifier::new(&selector)?;
        let shared = Shared {
            id: PollId::new(),
            selector,
            notifier,
            wait: Wait::new(),
            wakers: Wakers::new(),
            timers: Timers::new(),
        };
        Ok(Poll { registry: Registry { shared: Arc::new(shared) }, turn: 0 })
    }

    /// Where sources are registered.
    #[must_use]
    #[inline]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The deadline of the timer that is due next, for a program that waits elsewhere
    /// (see [above](#nested-in-another-event-loop)). `None`: no timer is set.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.registry.shared.timers.next_deadline()
    }

    /// Waits until there is an event, or until `timeout` has passed. `None` waits for ever; zero does not wait.
    ///
    /// `events` is emptied first. `Ok` without events means that the timeout has passed, and nothing else.
    ///
    /// | | Linux, Android | macOS and its kin, BSDs | Windows |
    /// |---|---|---|---|
    /// | system calls | one: `epoll_wait`, or `epoll_pwait2` for a timeout | one: `kevent` | one: [`GetQueuedCompletionStatusEx`]; before it, one `NtDeviceIoControlFile` for each source that is to be asked for anew, or one `NtCancelIoFileEx` and one more wait where more is wanted than was asked for; and two more waits, the first of 1 ms, after an event of something that was not read |
    /// | resolution of the timeout | 1 ns (1 ms, rounded up, before Linux 5.11 and on Android); never early | 1 ns on macOS and FreeBSD, the next tick of the clock (10 ms) on others; never early | 1 ms, rounded up, at the next tick of the system's clock (up to 16 ms); never early |
    /// | the longest timeout | none (24 days before Linux 5.11 and on Android, then it waits again) | none (11 days, then it waits again) | none (49 days, then it waits again) |
    ///
    /// [`GetQueuedCompletionStatusEx`]: https://learn.microsoft.com/windows/win32/fileio/getqueuedcompletionstatusex-func
    ///
    /// # Errors
    ///
    /// - `Interrupted`: a signal was caught. `events` is empty, nothing is lost; most programs just poll again. Not on
    ///   Windows.
    /// - `InvalidInput`: the capacity of `events` is 0.
    ///
    /// A source that has failed is never an error of `poll`: it is an event of that source.
    #[doc(alias("epoll_wait", "kevent", "GetQueuedCompletionStatusEx", "select"))]
    #[inline(always)]
    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let events = &mut events.raw;
        match timeout {
            Some(Duration::ZERO) => self.glance(events),
            Some(timeout) => self.poll_for(events, timeout),
            None => loop {
                if self.sleep(events, None)? {
                    return Ok(());
                }
            },
        }
    }

    /// Only a poll that sleeps for a while needs a clock, to know what is left when a kick cuts it short.
    #[inline(never)]
    fn poll_for(&mut self, events: &mut RawEvents, timeout: Duration) -> io::Result<()> {
        let mut now = Instant::now();
        // Beyond what the clock can tell is for ever.
        let until = now.checked_add(timeout);
        loop {
            if self.sleep(events, until.map(|until| until.saturating_duration_since(now)))? {
                return Ok(());
            }
            now = Instant::now();
            if until.map_or(false, |until| until <= now) {
                return Ok(());
            }
        }
    }

    // `poll`, the two that follow, and what they call in the queue are inlined into the program's loop: where the
    // timeout is a constant, little is left of them but the system call.

    /// Asks everybody once, and waits for nobody.
    #[inline(always)]
    fn glance(&mut self, events: &mut RawEvents) -> io::Result<()> {
        let shared = &*self.registry.shared;
        if shared.wait.is_notified() || shared.timers.is_armed() {
            return shared.busy_round(events, Some(Duration::ZERO), None, &mut self.turn);
        }
        let kicked = shared.selector.wait(events, 0, Some(Duration::ZERO)).map_err(|err| failed(events, err))?;
        // A kick that has been swallowed must be answered.
        if kicked && shared.wait.is_notified() {
            shared.take_rest(events);
        }
        Ok(())
    }

    /// Asks everybody once, and sleeps until somebody answers. False if that has brought no event: a kick says only
    /// that there is something to look at anew.
    #[inline(always)]
    fn sleep(&mut self, events: &mut RawEvents, timeout: Option<Duration>) -> io::Result<bool> {
        let shared = &*self.registry.shared;
        // From here to `leave`, whoever wakes us or sets an earlier deadline kicks us out of the kernel. So now is the
        // time to look, and not earlier.
        let blocked = match shared.wait.block() {
            Some(blocked) => blocked,
            None => return shared.busy_round(events, timeout, None, &mut self.turn).map(|()| !events.list.is_empty()),
        };
        if shared.timers.is_armed() {
            return shared.busy_round(events, timeout, Some(blocked), &mut self.turn).map(|()| !events.list.is_empty());
        }
        shared.selector.wait(events, 0, timeout).map_err(|err| failed(events, err))?;
        if blocked.leave() {
            shared.take_rest(events);
        }
        Ok(!events.list.is_empty())
    }
}

impl Shared {
    /// A round in which wakers or timers may have something to report before the kernel is asked. Without `blocked` it
    /// does not sleep.
    #[cold]
    #[inline(never)]
    fn busy_round(
        &self,
        events: &mut RawEvents,
        timeout: Option<Duration>,
        blocked: Option<Blocked<'_>>,
        turn: &mut u8,
    ) -> io::Result<()> {
        events.list.clear();
        if events.list.capacity() == 0 {
            return Err(failed(events, io::ErrorKind::InvalidInput.into()));
        }
        // Only timers need a clock.
        let now = if self.timers.is_armed() { Some(Instant::now()) } else { None };
        let nearest = self.take_first(events, now, blocked.is_none(), turn);
        if events.list.len() == events.list.capacity() {
            return Ok(());
        }
        let timeout = match nearest {
            _ if blocked.is_none() || !events.list.is_empty() => Some(Duration::ZERO),
            Some(nearest) => Some(timeout.map_or(nearest, |timeout| cmp::min(timeout, nearest))),
            None => timeout,
        };
        let kicked = match self.selector.wait(events, events.list.len(), timeout) {
            Ok(kicked) => kicked,
            // What was taken must be told; an error that lasts comes again.
            Err(_) if !events.list.is_empty() => return Ok(()),
            Err(err) => return Err(err),
        };
        let notified = match blocked {
            Some(blocked) => blocked.leave(),
            // As in `glance`; and a wake that had to stand back for the kernel, which then had nothing.
            None => (kicked || events.list.is_empty()) && self.wait.is_notified(),
        };
        if notified {
            self.take_rest(events);
        }
        if events.list.is_empty() && self.timers.is_armed() {
            let room = events.list.capacity();
            self.timers.expire(Instant::now(), &mut events.list, room);
        }
        Ok(())
    }

    /// Reports the wakers that were notified, and the timers that are due `now`, leaving a place to the kernel. Returns
    /// how long it is to the nearest deadline that is left.
    fn take_first(&self, events: &mut RawEvents, now: Option<Instant>, awake: bool, turn: &mut u8) -> Option<Duration> {
        let capacity = events.list.capacity();
        // Of more places than two, one is the kernel's, and one the timers' if any is due. A single one is everybody's
        // in turn: the kernel's, the wakers', the kernel's, the timers'.
        *turn = turn.wrapping_add(1);
        let room = if capacity == 1 { usize::from(*turn % 2 == 0) } else { capacity - 1 };
        let timers_too = room > 1 || room == 1 && *turn % 4 < 2;
        let is_due = |now| self.timers.next_deadline().map_or(false, |deadline| deadline <= now);
        let due = timers_too && now.map_or(false, is_due);

        let left = room - usize::from(due);
        if awake && left > 0 && self.wait.is_notified() {
            self.take_wakers(events, left);
        }
        let now = now?;
        let left = room - events.list.len();
        let nearest = self.timers.expire(now, &mut events.list, left)?;
        Some(nearest.saturating_duration_since(now))
    }

    /// Reports the wakers that were notified while the kernel was asked, in front of what it has said.
    #[cold]
    #[inline(never)]
    fn take_rest(&self, events: &mut RawEvents) {
        let others = events.list.len();
        self.take_wakers(events, events.list.capacity() - others);
        let wakers = events.list.len() - others;
        events.list.rotate_right(wakers);
    }

    /// Reports wakers, as far as there is room. The state goes first, the flags after it: a wake in between is one
    /// more.
    fn take_wakers(&self, events: &mut RawEvents, room: usize) {
        self.wait.clear();
        if self.wakers.take(&mut events.list, room) {
            // What has been left shows in the state, for the next poll. That it may not show on the descriptor is
            // better than to lose the events at hand for it.
            let _not_kicked = self.notify();
        }
    }

    /// A waker has raised its flag.
    #[inline]
    pub fn notify(&self) -> io::Result<()> {
        self.wait.notify(|| self.notifier.notify())
    }

    /// A deadline has been published that is earlier than all others.
    pub fn nudge(&self) -> io::Result<()> {
        self.wait.nudge(|| self.notifier.notify())
    }
}

/// What the program is told when a wait has failed.
#[cold]
#[inline(never)]
fn failed(events: &RawEvents, err: io::Error) -> io::Error {
    match events.list.capacity() {
        0 => io::Error::new(io::ErrorKind::InvalidInput, "cannot poll: the capacity of events is 0"),
        _ => err,
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.registry.shared.id.release();
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").finish_non_exhaustive()
    }
}

impl Registry {
    /// Begins to watch `source`. Its events bear `token`, and come as `interests` says.
    ///
    /// A source that is ready already is reported by the next `poll`.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the source is registered, here or with another `Poll` that lives.
    /// - whatever the system has against this source:
    ///
    /// | | Linux, Android | macOS and its kin, BSDs | Windows |
    /// |---|---|---|---|
    /// | a regular file or directory | `PermissionDenied` ([`EPERM`]) | a file is readable until its end, a directory as the system has it | [`WSAENOTSOCK`]: only sockets can be registered so |
    /// | a closed or foreign descriptor or handle | `EBADF` | `EBADF` | [`WSAENOTSOCK`] |
    /// | too many registrations of this user | [`ENOSPC`], see `/proc/sys/fs/epoll/max_user_watches` | no limit but memory, `ENOMEM` | no limit |
    /// | what the kernel refuses later | nothing | nothing | an error event of this source |
    /// | a pipe's write end whose reader is gone | is reported | is reported; on macOS and some BSDs it may not be, the next write tells | |
    ///
    /// The message says what was attempted; the system's own error is the error's
    /// [`source`](std::error::Error::source).
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

    /// Gives a registered source another token and interest, both in place of the old ones.
    ///
    /// A source that is ready is reported again by the next `poll`, in every mode: this is what arms a oneshot anew.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the source is not registered here.
    /// - else as for [`register`](Registry::register).
    #[doc(alias("epoll_ctl", "EPOLL_CTL_MOD", "EV_ADD"))]
    #[inline]
    pub fn reregister<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        source.reregister(self, token, interests)
    }

    /// Ends the registration of `source`. After this, no later `poll` reports it.
    ///
    /// An event that a `poll` has brought already stays in its `Events`.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the source is not registered here.
    #[doc(alias("epoll_ctl", "EPOLL_CTL_DEL", "EV_DELETE"))]
    #[inline]
    pub fn deregister<S>(&self, source: &mut S) -> io::Result<()>
    where
        S: Source + ?Sized,
    {
        source.deregister(self)
    }

    /// Another registry of the same poll. It may outlive the poll; what it registers then is never reported.
    ///
    /// # Errors
    ///
    /// None: it takes no descriptor. The result is mio's.
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

    /// The selector, for somebody who is going to wait for its descriptor elsewhere, where there is one.
    #[allow(dead_code)]
    pub(crate) fn watched(&self) -> &Selector {
        // A kick that fails is one that does not show; the next wake tries its own.
        let _not_kicked = self.shared.wait.watch(|| self.shared.notifier.notify());
        &self.shared.selector
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
