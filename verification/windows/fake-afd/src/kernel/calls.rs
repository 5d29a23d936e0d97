//! The system functions, under their linker names.
//!
//! The callers keep the obligations of the manual. The fake kernel checks those that it can check.

#![allow(non_snake_case, clippy::too_many_arguments)]

use std::ffi::{c_long, c_void};
use std::time::{Duration, Instant};

use super::layout::*;
use super::pipes::{OperationKind, Start};
use super::requests::SubmitArguments;
use super::trace::{events_name, key_name, status_name, TracedPackets};
use super::{fails, lock, Device, Object, Packet, Pipe, Port};

extern "C" {
    fn __errno_location() -> *mut i32;
}

/// Stores the error in `errno`, where the standard library reads the last error on Linux.
fn set_last_error(code: i32) {
    // SAFETY: the pointer is that of this thread's `errno`.
    unsafe { *__errno_location() = code };
}

const INVALID_HANDLE_VALUE: usize = usize::MAX;

#[no_mangle]
extern "system" fn CreateIoCompletionPort(file: usize, port: usize, key: usize, threads: u32) -> usize {
    let mut kernel = lock();
    if file == INVALID_HANDLE_VALUE {
        kernel.rule(port == 0, "a new port is associated with another port");
        kernel.rule(threads > 1_000, "a new port limits the number of its threads");
        if fails(&mut kernel.faults.ports) {
            set_last_error(ERROR_NO_SYSTEM_RESOURCES);
            return 0;
        }
        kernel.record(|_| "CreateIoCompletionPort(INVALID_HANDLE_VALUE) = port".to_owned());
        return kernel.open(Object::Port(Port::default()));
    }
    if fails(&mut kernel.faults.associations) {
        set_last_error(ERROR_INVALID_PARAMETER);
        return 0;
    }
    if kernel.port(port).is_none() {
        set_last_error(ERROR_INVALID_HANDLE);
        return 0;
    }
    let free = match kernel.objects.get_mut(&file) {
        Some(Object::Device(Device { port: place, .. })) => place.replace((port, key)).is_none(),
        Some(Object::Pipe(Pipe { port: Some(_), .. })) => {
            set_last_error(ERROR_INVALID_PARAMETER);
            return 0;
        }
        Some(Object::Pipe(Pipe { port: place, .. })) => place.replace((port, key)).is_none(),
        _ => {
            kernel.violation(format!("neither an open device nor an open pipe: {file:x}"));
            set_last_error(ERROR_INVALID_HANDLE);
            return 0;
        }
    };
    kernel.rule(free, "a device is associated with a port twice");
    kernel.record(|kernel| {
        let key = key_name(key);
        format!("CreateIoCompletionPort({}, {}, key {key}) = port", kernel.name(file), kernel.name(port))
    });
    port
}

/// How long a wait without a timeout may last before it counts as a hang.
pub(super) const FOR_EVER: Duration = Duration::from_secs(5);

#[no_mangle]
unsafe extern "system" fn GetQueuedCompletionStatusEx(
    port: usize,
    entries: *mut Entry,
    room: u32,
    taken: *mut u32,
    milliseconds: u32,
    alertable: i32,
) -> i32 {
    let begin = Instant::now();
    let mut kernel = lock();
    kernel.counts.waits += 1;
    kernel.timeouts.push(milliseconds);
    kernel.calls_since_wait = 0;
    kernel.rule(room > 0 && !entries.is_null() && !taken.is_null(), "a wait without room");
    kernel.rule(alertable == 0, "an alertable wait");
    if kernel.port(port).is_none() || fails(&mut kernel.faults.waits) {
        set_last_error(ERROR_INVALID_HANDLE);
        return 0;
    }
    let longest = match milliseconds {
        u32::MAX => FOR_EVER,
        _ if kernel.behaviour.timeouts_pass_at_once => Duration::ZERO,
        _ if kernel.behaviour.timeouts_are_stretched => Duration::from_millis(milliseconds.into()) * 500,
        _ => Duration::from_millis(milliseconds.into()),
    };
    loop {
        let mut count = 0;
        let mut traced = TracedPackets::default();
        while count < room {
            kernel.trace_packet(port, &mut traced);
            let Some(Packet { key, address, .. }) = kernel.take(port) else { break };
            let entry = Entry { key, address: address as *mut c_void, internal: 0, bytes: 0 };
            // SAFETY: the caller has room for this many packets.
            unsafe { entries.add(count as usize).write(entry) };
            count += 1;
        }
        if count > 0 {
            while kernel.behaviour.holds {
                kernel.sleep(FOR_EVER);
            }
            kernel.trace_wait(port, room, milliseconds, traced);
            // SAFETY: the caller keeps the memory valid.
            unsafe { *taken = count };
            return 1;
        }
        let left = longest.saturating_sub(begin.elapsed());
        if left == Duration::ZERO {
            let hangs = milliseconds == u32::MAX;
            kernel.rule(!hangs, "a wait without a timeout did not end");
            kernel.trace_wait(port, room, milliseconds, traced);
            set_last_error(if hangs { ERROR_INVALID_HANDLE } else { WAIT_TIMEOUT });
            return 0;
        }
        kernel.blocked_threads += 1;
        super::CHANGED.notify_all();
        kernel.sleep(left);
        kernel.blocked_threads -= 1;
        if kernel.port(port).is_none() {
            set_last_error(ERROR_INVALID_HANDLE);
            return 0;
        }
    }
}

#[no_mangle]
extern "system" fn PostQueuedCompletionStatus(port: usize, _bytes: u32, key: usize, address: usize) -> i32 {
    let mut kernel = lock();
    kernel.count_call();
    kernel.counts.posts += 1;
    kernel.record(|kernel| format!("PostQueuedCompletionStatus({}, key {})", kernel.name(port), key_name(key)));
    if kernel.port(port).is_none() {
        set_last_error(ERROR_INVALID_HANDLE);
        return 0;
    }
    if fails(&mut kernel.faults.posts) {
        set_last_error(ERROR_NO_SYSTEM_RESOURCES);
        return 0;
    }
    if address != 0 {
        if kernel.is_pending(address) {
            // The effects of such a packet are not modelled.
            kernel.violation("a packet is posted for a pending request");
            return 1;
        }
        kernel.counts.lent += 1;
    }
    kernel.queue(port, Packet { key, address, request: None, is_foreign: false });
    while kernel.behaviour.holds_posts {
        kernel.blocked_in_post += 1;
        kernel.sleep(FOR_EVER);
        kernel.blocked_in_post -= 1;
    }
    1
}

#[no_mangle]
extern "system" fn GetCurrentProcess() -> usize {
    usize::MAX
}

#[no_mangle]
unsafe extern "system" fn DuplicateHandle(
    source_process: usize,
    source: usize,
    target_process: usize,
    target: *mut usize,
    access: u32,
    inherit: i32,
    options: u32,
) -> i32 {
    let mut kernel = lock();
    kernel.rule((source_process, target_process) == (usize::MAX, usize::MAX), "a duplicate for another process");
    kernel.rule(!target.is_null() && (access, inherit, options) == (0, 0, 2), "an unexpected kind of duplicate");
    match kernel.duplicate(source) {
        Ok(duplicate) => {
            // SAFETY: the caller has room for the handle.
            unsafe { *target = duplicate };
            1
        }
        Err(code) => {
            set_last_error(code);
            0
        }
    }
}

#[no_mangle]
extern "system" fn WaitForSingleObject(handle: usize, milliseconds: u32) -> u32 {
    let mut kernel = lock();
    kernel.rule(milliseconds == 0, "a thread blocks until an object is signalled");
    match kernel.wait_now(handle) {
        Ok(true) => 0,
        Ok(false) => WAIT_TIMEOUT as u32,
        Err(code) => {
            set_last_error(code);
            u32::MAX
        }
    }
}

#[no_mangle]
unsafe extern "system" fn RegisterWaitForSingleObject(
    wait: *mut usize,
    handle: usize,
    callback: Option<unsafe extern "system" fn(*mut c_void, u8)>,
    context: usize,
    milliseconds: u32,
    flags: u32,
) -> i32 {
    let mut kernel = lock();
    kernel.rule(!wait.is_null() && milliseconds == u32::MAX && flags == 8 | 4, "an unexpected kind of wait");
    match kernel.begin_pool_wait(handle, callback, context) {
        Ok(raw) => {
            // SAFETY: the caller has room for the handle.
            unsafe { *wait = raw };
            1
        }
        Err(code) => {
            set_last_error(code);
            0
        }
    }
}

#[no_mangle]
extern "system" fn UnregisterWaitEx(wait: usize, completion_event: usize) -> i32 {
    let mut kernel = lock();
    kernel.rule(completion_event == INVALID_HANDLE_VALUE, "the end of a wait does not wait for the callback");
    i32::from(super::waits::end_pool_wait(kernel, wait))
}

#[no_mangle]
extern "system" fn SetFileCompletionNotificationModes(file: usize, flags: u8) -> i32 {
    let mut kernel = lock();
    kernel.rule(flags & 1 == 0, "packets are skipped, but the queue needs them");
    kernel.record(|kernel| {
        let flags = if flags == 2 { "FILE_SKIP_SET_EVENT_ON_HANDLE".to_owned() } else { flags.to_string() };
        format!("SetFileCompletionNotificationModes({}, {flags})", kernel.name(file))
    });
    i32::from(kernel.device(file).is_some())
}

#[no_mangle]
extern "system" fn CloseHandle(handle: usize) -> i32 {
    let mut kernel = lock();
    kernel.record(|kernel| format!("CloseHandle({})", kernel.name(handle)));
    i32::from(kernel.close(handle))
}

#[no_mangle]
unsafe extern "system" fn NtCreateFile(
    handle: *mut usize,
    access: u32,
    attributes: *const ObjectAttributes,
    block: *mut IoStatusBlock,
    size: *const i64,
    file_attributes: u32,
    share: u32,
    disposition: u32,
    options: u32,
    extended: *const c_void,
    extended_length: u32,
) -> Status {
    let mut kernel = lock();
    // SAFETY: the caller passes a valid pointer.
    let attributes = unsafe { attributes.read() };
    // SAFETY: as above.
    let name = unsafe { attributes.name.read() };
    // SAFETY: as above; the length is in bytes.
    let name = unsafe { std::slice::from_raw_parts(name.buffer, usize::from(name.length) / 2) };
    let name = String::from_utf16_lossy(name);
    let rest = name.strip_prefix(r"\Device\Afd\").unwrap_or("");
    kernel.rule(!rest.is_empty() && !rest.contains('\0'), &format!("an unexpected name for a device: {name:?}"));
    let are_right = attributes.length == 48 && attributes.root == 0 && attributes.attributes & !0x40 == 0;
    kernel.rule(are_right && attributes.security == 0 && attributes.quality == 0, "unexpected object attributes");
    kernel.rule(!block.is_null() && !handle.is_null() && size.is_null(), "an unexpected address for a new device");
    kernel.rule(access == 0x0010_0000, "more access to a device than necessary");
    kernel.rule(share == 3 && disposition == 1 && file_attributes == 0, "a device is opened like a new file");
    // An option for synchronous access would make the device synchronous.
    kernel.rule(options == 0, "a device is opened with options");
    kernel.rule(extended.is_null() && extended_length == 0, "a device is opened with attributes that make it a socket");
    if fails(&mut kernel.faults.devices) {
        return ACCESS_DENIED;
    }
    kernel.counts.devices_opened += 1;
    let device = kernel.open(Object::Device(Device::default()));
    kernel.record(|_| format!("NtCreateFile({name}) = device"));
    // SAFETY: the caller has room for the value.
    unsafe { handle.write(device) };
    SUCCESS
}

#[no_mangle]
extern "system" fn NtDeviceIoControlFile(
    device: usize,
    event: usize,
    routine: usize,
    context: usize,
    block: usize,
    code: u32,
    input: usize,
    input_length: u32,
    output: usize,
    output_length: u32,
) -> Status {
    let (input, output) = ((input, input_length), (output, output_length));
    let mut kernel = lock();
    let arguments = SubmitArguments { device, event, routine, context, block, code, input, output };
    if kernel.trace.is_none() {
        return kernel.submit(&arguments);
    }
    // A request that completes at once overwrites its events, so read them first.
    // SAFETY: the caller passes a valid pointer.
    let request = unsafe { (input.0 as *const PollInfo).read() }.handle;
    let status = kernel.submit(&arguments);
    kernel.record(|kernel| {
        let (device, socket) = (kernel.name(device), kernel.name(request.handle));
        let (events, status) = (events_name(request.events), status_name(status));
        format!("NtDeviceIoControlFile({device}, sock, {socket}, {events}) = {status}")
    });
    status
}

#[no_mangle]
unsafe extern "system" fn NtCancelIoFileEx(device: usize, request: usize, block: *mut IoStatusBlock) -> Status {
    let mut kernel = lock();
    kernel.rule(!block.is_null() && block as usize != request, "a cancel has no status block of its own");
    let status = kernel.cancel(device, request);
    kernel.record(|kernel| {
        let what = if request == 0 { "all requests" } else { "request" };
        format!("NtCancelIoFileEx({}, {what}) = {}", kernel.name(device), status_name(status))
    });
    // SAFETY: the caller has room for the value.
    unsafe { block.write(IoStatusBlock { status, information: 0 }) };
    status
}

#[no_mangle]
extern "system" fn RtlNtStatusToDosError(status: Status) -> u32 {
    match status {
        SUCCESS => 0,
        INVALID_HANDLE | OBJECT_TYPE_MISMATCH => 6,
        ACCESS_DENIED => 5,
        INSUFFICIENT_RESOURCES => 1450,
        CANCELLED => 995,
        PIPE_BROKEN => 109,
        NOT_FOUND => 1168,
        _ => 317,
    }
}

/// Starts an operation on a pipe.
fn start(start: Start, transferred: usize) -> i32 {
    let mut kernel = lock();
    kernel.rule(transferred == 0, "the number of bytes is requested, but the packet has it");
    match kernel.start(&start) {
        Ok(true) => 1,
        Ok(false) => {
            set_last_error(ERROR_IO_PENDING);
            0
        }
        Err(code) => {
            set_last_error(code);
            0
        }
    }
}

#[no_mangle]
extern "system" fn ReadFile(pipe: usize, place: usize, room: u32, transferred: usize, overlapped: usize) -> i32 {
    start(Start { pipe, kind: OperationKind::Read, place, room: room as usize, overlapped }, transferred)
}

#[no_mangle]
extern "system" fn WriteFile(pipe: usize, place: usize, length: u32, transferred: usize, overlapped: usize) -> i32 {
    start(Start { pipe, kind: OperationKind::Write, place, room: length as usize, overlapped }, transferred)
}

#[no_mangle]
extern "system" fn ConnectNamedPipe(pipe: usize, overlapped: usize) -> i32 {
    start(Start { pipe, kind: OperationKind::Connect, place: 0, room: 0, overlapped }, 0)
}

#[no_mangle]
extern "system" fn DisconnectNamedPipe(pipe: usize) -> i32 {
    match lock().disconnect(pipe) {
        Ok(()) => 1,
        Err(code) => {
            set_last_error(code);
            0
        }
    }
}

#[no_mangle]
unsafe extern "system" fn GetNamedPipeInfo(pipe: usize, flags: *mut u32, a: usize, b: usize, c: usize) -> i32 {
    let mut kernel = lock();
    kernel.rule(!flags.is_null() && (a, b, c) == (0, 0, 0), "an unexpected query about a pipe");
    let is_server = kernel.pipe(pipe).map_or(false, |pipe| pipe.is_server);
    // SAFETY: the caller has room for the value.
    unsafe { *flags = u32::from(is_server) };
    1
}

#[no_mangle]
extern "system" fn CancelIoEx(pipe: usize, overlapped: usize) -> i32 {
    let cancelled = lock().cancel_operations(pipe, overlapped);
    if !cancelled {
        set_last_error(ERROR_NOT_FOUND);
    }
    i32::from(cancelled)
}

#[no_mangle]
unsafe extern "system" fn ioctlsocket(socket: usize, command: c_long, argument: *mut u32) -> i32 {
    let mut kernel = lock();
    kernel.rule(command == FIONREAD && !argument.is_null(), "an unexpected query about a socket");
    kernel.record(|kernel| format!("ioctlsocket({}, FIONREAD)", kernel.name(socket)));
    match kernel.unread(socket) {
        Ok(unread) => {
            // SAFETY: the caller has room for the value.
            unsafe { *argument = unread as u32 };
            0
        }
        Err(code) => {
            set_last_error(code);
            -1
        }
    }
}

#[no_mangle]
unsafe extern "system" fn WSAIoctl(
    socket: usize,
    code: u32,
    input: *const c_void,
    input_length: u32,
    output: *mut c_void,
    output_length: u32,
    returned: *mut u32,
    overlapped: usize,
    routine: usize,
) -> i32 {
    let mut kernel = lock();
    kernel.rule(input.is_null() && input_length == 0, "a query about a provider has an input");
    kernel.rule(!output.is_null() && output_length as usize == size_of::<usize>(), "no room for a socket");
    kernel.rule(!returned.is_null() && overlapped == 0 && routine == 0, "a query is asynchronous");
    match kernel.layer(socket, code) {
        Ok(below) => {
            kernel.record(|kernel| {
                let query = if code == SIO_BASE_HANDLE { "SIO_BASE_HANDLE" } else { "another query" };
                format!("WSAIoctl({}, {query}) = {}", kernel.name(socket), kernel.name(below))
            });
            // SAFETY: the caller has room for the value.
            unsafe { output.cast::<usize>().write(below) };
            // SAFETY: as above.
            unsafe { *returned = size_of::<usize>() as u32 };
            0
        }
        Err(code) => {
            set_last_error(code);
            -1
        }
    }
}
