//! Registering, reregistering and deregistering sources, and how long a registration lasts.

use std::any::Any;
use std::io::{ErrorKind, Write};
use std::net;
use std::thread;
use std::time::Duration;

use minimio::event::Source;
use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Interest, Timer, Token};

use crate::support::*;

/// The name of a source's type, the source, and its peer if it has one.
type NamedSource = (&'static str, Box<dyn Source>, Box<dyn Any>);

/// Returns one source of each type.
fn sources() -> Vec<NamedSource> {
    let (stream, peer) = stream_and_peer();
    vec![
        ("TcpStream", Box::new(stream), Box::new(peer)),
        ("TcpListener", Box::new(TcpListener::bind(loopback()).unwrap()), Box::new(())),
        ("UdpSocket", Box::new(UdpSocket::bind(loopback()).unwrap()), Box::new(())),
        ("Timer", Box::new(Timer::new()), Box::new(())),
    ]
}

#[test]
fn a_token_may_be_the_address_of_memory_that_was_freed() {
    for size in [1, 8, 16, 24, 32] {
        let token = Token(vec![0_u8; size].as_ptr() as usize);
        // The poll allocates its own state, possibly at that address.
        let (mut poll, mut events) = poll();
        let (mut stream, mut peer) = stream_and_peer();
        poll.registry().register(&mut stream, token, READ.level()).unwrap();
        peer.write_all(b"x").unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [token], "an address of {size} bytes");
    }
}

#[test]
fn registering_a_source_twice_fails_with_already_exists() {
    let (poll, _) = poll();
    for (name, mut source, _peer) in sources() {
        poll.registry().register(&mut source, SOURCE, READ).unwrap();
        let err = poll.registry().register(&mut source, Token(2), READ).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{name}: {err}");
        assert!(err.to_string().contains("I/O source already registered with a `Registry`"), "{name}: {err}");
    }
}

#[test]
fn registering_a_source_with_a_second_poll_fails_with_already_exists() {
    let (first, _) = poll();
    let (second, _) = poll();
    for (name, mut source, _peer) in sources() {
        first.registry().register(&mut source, SOURCE, READ).unwrap();
        let err = second.registry().register(&mut source, SOURCE, READ).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{name}: {err}");
        // The failed attempt has not changed the registration with the first poll.
        first.registry().reregister(&mut source, SOURCE, READ).unwrap();
        first.registry().deregister(&mut source).unwrap();
        second.registry().register(&mut source, SOURCE, READ).unwrap();
    }
}

#[test]
fn a_source_can_be_registered_with_another_poll_after_its_poll_was_dropped() {
    for (name, mut source, _peer) in sources() {
        let (first, _) = poll();
        first.registry().register(&mut source, SOURCE, READ).unwrap();
        drop(first);
        let (second, _) = poll();
        second.registry().register(&mut source, SOURCE, READ).unwrap_or_else(|err| panic!("{name}: {err}"));
        second.registry().deregister(&mut source).unwrap();
    }
}

#[test]
fn a_registry_that_outlives_its_poll_keeps_no_source_registered() {
    for (name, mut source, _peer) in sources() {
        let (first, _) = poll();
        let outliving = first.registry().try_clone().unwrap();
        first.registry().register(&mut source, SOURCE, READ).unwrap();
        drop(first);
        let (second, _) = poll();
        second.registry().register(&mut source, SOURCE, READ).unwrap_or_else(|err| panic!("{name}: {err}"));
        assert_eq!(outliving.deregister(&mut source).unwrap_err().kind(), ErrorKind::NotFound, "{name}");
    }
}

#[test]
fn reregistering_or_deregistering_an_unregistered_source_fails_with_not_found() {
    let (first, _) = poll();
    let (second, _) = poll();
    for (name, mut source, _peer) in sources() {
        for round in ["never registered", "registered with another poll", "deregistered"] {
            let err = first.registry().reregister(&mut source, SOURCE, READ).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::NotFound, "{name}, {round}: {err}");
            let err = first.registry().deregister(&mut source).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::NotFound, "{name}, {round}: {err}");
            match round {
                "never registered" => second.registry().register(&mut source, SOURCE, READ).unwrap(),
                "registered with another poll" => {
                    second.registry().deregister(&mut source).unwrap();
                    first.registry().register(&mut source, SOURCE, READ).unwrap();
                    first.registry().deregister(&mut source).unwrap();
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_source_can_be_moved_while_it_is_registered() {
    let (poll, _) = poll();
    let (stream, _peer) = registered_stream(&poll, SOURCE, READ);
    let mut list = vec![Box::new(stream)];
    let mut stream = list.pop().unwrap();
    assert_eq!(poll.registry().register(&mut *stream, SOURCE, READ).unwrap_err().kind(), ErrorKind::AlreadyExists);
    poll.registry().deregister(&mut *stream).unwrap();
}

#[test]
fn converting_a_source_to_another_type_forgets_its_registration() {
    let (poll, _) = poll();
    let (mut stream, _peer) = registered_stream(&poll, SOURCE, READ);
    poll.registry().deregister(&mut stream).unwrap();
    let mut stream = TcpStream::from_std(net::TcpStream::from(stream));
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();

    // The stream is still registered now, but the `TcpStream` that the conversion returns has no record of that.
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
fn two_sources_can_have_the_same_token() {
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
fn after_reregistering_events_have_only_the_new_token() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(READ);
    poll.registry().reregister(&mut stream, Token(2), READ).unwrap();
    peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_source_registered_while_a_poll_is_blocked_is_reported_at_once() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let (mut stream, mut peer) = stream_and_peer();
    let polling_thread = thread::spawn(move || next_tokens(&mut poll, &mut events));
    // Usually the polling thread blocks first. The result must be the same if it does not.
    thread::yield_now();
    peer.write_all(b"x").unwrap();
    registry.register(&mut stream, SOURCE, READ).unwrap();
    assert_eq!(polling_thread.join().unwrap(), [SOURCE]);
}

#[test]
fn a_source_reregistered_while_a_poll_is_blocked_is_reported_at_once() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let (mut stream, mut peer) = registered_stream(&poll, SOURCE, READ.oneshot());
    peer.write_all(b"x").unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    let polling_thread = thread::spawn(move || next_tokens(&mut poll, &mut events));
    registry.reregister(&mut stream, Token(2), READ.oneshot()).unwrap();
    assert_eq!(polling_thread.join().unwrap(), [Token(2)]);
}

#[test]
fn a_deregistered_source_is_not_reported_even_if_it_is_ready() {
    let (mut poll, mut events) = poll();
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let (mut stream, peer) = registered_stream(&poll, SOURCE, mode(READ));
        send(&peer, &stream, b"x");
        poll.registry().deregister(&mut stream).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn a_deregistered_source_can_be_registered_again() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(READ);
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
fn sources_can_be_deregistered_and_dropped_after_their_poll() {
    let (poll, _) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let mut all = sources();
    for (_, source, _) in &mut all {
        registry.register(source, SOURCE, READ).unwrap();
    }
    drop(poll);
    // The registry still works, although no poll will report the source.
    let (mut late, _peer) = stream_and_peer();
    registry.register(&mut late, SOURCE, READ).unwrap();
    for (name, source, _) in &mut all {
        registry.deregister(source).unwrap_or_else(|err| panic!("{name}: {err}"));
    }
    drop(registry);
    drop(all);
}

#[test]
fn a_poll_and_all_that_belongs_to_it_can_be_dropped_in_any_order() {
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
            let mut parts: Vec<Option<Box<dyn Any>>> = vec![
                Some(Box::new(poll)),
                Some(Box::new(registry)),
                Some(Box::new(stream)),
                Some(Box::new(timer)),
                Some(Box::new(waker)),
            ];
            // The number 5 is prime, so with every step this drops each part once.
            for n in 0..5 {
                drop(parts[(first + n * step) % 5].take().unwrap());
            }
        }
    }
}

#[test]
fn a_clone_of_a_registry_shares_its_registrations() {
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
fn a_source_with_an_error_does_not_affect_other_sources() {
    let (mut poll, mut events) = poll();
    let closed_port = closed_port();
    let mut streams: Vec<_> = (0..20).map(|i| registered_stream(&poll, Token(i), READ)).collect();
    let mut refused = TcpStream::connect(closed_port).unwrap();
    poll.registry().register(&mut refused, Token(99), READ | Interest::WRITABLE).unwrap();
    wait_for(&mut poll, &mut events, Token(99), |event| event.is_error());
    for (i, (_, peer)) in streams.iter_mut().enumerate() {
        peer.write_all(b"x").unwrap();
        wait_for(&mut poll, &mut events, Token(i), |event| event.is_readable());
    }
}
