//! What the model needs of Linux, in safe Rust.

use std::fs;
use std::mem;
use std::os::raw::{c_int, c_long, c_short, c_uint, c_void};
use std::ptr;
use std::time::Duration;

use crate::call::{self, Errno, Signals};
use crate::ffi::{self, epoll_event};

/// A descriptor of the model's own. Not `OwnedFd`, which would close it through the `close` that the model itself is.
pub struct Descriptor(c_int);

impl Descriptor {
    fn new(result: c_int) -> Result<Descriptor, Errno> {
        check(result).map(Descriptor)
    }

    /// The same open file under a number that nobody else knows.
    pub fn duplicate(&self) -> Result<Descriptor, Errno> {
        // SAFETY: this command takes an integer.
        Descriptor::new(unsafe { ffi::fcntl(self.0, ffi::F_DUPFD_CLOEXEC, 0 as c_int) })
    }

    pub fn number(&self) -> c_int {
        self.0
    }

    /// From here on it is somebody else's.
    pub fn give_away(self) -> c_int {
        let number = self.0;
        mem::forget(self);
        number
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        close(self.0);
    }
}

/// Closes a descriptor, and nothing else.
pub fn close(fd: c_int) -> c_int {
    // SAFETY: whoever asks for it owns the descriptor.
    unsafe { ffi::__close(fd) }
}

/// Whether the program's `close` is the C library's, of which `__close` is another name. Then it does not come by here.
pub fn close_passes_us_by() -> bool {
    // SAFETY: the name is a string of C's. The null handle asks as the dynamic linker itself would.
    let close = unsafe { ffi::dlsym(ptr::null_mut(), b"close\0".as_ptr() as ffi::c_str) };
    ptr::eq(close, ffi::__close as *const c_void)
}

fn check(result: c_int) -> Result<c_int, Errno> {
    if result < 0 {
        Err(call::errno())
    } else {
        Ok(result)
    }
}

/// The descriptors that are open, as far as `/proc` tells.
pub fn open_descriptors() -> Vec<c_int> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

pub fn process() -> c_int {
    // SAFETY: it takes nothing.
    unsafe { ffi::getpid() }
}

// Epoll.

pub struct Epoll(pub Descriptor);

/// How many events are taken from an epoll at a time.
const BATCH: usize = 64;

impl Epoll {
    pub fn new(flags: c_int) -> Result<Epoll, Errno> {
        // SAFETY: it takes no pointer.
        Descriptor::new(unsafe { ffi::epoll_create1(flags) }).map(Epoll)
    }

    pub fn add(&self, fd: c_int, events: u32) -> Result<(), Errno> {
        self.control(ffi::EPOLL_CTL_ADD, fd, events)
    }

    /// Whether `epoll` is a number of an epoll that has this in it. Of something that never happens in there, only the
    /// question is asked: it stays as it is.
    pub fn has(epoll: c_int, mark: &Bell) -> bool {
        let mark = mark.0.number();
        let mut event = epoll_event { events: 0, data: mark as u64 };
        // SAFETY: `event` outlives the call, which only reads it; the kernel checks the descriptors.
        unsafe { ffi::epoll_ctl(epoll, ffi::EPOLL_CTL_MOD, mark, &mut event) == 0 }
    }

    pub fn remove(&self, fd: c_int) -> Result<(), Errno> {
        self.control(ffi::EPOLL_CTL_DEL, fd, 0)
    }

    fn control(&self, op: c_int, fd: c_int, events: u32) -> Result<(), Errno> {
        let mut event = epoll_event { events, data: fd as u64 };
        // SAFETY: `event` outlives the call, which only reads it; the kernel checks the descriptors.
        check(unsafe { ffi::epoll_ctl(self.0.number(), op, fd, &mut event) }).map(drop)
    }

    /// Hands over each descriptor in which something has happened since it was handed over last.
    pub fn take(&self, mut each: impl FnMut(c_int)) {
        let mut events = [epoll_event { events: 0, data: 0 }; BATCH];
        loop {
            // SAFETY: there is room for `BATCH` events.
            let count = unsafe { ffi::epoll_wait(self.0.number(), events.as_mut_ptr(), BATCH as c_int, 0) };
            for event in events.iter().take(usize::try_from(count).unwrap_or(0)) {
                each(event.data as c_int);
            }
            if count < BATCH as c_int {
                return;
            }
        }
    }

    /// Sleeps until there is something to take, for `timeout` at most (`None`: as long as it takes). While it sleeps,
    /// and only then, the program's signals come through.
    pub fn sleep(&self, timeout: Option<Duration>, signals: &Signals) -> Result<(), Errno> {
        let timeout = timeout.map(|timeout| ffi::__kernel_timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        let timeout: *const ffi::__kernel_timespec = timeout.as_ref().map_or(ptr::null(), |timeout| timeout);
        let mut event = epoll_event { events: 0, data: 0 };
        // SAFETY: there is room for one event; the time and the set of signals outlive the call, and of the latter it
        // reads as much as it is told.
        let count = unsafe {
            ffi::syscall(
                ffi::SYS_epoll_pwait2,
                c_long::from(self.0.number()),
                &mut event as *mut epoll_event,
                1 as c_long,
                timeout,
                signals.of_the_program() as *const ffi::sigset_t,
                ffi::KERNEL_SIGSET_SIZE,
            )
        };
        check(count as c_int).map(drop)
    }
}

// A descriptor that is readable as long as somebody says so.

pub struct Bell(pub Descriptor);

impl Bell {
    pub fn new() -> Result<Bell, Errno> {
        // SAFETY: it takes no pointer.
        Descriptor::new(unsafe { ffi::eventfd(0, ffi::EFD_CLOEXEC | ffi::EFD_NONBLOCK) }).map(Bell)
    }

    /// Rung twice is rung.
    pub fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight bytes are there to be read. A counter that is full is readable, which is all that is wanted.
        unsafe { ffi::write(self.0.number(), &one as *const u64 as *const c_void, 8) };
    }

    pub fn silence(&self) {
        let mut count = 0u64;
        // SAFETY: eight bytes are there to be written. A counter that is zero already is as it should be.
        unsafe { ffi::read(self.0.number(), &mut count as *mut u64 as *mut c_void, 8) };
    }
}

// What is known of any descriptor.

pub fn is_open(fd: c_int) -> bool {
    // SAFETY: this command takes nothing.
    unsafe { ffi::fcntl(fd, ffi::F_GETFD) >= 0 }
}

pub fn is_pipe(fd: c_int) -> bool {
    // SAFETY: this command takes nothing.
    unsafe { ffi::fcntl(fd, ffi::F_GETPIPE_SZ) >= 0 }
}

/// The bytes that wait to be read, or that the next read would bring.
pub fn bytes_waiting(fd: c_int) -> Option<isize> {
    let mut count: c_int = 0;
    // SAFETY: this request writes an `int`, if it knows the descriptor.
    match unsafe { ffi::ioctl(fd, ffi::FIONREAD, &mut count as *mut c_int) } {
        0 => Some(count as isize),
        _ => None,
    }
}

/// What `poll` says right now.
#[derive(Clone, Copy)]
pub struct Poll(c_short);

impl Poll {
    pub fn of(fd: c_int) -> Poll {
        let events = ffi::POLLIN | ffi::POLLOUT | ffi::POLLRDHUP;
        let mut entry = ffi::pollfd { fd, events, revents: 0 };
        // SAFETY: there is one entry. What makes it fail leaves `revents` empty, and that is an answer.
        unsafe { ffi::poll(&mut entry, 1, 0) };
        Poll(entry.revents)
    }

    pub fn has(self, flags: c_short) -> bool {
        self.0 & flags != 0
    }
}

// What is known of sockets. None of it changes anything, `SO_ERROR` least of all, which is not asked for.

/// An option that is an `int`.
fn option(fd: c_int, name: c_int) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut length = mem::size_of::<c_int>() as c_uint;
    // SAFETY: there is room for an `int`, and `length` says so.
    match unsafe { ffi::getsockopt(fd, ffi::SOL_SOCKET, name, &mut value as *mut c_int as *mut c_void, &mut length) } {
        0 => Some(value),
        _ => None,
    }
}

/// `None`: it is no socket.
pub fn socket_type(fd: c_int) -> Option<c_int> {
    option(fd, ffi::SO_TYPE)
}

pub fn is_tcp(fd: c_int) -> bool {
    option(fd, ffi::SO_PROTOCOL) == Some(ffi::IPPROTO_TCP)
}

pub fn is_unix_stream(fd: c_int) -> bool {
    option(fd, ffi::SO_DOMAIN) == Some(ffi::AF_UNIX) && socket_type(fd) == Some(ffi::SOCK_STREAM)
}

pub fn is_listener(fd: c_int) -> bool {
    option(fd, ffi::SO_ACCEPTCONN) == Some(1)
}

pub fn tcp_info(fd: c_int) -> ffi::tcp_info {
    let mut info = ffi::tcp_info::default();
    let mut length = mem::size_of::<ffi::tcp_info>() as c_uint;
    let place = &mut info as *mut ffi::tcp_info as *mut c_void;
    // SAFETY: there is room for as much of a `tcp_info` as `length` says, and any bytes are one. Should it fail,
    // nothing is known, which is what zeros mean.
    unsafe { ffi::getsockopt(fd, ffi::IPPROTO_TCP, ffi::TCP_INFO, place, &mut length) };
    info
}

/// Whether a Unix stream would refuse to send: sending nothing tells, and sends nothing.
pub fn refuses_to_send(fd: c_int) -> bool {
    let nothing = [0u8; 0];
    // SAFETY: of no bytes, none are read.
    let result = unsafe { ffi::send(fd, nothing.as_ptr() as *const c_void, 0, ffi::MSG_DONTWAIT | ffi::MSG_NOSIGNAL) };
    result < 0 && call::errno() == Errno(ffi::EPIPE)
}
