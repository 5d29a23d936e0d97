//! The state of a thread.

use std::thread;
use std::time::Duration;

#[cfg(unix)]
pub use unix::{number, wait_until_blocked};

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::time::Instant;

    use super::*;

    /// Returns the system's number for the calling thread.
    pub fn number() -> libc::pid_t {
        // SAFETY: the call has no precondition.
        unsafe { libc::gettid() }
    }

    /// Returns when the thread with this number is blocked in a system call.
    pub fn wait_until_blocked(number: libc::pid_t) {
        let (path, start) = (format!("/proc/self/task/{number}/stat"), Instant::now());
        loop {
            let stat = fs::read_to_string(&path).unwrap();
            // The state comes after the name of the thread, which is in parentheses.
            if stat.rsplit(')').next().unwrap().starts_with(" S") {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "not blocked: {stat}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Returns the standard library's number for the calling thread.
#[cfg(windows)]
pub fn number() -> thread::ThreadId {
    thread::current().id()
}

/// Gives a thread time to block, because Windows has no documented way to read whether a thread is blocked. If the
/// thread blocks later, the scenarios observe the same.
#[cfg(windows)]
pub fn wait_until_blocked(_number: thread::ThreadId) {
    thread::sleep(Duration::from_millis(50));
}
