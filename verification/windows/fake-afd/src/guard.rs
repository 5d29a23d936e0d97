//! The allocator. It knows where requests are that the kernel still writes to, and notices when their memory is freed
//! early, or never. It counts what the code under test allocates.

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
    /// How deep this thread is inside the fake kernel, whose allocations are nobody's affair.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// How much this thread has allocated so far, in blocks.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

/// What is allocated until this is dropped does not count.
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

// SAFETY: every block is the system's, and goes back to it at most once.
unsafe impl GlobalAlloc for Guard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: our caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let_go(block as usize, layout.size()) {
            // SAFETY: our caller's promise.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        if !let_go(block as usize, layout.size()) {
            std::process::abort();
        }
        // SAFETY: our caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }
}

fn count() {
    if INSIDE.with(Cell::get) == 0 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
    }
}

/// The addresses that the kernel has ever been given and whose memory has not been freed since. An allocator can't
/// allocate, so there is room for so many and no more.
struct Place {
    address: AtomicUsize,
    /// The kernel may still write there.
    out: AtomicBool,
}

const PLACES: usize = 1 << 15;
static TABLE: [Place; PLACES] = [const { Place { address: AtomicUsize::new(0), out: AtomicBool::new(false) } }; PLACES];
/// Those in use are below this one.
static END: AtomicUsize = AtomicUsize::new(0);
/// Of each piece of memory, by a hash, how many places are in it: most blocks that are freed have none.
const PIECES: usize = 1 << 16;
static PER_PIECE: [AtomicU16; PIECES] = [const { AtomicU16::new(0) }; PIECES];
static FREED_EARLY: AtomicUsize = AtomicUsize::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);

struct Alone;

impl Alone {
    fn enter() -> Alone {
        while BUSY.swap(true, Ordering::Acquire) {
            hint::spin_loop();
            thread::yield_now();
        }
        Alone
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

fn piece(address: usize) -> &'static AtomicU16 {
    &PER_PIECE[(address >> 6) % PIECES]
}

/// The kernel may write to this address from now on.
pub(crate) fn lend(address: usize) {
    let _alone = Alone::enter();
    let end = END.load(Ordering::Relaxed);
    let at = |address| TABLE[..end].iter().position(|place| place.address.load(Ordering::Relaxed) == address);
    let at = at(address).or_else(|| at(0)).unwrap_or(end);
    END.fetch_max(at + 1, Ordering::Relaxed);
    if TABLE[at].address.swap(address, Ordering::Relaxed) != address {
        piece(address).fetch_add(1, Ordering::Relaxed);
    }
    TABLE[at].out.store(true, Ordering::Relaxed);
}

/// It does not write there any more.
pub(crate) fn give_back(address: usize) {
    let _alone = Alone::enter();
    let end = END.load(Ordering::Relaxed);
    for place in TABLE[..end].iter().filter(|place| place.address.load(Ordering::Relaxed) == address) {
        place.out.store(false, Ordering::Relaxed);
    }
}

/// Whether a block may be freed. One that the kernel still writes to is not, and that is remembered.
fn let_go(block: usize, size: usize) -> bool {
    let end = END.load(Ordering::Relaxed);
    let is_small = size <= 64 * 64;
    let is_free_of_them = |address| piece(address).load(Ordering::Relaxed) == 0;
    if end == 0 || is_small && (block >> 6..=(block + size - 1) >> 6).all(|piece| is_free_of_them(piece << 6)) {
        return true;
    }
    let _alone = Alone::enter();
    let inside = || {
        TABLE[..end].iter().filter(|place| {
            let address = place.address.load(Ordering::Relaxed);
            block <= address && address < block + size
        })
    };
    if inside().any(|place| place.out.load(Ordering::Relaxed)) {
        FREED_EARLY.fetch_add(1, Ordering::Relaxed);
        return false;
    }
    for place in inside() {
        piece(place.address.swap(0, Ordering::Relaxed)).fetch_sub(1, Ordering::Relaxed);
    }
    true
}

/// How many blocks were freed while the kernel could still write to them. (They were not, in truth.)
pub(crate) fn freed_early() -> usize {
    FREED_EARLY.load(Ordering::Relaxed)
}

/// How many addresses that were lent are in blocks that have not been freed.
pub(crate) fn kept() -> usize {
    TABLE[..END.load(Ordering::Relaxed)].iter().filter(|place| place.address.load(Ordering::Relaxed) != 0).count()
}

/// Forgets all that was lent.
pub(crate) fn reset() {
    let _alone = Alone::enter();
    for place in &TABLE[..END.swap(0, Ordering::Relaxed)] {
        place.out.store(false, Ordering::Relaxed);
        let address = place.address.swap(0, Ordering::Relaxed);
        if address != 0 {
            piece(address).fetch_sub(1, Ordering::Relaxed);
        }
    }
    FREED_EARLY.store(0, Ordering::Relaxed);
}
