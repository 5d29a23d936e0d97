//! Waking a poll from another thread.

use std::fmt;
use std::io;

use crate::event::{Event, Token};
use crate::poll::Shared;
use crate::queue::RawEvent;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{lock, Arc, Mutex};
use crate::Registry;

/// Ends the wait of a [`Poll`](crate::Poll) from any thread, with an event of its own.
///
/// A wake is never lost: the `poll` that is under way, or else the next one, reports a readable event with the waker's
/// token. Wakes that come before it are one event. What a thread does before `wake` is seen by the thread that
/// finds the event. There may be any number of wakers to a `Poll`, each with its token.
///
/// While the poller is not blocked, `wake` is two atomic operations and no system call, unless the poll's descriptor
/// was asked for ([`Poll`'s `AsRawFd`](crate::Poll#nested-in-another-event-loop)). It takes no lock and allocates
/// nothing, so a signal handler may call it. Waking a dropped `Poll` does nothing.
///
/// Dropping a waker discards an event that has not been reported.
///
/// | | Linux, Android | macOS and its kin, BSDs | Windows |
/// |---|---|---|---|
/// | the poller is interrupted through | one [eventfd] a `Poll`, whatever the number of wakers | a user event (`EVFILT_USER`) of its kqueue, or a pipe | a packet that is [posted] to its completion port |
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
/// [posted]: https://learn.microsoft.com/windows/win32/fileio/postqueuedcompletionstatus
pub struct Waker {
    shared: Arc<Shared>,
    flag: Arc<Flag>,
}

impl Waker {
    /// A waker of the registry's `Poll`, whose events bear `token`.
    ///
    /// # Errors
    ///
    /// None today; a system may need more for it one day.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        let flag = Arc::new(Flag { pending: AtomicBool::new(false), token });
        registry.shared.wakers.add(Arc::clone(&flag));
        Ok(Waker { shared: Arc::clone(&registry.shared), flag })
    }

    /// Makes the `poll` that is under way, or the next one, return with this waker's event.
    ///
    /// # Errors
    ///
    /// Those of the system call that ends the wait (none is known to happen). The wake is then taken back as far as it
    /// can be: it comes with the next wake, or with whatever else ends the wait.
    #[inline]
    pub fn wake(&self) -> io::Result<()> {
        // Always a read-modify-write, so that what this thread did before reaches whoever takes the flag, however many
        // others raise it as well.
        self.flag.pending.swap(true, Ordering::AcqRel);
        self.shared.notify()
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.shared.wakers.remove(&self.flag);
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").field("token", &self.flag.token).finish()
    }
}

struct Flag {
    pending: AtomicBool,
    token: Token,
}

/// The wakers of a poll.
pub(crate) struct Wakers {
    list: Mutex<Ring>,
}

struct Ring {
    flags: Vec<Arc<Flag>>,
    /// Where to begin: behind the one that was reported last, so that none starves when room is short.
    next: usize,
}

impl Wakers {
    pub fn new() -> Wakers {
        Wakers { list: Mutex::new(Ring { flags: Vec::new(), next: 0 }) }
    }

    fn add(&self, flag: Arc<Flag>) {
        lock(&self.list).flags.push(flag);
    }

    fn remove(&self, flag: &Arc<Flag>) {
        lock(&self.list).flags.retain(|other| !Arc::ptr_eq(other, flag));
    }

    /// Takes the flags that are raised, appending an event for each, at most `room`. True if some had to stay.
    pub fn take(&self, events: &mut Vec<Event>, room: usize) -> bool {
        let mut ring = lock(&self.list);
        let end = events.len() + room;
        let count = ring.flags.len();
        let first = ring.next;
        for at in (first..count).chain(0..first.min(count)) {
            let flag = &ring.flags[at];
            if events.len() == end {
                if flag.pending.load(Ordering::Acquire) {
                    ring.next = at;
                    return true;
                }
            } else if flag.pending.swap(false, Ordering::AcqRel) {
                events.push(Event(RawEvent::readable(flag.token)));
            }
        }
        false
    }
}
