//! An actor that connects to its own listeners and accepts the connections.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use minimio::net::{TcpListener, TcpStream};
use minimio::{Interest, Token};

use crate::actor::Actor;
use crate::support::{loopback, WAIT_LIMIT};

pub fn connections(actor: &mut Actor) {
    let mut accepted = 0;
    while !actor.run.is_over() {
        if !actor.may_connect() {
            actor.take_deliveries(Instant::now() + Duration::from_millis(5));
            continue;
        }
        let mut listener = TcpListener::bind(loopback()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (token, interest) = (actor.new_token(), actor.random_mode(Interest::READABLE));
        actor.registry.register(&mut listener, Token(token), interest).unwrap();
        let count = 1 + actor.random.below(3) as usize;
        actor.connections += count as u32;
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = TcpStream::connect(addr).unwrap();
            let (token, interest) = (actor.new_token(), actor.random_mode(Interest::WRITABLE));
            actor.registry.register(&mut client, Token(token), interest).unwrap();
            clients.push((client, token));
        }
        // The clients and the listener are reported in any order.
        let (mut streams, mut connected) = (Vec::new(), Vec::new());
        let deadline = Instant::now() + WAIT_LIMIT;
        while streams.len() < count || connected.len() < count {
            for delivery in actor.take_deliveries(deadline) {
                if clients.iter().any(|(_, token)| *token == delivery.token)
                    && delivery.writable
                    && !connected.contains(&delivery.token)
                {
                    connected.push(delivery.token);
                }
                if delivery.token != token {
                    continue;
                }
                loop {
                    match listener.accept() {
                        Ok((stream, _)) => streams.push(stream),
                        Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                        Err(err) => actor.run.fail(&format!("accept: {err}")),
                    }
                    if !interest.is_edge() {
                        break;
                    }
                }
                if interest.is_oneshot() && streams.len() < count {
                    actor.registry.reregister(&mut listener, Token(token), interest).unwrap();
                }
            }
            actor.run.check(Instant::now() < deadline, || {
                format!("of {count} connections, {} were accepted and {} reported", streams.len(), connected.len())
            });
        }
        accepted += count as u64;
        drop(listener);
        actor.record_deregistered(token);
        for (client, token) in clients {
            drop(client);
            actor.record_deregistered(token);
        }
    }
    actor.run.add("connections", accepted);
}
