// Included twice, with `library` being either crate. Each function does its work so many times, and returns how many
// events that took.

use std::io::{ErrorKind, Read, Write};
use std::net;
use std::sync::mpsc;
use std::thread;

use library::net::{TcpListener, TcpStream, UdpSocket};
use library::{Events, Interest, Poll, Token};

const READ: Interest = Interest::READABLE;

fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    stream.set_nodelay(true).unwrap();
    peer.set_nodelay(true).unwrap();
    (TcpStream::from_std(stream), peer)
}

fn echo(count: usize, interest: Interest, mut serve: impl FnMut(&mut TcpStream) -> usize) -> usize {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(64);
    let (mut stream, mut peer) = pair();
    poll.registry().register(&mut stream, Token(0), interest).unwrap();
    let (mut seen, mut buf) = (0, [0; 64]);
    for _ in 0..count {
        peer.write_all(&[7; 64]).unwrap();
        let mut echoed = 0;
        while echoed < 64 {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                seen += 1;
                if event.is_readable() {
                    echoed += serve(&mut stream);
                }
            }
        }
        peer.read_exact(&mut buf).unwrap();
    }
    seen
}

/// Reads until it would block, and answers.
fn drain(stream: &mut TcpStream) -> usize {
    let mut buf = [0; 64];
    let mut total = 0;
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return total,
            Ok(count) => {
                stream.write_all(&buf[..count]).unwrap();
                total += count;
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => return total,
            Err(err) => panic!("read: {err}"),
        }
    }
}

pub fn drained(count: usize) -> usize {
    echo(count, READ, drain)
}

pub fn both_directions(count: usize) -> usize {
    echo(count, READ | Interest::WRITABLE, drain)
}

/// Into a buffer that is larger than the message. On Windows, mio hangs with it: there the second read is its due.
pub fn one_read(count: usize) -> usize {
    let spare = std::any::type_name::<TcpStream>().starts_with("mio");
    echo(count, READ, |stream| {
        let mut buf = [0; 128];
        let count = stream.read(&mut buf).unwrap();
        if spare {
            assert!(stream.read(&mut buf).is_err());
        }
        stream.write_all(&buf[..count]).unwrap();
        count
    })
}

/// Another thread reads and writes, as it does in a runtime with several.
pub fn read_elsewhere(count: usize) -> usize {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(64);
    let (mut stream, mut peer) = pair();
    poll.registry().register(&mut stream, Token(0), READ).unwrap();
    let waker = library::Waker::new(poll.registry(), Token(1)).unwrap();
    let (tell, told) = mpsc::channel();
    let reader = thread::spawn(move || {
        while told.recv().is_ok() {
            drain(&mut stream);
        }
    });
    let writer = thread::spawn(move || {
        for _ in 0..count {
            peer.write_all(&[7; 64]).unwrap();
            peer.read_exact(&mut [0; 64]).unwrap();
        }
        waker.wake().unwrap();
        // They must live until all is told.
        (peer, waker)
    });
    let mut seen = 0;
    'over: loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            if event.token() == Token(1) {
                break 'over;
            }
            seen += 1;
            tell.send(()).unwrap();
        }
    }
    drop(tell);
    writer.join().unwrap();
    reader.join().unwrap();
    seen
}

pub fn batch(count: usize) -> usize {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(64);
    let mut pairs: Vec<_> = (0..64).map(|_| pair()).collect();
    for (i, (stream, _)) in pairs.iter_mut().enumerate() {
        poll.registry().register(stream, Token(i), READ).unwrap();
    }
    let mut seen = 0;
    for _ in 0..count / 64 {
        for (_, peer) in &mut pairs {
            peer.write_all(&[7; 64]).unwrap();
        }
        let mut left = 64 * 64;
        while left > 0 {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                seen += 1;
                left -= drain(&mut pairs[event.token().0].0);
            }
        }
        for (_, peer) in &mut pairs {
            peer.read_exact(&mut [0; 64]).unwrap();
        }
    }
    seen
}

pub fn udp(count: usize) -> usize {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(64);
    let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let peer = net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(socket.local_addr().unwrap()).unwrap();
    poll.registry().register(&mut socket, Token(0), READ | Interest::WRITABLE).unwrap();
    let (mut seen, mut buf) = (0, [0; 64]);
    for _ in 0..count {
        peer.send(&[7; 64]).unwrap();
        let mut served = false;
        while !served {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                seen += 1;
                while let (true, Ok((count, from))) = (event.is_readable(), socket.recv_from(&mut buf)) {
                    socket.send_to(&buf[..count], from).unwrap();
                    served = true;
                }
            }
        }
        peer.recv(&mut buf).unwrap();
    }
    seen
}

/// A connection is made, registered, told to be gone, and closed.
pub fn accept(count: usize) -> usize {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(64);
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    poll.registry().register(&mut listener, Token(0), READ).unwrap();
    let mut seen = 0;
    for _ in 0..count {
        let mut peer = Some(net::TcpStream::connect(addr).unwrap());
        let mut stream = None;
        'gone: loop {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                seen += 1;
                if event.token() == Token(0) {
                    while let Ok((mut accepted, _)) = listener.accept() {
                        poll.registry().register(&mut accepted, Token(1), READ).unwrap();
                        stream = Some(accepted);
                        peer = None;
                    }
                } else if let Some(0) = stream.as_mut().and_then(|stream| stream.read(&mut [0; 8]).ok()) {
                    break 'gone;
                }
            }
        }
        assert!(peer.is_none());
    }
    seen
}

pub fn register(count: usize) -> usize {
    let poll = Poll::new().unwrap();
    let (mut stream, _peer) = pair();
    for _ in 0..count {
        poll.registry().register(&mut stream, Token(0), READ).unwrap();
        poll.registry().reregister(&mut stream, Token(0), Interest::WRITABLE).unwrap();
        poll.registry().deregister(&mut stream).unwrap();
    }
    0
}
