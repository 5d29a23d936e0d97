//! Signals, for which the standard library has no functions.

use std::env;
use std::mem;
use std::os::raw::{c_int, c_long, c_void};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::Once;

use minimio::signal::Signal;
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

    /// Returns this thread, without installing the handlers.
    pub fn current_thread() -> Target {
        // SAFETY: `pthread_self` has no preconditions and always succeeds.
        Target { thread: unsafe { pthread_self() } as usize }
    }

    /// Sends a signal. The thread must still run.
    pub fn send_signal(self, signal: Signal) {
        self.kill(signal.as_raw());
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

/// A process to which another process sends signals.
#[derive(Clone, Copy)]
pub struct ProcessTarget {
    process: c_int,
    /// The thread that gets the signals, or `None` if the system selects one.
    thread: Option<c_long>,
}

impl ProcessTarget {
    /// Returns this process. If `MINIMIO_SIGNAL_THIS_THREAD` is set, the signals go to this thread: ThreadSanitizer
    /// runs no handler in a thread that is blocked in a call that the sanitizer does not know.
    pub fn current() -> ProcessTarget {
        let thread = env::var_os("MINIMIO_SIGNAL_THIS_THREAD").and_then(|_| one_thread::current());
        ProcessTarget { process: process::id() as c_int, thread }
    }

    pub fn send(self, signal: Signal) {
        let result = match self.thread {
            // SAFETY: `kill` takes no pointer.
            None => unsafe { kill(self.process, signal.as_raw()) },
            Some(thread) => one_thread::kill(self.process, thread, signal.as_raw()),
        };
        assert_eq!(result, 0);
    }
}

/// A thread of another process as the target of a signal.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod one_thread {
    use super::{c_int, c_long};

    const SYS_GETTID: c_long = 186;
    const SYS_TGKILL: c_long = 234;

    extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    pub fn current() -> Option<c_long> {
        // SAFETY: `gettid` takes no argument.
        Some(unsafe { syscall(SYS_GETTID) })
    }

    pub fn kill(process: c_int, thread: c_long, signal: c_int) -> c_int {
        // SAFETY: `tgkill` takes no pointer.
        unsafe { syscall(SYS_TGKILL, c_long::from(process), thread, c_long::from(signal)) as c_int }
    }
}

/// On other systems, the system selects the thread.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod one_thread {
    use super::{c_int, c_long};

    pub fn current() -> Option<c_long> {
        None
    }

    pub fn kill(_: c_int, _: c_long, _: c_int) -> c_int {
        -1
    }
}

/// Returns whether a signal has its default action. Installs the default action.
pub fn is_default(number: Signal) -> bool {
    // SAFETY: `SIG_DFL` installs no handler.
    unsafe { signal(number.as_raw(), SIG_DFL) == SIG_DFL }
}

/// The action of a signal: the bytes of a `struct sigaction`, whose fields differ between systems.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Action([u8; 256]);

/// Compares the handler, the first bytes of the mask, and the flags. The other bytes of the mask are not initialised.
impl PartialEq for Action {
    fn eq(&self, other: &Action) -> bool {
        let flags = FLAGS_OFFSET.map_or(0..0, |offset| offset..offset + 4);
        self.0[..12] == other.0[..12] && self.0[flags.clone()] == other.0[flags]
    }
}

/// The offset of `sa_flags`, on systems where `sa_handler` is the first field and the offset is known here.
const FLAGS_OFFSET: Option<usize> = if IS_MIPS || cfg!(any(target_arch = "s390x", target_os = "android")) {
    None
} else if HAS_LINUX_NUMBERS {
    Some(mem::size_of::<usize>() + 128)
} else if cfg!(target_vendor = "apple") {
    Some(mem::size_of::<usize>() + 4)
} else {
    None
};

impl Action {
    /// Returns the action of a signal. Installs the action again, because the C library adds a flag to each action that
    /// it installs.
    pub fn of(signal: Signal) -> Action {
        let number = signal.as_raw();
        let mut action = Action([0; 256]);
        for _ in 0..2 {
            // SAFETY: `action` has room for the largest `struct sigaction`, and outlives the call.
            let result = unsafe { sigaction(number, ptr::null(), &mut action) };
            assert_eq!(result, 0);
            // SAFETY: the call above has written an action that is installed.
            let result = unsafe { sigaction(number, &action, ptr::null_mut()) };
            assert_eq!(result, 0);
        }
        action
    }

    /// Installs an action that was installed before.
    pub fn install_again(self, signal: Signal) {
        // SAFETY: `of` has returned the bytes of an action that was installed.
        assert_eq!(unsafe { sigaction(signal.as_raw(), &self, ptr::null_mut()) }, 0);
    }

    /// Returns whether the handler runs on the thread's alternate stack, if the offset of the flags is known here.
    pub fn is_on_alternate_stack(self) -> Option<bool> {
        let sa_onstack: c_int = if HAS_LINUX_NUMBERS { 0x800_0000 } else { 1 };
        let offset = FLAGS_OFFSET?;
        let flags = c_int::from_ne_bytes(self.0[offset..offset + 4].try_into().unwrap());
        Some(flags & sa_onstack != 0)
    }

    /// Adds `SA_RESETHAND` to the installed action: the default action replaces it when a signal arrives. Returns
    /// whether the offset of the flags is known here.
    pub fn reset_after_one_signal(signal: Signal) -> bool {
        const SA_RESETHAND: c_int = if HAS_LINUX_NUMBERS { i32::MIN } else { 0x4 };
        let offset = match FLAGS_OFFSET {
            Some(offset) => offset,
            None => return false,
        };
        let mut action = Action::of(signal);
        let flags = c_int::from_ne_bytes(action.0[offset..offset + 4].try_into().unwrap());
        action.0[offset..offset + 4].copy_from_slice(&(flags | SA_RESETHAND).to_ne_bytes());
        action.install_again(signal);
        true
    }

    pub fn install_default(signal: Signal) -> Action {
        Action::install(signal, SIG_DFL)
    }

    pub fn install_ignore(signal: Signal) -> Action {
        Action::install(signal, SIG_IGN)
    }

    /// Installs a handler, with these flags and an empty mask, if the offset of the flags is known here.
    fn install_with_flags(signal: Signal, handler: usize, flags: c_int) -> bool {
        let offset = match FLAGS_OFFSET {
            Some(offset) => offset,
            None => return false,
        };
        let mut action = Action([0; 256]);
        action.0[..mem::size_of::<usize>()].copy_from_slice(&handler.to_ne_bytes());
        action.0[offset..offset + 4].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: the bytes are a `struct sigaction`, and the handler is async-signal-safe.
        assert_eq!(unsafe { sigaction(signal.as_raw(), &action, ptr::null_mut()) }, 0);
        true
    }

    fn install(number: Signal, handler: usize) -> Action {
        // SAFETY: `handler` is `SIG_DFL`, `SIG_IGN`, or a function that may be a signal handler.
        assert_ne!(unsafe { signal(number.as_raw(), handler) }, SIG_ERR);
        Action::of(number)
    }
}

/// A signal handler that counts its calls.
pub mod counted {
    use super::*;

    static COUNT: AtomicUsize = AtomicUsize::new(0);
    /// The handler that the counting handler calls.
    static PREVIOUS: AtomicUsize = AtomicUsize::new(0);

    /// Installs the handler. `with_information`: as a function with three parameters (`SA_SIGINFO`), on systems whose
    /// `struct sigaction` is declared here.
    pub fn install(signal: Signal, with_information: bool) -> Action {
        PREVIOUS.store(0, Ordering::SeqCst);
        let handler = count_with_information as extern "C" fn(c_int, *mut c_int, *mut c_void) as usize;
        if with_information && Action::install_with_flags(signal, handler, SA_SIGINFO) {
            return Action::of(signal);
        }
        Action::install(signal, count as *const () as usize)
    }

    /// Installs the handler with one system call.
    pub fn install_at_once(number: Signal) {
        // SAFETY: `count` is async-signal-safe.
        assert_ne!(unsafe { signal(number.as_raw(), count as *const () as usize) }, SIG_ERR);
    }

    /// Installs the handler. It calls the one that is installed now, as a function with three parameters.
    pub fn install_and_call_previous(number: Signal) {
        // SAFETY: `count_with_information` is async-signal-safe.
        let previous = unsafe { signal(number.as_raw(), SIG_DFL) };
        install(number, true);
        PREVIOUS.store(previous, Ordering::SeqCst);
    }

    /// Returns how often the handler was called since the last call.
    pub fn take() -> usize {
        COUNT.swap(0, Ordering::SeqCst)
    }

    extern "C" fn count(number: c_int) {
        count_and_call_previous(number, ptr::null_mut(), ptr::null_mut());
    }

    extern "C" fn count_with_information(number: c_int, information: *mut c_int, context: *mut c_void) {
        // SAFETY: the first field of `siginfo_t` is the number of the signal, on every system.
        assert_eq!(unsafe { *information }, number);
        assert!(!context.is_null());
        count_and_call_previous(number, information, context);
    }

    fn count_and_call_previous(number: c_int, information: *mut c_int, context: *mut c_void) {
        COUNT.fetch_add(1, Ordering::SeqCst);
        let previous = PREVIOUS.load(Ordering::SeqCst);
        if previous != 0 {
            // SAFETY: the handler of `Signals` has this type.
            let previous: extern "C" fn(c_int, *mut c_int, *mut c_void) = unsafe { mem::transmute(previous) };
            previous(number, information, context);
        }
    }

    const SA_SIGINFO: c_int = if HAS_LINUX_NUMBERS { 4 } else { 0x40 };
}

/// A signal handler that raises its own signal at the first call.
pub mod nested {
    use super::*;

    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static DEPTH: AtomicUsize = AtomicUsize::new(0);
    static MAX_DEPTH: AtomicUsize = AtomicUsize::new(0);

    /// Installs the handler, if possible with `SA_NODEFER`: the signal is not blocked while the handler runs. Returns
    /// whether the handler can be interrupted by its signal.
    pub fn install(signal: Signal, is_interruptible: bool) -> bool {
        let handler = raise_again as *const () as usize;
        if is_interruptible && Action::install_with_flags(signal, handler, SA_NODEFER) {
            return true;
        }
        Action::install(signal, handler);
        false
    }

    /// Returns how often the handler was called, and how many calls ran at the same time.
    pub fn calls_and_depth() -> (usize, usize) {
        (CALLS.load(Ordering::SeqCst), MAX_DEPTH.load(Ordering::SeqCst))
    }

    extern "C" fn raise_again(number: c_int) {
        let depth = DEPTH.fetch_add(1, Ordering::SeqCst) + 1;
        MAX_DEPTH.fetch_max(depth, Ordering::SeqCst);
        if CALLS.fetch_add(1, Ordering::SeqCst) == 0 {
            // SAFETY: `raise` takes no pointer.
            assert_eq!(unsafe { raise(number) }, 0);
        }
        DEPTH.fetch_sub(1, Ordering::SeqCst);
    }

    const SA_NODEFER: c_int = if HAS_LINUX_NUMBERS { 0x4000_0000 } else { 0x10 };
}

/// Blocks a signal in this thread.
pub fn block(signal: Signal) {
    change_mask(signal, if HAS_LINUX_NUMBERS && !IS_MIPS { 0 } else { 1 });
}

/// Unblocks a signal in this thread. If the signal is pending, its handler has run when this returns.
pub fn unblock(signal: Signal) {
    change_mask(signal, if HAS_LINUX_NUMBERS && !IS_MIPS { 1 } else { 2 });
}

fn change_mask(signal: Signal, how: c_int) {
    let mut set = SignalSet([0; 16]);
    // SAFETY: `set` has room for the largest `sigset_t`, and outlives the call.
    assert_eq!(unsafe { sigemptyset(&mut set) }, 0);
    // SAFETY: as above; the set is initialised.
    assert_eq!(unsafe { sigaddset(&mut set, signal.as_raw()) }, 0);
    // SAFETY: the set is initialised. The function accepts a null pointer for the old mask.
    assert_eq!(unsafe { pthread_sigmask(how, &set, ptr::null_mut()) }, 0);
}

/// As large as the largest `sigset_t`.
#[repr(C)]
struct SignalSet([u64; 16]);

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
/// The numbers of SIGSTOP, SIGBUS and SIGSYS.
pub const STOP: c_int = if IS_MIPS {
    23
} else if HAS_LINUX_NUMBERS {
    19
} else {
    17
};
pub const BUS: c_int = if HAS_LINUX_NUMBERS && !IS_MIPS { 7 } else { 10 };
pub const SYS: c_int = if HAS_LINUX_NUMBERS && !IS_MIPS { 31 } else { 12 };
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SIG_ERR: usize = usize::MAX;
const _: () = assert!(mem::size_of::<usize>() == mem::size_of::<*mut c_void>());

extern "C" {
    fn pthread_self() -> *mut c_void;
    fn pthread_kill(thread: *mut c_void, sig: c_int) -> c_int;
    fn signal(signum: c_int, handler: usize) -> usize;
    fn kill(process: c_int, sig: c_int) -> c_int;
    #[cfg_attr(target_os = "netbsd", link_name = "__sigaction_siginfo")]
    fn sigaction(signum: c_int, act: *const Action, oldact: *mut Action) -> c_int;
    fn siginterrupt(sig: c_int, flag: c_int) -> c_int;
    fn raise(sig: c_int) -> c_int;
    #[cfg_attr(target_os = "netbsd", link_name = "__sigemptyset14")]
    fn sigemptyset(set: *mut SignalSet) -> c_int;
    #[cfg_attr(target_os = "netbsd", link_name = "__sigaddset14")]
    fn sigaddset(set: *mut SignalSet, signum: c_int) -> c_int;
    fn pthread_sigmask(how: c_int, set: *const SignalSet, oldset: *mut SignalSet) -> c_int;
}
