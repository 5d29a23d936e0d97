//! An actor that sends and receives through TCP streams, and registers and drops them.

use std::io::{ErrorKind, Read, Write};
use std::net;

use minimio::net::TcpStream;
use minimio::{Interest, Token};

use crate::actor::Actor;
use crate::spawn;
use crate::support::stream_and_peer;

/// A stream of this crate and its peer, a blocking stream of the standard library.
struct Connection {
    stream: TcpStream,
    peer: net::TcpStream,
    /// The token and the interest that `stream` is registered with.
    registration: Option<(usize, Interest)>,
    /// The number of bytes that the peer has sent.
    sent: u64,
    /// The number of those bytes that `stream` has received.
    received: u64,
}

/// Returns the byte that is sent at this position of every connection.
fn byte_at(position: u64) -> u8 {
    (position ^ (position >> 8) ^ (position >> 16)) as u8
}

fn bytes_at(position: u64, count: usize) -> Vec<u8> {
    (position..).take(count).map(byte_at).collect()
}

impl Connection {
    fn new() -> Connection {
        let (stream, peer) = stream_and_peer();
        Connection { stream, peer, registration: None, sent: 0, received: 0 }
    }

    /// Registers or reregisters the stream with a new token, in a random mode.
    fn register(&mut self, actor: &mut Actor, readiness: Interest) -> (usize, Interest) {
        let (token, interest) = (actor.new_token(), actor.random_mode(readiness));
        match self.registration {
            None => actor.registry.register(&mut self.stream, Token(token), interest).unwrap(),
            Some((old, _)) => {
                actor.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
                actor.record_deregistered(old);
            }
        }
        self.registration = Some((token, interest));
        (token, interest)
    }

    fn deregister(&mut self, actor: &mut Actor) {
        if let Some((token, _)) = self.registration.take() {
            actor.registry.deregister(&mut self.stream).unwrap();
            actor.record_deregistered(token);
        }
    }

    /// Keeps a registration that includes `READABLE` and is not oneshot. Otherwise, registers the stream for reading.
    fn register_readable(&mut self, actor: &mut Actor) -> (usize, Interest) {
        match self.registration {
            Some((token, interest)) if interest.is_readable() && !interest.is_oneshot() => (token, interest),
            _ => self.register(actor, Interest::READABLE),
        }
    }

    /// The peer sends a few bytes, before or after the stream is registered. Then the stream reads them.
    fn send_few(&mut self, actor: &mut Actor) {
        let registration = actor.random.one_in(2).then(|| self.register_readable(actor));
        let count = 1 + actor.random.below(8000) as usize;
        self.peer.write_all(&bytes_at(self.sent, count)).unwrap();
        self.sent += count as u64;
        let registration = match registration {
            Some(registration) => registration,
            // The stream is ready when it is registered, or when its mode changes.
            None => self.register(actor, Interest::READABLE),
        };
        self.read_all(actor, registration);
    }

    /// The peer sends many bytes on another thread, while the stream reads them.
    fn send_many(&mut self, actor: &mut Actor) {
        let registration = self.register_readable(actor);
        let mut peer = self.peer.try_clone().unwrap();
        let (from, count) = (self.sent, 1 + actor.random.below(400_000) as usize);
        self.sent += count as u64;
        let sender = spawn("sending", move || peer.write_all(&bytes_at(from, count)).unwrap());
        self.read_all(actor, registration);
        sender.join().unwrap();
    }

    /// Reads after each readable event, until all bytes have arrived that were sent.
    fn read_all(&mut self, actor: &mut Actor, (token, interest): (usize, Interest)) {
        let mut buf = [0; 4096];
        while self.received < self.sent {
            actor.wait_for(token, "bytes are lost", |delivery| delivery.readable);
            loop {
                let len = 1 + actor.random.below(buf.len() as u64) as usize;
                match self.stream.read(&mut buf[..len]) {
                    Ok(count) => {
                        let expected = bytes_at(self.received, count);
                        actor.run.check(count > 0 && buf[..count] == expected, || "wrong bytes have arrived".into());
                        self.received += count as u64;
                        // After a short read, a caller may assume that the stream is drained.
                        if count < len && actor.random.one_in(2) {
                            break;
                        }
                    }
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => actor.run.fail(&format!("read: {err}")),
                }
                if !interest.is_edge() {
                    break;
                }
            }
            if interest.is_oneshot() && self.received < self.sent {
                actor.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
            }
        }
        actor.run.check(self.received == self.sent, || "more bytes have arrived than were sent".into());
    }

    /// The stream writes after each writable event, while another thread reads at the peer.
    fn write_many(&mut self, actor: &mut Actor) {
        let (token, interest) = self.register(actor, Interest::WRITABLE);
        let count = 1 + actor.random.below(400_000) as usize;
        let mut peer = self.peer.try_clone().unwrap();
        let reader = spawn("receiving", move || {
            let mut all = vec![0; count];
            peer.read_exact(&mut all).unwrap();
            all
        });
        let all = bytes_at(7, count);
        let mut written = 0;
        while written < count {
            actor.wait_for(token, "the stream is not reported as writable", |delivery| delivery.writable);
            loop {
                match self.stream.write(&all[written..]) {
                    Ok(more) => written += more,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => actor.run.fail(&format!("write: {err}")),
                }
                if written == count {
                    break;
                }
            }
            if interest.is_oneshot() && written < count {
                actor.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
            }
        }
        actor.run.check(reader.join().unwrap() == all, || "wrong bytes have arrived at the peer".into());
    }

    /// The peer closes the connection. The end of the stream is reported, and then read.
    fn close_peer(mut self, actor: &mut Actor) {
        let (token, interest) = self.register(actor, Interest::READABLE);
        drop(self.peer);
        loop {
            actor.wait_for(token, "the end of the stream is not reported", |delivery| delivery.readable);
            match self.stream.read(&mut [0; 16]) {
                Ok(0) => break,
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                other => actor.run.fail(&format!("read after the peer has closed: {other:?}")),
            }
            if interest.is_oneshot() {
                actor.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
            }
        }
        drop(self.stream);
        actor.record_deregistered(token);
    }
}

pub fn streams(actor: &mut Actor) {
    let mut connections: Vec<_> = (0..4).map(|_| Connection::new()).collect();
    let mut received = 0;
    while !actor.run.is_over() {
        let n = actor.random.below(connections.len() as u64) as usize;
        let connection = &mut connections[n];
        match actor.random.below(16) {
            0..=6 => connection.send_few(actor),
            7 => connection.send_many(actor),
            8 => connection.write_many(actor),
            9 => drop(connection.register(actor, Interest::READABLE)),
            10 => drop(connection.register(actor, Interest::READABLE | Interest::WRITABLE)),
            11 => connection.deregister(actor),
            12 => {
                // Bytes that arrive while the stream is not registered are reported after it is registered.
                connection.deregister(actor);
                let count = 1 + actor.random.below(1000) as usize;
                connection.peer.write_all(&bytes_at(connection.sent, count)).unwrap();
                connection.sent += count as u64;
                let registration = connection.register(actor, Interest::READABLE);
                connection.read_all(actor, registration);
            }
            13 if actor.may_connect() => {
                let old = std::mem::replace(connection, Connection::new());
                received += old.received;
                old.close_peer(actor);
            }
            14 if actor.may_connect() => {
                // The stream is dropped while it is registered, perhaps with an unread byte.
                let mut old = std::mem::replace(connection, Connection::new());
                received += old.received;
                if actor.random.one_in(2) {
                    old.peer.write_all(b"!").unwrap();
                }
                drop(old.stream);
                old.registration.into_iter().for_each(|(token, _)| actor.record_deregistered(token));
            }
            _ => {}
        }
    }
    received += connections.iter().map(|connection| connection.received).sum::<u64>();
    actor.run.add("bytes", received);
}
