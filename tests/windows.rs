//! What only Windows has: any socket as a source, sockets as handles, and what becomes of those.

#![cfg(windows)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::windows::io::{AsRawHandle, AsRawSocket, IntoRawSocket, OwnedSocket, RawSocket};
use std::thread;

use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::windows::SourceSocket;
use minimio::{Events, Interest, Poll, Token};
use support::*;

#[path = "support/handle.rs"]
mod handle;

const SOURCE: Token = Token(1);
const READ: Interest = Interest::READABLE;

/// A socket of somebody else's, and one that sends to it.
fn socket_and_sender() -> (net::UdpSocket, net::UdpSocket) {
    let socket = net::UdpSocket::bind(loopback()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let sender = net::UdpSocket::bind(loopback()).unwrap();
    sender.connect(socket.local_addr().unwrap()).unwrap();
    (socket, sender)
}

fn readable(poll: &mut Poll, events: &mut Events) {
    wait_for(poll, events, SOURCE, |event| event.is_readable());
}

// Any socket as a source.

#[test]
fn any_socket_can_be_a_source_in_level_mode() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.level()).unwrap();
    expect_silence(&mut poll, &mut events);
    sender.send(b"x").unwrap();
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    socket.recv(&mut [0; 8]).unwrap();
    expect_silence(&mut poll, &mut events);
    sender.send(b"y").unwrap();
    readable(&mut poll, &mut events);
    poll.registry().deregister(&mut SourceSocket(&raw)).unwrap();
    expect_silence(&mut poll, &mut events);
}

#[test]
fn any_socket_can_be_a_source_in_oneshot_mode() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.oneshot()).unwrap();
    for _ in 0..3 {
        sender.send(b"x").unwrap();
        readable(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        sender.send(b"y").unwrap();
        expect_silence(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ.oneshot()).unwrap();
    }
}

#[test]
fn in_edge_mode_a_socket_of_somebody_elses_is_armed_by_reregistering() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ).unwrap();
    for _ in 0..3 {
        sender.send(b"x").unwrap();
        readable(&mut poll, &mut events);
        expect_silence(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ).unwrap();
        expect_silence(&mut poll, &mut events);
    }
}

#[test]
fn a_socket_registered_by_its_number_twice_already_exists() {
    let (mut here, mut events) = poll();
    let (there, _) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    let registered = |poll: &Poll| poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.level());
    registered(&here).unwrap();
    let err = registered(&here).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{err}");
    // Also while something is going on.
    expect_silence(&mut here, &mut events);
    assert_eq!(registered(&here).unwrap_err().kind(), ErrorKind::AlreadyExists);
    // When something has happened to it, that may have been its end, and the number another socket's.
    sender.send(b"x").unwrap();
    readable(&mut here, &mut events);
    registered(&here).unwrap();
    assert_eq!(registered(&here).unwrap_err().kind(), ErrorKind::AlreadyExists);
    readable(&mut here, &mut events);
    // Another poll knows nothing of it.
    registered(&there).unwrap();
}

#[test]
fn a_socket_that_is_not_registered_by_its_number_is_not_found() {
    let (poll, _) = poll();
    let (socket, _) = socket_and_sender();
    let raw = socket.as_raw_socket();
    let err = poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
    let err = poll.registry().deregister(&mut SourceSocket(&raw)).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
}

#[test]
fn what_is_no_socket_is_refused_when_it_is_registered() {
    let (poll, _) = poll();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    for raw in [file.as_raw_handle() as RawSocket, RawSocket::MAX, 0] {
        let err = poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ).unwrap_err();
        assert_eq!(err.raw_os_error(), Some(10038), "{raw}: {err}");
        assert_eq!(poll.registry().deregister(&mut SourceSocket(&raw)).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

// Sockets as handles.

#[test]
fn a_socket_that_is_given_away_is_not_reported_any_more() {
    let (mut poll, mut events) = poll();
    let (stream, mut peer) = registered_stream(&poll, SOURCE, READ.level());
    expect_silence(&mut poll, &mut events);
    let raw = stream.into_raw_socket();
    peer.write_all(b"x").unwrap();
    expect_silence(&mut poll, &mut events);

    let mut stream = TcpStream::from(handle::from_raw::<OwnedSocket>(raw));
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
    readable(&mut poll, &mut events);
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn no_socket_is_inherited_by_child_processes() {
    let listener = TcpListener::bind(loopback()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = loop {
        match listener.accept() {
            Ok((server, _)) => break server,
            Err(err) if err.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(err) => panic!("accept: {err}"),
        }
    };
    let socket = UdpSocket::bind(loopback()).unwrap();
    for socket in [listener.as_raw_socket(), client.as_raw_socket(), server.as_raw_socket(), socket.as_raw_socket()] {
        assert!(!handle::is_inheritable(socket));
    }
}

#[test]
fn what_a_thread_has_registered_survives_the_thread() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    let registry = poll.registry().try_clone().unwrap();
    let poller = thread::spawn(move || {
        readable(&mut poll, &mut events);
        poll
    });
    // Most often the poller is blocked by then, and so the request is made by the thread that registers.
    thread::yield_now();
    let stream = thread::spawn(move || {
        registry.register(&mut stream, SOURCE, READ).unwrap();
        stream
    })
    .join()
    .unwrap();
    peer.write_all(b"x").unwrap();
    let poll = poller.join().unwrap();
    drop((poll, stream));
}

// UDP.

#[test]
fn a_socket_that_nobody_answers_goes_on_to_receive() {
    let (mut poll, mut events) = poll();
    for hears_of_refusals in [false, true] {
        let mut socket = UdpSocket::bind(loopback()).unwrap();
        socket.set_connreset(hears_of_refusals).unwrap();
        poll.registry().register(&mut socket, SOURCE, READ).unwrap();
        let gone = net::UdpSocket::bind(loopback()).unwrap().local_addr().unwrap();
        let mut refusals = 0;
        for _ in 0..3 {
            socket.send_to(b"anybody there?", gone).unwrap();
            match socket.recv_from(&mut [0; 32]) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                Err(err) if err.kind() == ErrorKind::ConnectionReset => refusals += 1,
                result => panic!("recv_from: {result:?}"),
            }
        }
        assert!(hears_of_refusals || refusals == 0);
        assert!(!hears_of_refusals || refusals > 0 || !system::refusals_are_told());
        let sender = net::UdpSocket::bind(loopback()).unwrap();
        sender.send_to(b"here", socket.local_addr().unwrap()).unwrap();
        loop {
            readable(&mut poll, &mut events);
            match socket.recv(&mut [0; 32]) {
                Ok(count) => break assert_eq!(count, 4),
                Err(err) => assert!(matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset), "{err}"),
            }
        }
        poll.registry().deregister(&mut socket).unwrap();
    }
}
