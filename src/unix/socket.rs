//! Sockets, as far as the standard library does not do what is wanted: connecting without blocking, accepting in one
//! call, reading and writing without ceremony and without signals.

use std::cmp;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem;
use std::net::{self, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::raw::{c_int, c_void};
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use super::ffi::{self, sockaddr, socklen_t};
use crate::net::address;

/// Begins to connect a new socket.
#[inline]
pub(crate) fn connect(addr: &SocketAddr) -> io::Result<net::TcpStream> {
    let domain = match addr {
        SocketAddr::V4(_) => ffi::AF_INET,
        SocketAddr::V6(_) => ffi::AF_INET6,
    };
    let flags = ffi::SOCK_STREAM | ffi::SOCK_NONBLOCK | ffi::SOCK_CLOEXEC;
    // SAFETY: `socket` takes no pointer.
    let fd = check(unsafe { ffi::socket(domain, flags, 0) })?;
    // SAFETY: `socket` has just returned `fd`, and nothing else knows it yet.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    if !ffi::HAS_SOCKET_FLAGS {
        close_on_exec(&socket)?;
    }
    let stream = net::TcpStream::from(socket);
    if !ffi::HAS_SOCKET_FLAGS {
        stream.set_nonblocking(true)?;
    }

    let mut place = address::nowhere();
    let len = address::to_c(addr, &mut place);
    // SAFETY: `place` holds an address of `len` bytes and outlives the call, which only reads it.
    if unsafe { ffi::connect(fd, &place, len) } != 0 {
        let err = io::Error::last_os_error();
        match err.raw_os_error() {
            // The three-way handshake goes on without us, also if a signal has cut the call short. (Such an error owns
            // nothing, and to forget it is cheaper than to drop it.)
            Some(ffi::EINPROGRESS | ffi::EINTR) => mem::forget(err),
            _ => return Err(err),
        }
    }
    Ok(stream)
}

/// Keeps a descriptor from the program that may take this one's place.
pub(crate) fn close_on_exec(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: `F_SETFD` takes an integer.
    check(unsafe { ffi::fcntl(fd.as_raw_fd(), ffi::F_SETFD, ffi::FD_CLOEXEC) }).map(drop)
}

/// What a stream has to be told before it is ours. Should it fail, the socket is closed already, or no socket.
#[inline]
pub(crate) fn adopt(stream: &net::TcpStream) {
    if let Some(option) = ffi::SO_NOSIGPIPE {
        let on: c_int = 1;
        let place: *const c_int = &on;
        let len = mem::size_of::<c_int>() as socklen_t;
        // SAFETY: `place` holds `len` bytes and outlives the call, which only reads it.
        unsafe { ffi::setsockopt(stream.as_raw_fd(), ffi::SOL_SOCKET, option, place.cast(), len) };
    }
}

/// How many connections may wait to be accepted. The system takes it for its own limit where that is lower.
const BACKLOG: c_int = 4096;

/// A socket that listens, whose address may be that of connections just closed.
pub(crate) fn listen(addr: &SocketAddr) -> io::Result<net::TcpListener> {
    let listener = net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    // The standard library's is 128. To listen once more changes that, and nothing else.
    // SAFETY: `listen` takes no pointer, and `listener` owns the descriptor.
    check(unsafe { ffi::listen(listener.as_raw_fd(), BACKLOG) })?;
    Ok(listener)
}

#[inline]
pub(crate) fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    if !ffi::HAS_ACCEPT4 {
        let (stream, addr) = match listener.accept() {
            // An address that the standard library can't read: there is none any more.
            Err(err) if err.raw_os_error().is_none() => return Err(io::ErrorKind::ConnectionAborted.into()),
            result => result?,
        };
        stream.set_nonblocking(true)?;
        return Ok((stream, addr));
    }
    let mut addr = address::nowhere();
    let mut len = mem::size_of::<sockaddr>() as socklen_t;
    let flags = ffi::SOCK_NONBLOCK | ffi::SOCK_CLOEXEC;
    // SAFETY: `addr` has place for `len` bytes, and both outlive the call.
    let fd = check(unsafe { ffi::accept4(listener.as_raw_fd(), &mut addr, &mut len, flags) })?;
    // SAFETY: `accept4` has just returned `fd`, and nothing else knows it yet.
    let stream = unsafe { net::TcpStream::from_raw_fd(fd) };
    Ok((stream, from_c(&addr)?))
}

#[inline]
pub(crate) fn recv(stream: &net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    recv_with(stream, buf, 0)
}

#[inline]
pub(crate) fn recv_vectored(mut stream: &net::TcpStream, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    stream.read_vectored(bufs)
}

#[inline]
pub(crate) fn peek(stream: &net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    recv_with(stream, buf, ffi::MSG_PEEK)
}

#[inline]
fn recv_with(stream: &net::TcpStream, buf: &mut [u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: `buf` has place for `len` bytes and is ours until the call returns.
    check_size(unsafe { ffi::recv(stream.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), flags) })
}

#[inline]
pub(crate) fn send(stream: &net::TcpStream, buf: &[u8]) -> io::Result<usize> {
    // SAFETY: `buf` has `len` bytes and outlives the call, which only reads it.
    check_size(unsafe { ffi::send(stream.as_raw_fd(), buf.as_ptr().cast(), buf.len(), ffi::MSG_NOSIGNAL) })
}

/// Not `writev`, which would raise SIGPIPE.
pub(crate) fn send_vectored(stream: &net::TcpStream, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let message = ffi::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: bufs.as_ptr().cast::<c_void>(),
        msg_iovlen: cmp::min(bufs.len(), ffi::UIO_MAXIOV) as ffi::msg_iovlen_t,
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    };
    // SAFETY: `message` names no more buffers than `bufs` has, each an `iovec` as `IoSlice` promises on Unix; all of
    // them outlive the call, which only reads them.
    check_size(unsafe { ffi::sendmsg(stream.as_raw_fd(), &message, ffi::MSG_NOSIGNAL) })
}

pub(crate) fn only_v6(socket: &net::UdpSocket) -> io::Result<bool> {
    let mut value: c_int = 0;
    let mut len = mem::size_of::<c_int>() as socklen_t;
    let place: *mut c_int = &mut value;
    // SAFETY: `place` has room for `len` bytes, and both outlive the call.
    check(unsafe { ffi::getsockopt(socket.as_raw_fd(), ffi::IPPROTO_IPV6, ffi::IPV6_V6ONLY, place.cast(), &mut len) })?;
    Ok(value != 0)
}

#[inline]
fn from_c(addr: &sockaddr) -> io::Result<SocketAddr> {
    // SAFETY: all of the union is initialised, and any bytes are valid for this kind.
    let v4 = unsafe { addr.v4 };
    match c_int::from(v4.sin_family) {
        ffi::AF_INET => Ok(SocketAddrV4::new(v4.sin_addr.into(), u16::from_be_bytes(v4.sin_port)).into()),
        ffi::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { addr.v6 };
            let port = u16::from_be_bytes(v6.sin6_port);
            Ok(SocketAddrV6::new(v6.sin6_addr.into(), port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        // A connection that has gone already has no address on some systems.
        _ => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

#[inline]
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

#[inline]
fn check_size(result: isize) -> io::Result<usize> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as usize)
}
