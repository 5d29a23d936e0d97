//! On Windows, a socket that is closed while it is registered as a `SourceSocket`. Another socket can get its number
//! then, so no other test may open sockets in the same process.

#![cfg(windows)]

use std::io::ErrorKind;
use std::os::windows::io::AsRawSocket;
use std::time::Duration;

use minimio::windows::SourceSocket;
use minimio::{Interest, Token};

use crate::support::isolation::isolated;
use crate::support::raw_socket::socket_and_sender;
use crate::support::*;

#[test]
fn a_closed_socket_is_not_reported_and_no_longer_registered() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        for mode in [Interest::edge, Interest::level, Interest::oneshot] {
            // The socket is closed before or after it was reported, and before or after its request was submitted.
            for (is_reported, polls) in [(false, 0), (false, 1), (true, 1)] {
                let (socket, sender) = socket_and_sender();
                let raw = socket.as_raw_socket();
                poll.registry().register(&mut SourceSocket(&raw), SOURCE, mode(READ)).unwrap();
                if is_reported {
                    sender.send(b"x").unwrap();
                    wait_until_readable(&mut poll, &mut events);
                    socket.recv(&mut [0; 8]).unwrap();
                }
                for _ in 0..polls {
                    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
                }
                drop(socket);
                expect_no_event(&mut poll, &mut events);
                let err = poll.registry().deregister(&mut SourceSocket(&raw)).unwrap_err();
                assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
            }
        }
    });
}

#[test]
fn the_number_of_a_closed_socket_can_be_registered_or_reregistered_at_once() {
    isolated(|| {
        for reregister in [false, true] {
            check_reused_number(false, reregister);
        }
    });
}

#[test]
fn the_number_of_a_socket_that_is_closed_after_an_event_can_be_registered_or_reregistered_at_once() {
    isolated(|| {
        for reregister in [false, true] {
            check_reused_number(true, reregister);
        }
    });
}

fn check_reused_number(after_an_event: bool, reregister: bool) {
    let (mut poll, mut events) = poll();
    let (socket, sender) = socket_and_sender();
    let raw = socket.as_raw_socket();
    poll.registry().register(&mut SourceSocket(&raw), SOURCE, READ.level()).unwrap();
    expect_no_event(&mut poll, &mut events);
    if after_an_event {
        sender.send(b"x").unwrap();
        wait_until_readable(&mut poll, &mut events);
    }
    drop(socket);

    // Sooner or later, the system gives the number to another socket.
    let mut others = Vec::new();
    let (socket, sender) = loop {
        let (socket, sender) = socket_and_sender();
        if socket.as_raw_socket() == raw {
            break (socket, sender);
        }
        others.push((socket, sender));
        if others.len() == 500 {
            println!("not tested: the system does not reuse the number {raw}");
            return;
        }
    };
    let (registry, mut source) = (poll.registry(), SourceSocket(&raw));
    if reregister {
        registry.reregister(&mut source, Token(2), READ.level()).unwrap();
    } else {
        registry.register(&mut source, Token(2), READ.level()).unwrap();
    }
    expect_no_event(&mut poll, &mut events);
    sender.send(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    socket.recv(&mut [0; 8]).unwrap();
}
