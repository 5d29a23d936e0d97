//! Wakers: no wake is lost, and none is reported twice.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier};
use std::thread;
use std::time::Duration;

use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::*;

const WAKER: Token = Token(1);

fn poll_and_waker() -> (Poll, Events, Waker) {
    let (poll, events) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    (poll, events, waker)
}

#[test]
fn a_wake_before_the_wait_is_not_lost() {
    let (mut poll, mut events, waker) = poll_and_waker();
    waker.wake().unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [WAKER]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_wake_is_reported_by_a_poll_with_a_timeout_of_zero() {
    let (mut poll, mut events, waker) = poll_and_waker();
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
    let (mut poll, mut events, waker) = poll_and_waker();
    let (report_sender, report_receiver) = mpsc::channel();
    let polling_thread = thread::spawn(move || {
        for _ in 0..1000 {
            poll.poll(&mut events, None).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [WAKER]);
            report_sender.send(()).unwrap();
        }
    });
    for round in 0..1000 {
        waker.wake().unwrap();
        report_receiver.recv_timeout(WAIT_LIMIT).unwrap_or_else(|_| panic!("wake {round} was lost"));
    }
    polling_thread.join().unwrap();
}

#[test]
fn many_wakes_before_a_poll_are_one_event() {
    let (mut poll, mut events, waker) = poll_and_waker();
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
fn two_wakers_with_the_same_token_are_two_events() {
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
fn a_waker_wakes_only_its_own_poll() {
    let (mut first, mut events) = poll();
    let (mut second, mut other_events) = poll();
    let waker = Waker::new(second.registry(), WAKER).unwrap();
    waker.wake().unwrap();
    expect_no_event(&mut first, &mut events);
    assert_eq!(next_tokens(&mut second, &mut other_events), [WAKER]);
}

#[test]
fn a_store_before_the_wake_is_visible_after_the_event() {
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
    // After the event of a thread's last wake, its last number must be visible. After an earlier event, any of its
    // numbers may be.
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
fn wakers_beyond_the_capacity_are_reported_by_later_polls() {
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
fn wakers_are_reported_before_timers_and_timers_before_sources() {
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
fn wakers_timers_and_sources_are_all_reported_with_the_smallest_capacities() {
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
            // The source, both timers and both wakers are ready before every poll.
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
            assert!(*count >= 10, "capacity {capacity}: token {token} was reported only {count} times: {counts:?}");
        }
    }
}

#[test]
fn a_pending_wake_or_timer_is_reported_at_once_with_capacity_one() {
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
fn a_wake_is_reported_although_ready_sources_fill_the_buffer() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(2);
    let mut sources: Vec<_> =
        (0..4).map(|i| registered_stream(&poll, Token(10 + i), Interest::READABLE.level())).collect();
    sources.iter_mut().for_each(|(_, peer)| peer.write_all(b"x").unwrap());
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    for _ in 0..10 {
        waker.wake().unwrap();
        let polls = (1..10).find(|_| next_tokens(&mut poll, &mut events).contains(&WAKER));
        assert!(polls.unwrap_or(10) <= 2, "the wake was reported by poll {polls:?}");
    }
}

#[test]
fn dropping_a_waker_discards_its_event() {
    let (mut poll, mut events, waker) = poll_and_waker();
    let other = Waker::new(poll.registry(), Token(2)).unwrap();
    waker.wake().unwrap();
    drop(waker);
    expect_no_event(&mut poll, &mut events);
    other.wake().unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
}

#[test]
fn dropping_one_of_several_wakers_discards_only_its_event() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let new_waker = |token| (token, Waker::new(&registry, token).unwrap());
    let mut wakers: Vec<_> = (0..200).map(|i| new_waker(Token(i))).collect();
    for dropped in [0, 100, 197] {
        wakers.iter().for_each(|(_, waker)| waker.wake().unwrap());
        drop(wakers.remove(dropped));
        let mut expected: Vec<_> = wakers.iter().map(|(token, _)| *token).collect();
        // This waker is not woken, and may use the place of the dropped one.
        wakers.push(new_waker(Token(1000 + dropped)));
        let mut reported = Vec::new();
        while reported.len() < expected.len() {
            reported.extend(next_tokens(&mut poll, &mut events));
        }
        expected.sort();
        reported.sort();
        assert_eq!(reported, expected);
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn ten_thousand_wakers_are_each_reported_once_in_batches_of_16() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    const COUNT: usize = 10_000;
    let wakers: Vec<_> = (0..COUNT).map(|i| Waker::new(poll.registry(), Token(i)).unwrap()).collect();
    for round in 1..=2 {
        wakers.iter().for_each(|waker| waker.wake().unwrap());
        let mut reports = [0; COUNT];
        for polls in 0.. {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            if events.is_empty() {
                break;
            }
            events.iter().for_each(|event| reports[event.token().0] += 1);
            assert!(polls < COUNT / 8, "most batches are small");
        }
        assert!(reports.iter().all(|&count| count == 1), "round {round}");
    }
}

#[test]
fn a_waker_that_is_woken_before_every_poll_does_not_delay_the_others() {
    for capacity in [1, 2, 16] {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(capacity);
        let wakers: Vec<_> = (0..300).map(|i| Waker::new(poll.registry(), Token(i)).unwrap()).collect();
        wakers.iter().for_each(|waker| waker.wake().unwrap());
        let mut reports = [0; 300];
        let mut polls = 0;
        while reports.contains(&0) {
            wakers[7].wake().unwrap();
            let batch = next_tokens(&mut poll, &mut events);
            assert!(batch.iter().filter(|&&token| token == Token(7)).count() <= 1, "one waker twice in a batch");
            batch.iter().for_each(|token| reports[token.0] += 1);
            polls += 1;
            assert!(polls <= 1000, "capacity {capacity}: {reports:?}");
        }
        assert!((0..300).all(|i| i == 7 || reports[i] == 1), "capacity {capacity}: {reports:?}");
    }
}

#[test]
fn waking_a_dropped_poll_does_nothing() {
    let (poll, _) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    waker.wake().unwrap();
    drop(poll);
    waker.wake().unwrap();
    waker.wake().unwrap();
}

#[test]
fn a_waker_can_be_created_while_a_poll_is_blocked() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let polling_thread = thread::spawn(move || next_tokens(&mut poll, &mut events));
    let waker = Waker::new(&registry, WAKER).unwrap();
    waker.wake().unwrap();
    assert_eq!(polling_thread.join().unwrap(), [WAKER]);
}

#[test]
fn the_first_wakers_of_a_poll_can_be_created_by_several_threads_at_the_same_time() {
    const THREADS: usize = 4;
    for _ in 0..100 {
        let (mut poll, mut events) = poll();
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let (start, registry) = (&start, poll.registry().try_clone().unwrap());
                    scope.spawn(move || {
                        start.wait();
                        let waker = Waker::new(&registry, Token(number)).unwrap();
                        waker.wake().unwrap();
                        waker
                    })
                })
                .collect();
            let mut woken = Vec::new();
            while woken.len() < THREADS {
                woken.extend(next_tokens(&mut poll, &mut events));
            }
            woken.sort();
            assert_eq!(woken, [0, 1, 2, 3].map(Token));
            threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
        });
    }
}

#[test]
fn every_wake_of_many_threads_is_reported() {
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
fn no_wake_is_lost_between_blocking_and_non_blocking_polls() {
    let (mut poll, mut events, waker) = poll_and_waker();
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
    // The last wake may not be reported yet.
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    if !events.is_empty() {
        taken += pending.swap(0, Ordering::Relaxed);
    }
    assert_eq!(taken, woken);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn the_debug_output_of_a_waker_contains_its_token() {
    let (poll, _) = poll();
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    assert_eq!(format!("{waker:?}"), "Waker { token: Token(1) }");
}
