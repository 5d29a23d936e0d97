//! A named pipe and its poll can be dropped in every state of the pipe, and leave no handle and no memory. If a pending
//! operation still had a reference to the dropped pipe, the pipe's memory would stay allocated.

#![cfg(windows)]

use std::io::{ErrorKind, Read, Write};

use minimio::windows::NamedPipe;
use minimio::{Events, Poll, Token};

use crate::allocated_bytes;
use crate::support::isolation::isolated;
use crate::support::*;

const SERVER: Token = Token(1);
const CLIENT: Token = Token(2);
const LARGE: usize = 1 << 18;

/// A server end and perhaps its client end, in a certain state.
type Pipes = (NamedPipe, Option<NamedPipe>);

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

fn never_registered(_: &mut Poll, _: &mut Events) -> Pipes {
    let name = named_pipe::name();
    let server = NamedPipe::new(&name).unwrap();
    let client = named_pipe::client(&name);
    (server, Some(client))
}

fn never_connected(poll: &mut Poll, _: &mut Events) -> Pipes {
    let mut server = NamedPipe::new(named_pipe::name()).unwrap();
    poll.registry().register(&mut server, SERVER, BOTH).unwrap();
    (server, None)
}

fn connect_is_pending(poll: &mut Poll, _: &mut Events) -> Pipes {
    (listening(poll).0, None)
}

fn connect_has_completed(poll: &mut Poll, _: &mut Events) -> Pipes {
    let (server, name) = listening(poll);
    let client = named_pipe::client(&name);
    (server, Some(client))
}

fn connect_was_cancelled(poll: &mut Poll, _: &mut Events) -> Pipes {
    let (server, _) = listening(poll);
    server.disconnect().unwrap();
    assert_eq!(server.connect().unwrap_err().kind(), ErrorKind::WouldBlock);
    (server, None)
}

fn reads_are_pending(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (server, client) = connected(poll, events);
    (server, Some(client))
}

fn reads_have_completed(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (mut server, mut client) = connected(poll, events);
    assert_eq!((server.write(b"xy").unwrap(), client.write(b"xy").unwrap()), (2, 2));
    (server, Some(client))
}

fn bytes_are_unread(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (mut server, mut client) = connected(poll, events);
    assert_eq!(client.write(b"xy").unwrap(), 2);
    wait_for(poll, events, SERVER, |event| event.is_readable());
    assert_eq!(server.read(&mut [0]).unwrap(), 1);
    (server, Some(client))
}

fn writes_are_pending(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (mut server, mut client) = connected(poll, events);
    assert_eq!((server.write(&[0; LARGE]).unwrap(), client.write(&[0; LARGE]).unwrap()), (LARGE, LARGE));
    (server, Some(client))
}

fn writes_are_pending_and_half_is_read(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (server, client) = writes_are_pending(poll, events);
    poll.poll(events, Some(SHORT_WAIT)).unwrap();
    if let Some(mut client) = client.as_ref() {
        // The bytes may not have arrived yet.
        let _ = client.read(&mut [0; 1 << 16]);
    }
    (server, client)
}

fn pending_operations_were_discarded(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (server, client) = writes_are_pending(poll, events);
    server.disconnect().unwrap();
    (server, client)
}

fn client_was_dropped(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (server, _) = writes_are_pending(poll, events);
    (server, None)
}

fn server_was_deregistered(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (mut server, client) = writes_are_pending(poll, events);
    poll.registry().deregister(&mut server).unwrap();
    (server, client)
}

fn server_is_ready_in_level_mode(poll: &mut Poll, events: &mut Events) -> Pipes {
    let (mut server, client) = connected(poll, events);
    poll.registry().reregister(&mut server, SERVER, BOTH.level()).unwrap();
    wait_for(poll, events, SERVER, |event| event.is_writable());
    (server, Some(client))
}

#[test]
fn a_pipe_that_is_dropped_in_any_state_leaves_no_handle_and_no_memory() {
    isolated(|| {
        type Setup = fn(&mut Poll, &mut Events) -> Pipes;
        let states: [(&str, Setup); 14] = [
            ("never registered", never_registered),
            ("never connected", never_connected),
            ("a connect is pending", connect_is_pending),
            ("a connect has completed", connect_has_completed),
            ("a connect was cancelled", connect_was_cancelled),
            ("reads are pending", reads_are_pending),
            ("reads have completed", reads_have_completed),
            ("bytes are unread", bytes_are_unread),
            ("writes are pending", writes_are_pending),
            ("writes are pending, half is read", writes_are_pending_and_half_is_read),
            ("pending operations were discarded", pending_operations_were_discarded),
            ("the client was dropped", client_was_dropped),
            ("the server was deregistered", server_was_deregistered),
            ("the server is ready in level mode", server_is_ready_in_level_mode),
        ];
        type Teardown = fn(Poll, Events, Pipes);
        let orders: [(&str, Teardown); 5] = [
            ("the pipes are dropped first", |poll, _, pipes| {
                drop(pipes);
                drop(poll);
            }),
            ("the pipes are dropped first, then the poll polls once more", |mut poll, mut events, pipes| {
                drop(pipes);
                poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
                drop(poll);
            }),
            ("the poll is dropped first", |poll, _, pipes| {
                drop(poll);
                drop(pipes);
            }),
            ("the poll is dropped in between", |poll, _, (server, client)| {
                drop(server);
                drop(poll);
                drop(client);
            }),
            ("a registry is dropped last", |poll, _, pipes| {
                let registry = poll.registry().try_clone().unwrap();
                drop(poll);
                drop(pipes);
                drop(registry);
            }),
        ];
        let run = |setup: Setup, teardown: Teardown| {
            let (mut poll, mut events) = poll();
            let pipes = setup(&mut poll, &mut events);
            teardown(poll, events, pipes);
        };
        for (state, setup) in states {
            for (order, teardown) in orders {
                // The first run may open handles and allocate memory that the process keeps.
                run(setup, teardown);
                let before = (handles::open_handles(), allocated_bytes::allocated_bytes());
                (0..3).for_each(|_| run(setup, teardown));
                assert_eq!((handles::open_handles(), allocated_bytes::allocated_bytes()), before, "{state}, {order}");
            }
        }
        // Now the pipes are dropped, but not the poll. The handles and the memory that remain for dropped pipes must
        // not grow with the number of pipes. The states with pending writes are left out, because a pending write
        // completes only when the other end reads it.
        let setups = [
            connect_is_pending,
            connect_has_completed,
            connect_was_cancelled,
            reads_are_pending,
            reads_have_completed,
            bytes_are_unread,
            pending_operations_were_discarded,
            server_is_ready_in_level_mode,
        ];
        let (mut poll, mut events) = poll();
        let mut left_after = |rounds: usize| {
            for _ in 0..rounds {
                setups.iter().for_each(|setup| drop(setup(&mut poll, &mut events)));
            }
            while {
                poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
                !events.is_empty()
            } {}
            (handles::open_handles(), allocated_bytes::allocated_bytes())
        };
        let (few, many) = (left_after(5), left_after(20));
        assert_eq!(few.0, many.0);
        assert!(many.1 < few.1 + LARGE, "{few:?}, then {many:?}");
    });
}

#[test]
fn a_refused_write_keeps_no_copy_of_its_bytes() {
    isolated(|| {
        let (poll, _) = poll();
        let mut server = NamedPipe::new(named_pipe::name()).unwrap();
        poll.registry().register(&mut server, SERVER, BOTH).unwrap();
        let bytes = vec![0; 16 << 20];
        let before = allocated_bytes::allocated_bytes();
        // No client has opened the pipe.
        server.write(&bytes).unwrap_err();
        let left = allocated_bytes::allocated_bytes() - before;
        assert!(left <= 1 << 20, "{left} bytes are left");
    });
}
