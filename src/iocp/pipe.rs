//! A pipe: the source of ours that is no socket. No AFD tells when it is ready, so that is made of what it completes.
//!
//! To know when a pipe can be read there is nothing but to read it. So a read is started before the program wants one,
//! into a buffer of the pipe's own, and when its packet comes, the pipe is readable: the bytes are there, and the
//! program's `read` copies them. When it has taken them all, the next read is started. With writing it is the other way
//! round: `write` copies the bytes and starts, and until the packet comes, the pipe is not writable. How it has ended,
//! the next `write` tells. For a client, a server waits in the same way.
//!
//! ```text
//!               start                  packet                     all is taken, or told
//!     Idle ──────────────► Out ─────────────────► Bytes, Failed ─────────────────────────► Idle
//!                           │                                                               ▲
//!                           └───────────────► Disowned ─────────────────────────────────────┘
//!                              disconnect                       packet
//! ```
//!
//! There are three such operations, and each is out once at most. While one is out, the kernel has a reference to the
//! pipe, and with it the operation and its buffer: they live until the packet has been taken, whoever has dropped what
//! in the meantime. What was started for a client that is gone by now is *disowned*: its packet ends it, and nobody is
//! told.
//!
//! What is *armed* makes the modes, as it does for a [`sock`](super::sock). What is armed and so is told; a report
//! disarms, in edge mode, what it has told; in oneshot mode, everything; in level mode, nothing. In edge mode a packet
//! arms its direction again, and so does a read that leaves bytes behind. What is to be told but has no packet of the
//! kernel's, since it has been so for a while, gets one of our own: put into the port when the next wait begins, or at
//! once if one is under way. So a pipe stands in line with all others, and every wait looks at the port only.

use std::cell::UnsafeCell;
use std::cmp;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::raw::c_void;
use std::panic::RefUnwindSafe;
use std::ptr;
use std::sync::{Arc, Mutex, Weak};

use super::afd::error;
use super::event::{flags, RawEvent, FINISHED};
use super::ffi::{self, BOOL, DWORD, HANDLE, NTSTATUS, OVERLAPPED};
use super::ffi::{AFD_POLL_DISCONNECT, AFD_POLL_RECEIVE, AFD_POLL_SEND};
use super::port::{Handle, Port};
use super::Selector;
use crate::event::Token;
use crate::source::explain;
use crate::sync::lock;
use crate::Interest;

/// What a pipe's direction is told with.
const READ: u32 = AFD_POLL_RECEIVE | AFD_POLL_DISCONNECT;
const WRITE: u32 = AFD_POLL_SEND | FINISHED;

/// What this queue keeps inside a pipe's source: the pipe, and the port that its handle is tied to.
pub(crate) struct PipeState {
    pipe: Arc<Pipe>,
    /// Sources don't keep their poll alive.
    port: Option<Weak<Port>>,
}

pub(super) struct Pipe {
    /// To be asked for. What is done with it is done with the one inside `state`.
    raw: HANDLE,
    connect: Operation,
    read: Operation,
    write: Operation,
    state: Mutex<State>,
}

// SAFETY: the handle is a number, which is good on every thread; all else is.
unsafe impl Send for Pipe {}
// SAFETY: as above.
unsafe impl Sync for Pipe {}

struct State {
    /// `None`: closed, since the source has been dropped.
    handle: Option<Handle>,
    end: End,
    /// `None`: not registered.
    interest: Option<Interest>,
    token: Token,
    /// The events that are told as soon as they are so.
    armed: u32,
    packet: OwnPacket,
    /// There is somebody at the other end, or was, and has not been dismissed yet.
    is_connected: bool,
    connect: Connect,
    connect_error: Option<io::Error>,
    read: Read,
    /// So much is asked for by the next read.
    read_size: usize,
    /// What is read goes here. It is the kernel's while a read is out.
    input: Vec<u8>,
    write: Write,
    /// What is written is here. It is the kernel's while a write is out.
    output: Vec<u8>,
    /// The source has been dropped.
    is_orphan: bool,
    /// The port is going, and nothing may be started any more.
    is_stopped: bool,
}

/// Which end of a pipe this is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It serves one client after the other.
    Server,
    /// Once its server is gone, it is of no use any more.
    Client,
    /// It does not say, or is no pipe: of a serial port, for example, all else holds too.
    Unknown,
}

/// Whether a packet of our own is on its way, to tell what no packet of the kernel's will.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnPacket {
    No,
    /// The next wait will post it.
    Queued,
    Posted,
}

enum Connect {
    Idle,
    Out,
    /// Out, but cancelled; if the program has asked for it since then, it is to be started `again`.
    Disowned {
        again: bool,
    },
}

enum Read {
    Idle,
    Out,
    /// Out, for a client that has been dismissed.
    Disowned,
    /// Done: these bytes of `input` have not been taken yet.
    Bytes(Range<usize>),
    Failed(io::Error),
}

enum Write {
    Idle,
    /// Out, for what is in `output` from here on.
    Out {
        from: usize,
    },
    /// Out, for a client that has been dismissed.
    Disowned,
    Failed(io::Error),
}

/// How much a read asks for if the program has never asked for more; and the most it asks a pipe for. A serial port is
/// never asked for more than the first: it may not answer before it has all of that.
const SMALL_READ: usize = 4 << 10;
const LARGE_READ: usize = 64 << 10;
/// The longest buffer for writing that is kept for the next time.
const KEPT_OUTPUT: usize = 1 << 20;

// What the kernel writes to.

/// An operation, and how it has ended. While it is out, it is the kernel's: it must neither move nor go.
struct Operation(UnsafeCell<OVERLAPPED>);

/// No code of the program's runs while an operation is looked at, so no panic leaves one half done.
impl RefUnwindSafe for Operation {}

impl Operation {
    const fn new() -> Operation {
        Operation(UnsafeCell::new(OVERLAPPED::new()))
    }

    fn address(&self) -> *mut OVERLAPPED {
        self.0.get()
    }

    /// Its address, for the call that starts it.
    ///
    /// # Safety
    ///
    /// The operation is not out.
    unsafe fn prepare(&self) -> *mut OVERLAPPED {
        // SAFETY: it is not out, says our caller, so all of it is ours.
        unsafe { self.address().write(OVERLAPPED::new()) };
        self.address()
    }

    /// So many bytes were read or written.
    ///
    /// # Safety
    ///
    /// The operation was out, and its packet has been taken.
    unsafe fn outcome(&self) -> io::Result<usize> {
        // SAFETY: the packet is taken, says our caller: the kernel has written, and does so no more.
        let overlapped = unsafe { self.address().read() };
        let status = overlapped.Internal as NTSTATUS;
        // A message that was longer than the buffer is a warning.
        if ffi::NT_ERROR(status) {
            Err(error(status))
        } else {
            Ok(overlapped.InternalHigh)
        }
    }
}

// Open and close.

impl PipeState {
    /// # Safety
    ///
    /// The handle is open, and nobody else will close it. If it is registered, all its operations end in the port that
    /// it is registered with, each with a packet, and nobody else starts any that do.
    pub unsafe fn from_raw(raw: HANDLE) -> PipeState {
        // SAFETY: our caller promises the same.
        let handle = unsafe { Handle::from_raw(raw) };
        let state = State {
            handle: Some(handle),
            end: End::Unknown,
            interest: None,
            token: Token(0),
            armed: 0,
            packet: OwnPacket::No,
            is_connected: false,
            connect: Connect::Idle,
            connect_error: None,
            read: Read::Idle,
            read_size: SMALL_READ,
            input: Vec::new(),
            write: Write::Idle,
            output: Vec::new(),
            is_orphan: false,
            is_stopped: false,
        };
        let pipe = Pipe {
            raw,
            connect: Operation::new(),
            read: Operation::new(),
            write: Operation::new(),
            state: Mutex::new(state),
        };
        PipeState { pipe: Arc::new(pipe), port: None }
    }

    pub fn raw(&self) -> HANDLE {
        self.pipe.raw
    }

    /// The port that the handle is tied to, if it is there still. It has to outlive the lock of the state: the last to
    /// let go of a port cancels what is out.
    fn port(&self) -> Option<Arc<Port>> {
        self.port.as_ref().and_then(Weak::upgrade)
    }
}

/// What is written is written to the end, as long as the poll lives. All else is over.
impl Drop for PipeState {
    fn drop(&mut self) {
        let _handle = {
            let mut state = lock(&self.pipe.state);
            state.deregister();
            state.is_orphan = true;
            state.disown_connect(&self.pipe);
            state.disown_read(&self.pipe);
            state.last_handle()
        };
    }
}

impl State {
    /// The handle, if anything can be started.
    fn handle(&self) -> Option<HANDLE> {
        self.handle.as_ref().filter(|_| !self.is_stopped).map(Handle::raw)
    }

    /// The handle of a source that has been dropped, as soon as it can be closed.
    fn last_handle(&mut self) -> Option<Handle> {
        match self.write {
            Write::Out { .. } => None,
            _ if self.is_orphan => self.handle.take(),
            _ => None,
        }
    }

    fn cancel(&self, operation: &Operation) {
        if let Some(handle) = &self.handle {
            // One that can't be cancelled has ended, or ends later. Its packet comes in any case.
            // SAFETY: the handle is open, and of the operation only the address counts.
            unsafe { ffi::CancelIoEx(handle.raw(), operation.address()) };
        }
    }

    fn disown_connect(&mut self, pipe: &Pipe) {
        match self.connect {
            Connect::Idle => {}
            Connect::Out => self.cancel(&pipe.connect),
            Connect::Disowned { .. } => {}
        }
        if !matches!(self.connect, Connect::Idle) {
            self.connect = Connect::Disowned { again: false };
        }
    }

    fn disown_read(&mut self, pipe: &Pipe) {
        self.read = match self.read {
            Read::Out => {
                self.cancel(&pipe.read);
                Read::Disowned
            }
            Read::Disowned => Read::Disowned,
            Read::Idle | Read::Bytes(_) | Read::Failed(_) => Read::Idle,
        };
    }

    fn disown_write(&mut self, pipe: &Pipe) {
        self.write = match self.write {
            Write::Out { .. } => {
                self.cancel(&pipe.write);
                Write::Disowned
            }
            Write::Disowned => Write::Disowned,
            Write::Idle | Write::Failed(_) => Write::Idle,
        };
    }
}

impl Pipe {
    /// The port is going: everything that is out is cancelled, and nothing is started any more.
    pub fn stop(&self) {
        let mut state = lock(&self.state);
        state.deregister();
        state.is_stopped = true;
        if let Some(handle) = &state.handle {
            // SAFETY: the handle is open; null stands for all of its operations.
            unsafe { ffi::CancelIoEx(handle.raw(), ptr::null_mut()) };
        }
    }
}

// Register, change, forget.

impl PipeState {
    pub fn register(&mut self, selector: &Selector, token: Token, interest: Interest) -> io::Result<()> {
        let port = selector.port();
        match &self.port {
            Some(tied) if tied.as_ptr() == Arc::as_ptr(port) => {}
            Some(_) => {
                let reason = "cannot register: this pipe was registered with another Poll, and stays its for good";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
            }
            None => {
                self.pipe.tie(port)?;
                self.port = Some(Arc::downgrade(port));
            }
        }
        self.reregister(selector, token, interest);
        Ok(())
    }

    pub fn reregister(&self, selector: &Selector, token: Token, interest: Interest) {
        let port = selector.port();
        let mut state = lock(&self.pipe.state);
        state.interest = Some(interest);
        state.token = token;
        state.armed = armed_by(interest);
        self.pipe.begin_read(port, &mut state);
        self.pipe.settle(port, &mut state);
    }

    /// A read that is out stays out: bytes that it brings would be lost, and are there for the next registration.
    pub fn deregister(&self) {
        lock(&self.pipe.state).deregister();
    }
}

/// What an interest arms.
const fn armed_by(interest: Interest) -> u32 {
    let flags = flags(interest);
    let read = if flags & AFD_POLL_RECEIVE != 0 { READ } else { 0 };
    let write = if flags & AFD_POLL_SEND != 0 { WRITE } else { 0 };
    read | write
}

impl State {
    fn deregister(&mut self) {
        self.interest = None;
        self.armed = 0;
    }
}

impl Pipe {
    /// Ties the handle to a port: for good, no kernel can untie it.
    fn tie(self: &Arc<Pipe>, port: &Port) -> io::Result<()> {
        let mut state = lock(&self.state);
        let handle = match &state.handle {
            Some(handle) => handle,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let attempt =
            "cannot register this pipe: its handle was not opened for overlapped operations, or belongs to a \
                       completion port already";
        port.connect(handle, Arc::as_ptr(self) as usize).map_err(|err| explain(attempt, err))?;
        state.end = end(handle);
        drop(state);
        port.adopt(self);
        Ok(())
    }
}

fn end(pipe: &Handle) -> End {
    let mut flags = 0;
    // SAFETY: the handle is open; `flags` outlives the call, and the rest is not asked for.
    let done =
        unsafe { ffi::GetNamedPipeInfo(pipe.raw(), &mut flags, ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) };
    match done {
        // Or not with the access that the handle has.
        0 => End::Unknown,
        _ if flags & ffi::PIPE_SERVER_END != 0 => End::Server,
        _ => End::Client,
    }
}

// Connect.

impl PipeState {
    pub fn connect(&self) -> io::Result<()> {
        let port = self.port();
        let mut state = lock(&self.pipe.state);
        match &mut state.connect {
            Connect::Idle => {}
            Connect::Out => return Err(io::ErrorKind::WouldBlock.into()),
            Connect::Disowned { again } => {
                *again = true;
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        let port = match &port {
            Some(port) if state.interest.is_some() => port,
            _ => return Err(not_registered("connect")),
        };
        self.pipe.begin_connect(port, &mut state)?;
        match state.connect {
            Connect::Idle => {
                self.pipe.settle(port, &mut state);
                Ok(())
            }
            Connect::Out | Connect::Disowned { .. } => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub fn disconnect(&self) -> io::Result<()> {
        let mut state = lock(&self.pipe.state);
        if let Some(handle) = &state.handle {
            // SAFETY: the handle is open.
            if unsafe { ffi::DisconnectNamedPipe(handle.raw()) } == 0 {
                let err = io::Error::last_os_error();
                // Nobody was connected. To Windows that is no error, to Wine it is.
                if !has_code(&err, ffi::ERROR_PIPE_LISTENING) {
                    return Err(err);
                }
            }
        }
        state.is_connected = false;
        state.connect_error = None;
        state.disown_connect(&self.pipe);
        state.disown_read(&self.pipe);
        state.disown_write(&self.pipe);
        Ok(())
    }

    /// How a connect has failed that was out.
    pub fn take_error(&self) -> Option<io::Error> {
        lock(&self.pipe.state).connect_error.take()
    }
}

#[cold]
fn not_registered(verb: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("cannot {verb}: this pipe is not registered"))
}

impl Pipe {
    /// Waits for a client. If there is one already, nothing is out afterwards.
    fn begin_connect(self: &Arc<Pipe>, port: &Port, state: &mut State) -> io::Result<()> {
        let handle = match state.handle() {
            Some(handle) => handle,
            None => return Err(not_registered("connect")),
        };
        // SAFETY: `Idle` or a packet that was taken, say our callers: it is not out.
        let overlapped = unsafe { self.connect.prepare() };
        let lent = self.lend(port);
        // SAFETY: the handle is open, and the reference that is lent keeps `overlapped` where it is.
        let done = unsafe { ffi::ConnectNamedPipe(handle, overlapped) };
        match self.begun(port, lent, done) {
            Ok(()) => {
                state.connect = Connect::Out;
                Ok(())
            }
            // Without anybody waiting for him; he may be gone already.
            Err(err) if has_code(&err, ffi::ERROR_PIPE_CONNECTED) || has_code(&err, ffi::ERROR_NO_DATA) => {
                if !state.is_connected {
                    self.connected(port, state);
                }
                Ok(())
            }
            Err(err) => Err(err),
        }
    }

    /// There is a client: it may be written to, and is read from.
    fn connected(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        state.is_connected = true;
        self.begin_read(port, state);
        state.arm(READ | WRITE);
    }
}

fn has_code(err: &io::Error, code: i32) -> bool {
    err.raw_os_error() == Some(code)
}

// Read.

impl PipeState {
    /// Has `copy` take from what was read as much as it wants, of a program that has room for `len` bytes.
    pub fn read(&self, len: usize, copy: impl FnOnce(&[u8]) -> usize) -> io::Result<usize> {
        let port = self.port();
        let mut guard = lock(&self.pipe.state);
        let state = &mut *guard;
        state.read_size = cmp::max(state.read_size, cmp::min(len, state.end.largest_read()));
        match &mut state.read {
            Read::Bytes(left) => {
                let count = copy(&state.input[left.clone()]);
                left.start += count;
                if left.start == left.end {
                    state.read = Read::Idle;
                }
                // What is left, or comes at once, is told as if it had just come: that saves the program that reads
                // once per event.
                state.arm(READ);
                if let Some(port) = &port {
                    self.pipe.begin_read(port, state);
                    self.pipe.settle(port, state);
                }
                Ok(count)
            }
            Read::Failed(_) => {
                let err = state.take_read_error();
                // What fails again is not told again, but to whoever asks.
                if let Some(port) = &port {
                    self.pipe.begin_read(port, state);
                }
                match err {
                    Some(err) if !has_code(&err, ffi::ERROR_BROKEN_PIPE) => Err(err),
                    _ => Ok(0),
                }
            }
            Read::Idle if port.is_none() || state.interest.is_none() => Err(not_registered("read")),
            // Nobody is connected; or it takes its time.
            Read::Idle | Read::Out | Read::Disowned => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl End {
    fn largest_read(self) -> usize {
        match self {
            End::Server | End::Client => LARGE_READ,
            End::Unknown => SMALL_READ,
        }
    }
}

impl State {
    fn take_read_error(&mut self) -> Option<io::Error> {
        match mem::replace(&mut self.read, Read::Idle) {
            Read::Failed(err) => Some(err),
            other => {
                self.read = other;
                None
            }
        }
    }
}

impl Pipe {
    /// Sees to it that a read is out, unless what the last one has brought is there still, or nobody is connected.
    fn begin_read(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        let handle = match (&state.read, state.handle()) {
            (Read::Idle, Some(handle)) if state.interest.is_some() => handle,
            _ => return,
        };
        let len = state.read_size;
        if state.input.len() < len {
            state.input.resize(len, 0);
        }
        let place: *mut u8 = state.input.as_mut_ptr();
        // SAFETY: `Idle` says that it is not out.
        let overlapped = unsafe { self.read.prepare() };
        let lent = self.lend(port);
        // SAFETY: the handle is open. The reference that is lent keeps `overlapped` and the buffer where they are,
        // which has room for so much, and which nobody touches until the packet has been taken.
        let done = unsafe { ffi::ReadFile(handle, place.cast(), len as DWORD, ptr::null_mut(), overlapped) };
        state.is_connected = true;
        state.read = match self.begun(port, lent, done) {
            Ok(()) => Read::Out,
            Err(err) => {
                let has_no_client = has_code(&err, ffi::ERROR_PIPE_NOT_CONNECTED) && state.end == End::Server;
                if has_no_client || has_code(&err, ffi::ERROR_PIPE_LISTENING) {
                    state.is_connected = false;
                    Read::Idle
                } else {
                    Read::Failed(err)
                }
            }
        };
    }
}

// Write.

impl PipeState {
    /// Takes a copy of all of it.
    pub fn write<'a>(&self, bufs: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<usize> {
        let port = self.port();
        let mut state = lock(&self.pipe.state);
        if let Some(err) = state.take_write_error() {
            return Err(err);
        }
        if !matches!(state.write, Write::Idle) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let port = match &port {
            Some(port) if state.interest.is_some() => port,
            _ => return Err(not_registered("write")),
        };
        let len = bufs.clone().map(<[u8]>::len).fold(0, usize::saturating_add);
        state.output.clear();
        state.output.try_reserve(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        for buf in bufs {
            state.output.extend_from_slice(buf);
        }
        self.pipe.begin_write(port, &mut state, 0)?;
        Ok(len)
    }
}

impl State {
    fn take_write_error(&mut self) -> Option<io::Error> {
        match mem::replace(&mut self.write, Write::Idle) {
            Write::Failed(err) => Some(err),
            other => {
                self.write = other;
                None
            }
        }
    }
}

impl Pipe {
    /// Begins to write what is in `output` from there on.
    fn begin_write(self: &Arc<Pipe>, port: &Port, state: &mut State, from: usize) -> io::Result<()> {
        let handle = match state.handle() {
            Some(handle) => handle,
            None => return Err(not_registered("write")),
        };
        let rest = &state.output[from..];
        let len = cmp::min(rest.len(), DWORD::MAX as usize) as DWORD;
        let place: *const u8 = rest.as_ptr();
        // SAFETY: `Idle` or a packet that was taken, say our callers: it is not out.
        let overlapped = unsafe { self.write.prepare() };
        let lent = self.lend(port);
        // SAFETY: the handle is open. The reference that is lent keeps `overlapped` and the buffer where they are,
        // which holds so much, and which nobody touches until the packet has been taken.
        let done = unsafe { ffi::WriteFile(handle, place.cast(), len, ptr::null_mut(), overlapped) };
        self.begun(port, lent, done)?;
        state.write = Write::Out { from };
        Ok(())
    }
}

// Packets.

impl Pipe {
    /// A reference to this leaves for the kernel. It comes back with a packet, whose key is the pipe's address.
    fn lend(self: &Arc<Pipe>, port: &Port) -> usize {
        port.lend();
        Arc::into_raw(Arc::clone(self)) as usize
    }

    /// The same reference, of which nobody has heard.
    ///
    /// # Safety
    ///
    /// `lend` has just returned the key, and there will be no packet.
    unsafe fn take_back(port: &Port, lent: usize) {
        port.return_one();
        // SAFETY: there will be no packet, says our caller, so this is the one time for this reference.
        drop(unsafe { Pipe::from_packet(lent) });
    }

    /// Called right after the call that has started an operation, for which a reference was lent: whether there will be
    /// a packet.
    fn begun(&self, port: &Port, lent: usize, done: BOOL) -> io::Result<()> {
        if done != 0 {
            return Ok(());
        }
        let err = io::Error::last_os_error();
        if has_code(&err, ffi::ERROR_IO_PENDING) || has_code(&err, ffi::ERROR_MORE_DATA) {
            return Ok(());
        }
        // SAFETY: our callers have just lent it, and an operation that has failed at once has no packet.
        unsafe { Pipe::take_back(port, lent) };
        Err(err)
    }

    /// The reference that was lent to the kernel.
    ///
    /// # Safety
    ///
    /// The key is that of a pipe's packet which was taken from the port and not put back, and this is called once.
    pub unsafe fn from_packet(key: usize) -> Arc<Pipe> {
        // SAFETY: `tie` has made the key of an address, and for this one packet `lend` has lent a reference.
        unsafe { Arc::from_raw(key as *const Pipe) }
    }

    /// Called when a packet of this pipe has been taken from the port.
    ///
    /// # Safety
    ///
    /// It has, with this address, and this is called once.
    pub unsafe fn complete(self: &Arc<Pipe>, port: &Port, address: *mut c_void) -> Option<RawEvent> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        if address.is_null() {
            state.packet = OwnPacket::No;
        } else if address == self.read.address().cast() {
            // SAFETY: its packet has been taken, says our caller, and since then none was started, says the lock.
            let outcome = unsafe { self.read.outcome() };
            self.has_read(port, state, outcome);
        } else if address == self.write.address().cast() {
            // SAFETY: as above.
            let outcome = unsafe { self.write.outcome() };
            self.has_written(port, state, outcome);
        } else if address == self.connect.address().cast() {
            // SAFETY: as above.
            let outcome = unsafe { self.connect.outcome() };
            self.has_connected(port, state, outcome);
        }
        let report = state.report();
        self.settle(port, state);
        // Closed when the lock is left.
        let handle = state.last_handle();
        drop(guard);
        drop(handle);
        report
    }

    fn has_connected(self: &Arc<Pipe>, port: &Port, state: &mut State, outcome: io::Result<usize>) {
        let outcome = match mem::replace(&mut state.connect, Connect::Idle) {
            Connect::Disowned { again: false } => return,
            Connect::Disowned { again: true } => self.begin_connect(port, state),
            Connect::Out | Connect::Idle => outcome.map(|_| self.connected(port, state)),
        };
        if let Err(err) = outcome {
            state.connect_error = Some(err);
            state.arm(WRITE);
        }
    }

    fn has_read(self: &Arc<Pipe>, port: &Port, state: &mut State, outcome: io::Result<usize>) {
        match mem::replace(&mut state.read, Read::Idle) {
            // In the meantime there may be another client.
            Read::Disowned if state.is_connected => self.begin_read(port, state),
            Read::Disowned => {}
            _ => {
                state.read = match outcome {
                    Ok(count) => Read::Bytes(0..count),
                    Err(err) => Read::Failed(err),
                };
            }
        }
        state.arm(READ);
        if state.is_over() {
            state.arm(WRITE);
        }
    }

    fn has_written(self: &Arc<Pipe>, port: &Port, state: &mut State, outcome: io::Result<usize>) {
        if let Write::Out { from } = mem::replace(&mut state.write, Write::Idle) {
            let outcome = outcome.and_then(|count| match from + count {
                to if to == state.output.len() => Ok(()),
                _ if count == 0 => Err(io::ErrorKind::WriteZero.into()),
                to => self.begin_write(port, state, to),
            });
            if let Err(err) = outcome {
                state.write = Write::Failed(err);
            }
        }
        if !matches!(state.write, Write::Out { .. }) {
            if state.output.capacity() > KEPT_OUTPUT {
                state.output = Vec::new();
            }
            state.arm(WRITE);
        }
    }
}

// What is to be told.

impl State {
    /// In edge mode, what becomes so is to be told. Level mode disarms nothing, and oneshot is armed by the program's
    /// word.
    fn arm(&mut self, direction: u32) {
        if let Some(interest) = self.interest.filter(|interest| interest.is_edge()) {
            self.armed |= direction & armed_by(interest);
        }
    }

    /// A client has lost its server.
    fn is_over(&self) -> bool {
        match &self.read {
            Read::Failed(err) => {
                let is_gone = has_code(err, ffi::ERROR_BROKEN_PIPE) || has_code(err, ffi::ERROR_PIPE_NOT_CONNECTED);
                is_gone && self.end == End::Client
            }
            _ => false,
        }
    }

    /// What is so, and has not been told.
    fn news(&self) -> u32 {
        let mut so = 0;
        if let Read::Bytes(_) | Read::Failed(_) = self.read {
            so |= AFD_POLL_RECEIVE;
        }
        let may_write = self.is_connected || self.connect_error.is_some();
        if let (true, Write::Idle | Write::Failed(_)) = (may_write, &self.write) {
            so |= AFD_POLL_SEND;
        }
        // No more than that is said of a server's end: its next client may come any time.
        if self.is_over() {
            so |= AFD_POLL_DISCONNECT | FINISHED;
        }
        so & self.armed
    }

    fn report(&mut self) -> Option<RawEvent> {
        let interest = self.interest?;
        let events = self.news();
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
}

impl Pipe {
    /// Sees to it that what is to be told is going to be told.
    fn settle(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        if state.packet == OwnPacket::No && state.news() != 0 {
            if port.enqueue_pipe(self) {
                state.packet = OwnPacket::Queued;
            } else {
                self.post(port, state);
            }
        }
    }

    /// Called when the pipe has been taken out of the queue, by a wait that begins.
    pub fn update(self: &Arc<Pipe>, port: &Port) {
        let mut state = lock(&self.state);
        state.packet = OwnPacket::No;
        if state.news() != 0 {
            self.post(port, &mut state);
        }
    }

    /// Puts a packet into the port, which says only that there is something to tell.
    fn post(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        let lent = self.lend(port);
        state.packet = OwnPacket::Posted;
        if port.post(lent, ptr::null_mut()).is_err() {
            // SAFETY: it has just been lent, and the port has not taken it.
            unsafe { Pipe::take_back(port, lent) };
            // No memory, at worst: the next wait tries again.
            state.packet = OwnPacket::Queued;
            port.retry_pipe(self);
        }
    }
}
