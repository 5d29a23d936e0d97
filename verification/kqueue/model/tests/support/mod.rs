//! A kqueue for tests, and calls on sockets and pipes that the standard library lacks.

#![allow(dead_code)]

use std::ffi::CString;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::raw::{c_int, c_long, c_uint, c_void};
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::{Duration, Instant};

pub use kqueue_model::ffi::*;

pub struct Kqueue(pub c_int);

/// An event of a knote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub ident: usize,
    pub filter: i16,
    pub eof: bool,
    pub error: u32,
    pub data: isize,
    pub token: usize,
}

pub const READ: i16 = EVFILT_READ;
pub const WRITE: i16 = EVFILT_WRITE;
pub const USER: i16 = EVFILT_USER;
pub const EDGE: u16 = EV_ADD | EV_CLEAR;
/// A timeout for events that must come: longer than any of them takes.
pub const SOON: Duration = Duration::from_secs(10);
/// How long a test waits to see that no event comes, or to let another thread block.
pub const A_WHILE: Duration = Duration::from_millis(30);
pub const NOW: Duration = Duration::ZERO;

pub fn record(ident: usize, filter: i16, flags: u16) -> kevent {
    kevent { ident, filter, flags, fflags: 0, data: 0, udata: ptr::null_mut() }
}

pub fn ident(fd: &impl AsRawFd) -> usize {
    fd.as_raw_fd() as usize
}

impl Kqueue {
    pub fn new() -> Kqueue {
        let kq = kqueue_model::kqueue();
        assert!(kq >= 0, "{}", io::Error::last_os_error());
        Kqueue(kq)
    }

    /// Opens a kqueue with settings.
    pub fn with(words: &str) -> Kqueue {
        let kqueue = Kqueue::new();
        assert_eq!(kqueue.configure(words), 0);
        kqueue
    }

    pub fn configure(&self, words: &str) -> c_int {
        let words = CString::new(words).unwrap();
        // SAFETY: `words` is a C string.
        unsafe { kqueue_model::kqueue_model_configure(self.0, words.as_ptr()) }
    }

    pub fn calls(&self) -> c_long {
        kqueue_model::kqueue_model_calls(self.0)
    }

    /// Calls `kevent`. Returns how many events and receipts it wrote to `events`.
    pub fn call(&self, changes: &[kevent], events: &mut [kevent], timeout: Option<timespec>) -> Result<usize, c_int> {
        let timeout = timeout.as_ref().map_or(ptr::null(), |timeout| timeout as *const timespec);
        let (first, count) = (changes.as_ptr(), changes.len() as c_int);
        // SAFETY: the slices and the time outlive the call, and the lengths are those of the slices.
        let result =
            unsafe { kqueue_model::kevent(self.0, first, count, events.as_mut_ptr(), events.len() as c_int, timeout) };
        usize::try_from(result).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap())
    }

    pub fn change(&self, ident: usize, filter: i16, flags: u16) -> Result<(), c_int> {
        self.call(&[record(ident, filter, flags)], &mut [], None).map(drop)
    }

    pub fn trigger(&self, ident: usize) -> Result<(), c_int> {
        let change = kevent { fflags: NOTE_TRIGGER, ..record(ident, USER, 0) };
        self.call(&[change], &mut [], None).map(drop)
    }

    pub fn wait(&self, timeout: Duration) -> Result<Vec<Event>, c_int> {
        self.wait_for(64, timeout)
    }

    /// Waits for at most `capacity` events, and returns them sorted by identifier and filter.
    pub fn wait_for(&self, capacity: usize, timeout: Duration) -> Result<Vec<Event>, c_int> {
        let mut events = vec![record(0, 0, 0); capacity];
        let time = timespec { tv_sec: timeout.as_secs() as c_long, tv_nsec: timeout.subsec_nanos() as c_long };
        let count = self.call(&[], &mut events, Some(time))?;
        let mut events: Vec<Event> = events[..count].iter().map(Event::of).collect();
        events.sort();
        Ok(events)
    }

    /// Waits for events that must come before the timeout. A wait that was not woken would also return them, but only
    /// after the timeout.
    pub fn soon(&self) -> Vec<Event> {
        let start = Instant::now();
        let events = self.wait(SOON).unwrap();
        assert!(start.elapsed() < SOON, "the timeout ended the wait, not an event");
        events
    }

    pub fn now(&self) -> Vec<Event> {
        self.wait(NOW).unwrap()
    }

    pub fn stays_silent(&self) {
        assert_eq!(self.wait(A_WHILE).unwrap(), []);
    }
}

impl Drop for Kqueue {
    fn drop(&mut self) {
        kqueue_model::close(self.0);
    }
}

impl Event {
    fn of(event: &kevent) -> Event {
        Event {
            ident: event.ident,
            filter: event.filter,
            eof: event.flags & EV_EOF != 0,
            error: event.fflags,
            data: event.data,
            token: event.udata as usize,
        }
    }
}

/// Returns the expected event. The model sets `data` to 1 for `WRITE`, so the argument is ignored there.
pub fn event(ident: usize, filter: i16, data: isize) -> Event {
    Event { ident, filter, eof: false, error: 0, data: if filter == WRITE { 1 } else { data }, token: 0 }
}

pub fn eof(ident: usize, filter: i16, data: isize, error: c_int) -> Event {
    Event { eof: true, error: error as u32, ..event(ident, filter, data) }
}

/// Returns whether `poll` reports the descriptor as readable.
pub fn is_readable(fd: c_int) -> bool {
    let mut entry = pollfd { fd, events: POLLIN, revents: 0 };
    // SAFETY: `entry` is one entry.
    unsafe { poll(&mut entry, 1, 0) };
    entry.revents & POLLIN != 0
}

/// Returns the two ends of a TCP connection.
pub fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    (ours, theirs)
}

pub fn pipe() -> (OwnedFd, OwnedFd) {
    extern "C" {
        fn pipe(fds: *mut c_int) -> c_int;
    }
    let mut fds = [0; 2];
    // SAFETY: `fds` holds two numbers.
    assert_eq!(unsafe { pipe(fds.as_mut_ptr()) }, 0);
    // SAFETY: `pipe` has just returned the first descriptor, and no other code owns it yet.
    let reader = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: the same holds for the second descriptor.
    let writer = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    (reader, writer)
}

pub fn write_to(fd: &impl AsRawFd, bytes: &[u8]) {
    // SAFETY: the length is that of `bytes`.
    let count = unsafe { write(fd.as_raw_fd(), bytes.as_ptr() as *const c_void, bytes.len()) };
    assert_eq!(count, bytes.len() as isize);
}

pub fn read_from(fd: &impl AsRawFd, count: usize) -> isize {
    let mut bytes = vec![0u8; count];
    // SAFETY: `bytes` holds `count` bytes.
    unsafe { read(fd.as_raw_fd(), bytes.as_mut_ptr() as *mut c_void, count) }
}

/// Closes a stream with a reset.
pub fn reset(stream: TcpStream) {
    extern "C" {
        fn setsockopt(fd: c_int, level: c_int, name: c_int, value: *const c_void, length: c_uint) -> c_int;
    }
    const SO_LINGER: c_int = 13;
    let linger = [1 as c_int, 0];
    let value = linger.as_ptr() as *const c_void;
    // SAFETY: a `struct linger` is two integers.
    assert_eq!(unsafe { setsockopt(stream.as_raw_fd(), SOL_SOCKET, SO_LINGER, value, 8) }, 0);
}

/// Returns a non-blocking IPv4 TCP socket that is not connected.
pub fn unconnected() -> TcpStream {
    extern "C" {
        fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    }
    // SAFETY: the call takes no pointer.
    let fd = unsafe { socket(2, SOCK_STREAM | O_NONBLOCK, 0) };
    assert!(fd >= 0);
    // SAFETY: the call above has just returned the descriptor, and no other code owns it yet.
    unsafe { TcpStream::from_raw_fd(fd) }
}

/// Starts a connect to a port on loopback.
pub fn start_connect(socket: &TcpStream, port: u16) {
    extern "C" {
        fn connect(fd: c_int, address: *const c_void, length: c_uint) -> c_int;
    }
    let mut address = [0u8; 16];
    address[..2].copy_from_slice(&2u16.to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    // SAFETY: these 16 bytes are a `struct sockaddr_in`.
    assert_eq!(unsafe { connect(socket.as_raw_fd(), address.as_ptr() as *const c_void, 16) }, -1);
    const EINPROGRESS: i32 = 115;
    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(EINPROGRESS));
}

/// Returns a port without a listener.
pub fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Duplicates a descriptor as `number`, which must be unused.
pub fn duplicate_as(number: c_int, fd: &impl AsRawFd) -> OwnedFd {
    const F_DUPFD: c_int = 0;
    // SAFETY: this command takes an integer.
    assert_eq!(unsafe { fcntl(fd.as_raw_fd(), F_DUPFD, number) }, number);
    // SAFETY: the call above has just returned the descriptor, and no other code owns it yet.
    unsafe { OwnedFd::from_raw_fd(number) }
}
