//! The descriptor of an inner poll, registered with an outer poll.

#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::io::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::unix::SourceFd;
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::*;

/// Returns an outer poll with its events and an inner poll with its events. The inner poll's descriptor is registered
/// with the outer poll.
fn nested(mode: Interest) -> ((Poll, Events), (Poll, Events)) {
    let (outer, inner) = (poll(), poll());
    let fd = inner.0.as_raw_fd();
    assert_eq!(inner.0.registry().as_raw_fd(), fd);
    outer.0.registry().register(&mut SourceFd(&fd), SOURCE, mode).unwrap();
    (outer, inner)
}

#[test]
fn an_inner_poll_is_readable_while_it_has_unreported_events() {
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
fn a_wake_before_as_raw_fd_makes_the_descriptor_readable() {
    let (mut inner, mut events) = poll();
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    waker.wake().unwrap();
    let (mut outer, mut outer_events) = poll();
    outer.registry().register(&mut SourceFd(&inner.as_raw_fd()), SOURCE, READ).unwrap();
    assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
    assert_eq!(next_tokens(&mut inner, &mut events), [Token(2)]);
}

#[test]
fn wakers_beyond_the_capacity_keep_the_descriptor_readable() {
    check_wakers_beyond_the_capacity(READ.level());
    if system::EVERY_NOTIFY_IS_AN_EDGE {
        check_wakers_beyond_the_capacity(READ);
    }
}

fn check_wakers_beyond_the_capacity(mode: Interest) {
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
fn a_wake_makes_the_descriptor_readable_also_after_very_many_wakes() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ.level());
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    // On a system where each notification writes a byte to a pipe, this is more than the pipe can hold.
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
fn the_notification_of_a_wake_is_not_reported_as_an_event() {
    let (mut poll, mut events) = poll();
    // The call takes the poll's descriptor. From then on, the first wake before each poll notifies the queue, so the
    // notifier's event is queued among the others.
    poll.as_raw_fd();
    let waker = Waker::new(poll.registry(), Token(99)).unwrap();
    for before in 0..10 {
        let mut sources: Vec<_> = (0..10).map(|i| registered_stream(&poll, Token(i), READ)).collect();
        for (i, (stream, peer)) in sources.iter_mut().enumerate() {
            if i == before {
                waker.wake().unwrap();
            }
            send(peer, stream, b"x");
        }
        let mut tokens = next_tokens(&mut poll, &mut events);
        assert_eq!(tokens.remove(0), Token(99), "wakers are reported first");
        tokens.sort();
        assert_eq!(tokens, (0..10).map(Token).collect::<Vec<_>>());
    }
}

#[test]
fn a_ready_level_source_is_in_every_batch_with_two_slots_and_no_batch_is_empty() {
    for capacity in [1, 2, 3] {
        let (mut poll, _) = poll();
        let mut events = Events::with_capacity(capacity);
        // From now on, the first wake before each poll queues an event of the notifier.
        poll.as_raw_fd();
        let wakers: Vec<_> = (2..6).map(|i| Waker::new(poll.registry(), Token(i)).unwrap()).collect();
        let (stream, peer) = registered_stream(&poll, SOURCE, READ.level());
        send(&peer, &stream, b"x");
        let mut batches_with_source = 0;
        for round in 0..60 {
            // In every third round, no waker is pending, but an event of the notifier may still be queued.
            wakers.iter().take(round % 3 * 2).for_each(|waker| waker.wake().unwrap());
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert!(!events.is_empty(), "capacity {capacity}, round {round}");
            batches_with_source += usize::from(events.iter().any(|event| event.token() == SOURCE));
        }
        assert!(
            batches_with_source >= if capacity == 1 { 20 } else { 60 },
            "{batches_with_source}, capacity {capacity}"
        );
    }
}

#[test]
fn a_waker_that_is_woken_without_pause_is_in_each_batch_at_most_once() {
    let (mut poll, mut events) = poll();
    poll.as_raw_fd();
    let (_stream, mut peer) = registered_stream(&poll, SOURCE, READ.level());
    peer.write_all(b"x").unwrap();
    let waker = Waker::new(poll.registry(), Token(2)).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                waker.wake().unwrap();
            }
        });
        let end = Instant::now() + SHORT_WAIT;
        let mut reports = 0;
        while reports <= 1 && Instant::now() < end {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            reports = events.iter().filter(|event| event.token() == Token(2)).count();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reports <= 1, "{events:?}");
    });
}

#[test]
fn next_deadline_is_the_timeout_for_the_outer_poll() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ);
    let mut timer = Timer::new();
    inner.registry().register(&mut timer, Token(2), READ).unwrap();
    timer.set(SHORT_WAIT).unwrap();
    let timeout = inner.next_deadline().unwrap().saturating_duration_since(Instant::now());
    outer.poll(&mut outer_events, Some(timeout)).unwrap();
    assert!(outer_events.is_empty(), "a timer has made the descriptor readable");
    inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(2)]);
}

#[test]
fn no_wake_of_an_inner_poll_is_lost() {
    let ((mut outer, mut outer_events), (mut inner, mut events)) = nested(READ);
    let waker = Waker::new(inner.registry(), Token(2)).unwrap();
    let (report_sender, report_receiver) = mpsc::channel();
    let polling_thread = thread::spawn(move || {
        for _ in 0..2000 {
            loop {
                assert_eq!(next_tokens(&mut outer, &mut outer_events), [SOURCE]);
                inner.poll(&mut events, Some(Duration::ZERO)).unwrap();
                if !events.is_empty() {
                    break;
                }
            }
            report_sender.send(()).unwrap();
        }
    });
    for round in 0..2000 {
        waker.wake().unwrap();
        report_receiver.recv_timeout(WAIT_LIMIT).unwrap_or_else(|_| panic!("wake {round} was lost"));
    }
    polling_thread.join().unwrap();
}
