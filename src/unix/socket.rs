//! Sockets, as far as the standard library does not do what is wanted: connecting without blocking, accepting in one
//! call, reading and writing without ceremony and without signals.

use std::cmp;
use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem;
use std::net::{self, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::raw::{c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net as unix;
use std::path::Path;
use std::ptr;

use super::ffi::{self, sockaddr, sockaddr_un, socklen_t};
use crate::net::address;

/// Begins to connect a new socket.
#[inline]
pub(crate) fn connect(addr: &SocketAddr) -> io::Result<net::TcpStream> {
    let domain = match addr {
        SocketAddr::V4(_) => ffi::AF_INET,
        SocketAddr::V6(_) => ffi::AF_INET6,
    };
    let stream = net::TcpStream::from(open(domain, ffi::SOCK_STREAM)?);
    let mut place = address::nowhere();
    let len = address::to_c(addr, &mut place);
    // SAFETY: `place` holds an address of `len` bytes and outlives the call, which only reads it.
    if unsafe { ffi::connect(stream.as_raw_fd(), &place, len) } != 0 {
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

const FLAGS: c_int = ffi::SOCK_NONBLOCK | ffi::SOCK_CLOEXEC;

/// A new socket that never blocks and is closed on exec.
#[inline]
pub(crate) fn open(domain: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: `socket` takes no pointer.
    let fd = check(unsafe { ffi::socket(domain, kind | FLAGS, 0) })?;
    // SAFETY: `socket` has just returned `fd`, and nothing else knows it yet.
    let socket = flagged(unsafe { OwnedFd::from_raw_fd(fd) })?;
    // Now, since a connection that is refused at once takes no options.
    adopt(&socket);
    Ok(socket)
}

/// Two new sockets that are connected to each other.
pub(crate) fn pair<S: From<OwnedFd>>(kind: c_int) -> io::Result<(S, S)> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has place for two descriptors and outlives the call.
    check(unsafe { ffi::socketpair(ffi::AF_UNIX, kind | FLAGS, 0, fds.as_mut_ptr()) })?;
    // SAFETY: `socketpair` has just put them there, and nothing else knows them yet.
    let [here, there] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok((flagged(here)?.into(), flagged(there)?.into()))
}

/// Does what the flags have done, where there are none.
#[inline]
fn flagged(socket: OwnedFd) -> io::Result<OwnedFd> {
    if ffi::HAS_SOCKET_FLAGS {
        return Ok(socket);
    }
    set_flags(socket)
}

fn set_flags(socket: OwnedFd) -> io::Result<OwnedFd> {
    close_on_exec(&socket)?;
    let socket = net::TcpStream::from(socket);
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Keeps a descriptor from the program that may take this one's place.
pub(crate) fn close_on_exec(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: `F_SETFD` takes an integer.
    check(unsafe { ffi::fcntl(fd.as_raw_fd(), ffi::F_SETFD, ffi::FD_CLOEXEC) }).map(drop)
}

/// What a socket has to be told before it is ours. Should it fail, the socket is closed already, or no socket.
#[inline]
pub(crate) fn adopt(socket: &impl AsRawFd) {
    if let Some(option) = ffi::SO_NOSIGPIPE {
        let on: c_int = 1;
        let place: *const c_int = &on;
        let len = mem::size_of::<c_int>() as socklen_t;
        // SAFETY: `place` holds `len` bytes and outlives the call, which only reads it.
        unsafe { ffi::setsockopt(socket.as_raw_fd(), ffi::SOL_SOCKET, option, place.cast(), len) };
    }
}

/// How many connections may wait to be accepted. The system takes it for its own limit where that is lower.
const BACKLOG: c_int = 4096;

/// A socket that listens, whose address may be that of connections just closed.
pub(crate) fn listen(addr: &SocketAddr) -> io::Result<net::TcpListener> {
    let listener = net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    lengthen_backlog(&listener)?;
    Ok(listener)
}

/// The standard library's is 128, or the system's limit. To listen once more changes that, and nothing else.
pub(crate) fn lengthen_backlog(listener: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: `listen` takes no pointer, and `listener` owns the descriptor.
    check(unsafe { ffi::listen(listener.as_raw_fd(), BACKLOG) }).map(drop)
}

#[inline]
pub(crate) fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    let mut addr = address::nowhere();
    let mut len = mem::size_of::<sockaddr>() as socklen_t;
    let socket = accept_into(listener, &mut addr, &mut len)?;
    Ok((socket.into(), from_c(&addr)?))
}

/// As above, of a Unix socket. (An address's first bytes don't say how long it is.)
#[inline]
pub(crate) fn accept_unix(listener: &unix::UnixListener) -> io::Result<(unix::UnixStream, unix::SocketAddr)> {
    let mut addr = ffi::SOCKADDR_UN;
    let mut len = mem::size_of::<sockaddr_un>() as socklen_t;
    let place: *mut sockaddr_un = &mut addr;
    let stream = unix::UnixStream::from(accept_into(listener, place.cast(), &mut len)?);
    // The standard library makes these of paths alone. Of an abstract name, and of a path too long for it, it makes one
    // only if it asks the system itself.
    match unix::SocketAddr::from_pathname(path(&addr, len)).or_else(|_| stream.peer_addr()) {
        Ok(addr) => Ok((stream, addr)),
        // A connection that has gone already has no address on some systems.
        Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// The next connection's socket, which never blocks. Its address goes to `place`, where there is room for `len` bytes.
#[inline]
fn accept_into(listener: &impl AsRawFd, place: *mut sockaddr, len: &mut socklen_t) -> io::Result<OwnedFd> {
    if ffi::HAS_ACCEPT4 {
        // SAFETY: the callers pass a `place` of `len` bytes, and both outlive the call.
        let fd = check(unsafe { ffi::accept4(listener.as_raw_fd(), place, len, FLAGS) })?;
        // SAFETY: `accept4` has just returned `fd`, and nothing else knows it yet.
        return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    // SAFETY: as above.
    let fd = check(unsafe { ffi::accept(listener.as_raw_fd(), place, len) })?;
    // SAFETY: as above.
    set_flags(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The path in an address of this length; of one without a name, there is none.
fn path(addr: &sockaddr_un, len: socklen_t) -> &Path {
    let before = mem::size_of_val(addr) - addr.sun_path.len();
    let len = cmp::min((len as usize).saturating_sub(before), addr.sun_path.len());
    let bytes = &addr.sun_path[..len];
    let bytes = match bytes.iter().position(|byte| *byte == 0) {
        // An abstract name, all of it.
        Some(0) if ffi::HAS_ABSTRACT_ADDRESSES => bytes,
        Some(end) => &bytes[..end],
        None => bytes,
    };
    Path::new(OsStr::from_bytes(bytes))
}

#[inline]
pub(crate) fn recv(socket: &impl AsRawFd, buf: &mut [u8]) -> io::Result<usize> {
    recv_with(socket, buf, 0)
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
fn recv_with(socket: &impl AsRawFd, buf: &mut [u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: `buf` has place for `len` bytes and is ours until the call returns.
    check_size(unsafe { ffi::recv(socket.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), flags) })
}

#[inline]
pub(crate) fn send(socket: &impl AsRawFd, buf: &[u8]) -> io::Result<usize> {
    // SAFETY: `buf` has `len` bytes and outlives the call, which only reads it.
    check_size(unsafe { ffi::send(socket.as_raw_fd(), buf.as_ptr().cast(), buf.len(), ffi::MSG_NOSIGNAL) })
}

/// Not `writev`, which would raise SIGPIPE.
pub(crate) fn send_vectored(socket: &impl AsRawFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
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
    check_size(unsafe { ffi::sendmsg(socket.as_raw_fd(), &message, ffi::MSG_NOSIGNAL) })
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
pub(super) fn check(result: c_int) -> io::Result<c_int> {
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
