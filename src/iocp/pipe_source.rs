//! The program's side of a pipe: the state of a [`NamedPipe`](crate::windows::NamedPipe) and the methods that it calls.

use std::cmp;
use std::io;
use std::sync::{Arc, Weak};

use super::ffi::{ERROR_BROKEN_PIPE, HANDLE};
use super::pipe::{is_os_error, OperationKind, OperationState, Pipe, PipeEnd, MAX_READ, MIN_READ};
use super::port::Handle;
use super::selector_state::SelectorState;
use super::Selector;
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

/// A pipe, and the selector whose port its handle is associated with.
pub(crate) struct PipeSource {
    pipe: Arc<Pipe>,
    /// A source does not keep its poll alive.
    shared: Option<Weak<SelectorState>>,
}

#[cold]
fn not_registered(verb: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("cannot {verb}: this pipe is not registered"))
}

// Open and close.

impl PipeSource {
    /// Takes ownership of a handle.
    ///
    /// # Safety
    ///
    /// The handle is open, and no other code closes it. Once the handle is associated with a port, each of its
    /// operations queues a packet in that port (the handle has no `FILE_SKIP_COMPLETION_PORT_ON_SUCCESS`), and only
    /// this crate starts such operations.
    pub unsafe fn from_raw(raw: HANDLE) -> PipeSource {
        // SAFETY: the caller promises the same.
        let handle = unsafe { Handle::from_raw(raw) };
        PipeSource { pipe: Arc::new(Pipe::new(handle)), shared: None }
    }

    pub fn raw(&self) -> HANDLE {
        self.pipe.raw
    }

    /// Returns the selector's state if the selector still exists. The caller must release the lock of the pipe's state
    /// before it drops the result, to prevent a deadlock: dropping the last reference locks the states of all pipes.
    fn shared(&self) -> Option<Arc<SelectorState>> {
        self.shared.as_ref().and_then(Weak::upgrade)
    }
}

impl Drop for PipeSource {
    fn drop(&mut self) {
        self.pipe.drop_source();
    }
}

// Register, reregister, deregister.

impl PipeSource {
    pub fn register(&mut self, selector: &Selector, token: Token, interest: Interest) -> io::Result<()> {
        let shared = selector.shared();
        match &self.shared {
            // The handle is associated with this port already.
            Some(associated) if associated.as_ptr() == Arc::as_ptr(shared) => {}
            Some(_) => {
                let reason = "cannot register: this pipe belongs to another Poll, with which it was registered first";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
            }
            None => {
                if !self.pipe.associate(&shared.port)? {
                    let reason = "cannot register: the handle of this pipe is closed";
                    return Err(io::Error::new(io::ErrorKind::NotFound, reason));
                }
                shared.track_pipe(&self.pipe);
                self.shared = Some(Arc::downgrade(shared));
            }
        }
        self.reregister(selector, token, interest);
        Ok(())
    }

    pub fn reregister(&self, selector: &Selector, token: Token, interest: Interest) {
        let shared = selector.shared();
        shared.schedule_posting(&self.pipe, self.pipe.register(&shared.port, token, interest));
    }

    pub fn deregister(&self) {
        lock(&self.pipe.state).deregister();
    }
}

// Connect and disconnect.

impl PipeSource {
    pub fn connect(&self) -> io::Result<()> {
        let shared = self.shared();
        let mut state = lock(&self.pipe.state);
        let shared = match &shared {
            _ if state.state_of(OperationKind::Connect) == OperationState::Pending => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Some(shared) if state.interest.is_some() => shared,
            _ => return Err(not_registered("connect")),
        };
        if state.state_of(OperationKind::Connect) == OperationState::Discarded {
            // When the packet of the discarded connect is dequeued, `complete_connect` starts this connect.
            state.restart_connect = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.pipe.start_connect(&shared.port, &mut state)?;
        if state.state_of(OperationKind::Connect) != OperationState::Idle {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // A client was connected already.
        let update = state.request_post();
        drop(state);
        shared.schedule_posting(&self.pipe, update);
        Ok(())
    }

    pub fn disconnect(&self) -> io::Result<()> {
        self.pipe.disconnect()
    }

    /// Removes and returns the error of a connect that was pending when it failed.
    pub fn take_error(&self) -> Option<io::Error> {
        lock(&self.pipe.state).connect_error.take()
    }
}

// Read and write.

impl PipeSource {
    /// Lets `copy` copy bytes that were read, and consumes as many as `copy` returns. `len` is the size of the
    /// program's buffer.
    pub fn read(&self, len: usize, copy: impl FnOnce(&[u8]) -> usize) -> io::Result<usize> {
        let shared = self.shared();
        let mut guard = lock(&self.pipe.state);
        let state = &mut *guard;
        let max = if state.end == PipeEnd::Unknown { MIN_READ } else { MAX_READ };
        state.read_size = cmp::max(state.read_size, cmp::min(len, max));
        let has_bytes = matches!(state.read_result, Some(Ok(_)));
        let result = match state.read_result.take() {
            Some(Ok(bytes)) => {
                let count = copy(&state.read_buffer[bytes.clone()]);
                if count < bytes.len() {
                    state.read_result = Some(Ok(bytes.start + count..bytes.end));
                }
                Ok(count)
            }
            // The other end is closed: the end of the stream.
            Some(Err(err)) if is_os_error(&err, ERROR_BROKEN_PIPE) => Ok(0),
            Some(Err(err)) => Err(err),
            None if shared.is_none() || state.interest.is_none() => return Err(not_registered("read")),
            // A read is pending, or no client is connected.
            None => return Err(io::ErrorKind::WouldBlock.into()),
        };
        if let Some(shared) = &shared {
            self.pipe.start_read(&shared.port, state);
            // Bytes that are left are reported like new ones, so a program that reads once per event receives all its
            // data. An end of the stream is not reported again, only returned by the next read.
            if has_bytes {
                state.rearm_read();
                let update = state.request_post();
                drop(guard);
                shared.schedule_posting(&self.pipe, update);
            }
        }
        result
    }

    /// Copies all the bytes, and starts to write them.
    pub fn write<'a>(&self, bufs: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<usize> {
        let shared = self.shared();
        let mut state = lock(&self.pipe.state);
        if let Some(err) = state.write_error.take() {
            return Err(err);
        }
        if state.state_of(OperationKind::Write) != OperationState::Idle {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let shared = match &shared {
            Some(shared) if state.interest.is_some() => shared,
            _ => return Err(not_registered("write")),
        };
        let len = bufs.clone().map(<[u8]>::len).fold(0, usize::saturating_add);
        state.write_buffer.clear();
        state.write_buffer.try_reserve(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bufs.for_each(|buf| state.write_buffer.extend_from_slice(buf));
        state.write_offset = 0;
        let result = self.pipe.start_write(&shared.port, &mut state);
        if result.is_err() {
            state.free_large_write_buffer();
        }
        result.map(|()| len)
    }
}
