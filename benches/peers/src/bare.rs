//! What a program can't do without: the system calls, and the loop around them.

use std::hint::black_box;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::{c_int, epoll_event};

use crate::{pair, BATCH};

/// An edge-triggered epoll instance with its buffer.
struct Epoll {
    fd: OwnedFd,
    events: Vec<epoll_event>,
}

const EDGE: u32 = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET) as u32;

impl Epoll {
    fn new() -> Epoll {
        // SAFETY: `epoll_create1` takes no pointer.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0);
        // SAFETY: `epoll_create1` has just returned `fd`.
        Epoll { fd: unsafe { OwnedFd::from_raw_fd(fd) }, events: Vec::with_capacity(256) }
    }

    #[inline(always)]
    fn control(&self, op: c_int, stream: &TcpStream, events: u32, u64: u64) {
        let mut event = epoll_event { events, u64 };
        // SAFETY: `event` outlives the call.
        assert_eq!(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), op, stream.as_raw_fd(), &mut event) }, 0);
    }

    #[inline(always)]
    fn wait(&mut self, timeout: c_int) {
        self.events.clear();
        let (place, room) = (self.events.as_mut_ptr(), self.events.capacity() as c_int);
        // SAFETY: there is room for `room` events at `place`.
        let count = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), place, room, timeout) };
        assert!(count >= 0);
        // SAFETY: the kernel has initialised `count` of them.
        unsafe { self.events.set_len(count as usize) };
    }
}

#[inline(always)]
fn read(stream: &TcpStream, buf: &mut [u8]) -> usize {
    // SAFETY: there is room for `len` bytes.
    let count = unsafe { libc::recv(stream.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), 0) };
    assert!(count > 0);
    count as usize
}

#[inline(always)]
fn write(stream: &TcpStream, buf: &[u8]) {
    // SAFETY: there are `len` bytes.
    let count = unsafe { libc::send(stream.as_raw_fd(), buf.as_ptr().cast(), buf.len(), libc::MSG_NOSIGNAL) };
    assert_eq!(count, buf.len() as isize);
}

pub fn empty(rounds: usize) {
    let mut epoll = Epoll::new();
    for _ in 0..rounds {
        epoll.wait(0);
    }
}

pub fn ping_pong(rounds: usize) {
    let mut epoll = Epoll::new();
    let (ping, pong) = pair();
    epoll.control(libc::EPOLL_CTL_ADD, &ping, EDGE, 0);
    epoll.control(libc::EPOLL_CTL_ADD, &pong, EDGE, 1);
    let mut buf = [0; 64];
    let mut left = 2 * rounds;
    write(&ping, b"x");
    while left > 0 {
        epoll.wait(-1);
        for event in epoll.events.iter().filter(|event| event.events & libc::EPOLLIN as u32 != 0) {
            let stream = if event.u64 == 0 { &ping } else { &pong };
            let count = read(stream, &mut buf);
            write(stream, &buf[..count]);
            left -= 1;
        }
    }
}

pub fn batch(rounds: usize) {
    let mut epoll = Epoll::new();
    let pairs: Vec<_> = (0..BATCH).map(|_| pair()).collect();
    for (i, (stream, _)) in pairs.iter().enumerate() {
        epoll.control(libc::EPOLL_CTL_ADD, stream, EDGE, i as u64);
    }
    let mut buf = [0; 64];
    for _ in 0..rounds / BATCH {
        for (_, peer) in &pairs {
            write(peer, b"x");
        }
        let mut left = BATCH;
        while left > 0 {
            epoll.wait(-1);
            for event in epoll.events.iter().filter(|event| event.events & libc::EPOLLIN as u32 != 0) {
                left -= read(&pairs[event.u64 as usize].0, &mut buf);
            }
        }
    }
}

pub fn register(rounds: usize) {
    let epoll = Epoll::new();
    let (stream, _peer) = pair();
    for _ in 0..rounds {
        epoll.control(libc::EPOLL_CTL_ADD, &stream, EDGE, 0);
        epoll.control(libc::EPOLL_CTL_MOD, &stream, (libc::EPOLLOUT | libc::EPOLLET) as u32, 0);
        epoll.control(libc::EPOLL_CTL_DEL, &stream, 0, 0);
    }
}

pub fn connect(rounds: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    for _ in 0..rounds {
        black_box((begin_to_connect(&addr), accept(&listener)));
    }
}

#[inline(always)]
fn begin_to_connect(addr: &SocketAddr) -> OwnedFd {
    let SocketAddr::V4(addr) = addr else { panic!("IPv4 only") };
    let place = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: addr.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(addr.ip().octets()) },
        sin_zero: [0; 8],
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: `socket` takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    assert!(fd >= 0);
    // SAFETY: `socket` has just returned `fd`.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let (place, len) = (&place as *const libc::sockaddr_in, std::mem::size_of_val(&place));
    // SAFETY: `place` holds an address of `len` bytes, and outlives the call.
    let result = unsafe { libc::connect(fd, place.cast(), len as libc::socklen_t) };
    // SAFETY: the place of this thread's `errno` is always valid.
    assert!(result == 0 || unsafe { *libc::__errno_location() } == libc::EINPROGRESS);
    socket
}

#[inline(always)]
fn accept(listener: &TcpListener) -> (OwnedFd, SocketAddr) {
    // SAFETY: zero is valid for all of its fields.
    let mut place: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut len = std::mem::size_of_val(&place) as libc::socklen_t;
    let (place_ptr, flags) = (&mut place as *mut libc::sockaddr_in, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
    // SAFETY: there is room for `len` bytes at `place`.
    let fd = unsafe { libc::accept4(listener.as_raw_fd(), place_ptr.cast(), &mut len, flags) };
    assert!(fd >= 0);
    let addr = SocketAddr::from((place.sin_addr.s_addr.to_ne_bytes(), u16::from_be(place.sin_port)));
    // SAFETY: `accept4` has just returned `fd`.
    (unsafe { OwnedFd::from_raw_fd(fd) }, addr)
}
