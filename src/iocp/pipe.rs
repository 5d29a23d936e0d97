//! Pipes: sources that AFD does not know. Their readiness is derived from the completion of reads and writes.
//!
//! The kernel does not report that a pipe can be read, only that a read has completed. So this crate starts a read
//! before the program calls `read`, into a buffer of the pipe. When the packet of that read arrives, the pipe is
//! readable: the program's `read` copies the bytes, and when it has copied all of them, the next read is started.
//! Writing works the other way round: `write` copies the program's bytes and starts a write, and the pipe is not
//! writable until the packet of that write arrives. If the write has failed, the next `write` returns its error. A
//! server's `connect` starts an operation too: when its packet arrives, the pipe is writable. If the connect has
//! failed, `take_error` returns its error.
//!
//! ```text
//!               start                  disconnect, or the source is dropped
//!     Idle ──────────────► Pending ──────────────────────────────────────► Discarded
//!      ▲                      │                                                │
//!      └──────────────────────┴────── its packet is dequeued ◄─────────────────┘
//! ```
//!
//! There are three operations (connect, read, write), and each is pending at most once. While an operation is pending,
//! the kernel owns a reference to the pipe, and so to the operation and its buffer: they live until the packet has been
//! dequeued, even if the program drops the source and the poll before. A disconnect makes all pending operations
//! *discarded*, and the drop of the source makes a pending connect and a pending read discarded. A discarded operation
//! is over when its packet is dequeued, and its result is ignored.
//!
//! The modes work by *arming*, as for a [`sock`](super::sock). In edge mode, the completion of an operation arms its
//! direction again, and so does a call of `read` that takes bytes from the buffer. If an armed condition already holds,
//! no packet of the kernel will report it. The pipe then posts a packet of its own when the next wait begins, or at
//! once if a wait is blocking. So every event arrives through the port, in the port's order.

use std::cell::UnsafeCell;
use std::cmp;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::raw::c_void;
use std::panic::RefUnwindSafe;
use std::ptr;
use std::sync::{Arc, Mutex};

use super::event::{flags, RawEvent, WRITE_CLOSED};
use super::ffi::{self, BOOL, DWORD, HANDLE, NTSTATUS, NT_ERROR, OVERLAPPED};
use super::ffi::{AFD_POLL_DISCONNECT, AFD_POLL_RECEIVE, AFD_POLL_SEND};
use super::port::{nt_error, Handle, Port};
use super::sock::Update;
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

/// `repr(C)`: the operations are at the address of the pipe, for `is_packet`.
#[repr(C)]
pub(super) struct Pipe {
    operations: [Operation; 3],
    /// The value of the handle inside `state`, for `NamedPipe::as_raw_handle` and `disconnect`.
    pub raw: HANDLE,
    pub state: Mutex<State>,
}

// SAFETY: the handle is a number that is valid on every thread. An operation is written only while it is idle, under
// the lock of the state; while it is pending, only the kernel uses it. All other fields are `Send` and `Sync`.
unsafe impl Send for Pipe {}
// SAFETY: as above.
unsafe impl Sync for Pipe {}

/// An operation and its result. While it is pending, the kernel uses this memory: it must not move, and it must not be
/// freed.
struct Operation(UnsafeCell<OVERLAPPED>);

/// No code of the program runs while this crate reads or writes an operation, so a panic leaves none half written.
impl RefUnwindSafe for Operation {}

#[derive(Clone, Copy)]
pub(super) enum OperationKind {
    Connect,
    Read,
    Write,
}

const OPERATION_KINDS: [OperationKind; 3] = [OperationKind::Connect, OperationKind::Read, OperationKind::Write];

/// The state of an operation. While it is not `Idle`, the kernel owns a reference to the pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationState {
    Idle,
    Pending,
    /// Pending, but its result is ignored, because the program has called `disconnect` or dropped the source.
    Discarded,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PipeEnd {
    /// The server end, which serves one client after another.
    Server,
    /// The client end, which is useless after the server has closed or disconnected it.
    Client,
    /// An unknown end: the handle does not reveal it, or is no pipe. A serial port is of this kind.
    Unknown,
}

/// The state of the packet that the pipe posts itself, for a condition that no packet of the kernel reports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PostState {
    NotPosted,
    /// The pipe is in the update queue, or a thread is about to push or to update the pipe.
    Queued,
    Posted,
}

pub(super) struct State {
    /// `None`: closed, because the source was dropped.
    handle: Option<Handle>,
    pub end: PipeEnd,
    /// `None`: not registered.
    pub interest: Option<Interest>,
    token: Token,
    /// The armed events.
    armed: u32,
    post_state: PostState,
    /// Indexed by [`OperationKind`].
    operation_states: [OperationState; 3],
    /// Whether the pipe is connected, as far as a connect or a read has revealed. Stays true when a client closes its
    /// end, until `disconnect` or the next pending connect.
    is_connected: bool,
    /// Whether to start the connect again when the packet of the discarded connect arrives.
    pub restart_connect: bool,
    pub connect_error: Option<io::Error>,
    /// The result of the last read, until the program takes it: the range of its bytes in `read_buffer`, or an error.
    pub read_result: Option<io::Result<Range<usize>>>,
    /// While a read is pending, only the kernel uses it.
    pub read_buffer: Vec<u8>,
    /// The number of bytes that the next read requests.
    pub read_size: usize,
    pub write_error: Option<io::Error>,
    /// While a write is pending, only the kernel uses it.
    pub write_buffer: Vec<u8>,
    /// The number of bytes of `write_buffer` that are written.
    pub write_offset: usize,
    source_dropped: bool,
    /// The port is closing, so no operation may start.
    port_closing: bool,
}

/// The key of a pipe's packets is its address divided by this number, which divides every address.
const KEY_UNIT: usize = 4;

/// The events of each direction.
const PIPE_READ: u32 = AFD_POLL_RECEIVE | AFD_POLL_DISCONNECT;
const PIPE_WRITE: u32 = AFD_POLL_SEND | WRITE_CLOSED;

/// The size of a read until the program reads with a larger buffer, and always for an `Unknown` end: a serial port can
/// delay the completion of a read until it has all the requested bytes.
pub(super) const MIN_READ: usize = 4 << 10;
/// The largest size of a read.
pub(super) const MAX_READ: usize = 64 << 10;
/// The largest write buffer that is kept for the next write.
const MAX_KEPT_BUFFER: usize = 1 << 20;

pub(super) fn is_os_error(err: &io::Error, code: i32) -> bool {
    err.raw_os_error() == Some(code)
}

// Open and close.

impl Pipe {
    pub fn new(handle: Handle) -> Pipe {
        let raw = handle.raw();
        let state = State {
            handle: Some(handle),
            end: PipeEnd::Unknown,
            interest: None,
            token: Token(0),
            armed: 0,
            post_state: PostState::NotPosted,
            operation_states: [OperationState::Idle; 3],
            is_connected: false,
            restart_connect: false,
            connect_error: None,
            read_result: None,
            read_buffer: Vec::new(),
            read_size: MIN_READ,
            write_error: None,
            write_buffer: Vec::new(),
            write_offset: 0,
            source_dropped: false,
            port_closing: false,
        };
        let operation = || Operation(UnsafeCell::new(OVERLAPPED::new()));
        Pipe { raw, operations: [operation(), operation(), operation()], state: Mutex::new(state) }
    }

    /// Ends the pipe's use when its source is dropped. A pending write goes on until it completes, as long as the poll
    /// exists. Everything else is cancelled.
    pub fn drop_source(&self) {
        let mut state = lock(&self.state);
        state.deregister();
        state.source_dropped = true;
        state.restart_connect = false;
        state.cancel_and_discard(self, OperationKind::Connect);
        state.cancel_and_discard(self, OperationKind::Read);
        let _closed = state.take_handle_if_done();
    }

    /// Cancels everything that is pending, and prevents further operations, because the port is closing.
    pub fn cancel_all(&self) {
        let mut state = lock(&self.state);
        state.deregister();
        state.port_closing = true;
        if let Some(handle) = &state.handle {
            // SAFETY: the handle is open; null stands for all its operations.
            unsafe { ffi::CancelIoEx(handle.raw(), ptr::null_mut()) };
        }
    }
}

impl State {
    /// Frees the memory of the copy of a large write, which has completed or has not started.
    pub fn free_large_write_buffer(&mut self) {
        if self.write_buffer.capacity() > MAX_KEPT_BUFFER {
            self.write_buffer = Vec::new();
        }
    }

    /// Returns the handle of a dropped source as soon as it can be closed.
    fn take_handle_if_done(&mut self) -> Option<Handle> {
        if self.source_dropped && self.state_of(OperationKind::Write) != OperationState::Pending {
            self.handle.take()
        } else {
            None
        }
    }

    /// Cancels an operation if it is pending, and marks its result as one to ignore.
    fn cancel_and_discard(&mut self, pipe: &Pipe, kind: OperationKind) {
        if let (OperationState::Pending, Some(handle)) = (self.state_of(kind), &self.handle) {
            // An operation that cannot be cancelled has completed, or completes later. The kernel queues its packet in
            // any case.
            // SAFETY: the handle is open, and the kernel only compares the address of the operation.
            unsafe { ffi::CancelIoEx(handle.raw(), pipe.operations[kind as usize].0.get()) };
            self.operation_states[kind as usize] = OperationState::Discarded;
        }
    }

    pub fn state_of(&self, kind: OperationKind) -> OperationState {
        self.operation_states[kind as usize]
    }
}

// Register, reregister, deregister.

impl Pipe {
    /// Associates the handle with the port. The association lasts until the handle is closed. Returns false if the
    /// handle is closed already.
    pub fn associate(self: &Arc<Pipe>, port: &Port) -> io::Result<bool> {
        let mut state = lock(&self.state);
        let handle = match &state.handle {
            Some(handle) => handle,
            None => return Ok(false),
        };
        port.associate(handle, Arc::as_ptr(self) as usize / KEY_UNIT)?;
        state.end = pipe_end(handle);
        Ok(true)
    }

    /// Registers the pipe, or changes its registration. In every mode, a condition that already holds is reported
    /// again.
    pub fn register(self: &Arc<Pipe>, port: &Port, token: Token, interest: Interest) -> Update {
        let mut state = lock(&self.state);
        state.interest = Some(interest);
        state.token = token;
        state.armed = armed_for(interest);
        self.start_read(port, &mut state);
        state.request_post()
    }
}

impl State {
    /// Ends the registration. A pending read stays pending: its bytes are there for the next registration.
    pub fn deregister(&mut self) {
        self.interest = None;
        self.armed = 0;
    }
}

const fn armed_for(interest: Interest) -> u32 {
    let flags = flags(interest);
    let read = if flags & AFD_POLL_RECEIVE != 0 { PIPE_READ } else { 0 };
    let write = if flags & AFD_POLL_SEND != 0 { PIPE_WRITE } else { 0 };
    let hang_up = if interest.has_no_direction() { WRITE_CLOSED } else { 0 };
    read | write | hang_up
}

fn pipe_end(pipe: &Handle) -> PipeEnd {
    let (mut flags, none) = (0, ptr::null_mut());
    // SAFETY: the handle is open; `flags` outlives the call, and null means that the other values are not requested.
    match unsafe { ffi::GetNamedPipeInfo(pipe.raw(), &mut flags, none, none, none) } {
        // Not a pipe, or the handle lacks the access that this function requires.
        0 => PipeEnd::Unknown,
        _ if flags & ffi::PIPE_SERVER_END != 0 => PipeEnd::Server,
        _ => PipeEnd::Client,
    }
}

// Connect and disconnect.

impl Pipe {
    /// Starts to wait for a client. If a client is connected already, no operation is pending afterwards.
    pub fn start_connect(self: &Arc<Pipe>, port: &Port, state: &mut State) -> io::Result<()> {
        let call = |handle, overlapped| {
            // SAFETY: `start` passes an open handle, and an operation that stays valid until its packet is dequeued.
            unsafe { ffi::ConnectNamedPipe(handle, overlapped) }
        };
        state.connect_error = None;
        match self.start(port, state, OperationKind::Connect, call) {
            // A client has opened the pipe before this call; with `ERROR_NO_DATA`, it has closed the pipe again.
            Err(err) if is_os_error(&err, ffi::ERROR_PIPE_CONNECTED) || is_os_error(&err, ffi::ERROR_NO_DATA) => {
                if !state.is_connected {
                    self.client_connected(port, state);
                }
                Ok(())
            }
            // The operation is pending, so no client is connected.
            Ok(()) => {
                state.is_connected = false;
                Ok(())
            }
            Err(err) => Err(err),
        }
    }

    /// Starts to read from a new client and, in edge mode, arms both directions.
    fn client_connected(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        state.is_connected = true;
        self.start_read(port, state);
        state.rearm(PIPE_READ | PIPE_WRITE);
    }

    /// Handles the packet of a connect. `result` is `None` if the operation was discarded.
    fn complete_connect(self: &Arc<Pipe>, port: &Port, state: &mut State, result: Option<io::Result<usize>>) {
        let result = match result {
            Some(result) => result.map(|_| self.client_connected(port, state)),
            None if mem::take(&mut state.restart_connect) => self.start_connect(port, state),
            None => Ok(()),
        };
        if let Err(err) = result {
            state.connect_error = Some(err);
            state.rearm(PIPE_WRITE);
        }
    }

    pub fn disconnect(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        // SAFETY: the handle is open as long as the source exists, and the source is the caller.
        if unsafe { ffi::DisconnectNamedPipe(self.raw) } == 0 {
            let err = io::Error::last_os_error();
            // No client was connected: Windows returns success, Wine `ERROR_PIPE_LISTENING`.
            let no_client = is_os_error(&err, ffi::ERROR_PIPE_LISTENING);
            // A connect that `restart_connect` requests has not been started yet, so the kernel does not know it. This
            // call cancels it below, which is a success too.
            let not_started = state.restart_connect && is_os_error(&err, ffi::ERROR_PIPE_NOT_CONNECTED);
            if !no_client && !not_started {
                return Err(err);
            }
        }
        OPERATION_KINDS.iter().for_each(|kind| state.cancel_and_discard(self, *kind));
        state.is_connected = false;
        state.restart_connect = false;
        state.connect_error = None;
        state.read_result = None;
        state.write_error = None;
        Ok(())
    }
}

// Read.

impl Pipe {
    /// Starts a read, unless a read is pending, the result of the last read has not been taken, or the pipe is not
    /// registered.
    pub fn start_read(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        let is_idle = state.state_of(OperationKind::Read) == OperationState::Idle && state.read_result.is_none();
        if !is_idle || state.interest.is_none() {
            return;
        }
        let len = state.read_size;
        if state.read_buffer.len() < len {
            state.read_buffer.resize(len, 0);
        }
        let buffer: *mut u8 = state.read_buffer.as_mut_ptr();
        let call = |handle, overlapped| {
            // SAFETY: `start` passes an open handle, and an operation that stays valid until its packet is dequeued.
            // `buffer` has `len` bytes and stays valid until then too; no code uses `read_buffer` while the read is
            // pending.
            unsafe { ffi::ReadFile(handle, buffer.cast(), len as DWORD, ptr::null_mut(), overlapped) }
        };
        let was_connected = mem::replace(&mut state.is_connected, true);
        if let Err(err) = self.start(port, state, OperationKind::Read, call) {
            let server_without_client =
                is_os_error(&err, ffi::ERROR_PIPE_NOT_CONNECTED) && state.end == PipeEnd::Server;
            if server_without_client || is_os_error(&err, ffi::ERROR_PIPE_LISTENING) {
                // No client is connected: nothing to report, and the read is started when a client connects.
                state.is_connected = false;
            } else {
                // A write-only end cannot be read, so this error reveals nothing about the connection. Assume that the
                // pipe is connected unless a connect is pending.
                if is_os_error(&err, ffi::ERROR_ACCESS_DENIED) {
                    state.is_connected =
                        was_connected || state.state_of(OperationKind::Connect) == OperationState::Idle;
                }
                state.read_result = Some(Err(err));
            }
        }
    }

    /// Handles the packet of a read. `result` is `None` if the operation was discarded.
    fn complete_read(self: &Arc<Pipe>, port: &Port, state: &mut State, result: Option<io::Result<usize>>) {
        match result {
            Some(result) => state.read_result = Some(result.map(|count| 0..count)),
            // Another client has connected in the meantime.
            None if state.is_connected => self.start_read(port, state),
            None => {}
        }
        state.rearm(if state.server_gone() { PIPE_READ | PIPE_WRITE } else { PIPE_READ });
    }
}

// Write.

impl Pipe {
    /// Starts to write the bytes of `write_buffer` from `write_offset` on.
    pub fn start_write(self: &Arc<Pipe>, port: &Port, state: &mut State) -> io::Result<()> {
        let rest = &state.write_buffer[state.write_offset..];
        let len = cmp::min(rest.len(), DWORD::MAX as usize) as DWORD;
        let bytes: *const u8 = rest.as_ptr();
        let call = |handle, overlapped| {
            // SAFETY: `start` passes an open handle, and an operation that stays valid until its packet is dequeued.
            // `bytes` has `len` bytes and stays valid until then too; no code changes `write_buffer` while the write is
            // pending.
            unsafe { ffi::WriteFile(handle, bytes.cast(), len, ptr::null_mut(), overlapped) }
        };
        self.start(port, state, OperationKind::Write, call)
    }

    /// Handles the packet of a write. `result` is `None` if the operation was discarded.
    fn complete_write(self: &Arc<Pipe>, port: &Port, state: &mut State, result: Option<io::Result<usize>>) {
        if let Some(result) = result {
            let result = result.and_then(|count| {
                state.write_offset += count;
                match state.write_buffer.len() - state.write_offset {
                    0 => Ok(()),
                    // A write without progress would be repeated without end.
                    _ if count == 0 => Err(io::ErrorKind::WriteZero.into()),
                    _ => self.start_write(port, state),
                }
            });
            state.write_error = result.err();
        }
        if state.state_of(OperationKind::Write) == OperationState::Idle {
            state.free_large_write_buffer();
            state.rearm(PIPE_WRITE);
        }
    }
}

// Start and complete.

impl Pipe {
    /// Starts an idle operation by calling `call` with the open handle and the operation. On success, the operation is
    /// pending, and its packet will arrive.
    fn start(
        self: &Arc<Pipe>,
        port: &Port,
        state: &mut State,
        kind: OperationKind,
        call: impl FnOnce(HANDLE, *mut OVERLAPPED) -> BOOL,
    ) -> io::Result<()> {
        let handle = match &state.handle {
            Some(handle) if !state.port_closing => handle.raw(),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        let operation = self.operations[kind as usize].0.get();
        // SAFETY: the operation is idle, so the kernel does not use it, and this thread holds the lock of the state.
        unsafe { operation.write(OVERLAPPED::new()) };
        let key = self.add_kernel_ref(port);
        if call(handle, operation) == 0 {
            let err = io::Error::last_os_error();
            // These two mean that the operation has started, or has completed with a part of a message: in both cases,
            // the kernel queues a packet.
            if !is_os_error(&err, ffi::ERROR_IO_PENDING) && !is_os_error(&err, ffi::ERROR_MORE_DATA) {
                // SAFETY: `add_kernel_ref` has just returned the key, and an operation that fails to start queues no
                // packet.
                unsafe { Pipe::drop_kernel_ref(port, key) };
                return Err(err);
            }
        }
        state.operation_states[kind as usize] = OperationState::Pending;
        Ok(())
    }

    /// Creates the reference that a packet of this pipe owns. Returns the packet's key.
    fn add_kernel_ref(self: &Arc<Pipe>, port: &Port) -> usize {
        port.add_pending_packet();
        Arc::into_raw(Arc::clone(self)) as usize / KEY_UNIT
    }

    /// Drops a reference that no packet owns.
    ///
    /// # Safety
    ///
    /// `add_kernel_ref` has returned the key, and there will be no packet for it.
    unsafe fn drop_kernel_ref(port: &Port, key: usize) {
        port.remove_pending_packet();
        // SAFETY: the caller promises that there is no packet, so no other code takes over this reference.
        drop(unsafe { Pipe::from_packet(key) });
    }

    /// Takes over the reference that a packet owns.
    ///
    /// # Safety
    ///
    /// The key is that of a pipe's packet that was dequeued and not posted again, or that will not be queued. This is
    /// called once for each packet.
    pub unsafe fn from_packet(key: usize) -> Arc<Pipe> {
        // SAFETY: `associate` has made the key from the pipe's address, and `add_kernel_ref` has created a reference
        // for this one packet.
        unsafe { Arc::from_raw((key * KEY_UNIT) as *const Pipe) }
    }

    /// Returns whether a packet with this key and this address is that of a pipe. This only compares the numbers: the
    /// packet of another program part can have any key.
    pub fn is_packet(key: usize, address: *mut c_void) -> bool {
        let offset = (address as usize).wrapping_sub(key.wrapping_mul(KEY_UNIT));
        offset % mem::size_of::<Operation>() == 0 && offset <= mem::size_of::<[Operation; 3]>()
    }

    /// Handles a packet of this pipe: stores the result of the completed operation, starts the operation that follows
    /// it, if any, and returns the event to report, if any.
    ///
    /// # Safety
    ///
    /// A packet of this pipe with this address has been dequeued. This is called once for each packet.
    pub unsafe fn complete(self: &Arc<Pipe>, port: &Port, address: *mut c_void) -> (Option<RawEvent>, Update) {
        let mut state = lock(&self.state);
        let matches = |kind: &&OperationKind| self.operations[**kind as usize].0.get().cast() == address;
        match OPERATION_KINDS.iter().find(matches) {
            Some(kind) => {
                let old = mem::replace(&mut state.operation_states[*kind as usize], OperationState::Idle);
                // SAFETY: the caller promises that the packet has been dequeued, so the kernel has already written the
                // result.
                let overlapped = unsafe { self.operations[*kind as usize].0.get().read() };
                let status = overlapped.Internal as NTSTATUS;
                // The status for a message that is longer than the buffer is only a warning.
                let result = if NT_ERROR(status) { Err(nt_error(status)) } else { Ok(overlapped.InternalHigh) };
                let result = Some(result).filter(|_| old == OperationState::Pending);
                match kind {
                    OperationKind::Connect => self.complete_connect(port, &mut state, result),
                    OperationKind::Read => self.complete_read(port, &mut state, result),
                    OperationKind::Write => self.complete_write(port, &mut state, result),
                }
            }
            // The pipe posted this packet.
            None => state.post_state = PostState::NotPosted,
        }
        // If a posted packet is in the port already, it will report everything that is ready.
        let event = if state.post_state == PostState::Posted { None } else { state.take_event() };
        let update = state.request_post();
        let _closed = state.take_handle_if_done();
        (event, update)
    }
}

// Report.

impl State {
    /// In edge mode, arms a direction whose operation has completed. Level mode never disarms, and oneshot mode is
    /// armed by `register` only.
    pub fn rearm(&mut self, direction: u32) {
        if let Some(interest) = self.interest.filter(|interest| interest.is_edge()) {
            self.armed |= direction & armed_for(interest);
        }
    }

    pub fn rearm_read(&mut self) {
        self.rearm(PIPE_READ);
    }

    /// Returns whether this is a client whose server has closed or disconnected it.
    fn server_gone(&self) -> bool {
        match &self.read_result {
            Some(Err(err)) if self.end == PipeEnd::Client => {
                is_os_error(err, ffi::ERROR_BROKEN_PIPE) || is_os_error(err, ffi::ERROR_PIPE_NOT_CONNECTED)
            }
            // A server's next client may connect at any time, so a server's directions never count as closed.
            _ => false,
        }
    }

    /// Returns the armed conditions that hold.
    fn ready_events(&self) -> u32 {
        let mut ready = 0;
        if self.read_result.is_some() {
            ready |= AFD_POLL_RECEIVE;
        }
        let connect_is_over = self.is_connected || self.connect_error.is_some();
        if connect_is_over && self.state_of(OperationKind::Write) == OperationState::Idle {
            ready |= AFD_POLL_SEND;
        }
        if self.server_gone() {
            ready |= AFD_POLL_DISCONNECT | WRITE_CLOSED;
        }
        ready & self.armed
    }

    /// Returns the event to report, and disarms as the mode requires.
    fn take_event(&mut self) -> Option<RawEvent> {
        let interest = self.interest?;
        let events = self.ready_events();
        if events == 0 {
            return None;
        }
        if interest.is_oneshot() {
            self.armed = 0;
        } else if interest.is_edge() {
            self.armed &= !events;
        }
        Some(RawEvent { events, token: self.token })
    }

    /// Requests that the pipe posts a packet if an armed condition holds and no posted packet is pending.
    pub fn request_post(&mut self) -> Update {
        if self.post_state == PostState::NotPosted && self.ready_events() != 0 {
            self.post_state = PostState::Queued;
            Update::Enqueue
        } else {
            Update::None
        }
    }
}

impl Pipe {
    /// Posts a packet if an armed condition holds. The pipe is not in the queue: the wait that is starting has popped
    /// it, or a thread that changed the pipe during a blocking wait has not pushed it.
    pub fn update(self: &Arc<Pipe>, port: &Port) -> Update {
        let mut state = lock(&self.state);
        if state.ready_events() == 0 {
            // Another packet has reported the condition, or the program has consumed it.
            state.post_state = PostState::NotPosted;
            return Update::None;
        }
        let key = self.add_kernel_ref(port);
        state.post_state = PostState::Posted;
        if port.post(key, self.operations.as_ptr_range().end as *mut c_void).is_err() {
            // SAFETY: `add_kernel_ref` has just returned the key, and the port has not accepted the packet.
            unsafe { Pipe::drop_kernel_ref(port, key) };
            // The only known cause is that the kernel has no memory. The next wait tries again.
            state.post_state = PostState::Queued;
            return Update::Retry;
        }
        Update::None
    }
}
