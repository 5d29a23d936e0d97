//! Poll requests, from the call to the packet.

use super::layout::*;
use super::{Kernel, Object, Packet};
use crate::guard;

pub(crate) struct Request {
    device: usize,
    /// The port of its packet, and the key. The packet arrives even if the device was closed.
    port: (usize, usize),
    /// The handle of the request, and its socket.
    socket: usize,
    endpoint: usize,
    asked: u32,
    block: usize,
    info: usize,
    context: usize,
    answer: Option<Answer>,
    /// The result is decided, but not written yet.
    held_back: bool,
}

/// The result of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub status: Status,
    /// `None`: the output is not written, and still has the requested events.
    pub events: Option<u32>,
    pub handles: u32,
}

impl Answer {
    pub const fn events(events: u32) -> Answer {
        Answer { status: SUCCESS, events: Some(events), handles: 1 }
    }

    pub const fn failed(status: Status) -> Answer {
        Answer { status, events: None, handles: 1 }
    }

    /// The result of a request whose timeout has passed, or that an exclusive request has replaced.
    pub const fn nothing(status: Status) -> Answer {
        Answer { status, events: None, handles: 0 }
    }
}

/// The arguments of `NtDeviceIoControlFile`.
pub(crate) struct Ask {
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
    pub(super) fn submit(&mut self, ask: &Ask) -> Status {
        self.count_call();
        self.counts.submits += 1;
        let addresses = ask.block != 0 && ask.input.0 != 0 && ask.output.0 != 0;
        self.rule(addresses, "a request without a status block, or without an input or output buffer");
        self.rule(ask.input.1 == 32 && ask.output.1 == 32, "the buffers of a request are 32 bytes long");
        if !addresses || ask.input.1 != 32 || ask.output.1 != 32 {
            return INVALID_HANDLE;
        }
        self.rule(ask.code == IOCTL_AFD_POLL, "the code is not IOCTL_AFD_POLL");
        self.rule(ask.event == 0 && ask.routine == 0, "a request that completes to a port has an event or a routine");
        self.rule(ask.context != 0, "a request without a context queues no packet");
        // SAFETY: the caller has passed a valid pointer and keeps the memory valid.
        let status = unsafe { (ask.block as *const IoStatusBlock).cast::<Status>().read() };
        self.rule(status == PENDING, "the status block of a request is not marked as pending");
        // SAFETY: as above; the caller has passed its length.
        let info = unsafe { (ask.input.0 as *const PollInfo).read() };
        let asked = info.handle.events;
        self.rule(info.timeout == i64::MAX, "a request has a timeout");
        self.rule(info.number_of_handles == 1, "a request does not name exactly one socket");
        self.rule(info.exclusive == 0, "a request is exclusive");
        self.rule(asked & LOCAL_CLOSE != 0, "a request does not contain AFD_POLL_LOCAL_CLOSE");
        self.rule(asked & CONNECT == 0, "a request contains AFD_POLL_CONNECT");
        let known = RECEIVE | SEND | DISCONNECT | ABORT | LOCAL_CLOSE | ACCEPT | CONNECT_FAIL;
        self.rule(asked & !known == 0, "a request contains unknown events");
        let is_new = |request: &Request| request.block != ask.block && request.info != ask.output.0;
        let is_new = self.requests.values().all(is_new);
        self.rule(is_new, "two pending requests use the same status block or output");
        let (port, at_device) = match self.device(ask.device) {
            Some(device) => (device.port, device.requests.len()),
            None => return INVALID_HANDLE,
        };
        self.rule(port.is_some(), "a request is submitted through a device without a port");
        self.rule(at_device < 32, "a device has requests for more than 32 sockets");

        let endpoint = match self.sockets.get(&info.handle.handle) {
            Some(endpoint) => *endpoint,
            None => return self.refuse(INVALID_HANDLE, ask),
        };
        // Cancelled requests have left the socket, although their packets may still arrive.
        let others = self.endpoints[endpoint].requests.iter().map(|other| &self.requests[other]);
        let mut others = others.filter(|other| other.answer.is_none() && !other.held_back);
        let alone = others.all(|other| other.device != ask.device);
        self.rule(alone, "a device has two pending requests for one socket");
        if let Some(status) = self.endpoints[endpoint].refuses {
            return self.refuse(status, ask);
        }

        self.counts.lent += 1;
        self.last_request += 1;
        let id = self.last_request;
        let request = Request {
            device: ask.device,
            port: port.unwrap_or_default(),
            socket: info.handle.handle,
            endpoint,
            asked,
            block: ask.block,
            info: ask.output.0,
            context: ask.context,
            answer: None,
            held_back: false,
        };
        guard::mark_pending(request.block);
        guard::mark_pending(request.info);
        self.requests.insert(id, request);
        self.endpoints[endpoint].requests.push(id);
        if let Some(device) = self.device(ask.device) {
            device.requests.insert(id);
        }
        let result = match self.endpoints[endpoint].answers.pop_front() {
            Some(answer) => {
                self.complete(id, answer);
                // With an error as the result, no packet would be queued.
                if answer.status as u32 >> 30 == 3 {
                    PENDING
                } else {
                    answer.status
                }
            }
            None => match self.up(endpoint) & asked {
                0 => PENDING,
                events => {
                    self.complete(id, Answer::events(events));
                    SUCCESS
                }
            },
        };
        match result {
            SUCCESS if self.manners.never_at_once => PENDING,
            result => result,
        }
    }

    /// Rejects a request. No packet is queued for it.
    fn refuse(&mut self, status: Status, ask: &Ask) -> Status {
        self.counts.refused += 1;
        // The kernel does not use this memory, but checks that it is freed.
        guard::mark_pending(ask.block);
        guard::mark_done(ask.block);
        // The contents of the status block are then undefined.
        // SAFETY: the caller has passed a valid pointer and keeps the memory valid.
        unsafe { (ask.block as *mut IoStatusBlock).cast::<Status>().write(0x7777) };
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
            if request.answer.is_none() && !request.held_back && (block == 0 || request.block == block) {
                result = SUCCESS;
                self.say(id, Answer::failed(CANCELLED), self.manners.cancels_late);
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
        let waits = |id: &usize| self.requests[id].answer.is_none() && !self.requests[id].held_back;
        self.endpoints[endpoint].requests.iter().any(waits)
    }

    /// Completes the requests for a socket whose conditions hold now.
    pub(super) fn complete_ready(&mut self, endpoint: usize) {
        let up = self.up(endpoint);
        for id in self.endpoints[endpoint].requests.clone() {
            let request = &self.requests[&id];
            if request.answer.is_none() && !request.held_back && request.asked & up != 0 {
                self.complete(id, Answer::events(request.asked & up));
            }
        }
    }

    /// The last handle of the socket has been closed.
    pub(super) fn close_requests(&mut self, endpoint: usize) {
        for id in self.endpoints[endpoint].requests.clone() {
            let request = &self.requests[&id];
            if request.answer.is_none() && !request.held_back {
                self.say(id, Answer::events(LOCAL_CLOSE), self.manners.closes_late);
            }
        }
    }

    /// Makes all pending requests for a socket fail.
    pub fn fail(&mut self, endpoint: usize, status: Status) {
        for id in self.endpoints[endpoint].requests.clone() {
            self.complete(id, Answer::failed(status));
        }
    }

    fn say(&mut self, id: usize, answer: Answer, later: bool) {
        if !later {
            return self.complete(id, answer);
        }
        if let Some(request) = self.requests.get_mut(&id) {
            request.held_back = true;
            self.held_back.push((id, answer));
        }
    }

    /// Completes the requests that were held back.
    pub fn deliver(&mut self) {
        for (id, answer) in std::mem::take(&mut self.held_back) {
            self.complete(id, answer);
        }
    }

    /// Like [`deliver`](Kernel::deliver), but with another result: the request had completed before it was cancelled.
    pub fn deliver_instead(&mut self, other: Answer) {
        self.held_back.iter_mut().for_each(|(_, answer)| *answer = other);
        self.deliver();
    }

    pub(super) fn complete(&mut self, id: usize, answer: Answer) {
        let request = match self.requests.get_mut(&id) {
            Some(request) if request.answer.is_none() => request,
            _ => return,
        };
        request.answer = Some(answer);
        let ((port, key), address) = (request.port, request.context);
        if !self.manners.writes_late {
            self.write(id);
        }
        self.queue(port, Packet { key, address, request: Some(id) });
    }

    /// Writes the result of a request to the caller's memory.
    pub(super) fn write(&mut self, id: usize) {
        let Request { socket, block, info, answer, .. } = self.requests[&id];
        let Some(answer) = answer else { return };
        // SAFETY: the request is pending, so the kernel owns its memory. The allocator keeps it valid.
        unsafe { (block as *mut IoStatusBlock).write(IoStatusBlock { status: answer.status, information: 32 }) };
        let info = info as *mut PollInfo;
        // SAFETY: as above.
        unsafe { (*info).number_of_handles = answer.handles };
        if let Some(events) = answer.events {
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
