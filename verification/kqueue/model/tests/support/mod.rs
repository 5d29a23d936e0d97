//! A kqueue for tests, and what they do to sockets that the standard library can't.

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

/// What is told of a knote.
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
/// Long enough for whatever should happen.
pub const SOON: Duration = Duration::from_secs(10);
/// Long enough for what should not.
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

    /// One that behaves otherwise.
    pub fn with(words: &str) -> Kqueue {
        let kqueue = Kqueue::new();
        assert_eq!(kqueue.configure(words), 0);
        kqueue
    }

    pub fn configure(&self, words: &str) -> c_int {
        let words = CString::new(words).unwrap();
        // SAFETY: it is a string of C's.
        unsafe { kqueue_model::kqueue_model_configure(self.0, words.as_ptr()) }
    }

    pub fn calls(&self) -> c_long {
        kqueue_model::kqueue_model_calls(self.0)
    }

    /// The call itself. The answers are the events in `room` as far as it says.
    pub fn call(&self, changes: &[kevent], room: &mut [kevent], timeout: Option<timespec>) -> Result<usize, c_int> {
        let timeout = timeout.as_ref().map_or(ptr::null(), |timeout| timeout as *const timespec);
        let (first, count) = (changes.as_ptr(), changes.len() as c_int);
        // SAFETY: the slices and the time outlive the call, and are as long as it says.
        let result =
            unsafe { kqueue_model::kevent(self.0, first, count, room.as_mut_ptr(), room.len() as c_int, timeout) };
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

    /// The events, in the order of identifiers and filters.
    pub fn wait_for(&self, room: usize, timeout: Duration) -> Result<Vec<Event>, c_int> {
        let mut events = vec![record(0, 0, 0); room];
        let time = timespec { tv_sec: timeout.as_secs() as c_long, tv_nsec: timeout.subsec_nanos() as c_long };
        let count = self.call(&[], &mut events, Some(time))?;
        let mut events: Vec<Event> = events[..count].iter().map(Event::of).collect();
        events.sort();
        Ok(events)
    }

    /// What comes before the timeout does. A wait that nobody woke would find it in the end, too late.
    pub fn soon(&self) -> Vec<Event> {
        let start = Instant::now();
        let events = self.wait(SOON).unwrap();
        assert!(start.elapsed() < SOON, "only the timeout has ended the wait");
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

/// `data` is compared for `READ` only: of `WRITE` it means nothing here.
pub fn event(ident: usize, filter: i16, data: isize) -> Event {
    Event { ident, filter, eof: false, error: 0, data: if filter == WRITE { 1 } else { data }, token: 0 }
}

pub fn eof(ident: usize, filter: i16, data: isize, error: c_int) -> Event {
    Event { eof: true, error: error as u32, ..event(ident, filter, data) }
}

/// What `poll` says of a descriptor.
pub fn is_readable(fd: c_int) -> bool {
    let mut entry = pollfd { fd, events: POLLIN, revents: 0 };
    // SAFETY: there is one entry.
    unsafe { poll(&mut entry, 1, 0) };
    entry.revents & POLLIN != 0
}

/// Two ends of a TCP connection.
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
    // SAFETY: there is room for two.
    assert_eq!(unsafe { pipe(fds.as_mut_ptr()) }, 0);
    // SAFETY: the first is new, and nobody else's.
    let reader = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: so is the second.
    let writer = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    (reader, writer)
}

pub fn write_to(fd: &impl AsRawFd, bytes: &[u8]) {
    // SAFETY: the bytes are there.
    let count = unsafe { write(fd.as_raw_fd(), bytes.as_ptr() as *const c_void, bytes.len()) };
    assert_eq!(count, bytes.len() as isize);
}

pub fn read_from(fd: &impl AsRawFd, count: usize) -> isize {
    let mut bytes = vec![0u8; count];
    // SAFETY: there is room for as many bytes.
    unsafe { read(fd.as_raw_fd(), bytes.as_mut_ptr() as *mut c_void, count) }
}

/// Closes with a reset.
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

/// An IPv4 TCP socket that is not connected.
pub fn unconnected() -> TcpStream {
    extern "C" {
        fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    }
    // SAFETY: it takes no pointer.
    let fd = unsafe { socket(2, SOCK_STREAM | O_NONBLOCK, 0) };
    assert!(fd >= 0);
    // SAFETY: it is new, and nobody else's.
    unsafe { TcpStream::from_raw_fd(fd) }
}

/// Begins to connect, to a port of this machine.
pub fn begin_to_connect(socket: &TcpStream, port: u16) {
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

/// A port at which nobody listens.
pub fn deaf_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The same open file, under a number of the test's choice that nobody else uses.
pub fn duplicate_as(number: c_int, fd: &impl AsRawFd) -> OwnedFd {
    const F_DUPFD: c_int = 0;
    // SAFETY: this command takes an integer.
    assert_eq!(unsafe { fcntl(fd.as_raw_fd(), F_DUPFD, number) }, number);
    // SAFETY: it is new, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(number) }
}
