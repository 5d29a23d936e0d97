//! Helpers for tests of pipes.

use std::io::{ErrorKind, Read, Write};

use minimio::unix::pipe::{self, Receiver, Sender};
use minimio::{Event, Events, Interest, Poll, Token};

use super::{poll, READ, WRITE};

pub const RECEIVER: Token = Token(1);
pub const SENDER: Token = Token(2);

/// More bytes than the buffer of a pipe can hold.
pub const LARGER_THAN_A_PIPE: usize = 1 << 20;

/// Returns a poll and a pipe whose ends are registered with it in this mode.
pub fn registered_pipe(mode: fn(Interest) -> Interest) -> ((Poll, Events), (Sender, Receiver)) {
    let (poll, events) = poll();
    let (mut sender, mut receiver) = pipe::new().unwrap();
    poll.registry().register(&mut sender, SENDER, mode(WRITE)).unwrap();
    poll.registry().register(&mut receiver, RECEIVER, mode(READ)).unwrap();
    ((poll, events), (sender, receiver))
}

/// Writes until the pipe is full, and returns the number of bytes.
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

/// Reads until the pipe is empty. Returns whether the read reached the end of the stream.
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
