//! Sockets, as AFD and the program see them, and the actions of tests on them.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::layout::*;
use super::{Kernel, PollResult};

/// A socket. It may have several handles, which are numbers.
#[derive(Default)]
pub(crate) struct Endpoint {
    handles: usize,
    /// Poll requests whose packets have not been dequeued.
    pub requests: Vec<usize>,
    /// The number of unread bytes, and the number of bytes for which there is room.
    pub unread: usize,
    pub room: usize,
    /// Whether an urgent byte is unread. It is not one of the unread bytes.
    pub urgent: bool,
    /// Whether the peer has shut down writing, has reset the connection, or has refused it.
    pub ended: bool,
    pub reset: bool,
    pub connect_failed: bool,
    /// For a listener, the number of connections that wait for `accept`.
    pub listens: bool,
    pub backlog: usize,
    /// The status with which every request for the socket is rejected.
    pub rejects_with: Option<Status>,
    /// The results with which the next requests complete at once.
    pub results: VecDeque<PollResult>,
    /// The results of provider queries: another socket or an error.
    pub layers: BTreeMap<u32, Result<usize, i32>>,
}

impl Endpoint {
    pub fn set_layer(&mut self, query: u32, answer: Result<usize, i32>) {
        self.layers.insert(query, answer);
    }
}

impl Kernel {
    /// Opens a socket with the lowest free number.
    pub fn open_socket(&mut self) -> (usize, usize) {
        let number = (0x100..).step_by(4).find(|number| !self.sockets.contains_key(number)).unwrap_or(0);
        self.endpoints.push(Endpoint { handles: 1, ..Endpoint::default() });
        self.sockets.insert(number, self.endpoints.len() - 1);
        (number, self.endpoints.len() - 1)
    }

    /// Creates another number for the same socket.
    pub fn duplicate_socket(&mut self, number: usize) -> usize {
        let endpoint = self.sockets[&number];
        let other = (0x100..).step_by(4).find(|number| !self.sockets.contains_key(number)).unwrap_or(0);
        self.endpoints[endpoint].handles += 1;
        self.sockets.insert(other, endpoint);
        other
    }

    pub fn close_socket(&mut self, number: usize) {
        if let Some(endpoint) = self.sockets.remove(&number) {
            self.endpoints[endpoint].handles -= 1;
            if self.endpoints[endpoint].handles == 0 {
                self.close_requests(endpoint);
            }
        }
    }

    pub fn endpoint(&self, number: usize) -> Option<usize> {
        self.sockets.get(&number).copied()
    }

    pub fn endpoint_state(&self, endpoint: usize) -> &Endpoint {
        &self.endpoints[endpoint]
    }

    /// Changes a socket, and completes the requests whose conditions then hold.
    pub fn change(&mut self, endpoint: usize, what: impl FnOnce(&mut Endpoint)) {
        what(&mut self.endpoints[endpoint]);
        self.complete_ready(endpoint);
    }

    /// Returns the AFD events that hold for a socket.
    pub fn ready_events(&self, endpoint: usize) -> u32 {
        let socket = &self.endpoints[endpoint];
        let ended = socket.ended && !(self.behaviour.data_hides_end && socket.unread > 0);
        [
            (socket.unread > 0 && !socket.reset, RECEIVE),
            (socket.urgent && !socket.reset, RECEIVE_EXPEDITED),
            (socket.room > 0 || socket.reset, SEND),
            (ended && !socket.reset, DISCONNECT),
            (socket.reset, ABORT),
            (socket.backlog > 0, ACCEPT),
            (socket.connect_failed, CONNECT_FAIL),
        ]
        .iter()
        .filter(|(holds, _)| *holds)
        .fold(0, |events, (_, flag)| events | flag)
    }

    pub fn receive(&mut self, number: usize, most: usize) -> io::Result<usize> {
        let endpoint = self.usable(number)?;
        let socket = &mut self.endpoints[endpoint];
        if socket.unread == 0 {
            return if socket.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let got = socket.unread.min(most);
        socket.unread -= got;
        // When the data was read, the end may become visible.
        self.complete_ready(endpoint);
        Ok(got)
    }

    pub fn send(&mut self, number: usize, most: usize) -> io::Result<usize> {
        let endpoint = self.usable(number)?;
        let socket = &mut self.endpoints[endpoint];
        if socket.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let sent = socket.room.min(most);
        socket.room -= sent;
        Ok(sent)
    }

    pub fn accept(&mut self, number: usize) -> io::Result<()> {
        let endpoint = self.usable(number)?;
        let socket = &mut self.endpoints[endpoint];
        if socket.backlog == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        socket.backlog -= 1;
        Ok(())
    }

    fn usable(&mut self, number: usize) -> io::Result<usize> {
        match self.endpoint(number) {
            Some(endpoint) if self.endpoints[endpoint].reset => Err(io::ErrorKind::ConnectionReset.into()),
            Some(endpoint) => Ok(endpoint),
            None => Err(io::Error::from_raw_os_error(WSAENOTSOCK)),
        }
    }

    /// Returns the result of `FIONREAD`.
    pub(super) fn unread(&mut self, number: usize) -> Result<usize, i32> {
        let endpoint = &self.endpoints[self.endpoint(number).ok_or(WSAENOTSOCK)?];
        if endpoint.listens {
            return Err(WSAEINVAL);
        }
        Ok(endpoint.unread)
    }

    /// Returns the result of a provider query.
    pub(super) fn layer(&mut self, number: usize, query: u32) -> Result<usize, i32> {
        let endpoint = self.endpoint(number).ok_or(WSAENOTSOCK)?;
        match (self.endpoints[endpoint].layers.get(&query), query) {
            (Some(answer), _) => *answer,
            (None, SIO_BASE_HANDLE) => Ok(number),
            (None, _) => Err(WSAEOPNOTSUPP),
        }
    }
}
