//! Poll requests, from the call to the packet.

use super::layout::*;
use super::{Kernel, Object, Packet};
use crate::guard;

pub(crate) struct Request {
    device: usize,
    /// The port of its packet, and the key. The packet arrives even if the device was closed.
    port: (usize, usize),
    /// The socket's handle, as the request names it.
    socket: usize,
    /// The socket, as an index of `Kernel::endpoints`.
    endpoint: usize,
    requested: u32,
    block: usize,
    info: usize,
    context: usize,
    result: Option<PollResult>,
    /// The result is decided, but not written yet.
    held_back: bool,
}

impl Request {
    /// The status and the events of the result, if it is decided.
    pub(super) fn result(&self) -> Option<(Status, Option<u32>)> {
        self.result.map(|result| (result.status, result.events))
    }

    /// Whether the result is not decided yet.
    fn waits(&self) -> bool {
        self.result.is_none() && !self.held_back
    }
}

/// The result of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PollResult {
    pub status: Status,
    /// `None`: the output is not written, and still has the requested events.
    pub events: Option<u32>,
    pub handles: u32,
}

impl PollResult {
    pub const fn events(events: u32) -> PollResult {
        PollResult { status: SUCCESS, events: Some(events), handles: 1 }
    }

    pub const fn failed(status: Status) -> PollResult {
        PollResult { status, events: None, handles: 1 }
    }

    /// The result of a request whose timeout has passed, or that an exclusive request has replaced.
    pub const fn nothing(status: Status) -> PollResult {
        PollResult { status, events: None, handles: 0 }
    }
}

/// The arguments of `NtDeviceIoControlFile`.
pub(crate) struct SubmitArguments {
    pub device: usize,
    pub event: usize,
    pub routine: usize,
    pub context: usize,
    pub block: usize,
    pub code: u32,
    pub input: (usize, u32),
    pub output: (usize, u32),
}

impl Kernel {
    pub(super) fn submit(&mut self, arguments: &SubmitArguments) -> Status {
        self.count_call();
        self.counts.submits += 1;
        let addresses = arguments.block != 0 && arguments.input.0 != 0 && arguments.output.0 != 0;
        self.rule(addresses, "a request without a status block, or without an input or output buffer");
        self.rule(
            arguments.input.1 == 32 && arguments.output.1 == 32,
            "the buffers of a request are not 32 bytes long",
        );
        if !addresses || arguments.input.1 != 32 || arguments.output.1 != 32 {
            return INVALID_HANDLE;
        }
        self.rule(arguments.code == IOCTL_AFD_POLL, "the code is not IOCTL_AFD_POLL");
        self.rule(
            arguments.event == 0 && arguments.routine == 0,
            "a request that completes to a port has an event or a routine",
        );
        self.rule(arguments.context != 0, "a request without a context queues no packet");
        // SAFETY: the caller has passed a valid pointer and keeps the memory valid.
        let status = unsafe { (arguments.block as *const IoStatusBlock).cast::<Status>().read() };
        self.rule(status == PENDING, "the status block of a request is not marked as pending");
        // SAFETY: as above; the caller has passed its length.
        let info = unsafe { (arguments.input.0 as *const PollInfo).read() };
        let requested = info.handle.events;
        self.rule(info.timeout == i64::MAX, "a request has a timeout");
        self.rule(info.number_of_handles == 1, "a request does not name exactly one socket");
        self.rule(info.exclusive == 0, "a request is exclusive");
        self.rule(requested & LOCAL_CLOSE != 0, "a request does not contain AFD_POLL_LOCAL_CLOSE");
        self.rule(requested & CONNECT == 0, "a request contains AFD_POLL_CONNECT");
        let known = RECEIVE | RECEIVE_EXPEDITED | SEND | DISCONNECT | ABORT | LOCAL_CLOSE | ACCEPT | CONNECT_FAIL;
        self.rule(requested & !known == 0, "a request contains unknown events");
        let is_new = |request: &Request| request.block != arguments.block && request.info != arguments.output.0;
        let is_new = self.requests.values().all(is_new);
        self.rule(is_new, "two pending requests use the same status block or output");
        let (port, at_device) = match self.device(arguments.device) {
            Some(device) => (device.port, device.requests.len()),
            None => return INVALID_HANDLE,
        };
        self.rule(port.is_some(), "a request is submitted through a device without a port");
        self.rule(at_device < 32, "a device has requests for more than 32 sockets");

        let endpoint = match self.sockets.get(&info.handle.handle) {
            Some(endpoint) => *endpoint,
            None => return self.reject(INVALID_HANDLE, arguments),
        };
        // Cancelled requests have left the socket, although their packets may still arrive.
        let others = self.endpoints[endpoint].requests.iter().map(|other| &self.requests[other]);
        let mut others = others.filter(|other| other.waits());
        let alone = others.all(|other| other.device != arguments.device);
        self.rule(alone, "a device has two pending requests for one socket");
        if let Some(status) = self.endpoints[endpoint].rejects_with {
            return self.reject(status, arguments);
        }

        self.counts.lent += 1;
        self.last_request += 1;
        let id = self.last_request;
        let request = Request {
            device: arguments.device,
            port: port.unwrap_or_default(),
            socket: info.handle.handle,
            endpoint,
            requested,
            block: arguments.block,
            info: arguments.output.0,
            context: arguments.context,
            result: None,
            held_back: false,
        };
        guard::mark_pending(request.block);
        guard::mark_pending(request.info);
        self.requests.insert(id, request);
        self.endpoints[endpoint].requests.push(id);
        if let Some(device) = self.device(arguments.device) {
            device.requests.insert(id);
        }
        let result = match self.endpoints[endpoint].results.pop_front() {
            Some(result) => {
                self.complete(id, result);
                // If the call returned an error, no packet would be queued. So it returns "pending", and the packet
                // has the error.
                if result.status as u32 >> 30 == 3 {
                    PENDING
                } else {
                    result.status
                }
            }
            None => match self.ready_events(endpoint) & requested {
                0 => PENDING,
                events => {
                    self.complete(id, PollResult::events(events));
                    SUCCESS
                }
            },
        };
        match result {
            SUCCESS if self.behaviour.never_at_once => PENDING,
            result => result,
        }
    }

    /// Rejects a request. No packet is queued for it.
    fn reject(&mut self, status: Status, arguments: &SubmitArguments) -> Status {
        self.counts.rejected += 1;
        // The kernel does not use this memory, but checks that it is freed.
        guard::mark_pending(arguments.block);
        guard::mark_done(arguments.block);
        // The contents of the status block are then undefined.
        // SAFETY: the caller has passed a valid pointer and keeps the memory valid.
        unsafe { (arguments.block as *mut IoStatusBlock).cast::<Status>().write(0x7777) };
        status
    }

    pub(super) fn cancel(&mut self, device: usize, block: usize) -> Status {
        self.count_call();
        self.counts.cancels += 1;
        if super::fails(&mut self.faults.cancels) {
            return INSUFFICIENT_RESOURCES;
        }
        let out = match self.device(device) {
            Some(device) => device.requests.clone(),
            None => return INVALID_HANDLE,
        };
        let mut result = NOT_FOUND;
        for id in out {
            let request = &self.requests[&id];
            if block != 0 && request.block != block {
                continue;
            }
            if !request.waits() {
                if self.behaviour.cancels_completed {
                    result = SUCCESS;
                }
            } else {
                result = SUCCESS;
                self.complete_or_hold_back(id, PollResult::failed(CANCELLED), self.behaviour.cancels_late);
            }
        }
        result
    }

    /// Returns whether a request with this context is pending.
    pub(super) fn is_pending(&self, context: usize) -> bool {
        self.requests.values().any(|request| request.context == context)
    }

    /// Returns whether a pending request would report the closing of the socket.
    pub fn is_watched(&self, endpoint: usize) -> bool {
        self.endpoints[endpoint].requests.iter().any(|id| self.requests[id].waits())
    }

    /// Completes the requests for a socket whose conditions hold now.
    pub(super) fn complete_ready(&mut self, endpoint: usize) {
        let ready = self.ready_events(endpoint);
        for id in self.endpoints[endpoint].requests.clone() {
            let request = &self.requests[&id];
            if request.waits() && request.requested & ready != 0 {
                self.complete(id, PollResult::events(request.requested & ready));
            }
        }
    }

    /// Completes the requests for a socket whose last handle was closed, at once or when the test lets them complete.
    pub(super) fn close_requests(&mut self, endpoint: usize) {
        for id in self.endpoints[endpoint].requests.clone() {
            let request = &self.requests[&id];
            if request.waits() {
                self.complete_or_hold_back(id, PollResult::events(LOCAL_CLOSE), self.behaviour.closes_late);
            }
        }
    }

    /// Makes all pending requests for a socket fail.
    pub fn fail(&mut self, endpoint: usize, status: Status) {
        for id in self.endpoints[endpoint].requests.clone() {
            self.complete(id, PollResult::failed(status));
        }
    }

    fn complete_or_hold_back(&mut self, id: usize, result: PollResult, later: bool) {
        if !later {
            return self.complete(id, result);
        }
        if let Some(request) = self.requests.get_mut(&id) {
            request.held_back = true;
            self.held_back.push((id, result));
        }
    }

    /// Completes the requests that were held back.
    pub fn deliver(&mut self) {
        for (id, result) in std::mem::take(&mut self.held_back) {
            self.complete(id, result);
        }
    }

    /// Like [`deliver`](Kernel::deliver), but with another result: the request had completed before it was cancelled.
    pub fn deliver_instead(&mut self, other: PollResult) {
        self.held_back.iter_mut().for_each(|(_, result)| *result = other);
        self.deliver();
    }

    pub(super) fn complete(&mut self, id: usize, result: PollResult) {
        let request = match self.requests.get_mut(&id) {
            Some(request) if request.result.is_none() => request,
            _ => return,
        };
        request.result = Some(result);
        let ((port, key), address) = (request.port, request.context);
        if !self.behaviour.writes_late {
            self.write(id);
        }
        self.queue(port, Packet { key, address, request: Some(id), is_foreign: false });
    }

    /// Writes the result of a request to the caller's memory.
    pub(super) fn write(&mut self, id: usize) {
        let Request { socket, block, info, result, .. } = self.requests[&id];
        let Some(result) = result else { return };
        // SAFETY: the request is pending, so the kernel owns its memory. The allocator keeps it valid.
        unsafe { (block as *mut IoStatusBlock).write(IoStatusBlock { status: result.status, information: 32 }) };
        let info = info as *mut PollInfo;
        // SAFETY: as above.
        unsafe { (*info).number_of_handles = result.handles };
        if let Some(events) = result.events {
            let status = if events & CONNECT_FAIL != 0 { CONNECTION_REFUSED } else { SUCCESS };
            // SAFETY: as above.
            unsafe { (*info).handle = PollHandle { handle: socket, events, status } };
        }
    }

    /// Forgets a request whose packet was dequeued or was lost with its port.
    pub(super) fn forget_request(&mut self, id: usize) {
        if let Some(request) = self.requests.remove(&id) {
            guard::mark_done(request.block);
            guard::mark_done(request.info);
            self.endpoints[request.endpoint].requests.retain(|other| *other != id);
            if let Some(Object::Device(device)) = self.objects.get_mut(&request.device) {
                device.requests.remove(&id);
            }
        }
    }
}
