//! Wakers: no wake is lost, none is told twice.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::*;

const WAKER: Token = Token(1);

#[test]
fn a_wake_before_the_wait_is_not_lost() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    waker.wake().unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [WAKER]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_wake_is_told_by_a_poll_that_does_not_wait() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    for _ in 0..3 {
        waker.wake().unwrap();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [WAKER]);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    }
}

#[test]
fn a_wake_ends_a_wait_without_a_timeout() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    let (done, is_done) = mpsc::channel();
    let poller = thread::spawn(move || {
        for _ in 0..1000 {
            poll.poll(&mut events, None).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [WAKER]);
            done.send(()).unwrap();
        }
    });
    for round in 0..1000 {
        waker.wake().unwrap();
        is_done.recv_timeout(WAIT_LIMIT).unwrap_or_else(|_| panic!("wake {round} was lost"));
    }
    poller.join().unwrap();
}

#[test]
fn a_wake_ends_a_wait_with_a_long_timeout() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    let start = Instant::now();
    let thread = thread::spawn(move || {
        waker.wake().unwrap();
        waker
    });
    poll.poll(&mut events, Some(Duration::from_secs(3600))).unwrap();
    assert_eq!(events.len(), 1);
    assert!(start.elapsed() < WAIT_LIMIT);
    drop(thread.join().unwrap());
}

#[test]
fn wakes_before_a_poll_are_one_event() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    for _ in 0..100 {
        waker.wake().unwrap();
    }
    assert_eq!(next_tokens(&mut poll, &mut events), [WAKER]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn every_waker_has_its_own_token() {
    let (mut poll, mut events) = poll();
    let wakers: Vec<_> = (0..5).map(|i| Waker::new(poll.registry(), Token(i)).unwrap()).collect();
    for i in [3, 0, 4] {
        wakers[i].wake().unwrap();
    }
    let mut tokens = next_tokens(&mut poll, &mut events);
    tokens.sort();
    assert_eq!(tokens, [Token(0), Token(3), Token(4)]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn wakers_of_one_token_are_events_of_their_own() {
    let (mut poll, mut events) = poll();
    let one = Waker::new(poll.registry(), WAKER).unwrap();
    let two = Waker::new(poll.registry(), WAKER).unwrap();
    one.wake().unwrap();
    two.wake().unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [WAKER, WAKER]);
    drop(one);
    two.wake().unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [WAKER]);
}

#[test]
fn a_waker_wakes_its_own_poll_only() {
    let (mut here, mut events) = poll();
    let (mut there, mut other_events) = poll();
    let waker = Waker::new(there.registry(), WAKER).unwrap();
    waker.wake().unwrap();
    expect_no_event(&mut here, &mut events);
    assert_eq!(next_tokens(&mut there, &mut other_events), [WAKER]);
}

#[test]
fn what_was_done_before_the_wake_is_seen_after_the_event() {
    let (mut poll, mut events) = poll();
    let counters: Arc<Vec<AtomicUsize>> = Arc::new((0..4).map(|_| AtomicUsize::new(0)).collect());
    const ROUNDS: usize = 20_000;
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let waker = Waker::new(poll.registry(), Token(i)).unwrap();
            let counters = Arc::clone(&counters);
            thread::spawn(move || {
                for round in 1..=ROUNDS {
                    counters[i].store(round, Ordering::Relaxed);
                    waker.wake().unwrap();
                }
                waker
            })
        })
        .collect();
    // Each last wake must show the last number; an earlier event may show any.
    let mut seen = [0; 4];
    while seen != [ROUNDS; 4] {
        for token in next_tokens(&mut poll, &mut events) {
            seen[token.0] = counters[token.0].load(Ordering::Relaxed);
        }
    }
    for thread in threads {
        drop(thread.join().unwrap());
    }
}

#[test]
fn wakers_that_do_not_fit_come_with_the_next_poll() {
    for capacity in [1, 2, 3, 4] {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(capacity);
        let wakers: Vec<_> = (0..7).map(|i| Waker::new(poll.registry(), Token(i)).unwrap()).collect();
        for _ in 0..2 {
            wakers.iter().for_each(|waker| waker.wake().unwrap());
            let mut tokens = Vec::new();
            while tokens.len() < 7 {
                let batch = next_tokens(&mut poll, &mut events);
                assert!(batch.len() <= capacity);
                tokens.extend(batch);
            }
            tokens.sort();
            assert_eq!(tokens, (0..7).map(Token).collect::<Vec<_>>(), "capacity {capacity}");
            expect_no_event(&mut poll, &mut events);
        }
    }
}

#[test]
fn wakers_stand_first_then_timers_then_sources() {
    let (mut poll, mut events) = poll();
    let (_stream, mut peer) = registered_stream(&poll, Token(3), Interest::READABLE.level());
    peer.write_all(b"x").unwrap();
    wait_for(&mut poll, &mut events, Token(3), |event| event.is_readable());
    let mut timer = Timer::new();
    poll.registry().register(&mut timer, Token(2), Interest::READABLE).unwrap();
    timer.set(Duration::ZERO).unwrap();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    waker.wake().unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [WAKER, Token(2), Token(3)]);
}

#[test]
fn nobody_starves_however_small_the_buffer() {
    for capacity in [1, 2, 3] {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(capacity);
        let (_stream, mut peer) = registered_stream(&poll, Token(0), Interest::READABLE.level());
        peer.write_all(b"x").unwrap();
        wait_for(&mut poll, &mut events, Token(0), |event| event.is_readable());
        let mut timers = [Timer::new(), Timer::new()];
        for (i, timer) in timers.iter_mut().enumerate() {
            poll.registry().register(timer, Token(1 + i), Interest::READABLE).unwrap();
        }
        let wakers = [3, 4].map(|i| Waker::new(poll.registry(), Token(i)).unwrap());
        let mut counts = [0; 5];
        for timer in &timers {
            timer.set(Duration::ZERO).unwrap();
        }
        for _ in 0..100 {
            // All five are ready before every poll.
            for waker in &wakers {
                waker.wake().unwrap();
            }
            for token in next_tokens(&mut poll, &mut events) {
                counts[token.0] += 1;
                if let Some(timer) = token.0.checked_sub(1).and_then(|i| timers.get(i)) {
                    timer.set(Duration::ZERO).unwrap();
                }
            }
        }
        for (token, count) in counts.iter().enumerate() {
            assert!(*count >= 10, "capacity {capacity}: {token} came {count} times of {counts:?}");
        }
    }
}

#[test]
fn the_smallest_buffer_brings_what_is_pending_without_waiting() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(1);
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    let mut timer = Timer::new();
    poll.registry().register(&mut timer, Token(2), Interest::READABLE).unwrap();
    for _ in 0..8 {
        waker.wake().unwrap();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [WAKER]);
    }
    for _ in 0..8 {
        timer.set(Duration::ZERO).unwrap();
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(2)]);
    }
}

#[test]
fn a_wake_between_two_polls_is_told_while_sources_keep_the_buffer_full() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(2);
    let mut sources: Vec<_> =
        (0..4).map(|i| registered_stream(&poll, Token(10 + i), Interest::READABLE.level())).collect();
    sources.iter_mut().for_each(|(_, peer)| peer.write_all(b"x").unwrap());
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    for _ in 0..10 {
        waker.wake().unwrap();
        let polls = (1..10).find(|_| next_tokens(&mut poll, &mut events).contains(&WAKER));
        assert!(polls.unwrap_or(10) <= 2, "the waker had to wait for {polls:?} polls");
    }
}

#[test]
fn dropping_a_waker_discards_its_event() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    let other = Waker::new(poll.registry(), Token(2)).unwrap();
    waker.wake().unwrap();
    drop(waker);
    expect_no_event(&mut poll, &mut events);
    other.wake().unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
}

#[test]
fn waking_a_poll_that_is_gone_does_nothing() {
    let (poll, _) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    waker.wake().unwrap();
    drop(poll);
    waker.wake().unwrap();
    waker.wake().unwrap();
}

#[test]
fn a_waker_may_be_made_while_the_poller_is_blocked() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let poller = thread::spawn(move || next_tokens(&mut poll, &mut events));
    let waker = Waker::new(&registry, WAKER).unwrap();
    waker.wake().unwrap();
    assert_eq!(poller.join().unwrap(), [WAKER]);
}

#[test]
fn wakes_from_many_threads_are_all_told() {
    let (mut poll, mut events) = poll();
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
    let pending = Arc::new(AtomicUsize::new(0));
    const THREADS: usize = 4;
    const EACH: usize = 50_000;
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (waker, pending) = (Arc::clone(&waker), Arc::clone(&pending));
            thread::spawn(move || {
                for _ in 0..EACH {
                    pending.fetch_add(1, Ordering::Relaxed);
                    waker.wake().unwrap();
                }
            })
        })
        .collect();
    let mut taken = 0;
    while taken < THREADS * EACH {
        assert_eq!(next_tokens(&mut poll, &mut events), [WAKER]);
        taken += pending.swap(0, Ordering::Relaxed);
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn polls_that_do_not_wait_and_polls_that_do_share_the_wakes() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    let pending = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let thread = thread::spawn({
        let (pending, stop) = (Arc::clone(&pending), Arc::clone(&stop));
        move || {
            let mut woken = 0;
            while !stop.load(Ordering::Relaxed) {
                pending.fetch_add(1, Ordering::Relaxed);
                waker.wake().unwrap();
                woken += 1;
            }
            (woken, waker)
        }
    });
    let mut taken = 0;
    for round in 0..30_000 {
        if round % 3 == 0 {
            next_batch(&mut poll, &mut events);
        } else {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        }
        if !events.is_empty() {
            taken += pending.swap(0, Ordering::Relaxed);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (woken, _waker) = thread.join().unwrap();
    // The last one may still be on its way.
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    if !events.is_empty() {
        taken += pending.swap(0, Ordering::Relaxed);
    }
    assert_eq!(taken, woken);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_waker_is_readable_to_a_human() {
    let (poll, _) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    assert_eq!(format!("{waker:?}"), "Waker { token: Token(1) }");
}
