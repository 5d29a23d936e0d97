//! Requests over UDP, where some are lost: a timer brings back those that nobody has answered.
//!
//! ```text
//! cargo run --example udp
//! ```
//!
//! A datagram that is lost looks like one that is late. So the client waits for whatever comes first, the answer or its
//! timer, and these are two events of one poll. The server lives in the same loop, and loses on purpose.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use minimio::net::UdpSocket;
use minimio::{Events, Interest, Poll, Timer, Token};

const SERVER: Token = Token(0);
const CLIENT: Token = Token(1);
const TIMEOUT: Token = Token(2);

/// How often each request is lost on its way. The last one never arrives.
const LOSSES: [u32; 4] = [0, 1, 2, u32::MAX];

/// How often the client sends a request before it gives up.
const ATTEMPTS: u32 = 4;

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let mut server = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry().register(&mut server, SERVER, Interest::READABLE)?;
    let mut client = Client::new(&poll, server.local_addr()?)?;

    while !client.is_done() {
        match poll.poll(&mut events, None) {
            // A signal came, and nothing else.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                SERVER => serve(&server)?,
                CLIENT => client.receive()?,
                _ => client.time_out()?,
            }
        }
    }
    println!("Now try: lose the answers instead; then cargo run --example echo");
    Ok(())
}

/// A client with one request under way.
struct Client {
    socket: UdpSocket,
    timer: Timer,
    /// Which request, and how often it was sent.
    request: usize,
    attempt: u32,
}

impl Client {
    fn new(poll: &Poll, server: SocketAddr) -> io::Result<Client> {
        let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
        // From now on it receives only what the server sends.
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

    /// How long to wait for the answer: each time twice as long, lest a server that is slow gets even more to do.
    fn wait(&self) -> Duration {
        Duration::from_millis(20) * 2_u32.pow(self.attempt)
    }

    fn send(&mut self) -> io::Result<()> {
        self.attempt += 1;
        self.timer.set(self.wait())?;
        match self.socket.send(format!("{} {}", self.request, self.attempt).as_bytes()) {
            // No room for it? Then this is where it is lost, and the timer knows what to do.
            Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(()),
            result => result.map(drop),
        }
    }

    /// In edge mode, an event is told once: all that has come must be read now.
    fn receive(&mut self) -> io::Result<()> {
        while let Some((text, _)) = next_datagram(&self.socket)? {
            match parse(&text) {
                Some((request, attempt)) if request == self.request => {
                    println!("request {request}: answered at attempt {attempt}");
                    self.end_request()?;
                }
                // An answer that is late: another one was here before it, or nobody has waited any longer.
                _ => {}
            }
        }
        Ok(())
    }

    /// Timers stand before sockets in a batch of events, so this is never about a request that has just been answered.
    fn time_out(&mut self) -> io::Result<()> {
        print!("request {}: no answer within {} ms, ", self.request, self.wait().as_millis());
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

/// Sends back what has come, but for what is lost.
fn serve(server: &UdpSocket) -> io::Result<()> {
    while let Some((text, client)) = next_datagram(server)? {
        match parse(&text) {
            Some((request, attempt)) if LOSSES.get(request).map_or(false, |losses| attempt <= *losses) => {
                println!("request {request}: lost on the way");
            }
            // What finds no room is lost in earnest.
            _ => drop(server.send_to(text.as_bytes(), client)),
        }
    }
    Ok(())
}

/// The next datagram, and who has sent it. `None`: there is none for now, and an event will tell of the next.
fn next_datagram(socket: &UdpSocket) -> io::Result<Option<(String, SocketAddr)>> {
    let mut buffer = [0; 64];
    match socket.recv_from(&mut buffer) {
        Ok((length, sender)) => Ok(Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), sender))),
        Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(err) => Err(err),
    }
}

/// Which request this is, or answers, and which attempt at it.
fn parse(text: &str) -> Option<(usize, u32)> {
    let (request, attempt) = text.split_once(' ')?;
    Some((request.parse().ok()?, attempt.parse().ok()?))
}
