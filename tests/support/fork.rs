//! Child processes that run a function of the test.

use std::os::raw::c_int;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::thread;
use std::time::Instant;

use super::WAIT_LIMIT;

/// Runs `work` in a child process. Returns whether it returned true there. Kills a child that does not end.
pub fn child_succeeds(work: fn() -> bool) -> bool {
    start_child(work).has_succeeded()
}

/// A child process that runs a function of the test.
pub struct ForkedChild {
    process: c_int,
}

/// Runs `work` in a child process.
pub fn start_child(work: impl FnOnce() -> bool) -> ForkedChild {
    // SAFETY: the child calls only `work` and `_exit`, and the C library's allocator can be used in a child of a
    // process with threads.
    let process = unsafe { fork() };
    assert!(process >= 0, "{}", std::io::Error::last_os_error());
    if process == 0 {
        let succeeded = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(false);
        // SAFETY: `_exit` ends the child without running the parent's destructors.
        unsafe { _exit(c_int::from(!succeeded)) };
    }
    ForkedChild { process }
}

impl ForkedChild {
    /// Waits for the child, and returns whether its function returned true. Kills a child that does not end.
    pub fn has_succeeded(self) -> bool {
        let end = Instant::now() + WAIT_LIMIT;
        let mut status = 0;
        // SAFETY: the process is a child of this process that was not waited for, and `status` outlives the call.
        while unsafe { waitpid(self.process, &mut status, WNOHANG) } == 0 {
            if Instant::now() > end {
                // SAFETY: as above.
                unsafe { kill(self.process, SIGKILL) };
                // SAFETY: as above; `waitpid` accepts a null pointer.
                unsafe { waitpid(self.process, ptr::null_mut(), 0) };
                return false;
            }
            thread::yield_now();
        }
        status == 0
    }
}

/// Returns whether this process has children that run or that were not waited for.
pub fn has_children() -> bool {
    // SAFETY: `waitpid` accepts a null pointer. The caller expects no child, so no other code waits for one.
    unsafe { waitpid(-1, ptr::null_mut(), WNOHANG) >= 0 }
}

const WNOHANG: c_int = 1;
const SIGKILL: c_int = 9;

extern "C" {
    fn fork() -> c_int;
    fn _exit(status: c_int) -> !;
    fn waitpid(child: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn kill(process: c_int, signal: c_int) -> c_int;
}
