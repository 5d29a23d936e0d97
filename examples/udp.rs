//! Requests over UDP, some of which are lost. A timer repeats a request without a response.
//!
//! ```text
//! cargo run --example udp
//! ```
//!
//! The client cannot distinguish a lost datagram from a late one. So it waits for the response and for a timer, two
//! sources of one poll, and handles the first event. The server runs in the same loop, and drops some requests on
//! purpose.

mod arguments;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use minimio::net::UdpSocket;
use minimio::{Events, Interest, Poll, Timer, Token};

const SERVER: Token = Token(0);
const CLIENT: Token = Token(1);
const TIMEOUT: Token = Token(2);

/// How often the server drops each request. It drops the last request every time.
const LOSSES: [u32; 4] = [0, 1, 2, u32::MAX];

/// How many times the client sends a request before it gives up.
const ATTEMPTS: u32 = 4;

fn main() -> io::Result<()> {
    arguments::none("udp");
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let mut server = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry().register(&mut server, SERVER, Interest::READABLE)?;
    let mut client = Client::new(&poll, server.local_addr()?)?;

    while !client.is_done() {
        match poll.poll(&mut events, None) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                SERVER => serve(&server)?,
                CLIENT => client.receive()?,
                TIMEOUT => client.time_out()?,
                token => unreachable!("{token:?} is not registered"),
            }
        }
    }
    println!("Lost requests were sent again after longer waits; the last was given up.");
    println!("Now try: other LOSSES in examples/udp.rs; then cargo run --example echo");
    Ok(())
}

/// A client that sends one request at a time.
struct Client {
    socket: UdpSocket,
    timer: Timer,
    /// The number of the current request.
    request: usize,
    /// How many times the current request was sent.
    attempt: u32,
}

impl Client {
    fn new(poll: &Poll, server: SocketAddr) -> io::Result<Client> {
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
        // A connected UDP socket receives only datagrams from the server.
        socket.connect(server)?;
        let mut client = Client { socket, timer: Timer::new(), request: 0, attempt: 0 };
        poll.registry().register(&mut client.socket, CLIENT, Interest::READABLE)?;
        poll.registry().register(&mut client.timer, TIMEOUT, Interest::READABLE)?;
        client.send()?;
        Ok(client)
    }

    fn is_done(&self) -> bool {
        self.request == LOSSES.len()
    }

    /// Returns how long to wait for the response. Each attempt waits twice as long, so that a slow server does not
    /// receive even more requests.
    fn timeout(&self) -> Duration {
        Duration::from_millis(20) * 2_u32.pow(self.attempt)
    }

    fn send(&mut self) -> io::Result<()> {
        self.attempt += 1;
        self.timer.set(self.timeout())?;
        match self.socket.send(format!("{} {}", self.request, self.attempt).as_bytes()) {
            // The send buffer is full: the datagram is lost here, and the timer repeats it.
            Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(()),
            result => result.map(drop),
        }
    }

    /// Reads all responses. In edge mode, datagrams that are not read now are not reported again.
    fn receive(&mut self) -> io::Result<()> {
        while let Some((text, _)) = next_datagram(&self.socket)? {
            match parse(&text) {
                Some((request, attempt)) if request == self.request => {
                    println!("request {request}: answered at attempt {attempt}");
                    self.end_request()?;
                }
                // A late response: the request was answered by an earlier datagram, or was given up.
                _ => {}
            }
        }
        Ok(())
    }

    /// Repeats the current request, or gives it up. Timers come before sockets in a batch of events, so `receive` has
    /// not finished this request earlier in the same batch.
    fn time_out(&mut self) -> io::Result<()> {
        print!("request {}: no response within {} ms, ", self.request, self.timeout().as_millis());
        if self.attempt < ATTEMPTS {
            println!("sent again");
            self.send()
        } else {
            println!("given up");
            self.end_request()
        }
    }

    fn end_request(&mut self) -> io::Result<()> {
        self.timer.cancel();
        self.request += 1;
        self.attempt = 0;
        if self.is_done() {
            return Ok(());
        }
        self.send()
    }
}

/// Sends each datagram back, except those that are dropped according to `LOSSES`.
fn serve(server: &UdpSocket) -> io::Result<()> {
    while let Some((text, client)) = next_datagram(server)? {
        match parse(&text) {
            Some((request, attempt)) if LOSSES.get(request).map_or(false, |losses| attempt <= *losses) => {
                println!("request {request}: lost on the way");
            }
            // If the send buffer is full, the response really is lost.
            _ => drop(server.send_to(text.as_bytes(), client)),
        }
    }
    Ok(())
}

/// Returns the next datagram and its sender. `None`: no datagram is left, and an event reports the next one.
fn next_datagram(socket: &UdpSocket) -> io::Result<Option<(String, SocketAddr)>> {
    let mut buffer = [0; 64];
    match socket.recv_from(&mut buffer) {
        Ok((length, sender)) => Ok(Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), sender))),
        Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(err) => Err(err),
    }
}

/// Returns the request number and the attempt number in a request or response.
fn parse(text: &str) -> Option<(usize, u32)> {
    let (request, attempt) = text.split_once(' ')?;
    Some((request.parse().ok()?, attempt.parse().ok()?))
}
