//! Named pipes: connections, reads and writes, modes, closed ends, registration and threads.

#![cfg(windows)]

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net;
use std::os::windows::io::AsRawHandle;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use minimio::net::TcpStream;
use minimio::windows::NamedPipe;
use minimio::{Event, Events, Interest, Poll, Token};

use crate::support::*;

const SERVER: Token = Token(1);
const CLIENT: Token = Token(2);

/// The error of the registration of a handle that was opened without `FILE_FLAG_OVERLAPPED`.
const ERROR_INVALID_PARAMETER: i32 = 87;
/// The error of a read from a pipe that the server has disconnected.
const ERROR_PIPE_NOT_CONNECTED: i32 = 233;

fn listener() -> (NamedPipe, String) {
    let name = named_pipe::name();
    (NamedPipe::new(&name).unwrap(), name)
}

fn poll_and_listener() -> (Poll, Events, NamedPipe, String) {
    let ((poll, events), (server, name)) = (poll(), listener());
    (poll, events, server, name)
}

fn register(poll: &Poll, pipe: &mut NamedPipe, token: Token) {
    poll.registry().register(pipe, token, BOTH).unwrap();
}

/// Returns a server end and a client end, both registered. No event of them has been reported yet.
fn pair(poll: &Poll) -> (NamedPipe, NamedPipe) {
    pair_as(poll, BOTH)
}

fn pair_as(poll: &Poll, interest: Interest) -> (NamedPipe, NamedPipe) {
    let (mut server, name) = listener();
    let mut client = named_pipe::client(&name);
    poll.registry().register(&mut server, SERVER, interest).unwrap();
    server.connect().unwrap();
    poll.registry().register(&mut client, CLIENT, interest).unwrap();
    (server, client)
}

/// Returns a registered pair of which both ends have been reported as writable.
fn writable_pair() -> (Poll, Events, NamedPipe, NamedPipe) {
    let (mut poll, mut events) = poll();
    let (server, client) = pair(&poll);
    let mut reported = Vec::new();
    while reported.len() < 2 {
        for event in next_batch(&mut poll, &mut events) {
            assert!(event.is_writable() && !event.is_readable(), "{event:?}");
            reported.push(event.token());
        }
    }
    (poll, events, server, client)
}

fn wait_until_readable(poll: &mut Poll, events: &mut Events, token: Token) -> Event {
    wait_for(poll, events, token, |event| event.is_readable())
}

fn wait_until_writable(poll: &mut Poll, events: &mut Events, token: Token) -> Event {
    wait_for(poll, events, token, |event| event.is_writable())
}

/// Repeats a read until it does not return `WouldBlock`.
fn read_some(poll: &mut Poll, events: &mut Events, mut pipe: &NamedPipe, buf: &mut [u8]) -> io::Result<usize> {
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        match pipe.read(buf) {
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                assert!(Instant::now() < end, "the pipe did not become readable");
                poll.poll(events, Some(SHORT_WAIT)).unwrap();
            }
            result => return result,
        }
    }
}

fn read_exactly(poll: &mut Poll, events: &mut Events, pipe: &NamedPipe, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut count = 0;
    while count < len {
        let more = read_some(poll, events, pipe, &mut bytes[count..]).unwrap();
        assert_ne!(more, 0, "the pipe ended after {count} bytes of {len}");
        count += more;
    }
    bytes
}

/// Writes all bytes, and waits whenever the write would block.
fn write_whole(poll: &mut Poll, events: &mut Events, mut pipe: &NamedPipe, bytes: &[u8]) {
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        match pipe.write(bytes) {
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                assert!(Instant::now() < end, "the pipe did not become writable");
                poll.poll(events, Some(SHORT_WAIT)).unwrap();
            }
            result => return assert_eq!(result.unwrap(), bytes.len()),
        }
    }
}

fn assert_would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// Returns bytes in words of four, no two of which are equal, so that a swapped, lost or doubled piece differs from the
/// expected piece.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).take(len).collect()
}

// A server and its first client.

#[test]
fn a_client_that_connects_after_connect_makes_the_server_writable() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    register(&poll, &mut server, SERVER);
    assert_would_block(server.connect());
    expect_no_event(&mut poll, &mut events);
    assert_would_block(server.connect());
    let _client = named_pipe::blocking_client(&name);
    let event = wait_until_writable(&mut poll, &mut events, SERVER);
    assert!(!event.is_readable() && !event.is_error(), "{event:?}");
    server.connect().unwrap();
    assert!(server.take_error().unwrap().is_none());
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn connect_succeeds_immediately_if_a_client_is_connected() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    register(&poll, &mut server, SERVER);
    expect_no_event(&mut poll, &mut events);
    let mut client = named_pipe::blocking_client(&name);
    server.connect().unwrap();
    wait_until_writable(&mut poll, &mut events, SERVER);
    assert_eq!(server.write(b"hello").unwrap(), 5);
    let mut buf = [0; 8];
    assert_eq!(client.read(&mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"hello");
}

#[test]
fn a_client_that_connected_before_the_registration_makes_the_server_writable() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    let mut client = named_pipe::blocking_client(&name);
    client.write_all(b"hello").unwrap();
    register(&poll, &mut server, SERVER);
    wait_until_writable(&mut poll, &mut events, SERVER);
    server.connect().unwrap();
    assert_eq!(read_exactly(&mut poll, &mut events, &server, 5), b"hello");
}

#[test]
fn the_data_of_a_client_that_closed_before_connect_is_read_until_its_end() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    let mut client = named_pipe::blocking_client(&name);
    client.write_all(b"hello").unwrap();
    drop(client);
    register(&poll, &mut server, SERVER);
    server.connect().unwrap();
    let mut buf = [0; 8];
    assert_eq!(read_some(&mut poll, &mut events, &server, &mut buf).unwrap(), 5);
    assert_eq!(read_some(&mut poll, &mut events, &server, &mut buf).unwrap(), 0);
}

#[test]
fn a_client_is_writable_when_it_is_registered() {
    let (mut poll, mut events) = poll();
    let (_server, name) = listener();
    let mut client = named_pipe::client(&name);
    register(&poll, &mut client, CLIENT);
    let event = wait_until_writable(&mut poll, &mut events, CLIENT);
    assert!(!event.is_readable(), "{event:?}");
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_write_only_server_is_not_writable_before_its_client_connects() {
    let (mut poll, mut events) = poll();
    let name = named_pipe::name();
    let mut server = named_pipe::writing_server(&name);
    poll.registry().register(&mut server, SERVER, Interest::WRITABLE).unwrap();
    assert_would_block(server.connect());
    // `connect` withdraws the writable event of the registration.
    expect_no_event(&mut poll, &mut events);
    // The failed read does not mean that a client is connected.
    assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::PermissionDenied);
    poll.registry().reregister(&mut server, SERVER, Interest::WRITABLE).unwrap();
    expect_no_event(&mut poll, &mut events);
    let _client = named_pipe::reading_client(&name);
    wait_until_writable(&mut poll, &mut events, SERVER);
    assert!(server.take_error().unwrap().is_none());
    server.write_all(b"x").unwrap();
}

#[test]
fn a_blocked_poll_reports_a_client() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let poller = thread::spawn(move || {
        wait_until_writable(&mut poll, &mut events, SERVER);
        poll
    });
    let (mut server, name) = listener();
    registry.register(&mut server, SERVER, BOTH).unwrap();
    // The polling thread is usually blocked by now.
    thread::yield_now();
    let _client = named_pipe::blocking_client(&name);
    server.connect().unwrap();
    drop(poller.join().unwrap());
}

// Reading and writing.

#[test]
fn bytes_written_at_one_end_are_read_at_the_other() {
    let (mut poll, mut events) = poll();
    let (server, client) = pair(&poll);
    for (there, back) in [(&client, &server), (&server, &client)] {
        write_whole(&mut poll, &mut events, there, b"question");
        assert_eq!(read_exactly(&mut poll, &mut events, back, 8), b"question");
        write_whole(&mut poll, &mut events, back, b"answer");
        assert_eq!(read_exactly(&mut poll, &mut events, there, 6), b"answer");
    }
}

#[test]
fn ten_thousand_messages_arrive_in_order_in_each_direction() {
    const MESSAGES: u64 = 10_000;
    let (mut poll, mut events) = poll();
    let (server, client) = pair(&poll);
    let mut ends = [(SERVER, &server, 0_u64, Vec::new()), (CLIENT, &client, 0, Vec::new())];
    let mut batches = 0;
    while ends.iter().any(|(_, _, sent, received)| *sent < MESSAGES || received.len() < MESSAGES as usize * 8) {
        batches += 1;
        assert!(batches < 10 * MESSAGES, "the exchange makes no progress");
        for event in next_batch(&mut poll, &mut events) {
            let (_, pipe, sent, received) = ends.iter_mut().find(|(token, ..)| *token == event.token()).unwrap();
            let mut buf = [0; 1024];
            while event.is_readable() {
                match pipe.read(&mut buf) {
                    Ok(count) => received.extend_from_slice(&buf[..count]),
                    Err(err) => {
                        assert_eq!(err.kind(), ErrorKind::WouldBlock, "{err}");
                        break;
                    }
                }
            }
            while event.is_writable() && *sent < MESSAGES {
                match pipe.write(&sent.to_le_bytes()) {
                    Ok(count) => {
                        assert_eq!(count, 8);
                        *sent += 1;
                    }
                    Err(err) => {
                        assert_eq!(err.kind(), ErrorKind::WouldBlock, "{err}");
                        break;
                    }
                }
            }
        }
    }
    let expected: Vec<u8> = (0..MESSAGES).flat_map(u64::to_le_bytes).collect();
    assert!(ends.iter().all(|(.., received)| *received == expected));
}

#[test]
fn a_write_of_any_size_arrives_whole() {
    let (mut poll, mut events, server, client) = writable_pair();
    let bytes = pattern(5_000_000);
    assert_eq!((&server).write(&bytes).unwrap(), bytes.len());
    assert!(read_exactly(&mut poll, &mut events, &client, bytes.len()) == bytes);
    // The next write arrives after it.
    write_whole(&mut poll, &mut events, &server, b"!");
    assert_eq!(read_exactly(&mut poll, &mut events, &client, 1), b"!");
}

#[test]
fn the_next_write_would_block_while_a_write_is_pending() {
    let (mut poll, mut events, server, client) = writable_pair();
    let bytes = pattern(1_000_000);
    assert_eq!((&client).write(&bytes).unwrap(), bytes.len());
    assert_would_block((&client).write(b"more"));
    // The server has read ahead only a small part.
    wait_until_readable(&mut poll, &mut events, SERVER);
    expect_no_event(&mut poll, &mut events);
    assert_would_block((&client).write(b"more"));
    let mut buf = vec![0; 1 << 16];
    let mut left = bytes.len();
    let mut is_writable = false;
    while left > 0 {
        match (&server).read(&mut buf) {
            Ok(count) => left -= count,
            Err(_) => {
                let batch = next_batch(&mut poll, &mut events);
                is_writable |= batch.iter().any(|event| event.token() == CLIENT && event.is_writable());
            }
        }
    }
    if !is_writable {
        wait_until_writable(&mut poll, &mut events, CLIENT);
    }
    assert_eq!((&client).write(b"more").unwrap(), 4);
    assert_eq!(read_exactly(&mut poll, &mut events, &server, 4), b"more");
}

#[test]
fn each_write_makes_the_pipe_writable_again() {
    let (mut poll, mut events, server, client) = writable_pair();
    for _ in 0..3 {
        assert_eq!((&client).write(b"x").unwrap(), 1);
        wait_until_writable(&mut poll, &mut events, CLIENT);
    }
    assert_eq!(read_exactly(&mut poll, &mut events, &server, 3), b"xxx");
}

#[test]
fn several_buffers_are_one_write_and_one_read() {
    let (mut poll, mut events, server, mut client) = writable_pair();
    let bufs = [IoSlice::new(b"ques"), IoSlice::new(b""), IoSlice::new(b"tion")];
    assert_eq!(client.write_vectored(&bufs).unwrap(), 8);
    wait_until_readable(&mut poll, &mut events, SERVER);
    let (mut head, mut tail) = ([0; 3], [0; 9]);
    let mut bufs = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    assert_eq!((&server).read_vectored(&mut bufs).unwrap(), 8);
    assert_eq!((&head, &tail[..5]), (b"que", &b"stion"[..]));
    client.flush().unwrap();
}

#[test]
fn a_message_longer_than_the_buffer_is_read_in_parts() {
    let (mut poll, mut events) = poll();
    let name = named_pipe::name();
    let mut server = named_pipe::message_server(&name);
    register(&poll, &mut server, SERVER);
    let mut client = named_pipe::blocking_client(&name);
    server.connect().unwrap();
    let message = pattern(10_000);
    client.write_all(&message).unwrap();
    client.write_all(b"next").unwrap();
    // The program passes only this small buffer, so the crate reads ahead 4 KiB at most, less than the first message.
    let mut buf = [0; 1000];
    let mut received = Vec::new();
    while received.len() < message.len() {
        let count = read_some(&mut poll, &mut events, &server, &mut buf).unwrap();
        received.extend_from_slice(&buf[..count]);
    }
    assert!(received == message, "the next message belongs to the next read");
    let count = read_some(&mut poll, &mut events, &server, &mut buf).unwrap();
    assert_eq!(&buf[..count], b"next");
}

#[test]
fn an_exchange_of_messages_does_not_allocate_after_warm_up() {
    let (mut poll, mut events, server, client) = writable_pair();
    let mut round = |buf: &mut [u8]| {
        for (mut there, mut back, token) in [(&client, &server, SERVER), (&server, &client, CLIENT)] {
            assert_eq!(there.write(b"question").unwrap(), 8);
            let end = Instant::now() + WAIT_LIMIT;
            while !events.iter().any(|event| event.token() == token && event.is_readable()) {
                poll.poll(&mut events, Some(WAIT_LIMIT)).unwrap();
                assert!(Instant::now() < end);
            }
            assert_eq!(back.read(&mut buf[..4]).unwrap(), 4);
            assert_eq!(back.read(buf).unwrap(), 4);
            // Dequeue the completion of the write, so that the next write does not block.
            poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
        }
    };
    let mut buf = [0; 64];
    (0..10).for_each(|_| round(&mut buf));
    let (count, ()) = crate::allocation_count::allocations(|| (0..100).for_each(|_| round(&mut buf)));
    assert_eq!(count, 0);
}

// Modes.

#[test]
fn in_edge_mode_unread_data_is_reported_after_each_read() {
    let (mut poll, mut events, server, mut client) = writable_pair();
    assert_eq!(client.write(b"abc").unwrap(), 3);
    for _ in 0..3 {
        wait_until_readable(&mut poll, &mut events, SERVER);
        // The client's writable event may arrive later.
        poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
        expect_no_event(&mut poll, &mut events);
        assert_eq!((&server).read(&mut [0]).unwrap(), 1);
    }
    expect_no_event(&mut poll, &mut events);
    assert_eq!(client.write(b"d").unwrap(), 1);
    wait_until_readable(&mut poll, &mut events, SERVER);
}

#[test]
fn in_level_mode_every_poll_reports_a_ready_pipe() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    let mut client = named_pipe::blocking_client(&name);
    poll.registry().register(&mut server, SERVER, Interest::READABLE.level()).unwrap();
    expect_no_event(&mut poll, &mut events);
    client.write_all(b"ab").unwrap();
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SERVER]);
    }
    assert_eq!(server.read(&mut [0]).unwrap(), 1);
    assert_eq!(next_tokens(&mut poll, &mut events), [SERVER]);
    assert_eq!(server.read(&mut [0]).unwrap(), 1);
    expect_no_event(&mut poll, &mut events);

    poll.registry().reregister(&mut server, SERVER, Interest::WRITABLE.level()).unwrap();
    for _ in 0..3 {
        let event = wait_until_writable(&mut poll, &mut events, SERVER);
        assert!(!event.is_readable(), "{event:?}");
    }
    // While a write is pending, the pipe is not writable.
    assert_eq!(server.write(&pattern(1_000_000)).unwrap(), 1_000_000);
    expect_no_event(&mut poll, &mut events);
    let reader = thread::spawn(move || client.read_exact(&mut vec![0; 1_000_000]).map(|()| client));
    wait_until_writable(&mut poll, &mut events, SERVER);
    wait_until_writable(&mut poll, &mut events, SERVER);
    drop(reader.join().unwrap().unwrap());
    // Because the client is closed, every poll reports the server as readable. (The next write would return an error.)
    poll.registry().reregister(&mut server, SERVER, Interest::READABLE.level()).unwrap();
    for _ in 0..3 {
        wait_until_readable(&mut poll, &mut events, SERVER);
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
    }
    server.disconnect().unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn in_level_mode_each_poll_reports_a_pipe_in_one_event() {
    let (mut poll, mut events) = poll();
    let (mut server, mut client) = pair_as(&poll, BOTH.level());
    client.write_all(b"never read").unwrap();
    wait_until_readable(&mut poll, &mut events, SERVER);
    poll.registry().deregister(&mut client).unwrap();
    for _ in 0..3 {
        // The pipe is still readable, and the completed write makes it writable.
        server.write_all(b"x").unwrap();
        wait_until_writable(&mut poll, &mut events, SERVER);
        assert_eq!(events.len(), 1, "{events:?}");
    }
}

#[test]
fn a_oneshot_pipe_is_reported_once_until_it_is_reregistered() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    poll.registry().register(&mut server, SERVER, BOTH.oneshot()).unwrap();
    assert_would_block(server.connect());
    let mut client = named_pipe::blocking_client(&name);
    wait_until_writable(&mut poll, &mut events, SERVER);
    for byte in [b"x", b"y"] {
        client.write_all(byte).unwrap();
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut server, SERVER, BOTH.oneshot()).unwrap();
        // The pipe is writable already, and may be readable by then.
        next_batch(&mut poll, &mut events);
        expect_no_event(&mut poll, &mut events);
        assert_eq!(read_exactly(&mut poll, &mut events, &server, 1), byte);
        poll.registry().reregister(&mut server, SERVER, Interest::READABLE.oneshot()).unwrap();
        expect_no_event(&mut poll, &mut events);
        client.write_all(byte).unwrap();
        wait_until_readable(&mut poll, &mut events, SERVER);
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);
        assert_eq!(server.write(byte).unwrap(), 1);
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn an_interest_in_one_direction_brings_no_events_of_the_other_direction() {
    let (mut poll, mut events) = poll();
    let (mut server, mut client) = pair_as(&poll, Interest::READABLE);
    expect_no_event(&mut poll, &mut events);
    assert_eq!(client.write(b"x").unwrap(), 1);
    let event = wait_until_readable(&mut poll, &mut events, SERVER);
    assert!(!event.is_writable(), "{event:?}");
    expect_no_event(&mut poll, &mut events);

    poll.registry().reregister(&mut client, CLIENT, Interest::WRITABLE).unwrap();
    let event = wait_until_writable(&mut poll, &mut events, CLIENT);
    assert!(!event.is_readable(), "{event:?}");
    assert_eq!(server.write(b"y").unwrap(), 1);
    expect_no_event(&mut poll, &mut events);
    // The data can be read although no event reported it.
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn reregister_changes_the_token_and_reports_a_ready_pipe_again() {
    let (mut poll, mut events, mut server, mut client) = writable_pair();
    assert_eq!(client.write(b"x").unwrap(), 1);
    wait_until_readable(&mut poll, &mut events, SERVER);
    poll.registry().reregister(&mut server, Token(usize::MAX), BOTH).unwrap();
    let event = wait_for(&mut poll, &mut events, Token(usize::MAX), |event| event.is_readable());
    assert!(event.is_writable(), "{event:?}");
    expect_no_event(&mut poll, &mut events);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);
    assert_eq!(client.write(b"x").unwrap(), 1);
    wait_for(&mut poll, &mut events, Token(usize::MAX), |event| event.is_readable());
}

#[test]
fn a_deregistered_pipe_is_not_reported_and_loses_no_data() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    let mut client = named_pipe::blocking_client(&name);
    register(&poll, &mut server, SERVER);
    wait_until_writable(&mut poll, &mut events, SERVER);
    poll.registry().deregister(&mut server).unwrap();
    client.write_all(b"abc").unwrap();
    expect_no_event(&mut poll, &mut events);
    // Data that was read ahead can be read; every further operation needs a registration.
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 3);
    for result in [server.read(&mut [0; 8]), server.write(b"x"), server.connect().map(|()| 0)] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    client.write_all(b"def").unwrap();
    expect_no_event(&mut poll, &mut events);
    register(&poll, &mut server, CLIENT);
    wait_until_readable(&mut poll, &mut events, CLIENT);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 3);
}

#[test]
fn a_packet_dequeued_after_deregister_is_not_reported() {
    let (mut poll, mut events, mut server, mut client) = writable_pair();
    assert_eq!(client.write(b"x").unwrap(), 1);
    poll.registry().deregister(&mut server).unwrap();
    poll.registry().deregister(&mut client).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn pipes_and_sockets_are_all_reported_with_a_capacity_of_one() {
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(1));
    let mut ends: Vec<_> =
        (0..3).map(|_| listener()).map(|(server, name)| (server, named_pipe::client(&name))).collect();
    for (i, (server, _)) in ends.iter_mut().enumerate() {
        poll.registry().register(server, Token(i), BOTH.level()).unwrap();
    }
    let (mut stream, mut peer): (TcpStream, net::TcpStream) = stream_and_peer();
    poll.registry().register(&mut stream, Token(3), Interest::READABLE.level()).unwrap();
    peer.write_all(b"x").unwrap();
    let mut seen = [0; 4];
    while seen.iter().any(|count| *count < 5) {
        for token in next_tokens(&mut poll, &mut events) {
            seen[token.0] += 1;
        }
        assert!(seen.iter().sum::<i32>() < 1000, "a source was never reported: {seen:?}");
    }
}

// Closed ends.

#[test]
fn a_closed_client_ends_reading_after_its_data() {
    let (mut poll, mut events, mut server, client) = writable_pair();
    assert_eq!((&client).write(b"bye").unwrap(), 3);
    wait_until_writable(&mut poll, &mut events, CLIENT);
    drop(client);
    let mut buf = [0; 8];
    assert_eq!(read_some(&mut poll, &mut events, &server, &mut buf).unwrap(), 3);
    let event = wait_until_readable(&mut poll, &mut events, SERVER);
    // Another client may still connect, so the event does not report a closed direction.
    assert!(!event.is_read_closed() && !event.is_write_closed(), "{event:?}");
    for _ in 0..3 {
        assert_eq!(server.read(&mut buf).unwrap(), 0);
    }
    expect_no_event(&mut poll, &mut events);
    assert_eq!(server.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn the_end_of_the_stream_after_an_empty_message_is_reported() {
    let (mut poll, mut events) = poll();
    let name = named_pipe::name();
    let mut server = named_pipe::message_server(&name);
    let mut client = named_pipe::blocking_client(&name);
    register(&poll, &mut server, SERVER);
    assert_eq!(client.write(b"").unwrap(), 0);
    wait_until_readable(&mut poll, &mut events, SERVER);
    drop(client);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
    wait_until_readable(&mut poll, &mut events, SERVER);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_dropped_server_closes_both_directions_of_its_client() {
    let (mut poll, mut events, server, mut client) = writable_pair();
    drop(server);
    let event = wait_until_readable(&mut poll, &mut events, CLIENT);
    assert!(event.is_read_closed() && event.is_writable() && event.is_write_closed(), "{event:?}");
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    assert!(client.write(b"x").is_err());
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn the_next_write_returns_the_error_of_a_failed_pending_write() {
    let (mut poll, mut events, mut server, client) = writable_pair();
    assert_eq!(server.write(&pattern(1_000_000)).unwrap(), 1_000_000);
    expect_no_event_except_of(&mut poll, &mut events, CLIENT);
    assert_would_block(server.write(b"x"));
    drop(client);
    wait_until_writable(&mut poll, &mut events, SERVER);
    let err = server.write(b"x").unwrap_err();
    assert_eq!(err.kind(), ErrorKind::BrokenPipe, "{err}");
    // The second write fails with an error of its own.
    assert!(server.write(b"x").is_err());
}

/// Checks that no event arrives, except for `token`.
fn expect_no_event_except_of(poll: &mut Poll, events: &mut Events, token: Token) {
    poll.poll(events, Some(SHORT_WAIT)).unwrap();
    assert!(events.iter().all(|event| event.token() == token), "{events:?}");
}

#[test]
fn a_disconnected_client_reports_the_closed_pipe() {
    let (mut poll, mut events, server, mut client) = writable_pair();
    server.disconnect().unwrap();
    let event = wait_until_readable(&mut poll, &mut events, CLIENT);
    assert!(event.is_read_closed(), "{event:?}");
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().raw_os_error(), Some(ERROR_PIPE_NOT_CONNECTED));
    assert!(client.write(b"x").is_err());
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_server_serves_clients_one_after_the_other() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    register(&poll, &mut server, SERVER);
    for round in 0..10 {
        assert_would_block(server.connect());
        let mut client = named_pipe::client(&name);
        register(&poll, &mut client, CLIENT);
        wait_until_writable(&mut poll, &mut events, SERVER);
        server.connect().unwrap();
        write_whole(&mut poll, &mut events, &client, &[round]);
        assert_eq!(read_exactly(&mut poll, &mut events, &server, 1), [round]);
        write_whole(&mut poll, &mut events, &server, &[round]);
        assert_eq!(read_exactly(&mut poll, &mut events, &client, 1), [round]);
        server.disconnect().unwrap();
        assert_would_block(server.read(&mut [0; 8]));
    }
}

#[test]
fn no_data_of_one_client_reaches_the_next() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    register(&poll, &mut server, SERVER);
    // The data of both directions is in the kernel's buffer, in a pending operation, or read ahead.
    for (is_polled, is_large) in [(false, false), (true, false), (false, true), (true, true)] {
        assert_would_block(server.connect());
        let mut first = named_pipe::client(&name);
        register(&poll, &mut first, CLIENT);
        wait_until_writable(&mut poll, &mut events, SERVER);
        let len = if is_large { 1_000_000 } else { 100 };
        write_whole(&mut poll, &mut events, &server, &vec![b'-'; len]);
        write_whole(&mut poll, &mut events, &first, &vec![b'-'; len]);
        if is_polled {
            wait_until_readable(&mut poll, &mut events, SERVER);
        }
        server.disconnect().unwrap();

        assert_would_block(server.connect());
        let mut second = named_pipe::client(&name);
        register(&poll, &mut second, Token(3));
        write_whole(&mut poll, &mut events, &second, b"+");
        assert_eq!(read_exactly(&mut poll, &mut events, &server, 1), b"+");
        write_whole(&mut poll, &mut events, &server, b"+");
        assert_eq!(read_exactly(&mut poll, &mut events, &second, 1), b"+");
        server.disconnect().unwrap();
    }
}

#[test]
fn a_connect_cancelled_by_disconnect_can_be_repeated_immediately() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    register(&poll, &mut server, SERVER);
    for _ in 0..3 {
        assert_would_block(server.connect());
        server.disconnect().unwrap();
    }
    assert_would_block(server.connect());
    expect_no_event(&mut poll, &mut events);
    let mut client = named_pipe::blocking_client(&name);
    wait_until_writable(&mut poll, &mut events, SERVER);
    server.connect().unwrap();
    client.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut poll, &mut events, &server, 5), b"hello");
}

#[test]
fn a_pending_write_arrives_after_the_pipe_is_dropped() {
    let (mut poll, mut events, server, client) = writable_pair();
    let bytes = pattern(1_000_000);
    assert_eq!((&server).write(&bytes).unwrap(), bytes.len());
    drop(server);
    assert!(read_exactly(&mut poll, &mut events, &client, bytes.len()) == bytes);
    assert_eq!(read_some(&mut poll, &mut events, &client, &mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_dropped_pipe_is_closed_without_a_poll() {
    let (mut poll, mut events) = poll();
    let (server, _) = listener();
    drop(server);
    for is_polled in [false, true] {
        let (mut server, name) = listener();
        register(&poll, &mut server, SERVER);
        let mut client = named_pipe::blocking_client(&name);
        server.connect().unwrap();
        if is_polled {
            wait_until_writable(&mut poll, &mut events, SERVER);
        }
        drop(server);
        // A read of the server was pending when the server was dropped.
        let end = client.read(&mut [0; 8]).map_err(|err| err.kind());
        assert!(matches!(end, Ok(0) | Err(ErrorKind::BrokenPipe)), "{end:?}");
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_pipe_whose_poll_was_dropped_keeps_the_data_that_was_read_ahead() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    register(&poll, &mut server, SERVER);
    let mut client = named_pipe::blocking_client(&name);
    client.write_all(b"abc").unwrap();
    server.connect().unwrap();
    wait_until_readable(&mut poll, &mut events, SERVER);
    assert_eq!(server.read(&mut [0]).unwrap(), 1);
    drop(poll);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 2);
    for result in [server.read(&mut [0; 8]), server.write(b"x"), server.connect().map(|()| 0)] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    server.disconnect().unwrap();
}

// Registration.

#[test]
fn a_pipe_is_registered_once_and_only_ever_with_one_poll() {
    let (here, _) = poll();
    let (there, _) = poll();
    let (mut server, _) = listener();
    for result in [here.registry().deregister(&mut server), here.registry().reregister(&mut server, SERVER, BOTH)] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let refused = |poll: &Poll, server: &mut NamedPipe| {
        let err = poll.registry().register(server, SERVER, BOTH).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{err}");
    };
    register(&here, &mut server, SERVER);
    refused(&here, &mut server);
    refused(&there, &mut server);
    assert_eq!(there.registry().deregister(&mut server).unwrap_err().kind(), ErrorKind::NotFound);
    here.registry().deregister(&mut server).unwrap();
    assert_eq!(here.registry().deregister(&mut server).unwrap_err().kind(), ErrorKind::NotFound);
    // The handle stays associated with the completion port of the first poll.
    refused(&there, &mut server);
    register(&here, &mut server, SERVER);
    drop(here);
    refused(&there, &mut server);
}

#[test]
fn a_handle_that_is_not_overlapped_is_refused_at_registration() {
    let (poll, _) = poll();
    let (_server, name) = listener();
    let mut client = named_pipe::from_file(named_pipe::blocking_client(&name));
    for _ in 0..2 {
        let err = poll.registry().register(&mut client, CLIENT, BOTH).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{err}");
        assert_eq!(err.raw_os_error(), Some(ERROR_INVALID_PARAMETER), "{err}");
    }
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn every_operation_of_an_unregistered_pipe_fails() {
    let (mut server, _) = listener();
    for result in [server.read(&mut [0; 8]), server.write(b"x"), server.connect().map(|()| 0)] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(server.take_error().unwrap().is_none());
}

#[test]
fn a_read_from_a_write_only_pipe_fails() {
    let (mut poll, mut events, mut server, name) = poll_and_listener();
    register(&poll, &mut server, SERVER);
    let mut client = named_pipe::writing_client(&name);
    poll.registry().register(&mut client, CLIENT, Interest::WRITABLE).unwrap();
    server.connect().unwrap();
    wait_until_writable(&mut poll, &mut events, CLIENT);
    assert_eq!(client.write(b"x").unwrap(), 1);
    assert_eq!(read_exactly(&mut poll, &mut events, &server, 1), b"x");
    assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn a_name_that_is_in_use_or_contains_a_zero_is_refused() {
    let (server, name) = listener();
    if system::first_instance_is_exclusive() {
        assert_eq!(NamedPipe::new(&name).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    drop(server);
    NamedPipe::new(&name).unwrap();
    assert_eq!(NamedPipe::new(format!("{name}\0-")).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(NamedPipe::new("no pipe").is_err());
}

#[test]
fn a_pipe_is_send_and_sync_and_prints_its_handle() {
    fn has_auto_traits<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + std::fmt::Debug>(_: &T) {}
    let (server, _) = listener();
    has_auto_traits(&server);
    assert_eq!(format!("{server:?}"), format!("NamedPipe {{ handle: {:?}, .. }}", server.as_raw_handle()));
}

// Threads.

#[test]
fn no_byte_is_lost_while_threads_read_and_write_and_another_thread_polls() {
    const BYTES: usize = 100_000;
    let (mut poll, mut events) = poll();
    let (server, client) = pair(&poll);
    let bytes = pattern(BYTES);
    let (count, sum) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let end = Instant::now() + 3 * WAIT_LIMIT;
    let is_busy = || count.load(Ordering::Acquire) < BYTES && Instant::now() < end;
    thread::scope(|scope| {
        for size in [3, 1000] {
            let (mut server, count, sum, is_busy) = (&server, &count, &sum, &is_busy);
            scope.spawn(move || {
                let mut buf = vec![0; size];
                while is_busy() {
                    match server.read(&mut buf) {
                        Ok(more) => {
                            sum.fetch_add(buf[..more].iter().map(|byte| usize::from(*byte)).sum(), Ordering::AcqRel);
                            count.fetch_add(more, Ordering::AcqRel);
                        }
                        Err(err) => assert_eq!(err.kind(), ErrorKind::WouldBlock, "{err}"),
                    }
                    thread::yield_now();
                }
            });
        }
        scope.spawn(|| {
            for piece in bytes.chunks(1777) {
                while let Err(err) = (&client).write(piece) {
                    assert!(err.kind() == ErrorKind::WouldBlock && is_busy(), "{err}");
                    thread::yield_now();
                }
            }
        });
        while is_busy() {
            poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
        }
    });
    let expected: usize = bytes.iter().map(|byte| usize::from(*byte)).sum();
    assert_eq!((count.into_inner(), sum.into_inner()), (BYTES, expected));
}

#[test]
fn one_thread_can_drop_pipes_while_another_thread_polls() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let worker = thread::spawn(move || {
        for round in 0..300 {
            let (mut server, name) = listener();
            registry.register(&mut server, SERVER, BOTH).unwrap();
            if round % 3 == 0 {
                assert_would_block(server.connect());
                continue;
            }
            let mut client = named_pipe::client(&name);
            server.connect().unwrap();
            registry.register(&mut client, CLIENT, BOTH.level()).unwrap();
            assert_eq!(client.write(&vec![0; 1 << (round % 20)]).unwrap(), 1 << (round % 20));
            if round % 3 == 1 {
                drop(server);
            } else {
                server.disconnect().unwrap();
            }
        }
    });
    while !worker.is_finished() {
        poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
    }
    worker.join().unwrap();
    while !events.is_empty() {
        poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
    }
}

#[test]
fn a_poll_can_be_dropped_while_a_thread_still_uses_its_pipes() {
    for _ in 0..20 {
        let (mut poll, mut events) = poll();
        let (server, client) = pair(&poll);
        let worker = thread::spawn(move || loop {
            for result in [(&server).write(b"x"), (&client).read(&mut [0; 8]), server.connect().map(|()| 0)] {
                match result {
                    Err(err) if err.kind() == ErrorKind::NotFound => return,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                    // Dropping the poll cancelled the pending operation: `ERROR_OPERATION_ABORTED`.
                    Err(err) => assert_eq!(err.raw_os_error(), Some(995), "{err}"),
                    Ok(_) => {}
                }
            }
        });
        for _ in 0..20 {
            poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
        }
        drop(poll);
        worker.join().unwrap();
    }
}
