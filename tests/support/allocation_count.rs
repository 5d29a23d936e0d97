//! An allocator that counts the allocations of each thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `work`, and returns how often this thread allocated or reallocated memory meanwhile.
pub fn allocations<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let counter = Counter::begin();
    let result = work();
    (counter.end(), result)
}

/// The allocations of one thread. A thread-local variable would be simpler, but on some systems its first use
/// allocates.
struct Counter {
    /// The number of the thread, or 0 if this counter is free.
    thread: AtomicUsize,
    count: AtomicUsize,
}

impl Counter {
    // The constant only initializes the array `COUNTERS`, whose elements are separate counters.
    #[allow(clippy::declare_interior_mutable_const)]
    const FREE: Counter = Counter { thread: AtomicUsize::new(0), count: AtomicUsize::new(0) };

    fn begin() -> &'static Counter {
        let claim = |counter: &&Counter| {
            counter.thread.compare_exchange(0, current_thread(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let counter = COUNTERS.iter().find(claim).expect("all counters are in use: make `COUNTERS` longer");
        counter.count.store(0, Ordering::Relaxed);
        counter
    }

    fn end(&self) -> usize {
        let count = self.count.load(Ordering::Relaxed);
        self.thread.store(0, Ordering::Release);
        count
    }
}

static COUNTERS: [Counter; 32] = [Counter::FREE; 32];

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

impl Counting {
    fn count(&self) {
        let me = current_thread();
        if let Some(counter) = COUNTERS.iter().find(|counter| counter.thread.load(Ordering::Relaxed) == me) {
            counter.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: every call goes to the system allocator, which keeps the promises of `GlobalAlloc`. Counting allocates
// nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller upholds the contract of this method, which is also the contract of `System.alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller upholds the contract of this method, which is also the contract of `System.alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.count();
        // SAFETY: the caller upholds the contract of this method, which is also the contract of `System.realloc`. Every
        // block comes from `System`.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of this method, which is also the contract of `System.dealloc`. Every
        // block comes from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Returns a number that no other running thread has. It is never 0.
#[cfg(unix)]
fn current_thread() -> usize {
    extern "C" {
        fn pthread_self() -> *mut std::os::raw::c_void;
    }
    // SAFETY: `pthread_self` has no preconditions and always succeeds.
    unsafe { pthread_self() as usize }
}

#[cfg(windows)]
fn current_thread() -> usize {
    #[link(name = "kernel32")]
    extern "system" {
        /// <https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-getcurrentthreadid>
        fn GetCurrentThreadId() -> u32;
    }
    // SAFETY: `GetCurrentThreadId` has no preconditions and always succeeds.
    unsafe { GetCurrentThreadId() as usize }
}
