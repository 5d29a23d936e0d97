//! The descriptor of a poll, registered with another poll.

#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::io::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::unix::SourceFd;
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::*;

const SOURCE: Token = Token(1);
const READ: Interest = Interest::READABLE;

/// Returns an outer poll with which the inner poll's descriptor is registered.
fn nested(mode: Interest) -> ((Poll, Events), (Poll, Events)) {
    let (outer, events) = (poll(), poll());
    let fd = events.0.as_raw_fd();
    assert_eq!(events.0.registry().as_raw_fd(), fd);
    outer.0.registry().register(&mut SourceFd(&fd), SOURCE, mode).unwrap();
    (outer, events)
}

#[test]
fn a_nested_poll_is_readable_while_it_has_events() {
    for mode in [READ, READ.level()] {
        let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(mode);
        let (mut stream, mut peer) = registered_stream(&inner, Token(2), READ);
        expect_no_event(&mut outer, &mut outer_events);
        for _ in 0..3 {
            peer.write_all(b"x").unwrap();
            assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
            inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(2)]);
            stream.read_exact(&mut [0]).unwrap();
            inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
            expect_no_event(&mut outer, &mut outer_events);
        }
    }
}

#[test]
fn a_wake_makes_the_descriptor_readable() {
    for mode in [READ, READ.level()] {
        let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(mode);
        let wakers = [2, 3].map(|i| Waker::new(inner.registry(), Token(i)).unwrap());
        expect_no_event(&mut outer, &mut outer_events);
        for _ in 0..3 {
            wakers[0].wake().unwrap();
            wakers[1].wake().unwrap();
            wakers[0].wake().unwrap();
            assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
            inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.len(), 2, "{events:?}");
            expect_no_event(&mut outer, &mut outer_events);
        }
    }
}

#[test]
fn a_wake_before_the_descriptor_was_exposed_makes_it_readable() {
    let (mut inner, mut events) = poll();
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    waker.wake().unwrap();
    let (mut outer, mut outer_events) = poll();
    outer.registry().register(&mut SourceFd(&inner.as_raw_fd()), SOURCE, READ).unwrap();
    assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
    assert_eq!(next_tokens(&mut inner, &mut events), [Token(2)]);
}

#[test]
fn wakers_that_do_not_fit_keep_the_descriptor_readable() {
    check_wakers_that_do_not_fit(READ.level());
    if system::EVERY_NOTIFY_IS_AN_EDGE {
        check_wakers_that_do_not_fit(READ);
    }
}

fn check_wakers_that_do_not_fit(mode: Interest) {
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
fn the_descriptor_becomes_readable_after_many_wakes() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ.level());
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    // Where the notifier is a pipe, it holds fewer bytes than this.
    for round in 0..70_000 {
        waker.wake().unwrap();
        inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.len(), 1, "{round}");
    }
    expect_no_event(&mut outer, &mut outer_events);
    waker.wake().unwrap();
    assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
}

#[test]
fn the_notifiers_event_is_not_reported_among_other_events() {
    let (mut poll, mut events) = poll();
    // From here on, every first wake notifies the kernel, which queues the notifier's event in the order of arrival.
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
        assert_eq!(tokens.remove(0), Token(99), "wakers are reported first");
        tokens.sort();
        assert_eq!(tokens, (0..10).map(Token).collect::<Vec<_>>());
    }
}

#[test]
fn an_outer_loop_is_bounded_by_the_next_deadline() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ);
    let mut timer = Timer::new();
    inner.registry().register(&mut timer, Token(2), READ).unwrap();
    timer.set(SHORT_WAIT).unwrap();
    let timeout = inner.next_deadline().unwrap().saturating_duration_since(Instant::now());
    outer.poll(&mut outer_events, Some(timeout)).unwrap();
    assert!(outer_events.is_empty(), "a timer does not make the descriptor readable");
    inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(2)]);
}

#[test]
fn a_nested_loop_reports_every_wake() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ);
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    let (reported, next_report) = mpsc::channel();
    let poller = thread::spawn(move || {
        for _ in 0..2000 {
            loop {
                assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
                inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
                if !events.is_empty() {
                    break;
                }
            }
            reported.send(()).unwrap();
        }
    });
    for round in 0..2000 {
        waker.wake().unwrap();
        next_report.recv_timeout(WAIT_LIMIT).unwrap_or_else(|_| panic!("wake {round} was not reported"));
    }
    poller.join().unwrap();
}
