//! `SourceSocket`: any socket as a source.

#![cfg(windows)]

use std::io::ErrorKind;
use std::net;
use std::os::windows::io::{AsRawHandle, AsRawSocket, RawSocket};

use minimio::windows::SourceSocket;
use minimio::{Events, Interest, Poll, Token};

use crate::support::*;

const SOURCE: Token = Token(1);
const READ: Interest = Interest::READABLE;

/// Returns a socket of the standard library and a socket that sends to it.
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

#[test]
fn a_source_socket_works_in_level_mode() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.level()).unwrap();
    expect_no_event(&mut poll, &mut events);
    sender.send(b"x").unwrap();
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    socket.recv(&mut [0; 8]).unwrap();
    expect_no_event(&mut poll, &mut events);
    sender.send(b"y").unwrap();
    readable(&mut poll, &mut events);
    poll.registry().deregister(&mut SourceSocket(&raw)).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_source_socket_works_in_oneshot_mode() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.oneshot()).unwrap();
    for _ in 0..3 {
        sender.send(b"x").unwrap();
        readable(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        sender.send(b"y").unwrap();
        expect_no_event(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ.oneshot()).unwrap();
    }
}

#[test]
fn in_edge_mode_a_source_socket_is_rearmed_by_reregister() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ).unwrap();
    for _ in 0..3 {
        sender.send(b"x").unwrap();
        readable(&mut poll, &mut events);
        expect_no_event(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn a_source_socket_registered_twice_already_exists() {
    let (mut here, mut events) = poll();
    let (there, _) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    let registered = |poll: &Poll| poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.level());
    registered(&here).unwrap();
    let err = registered(&here).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{err}");
    // The same holds while a request is pending.
    expect_no_event(&mut here, &mut events);
    assert_eq!(registered(&here).unwrap_err().kind(), ErrorKind::AlreadyExists);
    // After an event, the socket may have been closed and its number reused, so registering it again succeeds.
    sender.send(b"x").unwrap();
    readable(&mut here, &mut events);
    registered(&here).unwrap();
    assert_eq!(registered(&here).unwrap_err().kind(), ErrorKind::AlreadyExists);
    readable(&mut here, &mut events);
    // Another poll has no registration of this number.
    registered(&there).unwrap();
}

#[test]
fn an_unregistered_source_socket_is_not_found() {
    let (poll, _) = poll();
    let (socket, _) = socket_and_sender();
    let raw = socket.as_raw_socket();
    let err = poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
    let err = poll.registry().deregister(&mut SourceSocket(&raw)).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
}

#[test]
fn a_handle_that_is_not_a_socket_is_refused_at_registration() {
    let (poll, _) = poll();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    for raw in [file.as_raw_handle() as RawSocket, RawSocket::MAX, 0] {
        let err = poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ).unwrap_err();
        assert_eq!(err.raw_os_error(), Some(10038), "{raw}: {err}");
        assert_eq!(poll.registry().deregister(&mut SourceSocket(&raw)).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
