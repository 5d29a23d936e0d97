//! Signals, for which the standard library has no functions.

use std::mem;
use std::os::raw::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Once;

use minimio::Waker;

/// A thread to which signals are sent.
#[derive(Clone, Copy)]
pub struct Target {
    thread: usize,
}

impl Target {
    pub fn current() -> Target {
        install();
        // SAFETY: `pthread_self` has no preconditions and always succeeds.
        let thread = unsafe { pthread_self() };
        Target { thread: thread as usize }
    }

    /// Sends a signal whose handler does nothing. The thread must still run.
    pub fn send(self) {
        self.kill(SIGUSR1);
    }

    /// Sends a signal whose handler calls `wake`. The thread must still run.
    pub fn send_waking(self) {
        self.kill(SIGUSR2);
    }

    fn kill(self, signal: c_int) {
        // SAFETY: the tests join every sending thread before the target thread ends, so the target still runs.
        let result = unsafe { pthread_kill(self.thread as *mut c_void, signal) };
        assert_eq!(result, 0);
    }
}

static WAKER: AtomicPtr<Waker> = AtomicPtr::new(ptr::null_mut());

/// Sets the waker that the handler of `send_waking` uses.
pub fn set_handler_waker(waker: &'static Waker) {
    WAKER.store(waker as *const Waker as *mut Waker, Ordering::Release);
}

extern "C" fn do_nothing(_: c_int) {}

extern "C" fn wake(_: c_int) {
    let waker: *const Waker = WAKER.load(Ordering::Acquire);
    // SAFETY: the pointer is null, or it comes from a `&'static Waker`.
    if let Some(waker) = unsafe { waker.as_ref() } {
        waker.wake().unwrap();
    }
}

/// Installs the handlers. `signal` makes an interrupted system call restart, except for calls that wait for events;
/// `siginterrupt` turns that off.
fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        for (number, handler) in [(SIGUSR1, do_nothing as extern "C" fn(c_int)), (SIGUSR2, wake)] {
            // SAFETY: the handlers are async-signal-safe: one does nothing, and the documentation of `Waker::wake`
            // promises that a signal handler may call it.
            let old = unsafe { signal(number, handler as usize) };
            assert_ne!(old, SIG_ERR);
            // SAFETY: `siginterrupt` takes no pointer.
            let result = unsafe { siginterrupt(number, 1) };
            assert_eq!(result, 0);
        }
    });
}

/// Runs `work` while SIGPIPE has its default action, which ends the process. Rust's runtime ignores SIGPIPE, but a
/// program whose `main` function is not Rust's does not.
pub fn with_default_sigpipe(work: impl FnOnce()) {
    // SAFETY: `SIG_DFL` installs no handler.
    let old = unsafe { signal(SIGPIPE, SIG_DFL) };
    work();
    // SAFETY: `old` is the action that was installed before, so it is valid.
    let now = unsafe { signal(SIGPIPE, old) };
    assert_eq!(now, SIG_DFL);
}

// The numbers of Linux on MIPS, of Linux on other processors, and of the other systems and Linux on sparc64.
const HAS_LINUX_NUMBERS: bool =
    cfg!(all(any(target_os = "linux", target_os = "android"), not(target_arch = "sparc64")));
const IS_MIPS: bool = cfg!(any(target_arch = "mips", target_arch = "mips64"));
const SIGPIPE: c_int = 13;
const SIGUSR1: c_int = if IS_MIPS {
    16
} else if HAS_LINUX_NUMBERS {
    10
} else {
    30
};
const SIGUSR2: c_int = if IS_MIPS {
    17
} else if HAS_LINUX_NUMBERS {
    12
} else {
    31
};
const SIG_DFL: usize = 0;
const SIG_ERR: usize = usize::MAX;
const _: () = assert!(mem::size_of::<usize>() == mem::size_of::<*mut c_void>());

extern "C" {
    fn pthread_self() -> *mut c_void;
    fn pthread_kill(thread: *mut c_void, sig: c_int) -> c_int;
    fn signal(signum: c_int, handler: usize) -> usize;
    fn siginterrupt(sig: c_int, flag: c_int) -> c_int;
}
