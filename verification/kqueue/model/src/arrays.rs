//! The memory that a program lends to `kevent`. The changes and the place for answers may be the same: a change is
//! read before its answer, or that of a later one, is written.

use std::os::raw::c_int;
use std::time::Duration;

use crate::call::Errno;
use crate::ffi::{self, kevent, timespec};

pub struct Changes {
    next: *const kevent,
    left: usize,
}

impl Changes {
    /// # Safety
    ///
    /// `count` changes can be read at `first` for as long as this lives.
    pub unsafe fn new(first: *const kevent, count: c_int) -> Result<Changes, Errno> {
        let left = usize::try_from(count).map_err(|_| Errno(ffi::EINVAL))?;
        Ok(Changes { next: first, left })
    }
}

impl Iterator for Changes {
    type Item = kevent;

    fn next(&mut self) -> Option<kevent> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: `new` was promised that it is there.
        let change = unsafe { *self.next };
        // SAFETY: this is at most one past the last.
        self.next = unsafe { self.next.add(1) };
        Some(change)
    }
}

pub struct Events {
    first: *mut kevent,
    room: usize,
    count: usize,
}

impl Events {
    /// # Safety
    ///
    /// `room` events can be written at `first` for as long as this lives.
    pub unsafe fn new(first: *mut kevent, room: c_int) -> Result<Events, Errno> {
        let room = usize::try_from(room).map_err(|_| Errno(ffi::EINVAL))?;
        Ok(Events { first, room, count: 0 })
    }

    pub fn room(&self) -> usize {
        self.room - self.count
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// There must be room.
    pub fn push(&mut self, event: kevent) {
        assert!(self.room() > 0, "a full array of events");
        // SAFETY: `new` was promised room for more than `count` events.
        let place = unsafe { self.first.add(self.count) };
        // SAFETY: as above.
        unsafe { *place = event };
        self.count += 1;
    }
}

/// What a program is ready to wait for; `None` is for ever.
///
/// # Safety
///
/// `time` can be read, if it is not null.
pub unsafe fn timeout(time: *const timespec) -> Result<Option<Duration>, Errno> {
    if time.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let time = unsafe { *time };
    match (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(nanoseconds)) if nanoseconds < 1_000_000_000 => Ok(Some(Duration::new(seconds, nanoseconds))),
        _ => Err(Errno(ffi::EINVAL)),
    }
}
