//! The minimum: only the system calls and the loop around them.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::mem;
use std::net::{self, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use libc::{c_int, c_long, epoll_event, sockaddr_in, socklen_t, timespec};

use super::{loopback, Library, CAPACITY, MOST_WAKERS_WITH_DESCRIPTOR, WAKER};

/// An epoll instance, and the buffer for its events. All registrations are edge-triggered.
pub struct Bare {
    epoll: OwnedFd,
    events: Vec<epoll_event>,
}

pub struct Stream(OwnedFd);

const READING: c_int = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;
const WRITING: c_int = libc::EPOLLOUT | libc::EPOLLET;

impl Library for Bare {
    type Stream = Stream;
    type Listener = net::TcpListener;
    type Waker = OwnedFd;
    type Timer = Infallible;
    type Poll = OwnedFd;

    const MOST_WAKERS: usize = MOST_WAKERS_WITH_DESCRIPTOR;

    fn new() -> Bare {
        Bare { epoll: Bare::new_poll(), events: Vec::with_capacity(CAPACITY) }
    }

    #[inline(always)]
    fn new_poll() -> OwnedFd {
        // SAFETY: `epoll_create1` takes no pointer.
        own(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>, mut readable: impl FnMut(usize)) {
        self.wait(timeout);
        for event in self.events.iter().filter(|event| event.events & libc::EPOLLIN as u32 != 0) {
            readable(event.u64 as usize);
        }
    }

    #[inline(always)]
    fn register(&self, stream: &mut Stream, key: usize) {
        self.control(libc::EPOLL_CTL_ADD, &stream.0, READING, key);
    }

    #[inline(always)]
    fn reregister(&self, stream: &mut Stream, key: usize) {
        self.control(libc::EPOLL_CTL_MOD, &stream.0, WRITING, key);
    }

    #[inline(always)]
    fn deregister(&self, stream: &mut Stream) {
        self.control(libc::EPOLL_CTL_DEL, &stream.0, 0, 0);
    }

    /// Returns an eventfd. It is never read: each write to it is an edge.
    #[inline(always)]
    fn waker(&self) -> OwnedFd {
        // SAFETY: `eventfd` takes no pointer.
        let eventfd = own(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) });
        self.control(libc::EPOLL_CTL_ADD, &eventfd, READING, WAKER);
        eventfd
    }

    #[inline(always)]
    fn wake(eventfd: &OwnedFd) {
        let one: u64 = 1;
        // SAFETY: the call reads eight bytes, the size of `one`, which outlives the call.
        let count = unsafe { libc::write(eventfd.as_raw_fd(), (&one as *const u64).cast(), 8) };
        assert_eq!(count, 8);
    }

    fn adopt(stream: net::TcpStream) -> Stream {
        Stream(stream.into())
    }

    fn listen() -> (net::TcpListener, SocketAddr) {
        let listener = net::TcpListener::bind(loopback()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[inline(always)]
    fn connect(address: SocketAddr) -> Stream {
        let SocketAddr::V4(address) = address else { panic!("IPv4 only") };
        let sockaddr = sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: address.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
            sin_zero: [0; 8],
        };
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: `socket` takes no pointer.
        let socket = own(unsafe { libc::socket(libc::AF_INET, kind, 0) });
        let (pointer, len) = (&sockaddr as *const sockaddr_in, mem::size_of_val(&sockaddr) as socklen_t);
        // SAFETY: `pointer` points to an address of `len` bytes that outlives the call.
        let result = unsafe { libc::connect(socket.as_raw_fd(), pointer.cast(), len) };
        // SAFETY: the address of this thread's `errno` is always valid.
        assert!(result == 0 || unsafe { *libc::__errno_location() } == libc::EINPROGRESS);
        Stream(socket)
    }

    #[inline(always)]
    fn accept(listener: &net::TcpListener) -> io::Result<(Stream, SocketAddr)> {
        // SAFETY: zero is valid for all fields of the struct.
        let mut sockaddr: sockaddr_in = unsafe { mem::zeroed() };
        let mut len = mem::size_of_val(&sockaddr) as socklen_t;
        let (pointer, flags) = (&mut sockaddr as *mut sockaddr_in, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
        // SAFETY: the buffer holds `len` bytes.
        let fd = unsafe { libc::accept4(listener.as_raw_fd(), pointer.cast(), &mut len, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let address = SocketAddr::from((sockaddr.sin_addr.s_addr.to_ne_bytes(), u16::from_be(sockaddr.sin_port)));
        Ok((Stream(own(fd)), address))
    }
}

impl Bare {
    #[inline(always)]
    fn control(&self, op: c_int, fd: &OwnedFd, events: c_int, key: usize) {
        let mut event = epoll_event { events: events as u32, u64: key as u64 };
        // SAFETY: `event` outlives the call.
        assert_eq!(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), op, fd.as_raw_fd(), &mut event) }, 0);
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Option<Duration>) {
        let (epoll, buffer, capacity) =
            (self.epoll.as_raw_fd(), self.events.as_mut_ptr(), self.events.capacity() as c_int);
        let count = match timeout {
            // SAFETY: `capacity` events can be written at `buffer`.
            None => unsafe { libc::epoll_wait(epoll, buffer, capacity, -1) },
            // SAFETY: as above.
            Some(Duration::ZERO) => unsafe { libc::epoll_wait(epoll, buffer, capacity, 0) },
            Some(timeout) => {
                let timeout = timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
                let (timeout, mask) = (&timeout as *const timespec, ptr::null::<u8>());
                // SAFETY: as above; `timeout` outlives the call, and a null signal mask is allowed.
                let count = unsafe {
                    libc::syscall(
                        libc::SYS_epoll_pwait2,
                        c_long::from(epoll),
                        buffer,
                        capacity,
                        timeout,
                        mask,
                        0 as c_long,
                    )
                };
                count as c_int
            }
        };
        assert!(count >= 0);
        // SAFETY: the kernel has written the first `count` events.
        unsafe { self.events.set_len(count as usize) };
    }
}

/// Takes ownership of a descriptor that a system call has just returned.
#[inline(always)]
fn own(fd: c_int) -> OwnedFd {
    assert!(fd >= 0);
    // SAFETY: the caller has just been given this descriptor.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

impl Read for Stream {
    #[inline(always)]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // SAFETY: there is room for `len` bytes.
        transferred(unsafe { libc::recv(self.0.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), 0) })
    }
}

impl Write for Stream {
    #[inline(always)]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // SAFETY: there are `len` bytes.
        transferred(unsafe { libc::send(self.0.as_raw_fd(), buf.as_ptr().cast(), buf.len(), libc::MSG_NOSIGNAL) })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[inline(always)]
fn transferred(count: isize) -> io::Result<usize> {
    if count < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(count as usize)
}
