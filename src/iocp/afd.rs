//! AFD, the driver behind every socket. It takes a request, "tell me when one of these is so", and completes it when it
//! is so: readiness, told by completion.
//!
//! Requests are made through a device that is opened for the purpose, a *helper*. It is no socket, so nothing about the
//! program's sockets changes: they may be in any number of polls, and in a completion port of the program's own
//! besides. Some of what AFD does grows with the number of requests that are out at a helper; to cancel one, it walks
//! through all. So a helper serves a few dozen sockets, and there are as many helpers as it takes.

use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::os::raw::c_void;
use std::panic::RefUnwindSafe;
use std::ptr;

use super::event::REFUSED;
use super::ffi::{self, AFD_POLL_HANDLE_INFO, AFD_POLL_INFO, DWORD, IO_STATUS_BLOCK, SOCKET};
use super::port::{nt_error, Handle, Port, AFD};

// The request.

/// A request, and how it has ended. While it is out, it is the kernel's: it must neither move nor go.
pub(super) struct Request {
    status: UnsafeCell<IO_STATUS_BLOCK>,
    info: UnsafeCell<AFD_POLL_INFO>,
}

// SAFETY: the handle inside is a number to everybody but AFD.
unsafe impl Send for Request {}
// SAFETY: the safe methods only pass addresses on; whoever calls one of the others promises that nobody else does.
unsafe impl Sync for Request {}

/// No code of the program's runs while a request is looked at, so no panic leaves one half done.
impl RefUnwindSafe for Request {}

impl Request {
    pub const fn new(socket: SOCKET) -> Request {
        let handle = AFD_POLL_HANDLE_INFO { Handle: socket as ffi::HANDLE, Events: 0, Status: 0 };
        Request {
            status: UnsafeCell::new(IO_STATUS_BLOCK::new()),
            info: UnsafeCell::new(AFD_POLL_INFO {
                Timeout: i64::MAX,
                NumberOfHandles: 1,
                Exclusive: 0,
                Handles: [handle],
            }),
        }
    }

    /// Asks to be told when the socket is as one of `events` says. Whatever comes of it, a packet with `packet` as its
    /// address will be in the port: if the kernel refuses, the answer is filled in as if it had completed the request,
    /// and the caller has to post it. Then this is false.
    ///
    /// # Safety
    ///
    /// The request is not out. It stays where it is until its packet has been taken from the port.
    pub unsafe fn submit(&self, socket: SOCKET, device: Option<&Handle>, events: u32, packet: *mut c_void) -> bool {
        let (status, info) = (self.status.get(), self.info.get());
        let mut ask = Request::new(socket).info.into_inner();
        ask.Handles[0].Events = events;
        // SAFETY: the request is not out, says our caller, so all of it is ours.
        unsafe { info.write(ask) };
        // SAFETY: as above.
        unsafe { status.write(IO_STATUS_BLOCK { Status: ffi::STATUS_PENDING, ..IO_STATUS_BLOCK::new() }) };
        let size = mem::size_of::<AFD_POLL_INFO>() as DWORD;
        let code = ffi::IOCTL_AFD_POLL;
        let result = match device {
            // SAFETY: `info` and `status` stay in place until the packet is taken, says our caller; the device is open.
            Some(device) => unsafe {
                ffi::NtDeviceIoControlFile(
                    device.raw(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    packet,
                    status,
                    code,
                    info.cast(),
                    size,
                    info.cast(),
                    size,
                )
            },
            None => ffi::STATUS_INVALID_HANDLE,
        };
        if !ffi::NT_ERROR(result) {
            return true;
        }
        // SAFETY: the kernel has not taken the request, so all of it is ours still.
        unsafe { status.write(IO_STATUS_BLOCK { Status: result, ..IO_STATUS_BLOCK::new() }) };
        false
    }

    /// Has a request that is out completed at once. False: it was completed already, by itself. Its packet comes in any
    /// case.
    pub fn cancel(&self, device: Option<&Handle>) -> io::Result<bool> {
        match device {
            Some(device) => cancel(device, self.status.get()),
            None => Ok(false),
        }
    }

    /// What has happened: events of AFD's, [`REFUSED`], or nothing, as when it was cancelled.
    ///
    /// # Safety
    ///
    /// The request is not out, and its packet is in nobody else's hands.
    pub unsafe fn answer(&self) -> u32 {
        // SAFETY: the packet is taken, says our caller: the kernel has written, and does so no more.
        let status = unsafe { self.status.get().read() };
        // SAFETY: as above.
        let info = unsafe { self.info.get().read() };
        match status.Status {
            // What is left in `Events` then is what was asked for.
            ffi::STATUS_CANCELLED => 0,
            // Perhaps it was closed before it was asked for, and its number is something else's by now.
            ffi::STATUS_INVALID_HANDLE | ffi::STATUS_OBJECT_TYPE_MISMATCH => REFUSED | ffi::AFD_POLL_LOCAL_CLOSE,
            status if status < 0 => REFUSED,
            _ if info.NumberOfHandles == 0 => 0,
            _ => info.Handles[0].Events,
        }
    }
}

/// Cancels all requests that are pending at a device.
pub(super) fn cancel_all(device: &Handle) {
    // What can't be cancelled completes late, or never. The port waits, but not for ever.
    let _out_for_longer = cancel(device, ptr::null_mut());
}

/// Cancels one request at a device, or all (`null`). False: there was none. Even one that was there may end by itself
/// yet.
fn cancel(device: &Handle, request: *mut IO_STATUS_BLOCK) -> io::Result<bool> {
    let mut status = IO_STATUS_BLOCK::new();
    // SAFETY: of `request` only the address counts; `status` outlives the call; the device is open.
    match unsafe { ffi::NtCancelIoFileEx(device.raw(), request, &mut status) } {
        ffi::STATUS_SUCCESS => Ok(true),
        ffi::STATUS_NOT_FOUND => Ok(false),
        status => Err(nt_error(status)),
    }
}

/// The name says what is opened: the driver. It wants something behind its own name, and does not care what.
const DEVICE: [u16; 19] = wide(b"\\Device\\Afd\\Minimio");

const fn wide<const N: usize>(ascii: &[u8; N]) -> [u16; N] {
    let mut wide = [0; N];
    let mut at = 0;
    while at < N {
        wide[at] = ascii[at] as u16;
        at += 1;
    }
    wide
}

pub(super) fn open_device(port: &Port) -> io::Result<Handle> {
    let len = mem::size_of_val(&DEVICE) as u16;
    let name = ffi::UNICODE_STRING { Length: len, MaximumLength: len, Buffer: DEVICE.as_ptr() };
    let attributes = ffi::OBJECT_ATTRIBUTES {
        Length: mem::size_of::<ffi::OBJECT_ATTRIBUTES>() as u32,
        RootDirectory: ptr::null_mut(),
        ObjectName: &name,
        Attributes: 0,
        SecurityDescriptor: ptr::null(),
        SecurityQualityOfService: ptr::null(),
    };
    let mut device = ptr::null_mut();
    let mut status = IO_STATUS_BLOCK::new();
    // SAFETY: all that is pointed to outlives the call, and each length is that of what it belongs to.
    let result = unsafe {
        ffi::NtCreateFile(
            &mut device,
            ffi::SYNCHRONIZE,
            &attributes,
            &mut status,
            ptr::null(),
            0,
            ffi::FILE_SHARE_READ | ffi::FILE_SHARE_WRITE,
            ffi::FILE_OPEN,
            0,
            ptr::null(),
            0,
        )
    };
    if result != ffi::STATUS_SUCCESS {
        return Err(nt_error(result));
    }
    // SAFETY: `NtCreateFile` has just returned it, and nothing else knows it yet.
    let device = unsafe { Handle::from_raw(device) };
    port.connect(&device, AFD)?;
    // It saves the kernel a little work. Where it can't be had, the work is done.
    // SAFETY: the handle is open; nothing is pointed to.
    unsafe { ffi::SetFileCompletionNotificationModes(device.raw(), ffi::FILE_SKIP_SET_EVENT_ON_HANDLE) };
    Ok(device)
}
