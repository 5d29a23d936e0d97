//! The program that the book builds its queue for: a reactor, which waits, and an executor, which knows what to do.
//!
//! ```text
//! cargo run --example book
//! ```
//!
//! The reactor has a thread of its own. All it does is wait for events and hand their tokens through a channel. The
//! executor receives a token, looks up the closure that was left under it, and runs it. So neither ever waits for one
//! particular answer, and a token is all that the two know of each other.
//!
//! The server is the delayed server of the other examples, in this process: no network is needed.

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

/// What is asked for: how many milliseconds the server waits, and what it answers then.
const REQUESTS: [(u32, &str); 4] = [(900, "fourth"), (300, "second"), (600, "third"), (0, "first")];

fn main() -> io::Result<()> {
    let server = Background::start(Server::bind(([127, 0, 0, 1], 0).into(), Limits::default(), io::sink())?)?;
    let poll = Poll::new()?;
    let registrator = poll.registrator();
    let (tokens, reactor) = start_reactor(poll);

    let start = Instant::now();
    let mut executor = Executor { tasks: HashMap::new() };
    for (token, (delay, text)) in REQUESTS.into_iter().enumerate() {
        let mut stream = send_request(server.addr(), delay, text)?;
        registrator.register(&mut stream, token, Interests::READABLE)?;
        println!("request {token} is on its way: wait {delay} ms, then say `{text}`");
        executor.spawn(token, move || {
            let answer = read_answer(stream)?;
            println!("request {token} is answered after {:4} ms: {answer}", start.elapsed().as_millis());
            Ok(())
        });
    }

    println!("\nThe executor waits for whatever is ready.\n");
    executor.run(&tokens, &registrator)?;
    reactor.join().unwrap_or_else(|_| Err(io::Error::new(ErrorKind::Other, "the reactor has panicked")))?;
    println!("\nFour answers, and the wait of the longest.");
    println!("Now try: a fifth request; then cargo run --example any_fd");
    Ok(())
}

/// The reactor. It ends when the loop is closed, or nobody wants its tokens any more.
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

/// What is left to do, by the token of the event that it waits for.
struct Executor {
    tasks: HashMap<Token, Task>,
}

impl Executor {
    fn spawn(&mut self, token: Token, task: impl FnOnce() -> io::Result<()> + 'static) {
        self.tasks.insert(token, Box::new(task));
    }

    /// Runs each task when its token comes. When none is left, the reactor may go home too.
    fn run(&mut self, tokens: &Receiver<Token>, registrator: &Registrator) -> io::Result<()> {
        while !self.tasks.is_empty() {
            let token = tokens.recv().map_err(|_| io::Error::new(ErrorKind::Other, "the reactor has gone"))?;
            if let Some(task) = self.tasks.remove(&token) {
                task()?;
            }
        }
        registrator.close_loop()
    }
}

/// Sends a request, after which the server is to hang up: so the end of the stream is the end of the answer.
fn send_request(server: SocketAddr, delay: u32, text: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    let request = format!("GET /{delay}/{text} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

fn read_answer(mut stream: TcpStream) -> io::Result<String> {
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response.lines().last().unwrap_or_default().to_owned())
}
