//! A pipe: the source of ours that is no socket. No AFD tells when it is ready, so that is made of what it completes.
//!
//! To know when a pipe can be read there is nothing but to read it. So a read is started before the program wants one,
//! into a buffer of the pipe's own, and when its packet comes, the pipe is readable: the bytes are there, and the
//! program's `read` copies them. When it has taken them all, the next read is started. With writing it is the other way
//! round: `write` copies the bytes and starts, and until the packet comes, the pipe is not writable. How it has ended,
//! the next `write` tells. For a client, a server waits in the same way.
//!
//! ```text
//!               start                      disconnect, to begin anew
//!     Idle ──────────────► Out ──────────────────────────────────────────► Disowned
//!      ▲                    │                                                  │
//!      └────────────────────┴── its packet is taken from the port ◄────────────┘
//! ```
//!
//! There are three such operations, and each is out once at most. While one is out, the kernel has a reference to the
//! pipe, and with it the operation and its buffer: they live until the packet has been taken, whoever has dropped what
//! in the meantime. What was started for a client that has been dismissed since then is *disowned*: its packet ends it,
//! and what it has brought is nobody's.
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

use super::event::{flags, RawEvent, FINISHED};
use super::ffi::{self, BOOL, DWORD, HANDLE, NTSTATUS, OVERLAPPED};
use super::ffi::{AFD_POLL_DISCONNECT, AFD_POLL_RECEIVE, AFD_POLL_SEND};
use super::port::{nt_error, Handle, Port};
use super::Selector;
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

/// What this queue keeps inside a pipe's source: the pipe, and the port that its handle is tied to.
pub(crate) struct PipeState {
    pipe: Arc<Pipe>,
    /// Sources don't keep their poll alive.
    port: Option<Weak<Port>>,
}

pub(super) struct Pipe {
    /// To be asked for; what is done is done with the one inside `state`.
    raw: HANDLE,
    operations: [Operation; 3],
    state: Mutex<State>,
}

// SAFETY: the handle is a number, which is good on every thread; an operation is written only while it is idle, under
// the lock of the state, and else it is the kernel's; all else is good on every thread.
unsafe impl Send for Pipe {}
// SAFETY: as above.
unsafe impl Sync for Pipe {}

/// An operation, and how it has ended. While it is out, it is the kernel's: it must neither move nor go.
struct Operation(UnsafeCell<OVERLAPPED>);

/// No code of the program's runs while an operation is looked at, so no panic leaves one half done.
impl RefUnwindSafe for Operation {}

/// Which operation.
#[derive(Clone, Copy)]
enum Verb {
    Connect,
    Read,
    Write,
}

const VERBS: [Verb; 3] = [Verb::Connect, Verb::Read, Verb::Write];

/// Where an operation is. While it is not idle, the kernel has a reference to the pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flight {
    Idle,
    Out,
    /// Out, for a client that has been dismissed.
    Disowned,
}

/// Which end of a pipe this is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It serves one client after the other.
    Server,
    /// Once its server is gone, it is of no use any more.
    Client,
    /// It does not say, or is no pipe: all else holds for a serial port too.
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

struct State {
    /// `None`: closed, since the source has been dropped.
    handle: Option<Handle>,
    end: End,
    /// `None`: not registered.
    interest: Option<Interest>,
    token: Token,
    /// The events that are told as soon as they are so.
    armed: u32,
    own_packet: OwnPacket,
    /// By [`Verb`].
    flights: [Flight; 3],
    /// There is somebody at the other end, or was, and has not been dismissed yet.
    is_connected: bool,
    /// When the connect that was disowned is back, it is to be started again.
    connects_again: bool,
    connect_error: Option<io::Error>,
    /// What the last read has brought and nobody has taken yet: these bytes of `input`, or an error.
    arrived: Option<io::Result<Range<usize>>>,
    /// What is read goes here. It is the kernel's while a read is out.
    input: Vec<u8>,
    /// So much is asked for by the next read.
    read_size: usize,
    write_error: Option<io::Error>,
    /// What is written is here. It is the kernel's while a write is out.
    output: Vec<u8>,
    /// So much of it has been written.
    written: usize,
    /// The source has been dropped.
    is_orphan: bool,
    /// The port is going, and nothing may be started any more.
    is_stopped: bool,
}

/// What the two directions are told with.
const READ: u32 = AFD_POLL_RECEIVE | AFD_POLL_DISCONNECT;
const WRITE: u32 = AFD_POLL_SEND | FINISHED;

/// How much a read asks for if the program has never asked for more; and the most that a pipe is asked for. A serial
/// port is never asked for more than the first: it may not answer before it has all of that.
const SMALL_READ: usize = 4 << 10;
const LARGE_READ: usize = 64 << 10;
/// The longest buffer for writing that is kept for the next time.
const KEPT_OUTPUT: usize = 1 << 20;

#[cold]
fn not_registered(verb: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("cannot {verb}: this pipe is not registered"))
}

fn has_code(err: &io::Error, code: i32) -> bool {
    err.raw_os_error() == Some(code)
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
        let operation = || Operation(UnsafeCell::new(OVERLAPPED::new()));
        let state = State {
            handle: Some(handle),
            end: End::Unknown,
            interest: None,
            token: Token(0),
            armed: 0,
            own_packet: OwnPacket::No,
            flights: [Flight::Idle; 3],
            is_connected: false,
            connects_again: false,
            connect_error: None,
            arrived: None,
            input: Vec::new(),
            read_size: SMALL_READ,
            write_error: None,
            output: Vec::new(),
            written: 0,
            is_orphan: false,
            is_stopped: false,
        };
        let operations = [operation(), operation(), operation()];
        PipeState { pipe: Arc::new(Pipe { raw, operations, state: Mutex::new(state) }), port: None }
    }

    pub fn raw(&self) -> HANDLE {
        self.pipe.raw
    }

    /// The port that the handle is tied to, if it is there still. It has to outlive the lock of the state: the last to
    /// let go of a port stops its pipes.
    fn port(&self) -> Option<Arc<Port>> {
        self.port.as_ref().and_then(Weak::upgrade)
    }
}

/// What is being written is written to the end, as long as the poll lives. All else is over.
impl Drop for PipeState {
    fn drop(&mut self) {
        let mut state = lock(&self.pipe.state);
        state.deregister();
        state.is_orphan = true;
        state.connects_again = false;
        state.disown(&self.pipe, Verb::Connect);
        state.disown(&self.pipe, Verb::Read);
        let _closed = state.last_handle();
    }
}

impl State {
    /// The handle of a source that has been dropped, as soon as it can be closed.
    fn last_handle(&mut self) -> Option<Handle> {
        if self.is_orphan && self.flights[Verb::Write as usize] != Flight::Out {
            self.handle.take()
        } else {
            None
        }
    }

    /// Cancels an operation if it is out, and has what it brings forgotten.
    fn disown(&mut self, pipe: &Pipe, verb: Verb) {
        let flight = &mut self.flights[verb as usize];
        if let (Flight::Out, Some(handle)) = (*flight, &self.handle) {
            *flight = Flight::Disowned;
            // One that can't be cancelled has ended, or ends later. Its packet comes in any case.
            // SAFETY: the handle is open, and of the operation only the address counts.
            unsafe { ffi::CancelIoEx(handle.raw(), pipe.operations[verb as usize].0.get()) };
        }
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

    /// In every mode, what is so already is told again.
    pub fn reregister(&self, selector: &Selector, token: Token, interest: Interest) {
        let mut state = lock(&self.pipe.state);
        state.interest = Some(interest);
        state.token = token;
        state.armed = armed_by(interest);
        self.pipe.begin_read(selector.port(), &mut state);
        self.pipe.settle(selector.port(), &mut state);
    }

    /// A read that is out stays out: the bytes that it may bring are there for the next registration.
    pub fn deregister(&self) {
        lock(&self.pipe.state).deregister();
    }
}

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
    /// Ties the handle to a port: for good, nothing unties it.
    fn tie(self: &Arc<Pipe>, port: &Port) -> io::Result<()> {
        let mut state = lock(&self.state);
        let handle = match &state.handle {
            Some(handle) => handle,
            None => return Err(not_registered("register")),
        };
        port.connect(handle, Arc::as_ptr(self) as usize)?;
        state.end = end(handle);
        port.adopt(self);
        Ok(())
    }
}

fn end(pipe: &Handle) -> End {
    let (mut flags, none) = (0, ptr::null_mut());
    // SAFETY: the handle is open; `flags` outlives the call, and the rest is not asked for.
    match unsafe { ffi::GetNamedPipeInfo(pipe.raw(), &mut flags, none, none, none) } {
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
        match (state.flights[Verb::Connect as usize], &port) {
            (Flight::Out, _) => return Err(io::ErrorKind::WouldBlock.into()),
            (Flight::Idle, Some(port)) if state.interest.is_some() => self.pipe.begin_connect(port, &mut state)?,
            (Flight::Disowned, Some(_)) if state.interest.is_some() => state.connects_again = true,
            _ => return Err(not_registered("connect")),
        }
        match (state.flights[Verb::Connect as usize], &port) {
            (Flight::Idle, Some(port)) => {
                self.pipe.settle(port, &mut state);
                Ok(())
            }
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub fn disconnect(&self) -> io::Result<()> {
        let mut state = lock(&self.pipe.state);
        // SAFETY: the handle is open as long as the source is there.
        if unsafe { ffi::DisconnectNamedPipe(self.pipe.raw) } == 0 {
            let err = io::Error::last_os_error();
            // There was nobody. To Windows that is no error, to Wine it is; and nor is it to us if the connect that is
            // called off has not begun yet.
            let was_called_off = state.connects_again && has_code(&err, ffi::ERROR_PIPE_NOT_CONNECTED);
            if !has_code(&err, ffi::ERROR_PIPE_LISTENING) && !was_called_off {
                return Err(err);
            }
        }
        VERBS.iter().for_each(|verb| state.disown(&self.pipe, *verb));
        state.is_connected = false;
        state.connects_again = false;
        state.connect_error = None;
        state.arrived = None;
        state.write_error = None;
        Ok(())
    }

    /// How a connect has failed that was out.
    pub fn take_error(&self) -> Option<io::Error> {
        lock(&self.pipe.state).connect_error.take()
    }
}

impl Pipe {
    /// Waits for a client. If there is one already, nothing is out afterwards.
    fn begin_connect(self: &Arc<Pipe>, port: &Port, state: &mut State) -> io::Result<()> {
        let call = |handle, overlapped| {
            // SAFETY: `start` passes an open handle, and an operation that stays where it is until its packet is taken.
            unsafe { ffi::ConnectNamedPipe(handle, overlapped) }
        };
        state.connect_error = None;
        match self.start(port, state, Verb::Connect, call) {
            // Without anybody waiting for him; and he may be gone already.
            Err(err) if has_code(&err, ffi::ERROR_PIPE_CONNECTED) || has_code(&err, ffi::ERROR_NO_DATA) => {
                if !state.is_connected {
                    self.connected(port, state);
                }
                Ok(())
            }
            // Who waits for a client has none.
            Ok(()) => {
                state.is_connected = false;
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

    fn has_connected(self: &Arc<Pipe>, port: &Port, state: &mut State, outcome: Option<io::Result<usize>>) {
        let outcome = match outcome {
            Some(outcome) => outcome.map(|_| self.connected(port, state)),
            None if mem::take(&mut state.connects_again) => self.begin_connect(port, state),
            None => Ok(()),
        };
        if let Err(err) = outcome {
            state.connect_error = Some(err);
            state.arm(WRITE);
        }
    }
}

// Read.

impl PipeState {
    /// Has `copy` take what it wants of the bytes that were read, for a program that has room for `len`.
    pub fn read(&self, len: usize, copy: impl FnOnce(&[u8]) -> usize) -> io::Result<usize> {
        let port = self.port();
        let mut guard = lock(&self.pipe.state);
        let state = &mut *guard;
        let largest = if state.end == End::Unknown { SMALL_READ } else { LARGE_READ };
        state.read_size = cmp::max(state.read_size, cmp::min(len, largest));
        let has_bytes = matches!(state.arrived, Some(Ok(_)));
        let result = match state.arrived.take() {
            Some(Ok(bytes)) => {
                let count = copy(&state.input[bytes.clone()]);
                if count < bytes.len() {
                    state.arrived = Some(Ok(bytes.start + count..bytes.end));
                }
                Ok(count)
            }
            Some(Err(err)) if has_code(&err, ffi::ERROR_BROKEN_PIPE) => Ok(0),
            Some(Err(err)) => Err(err),
            None if port.is_none() || state.interest.is_none() => return Err(not_registered("read")),
            // Nobody is connected; or it takes its time.
            None => return Err(io::ErrorKind::WouldBlock.into()),
        };
        if let Some(port) = &port {
            self.pipe.begin_read(port, state);
            // What is left is told as if it had just come: that saves the program that reads once per event. An end
            // that was told is told again only to those who ask.
            if has_bytes {
                state.arm(READ);
                self.pipe.settle(port, state);
            }
        }
        result
    }
}

impl Pipe {
    /// Sees to it that a read is out, unless what the last one has brought is there still, or nobody is connected.
    fn begin_read(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        let is_idle = state.flights[Verb::Read as usize] == Flight::Idle && state.arrived.is_none();
        if !is_idle || state.interest.is_none() {
            return;
        }
        let len = state.read_size;
        if state.input.len() < len {
            state.input.resize(len, 0);
        }
        let place: *mut u8 = state.input.as_mut_ptr();
        let call = |handle, overlapped| {
            // SAFETY: `start` passes an open handle, and an operation that stays where it is until its packet is taken,
            // as does `place`, which has room for so much and is touched by nobody until then.
            unsafe { ffi::ReadFile(handle, place.cast(), len as DWORD, ptr::null_mut(), overlapped) }
        };
        let was_connected = mem::replace(&mut state.is_connected, true);
        if let Err(err) = self.start(port, state, Verb::Read, call) {
            let has_no_client = has_code(&err, ffi::ERROR_PIPE_NOT_CONNECTED) && state.end == End::Server;
            if has_no_client || has_code(&err, ffi::ERROR_PIPE_LISTENING) {
                state.is_connected = false;
            } else {
                // To an end that only writes, this tells nothing: it is taken for connected unless it waits for that.
                if has_code(&err, ffi::ERROR_ACCESS_DENIED) {
                    state.is_connected = was_connected || state.flights[Verb::Connect as usize] == Flight::Idle;
                }
                state.arrived = Some(Err(err));
            }
        }
    }

    fn has_read(self: &Arc<Pipe>, port: &Port, state: &mut State, outcome: Option<io::Result<usize>>) {
        match outcome {
            Some(outcome) => state.arrived = Some(outcome.map(|count| 0..count)),
            // In the meantime there is another client.
            None if state.is_connected => self.begin_read(port, state),
            None => {}
        }
        state.arm(if state.is_over() { READ | WRITE } else { READ });
    }
}

// Write.

impl PipeState {
    /// Takes a copy of all of it.
    pub fn write<'a>(&self, bufs: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<usize> {
        let port = self.port();
        let mut state = lock(&self.pipe.state);
        if let Some(err) = state.write_error.take() {
            return Err(err);
        }
        if state.flights[Verb::Write as usize] != Flight::Idle {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let port = match &port {
            Some(port) if state.interest.is_some() => port,
            _ => return Err(not_registered("write")),
        };
        let len = bufs.clone().map(<[u8]>::len).fold(0, usize::saturating_add);
        state.output.clear();
        state.output.try_reserve(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bufs.for_each(|buf| state.output.extend_from_slice(buf));
        state.written = 0;
        self.pipe.begin_write(port, &mut state)?;
        Ok(len)
    }
}

impl Pipe {
    /// Begins to write what is left of `output`.
    fn begin_write(self: &Arc<Pipe>, port: &Port, state: &mut State) -> io::Result<()> {
        let left = &state.output[state.written..];
        let len = cmp::min(left.len(), DWORD::MAX as usize) as DWORD;
        let place: *const u8 = left.as_ptr();
        let call = |handle, overlapped| {
            // SAFETY: `start` passes an open handle, and an operation that stays where it is until its packet is taken,
            // as does `place`, which holds so much and is touched by nobody until then.
            unsafe { ffi::WriteFile(handle, place.cast(), len, ptr::null_mut(), overlapped) }
        };
        self.start(port, state, Verb::Write, call)
    }

    fn has_written(self: &Arc<Pipe>, port: &Port, state: &mut State, outcome: Option<io::Result<usize>>) {
        if let Some(outcome) = outcome {
            let outcome = outcome.and_then(|count| {
                state.written += count;
                match state.output.len() - state.written {
                    0 => Ok(()),
                    _ if count == 0 => Err(io::ErrorKind::WriteZero.into()),
                    _ => self.begin_write(port, state),
                }
            });
            state.write_error = outcome.err();
        }
        if state.flights[Verb::Write as usize] == Flight::Idle {
            if state.output.capacity() > KEPT_OUTPUT {
                state.output = Vec::new();
            }
            state.arm(WRITE);
        }
    }
}

// Packets.

impl Pipe {
    /// Starts an operation that is idle, by a call that gets the open handle and the operation. If it is out then, its
    /// packet will come.
    fn start(
        self: &Arc<Pipe>,
        port: &Port,
        state: &mut State,
        verb: Verb,
        call: impl FnOnce(HANDLE, *mut OVERLAPPED) -> BOOL,
    ) -> io::Result<()> {
        let handle = match &state.handle {
            Some(handle) if !state.is_stopped => handle.raw(),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        let operation = self.operations[verb as usize].0.get();
        // SAFETY: it is idle, so all of it is ours.
        unsafe { operation.write(OVERLAPPED::new()) };
        let lent = self.lend(port);
        if call(handle, operation) == 0 {
            let err = io::Error::last_os_error();
            if !has_code(&err, ffi::ERROR_IO_PENDING) && !has_code(&err, ffi::ERROR_MORE_DATA) {
                // SAFETY: it has just been lent, and an operation that fails at once has no packet.
                unsafe { Pipe::take_back(port, lent) };
                return Err(err);
            }
        }
        state.flights[verb as usize] = Flight::Out;
        Ok(())
    }

    /// A reference to this leaves for the kernel. It comes back with a packet, whose key is the pipe's address.
    fn lend(self: &Arc<Pipe>, port: &Port) -> usize {
        port.lend();
        Arc::into_raw(Arc::clone(self)) as usize
    }

    /// A reference that was lent for nothing.
    ///
    /// # Safety
    ///
    /// `lend` has returned the key, and there will be no packet for it.
    unsafe fn take_back(port: &Port, lent: usize) {
        port.return_one();
        // SAFETY: there is no packet, says our caller, so nobody else does this.
        drop(unsafe { Pipe::from_packet(lent) });
    }

    /// The reference that was lent to the kernel.
    ///
    /// # Safety
    ///
    /// The key is that of a pipe's packet which was taken from the port and not put back, and this is called once.
    pub unsafe fn from_packet(key: usize) -> Arc<Pipe> {
        // SAFETY: `tie` has made the key of the address, and for this one packet `lend` has lent a reference.
        unsafe { Arc::from_raw(key as *const Pipe) }
    }

    /// Called when a packet of this pipe has been taken from the port.
    ///
    /// # Safety
    ///
    /// It has, with this address, and this is called once.
    pub unsafe fn complete(self: &Arc<Pipe>, port: &Port, address: *mut c_void) -> Option<RawEvent> {
        let mut state = lock(&self.state);
        let is_meant = |verb: &&Verb| self.operations[**verb as usize].0.get().cast() == address;
        match VERBS.iter().find(is_meant) {
            Some(verb) => {
                let flight = mem::replace(&mut state.flights[*verb as usize], Flight::Idle);
                // SAFETY: the packet is taken, says our caller: the kernel has written, and does so no more.
                let end = unsafe { self.operations[*verb as usize].0.get().read() };
                let status = end.Internal as NTSTATUS;
                // That a message was longer than the buffer is only a warning.
                let outcome = if ffi::NT_ERROR(status) { Err(nt_error(status)) } else { Ok(end.InternalHigh) };
                let outcome = Some(outcome).filter(|_| flight == Flight::Out);
                match verb {
                    Verb::Connect => self.has_connected(port, &mut state, outcome),
                    Verb::Read => self.has_read(port, &mut state, outcome),
                    Verb::Write => self.has_written(port, &mut state, outcome),
                }
            }
            // Our own.
            None => state.own_packet = OwnPacket::No,
        }
        // One of our own is in the port already, and tells all that is so.
        let report = if state.own_packet == OwnPacket::Posted { None } else { state.report() };
        self.settle(port, &mut state);
        let _closed = state.last_handle();
        report
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
        match &self.arrived {
            Some(Err(err)) if self.end == End::Client => {
                has_code(err, ffi::ERROR_BROKEN_PIPE) || has_code(err, ffi::ERROR_PIPE_NOT_CONNECTED)
            }
            _ => false,
        }
    }

    /// What is so, and has not been told.
    fn news(&self) -> u32 {
        let mut so = 0;
        if self.arrived.is_some() {
            so |= AFD_POLL_RECEIVE;
        }
        let is_known = self.is_connected || self.connect_error.is_some();
        if is_known && self.flights[Verb::Write as usize] == Flight::Idle {
            so |= AFD_POLL_SEND;
        }
        // Of a server's end nothing of that kind is said: its next client may come any time.
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
        if state.own_packet == OwnPacket::No && state.news() != 0 {
            if port.enqueue_pipe(self) {
                state.own_packet = OwnPacket::Queued;
            } else {
                self.post(port, state);
            }
        }
    }

    /// Called when the pipe has been taken out of the queue, by a wait that begins.
    pub fn update(self: &Arc<Pipe>, port: &Port) {
        let mut state = lock(&self.state);
        state.own_packet = OwnPacket::No;
        if state.news() != 0 {
            self.post(port, &mut state);
        }
    }

    /// Puts a packet into the port, which says only that there is something to tell.
    fn post(self: &Arc<Pipe>, port: &Port, state: &mut State) {
        let lent = self.lend(port);
        state.own_packet = OwnPacket::Posted;
        if port.post(lent, ptr::null_mut()).is_err() {
            // SAFETY: it has just been lent, and the port has not taken it.
            unsafe { Pipe::take_back(port, lent) };
            // No memory, at worst: the next wait tries again.
            state.own_packet = OwnPacket::Queued;
            port.retry_pipe(self);
        }
    }
}
