//! A connection: it takes requests, keeps the answers until they are due, and writes them.
//!
//! The delays of several requests run at the same time: each counts from the arrival of its own request. HTTP requires
//! the answers in the order of the requests, so a short delay behind a long one waits for the long one.
//!
//! When a client shuts down its side of the connection, the server drops its pending answers and closes: before it
//! sends something, the server cannot distinguish this client from one that closed the connection completely.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use minimio::event::Event;
use minimio::net::TcpStream;
use minimio::{Interest, Registry, Timer, Token};

use super::answer::Answer;
use super::log::Log;
use super::Limits;
use crate::http::{Request, Requests, Status};

/// How many answers of a connection may be pending.
const MAX_ANSWERS: usize = 32;
/// How many bytes of answers may wait to be written. A connection at this limit or at `MAX_ANSWERS` is not read: the
/// kernel's buffers fill, and then the client's send blocks.
const MAX_OUTPUT: usize = 64 * 1024;

/// How many times a connection reads before other connections are served.
const MAX_READS: usize = 4;

/// The state that all connections share.
pub struct Shared {
    registry: Registry,
    limits: Limits,
    pub log: Log,
    /// No descriptor is free, and a client waits to be accepted.
    pub lacks_descriptors: bool,
    /// The server ends: connections take no more requests.
    pub is_ending: bool,
    /// The read buffer. All connections share it, so a waiting connection needs none.
    buffer: Box<[u8]>,
}

impl Shared {
    pub fn new(registry: Registry, limits: Limits, log: Log) -> Shared {
        Shared { registry, limits, log, lacks_descriptors: false, is_ending: false, buffer: vec![0; 16 * 1024].into() }
    }

    fn set_timer(&self, token: Token, deadline: Instant) -> io::Result<Timer> {
        let mut timer = Timer::new();
        timer.set_at(deadline)?;
        self.registry.register(&mut timer, token, Interest::READABLE)?;
        Ok(timer)
    }
}

// Each connection has two tokens: an even one for its stream, and an odd one for all of its timers.

fn stream_token(key: usize) -> Token {
    Token(2 * key)
}

fn timer_token(key: usize) -> Token {
    Token(2 * key + 1)
}

/// Returns the key of the connection that `token` belongs to.
pub fn key(token: Token) -> usize {
    token.0 / 2
}

pub struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    timer_token: Token,
    phase: Phase,
    /// The stream may have bytes to read. An edge is reported once, so this stays true until the stream is drained.
    is_readable: bool,
    /// The client has shut down its side. Some of its bytes may not be read yet.
    is_hung_up: bool,
    requests: Requests,
    answers: VecDeque<Pending>,
    output: Vec<u8>,
    /// What the connection waits for.
    wait: Wait,
    /// The beginning of that wait.
    since: Instant,
    /// The limit of that wait.
    timer: Timer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The connection takes requests.
    Open,
    /// The connection takes no more requests and writes the answers that are pending.
    Closing,
    /// All answers are sent, and the server waits until the client closes. If the server closed while bytes of the
    /// client are unread, the kernel would send a reset, which can destroy the last answer before the client reads it.
    Lingering,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Request,
    RestOfRequest,
    /// The end of the delay of an answer.
    Delay,
    /// The client reads, so that the output can be written.
    Reader,
    /// The client closes the connection.
    HangUp,
}

/// An answer that is not in the output yet, and its timer. Dropping the answer drops the timer.
struct Pending {
    answer: Answer,
    keep_alive: bool,
    due: Instant,
    _timer: Option<Timer>,
}

impl Connection {
    pub fn open(key: usize, mut stream: TcpStream, peer: SocketAddr, shared: &Shared) -> io::Result<Connection> {
        // Send small answers immediately, without waiting for the acknowledgement of the previous one.
        stream.set_nodelay(true)?;
        shared.registry.register(&mut stream, stream_token(key), Interest::READABLE | Interest::WRITABLE)?;
        let since = Instant::now();
        let timer_token = timer_token(key);
        let timer = shared.set_timer(timer_token, since + shared.limits.idle)?;
        Ok(Connection {
            stream,
            peer,
            timer_token,
            phase: Phase::Open,
            is_readable: false,
            is_hung_up: false,
            requests: Requests::default(),
            answers: VecDeque::new(),
            output: Vec::new(),
            wait: Wait::Request,
            since,
            timer,
        })
    }

    /// Records the readiness of an event. An event of a timer has nothing to record: the clock decides what is due.
    pub fn note(&mut self, event: &Event) {
        if event.token() != self.timer_token {
            self.is_readable |= event.is_readable();
            self.is_hung_up |= event.is_read_closed();
        }
    }

    /// Does as much as possible without blocking. Returns false if the connection must be closed.
    pub fn advance(&mut self, shared: &mut Shared) -> io::Result<bool> {
        if shared.is_ending && self.phase == Phase::Open {
            self.phase = Phase::Closing;
            match self.answers.back_mut() {
                Some(last) => last.keep_alive = false,
                None if self.output.is_empty() => return Ok(false),
                None => {}
            }
        }
        for _ in 0..MAX_READS {
            self.answer_requests(shared)?;
            if self.phase == Phase::Closing && self.answers.is_empty() && self.output.is_empty() {
                // Clients that wait for a free descriptor are more important than a lingering close.
                if shared.lacks_descriptors {
                    return Ok(false);
                }
                self.stream.shutdown(Shutdown::Write)?;
                self.phase = Phase::Lingering;
            }
            match self.read(&mut shared.buffer)? {
                Some(0) => return Ok(false),
                Some(_) => {}
                // Close after the client's shutdown, even if unread requests precede it.
                None => return Ok(self.set_time_limit(&shared.limits)? && !self.is_hung_up),
            }
        }
        // More bytes may be left, but other connections must be served first. The timer expires immediately, and its
        // event continues this connection in a later batch.
        let is_in_time = self.set_time_limit(&shared.limits)?;
        self.timer.set_at(Instant::now())?;
        Ok(is_in_time)
    }

    /// Takes the requests that were read, and writes the answers that are due.
    fn answer_requests(&mut self, shared: &mut Shared) -> io::Result<()> {
        loop {
            let needs_bytes = self.take_requests(shared)?;
            self.release_answers();
            self.write()?;
            // No event reports requests that were already read. If the writes made room, take them now.
            if needs_bytes || !self.has_room() {
                return Ok(());
            }
        }
    }

    /// Takes requests while there is room for their answers. Returns true if the next request is not complete.
    fn take_requests(&mut self, shared: &mut Shared) -> io::Result<bool> {
        while self.has_room() {
            match self.requests.take() {
                Ok(Some(request)) => self.take_request(&request, shared)?,
                Ok(None) => return Ok(true),
                Err(status) => self.refuse(status, shared)?,
            }
        }
        Ok(false)
    }

    fn has_room(&self) -> bool {
        self.phase == Phase::Open && self.answers.len() < MAX_ANSWERS && self.output.len() < MAX_OUTPUT
    }

    fn take_request(&mut self, request: &Request, shared: &mut Shared) -> io::Result<()> {
        let answer = Answer::new(request, shared.limits.delay);
        let (Request { method, path, .. }, delay) = (request, answer.delay.as_millis());
        shared.log.line(format_args!("{} {method} {path}: {} after {delay} ms", self.peer, answer.status));
        // If clients wait for a free descriptor, close this connection after its answer.
        self.schedule(answer, request.keep_alive && !shared.lacks_descriptors, shared)
    }

    /// Answers bytes that are not a request, and takes no more requests: the beginning of the next one is not known.
    fn refuse(&mut self, status: Status, shared: &mut Shared) -> io::Result<()> {
        shared.log.line(format_args!("{} {status}", self.peer));
        self.schedule(Answer::refusal(status, &format!("{status}\n")), false, shared)
    }

    fn schedule(&mut self, answer: Answer, keep_alive: bool, shared: &Shared) -> io::Result<()> {
        self.since = Instant::now();
        let due = self.since + answer.delay;
        let timer = match answer.delay {
            Duration::ZERO => None,
            _ => Some(shared.set_timer(self.timer_token, due)?),
        };
        if !keep_alive {
            self.phase = Phase::Closing;
        }
        self.answers.push_back(Pending { answer, keep_alive, due, _timer: timer });
        Ok(())
    }

    /// Moves the answers that are due to the output, up to the first that is not due.
    fn release_answers(&mut self) {
        let now = Instant::now();
        while self.answers.front().map_or(false, |pending| pending.due <= now) {
            if let Some(Pending { answer, keep_alive, .. }) = self.answers.pop_front() {
                answer.status.write_head(answer.body.len(), keep_alive, &mut self.output);
                if answer.has_body {
                    self.output.extend_from_slice(&answer.body);
                }
            }
        }
    }

    /// Writes until the output is empty or the stream is full.
    fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.output.drain(..count);
                    self.since = Instant::now();
                }
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(err) => return Err(err),
            }
        }
        // Free the buffer: a waiting connection needs none.
        self.output = Vec::new();
        Ok(())
    }

    /// Reads once, if there is room for more. Returns `None` if nothing was read, and 0 at the end of the stream.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let may_read = self.has_room() || self.phase == Phase::Lingering;
        if !may_read || !self.is_readable {
            return Ok(None);
        }
        match self.stream.read(buffer) {
            Ok(count) => {
                // Bytes that arrive after the last answer are dropped.
                if self.phase == Phase::Open {
                    self.requests.push(&buffer[..count]);
                }
                // If the buffer is not full, the socket is empty, and later bytes are a new edge.
                self.is_readable = count == buffer.len();
                Ok(Some(count))
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                self.is_readable = false;
                Ok(None)
            }
            Err(err) => Err(err),
        }
    }

    /// Sets the timer to the limit of the current wait. Returns false if the limit has already passed.
    fn set_time_limit(&mut self, limits: &Limits) -> io::Result<bool> {
        let (wait, now) = (self.waits_for(), Instant::now());
        if wait != self.wait {
            self.wait = wait;
            self.since = now;
        }
        let limit = match wait {
            Wait::Request | Wait::Reader => limits.idle,
            Wait::RestOfRequest | Wait::HangUp => limits.stall,
            // The timer of the answer ends this wait.
            Wait::Delay => {
                self.timer.cancel();
                return Ok(true);
            }
        };
        let end = self.since + limit;
        self.timer.set_at(end)?;
        Ok(now < end)
    }

    fn waits_for(&self) -> Wait {
        match self.phase {
            Phase::Lingering => Wait::HangUp,
            _ if !self.output.is_empty() => Wait::Reader,
            // The limit of a partly received request applies even while an earlier answer is pending.
            Phase::Open if self.has_room() && self.requests.is_midway() => Wait::RestOfRequest,
            _ if !self.answers.is_empty() => Wait::Delay,
            _ => Wait::Request,
        }
    }
}
