//! The trace of calls: a line of text for each call, if the test has set `Kernel::trace`.
//!
//! In these lines, a handle, a socket and an address are named by their kind. The test uses one of each kind.

use super::layout::*;
use super::{Kernel, Object};

/// The packets of a wait, each with a line of the trace.
#[derive(Default)]
pub(super) struct TracedPackets(Vec<String>);

impl Kernel {
    /// Records a call. If the test records nothing, does not call `line`.
    pub(super) fn record(&mut self, line: impl FnOnce(&Kernel) -> String) {
        if self.trace.is_some() {
            let line = line(self);
            self.trace.get_or_insert_with(Vec::new).push(line);
        }
    }

    pub(super) fn name(&self, handle: usize) -> &'static str {
        match self.objects.get(&handle) {
            Some(Object::Port(_)) => "port",
            Some(Object::Device(_)) => "device",
            Some(Object::Pipe(_)) => "pipe",
            Some(Object::Waitable(_)) => "object",
            None if self.sockets.contains_key(&handle) => "stream",
            None => "unknown",
        }
    }

    /// Describes the next packet of a port, and the result of its request, which is not in the packet.
    pub(super) fn trace_packet(&self, port: usize, packets: &mut TracedPackets) {
        let packet = match self.objects.get(&port) {
            Some(Object::Port(port)) if self.trace.is_some() => port.packets.front(),
            _ => None,
        };
        let Some(packet) = packet else { return };
        let result = packet.request.and_then(|request| self.requests[&request].result());
        let result = match result {
            Some((status, Some(events))) => format!("{}, {}", status_name(status), events_name(events)),
            Some((status, None)) => status_name(status).to_owned(),
            None => "posted".to_owned(),
        };
        let address = if packet.request.is_some() { "sock" } else { "address" };
        packets.0.push(format!("packet: key {}, {address}; request: {result}", key_name(packet.key)));
    }

    pub(super) fn trace_wait(&mut self, port: usize, room: u32, milliseconds: u32, packets: TracedPackets) {
        let timeout = if milliseconds == u32::MAX { "INFINITE".to_owned() } else { milliseconds.to_string() };
        let count = packets.0.len();
        let result = if count == 0 { "WAIT_TIMEOUT".to_owned() } else { count.to_string() };
        self.record(|kernel| {
            let port = kernel.name(port);
            format!("GetQueuedCompletionStatusEx({port}, {room} entries, timeout {timeout}) = {result}")
        });
        packets.0.into_iter().for_each(|packet| self.record(|_| packet));
    }
}

pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        SUCCESS => "STATUS_SUCCESS",
        PENDING => "STATUS_PENDING",
        CANCELLED => "STATUS_CANCELLED",
        NOT_FOUND => "STATUS_NOT_FOUND",
        INVALID_HANDLE => "STATUS_INVALID_HANDLE",
        _ => "another status",
    }
}

/// Returns the names of AFD's events, without `AFD_POLL_`.
pub(super) fn events_name(events: u32) -> String {
    let names = [
        (RECEIVE, "RECEIVE"),
        (RECEIVE_EXPEDITED, "RECEIVE_EXPEDITED"),
        (SEND, "SEND"),
        (DISCONNECT, "DISCONNECT"),
        (ABORT, "ABORT"),
        (LOCAL_CLOSE, "LOCAL_CLOSE"),
        (ACCEPT, "ACCEPT"),
        (CONNECT_FAIL, "CONNECT_FAIL"),
    ];
    let names: Vec<_> = names.iter().filter(|(event, _)| events & event != 0).map(|(_, name)| *name).collect();
    names.join("|")
}

/// Returns a key without its random offset, a multiple of 4.
pub(super) fn key_name(key: usize) -> usize {
    key % 4
}
