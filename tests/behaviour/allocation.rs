//! After the first rounds, no operation of an event loop allocates memory.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::signal::{Signal, Signals};
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::allocation_count::allocations;
use crate::support::raise::raise;
use crate::support::*;

const ROUNDS: usize = 100;

/// Runs `round` five times, and then checks that further rounds allocate nothing.
fn expect_no_allocation(what: &str, mut round: impl FnMut()) {
    (0..5).for_each(|_| round());
    let (count, ()) = allocations(|| (0..ROUNDS).for_each(|_| round()));
    assert_eq!(count, 0, "{what}: allocations in {ROUNDS} rounds");
}

/// Polls until an event of `token` is reported. Unlike `next_batch`, this does not allocate.
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
fn the_allocator_counts_allocations() {
    let (count, list) = allocations(|| vec![1, 2, 3]);
    assert_eq!((count, list.len()), (1, 3));
    let (count, ()) = allocations(|| drop(list));
    assert_eq!(count, 0);
}

#[test]
fn a_poll_without_events_allocates_nothing() {
    let (mut poll, mut events) = poll();
    expect_no_allocation("a timeout of zero", || poll.poll(&mut events, Some(Duration::ZERO)).unwrap());
    expect_no_allocation("10 µs", || poll.poll(&mut events, Some(Duration::from_micros(10))).unwrap());
}

#[test]
fn reading_and_writing_a_stream_allocates_nothing() {
    for mode in [Interest::edge, Interest::level] {
        let (mut poll, mut events) = poll();
        let (mut stream, mut peer) = registered_stream(&poll, Token(1), mode(READ));
        let mut buf = [0; 64];
        expect_no_allocation("a stream", || {
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
fn vectored_reads_and_writes_allocate_nothing() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, Token(1), READ);
    expect_no_allocation("pieces", || {
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
fn rearming_a_oneshot_source_allocates_nothing() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, Token(1), READ.oneshot());
    expect_no_allocation("oneshot", || {
        peer.write_all(b"x").unwrap();
        poll_until(&mut poll, &mut events, Token(1));
        stream.read_exact(&mut [0]).unwrap();
        poll.registry().reregister(&mut stream, Token(1), READ.oneshot()).unwrap();
    });
}

#[test]
fn sending_and_receiving_a_datagram_allocates_nothing() {
    let (mut poll, mut events) = poll();
    let mut socket = UdpSocket::bind(loopback()).unwrap();
    let addr = socket.local_addr().unwrap();
    let sender = UdpSocket::bind(loopback()).unwrap();
    poll.registry().register(&mut socket, Token(1), READ).unwrap();
    expect_no_allocation("a datagram", || {
        sender.send_to(b"ping", addr).unwrap();
        poll_until(&mut poll, &mut events, Token(1));
        assert_eq!(socket.recv_from(&mut [0; 8]).unwrap().0, 4);
        assert!(socket.recv_from(&mut [0; 8]).is_err());
    });
}

#[test]
fn connecting_and_accepting_allocates_nothing() {
    let (mut poll, mut events) = poll();
    let mut listener = TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    poll.registry().register(&mut listener, Token(1), READ).unwrap();
    expect_no_allocation("connect and accept", || {
        let _client = TcpStream::connect(addr).unwrap();
        poll_until(&mut poll, &mut events, Token(1));
        listener.accept().unwrap();
        assert!(listener.accept().is_err());
    });
}

#[test]
fn a_wake_allocates_nothing_in_either_thread() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), Token(1)).unwrap();
    expect_no_allocation("a wake by the polling thread", || {
        waker.wake().unwrap();
        poll_until(&mut poll, &mut events, Token(1));
    });

    let (request, requests) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut count = 0;
        while requests.recv().is_ok() {
            count += allocations(|| waker.wake().unwrap()).0;
        }
        // Dropping the waker would discard its last event, for which the other thread may still wait.
        (count, waker)
    });
    for _ in 0..ROUNDS {
        request.send(()).unwrap();
        let (count, ()) = allocations(|| poll_until(&mut poll, &mut events, Token(1)));
        assert_eq!(count, 0, "allocations in the polling thread");
    }
    drop(request);
    assert_eq!(thread.join().unwrap().0, 0, "allocations in the waking thread");
}

#[test]
fn timers_allocate_nothing() {
    let (mut poll, mut events) = poll();
    let mut timers: Vec<Timer> = (0..50).map(|_| Timer::new()).collect();
    for (i, timer) in timers.iter_mut().enumerate() {
        poll.registry().register(timer, Token(i), READ).unwrap();
    }
    expect_no_allocation("set, cancel and expire", || {
        for (i, timer) in timers.iter().enumerate() {
            timer.set(Duration::from_micros(i as u64)).unwrap();
        }
        timers.iter().step_by(2).for_each(Timer::cancel);
        poll_until(&mut poll, &mut events, Token(49));
    });
    timers.iter().for_each(Timer::cancel);
    timers[7].set_every(Duration::from_micros(50)).unwrap();
    expect_no_allocation("a period", || poll_until(&mut poll, &mut events, Token(7)));
}

#[test]
fn registering_a_source_again_allocates_nothing() {
    let (poll, _) = poll();
    let (mut stream, _peer) = stream_and_peer();
    let mut timer = Timer::new();
    expect_no_allocation("registrations", || {
        poll.registry().register(&mut stream, Token(1), READ).unwrap();
        poll.registry().reregister(&mut stream, Token(1), READ | Interest::WRITABLE).unwrap();
        poll.registry().deregister(&mut stream).unwrap();
        poll.registry().register(&mut timer, Token(2), READ).unwrap();
        poll.registry().deregister(&mut timer).unwrap();
    });
}

#[test]
fn a_signal_allocates_nothing_in_the_handler_and_when_it_is_received() {
    let (mut poll, mut events) = poll();
    let mut signals: Vec<Signals> = (0..10).map(|_| Signals::new(&[Signal::QUIT]).unwrap()).collect();
    for (i, signals) in signals.iter_mut().enumerate() {
        poll.registry().register(signals, Token(i), READ.level()).unwrap();
    }
    expect_no_allocation("a signal", || {
        raise(Signal::QUIT);
        for (i, signals) in signals.iter().enumerate() {
            poll_until(&mut poll, &mut events, Token(i));
            assert_eq!(signals.receive(), Some(Signal::QUIT));
            assert_eq!(signals.receive(), None);
        }
    });
}
