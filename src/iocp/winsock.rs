//! Two queries about a socket: its base socket, and whether it has unread bytes.

use std::io;
use std::mem;
use std::ptr;

use crate::windows::ffi::{self, DWORD, SOCKET};

/// A limit for the loop below. Real chains of service providers are shorter.
const MAX_PROVIDER_LAYERS: usize = 32;

/// Returns the base socket: the socket that AFD knows.
///
/// The base socket is the socket that the program holds, unless a layered service provider is installed (some filters
/// and virus scanners install one). The program then holds a socket of the provider, and the base socket lies below.
/// `SIO_BASE_HANDLE` exists for this query. Some providers fail this query, although the manual forbids a failure, but
/// support the `SIO_BSP_HANDLE` queries, which return the socket one layer below. For that socket, this function tries
/// `SIO_BASE_HANDLE` again, as wepoll does.
///
/// <https://learn.microsoft.com/windows/win32/winsock/winsock-ioctls>
pub(super) fn base_socket(socket: SOCKET) -> io::Result<SOCKET> {
    let mut layer = socket;
    for _ in 0..MAX_PROVIDER_LAYERS {
        let err = match query_provider(layer, ffi::SIO_BASE_HANDLE) {
            Ok(base) => return Ok(base),
            Err(err) => err,
        };
        let not_a_socket = err.raw_os_error() == Some(ffi::WSAENOTSOCK);
        let below = [ffi::SIO_BSP_HANDLE_SELECT, ffi::SIO_BSP_HANDLE_POLL, ffi::SIO_BSP_HANDLE]
            .iter()
            // No provider knows a number that is not a socket, so do not try the other queries.
            .filter(|_| !not_a_socket)
            // A provider that returns the same socket leads no deeper, so try the next query.
            .find_map(|query| query_provider(layer, *query).ok().filter(|below| *below != layer));
        layer = match below {
            Some(below) => below,
            None => return Err(err),
        };
    }
    let reason = format!("cannot register socket {socket}: its service providers form a circle");
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

/// Returns true only if the socket has unread bytes. False can mean that this is not known: a listener does not support
/// the query.
pub(super) fn has_unread_bytes(socket: SOCKET) -> bool {
    let mut count = 0;
    // SAFETY: `count` outlives the call.
    let result = unsafe { ffi::ioctlsocket(socket, ffi::FIONREAD, &mut count) };
    result == 0 && count > 0
}

/// Runs a query whose result is another socket.
fn query_provider(socket: SOCKET, query: DWORD) -> io::Result<SOCKET> {
    let mut result: SOCKET = ffi::INVALID_SOCKET;
    let mut len = 0;
    let output: *mut SOCKET = &mut result;
    // SAFETY: `output` points to `result`, which has room for one `SOCKET`. `result` and `len` outlive the call, which
    // is synchronous because it has no overlapped structure.
    let status = unsafe {
        ffi::WSAIoctl(
            socket,
            query,
            ptr::null(),
            0,
            output.cast(),
            mem::size_of::<SOCKET>() as DWORD,
            &mut len,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    match status {
        0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
