//! An allocator that counts, thread by thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often this thread asks for memory, or for more of it, while `work` runs.
pub fn allocations<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let counter = Counter::begin();
    let result = work();
    (counter.end(), result)
}

/// Counts for one thread. A local of the thread would be simpler, but on some systems the first use of one allocates.
struct Counter {
    /// 0: for none.
    thread: AtomicUsize,
    count: AtomicUsize,
}

impl Counter {
    // It is there to be copied.
    #[allow(clippy::declare_interior_mutable_const)]
    const FREE: Counter = Counter { thread: AtomicUsize::new(0), count: AtomicUsize::new(0) };

    fn begin() -> &'static Counter {
        let is_mine = |counter: &&Counter| {
            counter.thread.compare_exchange(0, current_thread(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let counter = COUNTERS.iter().find(is_mine).expect("more threads count than that");
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

// SAFETY: all that it does is the system allocator's, which keeps the promises of an allocator; counting allocates
// nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller keeps the promises, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller keeps the promises, which are the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.count();
        // SAFETY: the caller keeps the promises, which are the same; every block is the system allocator's.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises, which are the same; every block is the system allocator's.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// A number that no other thread has which lives; never 0.
#[cfg(unix)]
fn current_thread() -> usize {
    extern "C" {
        fn pthread_self() -> *mut std::os::raw::c_void;
    }
    // SAFETY: `pthread_self` takes nothing and always succeeds.
    unsafe { pthread_self() as usize }
}

#[cfg(windows)]
fn current_thread() -> usize {
    #[link(name = "kernel32")]
    extern "system" {
        /// <https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-getcurrentthreadid>
        fn GetCurrentThreadId() -> u32;
    }
    // SAFETY: it takes nothing and always succeeds.
    unsafe { GetCurrentThreadId() as usize }
}
