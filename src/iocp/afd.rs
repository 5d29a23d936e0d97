//! Poll requests to AFD, the driver behind every socket. AFD completes a poll request as soon as one of the requested
//! conditions holds: a completion that means readiness.
//!
//! A poll request goes through an *AFD device*, a handle that is opened for this purpose. The port is associated with
//! the device and not with the program's sockets, so a socket may be registered with several polls, and the program may
//! associate it with a completion port of its own. wepoll uses the same method.

use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::os::raw::c_void;
use std::panic::RefUnwindSafe;
use std::ptr;

use super::event::POLL_REJECTED;
use super::ffi::{self, AFD_POLL_HANDLE_INFO, AFD_POLL_INFO, DWORD, IO_STATUS_BLOCK, SOCKET};
use super::port::{nt_error, Handle, Port, KEY_AFD};

// The request.

/// A poll request and its result. While the request is pending, the kernel uses this memory: it must not move, and it
/// must not be freed.
pub(super) struct PollRequest {
    status: UnsafeCell<IO_STATUS_BLOCK>,
    info: UnsafeCell<AFD_POLL_INFO>,
}

// SAFETY: the handle inside is only a number for all code but AFD.
unsafe impl Send for PollRequest {}
// SAFETY: the safe methods only pass addresses to the kernel. The callers of the unsafe methods promise that no other
// thread calls one at the same time.
unsafe impl Sync for PollRequest {}

/// No code of the program runs while this crate reads or writes a request, so a panic leaves no request half written.
impl RefUnwindSafe for PollRequest {}

impl PollRequest {
    pub const fn new(socket: SOCKET) -> PollRequest {
        let handle = AFD_POLL_HANDLE_INFO { Handle: socket as ffi::HANDLE, Events: 0, Status: 0 };
        PollRequest {
            status: UnsafeCell::new(IO_STATUS_BLOCK::new()),
            info: UnsafeCell::new(AFD_POLL_INFO {
                Timeout: i64::MAX,
                NumberOfHandles: 1,
                Exclusive: 0,
                Handles: [handle],
            }),
        }
    }

    /// Submits the request: AFD completes it when one of `events` holds for the socket, and queues a packet whose
    /// address is `packet_address`.
    ///
    /// Returns false if the kernel rejected the request, or if the device is closed (`None`). The result then reads as
    /// if the request had completed with an error, and the caller has to post the packet.
    ///
    /// # Safety
    ///
    /// The request is not pending, and no other thread calls `submit` or `result` at the same time. The request does
    /// not move, and it is not freed, until its packet has been dequeued.
    pub unsafe fn submit(
        &self,
        socket: SOCKET,
        device: Option<&Handle>,
        events: u32,
        packet_address: *mut c_void,
    ) -> bool {
        let (status, info) = (self.status.get(), self.info.get());
        let mut request = PollRequest::new(socket).info.into_inner();
        request.Handles[0].Events = events;
        // SAFETY: the caller promises that the request is not pending, so the kernel does not use `info`.
        unsafe { info.write(request) };
        // SAFETY: as above, for `status`.
        unsafe { status.write(IO_STATUS_BLOCK { Status: ffi::STATUS_PENDING, ..IO_STATUS_BLOCK::new() }) };
        let size = mem::size_of::<AFD_POLL_INFO>() as DWORD;
        let result = match device {
            // SAFETY: the caller promises that `info` and `status` stay valid until the packet has been dequeued; the
            // device is open.
            Some(device) => unsafe {
                ffi::NtDeviceIoControlFile(
                    device.raw(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    packet_address,
                    status,
                    ffi::IOCTL_AFD_POLL,
                    info.cast(),
                    size,
                    info.cast(),
                    size,
                )
            },
            // The selector was dropped, and its devices with it.
            None => ffi::STATUS_INVALID_HANDLE,
        };
        if !ffi::NT_ERROR(result) {
            // The request is pending, or it has completed already. In both cases the kernel queues its packet.
            return true;
        }
        // SAFETY: the kernel rejected the request, so it does not use `status`.
        unsafe { status.write(IO_STATUS_BLOCK { Status: result, ..IO_STATUS_BLOCK::new() }) };
        false
    }

    /// Cancels the request, which completes it immediately, unless it has completed already. The kernel queues its
    /// packet in both cases.
    pub fn cancel(&self, device: Option<&Handle>) -> io::Result<()> {
        match device {
            Some(device) => cancel(device, self.status.get()),
            // The selector was dropped, and `SelectorState::drop` cancelled all requests of its devices.
            None => Ok(()),
        }
    }

    /// Returns the result: events of AFD, [`POLL_REJECTED`] (together with `AFD_POLL_LOCAL_CLOSE` if the handle is
    /// invalid), or 0 if there is no event.
    ///
    /// # Safety
    ///
    /// The packet of the request has been dequeued, the request has not been submitted again, and no other thread calls
    /// `submit` at the same time.
    pub unsafe fn result(&self) -> u32 {
        // SAFETY: the caller promises that the packet has been dequeued, so the kernel has already written the result,
        // and that no other thread writes the request.
        let status = unsafe { self.status.get().read() };
        // SAFETY: as above.
        let info = unsafe { self.info.get().read() };
        match status.Status {
            // The request was cancelled: `Events` still has the requested events.
            ffi::STATUS_CANCELLED => 0,
            // The socket is not open, or its number belongs to another object. It may have been closed before the
            // request was submitted.
            ffi::STATUS_INVALID_HANDLE | ffi::STATUS_OBJECT_TYPE_MISMATCH => POLL_REJECTED | ffi::AFD_POLL_LOCAL_CLOSE,
            // AFD does not accept this socket.
            status if status < 0 => POLL_REJECTED,
            // The request ended without an event.
            _ if info.NumberOfHandles == 0 => 0,
            _ => info.Handles[0].Events,
        }
    }
}

/// Cancels one request of a device, or all its requests (`null`). A request can still complete with its own result.
fn cancel(device: &Handle, request: *mut IO_STATUS_BLOCK) -> io::Result<()> {
    let mut status = IO_STATUS_BLOCK::new();
    // SAFETY: the kernel only compares the address `request`; `status` outlives the call; the device is open.
    match unsafe { ffi::NtCancelIoFileEx(device.raw(), request, &mut status) } {
        // The kernel may return either status for a request that has completed and whose packet is still queued.
        ffi::STATUS_SUCCESS | ffi::STATUS_NOT_FOUND => Ok(()),
        status => Err(nt_error(status)),
    }
}

/// Cancels all requests of a device.
pub(super) fn cancel_all(device: &Handle) {
    // A request that cannot be cancelled may complete later or never. `SelectorState::drop` waits for its packet for a
    // limited time.
    let _still_pending = cancel(device, ptr::null_mut());
}

// The device.

/// The first two parts name the driver. The driver requires a third part and ignores its text.
const DEVICE_NAME: [u16; 19] = utf16(b"\\Device\\Afd\\Minimio");

const fn utf16<const N: usize>(ascii: &[u8; N]) -> [u16; N] {
    let mut utf16 = [0; N];
    let mut index = 0;
    while index < N {
        utf16[index] = ascii[index] as u16;
        index += 1;
    }
    utf16
}

/// Opens an AFD device and associates it with the port.
pub(super) fn open_device(port: &Port) -> io::Result<Handle> {
    let len = mem::size_of_val(&DEVICE_NAME) as u16;
    let name = ffi::UNICODE_STRING { Length: len, MaximumLength: len, Buffer: DEVICE_NAME.as_ptr() };
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
    // SAFETY: all structures outlive the call, and each length is that of its structure.
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
    // SAFETY: `NtCreateFile` has just returned the handle, and no other code owns it yet.
    let device = unsafe { Handle::from_raw(device) };
    port.associate(&device, KEY_AFD)?;
    // This saves the kernel a little work, so an error is ignored.
    // SAFETY: the handle is open, and `SetFileCompletionNotificationModes` takes no pointer.
    unsafe { ffi::SetFileCompletionNotificationModes(device.raw(), ffi::FILE_SKIP_SET_EVENT_ON_HANDLE) };
    Ok(device)
}
