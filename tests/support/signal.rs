//! Signals, which the standard library knows nothing of.

use std::mem;
use std::os::raw::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Once;

use minimio::Waker;

/// A thread that signals are sent to.
#[derive(Clone, Copy)]
pub struct Target {
    thread: usize,
}

impl Target {
    pub fn current() -> Target {
        install();
        // SAFETY: `pthread_self` takes nothing and always succeeds.
        let thread = unsafe { pthread_self() };
        Target { thread: thread as usize }
    }

    /// Sends a signal that is caught, by a handler that does nothing. The thread must still run.
    pub fn send(self) {
        self.kill(SIGUSR1);
    }

    /// Sends a signal whose handler wakes.
    pub fn send_waking(self) {
        self.kill(SIGUSR2);
    }

    fn kill(self, signal: c_int) {
        // SAFETY: the tests join whoever sends before the target ends, so this is a thread that lives.
        let result = unsafe { pthread_kill(self.thread as *mut c_void, signal) };
        assert_eq!(result, 0);
    }
}

static WAKER: AtomicPtr<Waker> = AtomicPtr::new(ptr::null_mut());

/// From now on the handler of `send_waking` wakes with this.
pub fn wake_from_handler(waker: &'static Waker) {
    WAKER.store(waker as *const Waker as *mut Waker, Ordering::Release);
}

extern "C" fn do_nothing(_: c_int) {}

extern "C" fn wake(_: c_int) {
    let waker: *const Waker = WAKER.load(Ordering::Acquire);
    // SAFETY: it is null, or was a reference that lives for ever.
    if let Some(waker) = unsafe { waker.as_ref() } {
        waker.wake().unwrap();
    }
}

/// `signal` would restart system calls, though not those that wait; `siginterrupt` says no to that.
fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        for (number, handler) in [(SIGUSR1, do_nothing as extern "C" fn(c_int)), (SIGUSR2, wake)] {
            // SAFETY: the handlers do only what a handler may: nothing, and what `Waker::wake` promises it may do.
            let old = unsafe { signal(number, handler as usize) };
            assert_ne!(old, SIG_ERR);
            // SAFETY: `siginterrupt` takes no pointer.
            let result = unsafe { siginterrupt(number, 1) };
            assert_eq!(result, 0);
        }
    });
}

/// Runs `work` while SIGPIPE ends the process, as it does in programs that Rust's runtime has not prepared.
pub fn with_default_sigpipe(work: impl FnOnce()) {
    // SAFETY: the default action is no handler.
    let old = unsafe { signal(SIGPIPE, SIG_DFL) };
    work();
    // SAFETY: what was there before was valid before.
    let now = unsafe { signal(SIGPIPE, old) };
    assert_eq!(now, SIG_DFL);
}

// Linux's generic numbers, and those of all the others.
const IS_LINUX: bool = cfg!(any(target_os = "linux", target_os = "android"));
const IS_MIPS: bool = cfg!(any(target_arch = "mips", target_arch = "mips64"));
const SIGPIPE: c_int = 13;
const SIGUSR1: c_int = if IS_MIPS {
    16
} else if IS_LINUX {
    10
} else {
    30
};
const SIGUSR2: c_int = if IS_MIPS {
    17
} else if IS_LINUX {
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
