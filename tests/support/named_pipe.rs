//! Operations on named pipes for which the standard library has no function, or only an unsafe one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::raw::c_void;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{FromRawHandle, IntoRawHandle};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use minimio::windows::NamedPipe;

/// Returns a name that no other pipe has.
pub fn name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!(r"\\.\pipe\minimio-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Opens the client end of a pipe as a `NamedPipe`.
pub fn client(name: &str) -> NamedPipe {
    from_file(OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap())
}

/// As `client`, for writing only.
pub fn writing_client(name: &str) -> NamedPipe {
    from_file(OpenOptions::new().write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap())
}

/// As `client`, for reading only.
pub fn reading_client(name: &str) -> NamedPipe {
    from_file(OpenOptions::new().read(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name).unwrap())
}

/// Opens the client end of a pipe as a file, whose reads and writes block.
pub fn blocking_client(name: &str) -> File {
    OpenOptions::new().read(true).write(true).open(name).unwrap()
}

pub fn from_file(file: File) -> NamedPipe {
    // SAFETY: `into_raw_handle` has just given up the ownership of this handle.
    unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) }
}

/// Creates a server end from which a read returns at most one message, or the beginning of one.
pub fn message_server(name: &str) -> NamedPipe {
    server(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE)
}

/// Creates a server end for writing only.
pub fn writing_server(name: &str) -> NamedPipe {
    server(name, PIPE_ACCESS_OUTBOUND, 0)
}

fn server(name: &str, access: u32, mode: u32) -> NamedPipe {
    let name: Vec<u16> = name.encode_utf16().chain(Some(0)).collect();
    let open = access | FILE_FLAG_OVERLAPPED;
    // SAFETY: `name` ends with a zero and outlives the call.
    let handle =
        unsafe { CreateNamedPipeW(name.as_ptr(), open, mode, 255, BUFFER_SIZE, BUFFER_SIZE, 0, ptr::null_mut()) };
    assert_ne!(handle as isize, -1, "{}", io::Error::last_os_error());
    // SAFETY: `CreateNamedPipeW` has just returned this handle, and no other code owns it.
    unsafe { NamedPipe::from_raw_handle(handle) }
}

const BUFFER_SIZE: u32 = 1 << 16;
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
        output_size: u32,
        input_size: u32,
        timeout: u32,
        security: *mut c_void,
    ) -> *mut c_void;
}
