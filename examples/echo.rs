//! An echo server for any number of clients, in level mode and in edge mode.
//!
//! ```text
//! cargo run --example echo
//! ```
//!
//! The modes differ in when an event comes, and so in what the server does about it:
//!
//! - *level*: with every poll, while the source is ready. The server does one turn; if there is more, the next event
//!   brings it back. But it must say what it waits for: bytes that it can't take now would be told again and again.
//! - *edge*: when the source becomes ready. The server says once that it waits for everything, and does turns until
//!   nothing is left to do: of what it leaves, nobody tells it again.
//!
//! Look at `serve_level` and `serve_edge`. All else is the same for both.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::ops::Range;
use std::panic;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use minimio::net::{TcpListener, TcpStream};
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

/// How many clients there are, and how many bytes each of them sends.
const CLIENTS: usize = 3;
const BYTES: usize = 8 * 1024 * 1024;

/// How many of a client's bytes the server holds. The others wait in the system's buffers, and if there is no room
/// either, the client waits.
const BUFFER: usize = 4 * 1024;

// The tokens of connections count from 0, these from the other end.
const ACCEPT: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

fn main() -> io::Result<()> {
    println!("{CLIENTS} clients send {} MiB each, and get them back.", BYTES / 1024 / 1024);
    for mode in [Mode::Level, Mode::Edge] {
        let Counts { polls, events, changes } = show(mode)?;
        println!("{mode:?}: {polls} polls brought {events} events, and interest changed {changes} times.");
    }
    println!("Now try: a BUFFER of 64 KiB; then cargo run --example executor");
    Ok(())
}

/// Serves here, until the clients have finished, which are threads.
fn show(mode: Mode) -> io::Result<Counts> {
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
    /// Which part of the buffer is still to be sent back.
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

    /// Serves until it is told to stop, and then those that are still there.
    fn run(mut self) -> io::Result<Counts> {
        let mut events = Events::with_capacity(64);
        let mut is_stopped = false;
        while !is_stopped || !self.connections.is_empty() {
            match self.poll.poll(&mut events, None) {
                // A signal came, and nothing else.
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

    /// Accepts whoever waits for it. The listener is in edge mode here and there: in level mode, each poll would come
    /// back at once while there is no descriptor to accept with.
    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(()),
                // One that came and went says nothing about the next.
                Err(err) if err.kind() == ErrorKind::ConnectionAborted => {}
                // There are no descriptors left. When there are, that is no edge, so a timer brings us back.
                Err(_) => return self.retry.set(Duration::from_millis(100)),
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream) {
        // No two clients ever have the same token: an event for one that is gone finds nobody.
        let token = Token(self.accepted);
        self.accepted += 1;
        let interest = match self.mode {
            Mode::Level => Interest::READABLE.level(),
            Mode::Edge => Interest::READABLE | Interest::WRITABLE,
        };
        // If the system has no room to watch it, its client sees it close.
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
            // The next event brings us back.
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            // A client has got all its bytes back, or has failed, which concerns nobody else. What is dropped is
            // closed, and registered no more.
            Ok(false) | Err(_) => drop(self.connections.remove(&token)),
        }
    }

    fn serve_level(&mut self, token: Token) -> io::Result<bool> {
        match self.connections.get_mut(&token) {
            Some(connection) => {
                let old = connection.interest();
                let result = connection.turn();
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
            // A client that never pauses can keep us here while others wait. `server/connection.rs` shows how to leave,
            // and to come back without an event.
            while connection.turn()? {}
        }
        Ok(false)
    }
}

impl Connection {
    /// Reads if nothing is left to send, and sends; each as much as can be had at once. False: the client has sent its
    /// last, and has got everything back.
    fn turn(&mut self) -> io::Result<bool> {
        if self.unsent.is_empty() {
            match self.stream.read(&mut self.buffer)? {
                0 => return Ok(false),
                count => self.unsent = 0..count,
            }
        }
        self.unsent.start += self.stream.write(&self.buffer[self.unsent.clone()])?;
        Ok(true)
    }

    /// What the next turn begins with.
    fn interest(&self) -> Interest {
        match self.unsent.is_empty() {
            true => Interest::READABLE,
            false => Interest::WRITABLE,
        }
    }
}

/// Clients may block: each has a thread, or two.
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
        // It is slow to read, so that everybody else runs out of room and has to wait.
        thread::sleep(Duration::from_millis(100));
        (&stream).read_to_end(&mut echo)?;
        join(sender)
    })?;
    match echo == bytes {
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::InvalidData, "what came back is not what was sent")),
    }
}

/// What a thread has returned; its panic becomes ours.
fn join(thread: ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}
