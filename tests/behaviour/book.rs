//! The names of the book: a reactor and an executor joined by a channel, as its programs are made, and what becomes of
//! a closed loop.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::sync::mpsc::{self, Receiver};
use std::sync::Barrier;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use minimio::book::{Events, Interests, Poll, TcpStream, Token};

use crate::server::{Background, Limits, Server};
use crate::support::{loopback, SHORT_WAIT, WAIT_LIMIT};

const READ: Interests = Interests::READABLE;

/// The longest that anything is waited for, in the book's unit.
fn patience() -> Option<i32> {
    Some(WAIT_LIMIT.as_millis() as i32)
}

/// The reactor: a thread that waits, and hands on what is ready. It says how its loop has ended.
fn reactor(mut poll: Poll) -> (Receiver<Token>, JoinHandle<io::Error>) {
    let (ready, executor) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut events = Events::with_capacity(1024);
        loop {
            match poll.poll(&mut events, patience()) {
                Ok(0) => panic!("nothing happened within {WAIT_LIMIT:?}"),
                Ok(count) => assert_eq!(count, events.len()),
                Err(err) => return err,
            }
            for event in &events {
                ready.send(event.id()).unwrap();
            }
        }
    });
    (executor, thread)
}

fn delayed_server() -> Background {
    Background::start(Server::bind(loopback(), Limits::default(), io::sink()).unwrap()).unwrap()
}

/// A request that is on its way. The server ends the connection with its answer.
fn request(server: &Background, delay: u32, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    let head = format!("GET /{delay}/{text} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A stream that has something to read.
fn ready_stream() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"x").unwrap();
    (stream, peer)
}

fn is_closed<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().kind() == ErrorKind::Interrupted
}

#[test]
fn an_executor_reads_what_the_reactor_says_is_answered() {
    let server = delayed_server();
    let poll = Poll::new().unwrap();
    let registrator = poll.registrator();
    let (executor, reactor) = reactor(poll);

    let mut stream = request(&server, 50, "hello");
    registrator.register(&mut stream, 10, READ).unwrap();
    assert_eq!(executor.recv(), Ok(10));
    assert!(answer(stream).ends_with("\r\n\r\nhello"));

    registrator.close_loop().unwrap();
    assert_eq!(reactor.join().unwrap().kind(), ErrorKind::Interrupted);
    assert!(executor.recv().is_err(), "the closing itself is no event");
}

#[test]
fn many_requests_wait_at_once_and_each_is_told_of_once() {
    let server = delayed_server();
    let poll = Poll::new().unwrap();
    let registrator = poll.registrator();
    let (executor, reactor) = reactor(poll);

    let mut streams = Vec::new();
    for (token, delay) in [(1, 150), (2, 0), (3, 100), (4, 50), (5, 100)] {
        let mut stream = request(&server, delay, &format!("number-{token}"));
        registrator.register(&mut stream, token, READ).unwrap();
        streams.push((token, Some(stream)));
    }
    for _ in 0..streams.len() {
        let token = executor.recv().unwrap();
        let (_, stream) = streams.iter_mut().find(|(name, _)| *name == token).expect("a token of ours");
        let stream = stream.take().expect("a stream is told of once");
        assert!(answer(stream).ends_with(&format!("number-{token}")));
    }
    registrator.close_loop().unwrap();
    reactor.join().unwrap();
    assert!(executor.recv().is_err(), "all was told");
}

#[test]
fn a_stream_that_was_told_of_is_silent_until_it_is_registered_again() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let (mut stream, mut peer) = ready_stream();
    poll.registrator().register(&mut stream, 1, READ).unwrap();
    assert_eq!(poll.poll(&mut events, patience()).unwrap(), 1);
    peer.write_all(b"y").unwrap();
    assert_eq!(poll.poll(&mut events, Some(SHORT_WAIT.as_millis() as i32)).unwrap(), 0);
    assert!(events.is_empty());
    poll.registrator().register(&mut stream, 2, READ).unwrap();
    assert_eq!(poll.poll(&mut events, patience()).unwrap(), 1);
    assert_eq!(events[0].id(), 2);
}

#[test]
fn a_stream_belongs_to_one_poll() {
    let (here, there) = (Poll::new().unwrap(), Poll::new().unwrap());
    let (mut stream, _peer) = ready_stream();
    here.registrator().register(&mut stream, 1, READ).unwrap();
    let taken = there.registrator().register(&mut stream, 1, READ).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_timeout_is_in_milliseconds_and_zero_does_not_wait() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    assert_eq!(poll.poll(&mut events, Some(0)).unwrap(), 0);
    let start = Instant::now();
    assert_eq!(poll.poll(&mut events, Some(SHORT_WAIT.as_millis() as i32)).unwrap(), 0);
    assert!((SHORT_WAIT..WAIT_LIMIT).contains(&start.elapsed()));
}

#[test]
fn no_timeout_and_a_negative_one_wait_until_something_happens() {
    for forever in [None, Some(-1), Some(i32::MIN)] {
        let mut poll = Poll::new().unwrap();
        let (mut stream, _peer) = ready_stream();
        let registrator = poll.registrator();
        let waiter = thread::spawn(move || {
            let mut events = Events::with_capacity(8);
            poll.poll(&mut events, forever).unwrap()
        });
        registrator.register(&mut stream, 1, READ).unwrap();
        assert_eq!(waiter.join().unwrap(), 1);
    }
}

#[test]
fn a_poll_brings_as_many_events_as_the_list_has_room_for() {
    let mut poll = Poll::new().unwrap();
    let mut streams: Vec<_> = (0..3).map(|_| ready_stream()).collect();
    for (token, (stream, _)) in (usize::MAX - 2..=usize::MAX).zip(&mut streams) {
        poll.registrator().register(stream, token, READ).unwrap();
    }
    assert_eq!(poll.poll(&mut Events::with_capacity(2), patience()).unwrap(), 2);
    assert_eq!(poll.poll(&mut Events::with_capacity(8), patience()).unwrap(), 1);
}

#[test]
fn a_list_without_room_is_refused() {
    let mut poll = Poll::new().unwrap();
    assert_eq!(poll.poll(&mut Events::new(), Some(0)).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_was_ready_when_the_loop_closed_is_told_before_its_end() {
    // The second name is the one that the closing has inside: it is the program's all the same.
    for token in [7, usize::MAX] {
        // One place, and many.
        for capacity in [1, 8] {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(capacity);
            let registrator = poll.registrator();
            let (mut one, _peer) = ready_stream();
            let (mut two, _peer) = ready_stream();
            registrator.register(&mut one, token, READ).unwrap();
            registrator.register(&mut two, token, READ).unwrap();
            registrator.close_loop().unwrap();
            let mut told = Vec::new();
            while told.len() < 2 {
                assert!(poll.poll(&mut events, patience()).unwrap() <= capacity);
                told.extend(events.iter().map(|event| event.id()));
            }
            assert_eq!(told, [token, token]);
            for timeout in [patience(), None, Some(0)] {
                assert!(is_closed(poll.poll(&mut events, timeout)));
                assert!(events.is_empty());
            }
        }
    }
}

#[test]
fn a_closed_loop_takes_no_registration_and_no_second_closing() {
    let poll = Poll::new().unwrap();
    let registrator = poll.registrator();
    let (mut stream, _peer) = ready_stream();
    registrator.close_loop().unwrap();
    assert!(is_closed(registrator.register(&mut stream, 1, READ)));
    assert!(is_closed(poll.registrator().close_loop()));
    // Nothing of it stays with the stream.
    Poll::new().unwrap().registrator().register(&mut stream, 1, READ).unwrap();
}

#[test]
fn a_dropped_poll_is_a_closed_loop() {
    let registrator = Poll::new().unwrap().registrator();
    let (mut stream, _peer) = ready_stream();
    assert!(is_closed(registrator.register(&mut stream, 1, READ)));
    assert!(is_closed(registrator.close_loop()));
}

#[test]
fn a_loop_is_closed_from_another_thread_while_it_waits() {
    let poll = Poll::new().unwrap();
    let registrator = poll.registrator();
    let (_executor, reactor) = reactor(poll);
    thread::spawn(move || registrator.close_loop().unwrap()).join().unwrap();
    assert_eq!(reactor.join().unwrap().kind(), ErrorKind::Interrupted);
}

/// Every registration is either before the closing, and told, or refused.
#[test]
fn registrations_that_race_the_closing_are_told_or_refused() {
    const THREADS: usize = 3;
    // The streams are told of again and again, each time by another loop.
    let mut streams: Vec<Vec<_>> = (0..THREADS).map(|_| (0..4).map(|_| ready_stream()).collect()).collect();
    for round in 0..500 {
        let poll = Poll::new().unwrap();
        let registrator = poll.registrator();
        let (executor, reactor) = reactor(poll);
        let start = Barrier::new(THREADS + 1);
        let register_one = |(token, (stream, _)): (Token, &mut (TcpStream, _))| {
            let result = registrator.register(stream, token, READ);
            result.map(|()| token).map_err(|err| assert_eq!(err.kind(), ErrorKind::Interrupted)).ok()
        };
        let register = |(thread, streams): (usize, &mut Vec<_>)| {
            start.wait();
            (10 * thread..).zip(streams).filter_map(register_one).collect::<Vec<_>>()
        };
        let registered: BTreeSet<Token> = thread::scope(|scope| {
            let threads: Vec<_> =
                streams.iter_mut().enumerate().map(|streams| scope.spawn(move || register(streams))).collect();
            start.wait();
            for _ in 0..round % 20 {
                thread::yield_now();
            }
            registrator.close_loop().unwrap();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(reactor.join().unwrap().kind(), ErrorKind::Interrupted);
        assert_eq!(executor.iter().collect::<BTreeSet<Token>>(), registered);
    }
}
