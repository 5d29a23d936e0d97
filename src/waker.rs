//! `Waker`: wakes a poll from another thread.

use std::fmt;
use std::io;

use crate::event::Token;
use crate::wakers::WakerSlot;
use crate::wakers_and_timers::PollHandle;
use crate::Registry;

/// A handle with which any thread makes a [`Poll`](crate::Poll) return with an event, which has the waker's token.
///
/// A wake is never lost: the `poll` in progress, or else the next `poll`, reports a readable event with the waker's
/// token. If the event list is full, a later `poll` reports it. Several wakes before that report cause one event. The
/// thread that receives the event sees everything that the waking threads did before `wake`. A `Poll` can have any
/// number of wakers, each with a token of its own.
///
/// While the polling thread is not blocked, `wake` makes one or two atomic read-modify-write operations, and about five
/// if other wakers are woken at the same time. It makes no system call, unless the program has taken the poll's
/// descriptor ([`Poll`'s `AsRawFd`](crate::Poll#nested-in-another-event-loop)). `wake` takes no lock and allocates
/// nothing, so a signal handler may call it. Waking a dropped `Poll` does nothing.
///
/// Dropping a waker discards its event if no `poll` has reported it yet. The cost of creating, waking, reporting and
/// dropping a waker is the same for ten and for 100,000 wakers.
///
/// | | Linux, Android | macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|---|
/// | `wake` ends a blocked `poll` by | an [eventfd], one per `Poll` | a user event ([`EVFILT_USER`]) of the kqueue, or a pipe | a [posted] completion packet |
///
/// # Examples
///
/// ```
/// use minimio::{Events, Poll, Token, Waker};
/// use std::sync::Arc;
/// use std::thread;
///
/// const DONE: Token = Token(7);
///
/// # fn main() -> std::io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let waker = Arc::new(Waker::new(poll.registry(), DONE)?);
///
/// let worker = thread::spawn({
///     let waker = Arc::clone(&waker);
///     move || waker.wake()
/// });
/// poll.poll(&mut events, None)?;
/// assert_eq!(events.iter().next().map(|event| event.token()), Some(DONE));
/// worker.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
///
/// [eventfd]: https://man7.org/linux/man-pages/man2/eventfd.2.html
/// [`EVFILT_USER`]: https://man.freebsd.org/cgi/man.cgi?query=kevent
/// [posted]: https://learn.microsoft.com/windows/win32/fileio/postqueuedcompletionstatus
pub struct Waker {
    poll: PollHandle,
    slot: WakerSlot,
}

impl Waker {
    /// Creates a waker of the registry's `Poll`. The events of the waker carry `token`.
    ///
    /// # Errors
    ///
    /// The system's error if this is the first waker or timer of the poll, which [opens](crate::Poll::new) a descriptor
    /// on most systems, and no descriptor or memory is left. Later wakers need none.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Poll, Token, Waker};
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let _stop = Waker::new(poll.registry(), Token(0))?;
    /// let work = Waker::new(poll.registry(), Token(1))?;
    /// work.wake()?;
    /// poll.poll(&mut events, None)?;
    /// assert!(events.iter().all(|event| event.token() == Token(1)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        let poll = registry.shared.handle()?;
        let slot = poll.state.wakers.add(token);
        Ok(Waker { poll, slot })
    }

    /// Makes the `poll` in progress, or else the next one, return with this waker's event.
    ///
    /// # Errors
    ///
    /// The error of the system call that ends a blocked `poll`; no case is known. The waker stays pending: the polling
    /// thread reports it after the next wake, or when its wait ends for another reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::{Events, Poll, Token, Waker};
    ///
    /// let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    /// let waker = Waker::new(poll.registry(), Token(0))?;
    /// waker.wake()?;
    /// waker.wake()?;
    /// poll.poll(&mut events, None)?;
    /// assert_eq!(events.len(), 1); // One event for both wakes.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn wake(&self) -> io::Result<()> {
        self.poll.wake(&self.slot)
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.poll.remove_waker(&self.slot);
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").field("token", &self.slot.token()).finish()
    }
}
