//! Helpers for tests of pipes.

use std::io::{ErrorKind, Read, Write};

use minimio::unix::pipe::{self, Receiver, Sender};
use minimio::{Event, Events, Interest, Poll, Token};

use super::poll;

pub const RECEIVER: Token = Token(1);
pub const SENDER: Token = Token(2);
pub const READ: Interest = Interest::READABLE;
pub const WRITE: Interest = Interest::WRITABLE;

/// More than any pipe holds.
pub const MUCH: usize = 1 << 20;

/// A poll, and a pipe whose ends are registered in this mode.
pub fn registered_pipe(mode: fn(Interest) -> Interest) -> ((Poll, Events), (Sender, Receiver)) {
    let (poll, events) = poll();
    let (mut sender, mut receiver) = pipe::new().unwrap();
    poll.registry().register(&mut sender, SENDER, mode(WRITE)).unwrap();
    poll.registry().register(&mut receiver, RECEIVER, mode(READ)).unwrap();
    ((poll, events), (sender, receiver))
}

/// Writes until there is no more room.
pub fn fill(mut sender: &Sender) -> usize {
    let mut count = 0;
    loop {
        match sender.write(&[7; 4096]) {
            Ok(written) => count += written,
            Err(err) if err.kind() == ErrorKind::WouldBlock => return count,
            Err(err) => panic!("write: {err}"),
        }
    }
}

/// Reads until there is nothing left, or to the end: then it is true.
pub fn drain(mut receiver: &Receiver, bytes: &mut Vec<u8>) -> bool {
    match receiver.read_to_end(bytes) {
        Ok(_) => true,
        Err(err) if err.kind() == ErrorKind::WouldBlock => false,
        Err(err) => panic!("read: {err}"),
    }
}

pub fn is_read_closed(event: &Event) -> bool {
    event.is_readable() && event.is_read_closed()
}

pub fn is_write_closed(event: &Event) -> bool {
    event.is_writable() && event.is_write_closed()
}
