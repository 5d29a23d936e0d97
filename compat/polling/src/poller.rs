//! `Poller`, which waits for events.

use std::fmt;
use std::io;
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

use minimio::{Poll, Registry, Token, Waker};

use crate::queue::Sources;
use crate::source::{AsRawSource, AsSource, Raw};
use crate::{Event, Events, PollMode};

/// The token of notifications, which no source has.
pub(crate) const NOTIFICATION: Token = Token(usize::MAX);

/// Waits for events of many sources. All methods take `&self`, and any thread may call them at any time.
///
/// ```
/// use polling::{Event, Events, Poller};
/// use std::io::Write;
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
/// let (poller, mut events) = (Poller::new()?, Events::new());
///
/// // SAFETY: `server` is deleted from the poller below, before it is dropped.
/// unsafe { poller.add(&server, Event::readable(7))? };
/// client.write_all(b"hello")?;
/// poller.wait(&mut events, None)?;
/// assert_eq!(events.iter().next().map(|event| event.key), Some(7));
///
/// // The default mode is `Oneshot`, so only `modify` makes the poller report the source again.
/// poller.modify(&server, Event::readable(7))?;
/// poller.delete(&server)?;
/// # Ok(())
/// # }
/// ```
pub struct Poller {
    /// The lock is held during a wait.
    poll: Mutex<Poll>,
    pub(crate) registry: Registry,
    waker: Waker,
    pub(crate) sources: Sources,
}

impl Poller {
    /// Creates a poller without any source.
    ///
    /// # Errors
    ///
    /// The system's error, above all when the process or the machine has no descriptors or handles left.
    pub fn new() -> io::Result<Poller> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, NOTIFICATION)?;
        let sources = Sources::new(&registry)?;
        Ok(Poller { poll: Mutex::new(poll), registry, waker, sources })
    }

    /// Returns whether [`PollMode::Level`] is supported: true on every system.
    pub fn supports_level(&self) -> bool {
        true
    }

    /// Returns whether [`PollMode::Edge`] and [`PollMode::EdgeOneshot`] are supported: true except on Windows.
    pub fn supports_edge(&self) -> bool {
        Sources::SUPPORTS_EDGE
    }

    /// Adds a source in the mode [`PollMode::Oneshot`].
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the source was added before.
    /// - `InvalidInput`: the key is `usize::MAX`.
    /// - Otherwise the system's error.
    ///
    /// # Safety
    ///
    /// The program passes the source to [`delete`](Poller::delete) before the source is dropped.
    #[allow(unsafe_code)]
    pub unsafe fn add(&self, source: impl AsRawSource, interest: Event) -> io::Result<()> {
        self.add_raw(source.raw(), interest, PollMode::Oneshot)
    }

    /// Adds a source in any mode.
    ///
    /// # Errors
    ///
    /// As for [`add`](Poller::add), and `InvalidInput` if the system does not support the mode.
    ///
    /// # Safety
    ///
    /// As for [`add`](Poller::add).
    #[allow(unsafe_code)]
    pub unsafe fn add_with_mode(&self, source: impl AsRawSource, interest: Event, mode: PollMode) -> io::Result<()> {
        self.add_raw(source.raw(), interest, mode)
    }

    /// Safe, because minimio checks the descriptor or socket. That the source is deleted before it is dropped is a
    /// promise to programs that use the number again.
    fn add_raw(&self, source: Raw, interest: Event, mode: PollMode) -> io::Result<()> {
        check(&interest, mode)?;
        self.sources.add(&self.registry, source, interest, mode)
    }

    /// Replaces the interest of a source, and sets the mode to [`PollMode::Oneshot`]. If the source is ready, the next
    /// wait reports it.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the source was not added.
    /// - `InvalidInput`: the key is `usize::MAX`.
    /// - Otherwise the system's error.
    pub fn modify(&self, source: impl AsSource, interest: Event) -> io::Result<()> {
        self.modify_with_mode(source, interest, PollMode::Oneshot)
    }

    /// Replaces the interest and the mode of a source. If the source is ready, the next wait reports it.
    ///
    /// # Errors
    ///
    /// As for [`modify`](Poller::modify), and `InvalidInput` if the system does not support the mode.
    pub fn modify_with_mode(&self, source: impl AsSource, interest: Event, mode: PollMode) -> io::Result<()> {
        check(&interest, mode)?;
        self.sources.modify(&self.registry, crate::source::raw(&source), interest, mode)
    }

    /// Ends the reports of a source. No later wait reports it.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the source was not added (not on Windows, where this is no error).
    /// - Otherwise the system's error.
    pub fn delete(&self, source: impl AsSource) -> io::Result<()> {
        self.sources.delete(&self.registry, crate::source::raw(&source))
    }

    /// Waits until there is an event, [`notify`](Poller::notify) is called, or `timeout` has passed (`None`: without a
    /// limit). Appends the events to `events`, and returns how many events `events` then contains.
    ///
    /// Only one thread waits at a time. If another thread is waiting, this returns immediately and appends nothing.
    /// A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        // No deadline is needed if a wait that starts again has the same timeout.
        let deadline = match timeout {
            None | Some(Duration::ZERO) => None,
            // If an `Instant` cannot represent the deadline, there is no limit.
            Some(timeout) => match Instant::now().checked_add(timeout) {
                None => return self.wait_for(events, None, None),
                deadline => deadline,
            },
        };
        self.wait_for(events, timeout, deadline)
    }

    /// Waits as [`wait`](Poller::wait) does, with a deadline instead of a timeout.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn wait_deadline(&self, events: &mut Events, deadline: Instant) -> io::Result<usize> {
        self.wait_for(events, Some(deadline.saturating_duration_since(Instant::now())), Some(deadline))
    }

    fn wait_for(
        &self,
        events: &mut Events,
        mut timeout: Option<Duration>,
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        let mut poll = match self.poll.try_lock() {
            Ok(poll) => poll,
            // A thread has panicked during a wait. The poll remains usable.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(0),
        };
        let batch = events.next_batch();
        loop {
            match self.sources.wait(&mut poll, batch, timeout) {
                Ok(true) => return Ok(events.len()),
                // Every event of this batch was filtered out.
                Ok(false) => {}
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
            if let Some(deadline) = deadline {
                timeout = Some(deadline.saturating_duration_since(Instant::now()));
            }
        }
    }

    /// Makes the wait in progress, or else the next one, return. A notification is not an event. Several notifications
    /// before that return are one.
    ///
    /// # Errors
    ///
    /// No case is known.
    ///
    /// ```
    /// use polling::{Events, Poller};
    ///
    /// let (poller, mut events) = (Poller::new()?, Events::new());
    /// poller.notify()?;
    /// assert_eq!(poller.wait(&mut events, None)?, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn notify(&self) -> io::Result<()> {
        self.waker.wake()
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").finish_non_exhaustive()
    }
}

/// Returns an error if the key is reserved or the system does not support the mode.
pub(crate) fn check(interest: &Event, mode: PollMode) -> io::Result<()> {
    let reason = if interest.key == NOTIFICATION.0 {
        "cannot use `usize::MAX` as a key: it is reserved"
    } else if !Sources::SUPPORTS_EDGE && matches!(mode, PollMode::Edge | PollMode::EdgeOneshot) {
        "cannot use an edge mode on this system"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}
