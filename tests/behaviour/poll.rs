//! `Poll::poll`: its timeout, the capacity of `Events`, and when it returns without an event.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::*;

#[test]
fn a_poll_without_events_returns_after_its_timeout() {
    let (mut poll, mut events) = poll();
    for micros in [1, 10, 100, 999, 1000, 1001, 12_345] {
        let timeout = Duration::from_micros(micros);
        let start = Instant::now();
        poll.poll(&mut events, Some(timeout)).unwrap();
        assert!(start.elapsed() >= timeout, "{timeout:?} took {:?}", start.elapsed());
        assert!(events.is_empty());
    }
}

#[test]
fn a_timeout_of_one_nanosecond_expires() {
    let (mut poll, mut events) = poll();
    let start = Instant::now();
    poll.poll(&mut events, Some(Duration::from_nanos(1))).unwrap();
    assert!(start.elapsed() < WAIT_LIMIT);
}

#[test]
fn a_timeout_of_zero_does_not_block() {
    let (mut poll, mut events) = poll();
    let start = Instant::now();
    for _ in 0..100 {
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    }
    assert!(start.elapsed() < WAIT_LIMIT);
}

#[test]
fn a_timeout_of_zero_reports_a_ready_source() {
    let (mut poll, mut events) = poll();
    let (stream, peer) = registered_stream(&poll, Token(1), READ);
    send(&peer, &stream, b"x");
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(1)]);
}

#[test]
fn the_longest_timeout_is_accepted() {
    for timeout in [Duration::MAX, Duration::from_secs(u64::MAX / 2), Duration::from_secs(1 << 33)] {
        let (mut poll, mut events) = poll();
        let waker = Waker::new(poll.registry(), Token(1)).unwrap();
        let (return_sender, return_receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            poll.poll(&mut events, Some(timeout)).unwrap();
            return_sender.send(events.len()).unwrap();
        });
        assert!(
            return_receiver.recv_timeout(SHORT_WAIT).is_err(),
            "the poll returned at once, with a timeout of {timeout:?}"
        );
        waker.wake().unwrap();
        assert_eq!(return_receiver.recv_timeout(WAIT_LIMIT), Ok(1), "{timeout:?}");
        thread.join().unwrap();
    }
}

#[test]
fn events_with_capacity_zero_are_an_error() {
    let (mut poll, _) = poll();
    let mut events = Events::with_capacity(0);
    let waker = Waker::new(poll.registry(), Token(1)).unwrap();
    let mut timer = Timer::new();
    poll.registry().register(&mut timer, Token(2), READ).unwrap();
    for round in 0..3 {
        for timeout in [Some(Duration::ZERO), Some(Duration::from_secs(3600)), None] {
            let err = poll.poll(&mut events, timeout).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::InvalidInput);
            assert_eq!(err.to_string(), "cannot poll: the capacity of `Events` is 0", "{timeout:?}");
        }
        match round {
            0 => waker.wake().unwrap(),
            _ => timer.set(Duration::ZERO).unwrap(),
        }
    }
    // The failed polls have lost no event.
    let mut events = Events::with_capacity(4);
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(1), Token(2)]);
}

#[test]
fn events_beyond_the_capacity_are_reported_by_later_polls() {
    for mode in [Interest::edge, Interest::oneshot] {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(3);
        let mut sources: Vec<_> = (0..10).map(|i| registered_stream(&poll, Token(i), mode(READ))).collect();
        for (stream, peer) in &mut sources {
            send(peer, stream, b"x");
        }
        let mut tokens = Vec::new();
        while tokens.len() < 10 {
            let batch = next_tokens(&mut poll, &mut events);
            assert!(batch.len() <= 3);
            tokens.extend(batch);
        }
        let distinct: BTreeSet<_> = tokens.iter().collect();
        assert_eq!(distinct.len(), 10, "{tokens:?}");
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn more_ready_level_sources_than_the_capacity_are_all_reported_in_time() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(2);
    let mut sources: Vec<_> = (0..6).map(|i| registered_stream(&poll, Token(i), READ.level())).collect();
    sources.iter_mut().for_each(|(_, peer)| peer.write_all(b"x").unwrap());
    let end = Instant::now() + WAIT_LIMIT;
    let mut reported = BTreeSet::new();
    while reported.len() < 6 {
        reported.extend(next_tokens(&mut poll, &mut events));
        assert!(Instant::now() < end, "only {reported:?} were reported");
    }
}

#[test]
fn a_poll_clears_the_events_of_the_previous_poll() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), Token(1)).unwrap();
    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        waker.wake().unwrap();
        next_batch(&mut poll, &mut events);
        assert_eq!(events.len(), 1);
        poll.poll(&mut events, Some(timeout)).unwrap();
        assert!(events.is_empty());
    }
}

#[test]
fn events_are_counted_iterated_and_cleared() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    assert_eq!((events.capacity(), events.len(), events.is_empty()), (16, 0, true));
    let wakers = [1, 2, 3].map(|i| Waker::new(poll.registry(), Token(i)).unwrap());
    wakers.iter().for_each(|waker| waker.wake().unwrap());
    next_batch(&mut poll, &mut events);
    assert_eq!((events.capacity(), events.len(), events.is_empty()), (16, 3, false));
    let mut iter = events.iter();
    assert_eq!((iter.len(), iter.size_hint()), (3, (3, Some(3))));
    iter.next();
    assert_eq!((iter.len(), iter.clone().count()), (2, 2));
    assert_eq!((&events).into_iter().count(), 3);
    events.clear();
    assert!(events.is_empty() && events.iter().next().is_none());
    assert_eq!(events.capacity(), 16);
}

#[test]
fn one_events_buffer_serves_two_polls() {
    let (mut one, mut events) = poll();
    let (mut two, _) = poll();
    let first = Waker::new(one.registry(), Token(1)).unwrap();
    let second = Waker::new(two.registry(), Token(2)).unwrap();
    first.wake().unwrap();
    second.wake().unwrap();
    assert_eq!(next_tokens(&mut one, &mut events), [Token(1)]);
    assert_eq!(next_tokens(&mut two, &mut events), [Token(2)]);
}

#[test]
fn a_token_converts_from_and_to_a_number() {
    assert_eq!(Token::from(7), Token(7));
    assert_eq!(usize::from(Token(7)), 7);
    assert_eq!(format!("{:?}", Token(7)), "Token(7)");
}
