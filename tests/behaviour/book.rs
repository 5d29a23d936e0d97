//! `minimio::book`: the book's programs, the events that a reactor reports, and closing the event loop.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::Barrier;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use minimio::book::{Events, Interests, Poll, TcpStream, Token};

mod node;
mod programs;

use crate::server::{Background, Limits, Server};
use crate::support::{loopback, SHORT_WAIT, WAIT_LIMIT};

const READ: Interests = Interests::READABLE;

/// Returns `WAIT_LIMIT` in the book's unit, milliseconds.
fn wait_limit() -> Option<i32> {
    Some(WAIT_LIMIT.as_millis() as i32)
}

/// Starts the reactor, a thread that polls and sends the token of each event. The thread returns the error that ended
/// its loop.
fn reactor(mut poll: Poll) -> (Receiver<Token>, JoinHandle<io::Error>) {
    let (events_sender, reported_tokens) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut events = Events::with_capacity(1024);
        loop {
            match poll.poll(&mut events, wait_limit()) {
                Ok(0) => panic!("no event within {WAIT_LIMIT:?}"),
                Ok(count) => assert_eq!(count, events.len()),
                Err(err) => return err,
            }
            for event in &events {
                events_sender.send(event.id()).unwrap();
            }
        }
    });
    (reported_tokens, thread)
}

fn delayed_server() -> Background {
    Background::start(Server::bind(loopback(), Limits::default(), io::sink()).unwrap()).unwrap()
}

/// Sends a request. The server closes the connection after the response.
fn send_request(server: SocketAddr, delay: u32, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).unwrap();
    let head = format!("GET /delay/{delay}/{text} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn read_response(mut stream: TcpStream) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// Receives a message, or `None` if all senders are dropped.
fn receive<T>(receiver: &Receiver<T>) -> Option<T> {
    match receiver.recv_timeout(WAIT_LIMIT) {
        Ok(message) => Some(message),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("no message within {WAIT_LIMIT:?}"),
    }
}

/// Returns a readable stream and its peer.
fn ready_stream() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    // On some systems, bytes arrive a moment after they were written. Once the first byte can be read, the second has
    // arrived too.
    peer.write_all(b"xx").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    (stream, peer)
}

/// Returns whether the error is `Interrupted`, which reports that the event loop is closed.
fn is_closed<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.unwrap_err().kind() == ErrorKind::Interrupted
}

#[test]
fn each_of_many_pending_responses_is_reported_once() {
    let server = delayed_server();
    let poll = Poll::new().unwrap();
    let registrator = poll.registrator();
    let (reported_tokens, reactor) = reactor(poll);

    let mut streams = Vec::new();
    for (token, delay) in [(1, 150), (2, 0), (3, 100), (4, 50), (5, 100)] {
        let stream = send_request(server.addr(), delay, &format!("number-{token}"));
        registrator.register(&stream, token, READ).unwrap();
        streams.push((token, Some(stream)));
    }
    for _ in 0..streams.len() {
        let token = reported_tokens.recv().unwrap();
        let (_, stream) =
            streams.iter_mut().find(|(name, _)| *name == token).expect("the token of a registered stream");
        let stream = stream.take().expect("the stream was reported before");
        assert!(read_response(stream).ends_with(&format!("number-{token}\n")));
    }
    registrator.close_loop().unwrap();
    reactor.join().unwrap();
    assert!(reported_tokens.recv().is_err(), "an event was reported twice");
}

#[test]
fn a_reported_stream_is_not_reported_again_until_it_is_registered_again() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let (stream, mut peer) = ready_stream();
    poll.registrator().register(&stream, 1, READ).unwrap();
    assert_eq!(poll.poll(&mut events, wait_limit()).unwrap(), 1);
    peer.write_all(b"y").unwrap();
    assert_eq!(poll.poll(&mut events, Some(SHORT_WAIT.as_millis() as i32)).unwrap(), 0);
    assert!(events.is_empty());
    poll.registrator().register(&stream, 2, READ).unwrap();
    assert_eq!(poll.poll(&mut events, wait_limit()).unwrap(), 1);
    assert_eq!(events[0].id(), 2);
}

#[test]
fn registering_a_stream_with_a_second_poll_fails_with_already_exists() {
    let (first, second) = (Poll::new().unwrap(), Poll::new().unwrap());
    let (stream, _peer) = ready_stream();
    first.registrator().register(&stream, 1, READ).unwrap();
    let err = second.registrator().register(&stream, 1, READ).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn a_timeout_is_in_milliseconds() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let start = Instant::now();
    assert_eq!(poll.poll(&mut events, Some(SHORT_WAIT.as_millis() as i32)).unwrap(), 0);
    assert!((SHORT_WAIT..WAIT_LIMIT).contains(&start.elapsed()));
}

#[test]
fn with_a_zero_or_negative_timeout_a_poll_does_not_block() {
    let mut poll = Poll::new().unwrap();
    let (sender, counts) = mpsc::channel();
    thread::spawn(move || {
        for timeout in [0, -1, i32::MIN] {
            sender.send(poll.poll(&mut Events::with_capacity(8), Some(timeout)).unwrap()).unwrap();
        }
    });
    for _ in 0..3 {
        assert_eq!(receive(&counts), Some(0));
    }
}

#[test]
fn without_a_timeout_a_poll_blocks_until_an_event() {
    let mut poll = Poll::new().unwrap();
    let (stream, _peer) = ready_stream();
    let registrator = poll.registrator();
    let polling_thread = thread::spawn(move || poll.poll(&mut Events::with_capacity(8), None).unwrap());
    registrator.register(&stream, 1, READ).unwrap();
    assert_eq!(polling_thread.join().unwrap(), 1);
}

#[test]
fn a_poll_reports_at_most_as_many_events_as_the_capacity() {
    let mut poll = Poll::new().unwrap();
    let mut streams: Vec<_> = (0..3).map(|_| ready_stream()).collect();
    for (token, (stream, _)) in (usize::MAX - 2..=usize::MAX).zip(&mut streams) {
        poll.registrator().register(stream, token, READ).unwrap();
    }
    assert_eq!(poll.poll(&mut Events::with_capacity(2), wait_limit()).unwrap(), 2);
    assert_eq!(poll.poll(&mut Events::with_capacity(8), wait_limit()).unwrap(), 1);
}

#[test]
fn events_with_capacity_zero_are_an_error() {
    let mut poll = Poll::new().unwrap();
    assert_eq!(poll.poll(&mut Events::new(), Some(0)).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn streams_that_are_ready_when_the_loop_is_closed_are_reported_before_the_error() {
    // The crate uses the second token internally to close the loop. The program can use it too.
    for token in [7, usize::MAX] {
        for capacity in [1, 8] {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(capacity);
            let registrator = poll.registrator();
            let (one, _peer) = ready_stream();
            let (two, _peer) = ready_stream();
            registrator.register(&one, token, READ).unwrap();
            registrator.register(&two, token, READ).unwrap();
            registrator.close_loop().unwrap();
            let mut reported = Vec::new();
            while reported.len() < 2 {
                assert!(poll.poll(&mut events, wait_limit()).unwrap() <= capacity);
                reported.extend(events.iter().map(|event| event.id()));
            }
            assert_eq!(reported, [token, token]);
            for timeout in [wait_limit(), None, Some(0)] {
                assert!(is_closed(poll.poll(&mut events, timeout)));
                assert!(events.is_empty());
            }
        }
    }
}

#[test]
fn registering_with_a_closed_loop_and_closing_it_again_are_errors() {
    let poll = Poll::new().unwrap();
    let registrator = poll.registrator();
    let (stream, _peer) = ready_stream();
    registrator.close_loop().unwrap();
    assert!(is_closed(registrator.register(&stream, 1, READ)));
    assert!(is_closed(poll.registrator().close_loop()));
    // The failed registration has not changed the stream.
    Poll::new().unwrap().registrator().register(&stream, 1, READ).unwrap();
}

#[test]
fn after_the_poll_was_dropped_the_loop_is_closed() {
    let registrator = Poll::new().unwrap().registrator();
    let (stream, _peer) = ready_stream();
    assert!(is_closed(registrator.register(&stream, 1, READ)));
    assert!(is_closed(registrator.close_loop()));
}

#[test]
fn another_thread_can_close_the_loop_while_a_poll_is_blocked() {
    let poll = Poll::new().unwrap();
    let registrator = poll.registrator();
    let (_reported_tokens, reactor) = reactor(poll);
    thread::spawn(move || registrator.close_loop().unwrap()).join().unwrap();
    assert_eq!(reactor.join().unwrap().kind(), ErrorKind::Interrupted);
}

/// A registration before the close is reported. A registration after the close is an error.
#[test]
fn registrations_that_race_with_the_close_are_reported_or_fail() {
    const THREADS: usize = 3;
    // Each round registers the same streams with a new loop.
    let mut streams: Vec<Vec<_>> = (0..THREADS).map(|_| (0..4).map(|_| ready_stream()).collect()).collect();
    for round in 0..500 {
        let poll = Poll::new().unwrap();
        let registrator = poll.registrator();
        let (reported_tokens, reactor) = reactor(poll);
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
        assert_eq!(reported_tokens.iter().collect::<BTreeSet<Token>>(), registered);
    }
}
