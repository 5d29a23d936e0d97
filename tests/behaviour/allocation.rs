//! After a warm-up, nothing that runs in an event loop asks for memory.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::counting::allocations;
use crate::support::*;

const READ: Interest = Interest::READABLE;
const ROUNDS: usize = 100;

/// Runs `round` a few times to warm up, then counts what many more ask for, which must be nothing.
fn expect_none(what: &str, mut round: impl FnMut()) {
    (0..5).for_each(|_| round());
    let (count, ()) = allocations(|| (0..ROUNDS).for_each(|_| round()));
    assert_eq!(count, 0, "{what}: allocations in {ROUNDS} rounds");
}

/// `next_batch` without its list.
fn poll_until(poll: &mut Poll, events: &mut Events, token: Token) {
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        poll.poll(events, Some(WAIT_LIMIT)).unwrap();
        if events.iter().any(|event| event.token() == token) {
            return;
        }
        assert!(Instant::now() < end, "no event of {token:?}");
    }
}

#[test]
fn the_allocator_counts() {
    let (count, list) = allocations(|| vec![1, 2, 3]);
    assert_eq!((count, list.len()), (1, 3));
    let (count, ()) = allocations(|| drop(list));
    assert_eq!(count, 0);
}

#[test]
fn polling_for_nothing_asks_for_no_memory() {
    let (mut poll, mut events) = poll();
    expect_none("zero", || poll.poll(&mut events, Some(Duration::ZERO)).unwrap());
    expect_none("a while", || poll.poll(&mut events, Some(Duration::from_micros(10))).unwrap());
}

#[test]
fn a_conversation_asks_for_no_memory() {
    for mode in [Interest::edge, Interest::level] {
        let (mut poll, mut events) = poll();
        let (mut stream, mut peer) = registered_stream(&poll, Token(1), mode(READ));
        let mut buf = [0; 64];
        expect_none("a stream", || {
            peer.write_all(b"question").unwrap();
            poll_until(&mut poll, &mut events, Token(1));
            let count = stream.read(&mut buf).unwrap();
            assert_eq!(stream.read(&mut buf[count..]).unwrap_err().kind(), ErrorKind::WouldBlock);
            stream.write_all(&buf[..count]).unwrap();
            peer.read_exact(&mut buf[..count]).unwrap();
        });
    }
}

#[test]
fn reading_and_writing_in_pieces_asks_for_no_memory() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, Token(1), READ);
    expect_none("pieces", || {
        peer.write_all(b"question").unwrap();
        poll_until(&mut poll, &mut events, Token(1));
        let (mut head, mut tail) = ([0; 4], [0; 4]);
        stream.peek(&mut head).unwrap();
        let count = stream.read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)]).unwrap();
        assert_eq!((count, &head, &tail), (8, b"ques", b"tion"));
        assert_eq!(stream.write_vectored(&[IoSlice::new(b"ans"), IoSlice::new(b"wer")]).unwrap(), 6);
        peer.read_exact(&mut [0; 6]).unwrap();
    });
}

#[test]
fn arming_a_oneshot_source_again_asks_for_no_memory() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, Token(1), READ.oneshot());
    expect_none("oneshot", || {
        peer.write_all(b"x").unwrap();
        poll_until(&mut poll, &mut events, Token(1));
        stream.read_exact(&mut [0]).unwrap();
        poll.registry().reregister(&mut stream, Token(1), READ.oneshot()).unwrap();
    });
}

#[test]
fn a_datagram_asks_for_no_memory() {
    let (mut poll, mut events) = poll();
    let mut socket = UdpSocket::bind(loopback()).unwrap();
    let addr = socket.local_addr().unwrap();
    let sender = UdpSocket::bind(loopback()).unwrap();
    poll.registry().register(&mut socket, Token(1), READ).unwrap();
    expect_none("a datagram", || {
        sender.send_to(b"ping", addr).unwrap();
        poll_until(&mut poll, &mut events, Token(1));
        assert_eq!(socket.recv_from(&mut [0; 8]).unwrap().0, 4);
        assert!(socket.recv_from(&mut [0; 8]).is_err());
    });
}

#[test]
fn connecting_and_accepting_asks_for_no_memory() {
    let (mut poll, mut events) = poll();
    let mut listener = TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    poll.registry().register(&mut listener, Token(1), READ).unwrap();
    expect_none("connect and accept", || {
        let _client = TcpStream::connect(addr).unwrap();
        poll_until(&mut poll, &mut events, Token(1));
        listener.accept().unwrap();
        assert!(listener.accept().is_err());
    });
}

#[test]
fn waking_asks_neither_side_for_memory() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), Token(1)).unwrap();
    expect_none("a wake of one's own", || {
        waker.wake().unwrap();
        poll_until(&mut poll, &mut events, Token(1));
    });

    let (ask, asked) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut count = 0;
        while asked.recv().is_ok() {
            count += allocations(|| waker.wake().unwrap()).0;
        }
        // The waker must live for as long as its last event is awaited.
        (count, waker)
    });
    for _ in 0..ROUNDS {
        ask.send(()).unwrap();
        let (count, ()) = allocations(|| poll_until(&mut poll, &mut events, Token(1)));
        assert_eq!(count, 0, "the poller's side");
    }
    drop(ask);
    assert_eq!(thread.join().unwrap().0, 0, "the waker's side");
}

#[test]
fn timers_ask_for_no_memory() {
    let (mut poll, mut events) = poll();
    let mut timers: Vec<Timer> = (0..50).map(|_| Timer::new()).collect();
    for (i, timer) in timers.iter_mut().enumerate() {
        poll.registry().register(timer, Token(i), READ).unwrap();
    }
    expect_none("set, cancel and expire", || {
        for (i, timer) in timers.iter().enumerate() {
            timer.set(Duration::from_micros(i as u64)).unwrap();
        }
        timers.iter().step_by(2).for_each(Timer::cancel);
        poll_until(&mut poll, &mut events, Token(49));
    });
    timers.iter().for_each(Timer::cancel);
    timers[7].set_every(Duration::from_micros(50)).unwrap();
    expect_none("a period", || poll_until(&mut poll, &mut events, Token(7)));
}

#[test]
fn a_registration_asks_for_no_memory_once_there_was_one() {
    let (poll, _) = poll();
    let (mut stream, _peer) = stream_and_peer();
    let mut timer = Timer::new();
    expect_none("registrations", || {
        poll.registry().register(&mut stream, Token(1), READ).unwrap();
        poll.registry().reregister(&mut stream, Token(1), READ | Interest::WRITABLE).unwrap();
        poll.registry().deregister(&mut stream).unwrap();
        poll.registry().register(&mut timer, Token(2), READ).unwrap();
        poll.registry().deregister(&mut timer).unwrap();
    });
}
