//! The selector: one epoll instance.

use std::cmp;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io;
use std::os::raw::{c_int, c_long};
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::event::{flags, RawEvents};
use super::ffi::{self, epoll_event};
use super::SourceState;
use crate::event::Token;
use crate::Interest;

pub(crate) struct Selector {
    epoll: OwnedFd,
    /// The data of the notifier's registration.
    notifier_data: u64,
}

/// A bit of the notifier's data. Few tokens have it. If no event of a batch has it, the batch does not contain the
/// notifier's event.
const NOTIFIER_BIT: u64 = 1 << 63;

// Open.

impl Selector {
    pub fn new() -> io::Result<Selector> {
        // SAFETY: `epoll_create1` takes no pointer.
        let fd = unsafe { ffi::epoll_create1(ffi::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `epoll_create1` has just returned `fd`, and no other code owns it yet.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        // A program may choose any token, also the address of memory that it has freed and that this crate may use
        // next. So the notifier's data must not be an address. The data is the hash of an address: a program can choose
        // this number only by chance. No small number, no token of a 32-bit program, and no address (except on Android,
        // where addresses may be tagged, and on sparc64) has the `NOTIFIER_BIT`.
        let mut hasher = DefaultHasher::new();
        ptr::hash(&epoll, &mut hasher);
        Ok(Selector { epoll, notifier_data: hasher.finish() | NOTIFIER_BIT })
    }

    /// Registers the descriptor of the [`Notifier`](super::Notifier), edge-triggered.
    pub(super) fn register_notifier(&self, fd: RawFd) -> io::Result<()> {
        self.epoll_ctl(ffi::EPOLL_CTL_ADD, fd, ffi::EPOLLIN | ffi::EPOLLET, self.notifier_data)
    }
}

// Register, reregister, deregister.

impl Selector {
    #[inline]
    pub fn register(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.epoll_ctl(ffi::EPOLL_CTL_ADD, fd, flags(interest), token.0 as u64)
    }

    #[inline]
    pub fn reregister(&self, _: &mut SourceState, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.epoll_ctl(ffi::EPOLL_CTL_MOD, fd, flags(interest), token.0 as u64)
    }

    #[inline]
    pub fn deregister(&self, _: &mut SourceState, fd: RawFd) -> io::Result<()> {
        self.epoll_ctl(ffi::EPOLL_CTL_DEL, fd, 0, 0)
    }

    #[inline]
    fn epoll_ctl(&self, op: c_int, fd: RawFd, events: u32, data: u64) -> io::Result<()> {
        let mut event = epoll_event { events, data };
        // SAFETY: `event` outlives the call, which only reads it. The kernel checks both descriptors.
        match unsafe { ffi::epoll_ctl(self.epoll.as_raw_fd(), op, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

// Wait.

/// Whether `epoll_pwait2` is unavailable, because the kernel is older than 5.11, because a sandbox or an emulator
/// rejects the call, or because the call must not be tried ([`ffi::TRY_PWAIT2`]).
static PWAIT2_UNAVAILABLE: AtomicBool = AtomicBool::new(!ffi::TRY_PWAIT2);

impl Selector {
    /// Keeps the first `kept` events and appends ready events, up to the list's capacity. If no event is ready, waits
    /// for one, for at most `timeout` (`None`: without a limit). Returns whether the notifier's event arrived; that
    /// event is not in the list.
    #[inline(always)]
    pub fn wait(&self, events: &mut RawEvents, kept: usize, timeout: Option<Duration>) -> io::Result<bool> {
        let list = &mut events.list;
        let kept = cmp::min(kept, list.len());
        let slots = (list.capacity() - kept) as c_int;
        // SAFETY: the list has `kept` events, so the result is within its allocation.
        let buffer = unsafe { list.as_mut_ptr().add(kept) }.cast::<epoll_event>();
        // With 0 slots, `epoll_wait` fails with `EINVAL`.
        let count = match timeout {
            Some(Duration::ZERO) => self.epoll_wait(buffer, slots, 0),
            Some(timeout) => self.wait_for(buffer, slots, timeout),
            None => self.epoll_wait(buffer, slots, -1),
        };
        if count <= 0 {
            list.truncate(kept);
            return if count == 0 { Ok(false) } else { Err(io::Error::last_os_error()) };
        }
        // SAFETY: the kernel has initialised `count` events behind the kept ones, and `count` is at most `slots`.
        unsafe { list.set_len(kept + count as usize) };

        match &list[kept..] {
            [event] if event.0.data & NOTIFIER_BIT == 0 => Ok(false),
            _ => Ok(self.remove_notifier_event(events, kept)),
        }
    }

    /// Removes the notifier's event, and returns whether it was in the list. If it took the only slot, the event of a
    /// ready source may be queued behind it, so this waits again, without blocking.
    #[inline(never)]
    fn remove_notifier_event(&self, events: &mut RawEvents, kept: usize) -> bool {
        if events.list[kept..].iter().fold(0, |all, event| all | event.0.data) & NOTIFIER_BIT == 0 {
            return false;
        }
        let len = events.list.len();
        events.list.retain(|event| event.0.data != self.notifier_data);
        if events.list.len() == len {
            return false;
        }
        if events.list.len() == kept && events.list.capacity() == kept + 1 {
            // The notification must not be lost, so an error of this wait is ignored. If the error persists, the next
            // wait returns it.
            let _next_wait_fails = self.wait(events, kept, Some(Duration::ZERO));
        }
        true
    }

    #[inline]
    fn epoll_wait(&self, events: *mut epoll_event, slots: c_int, milliseconds: c_int) -> c_int {
        // SAFETY: `wait` passes a buffer with room for `slots` events, which only this call uses until it returns.
        unsafe { ffi::epoll_wait(self.epoll.as_raw_fd(), events, slots, milliseconds) }
    }

    /// Waits with a timeout: with `epoll_wait` if the timeout is in whole milliseconds, and otherwise with
    /// `epoll_pwait2` or, if that is unavailable, with `epoll_wait`, rounded up. Returns the number of events, or -1
    /// with `errno` set.
    #[inline(never)]
    fn wait_for(&self, events: *mut epoll_event, slots: c_int, timeout: Duration) -> c_int {
        let rounded_up = u64::from((timeout.subsec_nanos() + 999_999) / 1_000_000);
        let milliseconds = timeout.as_secs().saturating_mul(1_000).saturating_add(rounded_up);
        let is_exact = timeout.subsec_nanos() % 1_000_000 == 0 && milliseconds <= c_int::MAX as u64;
        let try_pwait2 = !is_exact && !PWAIT2_UNAVAILABLE.load(Ordering::Relaxed);
        if try_pwait2 {
            let count = self.epoll_pwait2(events, slots, timeout);
            // After a signal, `wait` reads the same `errno` again.
            if count >= 0 || io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                return count;
            }
        }
        let count = self.epoll_wait(events, slots, cmp::min(milliseconds, c_int::MAX as u64) as c_int);
        // `epoll_wait` has just accepted the same arguments, so `epoll_pwait2` failed because it is unavailable
        // (ENOSYS, EPERM or ENOTSUP).
        if try_pwait2 && count >= 0 {
            PWAIT2_UNAVAILABLE.store(true, Ordering::Relaxed);
        }
        count
    }

    fn epoll_pwait2(&self, events: *mut epoll_event, slots: c_int, timeout: Duration) -> c_int {
        let timeout = ffi::__kernel_timespec {
            // The seconds fit into 64 signed bits: the callers in `poll.rs` and `shared.rs` compute the timeout from
            // deadlines, which are `Instant`s and have this limit too.
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let sigmask: *const u8 = ptr::null();
        // SAFETY: `wait` passes a buffer with room for `slots` events, which only this call uses until it returns.
        // `timeout` outlives the call. With a null pointer, the call does not change the signal mask. The system call
        // takes integers as `long`.
        let count = unsafe {
            ffi::syscall(
                ffi::SYS_epoll_pwait2,
                c_long::from(self.epoll.as_raw_fd()),
                events,
                c_long::from(slots),
                &timeout as *const ffi::__kernel_timespec,
                sigmask,
                0 as c_long,
            )
        };
        count as c_int
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
