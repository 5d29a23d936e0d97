//! A client that sends many requests at once, each on its own connection, and returns the responses as they arrive. One
//! `poll` waits for all connections, so the client needs one thread only.

#![allow(dead_code)] // No example uses all of it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use minimio::event::Event;
use minimio::net::TcpStream;
use minimio::{Events, Interest, Poll, Token};

use crate::http::{write_request, Response, Responses};

/// The largest number of connections in stage `Connecting`. A listener's queue is limited, and a connect that finds the
/// queue full takes a second longer.
const MAX_CONNECTING: usize = 100;

/// The client fails after this time without an event. It is longer than the longest delay that the server accepts.
const MAX_SILENCE: Duration = Duration::from_secs(65);

/// The result of a request.
pub struct Outcome {
    /// The number of the request, from 0.
    pub request: usize,
    /// The time from the creation of the client to this result.
    pub elapsed: Duration,
    pub response: io::Result<Response>,
}

pub struct Client {
    poll: Poll,
    events: Events,
    addr: SocketAddr,
    start: Instant,
    /// The paths of the requests that are not started.
    paths: VecDeque<String>,
    /// All requests that were started. The index of a request is its token. `None`: the request is finished.
    calls: Vec<Option<Call>>,
    /// How many calls are in each stage.
    stages: [usize; 3],
    /// The largest number of calls that were in stage `Waiting` at the same time.
    most_waiting: usize,
    outcomes: VecDeque<Outcome>,
}

/// A request that was started and is not finished.
struct Call {
    stream: TcpStream,
    stage: Stage,
    unsent: Vec<u8>,
    responses: Responses,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Sending,
    Waiting,
}

impl Client {
    /// Creates a client that requests all `paths` from `addr`.
    pub fn new(addr: SocketAddr, paths: impl IntoIterator<Item = String>) -> io::Result<Client> {
        Ok(Client {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            addr,
            start: Instant::now(),
            paths: paths.into_iter().collect(),
            calls: Vec::new(),
            stages: [0; 3],
            most_waiting: 0,
            outcomes: VecDeque::new(),
        })
    }

    /// Returns the largest number of requests that waited for their responses at the same time.
    pub fn most_waiting(&self) -> usize {
        self.most_waiting
    }

    /// Waits until one more request is finished. Returns `None` if all are.
    pub fn next_outcome(&mut self) -> io::Result<Option<Outcome>> {
        loop {
            self.connect();
            if let Some(outcome) = self.outcomes.pop_front() {
                return Ok(Some(outcome));
            }
            if self.stages == [0; 3] {
                return Ok(None);
            }
            self.poll_once()?;
        }
    }

    /// Starts the next requests, up to the limit of connecting ones.
    fn connect(&mut self) {
        while self.stages[Stage::Connecting as usize] < MAX_CONNECTING {
            let path = match self.paths.pop_front() {
                Some(path) => path,
                None => return,
            };
            let request = self.calls.len();
            match Call::new(&self.poll, Token(request), self.addr, &path) {
                Ok(call) => {
                    self.stages[call.stage as usize] += 1;
                    self.calls.push(Some(call));
                }
                Err(err) => {
                    self.calls.push(None);
                    self.finish(request, Err(err));
                }
            }
        }
    }

    /// Waits for a batch of events and advances each call that has one.
    fn poll_once(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(MAX_SILENCE)) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        if self.events.is_empty() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server does not respond"));
        }
        let tokens: Vec<Token> = self.events.iter().map(Event::token).collect();
        for Token(request) in tokens {
            self.advance(request);
        }
        Ok(())
    }

    fn advance(&mut self, request: usize) {
        // An earlier event of this batch may have finished the request.
        if let Some(call) = &mut self.calls[request] {
            self.stages[call.stage as usize] -= 1;
            match call.advance() {
                Ok(None) => {
                    self.stages[call.stage as usize] += 1;
                    self.most_waiting = self.most_waiting.max(self.stages[Stage::Waiting as usize]);
                }
                Ok(Some(response)) => self.finish(request, Ok(response)),
                Err(err) => self.finish(request, Err(err)),
            }
        }
    }

    fn finish(&mut self, request: usize, response: io::Result<Response>) {
        self.calls[request] = None;
        self.outcomes.push_back(Outcome { request, elapsed: self.start.elapsed(), response });
    }
}

impl Call {
    fn new(poll: &Poll, token: Token, addr: SocketAddr, path: &str) -> io::Result<Call> {
        let mut stream = TcpStream::connect(addr)?;
        poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let unsent = write_request(addr, path);
        Ok(Call { stream, stage: Stage::Connecting, unsent, responses: Responses::default() })
    }

    /// Does as much as possible without blocking. Returns the response when it is complete.
    fn advance(&mut self) -> io::Result<Option<Response>> {
        let result = match self.stage {
            Stage::Connecting => self.connect(),
            Stage::Sending => self.send(),
            Stage::Waiting => self.receive(),
        };
        match result {
            // The next event of this stream continues here.
            Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(None),
            result => result,
        }
    }

    fn connect(&mut self) -> io::Result<Option<Response>> {
        if let Some(err) = self.stream.take_error()? {
            return Err(err);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.stage = Stage::Sending;
                self.send()
            }
            // The event was not about the connect, which is still pending.
            Err(err) if err.kind() == ErrorKind::NotConnected => Ok(None),
            Err(err) => Err(err),
        }
    }

    fn send(&mut self) -> io::Result<Option<Response>> {
        while !self.unsent.is_empty() {
            let sent = self.stream.write(&self.unsent)?;
            self.unsent.drain(..sent);
        }
        self.stage = Stage::Waiting;
        self.receive()
    }

    fn receive(&mut self) -> io::Result<Option<Response>> {
        let mut buffer = [0; 4096];
        loop {
            let count = self.stream.read(&mut buffer)?;
            self.responses.push(&buffer[..count]);
            match self.responses.take() {
                Ok(Some(response)) => return Ok(Some(response)),
                Ok(None) if count == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(None) => {}
                Err(_) => return Err(io::Error::new(ErrorKind::InvalidData, "the response is not HTTP")),
            }
        }
    }
}
