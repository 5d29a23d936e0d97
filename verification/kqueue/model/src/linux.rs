//! Safe wrappers of the Linux calls that the model uses.

use std::fs;
use std::mem;
use std::os::raw::{c_int, c_long, c_short, c_uint, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::call::{self, Errno, Signals};
use crate::ffi::{self, epoll_event};
use crate::filter::Filter;

/// A descriptor that the model owns. Not `OwnedFd`: its drop would call the model's own `close`.
pub struct Descriptor(c_int);

impl Descriptor {
    fn new(result: c_int) -> Result<Descriptor, Errno> {
        check(result).map(Descriptor)
    }

    /// Duplicates the descriptor; only the model knows the new number.
    pub fn duplicate(&self) -> Result<Descriptor, Errno> {
        // SAFETY: this command takes an integer.
        Descriptor::new(unsafe { ffi::fcntl(self.0, ffi::F_DUPFD_CLOEXEC, 0 as c_int) })
    }

    pub fn number(&self) -> c_int {
        self.0
    }

    /// Returns the number without closing it: the program owns the descriptor from now on.
    pub fn into_number(self) -> c_int {
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

/// Closes a descriptor and leaves its knotes alone.
pub fn close(fd: c_int) -> c_int {
    // SAFETY: the caller owns the descriptor.
    unsafe { ffi::__close(fd) }
}

/// Returns whether the program's `close` is the C library's (`__close` is its second name) and not the model's. Then
/// the model sees no close.
pub fn close_bypasses_model() -> bool {
    // SAFETY: the name is a C string. The null handle searches in the dynamic linker's own order.
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

/// Returns the open descriptors that `/proc` lists; none if `/proc` cannot be read.
pub fn open_descriptors() -> Vec<c_int> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns a process descriptor, which is readable when the process has exited. The error is `ESRCH` if there is no
/// such process.
pub fn open_process(process: usize) -> Result<Descriptor, Errno> {
    let process = c_int::try_from(process).map_err(|_| Errno(ffi::ESRCH))?;
    // SAFETY: the call takes two integers.
    Descriptor::new(unsafe { ffi::syscall(ffi::SYS_pidfd_open, c_long::from(process), 0 as c_long) } as c_int)
}

pub fn process() -> c_int {
    // SAFETY: the call takes no argument.
    unsafe { ffi::getpid() }
}

/// Returns a timerfd, which is readable after each period or, if `is_once`, after one.
pub fn open_clock(period: Duration, is_once: bool) -> Result<Descriptor, Errno> {
    // SAFETY: the call takes two integers.
    let clock =
        Descriptor::new(unsafe { ffi::timerfd_create(ffi::CLOCK_MONOTONIC, ffi::TFD_CLOEXEC | ffi::TFD_NONBLOCK) })?;
    let time = |time: Duration| ffi::timespec { tv_sec: time.as_secs() as c_long, tv_nsec: time.subsec_nanos().into() };
    let interval = if is_once { Duration::ZERO } else { period };
    let times = ffi::itimerspec { it_interval: time(interval), it_value: time(period) };
    // SAFETY: `times` outlives the call; null means that the old times are not wanted.
    check(unsafe { ffi::timerfd_settime(clock.0, 0, &times, ptr::null_mut()) })?;
    Ok(clock)
}

/// Returns the number of periods that have passed since the last call.
pub fn periods(clock: &Descriptor) -> isize {
    let mut count = 0u64;
    // SAFETY: `count` has the 8 bytes that the call writes.
    match unsafe { ffi::read(clock.0, (&mut count as *mut u64).cast(), 8) } {
        8 => count as isize,
        _ => 0,
    }
}

// Signals.
//
// A handler counts each watched signal and then calls the handler that the program had installed before. An eventfd for
// each signal wakes the kqueues that watch it. The handler stays installed.

#[allow(clippy::declare_interior_mutable_const)] // The constants only initialise the tables.
const NONE_SENT: AtomicUsize = AtomicUsize::new(0);
#[allow(clippy::declare_interior_mutable_const)]
const NOT_WATCHED: AtomicI32 = AtomicI32::new(-1);
static SENT: [AtomicUsize; ffi::SIGNALS] = [NONE_SENT; ffi::SIGNALS];
static PREVIOUS: [AtomicUsize; ffi::SIGNALS] = [NONE_SENT; ffi::SIGNALS];
static COUNTERS: [AtomicI32; ffi::SIGNALS] = [NOT_WATCHED; ffi::SIGNALS];
static INSTALLING: Mutex<()> = Mutex::new(());

/// Returns how often the signal was sent to this process since it is watched.
pub fn signals_sent(number: usize) -> usize {
    SENT.get(number).map_or(0, |sent| sent.load(Ordering::SeqCst))
}

/// Returns a descriptor that has an edge whenever the signal is sent.
pub fn watch_signal(number: usize) -> Result<Descriptor, Errno> {
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let counter = COUNTERS.get(number).filter(|_| number != 0).ok_or(Errno(ffi::EINVAL))?;
    if counter.load(Ordering::SeqCst) < 0 {
        let eventfd = EventFd::new()?;
        let action = |handler| ffi::sigaction {
            sa_handler: handler,
            sa_mask: ffi::NO_SIGNALS,
            sa_flags: ffi::SA_RESTART | ffi::SA_SIGINFO,
            sa_restorer: 0,
        };
        let mut old = action(0);
        // SAFETY: null means that the action does not change; `old` outlives the call.
        check(unsafe { ffi::set_sigaction(number as c_int, ptr::null(), &mut old) })?;
        PREVIOUS[number].store(old.sa_handler, Ordering::SeqCst);
        counter.store(eventfd.0.into_number(), Ordering::SeqCst);
        let handler: extern "C" fn(c_int, *mut c_void, *mut c_void) = count_signal;
        // SAFETY: the handler calls only `write` and the previous handler. `action` outlives the call.
        let result = check(unsafe { ffi::set_sigaction(number as c_int, &action(handler as usize), &mut old) });
        if let Err(error) = result {
            close(counter.swap(-1, Ordering::SeqCst));
            return Err(error);
        }
    }
    // SAFETY: this command takes an integer.
    Descriptor::new(unsafe { ffi::fcntl(counter.load(Ordering::SeqCst), ffi::F_DUPFD_CLOEXEC, 0 as c_int) })
}

extern "C" fn count_signal(number: c_int, info: *mut c_void, context: *mut c_void) {
    let errno = call::errno();
    let index = number as usize;
    SENT[index].fetch_add(1, Ordering::SeqCst);
    let one = 1u64;
    // SAFETY: the call reads the 8 bytes of `one`.
    unsafe { ffi::write(COUNTERS[index].load(Ordering::SeqCst), (&one as *const u64).cast(), 8) };
    let previous = PREVIOUS[index].load(Ordering::SeqCst);
    if previous > ffi::SIG_IGN {
        // SAFETY: the number is that of a handler, whose first parameters are these; C passes surplus ones.
        let previous: extern "C" fn(c_int, *mut c_void, *mut c_void) = unsafe { mem::transmute(previous) };
        previous(number, info, context);
    }
    call::set_errno(errno);
}

// Epoll.

pub struct Epoll(pub Descriptor);

/// What an entry of an epoll stands for.
#[derive(Clone, Copy)]
pub enum Edge {
    Descriptor(c_int),
    /// A process, a signal or a timer: the filter and the identifier of its knote.
    Object(Filter, usize),
}

/// The bits of an entry's data that distinguish other objects from descriptors, and the lowest of them. An identifier
/// of more than 61 bits has no entry.
const OBJECT: u64 = 3 << OBJECT_SHIFT;
const OBJECT_SHIFT: u32 = 62;
const OBJECT_FILTERS: [Filter; 3] = [Filter::Proc, Filter::Signal, Filter::Timer];

/// How many events one `epoll_wait` takes.
const BATCH: usize = 64;

impl Epoll {
    pub fn new(flags: c_int) -> Result<Epoll, Errno> {
        // SAFETY: the call takes no pointer.
        Descriptor::new(unsafe { ffi::epoll_create1(flags) }).map(Epoll)
    }

    pub fn add(&self, fd: c_int, events: u32) -> Result<(), Errno> {
        self.control(ffi::EPOLL_CTL_ADD, fd, events, fd as u64)
    }

    /// Adds the descriptor of a process, a signal or a timer. `take` passes `filter` and `ident` instead of its number.
    pub fn add_object(&self, object: &Descriptor, filter: Filter, ident: usize) -> Result<(), Errno> {
        let kind = OBJECT_FILTERS.iter().position(|known| *known == filter).map_or(0, |index| index as u64 + 1);
        if ident as u64 & OBJECT != 0 {
            return Err(Errno(ffi::EINVAL));
        }
        self.control(ffi::EPOLL_CTL_ADD, object.0, ffi::EPOLLIN | ffi::EPOLLET, kind << OBJECT_SHIFT | ident as u64)
    }

    /// Returns whether the descriptor `epoll` is an epoll that contains `mark`. `EPOLL_CTL_MOD` succeeds only for an
    /// entry; it sets the entry's events to none, which they are already.
    pub fn has(epoll: c_int, mark: &EventFd) -> bool {
        let mark = mark.0.number();
        let mut event = epoll_event { events: 0, data: mark as u64 };
        // SAFETY: `event` outlives the call, which only reads it. The kernel checks the descriptors.
        unsafe { ffi::epoll_ctl(epoll, ffi::EPOLL_CTL_MOD, mark, &mut event) == 0 }
    }

    pub fn remove(&self, fd: c_int) -> Result<(), Errno> {
        self.control(ffi::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, op: c_int, fd: c_int, events: u32, data: u64) -> Result<(), Errno> {
        let mut event = epoll_event { events, data };
        // SAFETY: `event` outlives the call, which only reads it. The kernel checks the descriptors.
        check(unsafe { ffi::epoll_ctl(self.0.number(), op, fd, &mut event) }).map(drop)
    }

    /// Calls `each` for every descriptor and every other object with an edge since the last call.
    pub fn take(&self, mut each: impl FnMut(Edge)) {
        let mut events = [epoll_event { events: 0, data: 0 }; BATCH];
        loop {
            // SAFETY: `events` holds `BATCH` events.
            let count = unsafe { ffi::epoll_wait(self.0.number(), events.as_mut_ptr(), BATCH as c_int, 0) };
            for event in events.iter().take(usize::try_from(count).unwrap_or(0)) {
                let data = event.data;
                each(match data >> OBJECT_SHIFT {
                    0 => Edge::Descriptor(data as c_int),
                    kind => Edge::Object(OBJECT_FILTERS[kind as usize - 1], (data & !OBJECT) as usize),
                });
            }
            if count < BATCH as c_int {
                return;
            }
        }
    }

    /// Blocks until an entry is ready, for at most `timeout` (`None`: without a limit). The program's signals are
    /// unblocked only while this call blocks.
    pub fn block(&self, timeout: Option<Duration>, signals: &Signals) -> Result<(), Errno> {
        let timeout = timeout.map(|timeout| ffi::__kernel_timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        let timeout: *const ffi::__kernel_timespec = timeout.as_ref().map_or(ptr::null(), |timeout| timeout);
        let mut event = epoll_event { events: 0, data: 0 };
        // SAFETY: `event` is one event. The time and the signal set outlive the call, which reads `KERNEL_SIGSET_SIZE`
        // bytes of the set.
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

// Eventfd.

/// An eventfd: readable from `signal` until `clear`.
pub struct EventFd(pub Descriptor);

impl EventFd {
    pub fn new() -> Result<EventFd, Errno> {
        // SAFETY: the call takes no pointer.
        Descriptor::new(unsafe { ffi::eventfd(0, ffi::EFD_CLOEXEC | ffi::EFD_NONBLOCK) }).map(EventFd)
    }

    /// Makes the eventfd readable. A second call changes nothing.
    pub fn signal(&self) {
        let one = 1u64;
        // SAFETY: the call reads the eight bytes of `one`. If the counter is full, the write fails, and the eventfd is
        // readable already.
        unsafe { ffi::write(self.0.number(), &one as *const u64 as *const c_void, 8) };
    }

    /// Makes the eventfd unreadable.
    pub fn clear(&self) {
        let mut count = 0u64;
        // SAFETY: the call writes the eight bytes of `count`. If the counter is zero already, the read fails, and
        // nothing need be done.
        unsafe { ffi::read(self.0.number(), &mut count as *mut u64 as *mut c_void, 8) };
    }
}

// Properties of any descriptor.

pub fn is_open(fd: c_int) -> bool {
    // SAFETY: this command takes no argument.
    unsafe { ffi::fcntl(fd, ffi::F_GETFD) >= 0 }
}

pub fn is_pipe(fd: c_int) -> bool {
    // SAFETY: this command takes no argument.
    unsafe { ffi::fcntl(fd, ffi::F_GETPIPE_SZ) >= 0 }
}

/// Returns how many bytes can be read; for datagrams, how many the next read returns. `None` if the descriptor does not
/// support the request.
pub fn bytes_waiting(fd: c_int) -> Option<isize> {
    let mut count: c_int = 0;
    // SAFETY: this request writes at most one `int`.
    match unsafe { ffi::ioctl(fd, ffi::FIONREAD, &mut count as *mut c_int) } {
        0 => Some(count as isize),
        _ => None,
    }
}

/// The result of one `poll` call.
#[derive(Clone, Copy)]
pub struct Poll(c_short);

impl Poll {
    pub fn of(fd: c_int) -> Poll {
        let events = ffi::POLLIN | ffi::POLLOUT | ffi::POLLRDHUP;
        let mut entry = ffi::pollfd { fd, events, revents: 0 };
        // SAFETY: `entry` is one entry. If the call fails, `revents` stays empty: no condition holds.
        unsafe { ffi::poll(&mut entry, 1, 0) };
        Poll(entry.revents)
    }

    pub fn has(self, flags: c_short) -> bool {
        self.0 & flags != 0
    }
}

// Properties of sockets. No call here changes the socket; in particular, `SO_ERROR`, which clears the error, is never
// read.

/// Returns a socket option that is an `int`.
fn option(fd: c_int, name: c_int) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut length = mem::size_of::<c_int>() as c_uint;
    // SAFETY: `value` is an `int`, and `length` is its size.
    match unsafe { ffi::getsockopt(fd, ffi::SOL_SOCKET, name, &mut value as *mut c_int as *mut c_void, &mut length) } {
        0 => Some(value),
        _ => None,
    }
}

/// Returns the type of a socket, or `None` if the descriptor is not a socket.
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

/// Returns the size of the addresses of an Internet socket, 0 for another socket.
pub fn address_size(fd: c_int) -> isize {
    match option(fd, ffi::SO_DOMAIN) {
        Some(ffi::AF_INET) => 16,
        Some(ffi::AF_INET6) => 28,
        _ => 0,
    }
}

pub fn tcp_info(fd: c_int) -> ffi::tcp_info {
    let mut info = ffi::tcp_info::default();
    let mut length = mem::size_of::<ffi::tcp_info>() as c_uint;
    let value = &mut info as *mut ffi::tcp_info as *mut c_void;
    // SAFETY: `length` is the size of `info`, and any bytes are a valid `tcp_info`. If the call fails, `info` stays
    // zero: nothing is known.
    unsafe { ffi::getsockopt(fd, ffi::IPPROTO_TCP, ffi::TCP_INFO, value, &mut length) };
    info
}

/// Returns whether a Unix stream would refuse to send. Sending zero bytes checks this and sends nothing.
pub fn refuses_to_send(fd: c_int) -> bool {
    let nothing = [0u8; 0];
    // SAFETY: the length is zero, so the call reads no byte.
    let result = unsafe { ffi::send(fd, nothing.as_ptr() as *const c_void, 0, ffi::MSG_DONTWAIT | ffi::MSG_NOSIGNAL) };
    result < 0 && call::errno() == Errno(ffi::EPIPE)
}
