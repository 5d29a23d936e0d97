//! A descriptor that becomes readable when a child process exits: a kqueue of its own, with one knote for the process.

use std::io;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::ffi::{self, kevent};
use super::selector::ignore_interrupted;
use crate::unix::descriptor::{close_on_exec, open_readable_pipe};

/// A descriptor that is readable from the exit of a child on.
///
/// The knote of a process (`EVFILT_PROC`) reports the exit once and is then deleted, so a poll whose kqueue had the
/// knote could not report it in level mode, or again after `reregister`. This kqueue keeps the event, because no code
/// takes it out. A kqueue with an event is readable, so a poll can watch it in every mode.
pub(crate) struct ExitDescriptor {
    fd: OwnedFd,
}

impl ExitDescriptor {
    pub fn new(process: u32) -> io::Result<ExitDescriptor> {
        // SAFETY: `kqueue` takes no pointer.
        let fd = unsafe { ffi::kqueue() };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `kqueue` has just returned `fd`, and no other code owns it yet.
        let kqueue = unsafe { OwnedFd::from_raw_fd(fd) };
        close_on_exec(&kqueue)?;
        let knote = kevent::new(process as usize, ffi::EVFILT_PROC, ffi::EV_ADD, 0);
        let change = kevent { fflags: ffi::NOTE_EXIT, ..knote };
        // SAFETY: `change` is one change and outlives the call. The event list has length 0.
        let result = match unsafe { ffi::kevent(kqueue.as_raw_fd(), &change, 1, ptr::null_mut(), 0, ptr::null()) } {
            0.. => Ok(()),
            _ => ignore_interrupted(io::Error::last_os_error()),
        };
        match result {
            Ok(()) => Ok(ExitDescriptor { fd: kqueue }),
            // The child has exited. FreeBSD adds the knote nevertheless, unless the program has waited for the child.
            Err(err) if err.raw_os_error() == Some(ffi::ESRCH) => Ok(ExitDescriptor { fd: open_readable_pipe()? }),
            Err(err) => Err(err),
        }
    }
}

impl AsRawFd for ExitDescriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
