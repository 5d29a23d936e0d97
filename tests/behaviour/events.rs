//! What an event says: the truth table in the docs of `Event`, row by row. The pipes' and the out-of-band byte's rows
//! are `events_unix.rs`'s.

use std::io::{Read, Write};
use std::net::{self, Shutdown, TcpListener as StdListener};

use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::*;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const SOURCE: Token = Token(1);

struct Scene {
    poll: Poll,
    events: Events,
}

impl Scene {
    fn new() -> Scene {
        let (poll, events) = poll();
        Scene { poll, events }
    }

    /// A connected stream whose first event, that it is writable, has been taken.
    fn stream(&mut self) -> (TcpStream, net::TcpStream) {
        let pair = registered_stream(&self.poll, SOURCE, BOTH);
        wait_for(&mut self.poll, &mut self.events, SOURCE, |event| event.is_writable());
        expect_no_event(&mut self.poll, &mut self.events);
        pair
    }

    fn check(&mut self, happened: &str) {
        truth_table::check(&mut self.poll, &mut self.events, SOURCE, happened);
    }
}

#[test]
fn every_row_of_the_table_has_a_test() {
    let source = [include_str!("events.rs"), include_str!("events_unix.rs"), include_str!("unix_sockets.rs")].concat();
    for (happened, _) in truth_table::rows() {
        assert!(source.contains(&format!("check(\"{happened}\")")), "no test checks {happened:?}");
    }
}

#[test]
fn data_makes_a_stream_readable() {
    let mut scene = Scene::new();
    let (_stream, mut peer) = scene.stream();
    peer.write_all(b"data").unwrap();
    scene.check("data arrived");
}

#[test]
fn a_peer_that_has_shut_down_writing_is_read_closed() {
    let mut scene = Scene::new();
    let (_stream, peer) = scene.stream();
    peer.shutdown(Shutdown::Write).unwrap();
    scene.check("the peer shut down writing");
}

#[test]
fn data_and_the_end_together_are_readable_and_read_closed() {
    let mut scene = Scene::new();
    let (mut stream, mut peer) = scene.stream();
    peer.write_all(b"last words").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut words = Vec::new();
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| {
        assert!(event.is_readable(), "{event:?}");
        if !system::end_is_reported_before_unread_data() {
            let _would_block = stream.read_to_end(&mut words);
        }
        event.is_read_closed()
    });
    stream.read_to_end(&mut words).unwrap();
    assert_eq!(words, b"last words");
}

#[test]
fn a_reset_closes_everything_and_is_an_error() {
    let mut scene = Scene::new();
    let (mut stream, peer) = scene.stream();
    // Whoever closes a connection without having read what has arrived resets it.
    stream.write_all(b"unread").unwrap();
    peer.peek(&mut [0]).unwrap();
    drop(peer);
    scene.check("the peer reset the connection");
    let error = stream.take_error().unwrap();
    assert!(error.is_some() || !system::TAKE_ERROR_CLEARS);
    let error = error.unwrap_or_else(|| stream.read(&mut [0]).unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_is_told_to_a_program_that_has_not_read_what_came_before() {
    let mut scene = Scene::new();
    let (_stream, mut peer) = scene.stream();
    peer.write_all(b"unread").unwrap();
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_readable());
    reset::close_with_reset(peer);
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_error());
}

#[test]
fn shutting_down_reading_here_says_nothing_of_writing() {
    let mut scene = Scene::new();
    let (stream, _peer) = scene.stream();
    stream.shutdown(Shutdown::Read).unwrap();
    scene.check("local `shutdown(Read)`");
}

#[test]
fn shutting_down_writing_here_says_nothing_of_reading() {
    let mut scene = Scene::new();
    let (stream, _peer) = scene.stream();
    stream.shutdown(Shutdown::Write).unwrap();
    scene.check("local `shutdown(Write)`");
}

#[test]
fn a_connection_shut_down_from_both_ends_is_closed_both_ways() {
    let mut scene = Scene::new();
    let (stream, peer) = scene.stream();
    stream.shutdown(Shutdown::Write).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    scene.check("both ends have shut down writing");
}

#[test]
fn a_connection_that_is_made_is_writable() {
    let mut scene = Scene::new();
    let listener = StdListener::bind(loopback()).unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    scene.poll.registry().register(&mut stream, SOURCE, BOTH).unwrap();
    scene.check("a connection was made");
    assert!(stream.take_error().unwrap().is_none());
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[test]
fn a_connection_that_is_refused_is_an_error() {
    let mut scene = Scene::new();
    let closed_port = closed_port();
    let mut stream = TcpStream::connect(closed_port).unwrap();
    scene.poll.registry().register(&mut stream, SOURCE, BOTH).unwrap();
    scene.check("a connection was refused");
    assert_eq!(stream.take_error().unwrap().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_connection_makes_a_listener_readable() {
    let mut scene = Scene::new();
    let mut listener = TcpListener::bind(loopback()).unwrap();
    scene.poll.registry().register(&mut listener, SOURCE, BOTH).unwrap();
    expect_no_event(&mut scene.poll, &mut scene.events);
    let _peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    scene.check("a listener has a connection");
}

#[test]
fn a_datagram_makes_a_socket_readable() {
    let mut scene = Scene::new();
    let mut socket = UdpSocket::bind(loopback()).unwrap();
    scene.poll.registry().register(&mut socket, SOURCE, BOTH).unwrap();
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_writable());
    let sender = net::UdpSocket::bind(loopback()).unwrap();
    sender.send_to(b"ping", socket.local_addr().unwrap()).unwrap();
    scene.check("a datagram arrived");
}

#[test]
fn a_waker_is_readable_and_nothing_else() {
    let mut scene = Scene::new();
    let waker = Waker::new(scene.poll.registry(), SOURCE).unwrap();
    waker.wake().unwrap();
    scene.check("a waker was woken, a timer is due");
}

#[test]
fn a_timer_is_readable_and_nothing_else() {
    let mut scene = Scene::new();
    let mut timer = Timer::new();
    scene.poll.registry().register(&mut timer, SOURCE, BOTH).unwrap();
    timer.set(std::time::Duration::ZERO).unwrap();
    scene.check("a waker was woken, a timer is due");
}

#[test]
fn no_event_claims_what_its_system_does_not_have() {
    let mut scene = Scene::new();
    let (_stream, mut peer) = scene.stream();
    peer.write_all(b"data").unwrap();
    let event = wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_readable());
    assert!(!event.is_priority() && !event.is_aio() && !event.is_lio());
}

#[test]
fn an_event_is_readable_to_a_human() {
    let mut scene = Scene::new();
    let (_stream, mut peer) = scene.stream();
    peer.write_all(b"data").unwrap();
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_readable());
    let text = format!("{:?}", scene.events);
    assert!(text.contains("token: Token(1)") && text.contains("readable: true"), "{text}");
}
