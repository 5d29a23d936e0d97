//! Pipes, and the operations on them, from the call to the packet. What comes of one, the test says.

use super::layout::*;
use super::{Kernel, Object, Packet};
use crate::guard;

/// Which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Connect,
    Read,
    Write,
}

impl Verb {
    pub const ALL: [Verb; 3] = [Verb::Connect, Verb::Read, Verb::Write];
}

#[derive(Default)]
pub(super) struct Pipe {
    /// Where its completions go, and under which key.
    pub port: Option<(usize, usize)>,
    pub is_server: bool,
    /// Nobody can open it before the next connect begins.
    is_disconnected: bool,
    /// Somebody else has the pipe too, so that nothing ends when the handle is closed.
    pub has_duplicate: bool,
    /// By verb: the error with which each call fails.
    refuses: [Option<i32>; 3],
    /// By verb: so many bytes are done before the next call returns.
    at_once: [Option<usize>; 3],
}

/// An operation that is out, by the address of its status.
pub(super) struct Operation {
    pipe: usize,
    verb: Verb,
    port: (usize, usize),
    place: usize,
    room: usize,
    answer: Option<(Status, usize)>,
    /// It was cancelled, which is not said yet.
    held_back: bool,
}

/// What a call is made with that starts an operation.
pub(super) struct Start {
    pub pipe: usize,
    pub verb: Verb,
    pub place: usize,
    pub room: usize,
    pub overlapped: usize,
}

// What tests do.

impl Kernel {
    pub fn open_pipe(&mut self, is_server: bool) -> usize {
        self.open(Object::Pipe(Pipe { is_server, ..Pipe::default() }))
    }

    pub fn pipe_refuses(&mut self, pipe: usize, verb: Verb, error: Option<i32>) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.refuses[verb as usize] = error;
        }
    }

    pub fn pipe_does_at_once(&mut self, pipe: usize, verb: Verb, bytes: usize) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.at_once[verb as usize] = Some(bytes);
        }
    }

    pub fn duplicate_pipe(&mut self, pipe: usize) {
        if let Some(pipe) = self.pipe(pipe) {
            pipe.has_duplicate = true;
        }
    }

    /// Ends what is out. False: nothing was.
    pub fn end(&mut self, pipe: usize, verb: Verb, status: Status, bytes: usize) -> bool {
        let is_meant = |operation: &Operation| operation.pipe == pipe && operation.verb == verb && operation.waits();
        let found = self.operations.iter().find(|(_, operation)| is_meant(operation)).map(|(address, _)| *address);
        if let Some(address) = found {
            self.end_operation(address, status, bytes);
        }
        found.is_some()
    }

    /// Whether it is out, and how long its buffer is.
    pub fn is_out_for(&self, pipe: usize, verb: Verb) -> Option<usize> {
        let is_meant = |operation: &&Operation| operation.pipe == pipe && operation.verb == verb && operation.waits();
        self.operations.values().find(is_meant).map(|operation| operation.room)
    }

    /// The operations whose packets have not been taken.
    pub fn operations_out(&self) -> usize {
        self.operations.len()
    }

    /// What was cancelled has ended so: either it says that, or it had been done before.
    pub fn deliver_operations(&mut self, status: Status, bytes: usize) {
        let held_back = self.operations.iter().filter(|(_, operation)| operation.held_back);
        for address in held_back.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.end_operation(address, status, bytes);
        }
    }
}

impl Operation {
    fn waits(&self) -> bool {
        self.answer.is_none() && !self.held_back
    }
}

// What the calls do.

impl Kernel {
    pub(super) fn pipe(&mut self, handle: usize) -> Option<&mut Pipe> {
        if !matches!(self.objects.get(&handle), Some(Object::Pipe(_))) {
            self.violation(format!("not an open pipe: {handle:x}"));
        }
        match self.objects.get_mut(&handle) {
            Some(Object::Pipe(pipe)) => Some(pipe),
            _ => None,
        }
    }

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

    /// True: it is done already. There will be a packet unless this is an error.
    pub(super) fn start(&mut self, start: &Start) -> Result<bool, i32> {
        self.note_restlessness();
        let Start { pipe: handle, verb, place, room, overlapped } = *start;
        self.rule(!self.operations.contains_key(&overlapped), "an operation is started that is out");
        // Nothing is written to where there is no room.
        let place = if room == 0 { 0 } else { place };
        let alone = self.operations.values().all(|other| other.place != place || place == 0);
        self.rule(alone, "a buffer is used by an operation while another has it");
        // SAFETY: the caller has passed it as such, and keeps it in place.
        let status = unsafe { (overlapped as *const Overlapped).read() };
        let is_fresh = status.internal == 0 && status.offset == [0; 2] && status.event == 0;
        self.rule(is_fresh, "an operation is started with what the last one has left");
        let Some(pipe) = self.pipe(handle) else { return Err(ERROR_INVALID_HANDLE) };
        pipe.is_disconnected &= verb != Verb::Connect;
        let (refusal, at_once, port) = (pipe.refuses[verb as usize], pipe.at_once[verb as usize].take(), pipe.port);
        self.rule(port.is_some(), "an operation on a pipe that has no port");
        let (Some(port), None) = (port, refusal) else {
            // The kernel has nothing to do with that memory, but is curious whether it is going to be freed.
            guard::lend(overlapped);
            guard::give_back(overlapped);
            return Err(refusal.unwrap_or(ERROR_INVALID_HANDLE));
        };
        self.counts.lent += 1;
        guard::lend(overlapped);
        if place != 0 {
            guard::lend(place);
        }
        let operation = Operation { pipe: handle, verb, port, place, room, answer: None, held_back: false };
        self.operations.insert(overlapped, operation);
        if let Some(bytes) = at_once {
            self.end_operation(overlapped, SUCCESS, bytes.min(room));
        }
        Ok(at_once.is_some() && !self.manners.never_at_once)
    }

    /// False: there was none.
    pub(super) fn cancel_operations(&mut self, pipe: usize, overlapped: usize) -> bool {
        self.note_restlessness();
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
                Some(operation) if self.manners.cancels_late => operation.held_back = true,
                _ => self.end_operation(*address, CANCELLED, 0),
            }
        }
        !meant.is_empty()
    }

    /// The handle was closed: what is out ends.
    pub(super) fn close_operations(&mut self, pipe: usize) {
        let waits = self.operations.iter().filter(|(_, operation)| operation.pipe == pipe && operation.waits());
        for address in waits.map(|(address, _)| *address).collect::<Vec<_>>() {
            self.end_operation(address, CANCELLED, 0);
        }
    }

    fn end_operation(&mut self, address: usize, status: Status, bytes: usize) {
        let Some(operation) = self.operations.get_mut(&address) else { return };
        operation.answer = Some((status, bytes));
        operation.held_back = false;
        let (port, key) = operation.port;
        if !self.manners.writes_late {
            self.write_operation(address);
        }
        self.queue(port, Packet { key, address, request: None });
    }

    /// Writes how an operation has ended, and what was read, where the caller wants it.
    pub(super) fn write_operation(&mut self, address: usize) {
        let Operation { verb, place, answer, .. } = self.operations[&address];
        let Some((status, bytes)) = answer else { return };
        // SAFETY: the operation is out, so its memory is the kernel's. The allocator has seen to it that it is there.
        unsafe { (*(address as *mut Overlapped)).internal = status as usize };
        // SAFETY: as above.
        unsafe { (*(address as *mut Overlapped)).internal_high = bytes };
        if verb == Verb::Read {
            for at in 0..bytes {
                // SAFETY: as above; there is room for so much.
                unsafe { (place as *mut u8).add(at).write(at as u8) };
            }
        }
    }

    /// The packet has been taken, or has gone with its port. Of other packets, there is nothing to forget.
    pub(super) fn forget_operation(&mut self, address: usize) {
        if let Some(operation) = self.operations.remove(&address) {
            guard::give_back(address);
            if operation.place != 0 {
                guard::give_back(operation.place);
            }
        }
    }
}
