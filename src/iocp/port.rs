//! The completion port: associates handles, posts and dequeues packets, and counts the packets that are to come.
//!
//! The book opens the port in the same way. This crate adds the count, because it must know when the kernel has written
//! to the memory of this crate for the last time. The program can have the port's handle and queue packets of its own,
//! so this crate's keys are numbers that a program does not use.

use std::cmp;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::mem::MaybeUninit;
use std::os::raw::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::ffi::{self, DWORD, HANDLE, NTSTATUS, OVERLAPPED_ENTRY};

// Each packet has a key and an address: the fields `lpCompletionKey` and `lpOverlapped` of `OVERLAPPED_ENTRY`. The key
// in the field is one of these keys plus `Port::key_offset`.

/// The key of packets that only end a wait, such as a [`Notifier`](super::Notifier)'s. Their address is null.
pub(super) const KEY_NOTIFIER: usize = 0;
/// The key of packets for poll requests. Their address is that of the [`Sock`](super::sock::Sock), and the packet owns
/// one reference to the sock.
pub(super) const KEY_AFD: usize = 1;
/// The key of packets for waits. Their address is that of the [`Waitable`](super::waitable::Waitable), and the packet
/// owns one reference to the waitable.
pub(super) const KEY_WAITABLE: usize = 2;
// Any other key is `Pipe::key`, and the packet owns one reference to the pipe. The packet's address is that of the
// completed operation or, if the pipe posted the packet itself, the end of the array of operations.

/// Converts the status of a native function to an error.
pub(super) fn nt_error(status: NTSTATUS) -> io::Error {
    // SAFETY: `RtlNtStatusToDosError` takes no pointer.
    io::Error::from_raw_os_error(unsafe { ffi::RtlNtStatusToDosError(status) } as i32)
}

/// A handle that this crate owns. Closed when it is dropped.
pub(super) struct Handle(HANDLE);

// SAFETY: a handle is a number that is valid on every thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Takes ownership of a handle.
    ///
    /// # Safety
    ///
    /// The handle is open, and no other code closes it.
    pub unsafe fn from_raw(raw: HANDLE) -> Handle {
        Handle(raw)
    }

    pub fn raw(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the caller of `from_raw` passed an open handle and its ownership.
        unsafe { ffi::CloseHandle(self.0) };
    }
}

/// A completion port.
pub(super) struct Port {
    handle: Handle,
    /// What this crate adds to each key: a random number, so a key of the program equals one of this crate only by
    /// chance. Its highest bit is set, so no key of this crate is a small number or, on a 64-bit system, an address.
    key_offset: usize,
    /// The number of pending requests, operations, waits and posted packets that own a reference to a sock, a pipe or a
    /// waitable.
    pending_packets: AtomicUsize,
    /// Whether a packet of a wait could not be posted.
    has_failed_post: AtomicBool,
}

/// The number of threads that may run at the same time after they dequeued packets: a number that is never reached. If
/// it could be reached, the kernel could delay the dequeuing of a thread that takes over a `Poll` until another thread
/// that has dequeued packets blocks.
const CONCURRENT_THREADS: DWORD = i32::MAX as DWORD;

impl Port {
    pub fn new() -> io::Result<Port> {
        // SAFETY: `CreateIoCompletionPort` uses no pointer if it is called without a file.
        let handle =
            unsafe { ffi::CreateIoCompletionPort(ffi::INVALID_HANDLE_VALUE, ptr::null_mut(), 0, CONCURRENT_THREADS) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `CreateIoCompletionPort` has just returned the handle, and no other code owns it yet.
        let handle = unsafe { Handle::from_raw(handle) };
        let random = RandomState::new().build_hasher().finish() as usize;
        // The two highest bits are 1 and 0, and each key is less than a quarter of all numbers (a pipe's is an
        // address divided by 4), so no sum overflows.
        // The two lowest bits are 0, so the sums end in the bits of the three keys above.
        let key_offset = (random >> 2 | 1 << (usize::BITS - 1)) & !3;
        Ok(Port { handle, key_offset, pending_packets: AtomicUsize::new(0), has_failed_post: AtomicBool::new(false) })
    }

    pub fn raw(&self) -> HANDLE {
        self.handle.raw()
    }

    /// Returns the key of a packet without the offset, or `None` if the program has queued the packet.
    pub fn key_of(&self, packet: &OVERLAPPED_ENTRY) -> Option<usize> {
        packet.lpCompletionKey.checked_sub(self.key_offset)
    }

    /// Associates the handle with this port: each operation on the handle that completes queues a packet with this key.
    pub fn associate(&self, handle: &Handle, key: usize) -> io::Result<()> {
        // SAFETY: both handles are open, and `CreateIoCompletionPort` takes no other pointer.
        let port = unsafe { ffi::CreateIoCompletionPort(handle.raw(), self.handle.raw(), self.key_offset + key, 0) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Queues a packet.
    pub fn post(&self, key: usize, address: *mut c_void) -> io::Result<()> {
        // SAFETY: the handle is open, and the kernel only returns the address with the packet, without using it.
        match unsafe { ffi::PostQueuedCompletionStatus(self.handle.raw(), 0, self.key_offset + key, address) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Dequeues packets until the queue is empty or `buffer` is full. If no packet is queued, blocks until one arrives,
    /// but for `timeout` at most, in whole milliseconds, rounded up (`None`: without limit).
    pub fn dequeue<'a>(
        &self,
        buffer: &'a mut [MaybeUninit<OVERLAPPED_ENTRY>],
        timeout: Option<Duration>,
    ) -> io::Result<&'a [OVERLAPPED_ENTRY]> {
        let milliseconds = match timeout {
            Some(timeout) => {
                let rounded_up = (timeout.as_nanos() + 999_999) / 1_000_000;
                cmp::min(rounded_up, u128::from(ffi::INFINITE - 1)) as DWORD
            }
            None => ffi::INFINITE,
        };
        let mut count = 0;
        let (entries, len) = (buffer.as_mut_ptr().cast::<OVERLAPPED_ENTRY>(), buffer.len() as DWORD);
        // SAFETY: `entries` has room for `len` packets; `entries` and `count` outlive the call.
        let done =
            unsafe { ffi::GetQueuedCompletionStatusEx(self.handle.raw(), entries, len, &mut count, milliseconds, 0) };
        if done == 0 {
            let err = io::Error::last_os_error();
            return if err.raw_os_error() == Some(ffi::WAIT_TIMEOUT) { Ok(&[]) } else { Err(err) };
        }
        let packets: *const [OVERLAPPED_ENTRY] = ptr::slice_from_raw_parts(entries, count as usize);
        // SAFETY: the kernel has just initialised the first `count` entries of `buffer`.
        Ok(unsafe { &*packets })
    }

    /// Counts a kernel reference. The caller calls this just before it submits the request, starts the operation or
    /// posts the packet. `Relaxed` is enough: only `SelectorState::drop` reads the count, when no other thread has a
    /// reference to the port.
    pub fn add_pending_packet(&self) {
        self.pending_packets.fetch_add(1, Ordering::Relaxed);
    }

    /// Subtracts a kernel reference from the count: its packet was dequeued, or there will be no packet.
    pub fn remove_pending_packet(&self) {
        self.pending_packets.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn pending_packets(&self) -> usize {
        self.pending_packets.load(Ordering::Relaxed)
    }

    /// Records that the thread pool could not post the packet of a wait. The next wait at the port posts it.
    pub fn record_failed_post(&self) {
        self.has_failed_post.store(true, Ordering::Release);
    }

    /// Returns whether `record_failed_post` was called since the last call.
    pub fn take_failed_post(&self) -> bool {
        self.has_failed_post.load(Ordering::Relaxed) && self.has_failed_post.swap(false, Ordering::Acquire)
    }
}
