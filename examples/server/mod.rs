//! The delayed server: `GET /<ms>/<text>` is answered with `<text>` after `<ms>` milliseconds. One thread serves
//! everybody.
//!
//! - `mod.rs`: the server: one poll, and whom each of its events is for.
//! - `connection.rs`: a connection, which takes requests, waits, and answers.
//! - `answer.rs`: what is answered, and when.
//! - `slab.rs`: where connections live, and how a token finds its own.
//! - `log.rs`: a line for each request.
//! - `background.rs`: the server in a thread of its own, for a program that has more to do.
//!
//! Nothing here blocks but `poll`. A connection goes as far as it can whenever an event comes for it, and it always
//! leaves something behind that brings the next one: an edge of its socket, the timer of an answer, or its own timer.

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
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

pub use background::Background;
use connection::{Connection, Desk};
use log::Log;
pub use slab::Slab;

/// How long the server waits for whom.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest delay that may be asked for.
    pub delay: Duration,
    /// How long a request may take from its first byte to its last.
    pub stall: Duration,
    /// How long a connection may lie idle, or a client may leave its answers unread.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { delay: Duration::from_secs(60), stall: Duration::from_secs(5), idle: Duration::from_secs(60) }
    }
}

// The tokens of connections count from 0, see `slab.rs`; these from the other end.
const LISTENER: Token = Token(usize::MAX);
const RETRY: Token = Token(usize::MAX - 1);
const STOP: Token = Token(usize::MAX - 2);

/// When to ask again for a connection that could not be accepted.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How many connections are accepted before those that are there have their turn.
const ACCEPTS: usize = 256;

pub struct Server {
    poll: Poll,
    listener: TcpListener,
    /// Brings us back to the listener, which in edge mode does not tell again of a connection that it has told of.
    retry: Timer,
    connections: Slab<Connection>,
    desk: Desk,
}

impl Server {
    /// Listens on `addr`, and writes a line for each request to `log`.
    pub fn bind(addr: SocketAddr, limits: Limits, log: impl Write + Send + 'static) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(addr)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let mut retry = Timer::new();
        poll.registry().register(&mut retry, RETRY, Interest::READABLE)?;
        let desk = Desk::new(poll.registry().try_clone()?, limits, Log::new(log));
        Ok(Server { poll, listener, retry, connections: Slab::new(), desk })
    }

    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// What stops the server, from any thread.
    pub fn stopper(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), STOP)
    }

    /// Serves until it is stopped.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while self.turn(&mut events)? {}
        Ok(())
    }

    /// Waits for a batch of events and serves it. False: the server was stopped.
    pub fn turn(&mut self, events: &mut Events) -> io::Result<bool> {
        match self.poll.poll(events, None) {
            // A signal came, and nothing else.
            Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(true),
            result => result?,
        }
        let open = self.connections.len();
        for event in &*events {
            match event.token() {
                STOP => return Ok(false),
                LISTENER | RETRY => self.accept()?,
                token => self.serve(token, event),
            }
        }
        if self.desk.is_short && self.connections.len() < open {
            self.accept()?;
        }
        self.connections.end_of_batch();
        self.desk.log.flush();
        Ok(true)
    }

    /// Accepts whoever waits for it.
    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            match self.listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    self.desk.is_short = false;
                    return Ok(());
                }
                // One that came and went says nothing about the next.
                Err(err) if err.kind() == ErrorKind::ConnectionAborted => {}
                Err(err) => return self.run_short(&err),
            }
        }
        self.retry.set(Duration::ZERO)
    }

    /// There are no descriptors left. To try again at once would be to spin: a timer does it, or a connection that
    /// closes.
    fn run_short(&mut self, err: &io::Error) -> io::Result<()> {
        if !self.desk.is_short {
            self.desk.log.line(format_args!("cannot accept for now: {err}"));
        }
        self.desk.is_short = true;
        self.retry.set(RETRY_AFTER)
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let desk = &self.desk;
        // The kernel may have no room to watch it. Then its client sees it close, and the others are none the worse.
        let _ = self.connections.insert(|key| Connection::open(key, stream, peer, desk));
    }

    fn serve(&mut self, token: Token, event: &Event) {
        let key = connection::key(token);
        // It may have been closed by an earlier event of this batch.
        if let Some(connection) = self.connections.get_mut(key) {
            connection.note(event);
            // A connection that fails concerns nobody else: it is closed as one that is over.
            if !connection.advance(&mut self.desk).unwrap_or(false) {
                self.connections.remove(key);
            }
        }
    }
}
