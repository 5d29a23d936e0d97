//! The selector: one epoll instance.

use std::cmp;
use std::io;
use std::os::raw::{c_int, c_long};
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::event::{flags, RawEvents};
use super::ffi::{self, epoll_event};
use crate::event::{Event, Token};
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
    epoll: OwnedFd,
    /// Holds the address that tells the notifier's event from all others: while it lives, nobody else has it.
    notifier: Box<u8>,
}

// Open.

impl Selector {
    pub fn new() -> io::Result<Selector> {
        // SAFETY: `epoll_create1` takes no pointer.
        let fd = unsafe { ffi::epoll_create1(ffi::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `epoll_create1` has just returned `fd`, and nothing else knows it yet.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Selector { epoll, notifier: Box::new(0) })
    }

    /// The data of the notifier's entry.
    #[inline]
    fn notifier_data(&self) -> u64 {
        ptr::addr_of!(*self.notifier) as usize as u64
    }

    /// Puts in the descriptor with which a [`Notifier`](super::Notifier) interrupts the wait. Edge: it need never be
    /// read.
    pub(super) fn register_notifier(&self, fd: RawFd) -> io::Result<()> {
        self.control(ffi::EPOLL_CTL_ADD, fd, ffi::EPOLLIN | ffi::EPOLLET, self.notifier_data())
    }
}

// Register, change, forget.

impl Selector {
    #[inline]
    pub fn register(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.control(ffi::EPOLL_CTL_ADD, fd, flags(interest), token.0 as u64)
    }

    #[inline]
    pub fn reregister(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.control(ffi::EPOLL_CTL_MOD, fd, flags(interest), token.0 as u64)
    }

    #[inline]
    pub fn deregister(&self, _: &mut SourceState, fd: RawFd) -> io::Result<()> {
        self.control(ffi::EPOLL_CTL_DEL, fd, 0, 0)
    }

    #[inline]
    fn control(&self, op: c_int, fd: RawFd, events: u32, data: u64) -> io::Result<()> {
        let mut event = epoll_event { events, data };
        // SAFETY: `event` outlives the call, which only reads it; the kernel checks both descriptors.
        match unsafe { ffi::epoll_ctl(self.epoll.as_raw_fd(), op, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

// Wait.

/// Whether `epoll_pwait2` can't be had: the kernel is older than 5.11, or a sandbox or emulator does not know the call.
static WITHOUT_NANOSECONDS: AtomicBool = AtomicBool::new(!ffi::MAY_TRY_PWAIT2);

impl Selector {
    /// Keeps the first `kept` events, and puts what is ready behind them, as far as there is room. If nothing is, it
    /// waits for `timeout` (`None`: as long as it takes). True: the notifier was kicked; its own event is not among the
    /// events.
    #[inline(always)]
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        let notifier = self.notifier_data();
        let list = &mut events.list;
        let kept = cmp::min(kept, list.len());
        let room = (list.capacity() - kept) as c_int;
        // SAFETY: `kept` events are there, so this is within the list's own memory.
        let place = unsafe { list.as_mut_ptr().add(kept) }.cast::<epoll_event>();
        let count = match timeout {
            Some(Duration::ZERO) => self.epoll_wait(place, room, 0),
            Some(timeout) => self.sleep(place, room, timeout),
            None => self.epoll_wait(place, room, -1),
        };
        if count <= 0 {
            list.truncate(kept);
            return if count == 0 { Ok(false) } else { Err(io::Error::last_os_error()) };
        }
        // SAFETY: the kernel has just initialised `count` events behind those that were kept, and that is at most
        // `room`.
        unsafe { list.set_len(kept + count as usize) };

        let is_notifier = |event: &Event| event.0.data == notifier;
        let kicked = match &list[kept..] {
            [event] => is_notifier(event),
            // Four at a time, since this is all that a large batch costs.
            many => {
                let mut fours = many.chunks_exact(4);
                fours.any(|four| four.iter().any(is_notifier)) || fours.remainder().iter().any(is_notifier)
            }
        };
        if kicked {
            take_out(list, notifier);
        }
        Ok(kicked)
    }

    #[inline]
    fn epoll_wait(&self, events: *mut epoll_event, room: c_int, milliseconds: c_int) -> c_int {
        // SAFETY: `wait` passes a buffer with place for `room` events, which is its own until it returns.
        unsafe { ffi::epoll_wait(self.epoll.as_raw_fd(), events, room, milliseconds) }
    }

    /// Waits for a while: to the nanosecond, or in milliseconds, rounded up, where the kernel can't.
    #[inline(never)]
    fn sleep(&self, events: *mut epoll_event, room: c_int, timeout: Duration) -> c_int {
        let precise = !WITHOUT_NANOSECONDS.load(Ordering::Relaxed);
        if precise {
            let count = self.epoll_pwait2(events, room, timeout);
            // The caller looks at `errno` too.
            if count >= 0 || io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                return count;
            }
        }
        let milliseconds = (timeout.as_nanos() + 999_999) / 1_000_000;
        let count = self.epoll_wait(events, room, cmp::min(milliseconds, c_int::MAX as u128) as c_int);
        // ENOSYS, EPERM or ENOTSUP was the answer, then: the older call has none of our arguments to complain of.
        if precise && count >= 0 {
            WITHOUT_NANOSECONDS.store(true, Ordering::Relaxed);
        }
        count
    }

    fn epoll_pwait2(&self, events: *mut epoll_event, room: c_int, timeout: Duration) -> c_int {
        let timeout = ffi::__kernel_timespec {
            // It fits: the end of the wait is an `Instant`, which counts no further.
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let no_signals: *const u8 = ptr::null();
        // SAFETY: `wait` passes a buffer with place for `room` events, which is its own until it returns; `timeout`
        // outlives the call; a null signal mask is none. Integers are passed as `long`, as the system call wants them.
        let count = unsafe {
            ffi::syscall(
                ffi::SYS_epoll_pwait2,
                c_long::from(self.epoll.as_raw_fd()),
                events,
                c_long::from(room),
                &timeout as *const ffi::__kernel_timespec,
                no_signals,
                0 as c_long,
            )
        };
        count as c_int
    }
}

#[cold]
#[inline(never)]
fn take_out(list: &mut Vec<Event>, notifier: u64) {
    list.retain(|event| event.0.data != notifier);
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
