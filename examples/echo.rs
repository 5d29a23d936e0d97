//! An echo server for any number of clients, in level mode and in edge mode.
//!
//! ```text
//! cargo run --example echo
//! ```
//!
//! The modes differ in when an event comes, and so in what the server must do:
//!
//! - *level*: every poll reports the source while it is ready. The server handles one step per event; if more is left,
//!   the next poll reports the source again. But the server must keep the interest up to date: otherwise every poll
//!   would report bytes that the server cannot take yet.
//! - *edge*: the source is reported when it becomes ready. The server registers both directions once, and repeats steps
//!   until the stream returns `WouldBlock`: the rest would not be reported again.
//!
//! Compare `serve_level` and `serve_edge`. All other code is the same for both modes.

mod arguments;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::ops::Range;
use std::panic;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use minimio::net::{TcpListener, TcpStream};
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

/// The number of clients, and how many bytes each client sends.
const CLIENTS: usize = 3;
const BYTES: usize = 8 * 1024 * 1024;

/// How many bytes of a client the server holds. The other bytes wait in the kernel's buffers; when these are full, the
/// client blocks.
const BUFFER: usize = 4 * 1024;

// The tokens of connections count up from 0; these two tokens count down from the largest number.
const ACCEPT: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

fn main() -> io::Result<()> {
    arguments::none("echo");
    println!("{CLIENTS} clients send {} MiB each, and the server sends all bytes back.", BYTES / 1024 / 1024);
    for mode in [Mode::Level, Mode::Edge] {
        let Counts { polls, events, changes } = run_mode(mode)?;
        println!("{mode:?}: {polls} polls returned {events} events; the interest changed {changes} times.");
    }
    println!("In level mode an event moves at most {} KiB, in edge mode all that has arrived.", BUFFER / 1024);
    println!("So edge mode needs fewer polls, and never changes the interest.");
    println!("Now try: a larger BUFFER in examples/echo.rs; then cargo run --example any_fd");
    Ok(())
}

/// Runs the server on this thread, and the clients on others, until all clients have finished.
fn run_mode(mode: Mode) -> io::Result<Counts> {
    let server = Server::new(mode)?;
    let addr = server.listener.local_addr()?;
    let stop = Waker::new(server.poll.registry(), STOP)?;
    thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let result = run_clients(addr);
            stop.wake()?;
            result
        });
        let counts = server.run()?;
        join(clients)?;
        Ok(counts)
    })
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Level,
    Edge,
}

#[derive(Default)]
struct Counts {
    polls: usize,
    events: usize,
    changes: usize,
}

struct Server {
    poll: Poll,
    mode: Mode,
    listener: TcpListener,
    retry: Timer,
    connections: HashMap<Token, Connection>,
    accepted: usize,
    counts: Counts,
}

struct Connection {
    stream: TcpStream,
    buffer: [u8; BUFFER],
    /// The part of the buffer that is not sent back yet.
    unsent: Range<usize>,
}

impl Server {
    fn new(mode: Mode) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
        let mut retry = Timer::new();
        poll.registry().register(&mut listener, ACCEPT, Interest::READABLE)?;
        poll.registry().register(&mut retry, ACCEPT, Interest::READABLE)?;
        let (connections, counts) = (HashMap::new(), Counts::default());
        Ok(Server { poll, mode, listener, retry, connections, accepted: 0, counts })
    }

    /// Serves until the waker with the token `STOP` is used and no connection is open.
    fn run(mut self) -> io::Result<Counts> {
        let mut events = Events::with_capacity(64);
        let mut is_stopped = false;
        while !is_stopped || !self.connections.is_empty() {
            match self.poll.poll(&mut events, None) {
                // A signal interrupted the wait.
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.counts.polls += 1;
            self.counts.events += events.len();
            for event in &events {
                match event.token() {
                    ACCEPT => self.accept()?,
                    STOP => is_stopped = true,
                    token => self.serve(token),
                }
            }
        }
        Ok(self.counts)
    }

    /// Accepts all connections that wait. The listener is always in edge mode: in level mode, every poll would return
    /// immediately while the process has no free descriptor.
    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(()),
                // This client disconnected before the accept. The next one may be fine.
                Err(err) if err.kind() == ErrorKind::ConnectionAborted => {}
                // The process has no free descriptor. A descriptor that becomes free is no edge of the listener, so a
                // timer repeats the accept.
                Err(_) => return self.retry.set(Duration::from_millis(100)),
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream) {
        // Tokens are never reused, so a late event of a closed connection finds no connection.
        let token = Token(self.accepted);
        self.accepted += 1;
        let interest = match self.mode {
            Mode::Level => Interest::READABLE.level(),
            Mode::Edge => Interest::READABLE | Interest::WRITABLE,
        };
        // If the registration fails, the stream is dropped, and its client sees it close.
        if self.poll.registry().register(&mut stream, token, interest).is_ok() {
            self.connections.insert(token, Connection { stream, buffer: [0; BUFFER], unsent: 0..0 });
        }
    }

    fn serve(&mut self, token: Token) {
        let result = match self.mode {
            Mode::Level => self.serve_level(token),
            Mode::Edge => self.serve_edge(token),
        };
        match result {
            Ok(true) => {}
            // The next event of this connection continues here.
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            // The client has received all its bytes, or its connection failed; other clients are not affected. The drop
            // closes and deregisters the stream.
            Ok(false) | Err(_) => drop(self.connections.remove(&token)),
        }
    }

    fn serve_level(&mut self, token: Token) -> io::Result<bool> {
        match self.connections.get_mut(&token) {
            Some(connection) => {
                let old = connection.interest();
                let result = connection.step();
                let new = connection.interest();
                if new != old {
                    self.counts.changes += 1;
                    self.poll.registry().reregister(&mut connection.stream, token, new.level())?;
                }
                result
            }
            None => Ok(false),
        }
    }

    fn serve_edge(&mut self, token: Token) -> io::Result<bool> {
        if let Some(connection) = self.connections.get_mut(&token) {
            // A client that never pauses can keep the server in this loop while other clients wait.
            // `server/connection.rs` shows how to limit the loop and continue later, by a timer that expires at once.
            while connection.step()? {}
        }
        Ok(false)
    }
}

impl Connection {
    /// Reads once if the buffer is empty, then writes once. Returns false when the client has shut down its side and
    /// all its bytes are sent back.
    fn step(&mut self) -> io::Result<bool> {
        if self.unsent.is_empty() {
            match self.stream.read(&mut self.buffer)? {
                0 => return Ok(false),
                count => self.unsent = 0..count,
            }
        }
        self.unsent.start += self.stream.write(&self.buffer[self.unsent.clone()])?;
        Ok(true)
    }

    /// Returns the direction that the next step uses first.
    fn interest(&self) -> Interest {
        match self.unsent.is_empty() {
            true => Interest::READABLE,
            false => Interest::WRITABLE,
        }
    }
}

/// Runs the clients, which block: each has two threads.
fn run_clients(addr: SocketAddr) -> io::Result<()> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| run_client(addr))).collect();
        clients.into_iter().try_for_each(join)
    })
}

fn run_client(addr: SocketAddr) -> io::Result<()> {
    let stream = net::TcpStream::connect(addr)?;
    let bytes: Vec<u8> = (0..BYTES).map(|number| number as u8).collect();
    let mut echo = Vec::new();
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            (&stream).write_all(&bytes)?;
            stream.shutdown(Shutdown::Write)
        });
        // Read late, so that all buffers on the way fill and the server has to wait for this client.
        thread::sleep(Duration::from_millis(100));
        (&stream).read_to_end(&mut echo)?;
        join(sender)
    })?;
    match echo == bytes {
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::InvalidData, "the received bytes differ from the sent ones")),
    }
}

/// Returns the result of a thread. If the thread panicked, this panics too.
fn join(thread: ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}
