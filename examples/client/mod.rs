//! A client that sends many requests at once, each on a connection of its own, and hands out the answers as they
//! arrive. That takes no thread for each: one poll waits for all of them.

#![allow(dead_code)] // No example uses all of it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use minimio::event::Event;
use minimio::net::TcpStream;
use minimio::{Events, Interest, Poll, Token};

use crate::http::{write_request, Response, Responses};

/// How many connections are being made at a time: a listener lets only so many wait, and to be turned away costs a
/// second.
const CONNECTING: usize = 100;

/// When to give up if nothing happens at all. The server lets nobody ask for a delay as long as this.
const PATIENCE: Duration = Duration::from_secs(65);

/// How a request went.
pub struct Outcome {
    /// Which one it was, counted from 0.
    pub request: usize,
    /// When this was known, counted from the beginning.
    pub elapsed: Duration,
    pub response: io::Result<Response>,
}

pub struct Client {
    poll: Poll,
    events: Events,
    addr: SocketAddr,
    start: Instant,
    /// What is still to be asked for.
    paths: VecDeque<String>,
    /// Every request so far has its place here, which is its token. It leaves the place when it is over.
    calls: Vec<Option<Call>>,
    /// How many are in each stage, and how many have been in the last one together.
    stages: [usize; 3],
    most_waiting: usize,
    outcomes: VecDeque<Outcome>,
}

/// A request under way.
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
    /// A client that asks `addr` for all of `paths`.
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

    /// How many requests have ever waited for their answers at the same time.
    pub fn most_waiting(&self) -> usize {
        self.most_waiting
    }

    /// Waits until one more request is over. `None`: all are.
    pub fn next_outcome(&mut self) -> io::Result<Option<Outcome>> {
        loop {
            self.connect();
            if let Some(outcome) = self.outcomes.pop_front() {
                return Ok(Some(outcome));
            }
            if self.stages == [0; 3] {
                return Ok(None);
            }
            self.turn()?;
        }
    }

    /// Begins to connect for the requests that come next.
    fn connect(&mut self) {
        while self.stages[Stage::Connecting as usize] < CONNECTING {
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

    /// Waits for a batch of events, and lets each call go as far as it can.
    fn turn(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(PATIENCE)) {
            // A signal came, and nothing else.
            Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        if self.events.is_empty() {
            return Err(io::Error::new(ErrorKind::TimedOut, "the server does not answer"));
        }
        let tokens: Vec<Token> = self.events.iter().map(Event::token).collect();
        for Token(request) in tokens {
            self.advance(request);
        }
        Ok(())
    }

    fn advance(&mut self, request: usize) {
        // It may be over by an earlier event of this batch.
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

    /// Goes as far as it can without waiting.
    fn advance(&mut self) -> io::Result<Option<Response>> {
        let result = match self.stage {
            Stage::Connecting => self.connect(),
            Stage::Sending => self.send(),
            Stage::Waiting => self.receive(),
        };
        match result {
            // The next event brings us back.
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
            // The event came early.
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
                Err(_) => return Err(io::Error::new(ErrorKind::InvalidData, "the answer is not HTTP")),
            }
        }
    }
}
