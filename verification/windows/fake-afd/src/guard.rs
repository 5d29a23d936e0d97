//! The allocator. It records the memory of pending requests, to which the kernel still writes, and detects when that
//! memory is freed too early or never. It also counts the allocations of the code under test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::thread;

struct Guard;

#[global_allocator]
static GUARD: Guard = Guard;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// How many calls deep this thread is inside the fake kernel, whose allocations are not counted.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// Returns how many blocks this thread has allocated so far.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

/// While this exists, allocations of this thread are not counted.
pub(crate) struct Uncounted(());

impl Uncounted {
    pub fn begin() -> Uncounted {
        INSIDE.with(|depth| depth.set(depth.get() + 1));
        Uncounted(())
    }
}

impl Drop for Uncounted {
    fn drop(&mut self) {
        INSIDE.with(|depth| depth.set(depth.get() - 1));
    }
}

// SAFETY: every block comes from the system allocator and is returned to it at most once.
unsafe impl GlobalAlloc for Guard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller promises the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if may_free(block as usize, layout.size()) {
            // SAFETY: the caller promises the same.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        if !may_free(block as usize, layout.size()) {
            std::process::abort();
        }
        // SAFETY: the caller promises the same.
        unsafe { System.realloc(block, layout, size) }
    }
}

fn count() {
    if INSIDE.with(Cell::get) == 0 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
    }
}

/// An address that was passed to the kernel and whose memory has not been freed since. `TABLE` has these addresses. An
/// allocator cannot allocate, so `TABLE` has a fixed size.
struct Place {
    address: AtomicUsize,
    /// The kernel may still write to this address.
    is_pending: AtomicBool,
}

const PLACES: usize = 1 << 15;
static TABLE: [Place; PLACES] =
    [const { Place { address: AtomicUsize::new(0), is_pending: AtomicBool::new(false) } }; PLACES];
/// The number of used entries.
static END: AtomicUsize = AtomicUsize::new(0);
/// For each piece of 64 bytes of memory, the number of recorded addresses in it; pieces with the same hash share one
/// counter. Most freed blocks contain no recorded address, and the counters show this without a search in `TABLE`.
const PIECES: usize = 1 << 16;
static PER_PIECE: [AtomicU16; PIECES] = [const { AtomicU16::new(0) }; PIECES];
static FREED_EARLY: AtomicUsize = AtomicUsize::new(0);
static LOCKED: AtomicBool = AtomicBool::new(false);

struct TableLock;

impl TableLock {
    fn lock() -> TableLock {
        while LOCKED.swap(true, Ordering::Acquire) {
            hint::spin_loop();
            thread::yield_now();
        }
        TableLock
    }
}

impl Drop for TableLock {
    fn drop(&mut self) {
        LOCKED.store(false, Ordering::Release);
    }
}

fn piece(address: usize) -> &'static AtomicU16 {
    &PER_PIECE[(address >> 6) % PIECES]
}

/// Records that the kernel may write to this address from now on.
pub(crate) fn mark_pending(address: usize) {
    let _lock = TableLock::lock();
    let end = END.load(Ordering::Relaxed);
    let at = |address| TABLE[..end].iter().position(|place| place.address.load(Ordering::Relaxed) == address);
    let at = at(address).or_else(|| at(0)).unwrap_or(end);
    END.fetch_max(at + 1, Ordering::Relaxed);
    if TABLE[at].address.swap(address, Ordering::Relaxed) != address {
        piece(address).fetch_add(1, Ordering::Relaxed);
    }
    TABLE[at].is_pending.store(true, Ordering::Relaxed);
}

/// Records that the kernel does not write to this address any more.
pub(crate) fn mark_done(address: usize) {
    let _lock = TableLock::lock();
    let end = END.load(Ordering::Relaxed);
    for place in TABLE[..end].iter().filter(|place| place.address.load(Ordering::Relaxed) == address) {
        place.is_pending.store(false, Ordering::Relaxed);
    }
}

/// Returns whether a block may be freed. A block to which the kernel still writes is kept and counted.
fn may_free(block: usize, size: usize) -> bool {
    let end = END.load(Ordering::Relaxed);
    let is_small = size <= 64 * 64;
    let has_no_recorded_address = |address| piece(address).load(Ordering::Relaxed) == 0;
    if end == 0 || is_small && (block >> 6..=(block + size - 1) >> 6).all(|piece| has_no_recorded_address(piece << 6)) {
        return true;
    }
    let _lock = TableLock::lock();
    let inside = || {
        TABLE[..end].iter().filter(|place| {
            let address = place.address.load(Ordering::Relaxed);
            block <= address && address < block + size
        })
    };
    if inside().any(|place| place.is_pending.load(Ordering::Relaxed)) {
        FREED_EARLY.fetch_add(1, Ordering::Relaxed);
        return false;
    }
    for place in inside() {
        piece(place.address.swap(0, Ordering::Relaxed)).fetch_sub(1, Ordering::Relaxed);
    }
    true
}

/// Returns how many blocks the code under test freed while the kernel could still write to them. (The allocator kept
/// them.)
pub(crate) fn freed_early() -> usize {
    FREED_EARLY.load(Ordering::Relaxed)
}

/// Returns how many recorded addresses are in blocks that have not been freed.
pub(crate) fn kept() -> usize {
    TABLE[..END.load(Ordering::Relaxed)].iter().filter(|place| place.address.load(Ordering::Relaxed) != 0).count()
}

/// Removes all records.
pub(crate) fn reset() {
    let _lock = TableLock::lock();
    for place in &TABLE[..END.swap(0, Ordering::Relaxed)] {
        place.is_pending.store(false, Ordering::Relaxed);
        let address = place.address.swap(0, Ordering::Relaxed);
        if address != 0 {
            piece(address).fetch_sub(1, Ordering::Relaxed);
        }
    }
    FREED_EARLY.store(0, Ordering::Relaxed);
}
