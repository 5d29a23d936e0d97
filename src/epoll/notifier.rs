//! The notifier, which ends a wait from another thread: an eventfd, a counter that is readable when it is not zero.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::io::{AsRawFd, FromRawFd};

use super::{ffi, Selector};

pub(crate) struct Notifier {
    eventfd: File,
}

impl Notifier {
    /// Creates a notifier and registers it with `selector`.
    pub fn new(selector: &Selector) -> io::Result<Notifier> {
        // SAFETY: `eventfd` takes no pointer.
        let fd = unsafe { ffi::eventfd(0, ffi::EFD_CLOEXEC | ffi::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `eventfd` has just returned `fd`, and no other code owns it yet.
        let eventfd = unsafe { File::from_raw_fd(fd) };
        selector.register_notifier(eventfd.as_raw_fd())?;
        Ok(Notifier { eventfd })
    }

    /// Ends one wait: the wait in progress, or else the next one. Never blocks and never allocates.
    ///
    /// The registration is edge-triggered, and each write is an edge, so the counter is never read back.
    pub fn notify(&self) -> io::Result<()> {
        match (&self.eventfd).write(&1u64.to_ne_bytes()) {
            // The counter is full. This does not happen in practice: it takes 2^64 - 2 writes.
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result.map(drop),
        }
    }
}
