//! Sockets, as far as the standard library does not do what is wanted: connecting without blocking, a long queue of
//! connections, handles that no child process inherits.

use std::cmp;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::{self, MaybeUninit};
use std::net::{self, SocketAddr};
use std::os::raw::{c_int, c_void};
use std::os::windows::io::{AsRawSocket, FromRawSocket, OwnedSocket, RawSocket};
use std::ptr;
use std::sync::Once;

use super::ffi::{self, SOCKET};
use crate::net::address;

/// Begins to connect a new socket.
pub(crate) fn connect(addr: &SocketAddr) -> io::Result<net::TcpStream> {
    let socket = open(addr)?;
    let mut place = address::empty_sockaddr();
    let len = address::to_sockaddr(addr, &mut place);
    // SAFETY: `place` holds an address of `len` bytes and outlives the call, which only reads it.
    if unsafe { ffi::connect(raw(&socket), &place, len) } != 0 {
        let err = io::Error::last_os_error();
        // It goes on without us.
        if err.raw_os_error() != Some(ffi::WSAEWOULDBLOCK) {
            return Err(err);
        }
    }
    Ok(net::TcpStream::from(socket))
}

/// Nothing has to be told to a stream before it is ours.
pub(crate) fn set_nosigpipe(_: &net::TcpStream) {}

/// How many connections may wait to be accepted. A positive number would be cut down to 200 here; a negative one is
/// what the header's `SOMAXCONN_HINT` makes of it.
const BACKLOG: c_int = -4096;

/// A socket that listens.
pub(crate) fn listen(addr: &SocketAddr) -> io::Result<net::TcpListener> {
    let socket = open(addr)?;
    let mut place = address::empty_sockaddr();
    let len = address::to_sockaddr(addr, &mut place);
    // SAFETY: `place` holds an address of `len` bytes and outlives the call, which only reads it.
    check(unsafe { ffi::bind(raw(&socket), &place, len) })?;
    // SAFETY: `listen` takes no pointer.
    check(unsafe { ffi::listen(raw(&socket), BACKLOG) })?;
    Ok(net::TcpListener::from(socket))
}

/// A new TCP socket for this kind of address: non-blocking, overlapped as all of the standard library's, and not to be
/// inherited.
fn open(addr: &SocketAddr) -> io::Result<OwnedSocket> {
    start()?;
    let family = match addr {
        SocketAddr::V4(_) => ffi::AF_INET,
        SocketAddr::V6(_) => ffi::AF_INET6,
    };
    let flags = ffi::WSA_FLAG_OVERLAPPED | ffi::WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: without a protocol's description, `WSASocketW` takes no pointer.
    let socket = unsafe { ffi::WSASocketW(family, ffi::SOCK_STREAM, 0, ptr::null_mut(), 0, flags) };
    if socket == ffi::INVALID_SOCKET {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `WSASocketW` has just returned it, and nothing else knows it yet.
    let socket = unsafe { OwnedSocket::from_raw_socket(socket as RawSocket) };
    let mut on = 1;
    // SAFETY: `on` outlives the call.
    check(unsafe { ffi::ioctlsocket(raw(&socket), ffi::FIONBIO, &mut on) })?;
    Ok(socket)
}

/// Before its first socket, a process must start Winsock. The standard library does it before its own first, and is not
/// to be counted on for ours.
fn start() -> io::Result<()> {
    static START: Once = Once::new();
    let mut result = 0;
    START.call_once(|| {
        let mut data = MaybeUninit::uninit();
        // SAFETY: `data` has room for what is written there, and outlives the call.
        result = unsafe { ffi::WSAStartup(ffi::WINSOCK_VERSION, data.as_mut_ptr()) };
    });
    match result {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// The new stream is non-blocking as its listener is, but may be inherited: that has to be said of it anew.
pub(crate) fn accept(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    let (stream, addr) = match listener.accept() {
        // An address that the standard library can't read: Wine gives one of no family where the peer has gone already.
        Err(err) if err.raw_os_error().is_none() => return Err(io::ErrorKind::ConnectionAborted.into()),
        result => result?,
    };
    // Should this fail, the socket is a service provider's and no handle of the kernel's, and nobody inherits those.
    // SAFETY: `stream` owns the handle. Nothing is pointed to.
    unsafe { ffi::SetHandleInformation(raw(&stream) as ffi::HANDLE, ffi::HANDLE_FLAG_INHERIT, 0) };
    Ok((stream, addr))
}

/// So many buffers go into one call. Windows names no limit; below Wine there is this one.
const MOST_BUFFERS: usize = 1024;

// The standard library's calls are the system's here, without detour.

pub(crate) fn recv(mut stream: &net::TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    stream.read(buf)
}

pub(crate) fn recv_vectored(mut stream: &net::TcpStream, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    if bufs.is_empty() {
        // Winsock takes offence at this.
        return Ok(0);
    }
    let count = cmp::min(bufs.len(), MOST_BUFFERS);
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
    stream.write_vectored(&bufs[..cmp::min(bufs.len(), MOST_BUFFERS)])
}

pub(crate) fn only_v6(socket: &net::UdpSocket) -> io::Result<bool> {
    Ok(option(raw(socket), ffi::IPPROTO_IPV6, ffi::IPV6_V6ONLY)? != 0)
}

/// Fails with `WSAENOTSOCK` unless it is a socket: there are handles that pass for one at first.
pub(super) fn check_socket(socket: SOCKET) -> io::Result<()> {
    option(socket, ffi::SOL_SOCKET, ffi::SO_TYPE).map(drop)
}

fn option(socket: SOCKET, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = mem::size_of::<c_int>() as ffi::socklen_t;
    let place: *mut c_int = &mut value;
    // SAFETY: `place` has room for `len` bytes, and both outlive the call.
    check(unsafe { ffi::getsockopt(socket, level, name, place.cast::<c_void>(), &mut len) })?;
    Ok(value)
}

/// Whether a UDP socket's reads fail with the refusals that earlier datagrams have met.
pub(super) fn set_connreset(socket: &net::UdpSocket, on: bool) -> io::Result<()> {
    let on = ffi::BOOL::from(on);
    let value: *const ffi::BOOL = &on;
    let mut len = 0;
    // SAFETY: `value` points to as many bytes as is said, and all outlives the call, which does not go on after it
    // returns, since there is no overlapped structure.
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

fn raw(socket: &impl AsRawSocket) -> SOCKET {
    socket.as_raw_socket() as SOCKET
}

/// Winsock's errors are where the standard library looks for the last error.
fn check(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
