//! The delayed server: `GET /<ms>/<text>` is answered with `<text>` and a newline after `<ms>` milliseconds. One thread
//! serves all clients.
//!
//! - `mod.rs`: the server, which has one poll and passes each event to the listener or to a connection.
//! - `connection.rs`: a connection, which takes requests, waits, and answers.
//! - `answer.rs`: the answer to a request.
//! - `slab.rs`: the table of connections, by key.
//! - `log.rs`: a line for each request.
//! - `background.rs`: the server on its own thread, for a program that does other work.
//!
//! The server blocks only in `poll`, and in a write to the log if the reader of the log is slow. On each of its events,
//! a connection does as much as possible without blocking. After that, at least one source is armed that continues the
//! work: its socket, the timer of an answer, or its own timer.

#![allow(dead_code, unused_imports)] // No example uses all of it.

mod answer;
mod background;
mod connection;
mod log;
mod slab;

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::Duration;

use minimio::event::Event;
use minimio::net::{TcpListener, TcpStream};
use minimio::signal::Signals;
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

pub use background::Background;
use connection::{Connection, Shared};
use log::Log;
pub use slab::Slab;

/// The server's time limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest delay that a request may have.
    pub delay: Duration,
    /// How long a request may take from its first byte to its last.
    pub stall: Duration,
    /// How long a connection may be idle, or a client may leave its answers unread.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { delay: Duration::from_secs(60), stall: Duration::from_secs(5), idle: Duration::from_secs(60) }
    }
}

// The tokens of connections count up from 0, see `connection.rs`; these count down from the largest number.
const LISTENER: Token = Token(usize::MAX);
const RETRY: Token = Token(usize::MAX - 1);
const STOP: Token = Token(usize::MAX - 2);
const SIGNALS: Token = Token(usize::MAX - 3);
const DEADLINE: Token = Token(usize::MAX - 4);

/// How long to wait before the next accept when no descriptor is free.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How long a signal that ends the server leaves for the requests in flight.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// How many connections are accepted before open connections are served again.
const MAX_ACCEPTS: usize = 256;

pub struct Server {
    poll: Poll,
    /// `None` when the server ends.
    listener: Option<TcpListener>,
    /// Repeats the accept. The listener is in edge mode, so a connection that was reported and not accepted is not
    /// reported again.
    retry: Timer,
    connections: Slab<Connection>,
    shared: Shared,
    /// The signals that end the server. Windows may end the process when they are dropped.
    signals: Option<Signals>,
    /// Ends the server after a signal, even if requests are in flight.
    deadline: Timer,
}

impl Server {
    /// Listens on `addr`, and writes a line for each request to `log`.
    pub fn bind(addr: SocketAddr, limits: Limits, log: impl Write + Send + 'static) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(addr)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let mut retry = Timer::new();
        poll.registry().register(&mut retry, RETRY, Interest::READABLE)?;
        let mut deadline = Timer::new();
        poll.registry().register(&mut deadline, DEADLINE, Interest::READABLE)?;
        let shared = Shared::new(poll.registry().try_clone()?, limits, Log::new(log));
        let (listener, connections, signals) = (Some(listener), Slab::new(), None);
        Ok(Server { poll, listener, retry, connections, shared, signals, deadline })
    }

    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.as_ref().map_or(Err(ErrorKind::NotConnected.into()), TcpListener::local_addr)
    }

    /// Returns how many connections are open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Returns a waker that stops the server, from any thread.
    pub fn stopper(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), STOP)
    }

    /// Ends the server when one of these signals is received: it accepts no connection and takes no request from then
    /// on, and ends when the requests in flight are answered, at most three seconds later. A second signal ends it
    /// immediately.
    pub fn end_on(&mut self, mut signals: Signals) -> io::Result<()> {
        self.poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        self.signals = Some(signals);
        Ok(())
    }

    /// Serves until it is stopped.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while self.poll_once(&mut events)? {}
        Ok(())
    }

    /// Waits for a batch of events and serves it. Returns false if the server was stopped.
    pub fn poll_once(&mut self, events: &mut Events) -> io::Result<bool> {
        match self.poll.poll(events, None) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(true),
            result => result?,
        }
        let open = self.connections.len();
        for event in &*events {
            match event.token() {
                STOP | DEADLINE => return Ok(false),
                SIGNALS => {
                    if !self.begin_to_end()? {
                        return Ok(false);
                    }
                }
                LISTENER | RETRY => self.accept()?,
                token => self.serve(token, event),
            }
        }
        if self.shared.lacks_descriptors && self.connections.len() < open {
            self.accept()?;
        }
        self.connections.end_of_batch();
        self.shared.log.flush();
        Ok(!self.shared.is_ending || self.connections.len() > 0)
    }

    /// Handles a signal. Returns false if it is the second one.
    fn begin_to_end(&mut self) -> io::Result<bool> {
        while let Some(signal) = self.signals.as_ref().and_then(Signals::receive) {
            if self.shared.is_ending {
                return Ok(false);
            }
            self.shared.is_ending = true;
            self.shared.log.line(format_args!("{signal:?}: answer the requests in flight, then end"));
            self.listener = None;
            self.deadline.set(DRAIN_TIME)?;
            for key in self.connections.keys() {
                self.advance(key);
            }
        }
        Ok(true)
    }

    /// Accepts the connections that wait, at most `MAX_ACCEPTS`.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..MAX_ACCEPTS {
            let listener = match &self.listener {
                Some(listener) => listener,
                None => return Ok(()),
            };
            match listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    self.shared.lacks_descriptors = false;
                    return Ok(());
                }
                // This client disconnected before the accept. The next one may be fine.
                Err(err) if err.kind() == ErrorKind::ConnectionAborted => {}
                Err(err) => return self.wait_for_descriptor(&err),
            }
        }
        self.retry.set(Duration::ZERO)
    }

    /// Handles a failed accept: no descriptor is free. An immediate retry would fail again in a busy loop, so the
    /// accept is repeated by a timer, or when a connection closes.
    fn wait_for_descriptor(&mut self, err: &io::Error) -> io::Result<()> {
        if !self.shared.lacks_descriptors {
            self.shared.log.line(format_args!("cannot accept for now: {err}"));
        }
        self.shared.lacks_descriptors = true;
        self.retry.set(RETRY_AFTER)
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let shared = &self.shared;
        // If the registration fails, the stream is dropped and its client sees it close. Other clients are not
        // affected.
        let _ = self.connections.insert(|key| Connection::open(key, stream, peer, shared));
    }

    fn serve(&mut self, token: Token, event: &Event) {
        let key = connection::key(token);
        // An earlier event of this batch may have closed the connection.
        if let Some(connection) = self.connections.get_mut(key) {
            connection.note(event);
        }
        self.advance(key);
    }

    fn advance(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key) {
            // A failed connection is closed like a finished one. Other connections are not affected.
            if !connection.advance(&mut self.shared).unwrap_or(false) {
                self.connections.remove(key);
            }
        }
    }
}
