//! The names of the book: the queue as Part 2 of *Epoll, Kqueue and IOCP Explained with Rust* has its readers build it.
//!
//! A program of the book's runs after two changes: `use minimio::book::…` instead of `use minimio::…`, and the address
//! of a server that answers (`cargo run --example delayed_server 127.0.0.1:8080` does, to `/1000/hello` and to
//! `/delay/1000/url/http://example.com`). This module is made of the crate's public interface alone: whoever has read
//! the book can read here how its words turn into the field's.
//!
//! | the book | here, in the field's words | what differs |
//! |---|---|---|
//! | [`Poll`] | [`Poll`](crate::Poll) | a timeout is a [`Duration`]; the events are in [`Events`](crate::Events), not counted |
//! | [`Registrator`] | [`Registry`] | also for [`reregister`](crate::Registry::reregister) and [`deregister`](crate::Registry::deregister) |
//! | [`Registrator::close_loop`] | [`Waker::wake`] | wakes, and closes nothing; there may be many |
//! | [`Events`], a vector | [`Events`](crate::Events), a buffer that never grows | |
//! | [`Event::id`] | [`Event::token`](crate::Event::token) | an event also says *what* is ready |
//! | [`Token`], a number | [`Token`](crate::Token), a type around it | |
//! | [`Interests`] | [`Interest`](crate::Interest) | [`WRITABLE`](crate::Interest::WRITABLE) too, and the mode: [`edge`](crate::Interest::edge), [`level`](crate::Interest::level), [`oneshot`](crate::Interest::oneshot) |
//! | [`TcpStream`], which blocks | [`TcpStream`](crate::TcpStream), which never does | to [connect](crate::TcpStream::connect) takes an event as well |
//!
//! # Examples
//!
//! The reactor has a thread of its own, which waits and hands on what is ready; here, the executor that receives it
//! knows one thing to do.
//!
//! ```
//! use minimio::book::{Events, Interests, Poll, TcpStream};
//! use std::io::{ErrorKind, Read, Write};
//! use std::{net, sync::mpsc, thread};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = net::TcpListener::bind("127.0.0.1:0")?;
//! let mut poll = Poll::new()?;
//! let registrator = poll.registrator();
//! let (ready, executor) = mpsc::channel();
//!
//! let reactor = thread::spawn(move || {
//!     let mut events = Events::with_capacity(1024);
//!     loop {
//!         match poll.poll(&mut events, Some(200)) {
//!             Ok(_) => events.iter().for_each(|event| ready.send(event.id()).unwrap()),
//!             Err(err) if err.kind() == ErrorKind::Interrupted => return,
//!             Err(err) => panic!("poll: {err}"),
//!         }
//!     }
//! });
//!
//! let mut stream = TcpStream::connect(server.local_addr()?)?;
//! registrator.register(&mut stream, 10, Interests::READABLE)?;
//! server.accept()?.0.write_all(b"hello")?;
//!
//! assert_eq!(executor.recv(), Ok(10));
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert_eq!(answer, "hello");
//!
//! registrator.close_loop()?;
//! reactor.join().unwrap();
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Registry, Waker};

pub use crate::Interest as Interests;

/// What the program calls a stream, and finds in its events.
pub type Token = usize;

/// The events of a [`Poll::poll`]. Its capacity is the most that one `poll` brings; it is never made larger.
pub type Events = Vec<Event>;

/// A stream is ready: which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    id: Token,
}

impl Event {
    /// The token that the stream was registered with.
    #[must_use]
    pub fn id(&self) -> Token {
        self.id
    }
}

/// The token of what closes the loop. A stream may have the same, see [`Poll::poll`].
const CLOSING: crate::Token = crate::Token(usize::MAX);

/// Waits for many streams at once.
///
/// Once it is closed, by [`close_loop`](Registrator::close_loop) or by being dropped, nothing can be registered any
/// more.
#[derive(Debug)]
pub struct Poll {
    poll: crate::Poll,
    ready: crate::Events,
    /// Whether the closing has come out of the queue.
    has_heard: bool,
    gate: Arc<Gate>,
}

/// Registers streams with its [`Poll`], and closes that, from any thread. A clone is another handle to the same `Poll`.
#[derive(Clone, Debug)]
pub struct Registrator {
    gate: Arc<Gate>,
}

/// What a `Poll` and its registrators share.
struct Gate {
    registry: Registry,
    waker: Waker,
    /// Held by whoever registers, too: a registration is either before the closing or refused.
    is_closed: Mutex<bool>,
}

impl Poll {
    /// A new queue, with nothing registered.
    ///
    /// # Errors
    ///
    /// Those of [`minimio::Poll::new`](crate::Poll::new).
    pub fn new() -> io::Result<Poll> {
        let poll = crate::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, CLOSING)?;
        let gate = Arc::new(Gate { registry, waker, is_closed: Mutex::new(false) });
        Ok(Poll { poll, ready: crate::Events::with_capacity(0), has_heard: false, gate })
    }

    /// What registers streams here. There may be any number of them.
    #[must_use]
    pub fn registrator(&self) -> Registrator {
        Registrator { gate: Arc::clone(&self.gate) }
    }

    /// Waits until a stream is ready, and returns how many are; 0 if none was before `timeout_ms` milliseconds had
    /// passed. `None`, or a negative number, waits for ever. `events` is emptied first.
    ///
    /// A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// `Interrupted` once the loop is closed, as soon as all that was ready is told. `InvalidInput` if `events` has a
    /// capacity of 0, as [`Vec::new`] has. Otherwise those of [`minimio::Poll::poll`](crate::Poll::poll).
    pub fn poll(&mut self, events: &mut Events, timeout_ms: Option<i32>) -> io::Result<usize> {
        events.clear();
        if self.ready.capacity() != events.capacity() {
            self.ready = crate::Events::with_capacity(events.capacity());
        }
        let timeout = timeout_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            // Looked at before the wait, which then finds all that was ready when the loop was closed.
            let is_closed = *self.gate.is_closed();
            let timeout = match is_closed {
                true => Some(Duration::ZERO),
                false => deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
            };
            match self.poll.poll(&mut self.ready, timeout) {
                // A signal.
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            events.extend(self.ready.iter().map(|event| Event { id: event.token().0 }));
            if !self.has_heard && *self.gate.is_closed() {
                // If a stream bears the same token, it does not matter which of them goes first: they are alike.
                if let Some(at) = events.iter().position(|event| event.id == CLOSING.0) {
                    events.remove(at);
                    self.has_heard = true;
                }
            }
            match events.len() {
                0 if self.ready.is_empty() && is_closed => return Err(closed()),
                // The closing, and nothing else: once more, for what had no place beside it.
                0 if !self.ready.is_empty() => {}
                count => return Ok(count),
            }
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        *self.gate.is_closed() = true;
    }
}

impl Registrator {
    /// Begins to watch `stream`. It is told of once, by an event with the id `token`; to be told again, register it
    /// again.
    ///
    /// # Errors
    ///
    /// `Interrupted` after the loop was closed. `AlreadyExists` if the stream is registered with another `Poll`.
    /// Otherwise the system's.
    pub fn register(&self, stream: &mut TcpStream, token: Token, interests: Interests) -> io::Result<()> {
        let is_closed = self.gate.is_closed();
        if *is_closed {
            return Err(closed());
        }
        let (registry, token, interests) = (&self.gate.registry, crate::Token(token), interests.oneshot());
        match registry.register(&mut stream.inner, token, interests) {
            // Registered here, or else with another `Poll`, which then is the error.
            Err(taken) if taken.kind() == ErrorKind::AlreadyExists => {
                registry.reregister(&mut stream.inner, token, interests).map_err(|_| taken)
            }
            result => result,
        }
    }

    /// Closes the loop: [`Poll::poll`], if it waits, stops waiting, and answers `Interrupted` once it has told all that
    /// was ready.
    ///
    /// # Errors
    ///
    /// `Interrupted` if it is closed already. Otherwise those of [`Waker::wake`], and the loop is still open.
    pub fn close_loop(&self) -> io::Result<()> {
        let mut is_closed = self.gate.is_closed();
        if *is_closed {
            return Err(closed());
        }
        self.gate.waker.wake()?;
        *is_closed = true;
        Ok(())
    }
}

impl Gate {
    fn is_closed(&self) -> MutexGuard<'_, bool> {
        self.is_closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("is_closed", &*self.is_closed()).finish_non_exhaustive()
    }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::Interrupted, "the event loop is closed")
}

/// A TCP connection that blocks: reading waits until there is something to read. A program that reads only after an
/// event for the stream does not wait for its first bytes.
#[derive(Debug)]
pub struct TcpStream {
    inner: crate::TcpStream,
}

impl TcpStream {
    /// Connects to the first address that answers, and waits for it.
    ///
    /// # Errors
    ///
    /// Those of [`std::net::TcpStream::connect`].
    pub fn connect(addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
        // What nobody has switched to non-blocking blocks.
        net::TcpStream::connect(addr).map(|stream| TcpStream { inner: crate::TcpStream::from_std(stream) })
    }
}

impl Read for TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf)
    }
}

impl Write for TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
