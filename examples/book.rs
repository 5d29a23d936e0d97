//! The program that the book builds its queue for: a reactor, which waits for events, and an executor, which handles
//! them.
//!
//! ```text
//! cargo run --example book
//! ```
//!
//! The reactor runs on its own thread. It waits for events and sends their tokens through a channel. The executor
//! receives a token, looks up the closure stored under it, and runs the closure. Neither waits for one particular
//! response, and the token is all that they share.
//!
//! The server is the delayed server of the other examples. It runs in this process, so no network is needed.

mod arguments;
mod http;
mod server;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use minimio::book::{Events, Interests, Poll, Registrator, TcpStream, Token};
use server::{Background, Limits, Server};

/// The requests: how many milliseconds the server waits, and the text of its response.
const REQUESTS: [(u32, &str); 4] = [(900, "fourth"), (300, "second"), (600, "third"), (0, "first")];

fn main() -> io::Result<()> {
    arguments::none("book");
    let server = Background::start(Server::bind(([127, 0, 0, 1], 0).into(), Limits::default(), io::sink())?)?;
    let poll = Poll::new()?;
    let registrator = poll.registrator();
    let (tokens, reactor) = start_reactor(poll);

    let start = Instant::now();
    let mut executor = Executor { tasks: HashMap::new() };
    for (token, (delay, text)) in REQUESTS.into_iter().enumerate() {
        let stream = send_request(server.addr(), delay, text)?;
        registrator.register(&stream, token, Interests::READABLE)?;
        println!("request {token} sent: respond with `{text}` after {delay} ms");
        executor.spawn(token, move || {
            let response = read_response(stream)?;
            println!("request {token}: response after {:4} ms: {response}", start.elapsed().as_millis());
            Ok(())
        });
    }

    println!("\nThe executor handles the responses in the order in which they arrive.\n");
    executor.run(&tokens, &registrator)?;
    reactor.join().unwrap_or_else(|_| Err(io::Error::new(ErrorKind::Other, "the reactor has panicked")))?;
    println!("\nAll four responses took as long as the longest delay.");
    println!("Now try: more REQUESTS in examples/book.rs; then cargo run --example executor");
    Ok(())
}

/// Starts the reactor. It ends when the loop is closed (`Interrupted`), or when the receiver of the tokens is dropped.
fn start_reactor(mut poll: Poll) -> (Receiver<Token>, JoinHandle<io::Result<()>>) {
    let (sender, tokens) = mpsc::channel();
    let reactor = thread::spawn(move || {
        let mut events = Events::with_capacity(64);
        loop {
            match poll.poll(&mut events, None) {
                Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(()),
                result => result?,
            };
            for event in &events {
                if sender.send(event.id()).is_err() {
                    return Ok(());
                }
            }
        }
    });
    (tokens, reactor)
}

type Task = Box<dyn FnOnce() -> io::Result<()>>;

/// The tasks that are not done, by the token of the event that each waits for.
struct Executor {
    tasks: HashMap<Token, Task>,
}

impl Executor {
    fn spawn(&mut self, token: Token, task: impl FnOnce() -> io::Result<()> + 'static) {
        self.tasks.insert(token, Box::new(task));
    }

    /// Runs each task when its token arrives. Closes the loop when no task is left, which ends the reactor.
    fn run(&mut self, tokens: &Receiver<Token>, registrator: &Registrator) -> io::Result<()> {
        while !self.tasks.is_empty() {
            let token = tokens.recv().map_err(|_| io::Error::new(ErrorKind::Other, "the reactor has ended"))?;
            if let Some(task) = self.tasks.remove(&token) {
                task()?;
            }
        }
        registrator.close_loop()
    }
}

/// Sends a request with `Connection: close`, so the end of the stream is the end of the response.
fn send_request(server: SocketAddr, delay: u32, text: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    let request = format!("GET /{delay}/{text} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

fn read_response(mut stream: TcpStream) -> io::Result<String> {
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response.lines().last().unwrap_or_default().to_owned())
}
