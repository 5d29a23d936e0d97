//! Socket operations that the standard library lacks: a non-blocking connect, a long backlog, and handles that child
//! processes do not inherit.

use std::cmp;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::{self, MaybeUninit};
use std::net::{self, SocketAddr};
use std::os::raw::{c_int, c_void};
use std::os::windows::io::{FromRawSocket, OwnedSocket, RawSocket};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Once;

use super::ffi::{self, socklen_t, SOCKET};
use super::raw;
use crate::net::address;

/// Creates a socket and starts to connect it.
pub(crate) fn connect(addr: &SocketAddr) -> io::Result<net::TcpStream> {
    let socket = open(addr)?;
    let mut sockaddr = address::empty_sockaddr();
    let len = address::to_sockaddr(addr, &mut sockaddr);
    // SAFETY: `sockaddr` holds an address of `len` bytes and outlives the call, which only reads it.
    if unsafe { ffi::connect(raw(&socket), &sockaddr, len) } != 0 {
        let err = io::Error::last_os_error();
        // The kernel continues to connect.
        if err.raw_os_error() != Some(ffi::WSAEWOULDBLOCK) {
            return Err(err);
        }
    }
    Ok(net::TcpStream::from(socket))
}

/// Does nothing, because Windows has no SIGPIPE.
pub(crate) fn set_nosigpipe(_: &net::TcpStream) {}

/// How many connections can wait for `accept`. Windows limits a positive number to 200. The header's `SOMAXCONN_HINT`
/// encodes a larger number as a negative one.
const BACKLOG: c_int = -4096;

/// Creates a listener.
pub(crate) fn listen(addr: &SocketAddr) -> io::Result<net::TcpListener> {
    let socket = open(addr)?;
    let mut sockaddr = address::empty_sockaddr();
    let len = address::to_sockaddr(addr, &mut sockaddr);
    // SAFETY: `sockaddr` holds an address of `len` bytes and outlives the call, which only reads it.
    check(unsafe { ffi::bind(raw(&socket), &sockaddr, len) })?;
    // SAFETY: `listen` takes no pointer.
    check(unsafe { ffi::listen(raw(&socket), BACKLOG) })?;
    Ok(net::TcpListener::from(socket))
}

/// Creates a TCP socket for this kind of address. It is non-blocking, overlapped (like every socket of the standard
/// library) and not inheritable.
fn open(addr: &SocketAddr) -> io::Result<OwnedSocket> {
    start_winsock()?;
    let family = match addr {
        SocketAddr::V4(_) => ffi::AF_INET,
        SocketAddr::V6(_) => ffi::AF_INET6,
    };
    let flags = ffi::WSA_FLAG_OVERLAPPED | ffi::WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: without a description of the protocol, `WSASocketW` takes no pointer.
    let socket = unsafe { ffi::WSASocketW(family, ffi::SOCK_STREAM, 0, ptr::null_mut(), 0, flags) };
    if socket == ffi::INVALID_SOCKET {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `WSASocketW` has just returned the socket, and no other code owns it yet.
    let socket = unsafe { OwnedSocket::from_raw_socket(socket as RawSocket) };
    let mut on = 1;
    // SAFETY: `on` outlives the call.
    check(unsafe { ffi::ioctlsocket(raw(&socket), ffi::FIONBIO, &mut on) })?;
    Ok(socket)
}

/// Starts Winsock, which a process must do before it creates a socket. The standard library does this only before it
/// creates a socket of its own.
fn start_winsock() -> io::Result<()> {
    static START: Once = Once::new();
    static RESULT: AtomicI32 = AtomicI32::new(0);
    START.call_once(|| {
        let mut data = MaybeUninit::uninit();
        // SAFETY: `data` has room for a `WSADATA` and outlives the call.
        let result = unsafe { ffi::WSAStartup(ffi::WINSOCK_VERSION, data.as_mut_ptr()) };
        RESULT.store(result, Ordering::Relaxed);
    });
    match RESULT.load(Ordering::Relaxed) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Accepts a connection. The stream is non-blocking because its listener is, but it is inheritable until this function
/// changes that. If the peer has closed already, Wine returns no address, and the standard library's function would
/// panic.
pub(crate) fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    // Room for the address of any family, because the program may convert a socket of another family to a listener.
    let mut addr = [address::empty_sockaddr(); 5];
    let mut len = mem::size_of_val(&addr) as socklen_t;
    // SAFETY: `addr` has room for `len` bytes, and both outlive the call.
    let socket = unsafe { ffi::accept(raw(listener), addr.as_mut_ptr(), &mut len) };
    if socket == ffi::INVALID_SOCKET {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `accept` has just returned the socket, and no other code owns it yet.
    let socket = unsafe { OwnedSocket::from_raw_socket(socket as RawSocket) };
    // An error is ignored: it means that the socket belongs to a service provider and is not a kernel handle, so a
    // child process cannot inherit it. SAFETY: `socket` owns the handle, and `SetHandleInformation` takes no pointer.
    unsafe { ffi::SetHandleInformation(raw(&socket) as ffi::HANDLE, ffi::HANDLE_FLAG_INHERIT, 0) };
    // SAFETY: every byte of the union is initialised, and any bytes are valid for this member.
    let v4 = unsafe { addr[0].v4 };
    if c_int::from(v4.sin_family) == ffi::AF_INET {
        return Ok((socket.into(), address::from_sockaddr_in(v4)));
    }
    // SAFETY: as above.
    let v6 = unsafe { addr[0].v6 };
    Ok((socket.into(), address::from_sockaddr_in6(v6)?))
}

/// The maximum number of buffers of one call. Windows documents no limit. Linux, on which Wine runs, has this one.
const MAX_BUFFERS: usize = 1024;

// Unlike on Unix, these functions use the standard library's methods: each makes one Winsock call, and Windows has no
// SIGPIPE.

pub(crate) fn recv(mut stream: &net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    stream.read(buf)
}

pub(crate) fn recv_vectored(mut stream: &net::TcpStream, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    if bufs.is_empty() {
        // Winsock rejects an empty list.
        return Ok(0);
    }
    let count = cmp::min(bufs.len(), MAX_BUFFERS);
    stream.read_vectored(&mut bufs[..count])
}

pub(crate) fn peek(stream: &net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    stream.peek(buf)
}

pub(crate) fn send(mut stream: &net::TcpStream, buf: &[u8]) -> io::Result<usize> {
    stream.write(buf)
}

pub(crate) fn send_vectored(mut stream: &net::TcpStream, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    if bufs.is_empty() {
        return Ok(0);
    }
    stream.write_vectored(&bufs[..cmp::min(bufs.len(), MAX_BUFFERS)])
}

pub(crate) fn only_v6(socket: &net::UdpSocket) -> io::Result<bool> {
    Ok(get_option(raw(socket), ffi::IPPROTO_IPV6, ffi::IPV6_V6ONLY)? != 0)
}

/// Returns `WSAENOTSOCK` if this is not a socket. Without this check, some handles that are not sockets would be
/// rejected only in a later `poll`.
pub(super) fn check_socket(socket: SOCKET) -> io::Result<()> {
    get_option(socket, ffi::SOL_SOCKET, ffi::SO_TYPE).map(drop)
}

fn get_option(socket: SOCKET, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = mem::size_of::<c_int>() as ffi::socklen_t;
    let value_pointer: *mut c_int = &mut value;
    // SAFETY: `value_pointer` has room for `len` bytes, and both outlive the call.
    check(unsafe { ffi::getsockopt(socket, level, name, value_pointer.cast::<c_void>(), &mut len) })?;
    Ok(value)
}

/// Sets whether a receive of a UDP socket fails when an earlier datagram was refused.
pub(super) fn set_connreset(socket: &net::UdpSocket, on: bool) -> io::Result<()> {
    let on = ffi::BOOL::from(on);
    let value: *const ffi::BOOL = &on;
    let mut len = 0;
    // SAFETY: `value` points to a `BOOL`, whose size is passed, and `value` and `len` outlive the call. Without an
    // overlapped structure, the operation is complete when the call returns, so the kernel keeps no pointer.
    check(unsafe {
        ffi::WSAIoctl(
            raw(socket),
            ffi::SIO_UDP_CONNRESET,
            value.cast(),
            mem::size_of::<ffi::BOOL>() as ffi::DWORD,
            ptr::null_mut(),
            0,
            &mut len,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    })
}

/// Returns the error of a Winsock call. Winsock stores it where the standard library reads the last error.
fn check(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
