//! An allocator that knows how much is allocated and not freed yet, by all threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static LIVING: AtomicUsize = AtomicUsize::new(0);

/// In bytes.
pub fn living() -> usize {
    LIVING.load(Ordering::Relaxed)
}

struct Living;

#[global_allocator]
static ALLOCATOR: Living = Living;

// SAFETY: all that it does is the system allocator's, which keeps the promises of an allocator; counting allocates
// nothing.
unsafe impl GlobalAlloc for Living {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVING.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVING.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises, which are the same; every block is the system allocator's.
        unsafe { System.dealloc(ptr, layout) }
    }
}
