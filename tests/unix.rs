//! What only Unix has: descriptors, as sources and of our own types; the poll's in another event loop; signals.

#![cfg(unix)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::unix::SourceFd;
use minimio::{book, Events, Interest, Poll, Timer, Token, Waker};
use support::*;

#[path = "support/descriptor.rs"]
mod descriptor;
#[path = "support/signal.rs"]
mod signal;

const SOURCE: Token = Token(1);
const READ: Interest = Interest::READABLE;

// Any descriptor as a source.

#[test]
fn a_pair_of_unix_sockets_is_two_sources() {
    let (mut poll, mut events) = poll();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    poll.registry().register(&mut SourceFd(&there.as_raw_fd()), SOURCE, READ).unwrap();
    poll.registry().register(&mut SourceFd(&here.as_raw_fd()), Token(2), READ).unwrap();
    here.write_all(b"ping").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    there.read_exact(&mut [0; 4]).unwrap();
    there.write_all(b"pong").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
}

#[test]
fn every_mode_works_for_a_descriptor() {
    let (mut poll, mut events) = poll();
    let (mut here, there) = UnixStream::pair().unwrap();
    let fd = there.as_raw_fd();
    here.write_all(b"x").unwrap();
    poll.registry().register(&mut SourceFd(&fd), SOURCE, READ).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    expect_silence(&mut poll, &mut events);
    poll.registry().reregister(&mut SourceFd(&fd), SOURCE, READ.level()).unwrap();
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    poll.registry().reregister(&mut SourceFd(&fd), SOURCE, READ.oneshot()).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    here.write_all(b"x").unwrap();
    expect_silence(&mut poll, &mut events);
}

#[test]
fn a_descriptor_has_no_memory_and_the_kernels_word_counts() {
    let (poll, _) = poll();
    let (other, _) = support::poll();
    let (_here, there) = UnixStream::pair().unwrap();
    let fd = there.as_raw_fd();
    let mut source = SourceFd(&fd);
    for attempt in [
        poll.registry().reregister(&mut source, SOURCE, READ).unwrap_err(),
        poll.registry().deregister(&mut source).unwrap_err(),
    ] {
        assert_eq!(attempt.kind(), ErrorKind::NotFound, "{attempt}");
    }
    poll.registry().register(&mut source, SOURCE, READ).unwrap();
    let again = poll.registry().register(&mut SourceFd(&fd), Token(2), READ);
    assert_eq!(again.is_err(), system::DESCRIPTORS_ARE_TAKEN);
    if let Err(err) = again {
        assert_eq!(err.kind(), ErrorKind::AlreadyExists);
        assert!(err.raw_os_error().is_some(), "the error of the system: {err:?}");
    }
    other.registry().register(&mut source, SOURCE, READ).unwrap();
    poll.registry().deregister(&mut source).unwrap();
    other.registry().deregister(&mut source).unwrap();
}

#[test]
fn a_closed_descriptor_is_refused() {
    let (poll, _) = poll();
    // One that no process has.
    let fd: RawFd = 1_000_000_000;
    let err = poll.registry().register(&mut SourceFd(&fd), SOURCE, READ).unwrap_err();
    assert!(err.raw_os_error().is_some(), "the error of the system: {err:?}");
    assert!(poll.registry().register(&mut SourceFd(&-1), SOURCE, READ).is_err());
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
#[test]
fn what_is_always_ready_is_refused() {
    let (poll, _) = poll();
    for path in [std::env::current_exe().unwrap(), std::env::temp_dir()] {
        let file = std::fs::File::open(path).unwrap();
        let err = poll.registry().register(&mut SourceFd(&file.as_raw_fd()), SOURCE, READ).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::PermissionDenied);
        assert!(err.raw_os_error().is_some(), "the error of the system: {err:?}");
    }
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
#[test]
fn a_duplicate_keeps_a_registration_alive_that_was_not_ended() {
    let (mut poll, mut events) = poll();
    let (stream, mut peer) = stream_and_peer();
    let duplicate = stream.as_fd().try_clone_to_owned().unwrap();
    let mut stream = stream;
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
    drop(stream);
    peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE], "as the docs of Source say");
    drop(duplicate);
    expect_silence(&mut poll, &mut events);
}

#[test]
fn deregistering_first_leaves_nothing_for_a_duplicate_to_keep() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    let _duplicate = stream.as_fd().try_clone_to_owned().unwrap();
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
    poll.registry().deregister(&mut stream).unwrap();
    drop(stream);
    peer.write_all(b"x").unwrap();
    expect_silence(&mut poll, &mut events);
}

// Our own types as descriptors.

#[test]
fn sockets_are_made_from_descriptors_and_turned_back() {
    let (stream, mut peer) = stream_and_peer();
    let fd = stream.as_raw_fd();
    assert_eq!(stream.as_fd().as_raw_fd(), fd);
    let owned = OwnedFd::from(stream);
    assert_eq!(owned.as_raw_fd(), fd);
    let mut stream: TcpStream = descriptor::from_raw(TcpStream::from(owned));
    assert_eq!(stream.as_raw_fd(), fd);
    stream.write_all(b"alive").unwrap();
    peer.read_exact(&mut [0; 5]).unwrap();

    let listener = TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    let listener = TcpListener::from(OwnedFd::from(listener));
    assert_eq!(listener.local_addr().unwrap(), addr);
    let socket = UdpSocket::bind(loopback()).unwrap();
    let addr = socket.local_addr().unwrap();
    let socket = UdpSocket::from(OwnedFd::from(socket));
    assert_eq!(socket.local_addr().unwrap(), addr);
}

#[test]
fn the_registration_does_not_survive_a_conversion() {
    let (poll, _) = poll();
    let (mut stream, _peer) = stream_and_peer();
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
    poll.registry().deregister(&mut stream).unwrap();
    let mut stream = TcpStream::from(OwnedFd::from(stream));
    assert_eq!(poll.registry().deregister(&mut stream).unwrap_err().kind(), ErrorKind::NotFound);
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn every_descriptor_is_closed_on_exec_and_every_socket_is_non_blocking() {
    use descriptor::flags;
    // As the standard library opens them: its files are closed on exec, and this is set non-blocking.
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let (model, _other) = UnixStream::pair().unwrap();
    model.set_nonblocking(true).unwrap();
    let non_blocking = flags(&model) & !flags(&_other);
    let cloexec = flags(&file) & flags(&model) & !0o3;
    assert!(non_blocking != 0 && cloexec != 0);

    let listener = TcpListener::bind(loopback()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let end = Instant::now() + PATIENCE;
    let accepted = loop {
        match listener.accept() {
            Ok((accepted, _)) => break accepted,
            Err(err) => assert!(err.kind() == ErrorKind::WouldBlock && Instant::now() < end, "{err}"),
        }
    };
    let socket = UdpSocket::bind(loopback()).unwrap();
    for flags in [flags(&listener), flags(&client), flags(&accepted), flags(&socket)] {
        assert_eq!(flags & (non_blocking | cloexec), non_blocking | cloexec);
    }
    let poll = Poll::new().unwrap();
    assert_eq!(flags(&poll) & cloexec, cloexec);
    // The notifier is the one that was opened after the poll.
    let notifiers: Vec<_> = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in notifiers {
        if std::fs::read_link(&path).map_or(false, |target| target.to_string_lossy().contains("eventfd")) {
            let fd: RawFd = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            // Another test's may have been closed meanwhile.
            if let Ok(info) = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")) {
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_string();
                assert_eq!(u32::from_str_radix(&flags, 8).unwrap() & cloexec, cloexec);
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn an_address_is_connected_to_as_it_is() {
    if loopback_v6().is_none() {
        return;
    }
    // An IPv4 address in IPv6 clothes: no part of it may be lost.
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut stream = TcpStream::connect(format!("[::ffff:127.0.0.1]:{port}").parse().unwrap()).unwrap();
    let (mut poll, mut events) = poll();
    poll.registry().register(&mut stream, SOURCE, Interest::WRITABLE).unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    assert!(stream.take_error().unwrap().is_none());
    assert_eq!(listener.accept().unwrap().1.ip(), loopback().ip());
}

// The poll's descriptor in another event loop.

/// An outer poll that watches the inner one.
fn nested(mode: Interest) -> ((Poll, Events), (Poll, Events)) {
    let (outer, events) = (poll(), poll());
    let fd = events.0.as_raw_fd();
    assert_eq!(events.0.registry().as_raw_fd(), fd);
    outer.0.registry().register(&mut SourceFd(&fd), SOURCE, mode).unwrap();
    (outer, events)
}

#[test]
fn a_poll_in_a_poll_is_readable_while_events_wait_in_it() {
    for mode in [READ, READ.level()] {
        let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(mode);
        let (mut stream, mut peer) = registered_stream(&inner, Token(2), READ);
        expect_silence(&mut outer, &mut outer_events);
        for _ in 0..3 {
            peer.write_all(b"x").unwrap();
            assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
            inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(2)]);
            stream.read_exact(&mut [0]).unwrap();
            inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
            expect_silence(&mut outer, &mut outer_events);
        }
    }
}

#[test]
fn wakes_show_on_the_descriptor() {
    for mode in [READ, READ.level()] {
        let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(mode);
        let wakers = [2, 3].map(|i| Waker::new(inner.registry(), Token(i)).unwrap());
        expect_silence(&mut outer, &mut outer_events);
        for _ in 0..3 {
            wakers[0].wake().unwrap();
            wakers[1].wake().unwrap();
            wakers[0].wake().unwrap();
            assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
            inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.len(), 2, "{events:?}");
            expect_silence(&mut outer, &mut outer_events);
        }
    }
}

#[test]
fn a_wake_from_before_the_descriptor_was_asked_for_shows_on_it() {
    let (mut inner, mut events) = poll();
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    waker.wake().unwrap();
    let (mut outer, mut outer_events) = poll();
    outer.registry().register(&mut SourceFd(&inner.as_raw_fd()), SOURCE, READ).unwrap();
    assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
    assert_eq!(next_tokens(&mut inner, &mut events), [Token(2)]);
}

#[test]
fn wakers_that_do_not_fit_go_on_to_show_on_the_descriptor() {
    wakers_that_do_not_fit_go_on_to_show(READ.level());
    if system::EVERY_KICK_IS_AN_EDGE {
        wakers_that_do_not_fit_go_on_to_show(READ);
    }
}

fn wakers_that_do_not_fit_go_on_to_show(mode: Interest) {
    let (outer, inner) = nested(mode);
    let ((mut outer, mut outer_events), (mut inner, _)) = (outer, inner);
    let mut events = Events::with_capacity(1);
    let wakers: Vec<_> = (2..6).map(|i| Waker::new(inner.registry(), Token(i)).unwrap()).collect();
    wakers.iter().for_each(|waker| waker.wake().unwrap());
    let mut tokens = Vec::new();
    while tokens.len() < 4 {
        assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE], "after {tokens:?}");
        inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
        tokens.extend(events.iter().map(|event| event.token()));
    }
    tokens.sort();
    assert_eq!(tokens, [2, 3, 4, 5].map(Token));
}

#[test]
fn a_wake_shows_however_many_there_were_before() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ.level());
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    // Where a kick is a byte in a pipe, these are more than it holds.
    for round in 0..70_000 {
        waker.wake().unwrap();
        inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.len(), 1, "{round}");
    }
    expect_silence(&mut outer, &mut outer_events);
    waker.wake().unwrap();
    assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
}

#[test]
fn a_kick_among_many_events_is_not_one_of_them() {
    let (mut poll, mut events) = poll();
    // From now on every first wake is a kick, which stands among the events in the order of arrival.
    poll.as_raw_fd();
    let waker = Waker::new(poll.registry(), Token(99)).unwrap();
    for before in 0..10 {
        let mut sources: Vec<_> = (0..10).map(|i| registered_stream(&poll, Token(i), READ)).collect();
        for (i, (stream, peer)) in sources.iter_mut().enumerate() {
            if i == before {
                waker.wake().unwrap();
            }
            peer.write_all(b"x").unwrap();
            while stream.peek(&mut [0]).is_err() {
                thread::yield_now();
            }
        }
        let mut tokens = next_tokens(&mut poll, &mut events);
        assert_eq!(tokens.remove(0), Token(99), "wakers stand first");
        tokens.sort();
        assert_eq!(tokens, (0..10).map(Token).collect::<Vec<_>>());
    }
}

#[test]
fn an_outer_loop_is_bounded_by_the_next_deadline() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ);
    let mut timer = Timer::new();
    inner.registry().register(&mut timer, Token(2), READ).unwrap();
    timer.set(A_WHILE).unwrap();
    let timeout = inner.next_deadline().unwrap().saturating_duration_since(Instant::now());
    outer.poll(&mut outer_events, Some(timeout)).unwrap();
    assert!(outer_events.is_empty(), "timers do not show on the descriptor");
    inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(2)]);
}

#[test]
fn a_loop_of_two_polls_hears_of_every_wake() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ);
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    let (heard, is_heard) = mpsc::channel();
    let poller = thread::spawn(move || {
        for _ in 0..2000 {
            loop {
                assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
                inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
                if !events.is_empty() {
                    break;
                }
            }
            heard.send(()).unwrap();
        }
    });
    for round in 0..2000 {
        waker.wake().unwrap();
        is_heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("wake {round} did not show"));
    }
    poller.join().unwrap();
}

// Signals.

#[test]
fn a_signal_interrupts_a_poll_and_nothing_is_lost() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), Token(2)).unwrap();
    let (_stream, mut peer) = registered_stream(&poll, SOURCE, READ);
    // There is something in the buffer that must go.
    waker.wake().unwrap();
    next_batch(&mut poll, &mut events);

    for timeout in [None, Some(Duration::from_secs(3600))] {
        let poller = signal::Target::current();
        let (stop, is_stopped) = mpsc::channel::<()>();
        // A signal that comes before the poll blocks is a signal that nobody notices: so there are more.
        let sender = thread::spawn(move || {
            while is_stopped.recv_timeout(Duration::from_millis(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                poller.send();
            }
        });
        let err = poll.poll(&mut events, timeout).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Interrupted);
        assert!(events.is_empty());
        drop(stop);
        sender.join().unwrap();
    }

    waker.wake().unwrap();
    peer.write_all(b"x").unwrap();
    wait_for(&mut poll, &mut events, Token(2), |event| event.is_readable());
    if events.len() < 2 {
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    }
}

#[test]
fn a_signal_does_not_end_the_wait_of_the_book() {
    let mut poll = book::Poll::new().unwrap();
    let registrator = poll.registrator();
    let poller = signal::Target::current();
    let sender = thread::spawn(move || {
        for _ in 0..20 {
            poller.send();
            thread::sleep(Duration::from_millis(1));
        }
        registrator.close_loop().unwrap();
    });
    let closed = poll.poll(&mut book::Events::with_capacity(8), None).unwrap_err();
    // By a signal, it would be the system's error.
    assert_eq!((closed.kind(), closed.raw_os_error()), (ErrorKind::Interrupted, None));
    sender.join().unwrap();
}

#[test]
fn a_signal_handler_may_wake() {
    let (mut poll, mut events) = poll();
    let waker: &'static Waker = Box::leak(Box::new(Waker::new(poll.registry(), SOURCE).unwrap()));
    signal::wake_from_handler(waker);
    let poller = signal::Target::current();
    for _ in 0..100 {
        let sender = thread::spawn(move || poller.send_waking());
        loop {
            match poll.poll(&mut events, Some(PATIENCE)) {
                Err(err) if err.kind() == ErrorKind::Interrupted => assert!(events.is_empty()),
                result => break result.unwrap(),
            }
        }
        assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [SOURCE]);
        sender.join().unwrap();
    }
}

#[test]
fn writing_to_a_closed_connection_raises_no_signal() {
    // The test harness ignores SIGPIPE, as Rust's runtime does; so it must not be asked for in the first place.
    signal::with_default_sigpipe(|| {
        let (mut stream, peer) = stream_and_peer();
        drop(peer);
        let end = Instant::now() + PATIENCE;
        let err = loop {
            match stream.write_all(b"x") {
                Ok(()) => assert!(Instant::now() < end, "nobody says that the peer is gone"),
                Err(err) => break err,
            }
        };
        assert!(matches!(err.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{err}");
        let err = stream.write_vectored(&[std::io::IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_standard_socket_becomes_one_of_ours() {
    let listener = net::TcpListener::bind(loopback()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let (mut poll, mut events) = poll();
    let mut listener = TcpListener::from_std(listener);
    poll.registry().register(&mut listener, SOURCE, READ).unwrap();
    let _client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    listener.accept().unwrap();
}
