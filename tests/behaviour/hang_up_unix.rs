//! `Interest::HANG_UP` with the sources of Unix alone.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net::Shutdown;

use minimio::net::UnixStream;
use minimio::unix::pipe;
use minimio::Event;

use crate::hang_up::{expect_hang_up, HANG_UP, MODES};
use crate::support::*;

#[test]
fn a_unix_stream_whose_peer_was_closed_is_a_hang_up() {
    for mode in MODES {
        let (mut poll, mut events) = poll();
        let (mut stream, mut peer) = UnixStream::pair().unwrap();
        poll.registry().register(&mut stream, SOURCE, mode).unwrap();
        peer.write_all(b"data").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        expect_no_event(&mut poll, &mut events);
        drop(peer);
        expect_hang_up(&mut poll, &mut events, &mut stream, mode);
    }
}

#[test]
fn a_pipe_whose_writer_was_closed_is_a_hang_up() {
    for mode in MODES {
        let (mut poll, mut events) = poll();
        let (mut sender, mut receiver) = pipe::new().unwrap();
        poll.registry().register(&mut receiver, SOURCE, mode).unwrap();
        sender.write_all(b"data").unwrap();
        expect_no_event(&mut poll, &mut events);
        drop(sender);
        expect_hang_up(&mut poll, &mut events, &mut receiver, mode);
    }
}

#[test]
fn a_oneshot_hang_up_that_was_reported_is_not_reported_again_after_a_read() {
    let (mut poll, mut events) = poll();
    let (mut sender, mut receiver) = pipe::new().unwrap();
    poll.registry().register(&mut receiver, SOURCE, HANG_UP.oneshot()).unwrap();
    sender.write_all(b"data").unwrap();
    drop(sender);
    wait_for(&mut poll, &mut events, SOURCE, Event::is_hang_up);
    for _ in 0..4 {
        receiver.read_exact(&mut [0]).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn a_pipe_whose_reader_was_closed_is_reported_as_closed() {
    for mode in MODES {
        let (mut poll, mut events) = poll();
        let (mut sender, receiver) = pipe::new().unwrap();
        poll.registry().register(&mut sender, SOURCE, mode).unwrap();
        expect_no_event(&mut poll, &mut events);
        drop(receiver);
        for _ in 0..if mode.is_level() { 3 } else { 1 } {
            wait_for(&mut poll, &mut events, SOURCE, Event::is_write_closed);
        }
    }
}
