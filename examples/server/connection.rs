//! A connection: it takes requests, keeps the answers until their time has come, and writes them.
//!
//! Delays run at once: each counts from the arrival of its own request, also where several came in a row. Answers leave
//! in the order of their requests, as HTTP wants it, so a short delay behind a long one waits for it.
//!
//! A client that ends its side of the connection is taken to be gone, and the answers that it would have to wait for
//! are dropped: until something is sent to it, nobody can tell it from one that is.

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

/// How many answers may wait in a connection, and how many bytes of them for a client to read. A client that wants more
/// is not read from: first the kernel's buffers fill, and then it has to wait itself.
const MAX_ANSWERS: usize = 32;
const MAX_UNREAD: usize = 64 * 1024;

/// How often a connection reads before the others have their turn.
const MAX_READS: usize = 4;

/// What connections share.
pub struct Desk {
    registry: Registry,
    limits: Limits,
    pub log: Log,
    /// There are too few descriptors: somebody waits for one of those that are in use.
    pub is_short: bool,
    /// What is read comes here first: a connection that waits needs no buffer.
    buffer: Box<[u8]>,
}

impl Desk {
    pub fn new(registry: Registry, limits: Limits, log: Log) -> Desk {
        Desk { registry, limits, log, is_short: false, buffer: vec![0; 16 * 1024].into() }
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

/// The key of the connection that `token` belongs to.
pub fn key(token: Token) -> usize {
    token.0 / 2
}

pub struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    timer_token: Token,
    phase: Phase,
    /// There may be something to read. An edge says so once, so it is remembered until there is no more.
    is_readable: bool,
    /// The client has sent its last, though not all of it may have been read.
    is_hung_up: bool,
    requests: Requests,
    answers: VecDeque<Pending>,
    output: Vec<u8>,
    /// What it waits for, since when, and the timer that puts an end to it.
    wait: Wait,
    since: Instant,
    timer: Timer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Takes requests.
    Open,
    /// Takes no more of them, but answers those that it has.
    Closing,
    /// All is said, and the client has to hang up. To do it first, with bytes of the client's unread, would be a reset,
    /// which can overtake the last answer.
    Lingering,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Request,
    RestOfRequest,
    Delay,
    Reader,
    HangUp,
}

/// An answer that waits for its time, and the timer that tells. When the answer goes, so does the timer.
struct Pending {
    answer: Answer,
    keep_alive: bool,
    due: Instant,
    _timer: Option<Timer>,
}

impl Connection {
    pub fn open(key: usize, mut stream: TcpStream, peer: SocketAddr, desk: &Desk) -> io::Result<Connection> {
        // Small answers leave at once, and not when the client has acknowledged the one before.
        stream.set_nodelay(true)?;
        desk.registry.register(&mut stream, stream_token(key), Interest::READABLE | Interest::WRITABLE)?;
        let since = Instant::now();
        let timer_token = timer_token(key);
        let timer = desk.set_timer(timer_token, since + desk.limits.idle)?;
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

    /// Remembers what an event says. A timer's says nothing: the clock knows what is due.
    pub fn note(&mut self, event: &Event) {
        if event.token() != self.timer_token {
            self.is_readable |= event.is_readable();
            self.is_hung_up |= event.is_read_closed();
        }
    }

    /// Goes as far as it can without waiting. False: it is over.
    pub fn advance(&mut self, desk: &mut Desk) -> io::Result<bool> {
        for _ in 0..MAX_READS {
            self.answer_requests(desk)?;
            if self.phase == Phase::Closing && self.answers.is_empty() && self.output.is_empty() {
                // Those who wait for a descriptor come first.
                if desk.is_short {
                    return Ok(false);
                }
                self.stream.shutdown(Shutdown::Write)?;
                self.phase = Phase::Lingering;
            }
            match self.read(&mut desk.buffer)? {
                Some(0) => return Ok(false),
                Some(_) => {}
                // Whoever has hung up is gone, even if the end is behind requests that there is no room for.
                None => return Ok(self.rest(&desk.limits)? && !self.is_hung_up),
            }
        }
        // There is more, but now it is the others' turn. The timer brings it back after them.
        let is_in_time = self.rest(&desk.limits)?;
        self.timer.set_at(Instant::now())?;
        Ok(is_in_time)
    }

    /// Does what there is to do without reading.
    fn answer_requests(&mut self, desk: &mut Desk) -> io::Result<()> {
        loop {
            let is_hungry = self.take_requests(desk)?;
            self.release_answers();
            self.write()?;
            // Requests that are here already would bring no event: if there is room now, they are taken now.
            if is_hungry || !self.has_room() {
                return Ok(());
            }
        }
    }

    /// Takes requests while there is room for their answers. True: the next one is not here yet.
    fn take_requests(&mut self, desk: &mut Desk) -> io::Result<bool> {
        while self.has_room() {
            match self.requests.take() {
                Ok(Some(request)) => self.take_request(&request, desk)?,
                Ok(None) => return Ok(true),
                Err(status) => self.refuse(status, desk)?,
            }
        }
        Ok(false)
    }

    fn has_room(&self) -> bool {
        self.phase == Phase::Open && self.answers.len() < MAX_ANSWERS && self.output.len() < MAX_UNREAD
    }

    fn take_request(&mut self, request: &Request, desk: &mut Desk) -> io::Result<()> {
        let answer = Answer::new(request, desk.limits.delay);
        let (Request { method, path, .. }, delay) = (request, answer.delay.as_millis());
        desk.log.line(format_args!("{} {method} {path}: {} after {delay} ms", self.peer, answer.status));
        // When others wait for a descriptor, one is given back after each answer.
        self.schedule(answer, request.keep_alive && !desk.is_short, desk)
    }

    /// What has arrived is no request, and where the next one begins nobody knows.
    fn refuse(&mut self, status: Status, desk: &mut Desk) -> io::Result<()> {
        desk.log.line(format_args!("{} {status}", self.peer));
        self.schedule(Answer::refusal(status, &format!("{status}\n")), false, desk)
    }

    fn schedule(&mut self, answer: Answer, keep_alive: bool, desk: &Desk) -> io::Result<()> {
        self.since = Instant::now();
        let due = self.since + answer.delay;
        let timer = match answer.delay {
            Duration::ZERO => None,
            _ => Some(desk.set_timer(self.timer_token, due)?),
        };
        if !keep_alive {
            self.phase = Phase::Closing;
        }
        self.answers.push_back(Pending { answer, keep_alive, due, _timer: timer });
        Ok(())
    }

    /// Hands out the answers whose time has come, up to the first whose time has not.
    fn release_answers(&mut self) {
        let now = Instant::now();
        while self.answers.front().map_or(false, |pending| pending.due <= now) {
            if let Some(Pending { answer, keep_alive, .. }) = self.answers.pop_front() {
                answer.status.write_response(&answer.body, keep_alive, &mut self.output);
            }
        }
    }

    /// Writes until all is written, or the client has to read first.
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
        // As in `Desk`: who waits needs no buffer.
        self.output = Vec::new();
        Ok(())
    }

    /// Reads once, if it wants anything. `None`: there is nothing for now; zero: there will never be anything again.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let wants_it = self.has_room() || self.phase == Phase::Lingering;
        if !wants_it || !self.is_readable {
            return Ok(None);
        }
        match self.stream.read(buffer) {
            Ok(count) => {
                // What is said after the last answer goes nowhere.
                if self.phase == Phase::Open {
                    self.requests.push(&buffer[..count]);
                }
                // A buffer that is not full has emptied the socket, and what comes later is a new edge.
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

    /// Sets the timer to the end of its patience. False: it has ended already.
    fn rest(&mut self, limits: &Limits) -> io::Result<bool> {
        let (wait, now) = (self.waits_for(), Instant::now());
        if wait != self.wait {
            self.wait = wait;
            self.since = now;
        }
        let limit = match wait {
            Wait::Request | Wait::Reader => limits.idle,
            Wait::RestOfRequest | Wait::HangUp => limits.stall,
            // The answer's own timer ends it.
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
            // As soon as a request has begun, the clock ticks for its end, even where an earlier answer is still to
            // come.
            Phase::Open if self.has_room() && self.requests.is_midway() => Wait::RestOfRequest,
            _ if !self.answers.is_empty() => Wait::Delay,
            _ => Wait::Request,
        }
    }
}
