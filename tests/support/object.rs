//! Windows objects for which a thread can wait, and their handles, for which the standard library has no functions.

use std::io;
use std::os::raw::c_void;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;

/// An object, by its only handle.
pub struct Object(OwnedHandle);

impl Object {
    /// Creates an event. A wait resets an event with automatic reset.
    pub fn event(has_manual_reset: bool) -> Object {
        // SAFETY: null stands for no attributes and no name.
        Object::new(unsafe { CreateEventW(ptr::null_mut(), has_manual_reset.into(), 0, ptr::null()) })
    }

    pub fn semaphore(units: i32) -> Object {
        // SAFETY: as above.
        Object::new(unsafe { CreateSemaphoreW(ptr::null_mut(), units, i32::MAX, ptr::null()) })
    }

    /// Creates a timer that is signalled in `milliseconds`.
    pub fn timer(has_manual_reset: bool, milliseconds: i64) -> Object {
        // SAFETY: as above.
        let timer = Object::new(unsafe { CreateWaitableTimerW(ptr::null_mut(), has_manual_reset.into(), ptr::null()) });
        // A negative time is relative, in units of 100 ns.
        let due = -10_000 * milliseconds;
        // SAFETY: the handle is open, `due` outlives the call, and null stands for no routine.
        succeeded(unsafe { SetWaitableTimer(timer.raw(), &due, 0, ptr::null_mut(), ptr::null_mut(), 0) });
        timer
    }

    /// Creates a section of memory, for which no thread can wait.
    pub fn section() -> Object {
        // SAFETY: `INVALID_HANDLE_VALUE` stands for memory without a file; null as above.
        let handle =
            unsafe { CreateFileMappingW(INVALID_HANDLE_VALUE, ptr::null_mut(), PAGE_READWRITE, 0, 4096, ptr::null()) };
        Object::new(handle)
    }

    /// Returns a handle of the same object with this access.
    pub fn with_access(&self, access: u32) -> Object {
        // SAFETY: `GetCurrentProcess` has no obligation.
        let process = unsafe { GetCurrentProcess() };
        let mut duplicate = ptr::null_mut();
        // SAFETY: the handle is open, and `duplicate` outlives the call.
        succeeded(unsafe { DuplicateHandle(process, self.raw(), process, &mut duplicate, access, 0, 0) });
        Object::new(duplicate)
    }

    fn new(handle: RawHandle) -> Object {
        assert!(!handle.is_null(), "{}", io::Error::last_os_error());
        // SAFETY: the system has just returned the handle, and no other code owns it.
        Object(unsafe { OwnedHandle::from_raw_handle(handle) })
    }

    pub fn raw(&self) -> RawHandle {
        self.0.as_raw_handle()
    }

    /// Signals an event.
    pub fn set(&self) {
        // SAFETY: the handle is open.
        succeeded(unsafe { SetEvent(self.raw()) });
    }

    /// Resets an event.
    pub fn reset(&self) {
        // SAFETY: the handle is open.
        succeeded(unsafe { ResetEvent(self.raw()) });
    }

    /// Adds units to a semaphore.
    pub fn release(&self, units: i32) {
        // SAFETY: the handle is open, and null means that the old count is not requested.
        succeeded(unsafe { ReleaseSemaphore(self.raw(), units, ptr::null_mut()) });
    }

    /// Returns whether the object is signalled. If it is, this consumes the signal.
    pub fn take_signal(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.raw(), 0) == 0 }
    }
}

// SAFETY: a handle is a number that is valid on every thread.
unsafe impl Sync for Object {}

/// Posts a packet to a completion port.
pub fn post_packet(port: RawHandle, key: usize, address: usize) {
    // SAFETY: the port is open, and the kernel does not use the address.
    succeeded(unsafe { PostQueuedCompletionStatus(port, 0, key, address) });
}

fn succeeded(result: i32) {
    assert_ne!(result, 0, "{}", io::Error::last_os_error());
}

/// The access right to signal an event, but not to wait for it.
pub const EVENT_MODIFY_STATE: u32 = 2;
const PAGE_READWRITE: u32 = 4;
const INVALID_HANDLE_VALUE: RawHandle = !0_usize as RawHandle;

#[link(name = "kernel32")]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-createeventw>
    fn CreateEventW(attributes: *mut c_void, manual: i32, initial: i32, name: *const u16) -> RawHandle;
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-setevent>
    fn SetEvent(event: RawHandle) -> i32;
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-resetevent>
    fn ResetEvent(event: RawHandle) -> i32;
    /// <https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-createsemaphorew>
    fn CreateSemaphoreW(attributes: *mut c_void, initial: i32, maximum: i32, name: *const u16) -> RawHandle;
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-releasesemaphore>
    fn ReleaseSemaphore(semaphore: RawHandle, units: i32, previous: *mut i32) -> i32;
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-createwaitabletimerw>
    fn CreateWaitableTimerW(attributes: *mut c_void, manual: i32, name: *const u16) -> RawHandle;
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-setwaitabletimer>
    fn SetWaitableTimer(
        timer: RawHandle,
        due: *const i64,
        period: i32,
        routine: *mut c_void,
        argument: *mut c_void,
        resume: i32,
    ) -> i32;
    /// <https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-createfilemappingw>
    fn CreateFileMappingW(
        file: RawHandle,
        attributes: *mut c_void,
        protection: u32,
        size_high: u32,
        size_low: u32,
        name: *const u16,
    ) -> RawHandle;
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-waitforsingleobject>
    fn WaitForSingleObject(handle: RawHandle, milliseconds: u32) -> u32;
    /// <https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-duplicatehandle>
    fn DuplicateHandle(
        source_process: RawHandle,
        source: RawHandle,
        target_process: RawHandle,
        target: *mut RawHandle,
        access: u32,
        inherit: i32,
        options: u32,
    ) -> i32;
    /// <https://learn.microsoft.com/windows/win32/fileio/postqueuedcompletionstatus>. `overlapped` is a pointer in C.
    fn PostQueuedCompletionStatus(port: RawHandle, bytes: u32, key: usize, overlapped: usize) -> i32;
    /// <https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-getcurrentprocess>
    fn GetCurrentProcess() -> RawHandle;
}
