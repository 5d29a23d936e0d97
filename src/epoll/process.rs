//! A descriptor that becomes readable when a child process exits: a process descriptor (pidfd), or a pipe to which the
//! handler of SIGCHLD writes, where a process descriptor cannot be opened.

use std::fs::File;
use std::io::{self, Write};
use std::os::raw::{c_int, c_uint};
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use super::ffi;
use crate::unix::descriptor::{open_pipe, open_readable_pipe};
use crate::unix::ffi::SIGCHLD;
use crate::unix::signal_handler::{self, Receiver};

/// A descriptor that is readable from the exit of a child on.
pub(crate) struct ExitDescriptor {
    fd: OwnedFd,
    /// The child's watch, if `fd` is the read end of a pipe.
    watch: Option<Arc<ExitWatch>>,
}

impl ExitDescriptor {
    pub fn new(process: u32) -> io::Result<ExitDescriptor> {
        if ffi::TRY_PIDFD_OPEN {
            // SAFETY: `pidfd_open` takes two integers.
            let fd = unsafe { ffi::syscall(ffi::SYS_pidfd_open, process as c_int, 0 as c_uint) } as c_int;
            if fd >= 0 {
                // SAFETY: `pidfd_open` has just returned `fd`, which is close-on-exec, and no other code owns it yet.
                return Ok(ExitDescriptor { fd: unsafe { OwnedFd::from_raw_fd(fd) }, watch: None });
            }
            let err = io::Error::last_os_error();
            match err.raw_os_error() {
                // The program has waited for the child already.
                Some(ffi::ESRCH) => return Ok(ExitDescriptor { fd: open_readable_pipe()?, watch: None }),
                // The kernel is older than 5.3, or a sandbox forbids the call.
                Some(ffi::ENOSYS | ffi::EPERM) => {}
                _ => return Err(err),
            }
        }
        let [receiver, sender] = open_pipe()?;
        let watch = Arc::new(ExitWatch { process, reported: AtomicBool::new(false), sender: sender.into() });
        let watching: Arc<ExitWatch> = Arc::clone(&watch);
        signal_handler::add(SIGCHLD, watching)?;
        // If the child exited before the handler was installed, no signal arrives any more.
        watch.check();
        Ok(ExitDescriptor { fd: receiver, watch: Some(watch) })
    }
}

impl AsRawFd for ExitDescriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Drop for ExitDescriptor {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            signal_handler::remove(SIGCHLD, watch);
        }
    }
}

/// Writes to a pipe when a child has exited. SIGCHLD does not name all children that have exited, so the handler checks
/// each watched child.
struct ExitWatch {
    process: u32,
    /// Whether the byte was written.
    reported: AtomicBool,
    sender: File,
}

impl ExitWatch {
    fn check(&self) {
        if !self.reported.load(Ordering::SeqCst)
            && has_exited(self.process)
            && !self.reported.swap(true, Ordering::SeqCst)
        {
            // The pipe is empty, so the write does not fail.
            let _written = (&self.sender).write(&[1]);
        }
    }
}

impl Receiver for ExitWatch {
    fn signalled(&self, _: c_int) {
        self.check();
    }
}

/// Returns whether a child has exited, also if the program has waited for it. Leaves its exit status to the program.
fn has_exited(process: u32) -> bool {
    let mut info: ffi::siginfo_t = [0; 32];
    let options = ffi::WEXITED | ffi::WNOHANG | ffi::WNOWAIT;
    // SAFETY: `info` is as large as a `siginfo_t` and outlives the call. The kernel writes only fields of type `int`,
    // for which an array of `c_int` is aligned.
    let result = unsafe { ffi::waitid(ffi::P_PID, process, info.as_mut_ptr().cast(), options) };
    if result < 0 {
        // The program has waited for the child. This only reads `errno`, so a signal handler may call it.
        return io::Error::last_os_error().raw_os_error() == Some(ffi::ECHILD);
    }
    // While the child runs, the number of the signal stays 0.
    info[0] != 0
}
