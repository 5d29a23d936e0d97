//! Makes a function behave as a system call: it returns −1 and sets `errno`, and a signal interrupts it only while it
//! is blocked.
//!
//! A kernel runs no signal handler while it holds a lock. The model blocks all signals for the whole call and unblocks
//! them only inside `epoll_pwait2`. So a handler never runs while its thread holds a lock of the model, and may call
//! `kevent`; and a signal that arrives between the check for pending knotes and the wait after it is not lost.

use std::os::raw::c_int;

use crate::ffi::{self, sigset_t};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

/// Returns the error of this thread's last failed call.
pub fn errno() -> Errno {
    // SAFETY: the function takes no argument.
    let location = unsafe { ffi::__errno_location() };
    // SAFETY: the location is this thread's own `errno`.
    Errno(unsafe { *location })
}

pub fn set_errno(errno: Errno) {
    // SAFETY: the function takes no argument.
    let location = unsafe { ffi::__errno_location() };
    // SAFETY: the location is this thread's own `errno`.
    unsafe { *location = errno.0 };
}

/// A guard: all signals are blocked while it lives.
pub struct Signals {
    /// The signal mask of the program, which the drop restores.
    program: sigset_t,
}

impl Signals {
    fn block() -> Signals {
        let mut program = ffi::NO_SIGNALS;
        // SAFETY: both sets outlive the call.
        unsafe { ffi::pthread_sigmask(ffi::SIG_SETMASK, &ffi::ALL_SIGNALS, &mut program) };
        Signals { program }
    }

    /// Returns the signals that the program itself has blocked.
    pub fn of_the_program(&self) -> &sigset_t {
        &self.program
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: the set outlives the call; the null pointer means that the old set is not wanted.
        unsafe { ffi::pthread_sigmask(ffi::SIG_SETMASK, &self.program, std::ptr::null_mut()) };
    }
}

/// Runs a function as a system call. If the function succeeds, `errno` keeps its value.
pub fn system_call(call: impl FnOnce(&Signals) -> Result<c_int, Errno>) -> c_int {
    let before = errno();
    let result = call(&Signals::block());
    match result {
        Ok(value) => {
            set_errno(before);
            value
        }
        Err(errno) => {
            set_errno(errno);
            -1
        }
    }
}
