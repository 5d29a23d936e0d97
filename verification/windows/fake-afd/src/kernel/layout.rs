//! The types and constants of the interface, taken from the headers again, and not from the crate's `ffi.rs`.

use std::ffi::c_void;
use std::mem;

pub(crate) type Status = i32;

const fn status(code: u32) -> Status {
    code as Status
}

pub(crate) const SUCCESS: Status = 0;
pub(crate) const TIMEOUT: Status = 0x102;
pub(crate) const PENDING: Status = 0x103;
pub(crate) const BUFFER_OVERFLOW: Status = status(0x8000_0005);
pub(crate) const HANDLES_CLOSED: Status = status(0x8000_000A);
pub(crate) const INVALID_HANDLE: Status = status(0xC000_0008);
pub(crate) const ACCESS_DENIED: Status = status(0xC000_0022);
pub(crate) const OBJECT_TYPE_MISMATCH: Status = status(0xC000_0024);
pub(crate) const INSUFFICIENT_RESOURCES: Status = status(0xC000_009A);
pub(crate) const CANCELLED: Status = status(0xC000_0120);
pub(crate) const PIPE_BROKEN: Status = status(0xC000_014B);
pub(crate) const NOT_FOUND: Status = status(0xC000_0225);
pub(crate) const CONNECTION_REFUSED: Status = status(0xC000_0236);

pub(crate) const RECEIVE: u32 = 0x001;
pub(crate) const RECEIVE_EXPEDITED: u32 = 0x002;
pub(crate) const SEND: u32 = 0x004;
pub(crate) const DISCONNECT: u32 = 0x008;
pub(crate) const ABORT: u32 = 0x010;
pub(crate) const LOCAL_CLOSE: u32 = 0x020;
pub(crate) const CONNECT: u32 = 0x040;
pub(crate) const ACCEPT: u32 = 0x080;
pub(crate) const CONNECT_FAIL: u32 = 0x100;

pub(crate) const IOCTL_AFD_POLL: u32 = 0x0001_2024;

pub(crate) const SIO_BASE_HANDLE: u32 = 0x4800_0022;
pub(crate) const SIO_BSP_HANDLE: u32 = 0x4800_001B;
pub(crate) const SIO_BSP_HANDLE_SELECT: u32 = 0x4800_001C;
pub(crate) const SIO_BSP_HANDLE_POLL: u32 = 0x4800_001D;

pub(crate) const FIONREAD: std::ffi::c_long = 0x4004_667F;

pub(crate) const ERROR_INVALID_HANDLE: i32 = 6;
pub(crate) const ERROR_INVALID_PARAMETER: i32 = 87;
pub(crate) const ERROR_BROKEN_PIPE: i32 = 109;
pub(crate) const ERROR_NO_DATA: i32 = 232;
pub(crate) const ERROR_PIPE_NOT_CONNECTED: i32 = 233;
pub(crate) const ERROR_PIPE_CONNECTED: i32 = 535;
pub(crate) const ERROR_PIPE_LISTENING: i32 = 536;
pub(crate) const ERROR_IO_PENDING: i32 = 997;
pub(crate) const ERROR_NOT_FOUND: i32 = 1168;
pub(crate) const WAIT_TIMEOUT: i32 = 258;
pub(crate) const ERROR_NO_SYSTEM_RESOURCES: i32 = 1450;
pub(crate) const WSAEINVAL: i32 = 10022;
pub(crate) const WSAENOTSOCK: i32 = 10038;
pub(crate) const WSAEOPNOTSUPP: i32 = 10045;

#[repr(C)]
pub(crate) struct IoStatusBlock {
    pub status: Status,
    pub information: usize,
}
const _: () = assert!(mem::size_of::<IoStatusBlock>() == 2 * mem::size_of::<usize>());

#[repr(C)]
pub(crate) struct Overlapped {
    pub internal: usize,
    pub internal_high: usize,
    pub offset: [u32; 2],
    pub event: usize,
}

#[repr(C)]
pub(crate) struct PollHandle {
    pub handle: usize,
    pub events: u32,
    pub status: Status,
}

#[repr(C)]
pub(crate) struct PollInfo {
    pub timeout: i64,
    pub number_of_handles: u32,
    pub exclusive: u32,
    pub handle: PollHandle,
}

#[repr(C)]
pub(crate) struct Entry {
    pub key: usize,
    pub address: *mut c_void,
    pub internal: usize,
    pub bytes: u32,
}

#[repr(C)]
pub(crate) struct UnicodeString {
    pub length: u16,
    pub maximum_length: u16,
    pub buffer: *const u16,
}

#[repr(C)]
pub(crate) struct ObjectAttributes {
    pub length: u32,
    pub root: usize,
    pub name: *const UnicodeString,
    pub attributes: u32,
    pub security: usize,
    pub quality: usize,
}
