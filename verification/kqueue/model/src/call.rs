//! What makes a function a system call: it answers −1 and `errno`, and no signal interrupts it except in its sleep.
//!
//! A kernel runs no signal handler while it holds a lock. The model blocks all signals for as long, and lets them
//! through where `epoll_pwait2` sleeps. So a handler may call `kevent`, whatever its thread was doing in the model, and
//! a signal that comes between a look and the sleep after it is not lost.

use std::os::raw::c_int;

use crate::ffi::{self, sigset_t};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

/// The error of the last call of this thread.
pub fn errno() -> Errno {
    // SAFETY: it takes nothing.
    let place = unsafe { ffi::__errno_location() };
    // SAFETY: it is this thread's own.
    Errno(unsafe { *place })
}

fn set_errno(errno: Errno) {
    // SAFETY: it takes nothing.
    let place = unsafe { ffi::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *place = errno.0 };
}

/// Signals are blocked while this lives.
pub struct Signals {
    program: sigset_t,
}

impl Signals {
    fn block() -> Signals {
        let mut program = ffi::NO_SIGNALS;
        // SAFETY: both sets outlive the call.
        unsafe { ffi::pthread_sigmask(ffi::SIG_SETMASK, &ffi::ALL_SIGNALS, &mut program) };
        Signals { program }
    }

    /// Those that the program has blocked itself.
    pub fn of_the_program(&self) -> &sigset_t {
        &self.program
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: the set outlives the call; a null one is not written.
        unsafe { ffi::pthread_sigmask(ffi::SIG_SETMASK, &self.program, std::ptr::null_mut()) };
    }
}

/// Runs a function as a system call. As one, it leaves `errno` alone when it succeeds.
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
