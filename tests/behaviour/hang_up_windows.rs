//! `Interest::HANG_UP` with a named pipe.

#![cfg(windows)]

use std::io::{Read, Write};

use minimio::windows::NamedPipe;
use minimio::{Event, Token};

use crate::hang_up::{expect_hang_up, MODES};
use crate::support::*;

#[test]
fn a_client_whose_server_was_closed_is_a_hang_up() {
    for mode in MODES {
        let (mut poll, mut events) = poll();
        let name = named_pipe::name();
        let mut server = NamedPipe::new(&name).unwrap();
        let mut client = named_pipe::client(&name);
        poll.registry().register(&mut server, Token(2), BOTH).unwrap();
        assert!(server.connect().is_ok());
        poll.registry().register(&mut client, SOURCE, mode).unwrap();
        wait_for(&mut poll, &mut events, Token(2), Event::is_writable);
        server.write_all(b"data").unwrap();
        wait_for(&mut poll, &mut events, Token(2), Event::is_writable);
        expect_no_event(&mut poll, &mut events);
        client.read_exact(&mut [0; 4]).unwrap();
        drop(server);
        expect_hang_up(&mut poll, &mut events, &mut client, mode);
    }
}
