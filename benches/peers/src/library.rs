use std::hint::black_box;
use std::io::{Read, Write};
use std::time::Duration;

use library::net::{TcpListener, TcpStream};
use library::{Events, Interest, Poll, Token};

use crate::BATCH;

fn pair() -> (TcpStream, TcpStream) {
    let (one, other) = crate::pair();
    (TcpStream::from_std(one), TcpStream::from_std(other))
}

pub fn empty(rounds: usize) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(256);
    for _ in 0..rounds {
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    }
}

pub fn ping_pong(rounds: usize) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(256);
    let (mut ping, mut pong) = pair();
    poll.registry().register(&mut ping, Token(0), Interest::READABLE).unwrap();
    poll.registry().register(&mut pong, Token(1), Interest::READABLE).unwrap();
    let mut buf = [0; 64];
    let mut left = 2 * rounds;
    ping.write_all(b"x").unwrap();
    while left > 0 {
        poll.poll(&mut events, None).unwrap();
        for event in events.iter().filter(|event| event.is_readable()) {
            let stream = if event.token() == Token(0) { &mut ping } else { &mut pong };
            let count = stream.read(&mut buf).unwrap();
            assert_eq!(stream.write(&buf[..count]).unwrap(), count);
            left -= 1;
        }
    }
}

pub fn batch(rounds: usize) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(256);
    let mut pairs: Vec<_> = (0..BATCH).map(|_| pair()).collect();
    for (i, (stream, _)) in pairs.iter_mut().enumerate() {
        poll.registry().register(stream, Token(i), Interest::READABLE).unwrap();
    }
    let mut buf = [0; 64];
    for _ in 0..rounds / BATCH {
        for (_, peer) in &mut pairs {
            assert_eq!(peer.write(b"x").unwrap(), 1);
        }
        let mut left = BATCH;
        while left > 0 {
            poll.poll(&mut events, None).unwrap();
            for event in events.iter().filter(|event| event.is_readable()) {
                left -= pairs[event.token().0].0.read(&mut buf).unwrap();
            }
        }
    }
}

pub fn register(rounds: usize) {
    let poll = Poll::new().unwrap();
    let (mut stream, _peer) = pair();
    for _ in 0..rounds {
        poll.registry().register(&mut stream, Token(0), Interest::READABLE).unwrap();
        poll.registry().reregister(&mut stream, Token(0), Interest::WRITABLE).unwrap();
        poll.registry().deregister(&mut stream).unwrap();
    }
}

pub fn connect(rounds: usize) {
    let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    for _ in 0..rounds {
        let client = TcpStream::connect(addr).unwrap();
        black_box((client, listener.accept().unwrap()));
    }
}
