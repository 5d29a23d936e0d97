//! Named pipes, as far as the standard library has no call for them, or only one that is unsafe.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::raw::c_void;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{FromRawHandle, IntoRawHandle};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use minimio::windows::NamedPipe;

/// A name that no other pipe has.
pub fn name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!(r"\\.\pipe\minimio-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The other end of a pipe, as this crate has it.
pub fn client(name: &str) -> NamedPipe {
    from_file(OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap())
}

/// The same, for writing only.
pub fn writing_client(name: &str) -> NamedPipe {
    from_file(OpenOptions::new().write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap())
}

/// The same, for reading only.
pub fn reading_client(name: &str) -> NamedPipe {
    from_file(OpenOptions::new().read(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap())
}

/// The other end, as the standard library has it: it waits.
pub fn waiting_client(name: &str) -> File {
    OpenOptions::new().read(true).write(true).open(name).unwrap()
}

pub fn from_file(file: File) -> NamedPipe {
    // SAFETY: the tests give away what they have just opened.
    unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) }
}

/// A server's end of which a read brings one message at most, or the beginning of one.
pub fn message_server(name: &str) -> NamedPipe {
    server(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, 1 << 16)
}

/// A server's end that holds so many bytes in each direction.
pub fn server_with_room(name: &str, room: u32) -> NamedPipe {
    server(name, PIPE_ACCESS_DUPLEX, 0, room)
}

/// A server's end for writing only.
pub fn writing_server(name: &str) -> NamedPipe {
    server(name, PIPE_ACCESS_OUTBOUND, 0, 1 << 16)
}

fn server(name: &str, access: u32, mode: u32, room: u32) -> NamedPipe {
    let name: Vec<u16> = name.encode_utf16().chain(Some(0)).collect();
    let open = access | FILE_FLAG_OVERLAPPED;
    // SAFETY: the name ends with a zero, and outlives the call.
    let handle = unsafe { CreateNamedPipeW(name.as_ptr(), open, mode, 255, room, room, 0, ptr::null_mut()) };
    assert_ne!(handle as isize, -1, "{}", io::Error::last_os_error());
    // SAFETY: it has just been opened, and nobody else knows it.
    unsafe { NamedPipe::from_raw_handle(handle) }
}

const FILE_FLAG_OVERLAPPED: u32 = 0x4000_0000;
const PIPE_ACCESS_OUTBOUND: u32 = 2;
const PIPE_ACCESS_DUPLEX: u32 = 3;
const PIPE_TYPE_MESSAGE: u32 = 4;
const PIPE_READMODE_MESSAGE: u32 = 2;

#[link(name = "kernel32")]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew>
    fn CreateNamedPipeW(
        name: *const u16,
        open: u32,
        mode: u32,
        instances: u32,
        room_out: u32,
        room_in: u32,
        timeout: u32,
        security: *mut c_void,
    ) -> *mut c_void;
}
