//! A named pipe and its poll can be dropped in every state of the pipe, and leave no handle and no memory. A reference
//! that the kernel still owned would keep memory allocated.

#![cfg(windows)]

use std::io::{ErrorKind, Read, Write};

use minimio::windows::NamedPipe;
use minimio::{Events, Interest, Poll, Token};

use crate::support::isolation::isolated;
use crate::support::*;

#[path = "../support/allocated.rs"]
mod allocated;

const SERVER: Token = Token(1);
const CLIENT: Token = Token(2);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const LARGE: usize = 1 << 18;

/// A server and perhaps a client, in the midst of something.
type Scene = (NamedPipe, Option<NamedPipe>);

fn listening(poll: &mut Poll) -> (NamedPipe, String) {
    let name = named_pipe::name();
    let mut server = NamedPipe::new(&name).unwrap();
    poll.registry().register(&mut server, SERVER, BOTH).unwrap();
    assert_eq!(server.connect().unwrap_err().kind(), ErrorKind::WouldBlock);
    (server, name)
}

fn connected(poll: &mut Poll, events: &mut Events) -> (NamedPipe, NamedPipe) {
    let (server, name) = listening(poll);
    let mut client = named_pipe::client(&name);
    poll.registry().register(&mut client, CLIENT, BOTH).unwrap();
    wait_for(poll, events, SERVER, |event| event.is_writable());
    (server, client)
}

fn never_registered(_: &mut Poll, _: &mut Events) -> Scene {
    let name = named_pipe::name();
    let server = NamedPipe::new(&name).unwrap();
    let client = named_pipe::client(&name);
    (server, Some(client))
}

fn never_connected(poll: &mut Poll, _: &mut Events) -> Scene {
    let mut server = NamedPipe::new(named_pipe::name()).unwrap();
    poll.registry().register(&mut server, SERVER, BOTH).unwrap();
    (server, None)
}

fn a_connect_is_out(poll: &mut Poll, _: &mut Events) -> Scene {
    (listening(poll).0, None)
}

fn a_connect_has_ended(poll: &mut Poll, _: &mut Events) -> Scene {
    let (server, name) = listening(poll);
    let client = named_pipe::client(&name);
    (server, Some(client))
}

fn a_connect_was_called_off(poll: &mut Poll, _: &mut Events) -> Scene {
    let (server, _) = listening(poll);
    server.disconnect().unwrap();
    assert_eq!(server.connect().unwrap_err().kind(), ErrorKind::WouldBlock);
    (server, None)
}

fn reads_are_out(poll: &mut Poll, events: &mut Events) -> Scene {
    let (server, client) = connected(poll, events);
    (server, Some(client))
}

fn reads_have_ended(poll: &mut Poll, events: &mut Events) -> Scene {
    let (mut server, mut client) = connected(poll, events);
    assert_eq!((server.write(b"xy").unwrap(), client.write(b"xy").unwrap()), (2, 2));
    (server, Some(client))
}

fn something_is_unread(poll: &mut Poll, events: &mut Events) -> Scene {
    let (mut server, mut client) = connected(poll, events);
    assert_eq!(client.write(b"xy").unwrap(), 2);
    wait_for(poll, events, SERVER, |event| event.is_readable());
    assert_eq!(server.read(&mut [0]).unwrap(), 1);
    (server, Some(client))
}

fn writes_are_out(poll: &mut Poll, events: &mut Events) -> Scene {
    let (mut server, mut client) = connected(poll, events);
    assert_eq!((server.write(&[0; LARGE]).unwrap(), client.write(&[0; LARGE]).unwrap()), (LARGE, LARGE));
    (server, Some(client))
}

fn writes_are_out_and_half_is_read(poll: &mut Poll, events: &mut Events) -> Scene {
    let (server, client) = writes_are_out(poll, events);
    poll.poll(events, Some(SHORT_WAIT)).unwrap();
    if let Some(mut client) = client.as_ref() {
        let _not_yet = client.read(&mut [0; 1 << 16]);
    }
    (server, client)
}

fn all_was_disowned(poll: &mut Poll, events: &mut Events) -> Scene {
    let (server, client) = writes_are_out(poll, events);
    server.disconnect().unwrap();
    (server, client)
}

fn the_other_end_is_gone(poll: &mut Poll, events: &mut Events) -> Scene {
    let (server, _) = writes_are_out(poll, events);
    (server, None)
}

fn it_was_deregistered(poll: &mut Poll, events: &mut Events) -> Scene {
    let (mut server, client) = writes_are_out(poll, events);
    poll.registry().deregister(&mut server).unwrap();
    (server, client)
}

fn it_is_to_be_told_in_level_mode(poll: &mut Poll, events: &mut Events) -> Scene {
    let (mut server, client) = connected(poll, events);
    poll.registry().reregister(&mut server, SERVER, BOTH.level()).unwrap();
    wait_for(poll, events, SERVER, |event| event.is_writable());
    (server, Some(client))
}

#[test]
fn nothing_stays_behind_of_a_pipe_in_whatever_state_it_is_dropped() {
    isolated(|| {
        type Beginning = fn(&mut Poll, &mut Events) -> Scene;
        let scenes: [(&str, Beginning); 14] = [
            ("never registered", never_registered),
            ("never connected", never_connected),
            ("a connect is out", a_connect_is_out),
            ("a connect has ended", a_connect_has_ended),
            ("a connect was called off", a_connect_was_called_off),
            ("reads are out", reads_are_out),
            ("reads have ended", reads_have_ended),
            ("something is unread", something_is_unread),
            ("writes are out", writes_are_out),
            ("writes are out, half is read", writes_are_out_and_half_is_read),
            ("all was disowned", all_was_disowned),
            ("the other end is gone", the_other_end_is_gone),
            ("it was deregistered", it_was_deregistered),
            ("it is to be told", it_is_to_be_told_in_level_mode),
        ];
        type Ending = fn(Poll, Events, Scene);
        let endings: [(&str, Ending); 5] = [
            ("the pipes go first", |poll, _, scene| {
                drop(scene);
                drop(poll);
            }),
            ("the pipes go first, and it is polled once more", |mut poll, mut events, scene| {
                drop(scene);
                poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
                drop(poll);
            }),
            ("the poll goes first", |poll, _, scene| {
                drop(poll);
                drop(scene);
            }),
            ("the poll goes in between", |poll, _, (server, client)| {
                drop(server);
                drop(poll);
                drop(client);
            }),
            ("a registry stays", |poll, _, scene| {
                let registry = poll.registry().try_clone().unwrap();
                drop(poll);
                drop(scene);
                drop(registry);
            }),
        ];
        let play = |scene: Beginning, ending: Ending| {
            let (mut poll, mut events) = poll();
            let scene = scene(&mut poll, &mut events);
            ending(poll, events, scene);
        };
        for (state, scene) in scenes {
            for (order, ending) in endings {
                // The first of everything may stay.
                play(scene, ending);
                let before = (handles::open_handles(), allocated::allocated_bytes());
                (0..3).for_each(|_| play(scene, ending));
                assert_eq!((handles::open_handles(), allocated::allocated_bytes()), before, "{state}, {order}");
            }
        }
        // And in one poll that goes on: of those that are gone it keeps little, and no more of many than of few.
        // (Writes that are out wait to be read, and nobody is left who would.)
        let are_read = [
            a_connect_is_out,
            a_connect_has_ended,
            a_connect_was_called_off,
            reads_are_out,
            reads_have_ended,
            something_is_unread,
            all_was_disowned,
            it_is_to_be_told_in_level_mode,
        ];
        let (mut poll, mut events) = poll();
        let mut left_after = |rounds: usize| {
            for _ in 0..rounds {
                are_read.iter().for_each(|scene| drop(scene(&mut poll, &mut events)));
            }
            while {
                poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
                !events.is_empty()
            } {}
            (handles::open_handles(), allocated::allocated_bytes())
        };
        let (few, many) = (left_after(5), left_after(20));
        assert_eq!(few.0, many.0);
        assert!(many.1 < few.1 + LARGE, "{few:?}, then {many:?}");
    });
}
