//! Poll requests, from the call to the packet.

use super::layout::*;
use super::{Kernel, Object, Packet};
use crate::guard;

pub(crate) struct Request {
    device: usize,
    /// Where its packet goes, and under which key. It does so even when the device has been closed.
    port: (usize, usize),
    /// The handle's number, as it was given, and the socket behind it.
    socket: usize,
    endpoint: usize,
    asked: u32,
    block: usize,
    info: usize,
    context: usize,
    answer: Option<Answer>,
    /// What will be said of it is decided, but not said yet.
    held_back: bool,
}

/// How a request ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub status: Status,
    /// `None`: the answer is not touched, and what was asked stands there still.
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

    /// As of a request whose time is over, or that another one, which was exclusive, has pushed aside.
    pub const fn nothing(status: Status) -> Answer {
        Answer { status, events: None, handles: 0 }
    }
}

/// What `NtDeviceIoControlFile` is called with.
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
        self.note_restlessness();
        self.counts.submits += 1;
        let addresses = ask.block != 0 && ask.input.0 != 0 && ask.output.0 != 0;
        self.rule(addresses, "a request without a status block, or without an input or output buffer");
        self.rule(ask.input.1 == 32 && ask.output.1 == 32, "the buffers of a request are 32 bytes long");
        if !addresses || ask.input.1 != 32 || ask.output.1 != 32 {
            return INVALID_HANDLE;
        }
        self.rule(ask.code == IOCTL_AFD_POLL, "the code is not IOCTL_AFD_POLL");
        self.rule(
            ask.event == 0 && ask.routine == 0,
            "a request that comes back to a port has no event and no routine",
        );
        self.rule(ask.context != 0, "without a context, no packet comes");
        // SAFETY: the caller has passed it as such, and keeps it in place.
        let status = unsafe { (ask.block as *const IoStatusBlock).cast::<Status>().read() };
        self.rule(status == PENDING, "the status block of a request does not say that it is pending");
        // SAFETY: as above; it is as long as was said.
        let info = unsafe { (ask.input.0 as *const PollInfo).read() };
        let asked = info.handle.events;
        self.rule(info.timeout == i64::MAX, "the timeout of a request is not for ever");
        self.rule(info.number_of_handles == 1, "a request is not about one socket");
        self.rule(info.exclusive == 0, "a request is exclusive");
        self.rule(asked & LOCAL_CLOSE != 0, "a request does not ask for AFD_POLL_LOCAL_CLOSE");
        self.rule(asked & CONNECT == 0, "a request asks for AFD_POLL_CONNECT");
        let known = RECEIVE | SEND | DISCONNECT | ABORT | LOCAL_CLOSE | ACCEPT | CONNECT_FAIL;
        self.rule(asked & !known == 0, "a request asks for what AFD does not know");
        let is_new = |request: &Request| request.block != ask.block && request.info != ask.output.0;
        let is_new = self.requests.values().all(is_new);
        self.rule(is_new, "a status block, or an answer's place, is used by a request while another has it");
        let (port, at_helper) = match self.device(ask.device) {
            Some(device) => (device.port, device.requests.len()),
            None => return INVALID_HANDLE,
        };
        self.rule(port.is_some(), "a request is made through a helper that has no port");
        self.rule(at_helper < 32, "a helper has requests for more than 32 sockets");

        let endpoint = match self.sockets.get(&info.handle.handle) {
            Some(endpoint) => *endpoint,
            None => return self.refuse(INVALID_HANDLE, ask),
        };
        // Those that were cancelled have left the socket, though their packets may be under way.
        let others = self.endpoints[endpoint].requests.iter().map(|other| &self.requests[other]);
        let mut others = others.filter(|other| other.answer.is_none() && !other.held_back);
        let alone = others.all(|other| other.device != ask.device);
        self.rule(alone, "a helper has two requests out for one socket");
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
        guard::lend(request.block);
        guard::lend(request.info);
        self.requests.insert(id, request);
        self.endpoints[endpoint].requests.push(id);
        if let Some(device) = self.device(ask.device) {
            device.requests.insert(id);
        }
        let result = match self.endpoints[endpoint].answers.pop_front() {
            Some(answer) => {
                self.complete(id, answer);
                // With an error as the result, no packet would come.
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

    /// No packet will come.
    fn refuse(&mut self, status: Status, ask: &Ask) -> Status {
        self.counts.refused += 1;
        // The kernel has nothing to do with that memory, but is curious whether it is going to be freed.
        guard::lend(ask.block);
        guard::give_back(ask.block);
        // The status block is worth nothing then.
        // SAFETY: the caller has passed it as such, and keeps it in place.
        unsafe { (ask.block as *mut IoStatusBlock).cast::<Status>().write(0x7777) };
        status
    }

    pub(super) fn cancel(&mut self, device: usize, block: usize) -> Status {
        self.note_restlessness();
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

    /// Whether a request is out that was made with this context.
    pub(super) fn is_out(&self, context: usize) -> bool {
        self.requests.values().any(|request| request.context == context)
    }

    /// Whether a request is out for a socket that would tell of its closing.
    pub fn is_watched(&self, endpoint: usize) -> bool {
        let waits = |id: &usize| self.requests[id].answer.is_none() && !self.requests[id].held_back;
        self.endpoints[endpoint].requests.iter().any(waits)
    }

    /// Tells all requests for a socket what is so by now.
    pub(super) fn look_at(&mut self, endpoint: usize) {
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

    /// Whatever is out for a socket fails.
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

    /// Says what was held back.
    pub fn deliver(&mut self) {
        for (id, answer) in std::mem::take(&mut self.held_back) {
            self.complete(id, answer);
        }
    }

    /// As [`deliver`](Kernel::deliver), but the answers are others: what was cancelled had happened already.
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

    /// Writes a request's answer where the caller wants it.
    pub(super) fn write(&mut self, id: usize) {
        let Request { socket, block, info, answer, .. } = self.requests[&id];
        let Some(answer) = answer else { return };
        // SAFETY: the request is out, so its memory is the kernel's. The allocator has seen to it that it is there.
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

    /// The packet has been taken, or has gone with its port.
    pub(super) fn forget_request(&mut self, id: usize) {
        if let Some(request) = self.requests.remove(&id) {
            guard::give_back(request.block);
            guard::give_back(request.info);
            self.endpoints[request.endpoint].requests.retain(|other| *other != id);
            if let Some(Object::Device(device)) = self.objects.get_mut(&request.device) {
                device.requests.remove(&id);
            }
        }
    }
}
