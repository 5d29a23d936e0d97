//! `SourceSocket`: any socket as a source.

#![cfg(windows)]

use std::io::ErrorKind;
use std::os::windows::io::{AsRawHandle, AsRawSocket, RawSocket};

use minimio::windows::SourceSocket;
use minimio::Token;

use crate::support::raw_socket::socket_and_sender;
use crate::support::*;

#[test]
fn a_socket_in_level_mode_is_reported_while_it_is_readable() {
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
    wait_until_readable(&mut poll, &mut events);
    poll.registry().deregister(&mut SourceSocket(&raw)).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_socket_in_oneshot_mode_is_reported_once_until_it_is_reregistered() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.oneshot()).unwrap();
    for _ in 0..3 {
        sender.send(b"x").unwrap();
        wait_until_readable(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        sender.send(b"y").unwrap();
        expect_no_event(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ.oneshot()).unwrap();
    }
}

#[test]
fn a_socket_in_edge_mode_is_rearmed_by_reregistering() {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ).unwrap();
    for _ in 0..3 {
        sender.send(b"x").unwrap();
        wait_until_readable(&mut poll, &mut events);
        expect_no_event(&mut poll, &mut events);
        socket.recv(&mut [0; 8]).unwrap();
        poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn registering_a_source_socket_again_replaces_its_registration() {
    let [(mut first, mut events), (mut second, _)] = [poll(), poll()];
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    for token in 0..4 {
        first.registry().register(&mut SourceSocket(&raw), Token(token), READ.level()).unwrap();
        // With and without a pending request.
        if token % 2 == 0 {
            expect_no_event(&mut first, &mut events);
        }
    }
    sender.send(b"x").unwrap();
    assert_eq!(next_tokens(&mut first, &mut events), [Token(3)]);
    // Another poll has its own registration.
    second.registry().register(&mut SourceSocket(&raw), SOURCE, READ.level()).unwrap();
    assert_eq!(next_tokens(&mut second, &mut events), [SOURCE]);
    assert_eq!(next_tokens(&mut first, &mut events), [Token(3)]);
    first.registry().deregister(&mut SourceSocket(&raw)).unwrap();
    expect_no_event(&mut first, &mut events);
    assert_eq!(next_tokens(&mut second, &mut events), [SOURCE]);
}

#[test]
fn reregistering_or_deregistering_an_unregistered_source_socket_fails_with_not_found() {
    let (poll, _) = poll();
    let (socket, _) = socket_and_sender();
    let raw = socket.as_raw_socket();
    let err = poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
    let err = poll.registry().deregister(&mut SourceSocket(&raw)).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
}

#[test]
fn registering_a_handle_that_is_not_a_socket_is_an_error() {
    let (poll, _) = poll();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    for raw in [file.as_raw_handle() as RawSocket, RawSocket::MAX, 0] {
        let err = poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ).unwrap_err();
        // The number of `WSAENOTSOCK`.
        assert_eq!(err.raw_os_error(), Some(10038), "{raw}: {err}");
        let err = poll.registry().reregister(&mut SourceSocket(&raw), SOURCE, READ).unwrap_err();
        assert_eq!(err.raw_os_error(), Some(10038), "{raw}: {err}");
        assert_eq!(poll.registry().deregister(&mut SourceSocket(&raw)).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
