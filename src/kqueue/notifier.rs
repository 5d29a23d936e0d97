//! The notifier: what ends a wait from outside. A user event, which nothing sets off but we; or, where the system is
//! too old for that, a pipe.

use std::io::{self, Read, Write};
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::ffi;
use super::selector::{trigger, Selector};
use crate::unix::pipe::{self, Receiver, Sender};

pub(crate) enum Notifier {
    /// A user event of this kqueue's, and the data that it bears.
    User { kqueue: Arc<OwnedFd>, data: usize },
    /// NetBSD has no user events before its release 10, and OpenBSD only in its newest.
    Pipe { sender: Sender, receiver: Receiver },
}

impl Notifier {
    /// A notifier of this selector, for as long as both live.
    pub fn new(selector: &Selector) -> io::Result<Notifier> {
        match selector.register_notifier(None) {
            Ok(()) => {
                let kqueue = Arc::clone(selector.kqueue());
                return Ok(Notifier::User { kqueue, data: selector.notifier_data() });
            }
            Err(err) if err.raw_os_error() == Some(ffi::EINVAL) => {}
            Err(err) => return Err(err),
        }
        let (sender, receiver) = pipe::new()?;
        selector.register_notifier(Some(receiver.as_raw_fd()))?;
        Ok(Notifier::Pipe { sender, receiver })
    }

    /// Ends the wait that is under way, or the next one, once. Never blocks, never allocates.
    pub fn notify(&self) -> io::Result<()> {
        let (mut sender, mut receiver) = match self {
            Notifier::User { kqueue, data } => return trigger(kqueue, *data),
            Notifier::Pipe { sender, receiver } => (sender, receiver),
        };
        loop {
            match sender.write(&[1]) {
                // Each byte is an edge, so nobody need take it back, until there is no room for the next.
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    while matches!(receiver.read(&mut [0; 512]), Ok(1..)) {}
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(drop),
            }
        }
    }
}
