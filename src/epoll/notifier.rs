//! The notifier: what ends a wait from outside. An eventfd, a counter that is readable when it is not zero.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::io::{AsRawFd, FromRawFd};

use super::{ffi, Selector};

pub(crate) struct Notifier {
    eventfd: File,
}

impl Notifier {
    /// A notifier of this selector, for as long as both live.
    pub fn new(selector: &Selector) -> io::Result<Notifier> {
        // SAFETY: `eventfd` takes no pointer.
        let fd = unsafe { ffi::eventfd(0, ffi::EFD_CLOEXEC | ffi::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `eventfd` has just returned `fd`, and nothing else knows it yet.
        let eventfd = unsafe { File::from_raw_fd(fd) };
        selector.register_notifier(eventfd.as_raw_fd())?;
        Ok(Notifier { eventfd })
    }

    /// Ends the wait that is under way, or the next one, once. Never blocks, never allocates.
    ///
    /// The registration is edge-triggered: each write is an edge, so nobody need ever read the counter back.
    pub fn notify(&self) -> io::Result<()> {
        match (&self.eventfd).write(&1u64.to_ne_bytes()) {
            // A full counter takes 2^64 kicks; and it is readable, which is all that is wanted.
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result.map(drop),
        }
    }
}
