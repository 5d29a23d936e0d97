//! An actor that receives datagrams.

use std::io::ErrorKind;
use std::net;

use minimio::net::UdpSocket;
use minimio::{Interest, Token};

use crate::actor::Actor;
use crate::support::loopback;

pub fn datagrams(actor: &mut Actor) {
    let sender = net::UdpSocket::bind(loopback()).unwrap();
    let mut received = 0;
    while !actor.run.is_over() {
        let mut receiver = UdpSocket::bind(loopback()).unwrap();
        let addr = receiver.local_addr().unwrap();
        for _ in 0..actor.random.below(20) {
            let (token, interest) = (actor.new_token(), actor.random_mode(Interest::READABLE));
            actor.registry.register(&mut receiver, Token(token), interest).unwrap();
            // The system drops none of so few datagrams.
            let count = 1 + actor.random.below(8) as u8;
            for n in 0..count {
                sender.send_to(&[n; 100], addr).unwrap();
            }
            let mut next = 0;
            while next < count {
                actor.wait_for(token, "datagrams are lost", |delivery| delivery.readable);
                loop {
                    let mut buf = [0; 200];
                    match receiver.recv_from(&mut buf) {
                        Ok((len, _)) => {
                            actor.run.check(buf[..len] == [next; 100], || format!("this is not datagram {next}"));
                            next += 1;
                        }
                        Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                        Err(err) => actor.run.fail(&format!("recv_from: {err}")),
                    }
                    if !interest.is_edge() {
                        break;
                    }
                }
                if interest.is_oneshot() && next < count {
                    actor.registry.reregister(&mut receiver, Token(token), interest).unwrap();
                }
            }
            received += u64::from(count);
            actor.registry.deregister(&mut receiver).unwrap();
            actor.record_deregistered(token);
        }
    }
    actor.run.add("datagrams", received);
}
