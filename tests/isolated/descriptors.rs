//! When descriptors run out, and that none is leaked. Each test has a process of its own, so that it is alone with its
//! descriptors, and few of them.

#![cfg(unix)]

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use minimio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use minimio::unix::pipe::{self, Receiver, Sender};
use minimio::unix::SourceFd;
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::isolation::isolated_with_descriptor_limit;
use crate::support::*;

const READ: Interest = Interest::READABLE;
/// The descriptors that each process of these tests can have open.
const LIMIT: u32 = 64;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// How many descriptors this process has open.
fn open_descriptors() -> usize {
    // The one that reads the folder is among them, the same each time.
    fs::read_dir("/dev/fd").unwrap().count()
}

/// Takes all the descriptors that are left.
fn take_all() -> Vec<File> {
    let mut files = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(err) => {
                assert!(is_exhausted(&err), "{err}");
                return files;
            }
        }
    }
}

/// Whether this is `EMFILE`, here or behind the words of this crate.
fn is_exhausted(err: &std::io::Error) -> bool {
    err.to_string().contains("Too many open files") || err.to_string().contains("No file descriptors available")
}

#[test]
fn a_poll_that_finds_no_descriptors_fails_and_leaks_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let mut files = take_all();
        // None for the poll; then one, but none for what wakes it; and so on, until it has all that it needs.
        let mut left = 0;
        let mut poll = loop {
            let before = files.len();
            match Poll::new() {
                Ok(poll) => break poll,
                Err(err) => assert!(is_exhausted(&err) && err.raw_os_error().is_some(), "{left}: {err}"),
            }
            for _ in 0..3 {
                assert!(is_exhausted(&Poll::new().unwrap_err()));
            }
            let extra = take_all();
            assert_eq!(extra.len(), left, "a poll that failed has kept descriptors");
            files.truncate(before - 1);
            left += 1;
        };
        assert!(left > 0 && left < 10, "{left} descriptors for a poll");
        let mut events = Events::with_capacity(4);
        assert!(is_exhausted(&File::open("/dev/null").unwrap_err()));
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    });
}

#[test]
fn sockets_that_find_no_descriptors_fail_and_the_poll_goes_on() {
    isolated_with_descriptor_limit(LIMIT, || {
        let (mut poll, mut events) = poll();
        let (_stream, mut peer) = registered_stream(&poll, Token(1), READ);
        let listener = net::TcpListener::bind(loopback()).unwrap();
        let addr = listener.local_addr().unwrap();
        let files = take_all();
        assert!(is_exhausted(&TcpStream::connect(addr).unwrap_err()));
        assert!(is_exhausted(&TcpListener::bind(loopback()).unwrap_err()));
        assert!(is_exhausted(&UdpSocket::bind(loopback()).unwrap_err()));
        peer.write_all(b"x").unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(1)]);
        drop(files);
        TcpStream::connect(addr).unwrap();
    });
}

#[test]
fn a_pipe_that_finds_no_descriptors_fails_and_leaks_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let mut files = take_all();
        // None; then one, which is not enough.
        for left in 0..2 {
            for _ in 0..3 {
                let err = pipe::new().unwrap_err();
                assert!(is_exhausted(&err) && err.raw_os_error().is_some(), "{left}: {err}");
            }
            assert_eq!(take_all().len(), left, "a pipe that failed has kept descriptors");
            files.truncate(files.len() - 1);
        }
        let (mut sender, mut receiver) = pipe::new().unwrap();
        assert!(is_exhausted(&pipe::new().unwrap_err()));
        sender.write_all(b"x").unwrap();
        assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 1);
    });
}

#[test]
fn a_connection_that_cannot_be_accepted_waits() {
    isolated_with_descriptor_limit(LIMIT, || {
        for mode in [Interest::edge, Interest::level] {
            let (mut poll, mut events) = poll();
            let mut listener = TcpListener::bind(loopback()).unwrap();
            poll.registry().register(&mut listener, Token(1), mode(READ)).unwrap();
            let _client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut files = take_all();
            assert_eq!(next_tokens(&mut poll, &mut events), [Token(1)]);
            for _ in 0..3 {
                assert!(is_exhausted(&listener.accept().unwrap_err()));
            }
            if mode(READ).is_edge() {
                // As the docs of `TcpListener` say: nothing more is told of it.
                expect_no_event(&mut poll, &mut events);
            } else {
                assert_eq!(next_tokens(&mut poll, &mut events), [Token(1)]);
            }
            files.pop();
            let (accepted, _) = listener.accept().unwrap();
            assert!(accepted.peer_addr().is_ok());
        }
    });
}

#[test]
fn wakers_timers_and_registries_need_no_descriptors() {
    isolated_with_descriptor_limit(LIMIT, || {
        let (mut poll, mut events) = poll();
        let (mut stream, _peer) = stream_and_peer();
        let _files = take_all();
        let registry = poll.registry().try_clone().unwrap();
        let wakers: Vec<_> = (0..100).map(|i| Waker::new(&registry, Token(i)).unwrap()).collect();
        let mut timer = Timer::new();
        registry.register(&mut timer, Token(100), READ).unwrap();
        registry.register(&mut stream, Token(101), READ).unwrap();
        timer.set(Duration::ZERO).unwrap();
        wakers[7].wake().unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(7), Token(100)]);
    });
}

#[test]
fn nothing_is_leaked_by_what_succeeds() {
    isolated_with_descriptor_limit(LIMIT, || {
        let before = open_descriptors();
        for round in 0..500 {
            let (mut poll, mut events) = poll();
            let registry = poll.registry().try_clone().unwrap();
            let waker = Waker::new(&registry, Token(0)).unwrap();
            let mut listener = TcpListener::bind(loopback()).unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut socket = UdpSocket::bind(loopback()).unwrap();
            registry.register(&mut listener, Token(1), READ).unwrap();
            registry.register(&mut stream, Token(2), BOTH).unwrap();
            registry.register(&mut socket, Token(3), BOTH).unwrap();
            let (mut sender, mut receiver) = pipe::new().unwrap();
            registry.register(&mut sender, Token(4), BOTH).unwrap();
            registry.register(&mut receiver, Token(5), BOTH).unwrap();
            let (sender, receiver) = (Sender::from(OwnedFd::from(sender)), descriptor::from_raw::<Receiver>(receiver));
            waker.wake().unwrap();
            wait_for(&mut poll, &mut events, Token(1), |event| event.is_readable());
            let (accepted, _) = listener.accept().unwrap();
            // The poll goes first, in the middle, or last.
            match round % 3 {
                0 => drop((poll, accepted, stream, listener, sender, receiver, registry)),
                1 => drop((accepted, stream, sender, poll, receiver, listener, registry)),
                _ => drop((accepted, stream, receiver, sender, listener, registry, poll)),
            }
        }
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn nothing_is_leaked_by_what_fails() {
    isolated_with_descriptor_limit(LIMIT, || {
        let (mut poll, mut events) = poll();
        let (other, _) = crate::support::poll();
        let closed_port = closed_port();
        let holder = net::TcpListener::bind(loopback()).unwrap();
        let held = holder.local_addr().unwrap();
        let before = open_descriptors();
        for _ in 0..300 {
            let mut refused = TcpStream::connect(closed_port).unwrap();
            poll.registry().register(&mut refused, Token(1), BOTH).unwrap();
            wait_for(&mut poll, &mut events, Token(1), |event| event.is_error());
            assert!(other.registry().register(&mut refused, Token(1), BOTH).is_err());
            assert!(refused.take_error().unwrap().is_some());
            assert_eq!(TcpListener::bind(held).unwrap_err().kind(), ErrorKind::AddrInUse);
            assert!(poll.registry().register(&mut SourceFd(&-1), Token(2), READ).is_err());
        }
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn a_duplicate_is_the_programs_own() {
    isolated_with_descriptor_limit(LIMIT, || {
        let before = open_descriptors();
        {
            let (poll, _) = poll();
            let (stream, _peer) = stream_and_peer();
            let duplicate = stream.as_fd().try_clone_to_owned().unwrap();
            poll.registry().register(&mut SourceFd(&duplicate.as_raw_fd()), Token(1), READ).unwrap();
        }
        assert_eq!(open_descriptors(), before);
    });
}

/// Where the Unix sockets of a test are, which has a process of its own.
fn unix_path(what: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("m{}{what}", process::id()));
    // A process that was killed may have left it.
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn unix_sockets_that_find_no_descriptors_fail_and_leak_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let path = unix_path("l");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let mut files = take_all();
        assert!(is_exhausted(&UnixStream::connect(&path).unwrap_err()));
        assert!(is_exhausted(&UnixListener::bind(unix_path("m")).unwrap_err()));
        assert!(is_exhausted(&UnixDatagram::bind(unix_path("m")).unwrap_err()));
        assert!(is_exhausted(&UnixDatagram::unbound().unwrap_err()));
        assert!(is_exhausted(&listener.accept().unwrap_err()));
        // One is not enough for a pair, and is still there afterwards.
        files.pop();
        for _ in 0..3 {
            assert!(is_exhausted(&UnixStream::pair().unwrap_err()));
            assert!(is_exhausted(&UnixDatagram::pair().unwrap_err()));
        }
        let (accepted, _) = listener.accept().unwrap();
        drop((files, accepted, client));
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn unix_sockets_leak_no_descriptors() {
    isolated_with_descriptor_limit(LIMIT, || {
        let (poll, _) = poll();
        let path = unix_path("l");
        let before = open_descriptors();
        for _ in 0..300 {
            let mut listener = UnixListener::bind(&path).unwrap();
            let mut client = UnixStream::connect(&path).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            poll.registry().register(&mut listener, Token(1), READ).unwrap();
            poll.registry().register(&mut client, Token(2), BOTH).unwrap();
            poll.registry().register(&mut server, Token(3), BOTH).unwrap();
            let (mut here, _there) = UnixStream::pair().unwrap();
            let (mut this, _that) = UnixDatagram::pair().unwrap();
            poll.registry().register(&mut here, Token(4), BOTH).unwrap();
            poll.registry().register(&mut this, Token(5), BOTH).unwrap();
            UnixDatagram::unbound().unwrap();
            assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
            assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
            drop(listener);
            assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            fs::remove_file(&path).unwrap();
            assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(open_descriptors(), before);
    });
}
