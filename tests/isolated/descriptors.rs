//! Tests of what happens when no descriptor is left, of descriptor leaks, and of many descriptors. Each test runs in a
//! process with a limit of its own.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::unix::io::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use minimio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use minimio::process::ChildExit;
use minimio::signal::{Signal, Signals};
use minimio::unix::pipe::{self, Receiver, Sender};
use minimio::unix::SourceFd;
use minimio::{Event, Events, Interest, Poll, Timer, Token, Waker};

use crate::support::isolation::{isolated_with_descriptor_limit, isolated_with_many_descriptors};
use crate::support::raise::raise;
use crate::support::signal::Action;
use crate::support::*;

/// The number of descriptors that the process of a test can have open.
pub const LIMIT: u32 = 64;

/// Returns how many descriptors this process has open.
fn open_descriptors() -> usize {
    // The count includes the descriptor that reads the folder, each time.
    fs::read_dir("/dev/fd").unwrap().count()
}

/// Opens files until no descriptor is left, and returns the files.
fn use_up_descriptors() -> Vec<File> {
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

/// Returns whether the error is `EMFILE`, alone or after a message of this crate.
fn is_exhausted(err: &std::io::Error) -> bool {
    err.to_string().contains("Too many open files") || err.to_string().contains("No file descriptors available")
}

#[test]
fn creating_a_poll_without_free_descriptors_fails_and_leaks_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let mut files = use_up_descriptors();
        // Each round leaves one more descriptor, until there are enough for the queue.
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
            let extra = use_up_descriptors();
            assert_eq!(extra.len(), left, "the failed `Poll::new` has kept descriptors");
            files.truncate(before - 1);
            left += 1;
        };
        assert!(left > 0 && left < 10, "a poll has opened {left} descriptors");
        let mut events = Events::with_capacity(4);
        assert!(is_exhausted(&File::open("/dev/null").unwrap_err()));
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    });
}

#[test]
fn creating_sockets_without_free_descriptors_fails_and_the_poll_still_works() {
    isolated_with_descriptor_limit(LIMIT, || {
        let (mut poll, mut events) = poll();
        let (_stream, mut peer) = registered_stream(&poll, Token(1), READ);
        let listener = net::TcpListener::bind(loopback()).unwrap();
        let addr = listener.local_addr().unwrap();
        let files = use_up_descriptors();
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
fn creating_a_pipe_without_free_descriptors_fails_and_leaks_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let mut files = use_up_descriptors();
        // A pipe needs two descriptors. First none is left, and then one.
        for left in 0..2 {
            for _ in 0..3 {
                let err = pipe::new().unwrap_err();
                assert!(is_exhausted(&err) && err.raw_os_error().is_some(), "{left}: {err}");
            }
            assert_eq!(use_up_descriptors().len(), left, "the failed `pipe::new` has kept descriptors");
            files.truncate(files.len() - 1);
        }
        let (mut sender, mut receiver) = pipe::new().unwrap();
        assert!(is_exhausted(&pipe::new().unwrap_err()));
        sender.write_all(b"x").unwrap();
        assert_eq!(receiver.read(&mut [0; 8]).unwrap(), 1);
    });
}

#[test]
fn creating_signals_without_free_descriptors_fails_and_replaces_no_action() {
    isolated_with_descriptor_limit(LIMIT, || {
        let action = Action::of(Signal::USER1);
        let mut files = use_up_descriptors();
        for left in 0..2 {
            for _ in 0..3 {
                let err = Signals::new(&[Signal::USER1]).unwrap_err();
                assert!(is_exhausted(&err) && err.raw_os_error().is_some(), "{left}: {err}");
            }
            assert_eq!(use_up_descriptors().len(), left, "the failed `Signals::new` has kept descriptors");
            assert_eq!(Action::of(Signal::USER1), action);
            files.truncate(files.len() - 1);
        }
        let signals = Signals::new(&[Signal::USER1]).unwrap();
        raise(Signal::USER1);
        assert_eq!(signals.receive(), Some(Signal::USER1));
    });
}

#[test]
fn creating_a_child_exit_without_a_free_descriptor_fails_and_leaks_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let needed = check_child_exit();
        assert!((1..10).contains(&needed), "a `ChildExit` has opened {needed} descriptors");
    });
}

/// Creates a `ChildExit` with one more free descriptor each time, until there are enough. Returns how many it needs.
pub fn check_child_exit() -> usize {
    let (mut poll, mut events) = poll();
    let mut child = process::Command::new("cat").stdin(process::Stdio::piped()).spawn().unwrap();
    let mut files = use_up_descriptors();
    let mut left = 0;
    let mut exit = loop {
        match ChildExit::new(&child) {
            Ok(exit) => break exit,
            Err(err) => assert!(is_exhausted(&err) && err.raw_os_error().is_some(), "{left}: {err}"),
        }
        assert_eq!(use_up_descriptors().len(), left, "the failed `ChildExit::new` has kept descriptors");
        files.truncate(files.len() - 1);
        left += 1;
    };
    assert!(is_exhausted(&File::open("/dev/null").unwrap_err()));
    drop(files);
    poll.registry().register(&mut exit, SOURCE, READ).unwrap();
    drop(child.stdin.take());
    wait_until_readable(&mut poll, &mut events);
    child.wait().unwrap();
    left
}

#[test]
fn a_connection_that_no_descriptor_is_left_to_accept_stays_queued_or_is_closed() {
    isolated_with_descriptor_limit(LIMIT, || {
        for mode in [Interest::edge, Interest::level] {
            let (mut poll, mut events) = poll();
            let mut listener = TcpListener::bind(loopback()).unwrap();
            poll.registry().register(&mut listener, Token(1), mode(READ)).unwrap();
            let _client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut files = use_up_descriptors();
            assert_eq!(next_tokens(&mut poll, &mut events), [Token(1)]);
            assert!(is_exhausted(&listener.accept().unwrap_err()));
            if !system::UNACCEPTED_CONNECTIONS_STAY {
                files.pop();
                assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
                continue;
            }
            assert!(is_exhausted(&listener.accept().unwrap_err()));
            if mode(READ).is_edge() {
                // The documentation of `TcpListener` describes this: the connection is not reported again.
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
fn the_first_waker_without_free_descriptors_fails_and_later_wakers_timers_and_registries_need_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let (mut poll, mut events) = poll();
        let (mut stream, _peer) = stream_and_peer();
        let mut files = use_up_descriptors();
        let registry = poll.registry().try_clone().unwrap();
        let mut timer = Timer::new();
        // Each round leaves one more descriptor, until there are enough for the notifier.
        let mut left = 0;
        let first = loop {
            match Waker::new(&registry, Token(0)) {
                Ok(waker) => break waker,
                Err(err) => assert!(is_exhausted(&err) && err.raw_os_error().is_some(), "{left}: {err}"),
            }
            assert!(is_exhausted(&registry.register(&mut timer, Token(100), READ).unwrap_err()));
            assert_eq!(registry.deregister(&mut timer).unwrap_err().kind(), ErrorKind::NotFound);
            let before = files.len();
            let extra = use_up_descriptors();
            assert_eq!(extra.len(), left, "the failed `Waker::new` has kept descriptors");
            files.truncate(before - 1);
            left += 1;
        };
        assert!(left < 3, "a notifier has opened {left} descriptors");
        assert!(is_exhausted(&File::open("/dev/null").unwrap_err()));
        let mut wakers = vec![first];
        wakers.extend((1..100).map(|i| Waker::new(&registry, Token(i)).unwrap()));
        registry.register(&mut timer, Token(100), READ).unwrap();
        registry.register(&mut stream, Token(101), READ).unwrap();
        timer.set(Duration::ZERO).unwrap();
        wakers[7].wake().unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(7), Token(100)]);
    });
}

#[test]
fn wakes_are_reported_if_standard_input_was_closed_before() {
    isolated_with_descriptor_limit(LIMIT, || {
        // The queue or the notifier opens the descriptor 0. (A kqueue with user events opens no descriptor for the
        // notifier.)
        for closed_before_queue in [false, true] {
            if closed_before_queue {
                descriptor::close_standard_input();
            }
            let (mut poll, mut events) = poll();
            if !closed_before_queue {
                descriptor::close_standard_input();
            }
            // From now on, wakes make the poll's descriptor readable.
            assert!(poll.as_raw_fd() >= 0);
            let waker = Waker::new(poll.registry(), Token(0)).unwrap();
            for _ in 0..3 {
                waker.wake().unwrap();
                assert_eq!(next_tokens(&mut poll, &mut events), [Token(0)]);
                expect_no_event(&mut poll, &mut events);
            }
            drop((poll, waker));
            // The next round closes it again.
            assert_eq!(File::open("/dev/null").map(IntoRawFd::into_raw_fd).unwrap(), 0);
        }
    });
}

#[test]
fn successful_operations_leak_no_descriptors() {
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
            // The poll is dropped first, in the middle, or last.
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
fn failed_operations_leak_no_descriptors() {
    isolated_with_descriptor_limit(LIMIT, || {
        let (mut poll, mut events) = poll();
        let (other, _) = crate::support::poll();
        let closed_port = closed_port();
        let listener = net::TcpListener::bind(loopback()).unwrap();
        let used_addr = listener.local_addr().unwrap();
        let before = open_descriptors();
        for _ in 0..300 {
            let mut refused = TcpStream::connect(closed_port).unwrap();
            poll.registry().register(&mut refused, Token(1), BOTH).unwrap();
            wait_for(&mut poll, &mut events, Token(1), |event| event.is_error());
            assert!(other.registry().register(&mut refused, Token(1), BOTH).is_err());
            assert!(refused.take_error().unwrap().is_some());
            assert_eq!(TcpListener::bind(used_addr).unwrap_err().kind(), ErrorKind::AddrInUse);
            assert!(poll.registry().register(&mut SourceFd(&-1), Token(2), READ).is_err());
        }
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn a_registered_descriptor_stays_owned_by_the_program() {
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

/// Returns a path for a Unix socket of this process.
fn unix_path(suffix: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("m{}{suffix}", process::id()));
    // An earlier process with the same process id may have left a file there when it was killed.
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn creating_unix_sockets_without_free_descriptors_fails_and_leaks_none() {
    isolated_with_descriptor_limit(LIMIT, || {
        let path = unix_path("l");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let mut files = use_up_descriptors();
        assert!(is_exhausted(&UnixStream::connect(&path).unwrap_err()));
        assert!(is_exhausted(&UnixListener::bind(unix_path("m")).unwrap_err()));
        assert!(is_exhausted(&UnixDatagram::bind(unix_path("m")).unwrap_err()));
        assert!(is_exhausted(&UnixDatagram::unbound().unwrap_err()));
        assert!(is_exhausted(&listener.accept().unwrap_err()));
        // A pair needs two descriptors. The one that is left stays free.
        files.pop();
        for _ in 0..3 {
            assert!(is_exhausted(&UnixStream::pair().unwrap_err()));
            assert!(is_exhausted(&UnixDatagram::pair().unwrap_err()));
        }
        assert_eq!(listener.accept().is_ok(), system::UNACCEPTED_CONNECTIONS_STAY);
        drop((files, client));
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn operations_of_unix_sockets_leak_no_descriptors() {
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
            let (mut stream, _peer) = UnixStream::pair().unwrap();
            let (mut socket, _other) = UnixDatagram::pair().unwrap();
            poll.registry().register(&mut stream, Token(4), BOTH).unwrap();
            poll.registry().register(&mut socket, Token(5), BOTH).unwrap();
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

#[test]
fn hang_ups_of_many_streams_in_one_poll_are_all_hang_ups() {
    isolated_with_many_descriptors(|| {
        const STREAMS: usize = 200;
        for interest in [BOTH, BOTH.level(), BOTH.oneshot()] {
            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(2 * STREAMS + 1);
            let (mut streams, peers): (Vec<_>, Vec<_>) = (0..STREAMS).map(|_| UnixStream::pair().unwrap()).unzip();
            for (number, stream) in streams.iter_mut().enumerate() {
                poll.registry().register(stream, Token(number), interest).unwrap();
            }
            // Every stream is writable. This poll takes these reports.
            next_batch(&mut poll, &mut events);
            drop(peers);
            if interest.is_oneshot() {
                for (number, stream) in streams.iter_mut().enumerate() {
                    poll.registry().reregister(stream, Token(number), interest).unwrap();
                }
            }
            let batch = next_batch(&mut poll, &mut events);
            assert!(batch.iter().all(Event::is_hang_up), "{interest:?}: {batch:?}");
            let reported: BTreeSet<_> = batch.iter().map(Event::token).collect();
            assert_eq!(reported.len(), STREAMS);
        }
    });
}
