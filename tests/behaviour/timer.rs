//! Timers: none is early, none is lost, and they are reported in the order of their deadlines.

use std::io::{ErrorKind, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Events, Interest, Poll, Timer, Token};

use crate::support::*;

const TIMER: Token = Token(1);
const MS: Duration = Duration::from_millis(1);

fn registered_timer(poll: &Poll, token: Token) -> Timer {
    let mut timer = Timer::new();
    poll.registry().register(&mut timer, token, Interest::READABLE).unwrap();
    timer
}

fn poll_and_timer() -> (Poll, Events, Timer) {
    let (poll, events) = poll();
    let timer = registered_timer(&poll, TIMER);
    (poll, events, timer)
}

#[test]
fn a_timer_is_never_early() {
    let (mut poll, mut events, timer) = poll_and_timer();
    for micros in [0, 1, 50, 333, 1000, 1001, 7777] {
        let delay = Duration::from_micros(micros);
        let start = Instant::now();
        timer.set(delay).unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
        assert!(start.elapsed() >= delay, "{delay:?} took {:?}", start.elapsed());
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_timer_ends_a_wait_without_a_timeout() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set(5 * MS).unwrap();
    poll.poll(&mut events, None).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [TIMER]);
}

#[test]
fn a_timer_that_is_not_set_is_not_reported() {
    let (mut poll, mut events) = poll();
    let _timer = registered_timer(&poll, TIMER);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn an_expired_timer_is_reported_by_a_poll_with_a_timeout_of_zero() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set_at(Instant::now()).unwrap();
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.len(), 1);
    timer.set(Duration::from_secs(3600)).unwrap();
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
}

#[test]
fn a_poll_returns_at_its_timeout_if_the_timer_expires_later() {
    let (mut poll, mut events, timer) = poll_and_timer();
    let start = Instant::now();
    timer.set(3 * SHORT_WAIT).unwrap();
    poll.poll(&mut events, Some(MS)).unwrap();
    let (was_empty, took) = (events.is_empty(), start.elapsed());
    assert!(was_empty || took >= 3 * SHORT_WAIT);
    assert!(took >= MS);
    if was_empty {
        assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
    }
}

#[test]
fn timers_with_equal_deadlines_are_reported_in_the_order_in_which_they_were_set() {
    let (mut poll, mut events) = poll();
    let timers: Vec<Timer> = (0..12).map(|i| registered_timer(&poll, Token(i))).collect();
    for deadline in [Instant::now(), Instant::now() + MS] {
        // Every timer is set, and then the timers with even numbers again.
        (0..12).chain((0..12).step_by(2)).for_each(|i| timers[i].set_at(deadline).unwrap());
        let mut order = Vec::new();
        while order.len() < timers.len() {
            order.extend(next_tokens(&mut poll, &mut events).iter().map(|token| token.0));
        }
        assert_eq!(order, [1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10]);
    }
}

#[test]
fn timers_are_reported_in_the_order_of_their_deadlines() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(64);
    let base = Instant::now() + 5 * MS;
    // The number 997 is prime, so this is a permutation of 0..997.
    let timers: Vec<_> = (0..997u32).map(|i| (i, (i * 331) % 997)).collect();
    let timers: Vec<Timer> = timers
        .iter()
        .map(|&(_, rank)| {
            let timer = registered_timer(&poll, Token(rank as usize));
            timer.set_at(base + rank * Duration::from_micros(7)).unwrap();
            timer
        })
        .collect();
    let mut order = Vec::new();
    while order.len() < timers.len() {
        order.extend(next_tokens(&mut poll, &mut events).iter().map(|token| token.0));
    }
    assert_eq!(order, (0..997).collect::<Vec<_>>());
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn timers_that_were_not_cancelled_or_dropped_are_reported_in_order() {
    let (mut poll, mut events) = poll();
    let base = Instant::now() + 5 * MS;
    let mut timers: Vec<_> = (0..300u32)
        .map(|i| {
            let timer = registered_timer(&poll, Token(i as usize));
            timer.set_at(base + (i * 7 % 300) * Duration::from_micros(9)).unwrap();
            timer
        })
        .collect();
    // One third is cancelled. Another third is set again: half of it to later deadlines, half to earlier ones. Some of
    // the rest are dropped.
    for (i, timer) in timers.iter().enumerate() {
        match i % 6 {
            0 | 3 => timer.cancel(),
            1 => timer.set_at(base + Duration::from_micros(5000 + i as u64)).unwrap(),
            4 => timer.set_at(base - Duration::from_micros(1000 - i as u64)).unwrap(),
            _ => {}
        }
    }
    let dropped: Vec<usize> = (0..300).filter(|i| i % 6 == 5 && i % 4 == 1).collect();
    for &i in dropped.iter().rev() {
        timers.remove(i);
    }
    let deadline = |i: usize| match i % 6 {
        1 => 5000 + i as i64,
        4 => i as i64 - 1000,
        _ => (i * 7 % 300 * 9) as i64,
    };
    let mut expected: Vec<usize> = (0..300).filter(|i| i % 3 != 0 && !dropped.contains(i)).collect();
    expected.sort_by_key(|&i| deadline(i));
    let mut order = Vec::new();
    while order.len() < expected.len() {
        order.extend(next_tokens(&mut poll, &mut events).iter().map(|token| token.0));
    }
    let deadlines = |order: &[usize]| order.iter().map(|&i| deadline(i)).collect::<Vec<_>>();
    assert_eq!(deadlines(&order), deadlines(&expected));
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn setting_a_timer_replaces_its_deadline_or_period() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set(MS).unwrap();
    let start = Instant::now();
    timer.set(20 * MS).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
    assert!(start.elapsed() >= 20 * MS);
    timer.set(Duration::from_secs(3600)).unwrap();
    timer.set(MS).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
    timer.set_every(MS).unwrap();
    timer.set(MS).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn setting_a_timer_discards_an_expired_deadline_that_was_not_reported() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set(Duration::ZERO).unwrap();
    timer.set(Duration::from_secs(3600)).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_cancelled_timer_is_not_reported() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set(MS).unwrap();
    timer.cancel();
    expect_no_event(&mut poll, &mut events);
    timer.set_every(MS).unwrap();
    timer.cancel();
    timer.cancel();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_periodic_timer_does_not_drift() {
    let (mut poll, mut events, timer) = poll_and_timer();
    let period = 3 * MS;
    let before = Instant::now();
    timer.set_every(period).unwrap();
    let after = Instant::now();
    for tick in 1..=20 {
        assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
        assert!(before.elapsed() >= tick * period, "tick {tick} was early");
        // The next tick is a whole number of periods after the moment when the timer was set.
        let next = poll.next_deadline().unwrap();
        let (longest, shortest) = (next - before, next - after);
        let periods = longest.as_nanos() / period.as_nanos();
        assert!(
            shortest.as_nanos() <= periods * period.as_nanos(),
            "no multiple of {period:?} is between {shortest:?} and {longest:?}"
        );
    }
}

#[test]
fn missed_ticks_are_one_event() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set_every(MS).unwrap();
    let start = Instant::now();
    while start.elapsed() < 10 * MS {
        thread::yield_now();
    }
    let now = Instant::now();
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.len(), 1);
    assert!(poll.next_deadline().unwrap() > now, "the next tick is in the past");
}

#[test]
fn a_timer_can_be_set_before_it_is_registered() {
    let (mut poll, mut events) = poll();
    let mut timer = Timer::new();
    timer.set(MS).unwrap();
    poll.registry().register(&mut timer, TIMER, Interest::READABLE).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
}

#[test]
fn a_deregistered_timer_keeps_its_deadline_until_it_is_registered_again() {
    let (mut first, mut events) = poll();
    let mut timer = registered_timer(&first, TIMER);
    timer.set(MS).unwrap();
    first.registry().deregister(&mut timer).unwrap();
    expect_no_event(&mut first, &mut events);
    let (mut second, _) = poll();
    second.registry().register(&mut timer, Token(2), Interest::READABLE).unwrap();
    assert_eq!(next_tokens(&mut second, &mut events), [Token(2)]);
    second.registry().deregister(&mut timer).unwrap();
    second.registry().register(&mut timer, Token(2), Interest::READABLE).unwrap();
    expect_no_event(&mut second, &mut events);
}

#[test]
fn a_timer_keeps_its_period_after_its_poll_was_dropped() {
    let (first, _) = poll();
    let mut timer = registered_timer(&first, TIMER);
    timer.set_every(MS).unwrap();
    drop(first);
    let (mut second, mut events) = poll();
    second.registry().register(&mut timer, Token(2), Interest::READABLE).unwrap();
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut second, &mut events), [Token(2)]);
    }
}

#[test]
fn a_timer_set_by_another_thread_ends_a_blocked_wait() {
    let (mut poll, mut events, timer) = poll_and_timer();
    let later = registered_timer(&poll, Token(2));
    later.set(Duration::from_secs(3600)).unwrap();
    let (report_sender, report_receiver) = mpsc::channel();
    let polling_thread = thread::spawn(move || {
        for _ in 0..500 {
            poll.poll(&mut events, None).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [TIMER]);
            report_sender.send(()).unwrap();
        }
    });
    for round in 0..500 {
        timer.set(Duration::ZERO).unwrap();
        report_receiver.recv_timeout(WAIT_LIMIT).unwrap_or_else(|_| panic!("deadline {round} was lost"));
    }
    polling_thread.join().unwrap();
}

#[test]
fn a_timer_registered_by_another_thread_ends_a_blocked_wait() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    let (report_sender, report_receiver) = mpsc::channel();
    let polling_thread = thread::spawn(move || {
        for _ in 0..200 {
            poll.poll(&mut events, None).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [TIMER]);
            report_sender.send(()).unwrap();
        }
    });
    let mut timer = Timer::new();
    for round in 0..200 {
        timer.set(Duration::ZERO).unwrap();
        registry.register(&mut timer, TIMER, Interest::READABLE).unwrap();
        report_receiver.recv_timeout(WAIT_LIMIT).unwrap_or_else(|_| panic!("deadline {round} was lost"));
        registry.deregister(&mut timer).unwrap();
    }
    polling_thread.join().unwrap();
}

#[test]
fn a_wait_that_was_interrupted_for_a_cancelled_timer_continues() {
    let (mut poll, mut events, timer) = poll_and_timer();
    let canceller = thread::spawn(move || {
        let end = Instant::now() + SHORT_WAIT / 2;
        while Instant::now() < end {
            timer.set(Duration::from_micros(1)).unwrap();
            timer.cancel();
        }
        timer
    });
    let start = Instant::now();
    loop {
        poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
        if events.is_empty() {
            break;
        }
    }
    assert!(start.elapsed() >= SHORT_WAIT, "a poll without events returned before its timeout");
    drop(canceller.join().unwrap());
}

#[test]
fn dropping_a_timer_discards_its_event() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set(Duration::ZERO).unwrap();
    drop(timer);
    expect_no_event(&mut poll, &mut events);
    assert_eq!(poll.next_deadline(), None);
}

#[test]
fn deregistering_a_timer_discards_its_event() {
    let (mut poll, mut events, mut timer) = poll_and_timer();
    timer.set(Duration::ZERO).unwrap();
    poll.registry().deregister(&mut timer).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn reregistering_a_timer_changes_its_token_but_not_its_deadline() {
    let (mut poll, mut events, mut timer) = poll_and_timer();
    timer.set(MS).unwrap();
    let deadline = poll.next_deadline();
    poll.registry().reregister(&mut timer, Token(2), Interest::READABLE).unwrap();
    assert_eq!(poll.next_deadline(), deadline);
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
}

#[test]
fn the_mode_of_a_timer_makes_no_difference() {
    let (mut poll, mut events) = poll();
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let mut timer = Timer::new();
        poll.registry().register(&mut timer, TIMER, mode(Interest::READABLE)).unwrap();
        for _ in 0..2 {
            timer.set(Duration::ZERO).unwrap();
            assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
            expect_no_event(&mut poll, &mut events);
        }
    }
}

#[test]
fn registering_a_timer_without_readable_is_an_error() {
    let (poll, _) = poll();
    let mut timer = Timer::new();
    let err = poll.registry().register(&mut timer, TIMER, Interest::WRITABLE).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    poll.registry().register(&mut timer, TIMER, Interest::READABLE | Interest::WRITABLE).unwrap();
    let err = poll.registry().reregister(&mut timer, TIMER, Interest::WRITABLE).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    poll.registry().deregister(&mut timer).unwrap();
}

#[test]
fn a_period_of_zero_is_an_error_and_changes_nothing() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set(MS).unwrap();
    assert_eq!(timer.set_every(Duration::ZERO).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(next_tokens(&mut poll, &mut events), [TIMER]);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_deadline_beyond_the_range_of_the_clock_is_never_reached() {
    let (mut poll, mut events) = poll();
    let never = registered_timer(&poll, TIMER);
    let soon = registered_timer(&poll, Token(2));
    never.set(Duration::MAX).unwrap();
    assert_eq!(poll.next_deadline(), None);
    soon.set(MS).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    never.set_every(Duration::MAX).unwrap();
    expect_no_event(&mut poll, &mut events);
    // A deadline in 136 years is not a special case.
    never.set(Duration::from_secs(u32::MAX.into())).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn next_deadline_returns_the_earliest_deadline() {
    let (mut poll, mut events) = poll();
    assert_eq!(poll.next_deadline(), None);
    let far = registered_timer(&poll, TIMER);
    let near = registered_timer(&poll, Token(2));
    let now = Instant::now();
    far.set_at(now + Duration::from_secs(3600)).unwrap();
    assert_eq!(poll.next_deadline(), Some(now + Duration::from_secs(3600)));
    near.set_at(now + MS).unwrap();
    assert_eq!(poll.next_deadline(), Some(now + MS));
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    assert_eq!(poll.next_deadline(), Some(now + Duration::from_secs(3600)));
    far.cancel();
    assert_eq!(poll.next_deadline(), None);
}

#[test]
fn timers_beyond_the_capacity_are_reported_by_later_polls() {
    for capacity in [1, 2, 3] {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(capacity);
        let timers: Vec<_> = (0..5).map(|i| registered_timer(&poll, Token(i))).collect();
        for timer in &timers {
            timer.set(Duration::ZERO).unwrap();
        }
        let mut order = Vec::new();
        while order.len() < 5 {
            order.extend(next_tokens(&mut poll, &mut events));
        }
        assert_eq!(order, (0..5).map(Token).collect::<Vec<_>>(), "capacity {capacity}");
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn sources_are_reported_while_a_timer_is_set() {
    let (mut poll, mut events, timer) = poll_and_timer();
    timer.set(Duration::from_secs(3600)).unwrap();
    let (_stream, mut peer) = registered_stream(&poll, Token(2), Interest::READABLE);
    peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
}

#[test]
fn a_timer_is_reported_only_by_its_own_poll() {
    let (mut first, mut events) = poll();
    let (mut second, mut other_events) = poll();
    let timer = registered_timer(&first, TIMER);
    let other_timer = registered_timer(&second, Token(2));
    timer.set(MS).unwrap();
    other_timer.set(MS).unwrap();
    assert_eq!(next_tokens(&mut first, &mut events), [TIMER]);
    expect_no_event(&mut first, &mut events);
    assert_eq!(next_tokens(&mut second, &mut other_events), [Token(2)]);
}

#[test]
fn the_debug_output_of_a_timer_contains_its_period_and_whether_it_is_registered() {
    let (poll, _) = poll();
    let timer = registered_timer(&poll, TIMER);
    timer.set_every(MS).unwrap();
    let text = format!("{timer:?}");
    assert!(text.contains("period: Some(1ms)") && text.contains("registered: true"), "{text}");
    assert!(format!("{:?}", Timer::default()).contains("registered: false"));
}
