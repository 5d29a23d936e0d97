//! Pipes and their operations, from the call to the packet. The test decides the result of each operation.

use super::layout::*;
use super::{Kernel, Object, Packet};
use crate::guard;

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OperationKind {
    Connect,
    Read,
    Write,
}

impl OperationKind {
    pub const ALL: [OperationKind; 3] = [OperationKind::Connect, OperationKind::Read, OperationKind::Write];
}

#[derive(Default)]
pub(super) struct Pipe {
    /// The port of its completions, and their key.
    pub port: Option<(usize, usize)>,
    pub is_server: bool,
    /// No client can open the pipe before the next connect starts.
    is_disconnected: bool,
    /// The pipe has another handle, so closing this one ends no operation.
    pub has_duplicate: bool,
    /// By kind: the error with which every call fails.
    rejects_with: [Option<i32>; 3],
    /// By kind: how many bytes the next call transfers before it returns.
    at_once: [Option<usize>; 3],
}

/// A pending operation. Its key in `Kernel::operations` is the address of its `OVERLAPPED`.
pub(super) struct Operation {
    pipe: usize,
    kind: OperationKind,
    port: (usize, usize),
    place: usize,
    room: usize,
    result: Option<(Status, usize)>,
    /// The operation was cancelled and has not completed yet.
    held_back: bool,
}

/// The arguments of a call that starts an operation.
pub(super) struct Start {
    pub pipe: usize,
    pub kind: OperationKind,
    pub place: usize,
    pub room: usize,
    pub overlapped: usize,
}

// Actions of tests.

impl Kernel {
    pub fn open_pipe(&mut self, is_server: bool) -> usize {
        self.open(Object::Pipe(Pipe { is_server, ..Pipe::default() }))
    }

    pub fn reject_pipe_calls(&mut self, pipe: usize, kind: OperationKind, error: Option<i32>) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.rejects_with[kind as usize] = error;
        }
    }

    pub fn pipe_does_at_once(&mut self, pipe: usize, kind: OperationKind, bytes: usize) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.at_once[kind as usize] = Some(bytes);
        }
    }

    pub fn duplicate_pipe(&mut self, pipe: usize) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.has_duplicate = true;
        }
    }

    /// Completes a pending operation. Returns false if none was pending.
    pub fn end(&mut self, pipe: usize, kind: OperationKind, status: Status, bytes: usize) -> bool {
        let is_meant = |operation: &Operation| operation.pipe == pipe && operation.kind == kind && operation.waits();
        let found = self.operations.iter().find(|(_, operation)| is_meant(operation)).map(|(address, _)| *address);
        if let Some(address) = found {
            self.end_operation(address, status, bytes);
        }
        found.is_some()
    }

    /// Returns the length of the buffer if the operation is pending.
    pub fn pending_len(&self, pipe: usize, kind: OperationKind) -> Option<usize> {
        let is_meant = |operation: &&Operation| operation.pipe == pipe && operation.kind == kind && operation.waits();
        self.operations.values().find(is_meant).map(|operation| operation.room)
    }

    /// Returns the address of a pending operation.
    pub fn operation_address(&self) -> Option<usize> {
        self.operations.keys().next().copied()
    }

    /// Returns how many operations have packets that were not dequeued.
    pub fn operations_pending(&self) -> usize {
        self.operations.len()
    }

    /// Completes cancelled operations with this status, which may be that of a completion before the cancel.
    pub fn deliver_operations(&mut self, status: Status, bytes: usize) {
        let held_back = self.operations.iter().filter(|(_, operation)| operation.held_back);
        for address in held_back.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.end_operation(address, status, bytes);
        }
    }
}

impl Operation {
    fn waits(&self) -> bool {
        self.result.is_none() && !self.held_back
    }
}

// Actions of the calls.

impl Kernel {
    pub(super) fn disconnect(&mut self, handle: usize) -> Result<(), i32> {
        match self.pipe(handle) {
            Some(pipe) if pipe.is_disconnected => Err(ERROR_PIPE_NOT_CONNECTED),
            Some(pipe) => {
                pipe.is_disconnected = true;
                Ok(())
            }
            None => Err(ERROR_INVALID_HANDLE),
        }
    }

    /// Starts an operation. Returns whether it has completed already. Unless this returns an error, a packet follows.
    pub(super) fn start(&mut self, start: &Start) -> Result<bool, i32> {
        self.count_call();
        let Start { pipe: handle, kind, place, room, overlapped } = *start;
        self.rule(!self.operations.contains_key(&overlapped), "a pending operation is started");
        // The kernel writes only to buffers with room.
        let place = if room == 0 { 0 } else { place };
        let alone = self.operations.values().all(|other| other.place != place || place == 0);
        self.rule(alone, "two pending operations use the same buffer");
        // SAFETY: the caller has passed a valid pointer and keeps the memory valid.
        let status = unsafe { (overlapped as *const Overlapped).read() };
        let is_fresh = status.internal == 0 && status.offset == [0; 2] && status.event == 0;
        self.rule(is_fresh, "an operation is started without being reset");
        let Some(pipe) = self.pipe(handle) else { return Err(ERROR_INVALID_HANDLE) };
        pipe.is_disconnected &= kind != OperationKind::Connect;
        let (rejection, at_once, port) =
            (pipe.rejects_with[kind as usize], pipe.at_once[kind as usize].take(), pipe.port);
        self.rule(port.is_some(), "an operation on a pipe without a port");
        let (Some(port), None) = (port, rejection) else {
            // The kernel does not use this memory, but checks that it is freed.
            guard::mark_pending(overlapped);
            guard::mark_done(overlapped);
            return Err(rejection.unwrap_or(ERROR_INVALID_HANDLE));
        };
        self.counts.lent += 1;
        guard::mark_pending(overlapped);
        if place != 0 {
            guard::mark_pending(place);
        }
        let operation = Operation { pipe: handle, kind, port, place, room, result: None, held_back: false };
        self.operations.insert(overlapped, operation);
        if let Some(bytes) = at_once {
            self.end_operation(overlapped, SUCCESS, bytes.min(room));
        }
        Ok(at_once.is_some() && !self.behaviour.never_at_once)
    }

    /// Cancels the pending operations of a pipe: the one at `overlapped`, or all if `overlapped` is 0. Returns false if
    /// there was none, or if the call fails.
    pub(super) fn cancel_operations(&mut self, pipe: usize, overlapped: usize) -> bool {
        self.count_call();
        if self.pipe(pipe).is_none() || super::fails(&mut self.faults.cancels) {
            return false;
        }
        let is_meant = |address, operation: &Operation| {
            operation.pipe == pipe && operation.waits() && (overlapped == 0 || overlapped == address)
        };
        let meant = self.operations.iter().filter(|(address, operation)| is_meant(**address, operation));
        let meant: Vec<_> = meant.map(|(address, _)| *address).collect();
        for address in &meant {
            match self.operations.get_mut(address) {
                Some(operation) if self.behaviour.cancels_late => operation.held_back = true,
                _ => self.end_operation(*address, CANCELLED, 0),
            }
        }
        !meant.is_empty()
    }

    /// Completes the pending operations of a closed handle.
    pub(super) fn close_operations(&mut self, pipe: usize) {
        let waits = self.operations.iter().filter(|(_, operation)| operation.pipe == pipe && operation.waits());
        for address in waits.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.end_operation(address, CANCELLED, 0);
        }
    }

    fn end_operation(&mut self, address: usize, status: Status, bytes: usize) {
        let Some(operation) = self.operations.get_mut(&address) else { return };
        operation.result = Some((status, bytes));
        operation.held_back = false;
        let (port, key) = operation.port;
        if !self.behaviour.writes_late {
            self.write_operation(address);
        }
        self.queue(port, Packet { key, address, request: None, is_foreign: false });
    }

    /// Writes the status of an operation, and the bytes that were read, to the caller's memory.
    pub(super) fn write_operation(&mut self, address: usize) {
        let Operation { kind, place, result, .. } = self.operations[&address];
        let Some((status, bytes)) = result else { return };
        // SAFETY: the operation is pending, so the kernel owns its memory. The allocator keeps it valid.
        unsafe { (*(address as *mut Overlapped)).internal = status as usize };
        // SAFETY: as above.
        unsafe { (*(address as *mut Overlapped)).internal_high = bytes };
        if kind == OperationKind::Read {
            for at in 0..bytes {
                // SAFETY: as above; the buffer has room for these bytes.
                unsafe { (place as *mut u8).add(at).write(at as u8) };
            }
        }
    }

    /// Forgets an operation whose packet was dequeued or was lost with its port. Other packets have no operation.
    pub(super) fn forget_operation(&mut self, address: usize) {
        if let Some(operation) = self.operations.remove(&address) {
            guard::mark_done(address);
            if operation.place != 0 {
                guard::mark_done(operation.place);
            }
        }
    }
}
