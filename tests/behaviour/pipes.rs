//! Pipes within this process.

#![cfg(unix)]

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::unix::io::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use minimio::event::Source;
use minimio::unix::pipe::{self};
use minimio::{Interest, Token};

use crate::support::pipe::*;
use crate::support::*;

// Reading and writing.

#[test]
fn bytes_are_received_in_the_order_in_which_they_were_sent() {
    let (mut sender, mut receiver) = pipe::new().unwrap();
    let mut buf = [0; 16];
    assert_eq!(sender.write(b"one ").unwrap(), 4);
    assert_eq!((&sender).write(b"two ").unwrap(), 4);
    sender.flush().unwrap();
    assert_eq!(receiver.read(&mut buf[..6]).unwrap(), 6);
    assert_eq!((&receiver).read(&mut buf[6..]).unwrap(), 2);
    assert_eq!(&buf[..8], b"one two ");

    assert_eq!(sender.write_vectored(&[IoSlice::new(b"th"), IoSlice::new(b"ree ")]).unwrap(), 6);
    assert_eq!((&sender).write_vectored(&[IoSlice::new(b"fo"), IoSlice::new(b"ur")]).unwrap(), 4);
    assert_eq!(sender.write_vectored(&[]).unwrap(), 0);
    assert_eq!(receiver.read_vectored(&mut []).unwrap(), 0);
    (&sender).flush().unwrap();
    let (mut a, mut b) = ([0; 3], [0; 3]);
    assert_eq!(receiver.read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).unwrap(), 6);
    assert_eq!((&a, &b), (b"thr", b"ee "));
    assert_eq!((&receiver).read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).unwrap(), 4);
    assert_eq!((&a, b[0]), (b"fou", b'r'));
}

#[test]
fn a_read_from_an_empty_pipe_would_block() {
    let (_sender, mut receiver) = pipe::new().unwrap();
    assert_eq!(receiver.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let vectored = receiver.read_vectored(&mut [IoSliceMut::new(&mut [0])]);
    assert_eq!(vectored.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_write_to_a_full_pipe_would_block_until_the_receiver_reads() {
    let ((mut poll, mut events), (mut sender, receiver)) = registered_pipe(Interest::edge);
    wait_for(&mut poll, &mut events, SENDER, |event| event.is_writable());
    let room = fill(&sender);
    assert!(room >= 512, "the pipe holds only {room} bytes");
    assert_eq!(sender.write_vectored(&[IoSlice::new(b"x")]).unwrap_err().kind(), ErrorKind::WouldBlock);
    wait_for(&mut poll, &mut events, RECEIVER, |event| event.is_readable());
    expect_no_event(&mut poll, &mut events);

    let mut bytes = Vec::new();
    assert!(!drain(&receiver, &mut bytes));
    assert_eq!(bytes.len(), room);
    wait_for(&mut poll, &mut events, SENDER, |event| event.is_writable() && !event.is_write_closed());
    assert_eq!(sender.write(b"x").unwrap(), 1);
}

#[test]
fn megabytes_pass_through_a_pipe_driven_by_events_alone() {
    let (sender, receiver) = pipe::new().unwrap();
    let text: Vec<u8> = (0..3 * LARGER_THAN_A_PIPE).map(|i| (i / 7) as u8).collect();
    let sent = text.clone();
    let writer = thread::spawn(move || {
        let (mut poll, mut events) = poll();
        let mut sender = sender;
        poll.registry().register(&mut sender, SENDER, WRITE).unwrap();
        let mut rest = &sent[..];
        while !rest.is_empty() {
            match sender.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(err) if err.kind() == ErrorKind::WouldBlock => {
                    wait_for(&mut poll, &mut events, SENDER, |event| event.is_writable());
                }
                Err(err) => panic!("write: {err}"),
            }
        }
    });
    let (mut poll, mut events) = poll();
    let mut receiver = receiver;
    poll.registry().register(&mut receiver, RECEIVER, READ).unwrap();
    let mut bytes = Vec::new();
    while !drain(&receiver, &mut bytes) {
        wait_for(&mut poll, &mut events, RECEIVER, |event| event.is_readable());
    }
    writer.join().unwrap();
    assert!(bytes == text, "received {} bytes of {}", bytes.len(), text.len());
}

#[test]
fn set_nonblocking_switches_each_end_on_its_own() {
    let (mut sender, receiver) = pipe::new().unwrap();
    let short = sender.write(&vec![1; LARGER_THAN_A_PIPE]).unwrap();
    assert!(short < LARGER_THAN_A_PIPE, "the pipe holds {short} bytes");

    // First only the sender blocks, then both ends. A blocking write writes everything, and a blocking read never
    // returns `WouldBlock`.
    sender.set_nonblocking(false).unwrap();
    assert_eq!((&receiver).read(&mut vec![0; short]).unwrap(), short);
    assert_eq!((&receiver).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    receiver.set_nonblocking(false).unwrap();
    let reader = thread::spawn(move || {
        let mut bytes = vec![0; LARGER_THAN_A_PIPE];
        (&receiver).read_exact(&mut bytes).unwrap();
        receiver
    });
    assert_eq!(sender.write(&vec![2; LARGER_THAN_A_PIPE]).unwrap(), LARGER_THAN_A_PIPE);
    let mut receiver = reader.join().unwrap();

    receiver.set_nonblocking(true).unwrap();
    assert_eq!(receiver.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    sender.set_nonblocking(true).unwrap();
    assert!(sender.write(&vec![3; LARGER_THAN_A_PIPE]).unwrap() < LARGER_THAN_A_PIPE);
}

#[test]
fn try_io_returns_the_result_of_the_operation() {
    let ((mut poll, mut events), (sender, receiver)) = registered_pipe(Interest::edge);
    wait_for(&mut poll, &mut events, SENDER, |event| event.is_writable());
    for _ in 0..3 {
        let would_block = receiver.try_io(|| (&receiver).read(&mut [0])).unwrap_err();
        assert_eq!(would_block.kind(), ErrorKind::WouldBlock);
        assert_eq!(sender.try_io(|| (&sender).write(b"x")).unwrap(), 1);
        wait_for(&mut poll, &mut events, RECEIVER, |event| event.is_readable());
        assert_eq!(receiver.try_io(|| (&receiver).read(&mut [0; 8])).unwrap(), 1);
    }
    assert_eq!(sender.try_io(|| Ok("anything")).unwrap(), "anything");
    assert_eq!(sender.try_io::<_, ()>(|| Err(ErrorKind::Other.into())).unwrap_err().kind(), ErrorKind::Other);
}

// Modes.

#[test]
fn each_edge_is_reported_once() {
    let ((mut poll, mut events), (mut sender, mut receiver)) = registered_pipe(Interest::edge);
    assert_eq!(next_tokens(&mut poll, &mut events), [SENDER]);
    for _ in 0..3 {
        sender.write_all(b"x").unwrap();
        assert!(next_tokens(&mut poll, &mut events).contains(&RECEIVER));
        expect_no_event(&mut poll, &mut events);
        assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 1);
    }
}

#[test]
fn a_level_source_is_reported_while_it_is_ready() {
    let ((mut poll, mut events), (mut sender, mut receiver)) = registered_pipe(Interest::level);
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SENDER]);
    }
    fill(&sender);
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [RECEIVER]);
    }
    drain(&receiver, &mut Vec::new());
    assert_eq!(next_tokens(&mut poll, &mut events), [SENDER]);
    poll.registry().deregister(&mut sender).unwrap();
    expect_no_event(&mut poll, &mut events);
    sender.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [RECEIVER]);
    poll.registry().deregister(&mut receiver).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_oneshot_source_is_reported_once_until_it_is_reregistered() {
    let ((mut poll, mut events), (mut sender, mut receiver)) = registered_pipe(Interest::oneshot);
    assert_eq!(next_tokens(&mut poll, &mut events), [SENDER]);
    sender.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [RECEIVER]);
    sender.write_all(b"x").unwrap();
    expect_no_event(&mut poll, &mut events);
    poll.registry().reregister(&mut receiver, Token(3), READ.oneshot()).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(3)]);
    poll.registry().reregister(&mut sender, Token(4), WRITE.oneshot()).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(4)]);
    expect_no_event(&mut poll, &mut events);
}

// Closed ends.

#[test]
fn a_receiver_reads_the_rest_after_the_sender_is_closed() {
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let ((mut poll, mut events), (mut sender, mut receiver)) = registered_pipe(mode);
        sender.write_all(b"last words").unwrap();
        drop(sender);
        poll.registry().reregister(&mut receiver, RECEIVER, READ.level()).unwrap();
        wait_for(&mut poll, &mut events, RECEIVER, is_read_closed);
        let mut bytes = Vec::new();
        assert!(drain(&receiver, &mut bytes));
        assert_eq!(bytes, b"last words");
        assert_eq!(receiver.read(&mut [0]).unwrap(), 0);
        assert_eq!(receiver.read_vectored(&mut [IoSliceMut::new(&mut [0])]).unwrap(), 0);
    }
}

#[test]
fn a_sender_fails_after_the_receiver_is_closed() {
    for is_full in [false, true] {
        let ((mut poll, mut events), (mut sender, receiver)) = registered_pipe(Interest::edge);
        if is_full {
            fill(&sender);
        }
        drop(receiver);
        // The event that the sender is writable was pending already, so NetBSD too reports the closed receiver.
        wait_for(&mut poll, &mut events, SENDER, is_write_closed);
        // If SIGPIPE had its default action, the write would end the process, and the test would fail.
        assert_eq!(sender.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(sender.write_vectored(&[IoSlice::new(b"x")]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_receiver_registered_after_the_sender_closed_reports_the_end() {
    let (mut poll, mut events) = poll();
    let (mut sender, mut receiver) = pipe::new().unwrap();
    sender.write_all(b"x").unwrap();
    drop(sender);
    poll.registry().register(&mut receiver, RECEIVER, READ).unwrap();
    wait_for(&mut poll, &mut events, RECEIVER, is_read_closed);
    poll.registry().deregister(&mut receiver).unwrap();
}

#[test]
fn a_sender_registered_after_the_receiver_closed_is_write_closed_where_the_system_reports_it() {
    let (mut poll, mut events) = poll();
    let (mut sender, receiver) = pipe::new().unwrap();
    drop(receiver);
    assert_eq!(sender.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let registry = poll.registry().try_clone().unwrap();
    registry.register(&mut sender, SENDER, WRITE).unwrap();
    let mut check = || match system::write_ends_registered_after_the_reader_closed_are_reported() {
        Some(true) => drop(wait_for(&mut poll, &mut events, SENDER, is_write_closed)),
        Some(false) => expect_no_event(&mut poll, &mut events),
        None => {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert!(events.iter().all(is_write_closed), "{events:?}");
        }
    };
    check();
    registry.reregister(&mut sender, SENDER, WRITE).unwrap();
    check();
    assert_eq!(registry.register(&mut sender, SENDER, WRITE).unwrap_err().kind(), ErrorKind::AlreadyExists);
    registry.deregister(&mut sender).unwrap();
    assert_eq!(registry.deregister(&mut sender).unwrap_err().kind(), ErrorKind::NotFound);
    registry.register(&mut sender, SENDER, WRITE).unwrap();
}

#[test]
fn a_dropped_end_is_not_reported() {
    let ((mut poll, mut events), (sender, receiver)) = registered_pipe(Interest::level);
    assert_eq!(next_tokens(&mut poll, &mut events), [SENDER]);
    drop((sender, receiver));
    expect_no_event(&mut poll, &mut events);
    // A new pipe with the same descriptor numbers is not reported under the old tokens.
    let (mut sender, mut receiver) = pipe::new().unwrap();
    sender.write_all(b"x").unwrap();
    expect_no_event(&mut poll, &mut events);
    poll.registry().register(&mut receiver, Token(3), READ).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(3)]);
}

#[test]
fn a_poll_may_be_dropped_before_its_pipes() {
    let ((first, _), (mut sender, mut receiver)) = registered_pipe(Interest::edge);
    drop(first);
    let (mut poll, mut events) = poll();
    poll.registry().register(&mut receiver, RECEIVER, READ).unwrap();
    poll.registry().register(&mut sender, SENDER, WRITE).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SENDER]);
}

// Registration and conversions.

#[test]
fn a_registered_end_cannot_be_registered_again() {
    fn check(source: &mut impl Source, interest: Interest) {
        let (here, _) = poll();
        let (there, _) = poll();
        let (here, there) = (here.registry(), there.registry());
        let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(here.deregister(source)), ErrorKind::NotFound);
        assert_eq!(kind(here.reregister(source, SENDER, interest)), ErrorKind::NotFound);
        here.register(source, SENDER, interest).unwrap();
        assert_eq!(kind(here.register(source, SENDER, interest)), ErrorKind::AlreadyExists);
        assert_eq!(kind(there.register(source, SENDER, interest)), ErrorKind::AlreadyExists);
        assert_eq!(kind(there.reregister(source, SENDER, interest)), ErrorKind::NotFound);
        assert_eq!(kind(there.deregister(source)), ErrorKind::NotFound);
        here.reregister(source, RECEIVER, interest).unwrap();
        here.deregister(source).unwrap();
        there.register(source, SENDER, interest).unwrap();
    }
    let (mut sender, mut receiver) = pipe::new().unwrap();
    check(&mut sender, WRITE);
    check(&mut receiver, READ);
}

#[test]
fn ends_convert_to_descriptors_and_back() {
    fn check<T: AsFd + AsRawFd + FromRawFd + IntoRawFd + From<OwnedFd> + Into<OwnedFd>>(end: T) -> T {
        let number = end.as_raw_fd();
        assert_eq!(end.as_fd().as_raw_fd(), number);
        let owned: OwnedFd = end.into();
        assert_eq!(owned.as_raw_fd(), number);
        let end: T = descriptor::from_raw(T::from(owned));
        assert_eq!(end.as_raw_fd(), number);
        end
    }
    let ((poll, _), (mut sender, mut receiver)) = registered_pipe(Interest::edge);
    poll.registry().deregister(&mut sender).unwrap();
    poll.registry().deregister(&mut receiver).unwrap();
    let (mut sender, mut receiver) = (check(sender), check(receiver));
    // The converted ends are unregistered and still non-blocking.
    assert_eq!(poll.registry().deregister(&mut sender).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(poll.registry().deregister(&mut receiver).unwrap_err().kind(), ErrorKind::NotFound);
    poll.registry().register(&mut sender, SENDER, WRITE).unwrap();
    assert_eq!(receiver.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    sender.write_all(b"alive").unwrap();
    assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 5);
}

#[test]
fn debug_output_contains_the_type_and_the_descriptor() {
    let (sender, receiver) = pipe::new().unwrap();
    for (shown, name, number) in [
        (format!("{sender:?}"), "Sender", sender.as_raw_fd()),
        (format!("{receiver:?}"), "Receiver", receiver.as_raw_fd()),
    ] {
        assert!(shown.starts_with(name) && shown.contains(&format!("fd: {number}")), "{shown}");
    }
}
