//! Counts system calls on their way out. A Windows program calls other modules through a table of addresses, which the
//! loader has filled in; here, some of them are replaced by functions that count and then go where the loader meant.

use std::ffi::c_void;
use std::mem;
use std::ops::Sub;
use std::sync::atomic::{AtomicUsize, Ordering};

static SUBMITS: AtomicUsize = AtomicUsize::new(0);
static CANCELS: AtomicUsize = AtomicUsize::new(0);
static WAITS: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Copy)]
pub struct Calls {
    pub submits: usize,
    pub cancels: usize,
    pub waits: usize,
}

impl Calls {
    pub fn now() -> Calls {
        let [submits, cancels, waits] = [&SUBMITS, &CANCELS, &WAITS].map(|count| count.load(Ordering::Relaxed));
        Calls { submits, cancels, waits }
    }
}

impl Sub for Calls {
    type Output = Calls;

    fn sub(self, earlier: Calls) -> Calls {
        Calls {
            submits: self.submits - earlier.submits,
            cancels: self.cancels - earlier.cancels,
            waits: self.waits - earlier.waits,
        }
    }
}

type Submit = unsafe extern "system" fn(
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    u32,
    *mut c_void,
    u32,
    *mut c_void,
    u32,
) -> i32;
type Cancel = unsafe extern "system" fn(*mut c_void, *mut c_void, *mut c_void) -> i32;
type Wait = unsafe extern "system" fn(*mut c_void, *mut c_void, u32, *mut u32, u32, i32) -> i32;

/// Where the calls lead.
static SUBMIT: AtomicUsize = AtomicUsize::new(0);
static CANCEL: AtomicUsize = AtomicUsize::new(0);
static WAIT: AtomicUsize = AtomicUsize::new(0);

const IOCTL_AFD_POLL: u32 = 0x12024;

#[allow(clippy::too_many_arguments)] // They are the system's.
unsafe extern "system" fn submit(
    device: *mut c_void,
    event: *mut c_void,
    routine: *mut c_void,
    context: *mut c_void,
    status: *mut c_void,
    code: u32,
    input: *mut c_void,
    input_len: u32,
    output: *mut c_void,
    output_len: u32,
) -> i32 {
    SUBMITS.fetch_add(usize::from(code == IOCTL_AFD_POLL), Ordering::Relaxed);
    // SAFETY: `intercept` has put the address of a function of this type there.
    let submit = unsafe { mem::transmute::<usize, Submit>(SUBMIT.load(Ordering::Relaxed)) };
    // SAFETY: the caller keeps the promises, which are the same.
    unsafe { submit(device, event, routine, context, status, code, input, input_len, output, output_len) }
}

unsafe extern "system" fn cancel(device: *mut c_void, request: *mut c_void, status: *mut c_void) -> i32 {
    CANCELS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: `intercept` has put the address of a function of this type there.
    let cancel = unsafe { mem::transmute::<usize, Cancel>(CANCEL.load(Ordering::Relaxed)) };
    // SAFETY: the caller keeps the promises, which are the same.
    unsafe { cancel(device, request, status) }
}

unsafe extern "system" fn wait(
    port: *mut c_void,
    entries: *mut c_void,
    room: u32,
    count: *mut u32,
    milliseconds: u32,
    alertable: i32,
) -> i32 {
    WAITS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: `intercept` has put the address of a function of this type there.
    let wait = unsafe { mem::transmute::<usize, Wait>(WAIT.load(Ordering::Relaxed)) };
    // SAFETY: the caller keeps the promises, which are the same.
    unsafe { wait(port, entries, room, count, milliseconds, alertable) }
}

/// From now on, the calls of this program (and not of the modules that it uses) are counted.
pub fn intercept() {
    let replaced: [(&[u8], &[u8], &AtomicUsize, usize); 3] = [
        (b"ntdll.dll\0", b"NtDeviceIoControlFile\0", &SUBMIT, submit as Submit as usize),
        (b"ntdll.dll\0", b"NtCancelIoFileEx\0", &CANCEL, cancel as Cancel as usize),
        (b"kernel32.dll\0", b"GetQueuedCompletionStatusEx\0", &WAIT, wait as Wait as usize),
    ];
    let (table, len) = import_table();
    for (module, name, original, replacement) in replaced {
        // SAFETY: the name ends with a zero byte.
        let module = unsafe { GetModuleHandleA(module.as_ptr()) };
        // SAFETY: the module is loaded for as long as the program runs, and the name ends with a zero byte.
        let address = unsafe { GetProcAddress(module, name.as_ptr()) };
        original.store(address, Ordering::Relaxed);
        let mut found = 0;
        for n in 0..len {
            // SAFETY: `n` is within the table.
            let entry = unsafe { table.add(n) };
            // SAFETY: as above; nobody else writes there.
            if unsafe { entry.read() } == address {
                // SAFETY: as above. Whoever calls through the entry calls a function of the same type.
                unsafe { entry.write(replacement) };
                found += 1;
            }
        }
        assert!(found > 0, "{} is not called", String::from_utf8_lossy(name));
    }
}

/// The table of imported addresses, made writable.
///
/// <https://learn.microsoft.com/windows/win32/debug/pe-format>
fn import_table() -> (*mut usize, usize) {
    /// The directory entry of the import address table, the thirteenth, in the headers of a 64-bit program.
    const TABLE: usize = 24 + 112 + 12 * 8;
    // SAFETY: null stands for the program itself.
    let program = unsafe { GetModuleHandleA(std::ptr::null()) };
    let read = |offset: usize| {
        // SAFETY: the headers are in memory where the program begins, and well formed, or it would not run.
        let place = unsafe { program.cast::<u8>().add(offset) };
        // SAFETY: as above.
        unsafe { place.cast::<u32>().read_unaligned() as usize }
    };
    let headers = read(0x3c);
    let (start, size) = (read(headers + TABLE), read(headers + TABLE + 4));
    // SAFETY: the headers say that the table is there.
    let table = unsafe { program.cast::<u8>().add(start) };
    let mut old = 0;
    // SAFETY: that memory is the program's own, and to be able to write there hurts nobody.
    let done = unsafe { VirtualProtect(table.cast(), size, PAGE_READWRITE, &mut old) };
    assert_ne!(done, 0);
    (table.cast(), size / mem::size_of::<usize>())
}

const PAGE_READWRITE: u32 = 4;

#[link(name = "kernel32")]
extern "system" {
    fn GetModuleHandleA(name: *const u8) -> *mut c_void;
    fn GetProcAddress(module: *mut c_void, name: *const u8) -> usize;
    fn VirtualProtect(address: *mut c_void, size: usize, protection: u32, old: *mut u32) -> i32;
}
