//! Who is registered where, and for how long.

use std::io::{ErrorKind, Write};
use std::net;
use std::thread;
use std::time::Duration;

use minimio::event::Source;
use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Interest, Poll, Timer, Token};

use crate::support::*;

const SOURCE: Token = Token(1);
const READ: Interest = Interest::READABLE;

/// A source, its name, and what keeps it alive.
type Specimen = (&'static str, Box<dyn Source>, Box<dyn Anything>);

/// One of each of our sources.
fn sources() -> Vec<Specimen> {
    let (stream, peer) = stream_and_peer();
    vec![
        ("TcpStream", Box::new(stream), Box::new(peer)),
        ("TcpListener", Box::new(TcpListener::bind(loopback()).unwrap()), Box::new(())),
        ("UdpSocket", Box::new(UdpSocket::bind(loopback()).unwrap()), Box::new(())),
        ("Timer", Box::new(Timer::new()), Box::new(())),
    ]
}

trait Anything {}
impl<T> Anything for T {}

#[test]
fn a_source_registered_twice_already_exists() {
    let (poll, _) = poll();
    for (name, mut source, _keep) in sources() {
        poll.registry().register(&mut source, SOURCE, READ).unwrap();
        let err = poll.registry().register(&mut source, Token(2), READ).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{name}: {err}");
        assert!(err.to_string().contains("I/O source already registered with a `Registry`"), "{name}: {err}");
    }
}

#[test]
fn a_source_registered_with_another_poll_already_exists() {
    let (here, _) = poll();
    let (there, _) = poll();
    for (name, mut source, _keep) in sources() {
        here.registry().register(&mut source, SOURCE, READ).unwrap();
        let err = there.registry().register(&mut source, SOURCE, READ).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{name}: {err}");
        // And that attempt has changed nothing here.
        here.registry().reregister(&mut source, SOURCE, READ).unwrap();
        here.registry().deregister(&mut source).unwrap();
        there.registry().register(&mut source, SOURCE, READ).unwrap();
    }
}

#[test]
fn a_source_whose_poll_is_gone_can_be_registered_with_another() {
    for (name, mut source, _keep) in sources() {
        let (first, _) = poll();
        first.registry().register(&mut source, SOURCE, READ).unwrap();
        drop(first);
        let (second, _) = poll();
        second.registry().register(&mut source, SOURCE, READ).unwrap_or_else(|err| panic!("{name}: {err}"));
        second.registry().deregister(&mut source).unwrap();
    }
}

#[test]
fn a_registry_that_outlives_its_poll_keeps_no_source_from_another() {
    for (name, mut source, _keep) in sources() {
        let (first, _) = poll();
        let left_over = first.registry().try_clone().unwrap();
        first.registry().register(&mut source, SOURCE, READ).unwrap();
        drop(first);
        let (second, _) = poll();
        second.registry().register(&mut source, SOURCE, READ).unwrap_or_else(|err| panic!("{name}: {err}"));
        assert_eq!(left_over.deregister(&mut source).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
    }
}

#[test]
fn a_source_that_is_not_registered_is_not_found() {
    let (here, _) = poll();
    let (there, _) = poll();
    for (name, mut source, _keep) in sources() {
        for round in ["never registered", "registered elsewhere", "deregistered"] {
            let err = here.registry().reregister(&mut source, SOURCE, READ).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::NotFound, "{name}, {round}: {err}");
            let err = here.registry().deregister(&mut source).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::NotFound, "{name}, {round}: {err}");
            match round {
                "never registered" => there.registry().register(&mut source, SOURCE, READ).unwrap(),
                "registered elsewhere" => {
                    there.registry().deregister(&mut source).unwrap();
                    here.registry().register(&mut source, SOURCE, READ).unwrap();
                    here.registry().deregister(&mut source).unwrap();
                }
                _ => {}
            }
        }
    }
}

#[test]
fn the_registration_moves_with_the_source() {
    let (poll, _) = poll();
    let (stream, _peer) = registered_stream(&poll, SOURCE, READ);
    let mut shelf = vec![Box::new(stream)];
    let mut stream = shelf.pop().unwrap();
    assert_eq!(poll.registry().register(&mut *stream, SOURCE, READ).unwrap_err().kind(), ErrorKind::AlreadyExists);
    poll.registry().deregister(&mut *stream).unwrap();
}

#[test]
fn the_registration_ends_with_the_conversion_to_another_type() {
    let (poll, _) = poll();
    let (mut stream, _peer) = registered_stream(&poll, SOURCE, READ);
    poll.registry().deregister(&mut stream).unwrap();
    let mut stream = TcpStream::from_std(net::TcpStream::from(stream));
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();

    // Even one that was not deregistered: it has no memory of it.
    let mut stream = TcpStream::from_std(net::TcpStream::from(stream));
    assert_eq!(poll.registry().deregister(&mut stream).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn no_token_is_reserved() {
    let (mut poll, mut events) = poll();
    let tokens = [0, 1, usize::MAX, usize::MAX - 1, usize::MAX / 2 + 1, u32::MAX as usize].map(Token);
    let mut sources: Vec<_> = tokens.iter().map(|&token| registered_stream(&poll, token, READ)).collect();
    for ((_, peer), token) in sources.iter_mut().zip(tokens) {
        peer.write_all(b"x").unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [token]);
    }
}

#[test]
fn sources_may_share_a_token() {
    let (mut poll, mut events) = poll();
    let (mut one, mut one_peer) = registered_stream(&poll, SOURCE, READ);
    let (_two, mut two_peer) = registered_stream(&poll, SOURCE, READ);
    one_peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    poll.registry().deregister(&mut one).unwrap();
    two_peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
}

#[test]
fn after_reregistering_events_bear_the_new_token_only() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, READ);
    poll.registry().reregister(&mut stream, Token(2), READ).unwrap();
    peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_source_registered_while_the_poller_is_blocked_is_reported_at_once() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let (mut stream, mut peer) = stream_and_peer();
    let poller = thread::spawn(move || next_tokens(&mut poll, &mut events));
    // Most often the poller blocks first; the test holds if it does not.
    thread::yield_now();
    peer.write_all(b"x").unwrap();
    registry.register(&mut stream, SOURCE, READ).unwrap();
    assert_eq!(poller.join().unwrap(), [SOURCE]);
}

#[test]
fn a_source_reregistered_while_the_poller_is_blocked_is_reported_at_once() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, READ.oneshot());
    peer.write_all(b"x").unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    let poller = thread::spawn(move || next_tokens(&mut poll, &mut events));
    registry.reregister(&mut stream, Token(2), READ.oneshot()).unwrap();
    assert_eq!(poller.join().unwrap(), [Token(2)]);
}

#[test]
fn a_deregistered_source_is_not_reported_even_if_it_is_ready() {
    let (mut poll, mut events) = poll();
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let (mut stream, mut peer) = registered_stream(&poll, SOURCE, mode(READ));
        peer.write_all(b"x").unwrap();
        while stream.peek(&mut [0]).is_err() {
            thread::yield_now();
        }
        poll.registry().deregister(&mut stream).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn a_deregistered_source_can_be_registered_again() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, READ);
    for round in 0..3 {
        poll.registry().deregister(&mut stream).unwrap();
        poll.registry().register(&mut stream, Token(round), READ).unwrap();
        peer.write_all(b"x").unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(round)]);
    }
}

#[test]
fn dropping_a_source_ends_its_registration() {
    let (mut poll, mut events) = poll();
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let (stream, mut peer) = registered_stream(&poll, SOURCE, mode(READ | Interest::WRITABLE));
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
        peer.write_all(b"x").unwrap();
        drop(stream);
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn the_poll_may_go_first() {
    let (poll, _) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let mut all = sources();
    for (_, source, _) in &mut all {
        registry.register(source, SOURCE, READ).unwrap();
    }
    drop(poll);
    // The registry still serves, though nobody will hear of it.
    let (mut late, _peer) = stream_and_peer();
    registry.register(&mut late, SOURCE, READ).unwrap();
    for (name, source, _) in &mut all {
        registry.deregister(source).unwrap_or_else(|err| panic!("{name}: {err}"));
    }
    drop(registry);
    drop(all);
}

#[test]
fn the_parts_of_a_poll_may_go_in_any_order() {
    // Every order of dropping a poll, a registry, a source, a timer and a waker.
    for first in 0..5 {
        for step in 1..5 {
            let (poll, _) = poll();
            let registry = poll.registry().try_clone().unwrap();
            let (stream, _peer) = registered_stream(&poll, SOURCE, READ);
            let mut timer = Timer::new();
            registry.register(&mut timer, Token(2), READ).unwrap();
            timer.set(Duration::from_secs(3600)).unwrap();
            let waker = minimio::Waker::new(&registry, Token(3)).unwrap();
            waker.wake().unwrap();
            let mut parts: Vec<Option<Box<dyn Anything>>> = vec![
                Some(Box::new(poll)),
                Some(Box::new(registry)),
                Some(Box::new(stream)),
                Some(Box::new(timer)),
                Some(Box::new(waker)),
            ];
            // Both 5 and the step have no common divisor, so this meets them all.
            for turn in 0..5 {
                drop(parts[(first + turn * step) % 5].take().unwrap());
            }
        }
    }
}

#[test]
fn two_registries_of_a_poll_are_one() {
    let (mut poll, mut events) = poll();
    let clone = poll.registry().try_clone().unwrap();
    let (mut stream, mut peer) = stream_and_peer();
    clone.register(&mut stream, SOURCE, READ).unwrap();
    assert_eq!(poll.registry().register(&mut stream, SOURCE, READ).unwrap_err().kind(), ErrorKind::AlreadyExists);
    poll.registry().reregister(&mut stream, Token(2), READ).unwrap();
    peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    clone.deregister(&mut stream).unwrap();
    assert_eq!(poll.registry().deregister(&mut stream).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_source_of_the_users_own_passes_the_calls_on() {
    struct Wrapper(TcpStream);

    impl Source for Wrapper {
        fn register(&mut self, registry: &minimio::Registry, token: Token, interests: Interest) -> std::io::Result<()> {
            self.0.register(registry, token, interests)
        }
        fn reregister(
            &mut self,
            registry: &minimio::Registry,
            token: Token,
            interests: Interest,
        ) -> std::io::Result<()> {
            self.0.reregister(registry, token, interests)
        }
        fn deregister(&mut self, registry: &minimio::Registry) -> std::io::Result<()> {
            self.0.deregister(registry)
        }
    }

    let (mut poll, mut events) = poll();
    let (stream, mut peer) = stream_and_peer();
    let mut source: Box<dyn Source> = Box::new(Wrapper(stream));
    poll.registry().register(&mut source, SOURCE, READ).unwrap();
    peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    poll.registry().reregister(&mut source, Token(2), READ).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    poll.registry().deregister(&mut source).unwrap();
}

#[test]
fn a_bad_source_does_not_disturb_the_others() {
    let (mut poll, mut events) = poll();
    let closed_port = closed_port();
    let mut good: Vec<_> = (0..20).map(|i| registered_stream(&poll, Token(i), READ)).collect();
    let mut bad = TcpStream::connect(closed_port).unwrap();
    poll.registry().register(&mut bad, Token(99), READ | Interest::WRITABLE).unwrap();
    wait_for(&mut poll, &mut events, Token(99), |event| event.is_error());
    for (i, (_, peer)) in good.iter_mut().enumerate() {
        peer.write_all(b"x").unwrap();
        wait_for(&mut poll, &mut events, Token(i), |event| event.is_readable());
    }
}

#[test]
fn dozens_of_polls_are_told_apart() {
    let polls: Vec<Poll> = (0..50).map(|_| Poll::new().unwrap()).collect();
    let (mut stream, _peer) = stream_and_peer();
    for poll in &polls {
        poll.registry().register(&mut stream, SOURCE, READ).unwrap();
        poll.registry().deregister(&mut stream).unwrap();
    }
    polls[7].registry().register(&mut stream, SOURCE, READ).unwrap();
    for (i, poll) in polls.iter().enumerate() {
        let kind = poll.registry().register(&mut stream, SOURCE, READ).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::AlreadyExists, "poll {i}");
        let known = poll.registry().reregister(&mut stream, SOURCE, READ).is_ok();
        assert_eq!(known, i == 7, "poll {i}");
    }
}
