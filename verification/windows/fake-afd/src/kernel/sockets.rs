//! Sockets, as far as AFD and a reader and writer see them, and what a test does to them.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use super::layout::*;
use super::{Answer, Kernel};

/// A socket. Its handles are numbers, of which there may be several.
#[derive(Default)]
pub(crate) struct Endpoint {
    handles: usize,
    /// Poll requests whose packets have not been taken.
    pub requests: Vec<usize>,
    /// Bytes that have come and not been read; and for how many there is room to be written.
    pub unread: usize,
    pub room: usize,
    /// The peer has shut down writing, or reset the connection; or there was no connection to be had.
    pub ended: bool,
    pub reset: bool,
    pub connect_failed: bool,
    /// It is a listener, and so many connections are to be accepted.
    pub listens: bool,
    pub backlog: usize,
    /// Every request for it is refused, with this.
    pub refuses: Option<Status>,
    /// The next requests for it are answered at once, with these.
    pub answers: VecDeque<Answer>,
    /// What it says of the layers below: by the question, another socket or an error.
    pub layers: BTreeMap<u32, Result<usize, i32>>,
}

impl Endpoint {
    pub fn says(&mut self, question: u32, answer: Result<usize, i32>) {
        self.layers.insert(question, answer);
    }
}

impl Kernel {
    /// A new socket, under the lowest number that is free.
    pub fn open_socket(&mut self) -> (usize, usize) {
        let number = (0x100..).step_by(4).find(|number| !self.sockets.contains_key(number)).unwrap_or(0);
        self.endpoints.push(Endpoint { handles: 1, ..Endpoint::default() });
        self.sockets.insert(number, self.endpoints.len() - 1);
        (number, self.endpoints.len() - 1)
    }

    /// Another number for the same socket.
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

    pub fn look(&self, endpoint: usize) -> &Endpoint {
        &self.endpoints[endpoint]
    }

    /// Does something to a socket, and tells whoever has asked.
    pub fn change(&mut self, endpoint: usize, what: impl FnOnce(&mut Endpoint)) {
        what(&mut self.endpoints[endpoint]);
        self.look_at(endpoint);
    }

    /// What is so of a socket, in AFD's words.
    pub fn up(&self, endpoint: usize) -> u32 {
        let socket = &self.endpoints[endpoint];
        let ended = socket.ended && !(self.manners.data_hides_end && socket.unread > 0);
        [
            (socket.unread > 0 && !socket.reset, RECEIVE),
            (socket.room > 0 || socket.reset, SEND),
            (ended && !socket.reset, DISCONNECT),
            (socket.reset, ABORT),
            (socket.backlog > 0, ACCEPT),
            (socket.connect_failed, CONNECT_FAIL),
        ]
        .iter()
        .filter(|(so, _)| *so)
        .fold(0, |up, (_, flag)| up | flag)
    }

    pub fn receive(&mut self, number: usize, most: usize) -> io::Result<usize> {
        let endpoint = self.usable(number)?;
        let socket = &mut self.endpoints[endpoint];
        if socket.unread == 0 {
            return if socket.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let got = socket.unread.min(most);
        socket.unread -= got;
        // With the data gone, the end may show.
        self.look_at(endpoint);
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

    /// What `FIONREAD` answers.
    pub(super) fn unread(&mut self, number: usize) -> Result<usize, i32> {
        let endpoint = &self.endpoints[self.endpoint(number).ok_or(WSAENOTSOCK)?];
        if endpoint.listens {
            return Err(WSAEINVAL);
        }
        Ok(endpoint.unread)
    }

    /// What `WSAIoctl` answers about layers.
    pub(super) fn layer(&mut self, number: usize, question: u32) -> Result<usize, i32> {
        let endpoint = self.endpoint(number).ok_or(WSAENOTSOCK)?;
        match (self.endpoints[endpoint].layers.get(&question), question) {
            (Some(answer), _) => *answer,
            (None, SIO_BASE_HANDLE) => Ok(number),
            (None, _) => Err(WSAEOPNOTSUPP),
        }
    }
}
