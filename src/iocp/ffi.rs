//! The functions, types and constants of completion ports and pipes, and of AFD, the driver of all sockets.
//!
//! The names are C's. The links lead to Microsoft's manual. AFD's interface is not documented and has not changed since
//! Windows 2000; Wine's `include/wine/afd.h` declares the same interface under other names.

#![allow(non_camel_case_types, non_snake_case, clippy::upper_case_acronyms)]

use std::mem;
use std::os::raw::c_void;
use std::ptr;

pub(super) use crate::windows::ffi::{CloseHandle, BOOL, DWORD, HANDLE, INVALID_HANDLE_VALUE, SOCKET};
pub(super) use crate::windows::ffi::{DuplicateHandle, GetCurrentProcess, BOOLEAN, DUPLICATE_SAME_ACCESS};

// <ioapiset.h>, <minwinbase.h>, <winbase.h>

/// A dequeued packet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OVERLAPPED_ENTRY {
    pub lpCompletionKey: usize,
    pub lpOverlapped: *mut c_void,
    pub Internal: usize,
    pub dwNumberOfBytesTransferred: DWORD,
}
const _: () = assert!(mem::size_of::<OVERLAPPED_ENTRY>() == 4 * mem::size_of::<usize>());

#[cfg_attr(windows, link(name = "kernel32"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/fileio/createiocompletionport>
    pub fn CreateIoCompletionPort(
        FileHandle: HANDLE,
        ExistingCompletionPort: HANDLE,
        CompletionKey: usize,
        NumberOfConcurrentThreads: DWORD,
    ) -> HANDLE;
    /// <https://learn.microsoft.com/windows/win32/fileio/getqueuedcompletionstatusex-func>
    pub fn GetQueuedCompletionStatusEx(
        CompletionPort: HANDLE,
        lpCompletionPortEntries: *mut OVERLAPPED_ENTRY,
        ulCount: DWORD,
        ulNumEntriesRemoved: *mut DWORD,
        dwMilliseconds: DWORD,
        fAlertable: BOOL,
    ) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/fileio/postqueuedcompletionstatus>
    pub fn PostQueuedCompletionStatus(
        CompletionPort: HANDLE,
        dwNumberOfBytesTransferred: DWORD,
        dwCompletionKey: usize,
        lpOverlapped: *mut c_void,
    ) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-setfilecompletionnotificationmodes>
    pub fn SetFileCompletionNotificationModes(FileHandle: HANDLE, Flags: u8) -> BOOL;
}

pub const INFINITE: DWORD = u32::MAX;
/// Without this flag, each completion also sets the event inside the file object, for which no code waits.
pub const FILE_SKIP_SET_EVENT_ON_HANDLE: u8 = 2;

// <winerror.h>

pub const WAIT_TIMEOUT: i32 = 258;

// <winternl.h>, <ntstatus.h>

pub type NTSTATUS = i32;

pub const STATUS_SUCCESS: NTSTATUS = 0;
pub const STATUS_PENDING: NTSTATUS = 0x0000_0103;
pub const STATUS_INVALID_HANDLE: NTSTATUS = 0xC000_0008_u32 as NTSTATUS;
pub const STATUS_OBJECT_TYPE_MISMATCH: NTSTATUS = 0xC000_0024_u32 as NTSTATUS;
pub const STATUS_CANCELLED: NTSTATUS = 0xC000_0120_u32 as NTSTATUS;
pub const STATUS_NOT_FOUND: NTSTATUS = 0xC000_0225_u32 as NTSTATUS;

/// `NT_ERROR`: the severity, in the two highest bits, is "error".
///
/// <https://learn.microsoft.com/windows-hardware/drivers/kernel/using-ntstatus-values>
pub const fn NT_ERROR(status: NTSTATUS) -> bool {
    status as u32 >> 30 == 3
}

/// A string without a terminating zero. The lengths are in bytes.
#[repr(C)]
pub struct UNICODE_STRING {
    pub Length: u16,
    pub MaximumLength: u16,
    pub Buffer: *const u16,
}
const _: () = assert!(mem::size_of::<UNICODE_STRING>() == 2 * mem::size_of::<usize>());

#[repr(C)]
pub struct OBJECT_ATTRIBUTES {
    pub Length: u32,
    pub RootDirectory: HANDLE,
    pub ObjectName: *const UNICODE_STRING,
    pub Attributes: u32,
    pub SecurityDescriptor: *const c_void,
    pub SecurityQualityOfService: *const c_void,
}
const _: () = assert!(mem::size_of::<OBJECT_ATTRIBUTES>() == 6 * mem::size_of::<usize>());

/// The result of a request, written by the kernel.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IO_STATUS_BLOCK {
    /// In C, `Status` is in a union with a pointer. The field `Pointer` is padding up to the size of that union.
    pub Status: NTSTATUS,
    #[cfg(target_pointer_width = "64")]
    pub Pointer: NTSTATUS,
    pub Information: usize,
}

impl IO_STATUS_BLOCK {
    pub const fn new() -> IO_STATUS_BLOCK {
        IO_STATUS_BLOCK {
            Status: STATUS_SUCCESS,
            #[cfg(target_pointer_width = "64")]
            Pointer: 0,
            Information: 0,
        }
    }
}
const _: () = assert!(mem::size_of::<IO_STATUS_BLOCK>() == 2 * mem::size_of::<usize>());

// <winnt.h>, <winternl.h>

pub const SYNCHRONIZE: u32 = 0x0010_0000;
pub const FILE_SHARE_READ: u32 = 1;
pub const FILE_SHARE_WRITE: u32 = 2;
pub const FILE_OPEN: u32 = 1;

#[cfg_attr(windows, link(name = "ntdll"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/winternl/nf-winternl-ntcreatefile>
    pub fn NtCreateFile(
        FileHandle: *mut HANDLE,
        DesiredAccess: u32,
        ObjectAttributes: *const OBJECT_ATTRIBUTES,
        IoStatusBlock: *mut IO_STATUS_BLOCK,
        AllocationSize: *const i64,
        FileAttributes: u32,
        ShareAccess: u32,
        CreateDisposition: u32,
        CreateOptions: u32,
        EaBuffer: *const c_void,
        EaLength: u32,
    ) -> NTSTATUS;
    /// <https://learn.microsoft.com/windows/win32/api/winternl/nf-winternl-ntdeviceiocontrolfile>
    pub fn NtDeviceIoControlFile(
        FileHandle: HANDLE,
        Event: HANDLE,
        ApcRoutine: *mut c_void,
        ApcContext: *mut c_void,
        IoStatusBlock: *mut IO_STATUS_BLOCK,
        IoControlCode: u32,
        InputBuffer: *const c_void,
        InputBufferLength: u32,
        OutputBuffer: *mut c_void,
        OutputBufferLength: u32,
    ) -> NTSTATUS;
    /// The native function behind `CancelIoEx`: <https://learn.microsoft.com/windows/win32/fileio/cancelioex-func>
    pub fn NtCancelIoFileEx(
        FileHandle: HANDLE,
        IoRequestToCancel: *mut IO_STATUS_BLOCK,
        IoStatusBlock: *mut IO_STATUS_BLOCK,
    ) -> NTSTATUS;
    /// <https://learn.microsoft.com/windows/win32/api/winternl/nf-winternl-rtlntstatustodoserror>
    pub fn RtlNtStatusToDosError(Status: NTSTATUS) -> u32;
}

// AFD

/// A control code in AFD's own bit layout: device type 0x12, function 9, method "buffered".
pub const IOCTL_AFD_POLL: u32 = 0x12 << 12 | 9 << 2;

/// Data can be read.
pub const AFD_POLL_RECEIVE: u32 = 0x001;
/// An urgent byte can be received with `MSG_OOB`.
pub const AFD_POLL_RECEIVE_EXPEDITED: u32 = 0x002;
/// Data can be written.
pub const AFD_POLL_SEND: u32 = 0x004;
/// The peer has shut down writing.
pub const AFD_POLL_DISCONNECT: u32 = 0x008;
/// The peer has reset the connection.
pub const AFD_POLL_ABORT: u32 = 0x010;
/// The last handle of the socket has been closed here.
pub const AFD_POLL_LOCAL_CLOSE: u32 = 0x020;
/// A connection can be accepted.
pub const AFD_POLL_ACCEPT: u32 = 0x080;
/// A connection could not be made.
pub const AFD_POLL_CONNECT_FAIL: u32 = 0x100;

/// A socket of a request. `Events` has the requested events when the request is submitted, and the result when it
/// completes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AFD_POLL_HANDLE_INFO {
    pub Handle: HANDLE,
    pub Events: u32,
    pub Status: NTSTATUS,
}
const _: () = assert!(mem::size_of::<AFD_POLL_HANDLE_INFO>() == 8 + mem::size_of::<usize>());

/// A request and its result. AFD accepts any number of sockets in one request; this crate passes one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AFD_POLL_INFO {
    /// In units of 100 ns. `i64::MAX` means no timeout.
    pub Timeout: i64,
    pub NumberOfHandles: u32,
    /// If this is not 0, other requests for the socket are completed immediately.
    pub Exclusive: u32,
    pub Handles: [AFD_POLL_HANDLE_INFO; 1],
}
// The header has 16 bytes. The part of the one handle follows, padded to the alignment of the `i64`, which C aligns to
// 8 bytes on 32-bit Windows too. The second condition below is for 32-bit systems with an alignment of 4 bytes, such as
// Linux on i686: the project's tests compile this file on Linux.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(mem::size_of::<AFD_POLL_INFO>() == 32);
#[cfg(target_pointer_width = "32")]
const _: () = assert!(mem::size_of::<AFD_POLL_INFO>() == 32 || mem::align_of::<i64>() == 4);

// <minwinbase.h>: from here on, only pipes use the declarations.

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

// <winnt.h>, <winbase.h>, <synchapi.h>, <winerror.h>: from here on, only waitables use the declarations.

/// The callback of a wait: its context, and whether its timeout has passed.
pub type WAITORTIMERCALLBACK = Option<unsafe extern "system" fn(*mut c_void, BOOLEAN)>;

#[cfg_attr(windows, link(name = "kernel32"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-registerwaitforsingleobject>
    pub fn RegisterWaitForSingleObject(
        phNewWaitObject: *mut HANDLE,
        hObject: HANDLE,
        Callback: WAITORTIMERCALLBACK,
        Context: *mut c_void,
        dwMilliseconds: DWORD,
        dwFlags: DWORD,
    ) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/sync/unregisterwaitex>
    pub fn UnregisterWaitEx(WaitHandle: HANDLE, CompletionEvent: HANDLE) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-waitforsingleobject>
    pub fn WaitForSingleObject(hHandle: HANDLE, dwMilliseconds: DWORD) -> DWORD;
}

/// The thread that waits also calls the callback, which must not block.
pub const WT_EXECUTEINWAITTHREAD: DWORD = 4;
/// The wait is over after the callback was called once.
pub const WT_EXECUTEONLYONCE: DWORD = 8;
pub const WAIT_FAILED: DWORD = u32::MAX;
pub const ERROR_INVALID_HANDLE: i32 = 6;
