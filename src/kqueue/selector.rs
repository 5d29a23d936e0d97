//! The selector: one kqueue.

use std::cmp;
use std::io;
use std::os::raw::c_int;
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use super::event::{flags, RawEvents};
use super::ffi::{self, count_t, filter_t, flags_t, kevent, time_t, timespec};
use super::pairs::Pairs;
use crate::event::{Event, Token};
use crate::unix::socket::close_on_exec;
use crate::Interest;

/// What this queue keeps inside a source: nothing, the kernel remembers everything.
#[derive(Debug, Default)]
pub(crate) struct SourceState {}

impl SourceState {
    /// Whether [`rearm`](SourceState::rearm) does anything.
    pub const NEEDS_REARM: bool = false;

    /// Looks for the next edge of a direction that the program has just used. The kernel does it by itself.
    #[inline]
    pub fn rearm(&self, _direction: Interest) {}

    /// The program has shut down writing. The kernel has seen it.
    #[inline]
    pub fn write_shut_down(&self) {}
}

pub(crate) struct Selector {
    kqueue: Arc<OwnedFd>,
    /// Holds the address that tells the notifier's event from all others: while it lives, nobody else has it.
    notifier: Box<u8>,
    pairs: Pairs,
}

// Open.

impl Selector {
    pub fn new() -> io::Result<Selector> {
        // SAFETY: `kqueue` takes no pointer.
        let fd = unsafe { ffi::kqueue() };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `kqueue` has just returned `fd`, and nothing else knows it yet.
        let kqueue = unsafe { OwnedFd::from_raw_fd(fd) };
        // A child of `fork` has no kqueue; another program in this one's place would have it.
        close_on_exec(&kqueue)?;
        Ok(Selector { kqueue: Arc::new(kqueue), notifier: Box::new(0), pairs: Pairs::new() })
    }

    pub(super) fn kqueue(&self) -> &Arc<OwnedFd> {
        &self.kqueue
    }

    /// The data of the notifier's knote.
    #[inline]
    pub(super) fn notifier_data(&self) -> usize {
        ptr::addr_of!(*self.notifier) as usize
    }

    /// Puts in what a [`Notifier`](super::Notifier) interrupts the wait with: this descriptor, or a user event. Edge:
    /// it need never be taken back.
    pub(super) fn register_notifier(&self, fd: Option<RawFd>) -> io::Result<()> {
        let (ident, filter) = match fd {
            Some(fd) => (fd as usize, ffi::EVFILT_READ),
            None => (USER_EVENT, ffi::EVFILT_USER),
        };
        let mut change = [kevent::new(ident, filter, ffi::EV_ADD | ffi::EV_CLEAR, self.notifier_data())];
        self.change(&mut change)?;
        answer(&change[0])
    }
}

/// The only user event of a kqueue.
const USER_EVENT: usize = 0;

/// Sets off the user event. Its data has to be said again, as with every change of a knote.
pub(super) fn trigger(kqueue: &OwnedFd, data: usize) -> io::Result<()> {
    // Without `EV_ADD`: with it, NetBSD 11 does nothing.
    let change = kevent { fflags: ffi::NOTE_TRIGGER, ..kevent::new(USER_EVENT, ffi::EVFILT_USER, 0, data) };
    // SAFETY: one change is there to be read, and no room for an answer is promised; `change` outlives the call.
    match unsafe { ffi::kevent(kqueue.as_raw_fd(), &change, 1, ptr::null_mut(), 0, ptr::null()) } {
        0.. => Ok(()),
        _ => done_if_interrupted(io::Error::last_os_error()),
    }
}

/// Changes have been made before a call that is to wait can be interrupted.
fn done_if_interrupted(err: io::Error) -> io::Result<()> {
    match err.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        _ => Err(err),
    }
}

// Register, change, forget.

impl kevent {
    pub(super) const fn new(ident: usize, filter: filter_t, flags: flags_t, udata: usize) -> kevent {
        kevent {
            ident,
            filter,
            flags,
            fflags: 0,
            data: 0,
            udata,
            #[cfg(target_os = "freebsd")]
            ext: [0; 4],
        }
    }
}

impl Selector {
    pub fn register(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.pairs.arm(fd, token, interest, || self.put(fd, token, interest).map(drop))
    }

    pub fn reregister(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.pairs.arm(fd, token, interest, || match self.put(fd, token, interest)? {
            true => Ok(()),
            false => {
                self.remove(fd)?;
                Err(io::Error::from_raw_os_error(ffi::ENOENT))
            }
        })
    }

    pub fn deregister(&self, _: &mut SourceState, fd: RawFd) -> io::Result<()> {
        self.pairs.forget(fd);
        match self.remove(fd)? {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(ffi::ENOENT)),
        }
    }

    /// Adds a knote for each direction that is wanted, in place of whatever there is. True if there was any.
    fn put(&self, fd: RawFd, token: Token, interest: Interest) -> io::Result<bool> {
        let add = |filter| kevent::new(fd as usize, filter, ffi::EV_ADD | flags(interest), token.0);
        let (read, write) = (add(ffi::EVFILT_READ), add(ffi::EVFILT_WRITE));
        let mut changes = [delete(fd, ffi::EVFILT_READ), delete(fd, ffi::EVFILT_WRITE), read, write];
        // What is wanted stands behind the deletions, without a gap.
        let changes = match (interest.is_readable(), interest.is_writable()) {
            (true, true) => &mut changes[..],
            (true, false) => &mut changes[..3],
            (false, true) => {
                changes[2] = write;
                &mut changes[..3]
            }
            // Asynchronous I/O is no matter of a descriptor's.
            (false, false) => &mut changes[..2],
        };
        self.change(changes)?;
        let was_there = was_there(&changes[..2])?;
        for change in &changes[2..] {
            match answer(change) {
                // It is not told of; the next write will tell. (A descriptor that is closed was noticed just before.)
                Err(err) if err.raw_os_error() == Some(ffi::READER_IS_GONE) => {}
                Err(err) => {
                    // All or nothing. What can't be removed is not there.
                    let _not_there = self.remove(fd);
                    return Err(err);
                }
                Ok(()) => {}
            }
        }
        Ok(was_there)
    }

    /// Deletes what there is. True if there was any.
    fn remove(&self, fd: RawFd) -> io::Result<bool> {
        let mut changes = [delete(fd, ffi::EVFILT_READ), delete(fd, ffi::EVFILT_WRITE)];
        self.change(&mut changes)?;
        was_there(&changes)
    }

    /// Enables both directions again, as far as they are there.
    fn enable(&self, fd: RawFd, token: Token) -> io::Result<()> {
        let enable = |filter| kevent::new(fd as usize, filter, ffi::EV_ENABLE, token.0);
        self.change(&mut [ffi::EVFILT_READ, ffi::EVFILT_WRITE].map(enable))
    }

    /// Makes changes, in one call, and puts the answer to each in its place.
    fn change(&self, changes: &mut [kevent]) -> io::Result<()> {
        for change in changes.iter_mut() {
            change.flags |= ffi::EV_RECEIPT;
        }
        let (list, count) = (changes.as_mut_ptr(), changes.len() as count_t);
        let at_once = timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `list` has `count` changes to be read, and room for as many answers, which may stand in the same
        // place; it and `at_once` outlive the call.
        match unsafe { ffi::kevent(self.kqueue.as_raw_fd(), list, count, list, count, &at_once) } {
            0.. => Ok(()),
            _ => done_if_interrupted(io::Error::last_os_error()),
        }
    }
}

fn delete(fd: RawFd, filter: filter_t) -> kevent {
    kevent::new(fd as usize, filter, ffi::EV_DELETE, 0)
}

/// What the kernel says of a change.
fn answer(change: &kevent) -> io::Result<()> {
    match (change.flags & ffi::EV_ERROR, change.data as c_int) {
        // Without the flag, the call was interrupted before it could answer, but not before it could change.
        (0, _) | (_, 0) => Ok(()),
        (_, errno) => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Whether there was something to delete.
fn was_there(deleted: &[kevent]) -> io::Result<bool> {
    let mut any = false;
    for change in deleted {
        match answer(change) {
            Ok(()) => any = true,
            Err(err) if err.raw_os_error() == Some(ffi::ENOENT) => {}
            Err(err) => return Err(err),
        }
    }
    Ok(any)
}

// Wait.

/// In seconds. Some systems can't count further, and macOS refuses more than a hundred times this. A wait that ends
/// before its time is begun again.
const LONGEST: u64 = 1_000_000;

impl Selector {
    /// Keeps the first `kept` events, and puts what is ready behind them, as far as there is room. If nothing is, it
    /// waits for `timeout` (`None`: as long as it takes). True: the notifier was kicked; its own event is not among the
    /// events.
    #[inline(always)]
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        let notifier = self.notifier_data();
        let list = &mut events.list;
        list.truncate(kept);
        let kept = list.len();
        let room = list.capacity() - kept;
        if room == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut time = timeout.map(|timeout| timespec {
            tv_sec: cmp::min(timeout.as_secs(), LONGEST) as time_t,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        loop {
            let wait = self.pairs.begin_wait();
            // SAFETY: `kept` events are there, so this is within the list's own memory.
            let place = unsafe { list.as_mut_ptr().add(kept) }.cast::<kevent>();
            let count = self.kevent(place, room as count_t, time.as_ref());
            if count <= 0 {
                return if count == 0 { Ok(false) } else { Err(io::Error::last_os_error()) };
            }
            // SAFETY: the kernel has just initialised `count` events behind those that were kept, and that is at most
            // `room`.
            unsafe { list.set_len(kept + count as usize) };

            let is_notifier = |event: &Event| event.0.udata == notifier;
            let kicked = list[kept..].iter().any(is_notifier);
            if kicked {
                take_out(list, notifier);
            }
            let silenced = self.pairs.take_out(list, kept, wait, |fd, token| self.enable(fd, token));
            // What was silenced may have stood in front of something else, which is looked at without waiting. Whoever
            // waits for longer comes again by himself, with what is left of his time.
            if kicked || !silenced || list.len() > kept {
                return Ok(kicked);
            }
            time = Some(timespec { tv_sec: 0, tv_nsec: 0 });
        }
    }

    #[inline]
    fn kevent(&self, events: *mut kevent, room: count_t, timeout: Option<&timespec>) -> c_int {
        let timeout: *const timespec = timeout.map_or(ptr::null(), |timeout| timeout);
        // SAFETY: `wait` passes a buffer with place for `room` events, which is its own until it returns, and a timeout
        // that outlives the call; there are no changes.
        unsafe { ffi::kevent(self.kqueue.as_raw_fd(), ptr::null(), 0, events, room, timeout) }
    }
}

#[cold]
#[inline(never)]
fn take_out(list: &mut Vec<Event>, notifier: usize) {
    list.retain(|event| event.0.udata != notifier);
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kqueue.as_fd()
    }
}
