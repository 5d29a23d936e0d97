//! Declarations of the system for pipes. The names are C's. The links lead to Microsoft's manual.

#![allow(non_camel_case_types, non_snake_case, clippy::upper_case_acronyms)]

use std::mem;
use std::os::raw::c_void;
use std::ptr;

use super::ffi::{BOOL, DWORD, HANDLE};

// <minwinbase.h>

/// An operation on a pipe and its result. The first two fields are an `IO_STATUS_BLOCK`, which the kernel writes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OVERLAPPED {
    /// An `NTSTATUS`.
    pub Internal: usize,
    /// A number of bytes.
    pub InternalHigh: usize,
    /// The offset in a file. Pipes have no offsets.
    pub Offset: DWORD,
    pub OffsetHigh: DWORD,
    pub hEvent: HANDLE,
}

impl OVERLAPPED {
    pub const fn new() -> OVERLAPPED {
        OVERLAPPED { Internal: 0, InternalHigh: 0, Offset: 0, OffsetHigh: 0, hEvent: ptr::null_mut() }
    }
}
const _: () = assert!(mem::size_of::<OVERLAPPED>() == 8 + 3 * mem::size_of::<usize>());

// <ioapiset.h>, <fileapi.h>, <namedpipeapi.h>, <winbase.h>

#[cfg_attr(windows, link(name = "kernel32"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/fileio/cancelioex-func>
    pub fn CancelIoEx(hFile: HANDLE, lpOverlapped: *mut OVERLAPPED) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-readfile>
    pub fn ReadFile(
        hFile: HANDLE,
        lpBuffer: *mut c_void,
        nNumberOfBytesToRead: DWORD,
        lpNumberOfBytesRead: *mut DWORD,
        lpOverlapped: *mut OVERLAPPED,
    ) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-writefile>
    pub fn WriteFile(
        hFile: HANDLE,
        lpBuffer: *const c_void,
        nNumberOfBytesToWrite: DWORD,
        lpNumberOfBytesWritten: *mut DWORD,
        lpOverlapped: *mut OVERLAPPED,
    ) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-connectnamedpipe>
    pub fn ConnectNamedPipe(hNamedPipe: HANDLE, lpOverlapped: *mut OVERLAPPED) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-disconnectnamedpipe>
    pub fn DisconnectNamedPipe(hNamedPipe: HANDLE) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-getnamedpipeinfo>
    pub fn GetNamedPipeInfo(
        hNamedPipe: HANDLE,
        lpFlags: *mut DWORD,
        lpOutBufferSize: *mut DWORD,
        lpInBufferSize: *mut DWORD,
        lpMaxInstances: *mut DWORD,
    ) -> BOOL;
}

pub const PIPE_SERVER_END: DWORD = 1;

// <winerror.h>

pub const ERROR_ACCESS_DENIED: i32 = 5;
pub const ERROR_BROKEN_PIPE: i32 = 109;
/// The other end is closed.
pub const ERROR_NO_DATA: i32 = 232;
pub const ERROR_PIPE_NOT_CONNECTED: i32 = 233;
/// A message is longer than the buffer. The buffer has its first part; the next read returns the rest.
pub const ERROR_MORE_DATA: i32 = 234;
/// A client opened the other end before `ConnectNamedPipe` was called.
pub const ERROR_PIPE_CONNECTED: i32 = 535;
/// No client has opened the other end yet.
pub const ERROR_PIPE_LISTENING: i32 = 536;
pub const ERROR_IO_PENDING: i32 = 997;
