//! Notifications that fail, and waits that end with an error.

use super::*;

#[test]
fn the_wake_after_a_failed_notification_brings_both_events() {
    with_loop(FOUR, |mut l| {
        l.kernel.fail_notifications(1);
        let wakers = [l.waker(0), l.waker(1)];
        let thread = thread::spawn(move || {
            let _may_fail = wakers[0].wake();
            // If the first wake needed no notification, this one's notification is the first that fails.
            while wakers[1].wake().is_err() {}
            wakers
        });
        let mut tokens = l.poll(NO_LIMIT);
        while !tokens.contains(&1) {
            tokens.extend(l.poll(NO_LIMIT));
        }
        let _wakers = thread.join().unwrap();
        tokens.extend(l.poll(NON_BLOCKING));
        tokens.dedup();
        assert_eq!(tokens, [0, 1]);
    });
}

#[test]
fn a_waker_tries_again_after_its_notification_failed() {
    with_loop(ALL, |mut l| {
        l.kernel.fail_notifications(2);
        let waker = l.waker(0);
        let thread = thread::spawn(move || {
            while waker.wake().is_err() {}
            waker
        });
        assert_eq!(l.poll(NO_LIMIT), [0]);
        thread.join().unwrap();
    });
}

/// A notification fails for one of two threads. The thread that gets the error tries again, and both wakes are
/// reported.
#[test]
fn one_of_two_notifications_fails_and_is_tried_again() {
    with_loop(TWO, |mut l| {
        l.kernel.fail_notifications(1);
        let threads = [0, 1].map(|token| {
            let waker = l.waker(token);
            thread::spawn(move || {
                while waker.wake().is_err() {}
                waker
            })
        });
        let mut seen = [false; 2];
        while seen != [true; 2] {
            for token in l.poll(NO_LIMIT) {
                seen[token] = true;
            }
        }
        let _wakers = threads.map(|thread| thread.join().unwrap());
    });
}

/// A notification fails for one of two threads, and neither tries again. A third wake follows, and all wakes are
/// reported.
#[test]
fn one_of_two_notifications_fails_and_a_later_wake_brings_all_events() {
    with_loop(TWO, |mut l| {
        l.kernel.fail_notifications(1);
        let wakers = [l.waker(0), l.waker(1), l.waker(2)];
        let thread = thread::spawn(move || {
            let [first, second, third] = wakers;
            let other = thread::spawn(move || {
                let _may_fail = second.wake();
                second
            });
            let _may_fail = first.wake();
            let second = other.join().unwrap();
            while third.wake().is_err() {}
            (first, second, third)
        });
        let mut seen = [false; 3];
        while seen != [true; 3] {
            for token in l.poll(NO_LIMIT) {
                seen[token] = true;
            }
        }
        let _wakers = thread.join().unwrap();
    });
}

#[test]
fn a_wake_whose_notification_failed_is_reported_when_the_wait_ends_for_another_reason() {
    with_loop(ALL, |mut l| {
        l.kernel.fail_notifications(usize::MAX);
        let waker = l.waker(0);
        let thread = thread::spawn(move || {
            let _may_fail = waker.wake();
            waker
        });
        let mut tokens = l.poll(BRIEFLY);
        tokens.extend(l.poll(NON_BLOCKING));
        let _waker = thread.join().unwrap();
        tokens.extend(l.poll(BRIEFLY));
        assert_eq!(tokens, [0]);
    });
}

#[test]
fn a_timer_is_set_although_the_notification_failed() {
    with_loop(ALL, |mut l| {
        let due = Instant::now();
        l.kernel.fail_notifications(1);
        let (timer, waker) = (l.timer(5), l.waker(0));
        let thread = thread::spawn(move || {
            let failed = timer.set_at(due).is_err();
            // The notification of this wake does not fail.
            failed.then(|| waker.wake().unwrap());
            (timer, waker)
        });
        let mut tokens = l.poll(NO_LIMIT);
        while !tokens.contains(&5) {
            tokens = l.poll(NO_LIMIT);
        }
        let _alive = thread.join().unwrap();
    });
}

#[test]
fn a_timer_set_after_a_failed_notification_ends_the_wait() {
    with_loop(FOUR, |mut l| {
        let due = Instant::now();
        l.kernel.fail_notifications(1);
        let (timer, waker) = (l.timer(5), l.waker(0));
        let thread = thread::spawn(move || {
            let _may_fail = waker.wake();
            // If the wake needed no notification, the timer's notification is the first that fails.
            while timer.set_at(due).is_err() {}
            (timer, waker)
        });
        let mut tokens = l.poll(NO_LIMIT);
        while !tokens.contains(&5) {
            tokens.extend(l.poll(NO_LIMIT));
        }
        let _alive = thread.join().unwrap();
        tokens.extend(l.poll(NON_BLOCKING));
        tokens.sort_unstable();
        // A timer that was set twice may have expired twice.
        tokens.dedup();
        assert_eq!(tokens, [0, 5]);
    });
}

/// The wait fails at once, whatever is ready. The next wait reports the wake.
fn after_an_error(preemptions: Option<usize>, first: Option<Duration>) {
    with_loop(preemptions, move |mut l| {
        l.kernel.fail_waits(1);
        let mut waking = WakingThreads::<1>::new(&l);
        let tokens = match l.try_poll(first) {
            Err(err) => {
                assert_eq!(err.kind(), io::ErrorKind::Interrupted);
                vec![]
            }
            // The waker was reported before the wait, so the error of the wait is not returned.
            Ok(tokens) => tokens,
        };
        waking.check_batch(&tokens);
        while !waking.all_seen() {
            waking.check_batch(&l.poll(NO_LIMIT));
        }
        waking.end(&mut l);
    });
}

#[test]
fn a_wake_survives_an_interrupted_wait() {
    after_an_error(ALL, NO_LIMIT);
}

#[test]
fn a_wake_survives_an_interrupted_non_blocking_poll() {
    after_an_error(ALL, NON_BLOCKING);
}

#[test]
fn a_wake_survives_an_interrupted_short_wait() {
    after_an_error(ALL, BRIEFLY);
}

/// If the state stayed interrupted, later polls would not block.
#[test]
fn a_wait_that_fails_while_a_timer_interrupts_it_leaves_running() {
    with_loop(THREE, |mut l| {
        l.kernel.fail_waits(1);
        let (timer, waker) = (l.timer(5), l.waker(0));
        let thread = thread::spawn(move || {
            timer.set(Duration::from_secs(24 * 60 * 60)).unwrap();
            waker.wake().unwrap();
            (timer, waker)
        });
        assert_eq!(l.poll_uninterrupted(NO_LIMIT), [0]);
        assert!(l.kernel.waits() <= 3, "the polls do not block");
        thread.join().unwrap();
    });
}

#[test]
fn two_wakes_survive_an_interrupted_wait() {
    with_loop(TWO, |mut l| {
        l.kernel.fail_waits(1);
        let mut waking = WakingThreads::<2>::new(&l);
        while !waking.all_seen() {
            let tokens = l.poll_uninterrupted(NO_LIMIT);
            waking.check_batch(&tokens);
        }
        waking.end(&mut l);
    });
}

#[test]
fn a_wake_survives_a_signal() {
    with_loop(ALL, |mut l| {
        let mut waking = WakingThreads::<1>::new(&l);
        let kernel = Arc::clone(&l.kernel);
        let signal = thread::spawn(move || kernel.signal());
        waking.check_batch(&l.poll_uninterrupted(NO_LIMIT));
        signal.join().unwrap();
        waking.end(&mut l);
    });
}

#[test]
fn a_due_timer_is_reported_before_the_error() {
    with_loop(THREE, |mut l| {
        let timer = l.timer(5);
        timer.set(Duration::ZERO).unwrap();
        l.kernel.fail_waits(1);
        let mut waking = WakingThreads::<1>::new(&l);
        let mut tokens = l.poll(NO_LIMIT);
        assert!(tokens.contains(&5));
        waking.check_batch(&tokens);
        while !waking.all_seen() {
            tokens = l.poll_uninterrupted(NO_LIMIT);
            waking.check_batch(&tokens);
        }
        waking.end(&mut l);
    });
}

#[test]
fn an_error_that_persists_is_returned_although_a_timer_is_always_due() {
    with_loop(ALL, |mut l| {
        let timer = l.timer(5);
        l.kernel.fail_waits(usize::MAX);
        for _ in 0..2 {
            timer.set(Duration::ZERO).unwrap();
            assert_eq!(l.poll(NO_LIMIT), [5]);
            timer.set(Duration::ZERO).unwrap();
            assert!(l.try_poll(NO_LIMIT).is_err());
        }
        l.kernel.fail_waits(0);
        assert_eq!(l.poll(NO_LIMIT), [5]);
    });
}

#[test]
fn an_error_that_persists_is_returned_although_a_waker_is_always_woken() {
    with_loop(ALL, |mut l| {
        let waker = l.waker(0);
        l.kernel.fail_waits(usize::MAX);
        for _ in 0..2 {
            waker.wake().unwrap();
            assert_eq!(l.poll(NO_LIMIT), [0]);
            waker.wake().unwrap();
            assert!(l.try_poll(NO_LIMIT).is_err());
        }
        l.kernel.fail_waits(0);
        assert_eq!(l.poll(NO_LIMIT), [0]);
    });
}

/// The round after a failed wait first waits without blocking, which may consume the notification of a wake.
#[test]
fn a_wake_after_a_failed_wait_beside_a_due_timer_is_reported() {
    with_loop(ALL, |mut l| {
        let timer = l.timer(5);
        timer.set(Duration::ZERO).unwrap();
        l.kernel.fail_waits(1);
        assert_eq!(l.poll(NO_LIMIT), [5]);
        timer.set(Duration::from_secs(24 * 60 * 60)).unwrap();
        let mut waking = WakingThreads::<1>::new(&l);
        waking.check_batch(&l.poll(NO_LIMIT));
        waking.end(&mut l);
    });
}

#[test]
fn a_wake_survives_a_wait_that_unwinds() {
    with_loop(ALL, |mut l| {
        l.kernel.unwind_from_wait();
        let mut waking = WakingThreads::<1>::new(&l);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| l.poll(NO_LIMIT)));
        assert!(unwound.is_err());
        // Events that were reported before the wait are in the list.
        waking.check_batch(&l.tokens());
        if !waking.all_seen() {
            waking.check_batch(&l.poll(NO_LIMIT));
        }
        waking.end(&mut l);
    });
}
