//! The API of the queue that readers build in Part 2 of *Epoll, Kqueue and IOCP Explained with Rust*, under the book's
//! names.
//!
//! A program of the book runs after two changes: `use minimio::book::…` instead of `use minimio::…` (for the runtime of
//! *The Node Experiment*, `use minimio::book as minimio`), and the address of a server that answers. `cargo run
//! --example delayed_server 127.0.0.1:8080` starts one, which answers `/1000/hello` and
//! `/delay/1000/url/http://example.com`. This module uses only the public interface of the crate, so a reader of the
//! book can read here how the book's names map to the names in the rest of the crate.
//!
//! | the book | the rest of the crate | difference |
//! |---|---|---|
//! | [`Poll`] | [`Poll`](crate::Poll) | a timeout is a [`Duration`], and `poll` does not return a count |
//! | [`Registrator`] | [`Registry`] | also has [`reregister`](crate::Registry::reregister) and [`deregister`](crate::Registry::deregister) |
//! | [`Registrator::close_loop`] | [`Waker::wake`] | wakes the loop without closing it; a poll can have many wakers |
//! | [`Events`], a vector | [`Events`](crate::Events), a list that never grows | |
//! | [`Event::id`] | [`Event::token`](crate::Event::token) | an event also has predicates for the kind of readiness |
//! | [`Token`], a number | [`Token`](crate::Token), a type that wraps a number | |
//! | [`Interests`] | [`Interest`](crate::Interest) | also [`WRITABLE`](crate::Interest::WRITABLE), and the modes [`edge`](crate::Interest::edge), [`level`](crate::Interest::level), [`oneshot`](crate::Interest::oneshot) |
//! | [`TcpStream`], blocking | [`TcpStream`](crate::TcpStream), non-blocking | a program must also wait for an event after [`connect`](crate::TcpStream::connect) |
//!
//! # Errata of the book
//!
//! Some of the book's code was written before its `Token` became a number and its `Interests` got constants: the first
//! two rows. The code of the last row is only a sketch in the book.
//!
//! | where | the book | write |
//! |---|---|---|
//! | *Design* (in the text), *The Reactor-Executor Pattern*, *The Node Experiment* | `event.id().value()` | `event.id()` |
//! | *The Reactor-Executor Pattern*, *The Node Experiment* | `Interests::readable()` | `Interests::READABLE` |
//! | the introduction to Part 2 | `Events::new()`, whose capacity is 0 | `Events::with_capacity(1024)` |
//!
//! # It's not that easy
//!
//! The book's chapter of this name lists what its queue leaves out. This crate answers as follows; the differences of
//! each queue are in `src/epoll/mod.rs`, `src/kqueue/mod.rs` and `src/iocp/mod.rs`.
//!
//! - *Several threads.* According to the book, the kernel wakes one of several waiting threads in edge mode, and
//!   perhaps more in level mode. Here `poll` takes `&mut self`: one thread waits, and passes events on. In oneshot
//!   mode, only one thread then handles a stream.
//! - *Races.* In the book, a stream that is registered while another thread closes the loop may never be reported. Here
//!   `register` and `close_loop` hold the same lock.
//! - *Blocking calls.* The book's `connect` looks up the name and connects before it returns, and
//!   [`TcpStream::connect`] does the same. [`minimio::TcpStream::connect`](crate::TcpStream::connect) takes an address
//!   and does not block. The crate looks up no names: do that on another thread, which then calls [`Waker::wake`].
//! - *Spurious wake-ups.* If a signal ends a wait, the book waits again with the whole timeout. [`Poll::poll`] waits
//!   for the rest of the timeout, and [`minimio::Poll::poll`](crate::Poll::poll) returns `Interrupted`.
//! - *Buffers.* On Windows, the book's stream receives at most 1,024 bytes for each registration, into a buffer that
//!   the kernel uses until then. Here bytes remain in the kernel until the program reads them into its own buffer,
//!   however many there are.
//! - *Flow control.* The book warns that a server on Windows must limit the buffers that it lends to the kernel. Here a
//!   socket lends none. If a program does not read, the peer has to stop writing. If the peer does not read, a
//!   non-blocking write returns `WouldBlock`, and an event for [`WRITABLE`](crate::Interest::WRITABLE) reports when the
//!   program can continue.
//!
//! # Examples
//!
//! The reactor is a thread that waits for events and sends their tokens to the executor. The executor in this example
//! has one task.
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

/// The program's name for a stream, which the stream's events contain.
pub type Token = usize;

/// The events of one [`Poll::poll`]. The capacity limits their number; `poll` never increases it.
pub type Events = Vec<Event>;

/// A report that a stream is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    id: Token,
}

impl Event {
    /// Returns the token with which the stream was registered.
    #[must_use]
    pub fn id(&self) -> Token {
        self.id
    }
}

/// The token of the waker that closes the loop. A stream may have the same token: see the comment in [`Poll::poll`].
const CLOSE_TOKEN: crate::Token = crate::Token(usize::MAX);

/// A queue of events from many streams.
///
/// After [`close_loop`](Registrator::close_loop), or after the `Poll` is dropped, no stream can be registered.
#[derive(Debug)]
pub struct Poll {
    poll: crate::Poll,
    events: crate::Events,
    /// Whether the waker's event has arrived.
    close_seen: bool,
    state: Arc<LoopState>,
}

/// A handle with which any thread registers streams with its [`Poll`] and closes the loop. A clone belongs to the same
/// `Poll`.
#[derive(Clone, Debug)]
pub struct Registrator {
    state: Arc<LoopState>,
}

/// The state that a `Poll` shares with its registrators.
struct LoopState {
    registry: Registry,
    waker: Waker,
    /// `register` and `close_loop` hold this lock: a registration either precedes the closing or fails.
    is_closed: Mutex<bool>,
}

impl Poll {
    /// Creates a poll without any registered stream.
    ///
    /// # Errors
    ///
    /// The errors of [`minimio::Poll::new`](crate::Poll::new).
    pub fn new() -> io::Result<Poll> {
        let poll = crate::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, CLOSE_TOKEN)?;
        let state = Arc::new(LoopState { registry, waker, is_closed: Mutex::new(false) });
        Ok(Poll { poll, events: crate::Events::with_capacity(0), close_seen: false, state })
    }

    /// Returns a registrator of this poll. A poll can have any number of them.
    #[must_use]
    pub fn registrator(&self) -> Registrator {
        Registrator { state: Arc::clone(&self.state) }
    }

    /// Waits until a stream is ready or `timeout_ms` milliseconds have passed, and returns the number of events.
    /// `None` waits without a limit. A negative timeout is a zero timeout. `poll` first clears `events`.
    ///
    /// A signal does not end the wait.
    ///
    /// # Errors
    ///
    /// - `Interrupted`: the loop is closed, and all events that arrived before `close_loop` were returned.
    /// - `InvalidInput`: `events` has a capacity of 0, as after [`Vec::new`].
    /// - Otherwise the errors of [`minimio::Poll::poll`](crate::Poll::poll).
    pub fn poll(&mut self, events: &mut Events, timeout_ms: Option<i32>) -> io::Result<usize> {
        events.clear();
        if self.events.capacity() != events.capacity() {
            self.events = crate::Events::with_capacity(events.capacity());
        }
        let timeout = timeout_ms.map(|ms| Duration::from_millis(ms.max(0) as u64));
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            // This is read before the wait. So if it is true and the wait returns no event, every event that arrived
            // before `close_loop` has been returned.
            let is_closed = *self.state.is_closed();
            let timeout = match is_closed {
                true => Some(Duration::ZERO),
                false => deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())),
            };
            match self.poll.poll(&mut self.events, timeout) {
                // A signal ended the wait.
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            events.extend(self.events.iter().map(|event| Event { id: event.token().0 }));
            if !self.close_seen && *self.state.is_closed() {
                // If a stream has the same token, its events equal the waker's, so it does not matter which one is
                // removed.
                if let Some(index) = events.iter().position(|event| event.id == CLOSE_TOKEN.0) {
                    events.remove(index);
                    self.close_seen = true;
                }
            }
            match events.len() {
                0 if self.events.is_empty() && is_closed => return Err(closed_error()),
                // The waker's event was the only one. Events that did not fit beside it may follow, so poll once more.
                0 if !self.events.is_empty() => {}
                count => return Ok(count),
            }
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        *self.state.is_closed() = true;
    }
}

impl Registrator {
    /// Registers `stream` for one report, whose event has the id `token`. To get another event, register the stream
    /// again.
    ///
    /// A `&mut TcpStream` can be passed too, as in the book's programs. The book's `register` takes `&mut` on Windows,
    /// where it starts a read into a buffer of the stream, and `&` on the other systems.
    ///
    /// # Errors
    ///
    /// - `Interrupted`: the loop is closed.
    /// - `AlreadyExists`: the stream is registered with another `Poll`, or it is registered with this `Poll` and the
    ///   system rejects the new registration.
    /// - Otherwise the system's error.
    pub fn register(&self, stream: &TcpStream, token: Token, interests: Interests) -> io::Result<()> {
        let is_closed = self.state.is_closed();
        if *is_closed {
            return Err(closed_error());
        }
        let (registry, token, interests) = (&self.state.registry, crate::Token(token), interests.oneshot());
        let mut source = stream.source();
        match registry.register(&mut *source, token, interests) {
            // The stream is registered with this `Poll`, or with another one, in which case `reregister` fails too.
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {
                registry.reregister(&mut *source, token, interests).map_err(|_| err)
            }
            result => result,
        }
    }

    /// Closes the loop. [`Poll::poll`] ends its wait, returns the events that arrived before, and then fails with
    /// `Interrupted`.
    ///
    /// # Errors
    ///
    /// - `Interrupted`: the loop is closed already.
    /// - Otherwise the errors of [`Waker::wake`]; the loop is then still open.
    pub fn close_loop(&self) -> io::Result<()> {
        let mut is_closed = self.state.is_closed();
        if *is_closed {
            return Err(closed_error());
        }
        self.state.waker.wake()?;
        *is_closed = true;
        Ok(())
    }
}

impl LoopState {
    fn is_closed(&self) -> MutexGuard<'_, bool> {
        self.is_closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LoopState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopState").field("is_closed", &*self.is_closed()).finish_non_exhaustive()
    }
}

fn closed_error() -> io::Error {
    io::Error::new(ErrorKind::Interrupted, "cannot poll, register or close: the event loop is closed")
}

/// A blocking TCP connection: a read blocks until data arrives. If a program reads only after an event of the stream,
/// the first read does not block.
///
/// Also implements `AsRawFd` on Unix and `AsRawSocket` on Windows, as in the book.
pub struct TcpStream {
    /// `register` changes the source, but takes `&TcpStream`.
    source: Mutex<crate::TcpStream>,
}

impl TcpStream {
    /// Connects to the first address that accepts the connection, and blocks until then.
    ///
    /// # Errors
    ///
    /// The errors of [`std::net::TcpStream::connect`].
    pub fn connect(addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
        // A stream of the standard library is blocking, and the conversion does not change that.
        net::TcpStream::connect(addr).map(|stream| TcpStream { source: Mutex::new(crate::TcpStream::from_std(stream)) })
    }

    pub(crate) fn source(&self) -> MutexGuard<'_, crate::TcpStream> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Formats the wrapped stream.
impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(f)
    }
}

impl Read for TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.source().read(buf)
    }
}

impl Write for TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.source().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.source().flush()
    }
}
