//! The notifier, which ends a wait from another thread: a user event that only this crate triggers, or a pipe on
//! systems without user events.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

use super::ffi::{self, kevent};
use super::selector::{ignore_interrupted, Selector, USER_EVENT};
use crate::unix::descriptor::open_pipe;

pub(crate) enum Notifier {
    /// A user event of this kqueue.
    User(Arc<OwnedFd>),
    /// A pipe, whose receiver is registered. Used on the systems without user events: NetBSD before release 10, and
    /// older OpenBSD releases.
    Pipe { sender: File, receiver: File },
}

impl Notifier {
    /// Creates a notifier and registers it with `selector`.
    pub fn new(selector: &Selector) -> io::Result<Notifier> {
        match selector.register_notifier(USER_EVENT, ffi::EVFILT_USER) {
            Ok(()) => return Ok(Notifier::User(Arc::clone(selector.kqueue()))),
            // The system has no user events.
            Err(err) if err.raw_os_error() == Some(ffi::EINVAL) => {}
            Err(err) => return Err(err),
        }
        let [receiver, sender] = open_pipe()?;
        selector.register_notifier(receiver.as_raw_fd() as usize, ffi::EVFILT_READ)?;
        Ok(Notifier::Pipe { sender: sender.into(), receiver: receiver.into() })
    }

    /// Ends one wait: the wait in progress, or else the next one. Never blocks and never allocates.
    pub fn notify(&self) -> io::Result<()> {
        let (mut sender, mut receiver) = match self {
            Notifier::User(kqueue) => return trigger(kqueue),
            Notifier::Pipe { sender, receiver } => (sender, receiver),
        };
        loop {
            match sender.write(&[1]) {
                // Each byte is an edge, so the pipe is read only when it is full.
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    while matches!(receiver.read(&mut [0; 512]), Ok(1..)) {}
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(drop),
            }
        }
    }
}

/// Triggers the user event.
fn trigger(kqueue: &OwnedFd) -> io::Result<()> {
    // Pass neither `EV_ADD` nor `EV_CLEAR`: with both flags, NetBSD 11 does not trigger the event.
    let change = kevent { fflags: ffi::NOTE_TRIGGER, ..kevent::new(USER_EVENT, ffi::EVFILT_USER, 0, 0) };
    // SAFETY: `change` is one change and outlives the call. The event list has length 0.
    match unsafe { ffi::kevent(kqueue.as_raw_fd(), &change, 1, ptr::null_mut(), 0, ptr::null()) } {
        0.. => Ok(()),
        _ => ignore_interrupted(io::Error::last_os_error()),
    }
}
