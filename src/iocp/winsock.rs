//! The socket that AFD knows, and whether it has unread bytes: what Winsock answers.

use std::io;
use std::mem;
use std::ptr;

use crate::windows::ffi::{self, DWORD, SOCKET};

/// No chain of providers is as long as this.
const LAYERS: usize = 32;

/// The socket that AFD knows.
///
/// It is the program's own, unless a layered service provider has put a socket of its own in front of it: some kinds of
/// filters and virus scanners do. Of those, some keep the question to themselves that was made for this
/// (`SIO_BASE_HANDLE`), against the manual's word, but answer others, by which one gets a layer deeper at a time.
///
/// <https://learn.microsoft.com/windows/win32/winsock/winsock-ioctls>
pub(super) fn base_socket(socket: SOCKET) -> io::Result<SOCKET> {
    let mut layer = socket;
    for _ in 0..LAYERS {
        let err = match ask(layer, ffi::SIO_BASE_HANDLE) {
            Ok(base) => return Ok(base),
            Err(err) => err,
        };
        let not_a_socket = err.raw_os_error() == Some(ffi::WSAENOTSOCK);
        let below = [ffi::SIO_BSP_HANDLE_SELECT, ffi::SIO_BSP_HANDLE_POLL, ffi::SIO_BSP_HANDLE]
            .iter()
            .filter(|_| !not_a_socket)
            .find_map(|question| ask(layer, *question).ok().filter(|below| *below != layer));
        layer = match below {
            Some(below) => below,
            None => return Err(err),
        };
    }
    let kind = io::ErrorKind::InvalidInput;
    Err(io::Error::new(kind, format!("cannot register socket {socket}: its service providers go round in circles")))
}

/// Whether there certainly is something to be read.
pub(super) fn has_unread(socket: SOCKET) -> bool {
    let mut count = 0;
    // SAFETY: `count` outlives the call.
    let result = unsafe { ffi::ioctlsocket(socket, ffi::FIONREAD, &mut count) };
    // Of a listener, it can't be asked.
    result == 0 && count > 0
}

/// A question that is answered by another socket.
fn ask(socket: SOCKET, question: DWORD) -> io::Result<SOCKET> {
    let mut answer: SOCKET = ffi::INVALID_SOCKET;
    let mut len = 0;
    let place: *mut SOCKET = &mut answer;
    // SAFETY: `place` has room for what is said to be there, and all that is pointed to outlives the call, which does
    // not go on after it returns, since there is no overlapped structure.
    let result = unsafe {
        ffi::WSAIoctl(
            socket,
            question,
            ptr::null(),
            0,
            place.cast(),
            mem::size_of::<SOCKET>() as DWORD,
            &mut len,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    match result {
        0 => Ok(answer),
        _ => Err(io::Error::last_os_error()),
    }
}
