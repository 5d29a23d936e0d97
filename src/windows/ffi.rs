//! The functions, types and constants of handles, named pipes and sockets that the standard library does not export.
//! `iocp/ffi.rs` has those of the queue. The names are C's. The links lead to Microsoft's manual.

#![allow(non_camel_case_types, non_snake_case, clippy::upper_case_acronyms)]

use std::mem;
use std::os::raw::{c_char, c_int, c_long, c_ushort, c_void};

// <basetsd.h>, <winnt.h>, <minwindef.h>

pub(crate) type HANDLE = *mut c_void;
pub(crate) type BOOL = i32;
pub(crate) type BOOLEAN = u8;
pub(crate) type DWORD = u32;

// <handleapi.h>, <processthreadsapi.h>, <winbase.h>, <winnt.h>

pub(crate) const INVALID_HANDLE_VALUE: HANDLE = !0_usize as HANDLE;
pub(crate) const HANDLE_FLAG_INHERIT: DWORD = 1;
pub(crate) const DUPLICATE_SAME_ACCESS: DWORD = 2;

#[cfg_attr(windows, link(name = "kernel32"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-closehandle>
    pub(crate) fn CloseHandle(hObject: HANDLE) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-duplicatehandle>
    pub(crate) fn DuplicateHandle(
        hSourceProcessHandle: HANDLE,
        hSourceHandle: HANDLE,
        hTargetProcessHandle: HANDLE,
        lpTargetHandle: *mut HANDLE,
        dwDesiredAccess: DWORD,
        bInheritHandle: BOOL,
        dwOptions: DWORD,
    ) -> BOOL;
    /// <https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-getcurrentprocess>
    pub(crate) fn GetCurrentProcess() -> HANDLE;
    /// <https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-sethandleinformation>
    pub(crate) fn SetHandleInformation(hObject: HANDLE, dwMask: DWORD, dwFlags: DWORD) -> BOOL;
}

// <wincon.h>, <consoleapi.h>

/// The handler of console events. It returns whether it has handled the event.
pub(crate) type PHANDLER_ROUTINE = Option<unsafe extern "system" fn(DWORD) -> BOOL>;

pub(crate) const CTRL_C_EVENT: DWORD = 0;
pub(crate) const CTRL_BREAK_EVENT: DWORD = 1;
pub(crate) const CTRL_CLOSE_EVENT: DWORD = 2;
pub(crate) const CTRL_SHUTDOWN_EVENT: DWORD = 6;

#[cfg_attr(windows, link(name = "kernel32"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/console/setconsolectrlhandler>
    pub(crate) fn SetConsoleCtrlHandler(HandlerRoutine: PHANDLER_ROUTINE, Add: BOOL) -> BOOL;
}

// <namedpipeapi.h>, <winbase.h>

#[cfg_attr(windows, link(name = "kernel32"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew>
    pub(crate) fn CreateNamedPipeW(
        lpName: *const u16,
        dwOpenMode: DWORD,
        dwPipeMode: DWORD,
        nMaxInstances: DWORD,
        nOutBufferSize: DWORD,
        nInBufferSize: DWORD,
        nDefaultTimeOut: DWORD,
        lpSecurityAttributes: *mut c_void,
    ) -> HANDLE;
}

pub(crate) const PIPE_ACCESS_DUPLEX: DWORD = 3;
pub(crate) const FILE_FLAG_FIRST_PIPE_INSTANCE: DWORD = 0x0008_0000;
pub(crate) const FILE_FLAG_OVERLAPPED: DWORD = 0x4000_0000;
pub(crate) const PIPE_TYPE_BYTE: DWORD = 0;
pub(crate) const PIPE_UNLIMITED_INSTANCES: DWORD = 255;

// <winsock2.h>

pub(crate) type SOCKET = usize;
pub(crate) const INVALID_SOCKET: SOCKET = !0;

pub(crate) const AF_INET: c_int = 2;
pub(crate) const AF_INET6: c_int = 23;
pub(crate) const SOCK_STREAM: c_int = 1;
pub(crate) const WSA_FLAG_OVERLAPPED: DWORD = 0x01;
pub(crate) const WSA_FLAG_NO_HANDLE_INHERIT: DWORD = 0x80;

pub(crate) const SOL_SOCKET: c_int = 0xffff;
pub(crate) const SO_TYPE: c_int = 0x1008;

pub(crate) const FIONBIO: c_long = 0x8004_667e_u32 as c_long;
pub(crate) const FIONREAD: c_long = 0x4004_667f;

pub(crate) const WSAEWOULDBLOCK: c_int = 10035;
pub(crate) const WSAENOTSOCK: c_int = 10038;

/// The version of Winsock that `WSAStartup` requests: 2.2.
pub(crate) const WINSOCK_VERSION: c_ushort = 0x0202;

/// Only the size matters: this crate reads no field.
#[repr(C)]
pub(crate) struct WSADATA {
    pub wVersion: c_ushort,
    pub wHighVersion: c_ushort,
    #[cfg(target_pointer_width = "64")]
    pub iMaxSockets: c_ushort,
    #[cfg(target_pointer_width = "64")]
    pub iMaxUdpDg: c_ushort,
    #[cfg(target_pointer_width = "64")]
    pub lpVendorInfo: *mut c_char,
    pub szDescription: [c_char; 257],
    pub szSystemStatus: [c_char; 129],
    #[cfg(target_pointer_width = "32")]
    pub iMaxSockets: c_ushort,
    #[cfg(target_pointer_width = "32")]
    pub iMaxUdpDg: c_ushort,
    #[cfg(target_pointer_width = "32")]
    pub lpVendorInfo: *mut c_char,
}
#[cfg(target_pointer_width = "64")]
const _: () = assert!(mem::size_of::<WSADATA>() == 408);
#[cfg(target_pointer_width = "32")]
const _: () = assert!(mem::size_of::<WSADATA>() == 400);

#[cfg_attr(windows, link(name = "ws2_32"))]
extern "system" {
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsastartup>
    pub(crate) fn WSAStartup(wVersionRequested: c_ushort, lpWSAData: *mut WSADATA) -> c_int;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsasocketw>
    pub(crate) fn WSASocketW(
        af: c_int,
        r#type: c_int,
        protocol: c_int,
        lpProtocolInfo: *mut c_void,
        g: DWORD,
        dwFlags: DWORD,
    ) -> SOCKET;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-ioctlsocket>
    pub(crate) fn ioctlsocket(s: SOCKET, cmd: c_long, argp: *mut DWORD) -> c_int;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-bind>
    pub(crate) fn bind(s: SOCKET, name: *const sockaddr, namelen: socklen_t) -> c_int;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-listen>
    pub(crate) fn listen(s: SOCKET, backlog: c_int) -> c_int;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-accept>
    pub(crate) fn accept(s: SOCKET, addr: *mut sockaddr, addrlen: *mut socklen_t) -> SOCKET;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-connect>
    pub(crate) fn connect(s: SOCKET, name: *const sockaddr, namelen: socklen_t) -> c_int;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-getsockopt>
    pub(crate) fn getsockopt(
        s: SOCKET,
        level: c_int,
        optname: c_int,
        optval: *mut c_void,
        optlen: *mut socklen_t,
    ) -> c_int;
    /// <https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsaioctl>
    pub(crate) fn WSAIoctl(
        s: SOCKET,
        dwIoControlCode: DWORD,
        lpvInBuffer: *const c_void,
        cbInBuffer: DWORD,
        lpvOutBuffer: *mut c_void,
        cbOutBuffer: DWORD,
        lpcbBytesReturned: *mut DWORD,
        lpOverlapped: *mut c_void,
        lpCompletionRoutine: *mut c_void,
    ) -> c_int;
}

// <mswsock.h>

pub(crate) const SIO_BASE_HANDLE: DWORD = 0x4800_0022;
pub(crate) const SIO_BSP_HANDLE: DWORD = 0x4800_001b;
pub(crate) const SIO_BSP_HANDLE_SELECT: DWORD = 0x4800_001c;
pub(crate) const SIO_BSP_HANDLE_POLL: DWORD = 0x4800_001d;
pub(crate) const SIO_UDP_CONNRESET: DWORD = 0x9800_000c;

// <ws2def.h>, <ws2ipdef.h>

pub(crate) const IPPROTO_IPV6: c_int = 41;
pub(crate) const IPV6_V6ONLY: c_int = 27;

pub(crate) type sa_family_t = c_ushort;
pub(crate) type socklen_t = c_int;

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in {
    pub sin_family: sa_family_t,
    /// In network byte order, like the address.
    pub sin_port: [u8; 2],
    pub sin_addr: [u8; 4],
    pub sin_zero: [u8; 8],
}
const _: () = assert!(mem::size_of::<sockaddr_in>() == 16);

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_in6 {
    pub sin6_family: sa_family_t,
    /// In network byte order, like the address.
    pub sin6_port: [u8; 2],
    pub sin6_flowinfo: u32,
    pub sin6_addr: [u8; 16],
    pub sin6_scope_id: u32,
}
const _: () = assert!(mem::size_of::<sockaddr_in6>() == 28);

/// Empty addresses.
pub(crate) const EMPTY_SOCKADDR_IN: sockaddr_in =
    sockaddr_in { sin_family: 0, sin_port: [0; 2], sin_addr: [0; 4], sin_zero: [0; 8] };
pub(crate) const EMPTY_SOCKADDR_IN6: sockaddr_in6 =
    sockaddr_in6 { sin6_family: 0, sin6_port: [0; 2], sin6_flowinfo: 0, sin6_addr: [0; 16], sin6_scope_id: 0 };

/// An IPv4 or IPv6 address. The family, at the same offset in both members, distinguishes them.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) union sockaddr {
    pub v4: sockaddr_in,
    pub v6: sockaddr_in6,
}
