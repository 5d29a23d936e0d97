//! The caller's two arrays of `kevent`. They may be the same memory: each change produces at most one receipt, after
//! the change was read, so no receipt overwrites a change that was not read.

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
    /// `count` changes can be read at `first` for as long as the returned value lives.
    pub unsafe fn new(first: *const kevent, count: c_int) -> Result<Changes, Errno> {
        let left = usize::try_from(count).map_err(|_| Errno(ffi::EINVAL))?;
        Ok(Changes { next: first, left })
    }
}

impl Iterator for Changes {
    type Item = kevent;

    fn next(&mut self) -> Option<kevent> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: the caller of `new` promised `left` readable changes from `next` on, and `left` was not 0.
        let change = unsafe { *self.next };
        // SAFETY: the new pointer is at most one past the last change.
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
    /// `room` events can be written at `first` for as long as the returned value lives.
    pub unsafe fn new(first: *mut kevent, room: c_int) -> Result<Events, Errno> {
        let room = usize::try_from(room).map_err(|_| Errno(ffi::EINVAL))?;
        Ok(Events { first, room, count: 0 })
    }

    /// Returns how many more events fit.
    pub fn room(&self) -> usize {
        self.room - self.count
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the events that were appended.
    pub fn written(&self) -> &[kevent] {
        if self.count == 0 {
            return &[];
        }
        // SAFETY: the caller of `new` promised an array that lives as long as `self`, and `push` has written the first
        // `count` events.
        unsafe { std::slice::from_raw_parts(self.first, self.count) }
    }

    /// Appends an event. Panics if the array is full.
    pub fn push(&mut self, event: kevent) {
        assert!(self.room() > 0, "a full array of events");
        // SAFETY: the caller of `new` promised an array that is longer than `count`.
        let slot = unsafe { self.first.add(self.count) };
        // SAFETY: the same promise: the slot is inside the array and can be written.
        unsafe { *slot = event };
        self.count += 1;
    }
}

/// Converts the timeout of `kevent`. A null pointer is `None`: wait without a limit.
///
/// # Safety
///
/// `time` is null or can be read.
pub unsafe fn timeout(time: *const timespec) -> Result<Option<Duration>, Errno> {
    if time.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller promised that a pointer that is not null can be read.
    let time = unsafe { *time };
    match (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(nanoseconds)) if nanoseconds < 1_000_000_000 => Ok(Some(Duration::new(seconds, nanoseconds))),
        _ => Err(Errno(ffi::EINVAL)),
    }
}
