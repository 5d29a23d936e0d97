//! The completion port: where packets come in, and what waits to be asked for.

use std::cmp;
use std::collections::VecDeque;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::raw::c_void;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::ffi::{self, DWORD, HANDLE, NTSTATUS, OVERLAPPED_ENTRY};
use super::pipe::Pipe;
use super::poll_group::Helpers;
use super::sock::Sock;
use crate::sync::lock;

/// The key of packets that end a wait: a [`Notifier`](super::Notifier)'s above all. Their address is null.
pub(super) const NOTIFIER: usize = 0;
/// The key of packets that say that a request of a [`Sock`] is no longer out. Their address is that of the sock, and
/// with it comes the reference that was lent to the kernel.
pub(super) const AFD: usize = 1;
// Any other key is the address of a [`Pipe`], and comes with a reference too. The address is that of the operation that
// is no longer out, or null: the pipe has posted it itself, since it has something to tell.

/// The error for a status that a native call has returned.
pub(super) fn nt_error(status: NTSTATUS) -> io::Error {
    // SAFETY: `RtlNtStatusToDosError` takes no pointer.
    io::Error::from_raw_os_error(unsafe { ffi::RtlNtStatusToDosError(status) } as i32)
}

/// A handle of our own, closed in the end.
pub(super) struct Handle(HANDLE);

// SAFETY: a handle is a number, which is good on every thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// # Safety
    ///
    /// It is open, and nobody else will close it.
    pub unsafe fn from_raw(raw: HANDLE) -> Handle {
        Handle(raw)
    }

    pub fn raw(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: whoever made this has given the handle away.
        unsafe { ffi::CloseHandle(self.0) };
    }
}

pub(super) struct Port {
    handle: Handle,
    pub helpers: Helpers,
    /// The pipes whose operations end here.
    pipes: Mutex<Vec<Weak<Pipe>>>,
    queue: Mutex<Queue>,
    /// How many references are lent to the kernel, each for a packet to come.
    lent: AtomicUsize,
}

/// The socks that want something else than what they have asked for, and the pipes that have something to tell. They
/// are seen to when the next wait begins: until then the program may change its mind at no cost, and what many changes
/// come to is one request.
struct Queue {
    socks: VecDeque<Arc<Sock>>,
    pipes: VecDeque<Arc<Pipe>>,
    /// A wait has begun, and there may be none after it for a long time.
    waiting: bool,
}

/// So many threads that have taken packets may run at the same time: no limit. A poll may move on to another thread,
/// and must not wait there until the one that it was on before falls asleep.
const CONCURRENT_THREADS: DWORD = i32::MAX as DWORD;

impl Port {
    pub fn new() -> io::Result<Port> {
        // SAFETY: without a file, `CreateIoCompletionPort` takes no pointer.
        let handle =
            unsafe { ffi::CreateIoCompletionPort(ffi::INVALID_HANDLE_VALUE, ptr::null_mut(), 0, CONCURRENT_THREADS) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Port {
            // SAFETY: `CreateIoCompletionPort` has just returned it, and nothing else knows it yet.
            handle: unsafe { Handle::from_raw(handle) },
            helpers: Helpers::new(),
            pipes: Mutex::new(Vec::new()),
            queue: Mutex::new(Queue { socks: VecDeque::new(), pipes: VecDeque::new(), waiting: false }),
            lent: AtomicUsize::new(0),
        })
    }

    /// From now on, what completes at the handle is a packet in this port, with this key.
    pub fn connect(&self, handle: &Handle, key: usize) -> io::Result<()> {
        // SAFETY: both handles are open; nothing is pointed to.
        let port = unsafe { ffi::CreateIoCompletionPort(handle.raw(), self.handle.raw(), key, 0) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// From now on, the pipe's operations are cancelled when this port goes.
    pub fn adopt(&self, pipe: &Arc<Pipe>) {
        let mut pipes = lock(&self.pipes);
        // Before it grows, it lets go of those that are gone.
        if pipes.len() == pipes.capacity() {
            pipes.retain(|pipe| pipe.strong_count() > 0);
            let len = pipes.len();
            pipes.reserve(len + 1);
        }
        pipes.push(Arc::downgrade(pipe));
    }
}

// Packets.

impl Port {
    /// Puts a packet in.
    pub fn post(&self, key: usize, address: *mut c_void) -> io::Result<()> {
        // SAFETY: the handle is open; the address is handed on as it is.
        match unsafe { ffi::PostQueuedCompletionStatus(self.handle.raw(), 0, key, address) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Takes packets out, as many as there are and as there is room for. Without any, it waits for `timeout`, in whole
    /// milliseconds, rounded up (`None`: as long as it takes).
    pub fn take<'a>(
        &self,
        room: &'a mut [MaybeUninit<OVERLAPPED_ENTRY>],
        timeout: Option<Duration>,
    ) -> io::Result<&'a [OVERLAPPED_ENTRY]> {
        let milliseconds = match timeout {
            Some(timeout) => {
                let whole = (timeout.as_nanos() + 999_999) / 1_000_000;
                cmp::min(whole, u128::from(ffi::INFINITE - 1)) as DWORD
            }
            None => ffi::INFINITE,
        };
        let mut count = 0;
        let place: *mut OVERLAPPED_ENTRY = room.as_mut_ptr().cast();
        // SAFETY: `place` has room for as many packets as is said; both it and `count` outlive the call.
        let done = unsafe {
            ffi::GetQueuedCompletionStatusEx(self.handle.raw(), place, room.len() as DWORD, &mut count, milliseconds, 0)
        };
        if done == 0 {
            let err = io::Error::last_os_error();
            return if err.raw_os_error() == Some(ffi::WAIT_TIMEOUT) { Ok(&[]) } else { Err(err) };
        }
        let packets: *const [OVERLAPPED_ENTRY] = ptr::slice_from_raw_parts(place, count as usize);
        // SAFETY: the kernel has just initialised the first `count` of them.
        Ok(unsafe { &*packets })
    }

    /// A reference to a sock or a pipe leaves for the kernel.
    pub fn lend(&self) {
        self.lent.fetch_add(1, Ordering::Relaxed);
    }

    /// A reference has come back from the kernel.
    pub fn return_one(&self) {
        self.lent.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn lent(&self) -> usize {
        self.lent.load(Ordering::Relaxed)
    }
}

// The queue.

impl Port {
    /// Has the sock seen to by the next wait. False if one is under way: then the caller must see to it now.
    pub fn enqueue(&self, sock: &Arc<Sock>) -> bool {
        let mut queue = lock(&self.queue);
        if queue.waiting {
            return false;
        }
        push(&mut queue.socks, sock);
        true
    }

    /// The same for a pipe.
    pub fn enqueue_pipe(&self, pipe: &Arc<Pipe>) -> bool {
        let mut queue = lock(&self.queue);
        if queue.waiting {
            return false;
        }
        push(&mut queue.pipes, pipe);
        true
    }

    /// Has the sock seen to by the next wait, whenever that is.
    pub fn retry(&self, sock: &Arc<Sock>) {
        push(&mut lock(&self.queue).socks, sock);
    }

    /// The same for a pipe.
    pub fn retry_pipe(&self, pipe: &Arc<Pipe>) {
        push(&mut lock(&self.queue).pipes, pipe);
    }

    /// Sees to all that is queued. If the wait may `block`, then until its end everybody sees to what comes himself:
    /// the kernel takes requests from any thread.
    pub fn begin_wait(&self, may_block: bool) -> Waiting<'_> {
        let (socks, pipes) = {
            let mut queue = lock(&self.queue);
            queue.waiting = may_block;
            (queue.socks.len(), queue.pipes.len())
        };
        let mut waiting = Waiting { port: self, is_complete: true };
        for _ in 0..pipes {
            let pipe = match lock(&self.queue).pipes.pop_front() {
                Some(pipe) => pipe,
                None => break,
            };
            pipe.update(self);
        }
        for _ in 0..socks {
            let sock = match lock(&self.queue).socks.pop_front() {
                Some(sock) => sock,
                None => break,
            };
            if sock.update(self, may_block) {
                self.retry(&sock);
            }
        }
        waiting.is_complete = {
            let queue = lock(&self.queue);
            queue.socks.is_empty() && queue.pipes.is_empty()
        };
        waiting
    }

    pub fn is_waiting(&self) -> bool {
        lock(&self.queue).waiting
    }
}

fn push<T>(line: &mut VecDeque<Arc<T>>, last: &Arc<T>) {
    // Before it grows, it lets go of those that nobody else has any more: their sources have been dropped.
    if line.len() == line.capacity() {
        line.retain(|source| Arc::strong_count(source) > 1);
        line.reserve(line.len() + 1);
    }
    line.push_back(Arc::clone(last));
}

/// A wait is under way. Whichever way it ends, the queue serves again.
pub(super) struct Waiting<'a> {
    port: &'a Port,
    /// Nothing is left in the queue.
    is_complete: bool,
}

/// How long a wait goes on without those that it has left in the queue.
const NO_HURRY: Duration = Duration::from_millis(1);

impl Waiting<'_> {
    /// Whether all that was queued has been seen to.
    pub fn end(self) -> bool {
        self.is_complete
    }

    /// For how long the port may be waited for.
    pub fn limit(&self, timeout: Option<Duration>) -> Option<Duration> {
        match timeout {
            _ if self.is_complete => timeout,
            Some(timeout) => Some(cmp::min(timeout, NO_HURRY)),
            None => Some(NO_HURRY),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.port.queue).waiting = false;
    }
}

/// How long a port that is dropped waits for a packet that the kernel owes it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nothing that the kernel still writes to may be freed. So all that is out is cancelled, and its packets awaited.
impl Drop for Port {
    fn drop(&mut self) {
        self.helpers.cancel_all();
        let pipes = mem::take(&mut *lock(&self.pipes));
        for pipe in pipes.iter().filter_map(Weak::upgrade) {
            pipe.stop();
        }
        let mut room = [MaybeUninit::uninit(); 32];
        while self.lent() > 0 {
            let packets = match self.take(&mut room, Some(PATIENCE)) {
                Ok(packets) if !packets.is_empty() => packets,
                // They do not come. What they speak of must stay for ever, and does: its references are never returned.
                _ => return,
            };
            for packet in packets {
                match packet.lpCompletionKey {
                    NOTIFIER => continue,
                    // SAFETY: the packet bears the key, and has just been taken.
                    AFD => drop(unsafe { Sock::from_packet(packet.lpOverlapped) }),
                    key => {
                        // SAFETY: the packet bears a pipe's key, and has just been taken.
                        let pipe = unsafe { Pipe::from_packet(key) };
                        // The program may have the pipe still, and will want to know how this has ended.
                        // SAFETY: as above.
                        let _nobody_waits = unsafe { pipe.complete(self, packet.lpOverlapped) };
                    }
                }
                self.return_one();
            }
        }
    }
}
