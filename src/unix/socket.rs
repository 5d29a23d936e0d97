//! Socket operations that the standard library lacks: a non-blocking connect, an accept with flags, and reads and
//! writes that call `recv`, `send` or `sendmsg` directly. The writes raise no SIGPIPE.

use std::cmp;
use std::ffi::OsStr;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem;
use std::net::{self, SocketAddr};
use std::os::raw::{c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net as unix;
use std::path::Path;
use std::ptr;

use super::descriptor::{check, close_on_exec};
use super::ffi::{self, sockaddr, sockaddr_un, socklen_t};
use crate::net::address;

/// Creates a socket and starts to connect it.
#[inline]
pub(crate) fn connect(addr: &SocketAddr) -> io::Result<net::TcpStream> {
    let domain = match addr {
        SocketAddr::V4(_) => ffi::AF_INET,
        SocketAddr::V6(_) => ffi::AF_INET6,
    };
    let stream = net::TcpStream::from(open(domain, ffi::SOCK_STREAM)?);
    // `to_sockaddr` overwrites at least this many bytes, so the compiler removes the initial value.
    let mut sockaddr = sockaddr { v4: ffi::EMPTY_SOCKADDR_IN };
    let len = address::to_sockaddr(addr, &mut sockaddr);
    // SAFETY: `sockaddr` holds an address of `len` bytes and outlives the call, which only reads it.
    if unsafe { ffi::connect(stream.as_raw_fd(), &sockaddr, len) } != 0 {
        let err = io::Error::last_os_error();
        match err.raw_os_error() {
            // The kernel continues the handshake. (Such an error owns no memory, and forgetting it is cheaper than
            // dropping it.)
            Some(ffi::EINPROGRESS) => mem::forget(err),
            _ => ignore_interrupted(err)?,
        }
    }
    Ok(stream)
}

/// Returns every error but `Interrupted`: after a signal, the kernel continues the handshake too.
#[cold]
#[inline(never)]
fn ignore_interrupted(err: io::Error) -> io::Result<()> {
    match err.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        _ => Err(err),
    }
}

const SOCKET_FLAGS: c_int = ffi::SOCK_NONBLOCK | ffi::SOCK_CLOEXEC;

/// Creates a socket that is non-blocking and close-on-exec.
#[inline]
pub(crate) fn open(domain: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: `socket` takes no pointer.
    let fd = check(unsafe { ffi::socket(domain, kind | SOCKET_FLAGS, 0) })?;
    // SAFETY: `socket` has just returned `fd`, and no other code owns it yet.
    let socket = ensure_flags(unsafe { OwnedFd::from_raw_fd(fd) })?;
    // The option is set before `connect`, because `setsockopt` fails for a socket whose connection was refused.
    set_nosigpipe(&socket);
    Ok(socket)
}

/// Creates two connected sockets.
pub(crate) fn pair<S: From<OwnedFd>>(kind: c_int) -> io::Result<(S, S)> {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for two descriptors and outlives the call.
    check(unsafe { ffi::socketpair(ffi::AF_UNIX, kind | SOCKET_FLAGS, 0, fds.as_mut_ptr()) })?;
    // SAFETY: `socketpair` has just returned both descriptors, and no other code owns them yet.
    let [here, there] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok((ensure_flags(here)?.into(), ensure_flags(there)?.into()))
}

/// Sets the flags of a new socket on systems where the call that created it takes none.
#[inline]
fn ensure_flags(socket: OwnedFd) -> io::Result<OwnedFd> {
    if ffi::HAS_SOCKET_FLAGS {
        return Ok(socket);
    }
    set_cloexec_nonblocking(socket)
}

fn set_cloexec_nonblocking(socket: OwnedFd) -> io::Result<OwnedFd> {
    close_on_exec(&socket)?;
    let socket = net::TcpStream::from(socket);
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Keeps writes to a socket from raising SIGPIPE, on systems that need an option for it ([`ffi::SO_NOSIGPIPE`]). An
/// error is ignored: it means that the descriptor is not a socket or that the connection has ended.
#[inline]
pub(crate) fn set_nosigpipe(socket: &impl AsRawFd) {
    if let Some(option) = ffi::SO_NOSIGPIPE {
        let on: c_int = 1;
        let value: *const c_int = &on;
        let len = mem::size_of::<c_int>() as socklen_t;
        // SAFETY: `value` points to `len` bytes and outlives the call, which only reads it.
        unsafe { ffi::setsockopt(socket.as_raw_fd(), ffi::SOL_SOCKET, option, value.cast(), len) };
    }
}

/// How many connections can wait for `accept`. A system with a lower limit uses its own limit.
const BACKLOG: c_int = 4096;

/// Creates a listener. The address can be bound even while closed connections still use it.
pub(crate) fn listen(addr: &SocketAddr) -> io::Result<net::TcpListener> {
    let listener = net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    set_backlog(&listener)?;
    Ok(listener)
}

/// Sets the backlog. In a listener of the standard library, the backlog is 128 or the system's limit. A second `listen`
/// changes only the backlog.
pub(crate) fn set_backlog(listener: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: `listen` takes no pointer, and `listener` owns the descriptor.
    check(unsafe { ffi::listen(listener.as_raw_fd(), BACKLOG) }).map(drop)
}

#[inline]
pub(crate) fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    let mut addr = address::empty_sockaddr();
    let mut len = mem::size_of::<sockaddr>() as socklen_t;
    let socket = accept_into(listener, &mut addr, &mut len)?;
    // SAFETY: every byte of the union is initialised, and any bytes are valid for this member.
    let v4 = unsafe { addr.v4 };
    if c_int::from(v4.sin_family) == ffi::AF_INET {
        return Ok((socket.into(), address::from_sockaddr_in(v4)));
    }
    // SAFETY: as above.
    let v6 = unsafe { addr.v6 };
    Ok((socket.into(), address::from_sockaddr_in6(v6)?))
}

/// Accepts a connection of a Unix socket. A Unix address has no fixed length, so the path is computed from the length
/// that the system call writes to `len`.
#[inline]
pub(crate) fn accept_unix(listener: &unix::UnixListener) -> io::Result<(unix::UnixStream, unix::SocketAddr)> {
    let mut addr = ffi::EMPTY_SOCKADDR_UN;
    let mut len = mem::size_of::<sockaddr_un>() as socklen_t;
    let addr_pointer: *mut sockaddr_un = &mut addr;
    let stream = unix::UnixStream::from(accept_into(listener, addr_pointer.cast(), &mut len)?);
    // `from_pathname` constructs an address only from a path. For an abstract name, and for a path that `from_pathname`
    // rejects as too long, `peer_addr` (`getpeername`) returns the address.
    match unix::SocketAddr::from_pathname(pathname(&addr, len)).or_else(|_| stream.peer_addr()) {
        Ok(addr) => Ok((stream, addr)),
        // On some systems, a connection that was closed while it waited has no address.
        Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// Accepts a connection as a non-blocking socket, and writes the peer's address to `addr`, which has room for `len`
/// bytes.
#[inline]
fn accept_into(listener: &impl AsRawFd, addr: *mut sockaddr, len: &mut socklen_t) -> io::Result<OwnedFd> {
    if ffi::HAS_ACCEPT4 {
        // SAFETY: the callers pass an `addr` of `len` bytes, and both outlive the call.
        let fd = check(unsafe { ffi::accept4(listener.as_raw_fd(), addr, len, SOCKET_FLAGS) })?;
        // SAFETY: `accept4` has just returned `fd`, and no other code owns it yet.
        return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    // SAFETY: as above.
    let fd = check(unsafe { ffi::accept(listener.as_raw_fd(), addr, len) })?;
    // SAFETY: as above.
    set_cloexec_nonblocking(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the path in an address of this length. The path of an unnamed address is empty.
fn pathname(addr: &sockaddr_un, len: socklen_t) -> &Path {
    let before = mem::size_of_val(addr) - addr.sun_path.len();
    let len = cmp::min((len as usize).saturating_sub(before), addr.sun_path.len());
    let bytes = &addr.sun_path[..len];
    let bytes = match bytes.iter().position(|byte| *byte == 0) {
        // An abstract name: the zero byte at its start belongs to it.
        Some(0) if ffi::HAS_ABSTRACT_NAMES => bytes,
        Some(end) => &bytes[..end],
        None => bytes,
    };
    Path::new(OsStr::from_bytes(bytes))
}

#[inline]
pub(crate) fn recv(socket: &impl AsRawFd, buf: &mut [u8]) -> io::Result<usize> {
    recv_flags(socket, buf, 0)
}

#[inline]
pub(crate) fn recv_vectored(mut stream: &net::TcpStream, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    stream.read_vectored(bufs)
}

#[inline]
pub(crate) fn peek(stream: &net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    recv_flags(stream, buf, ffi::MSG_PEEK)
}

#[inline]
fn recv_flags(socket: &impl AsRawFd, buf: &mut [u8], flags: c_int) -> io::Result<usize> {
    // SAFETY: `buf` has room for `len` bytes, and this function borrows it until the call returns.
    check_size(unsafe { ffi::recv(socket.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), flags) })
}

#[inline]
pub(crate) fn send(socket: &impl AsRawFd, buf: &[u8]) -> io::Result<usize> {
    // SAFETY: `buf` has `len` bytes and outlives the call, which only reads it.
    check_size(unsafe { ffi::send(socket.as_raw_fd(), buf.as_ptr().cast(), buf.len(), ffi::MSG_NOSIGNAL) })
}

/// Sends several buffers with `sendmsg`, because `writev` would raise SIGPIPE.
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
    // SAFETY: `message` refers to at most as many buffers as `bufs` has. Each is an `iovec`, as `IoSlice` promises on
    // Unix. All of them outlive the call, which only reads them.
    check_size(unsafe { ffi::sendmsg(socket.as_raw_fd(), &message, ffi::MSG_NOSIGNAL) })
}

pub(crate) fn only_v6(socket: &net::UdpSocket) -> io::Result<bool> {
    let mut value: c_int = 0;
    let mut len = mem::size_of::<c_int>() as socklen_t;
    let value_pointer: *mut c_int = &mut value;
    // SAFETY: `value_pointer` has room for `len` bytes, and both outlive the call.
    check(unsafe {
        ffi::getsockopt(socket.as_raw_fd(), ffi::IPPROTO_IPV6, ffi::IPV6_V6ONLY, value_pointer.cast(), &mut len)
    })?;
    Ok(value != 0)
}

#[inline]
fn check_size(result: isize) -> io::Result<usize> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as usize)
}
