//! Timers that other threads set, and timers and wakers that end while a poll runs.

use super::*;
use loom::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

/// The time until a deadline that no execution reaches.
fn far() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

#[test]
fn a_past_deadline_ends_a_wait_without_timeout() {
    with_loop(ALL, |mut l| {
        let due = Instant::now();
        let timer = l.timer(5);
        let thread = set_in_thread(timer, due);
        assert_eq!(l.poll(NO_LIMIT), [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(NON_BLOCKING), []);
    });
}

#[test]
fn an_earlier_deadline_ends_a_wait_for_a_later_one() {
    with_loop(ALL, |mut l| {
        let due = Instant::now();
        let (later, timer) = (l.timer(6), l.timer(5));
        later.set(far()).unwrap();
        let thread = set_in_thread(timer, due);
        assert_eq!(l.poll(NO_LIMIT), [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(NON_BLOCKING), []);
    });
}

#[test]
fn a_timer_set_twice_expires_once() {
    with_loop(ALL, |mut l| {
        let due = Instant::now();
        let timer = l.timer(5);
        let thread = thread::spawn(move || {
            timer.set(far()).unwrap();
            timer.set_at(due).unwrap();
            timer
        });
        assert_eq!(l.poll(NO_LIMIT), [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(NON_BLOCKING), []);
    });
}

#[test]
fn a_due_timer_is_registered_while_a_poll_waits() {
    with_loop(ALL, |mut l| {
        let due = Instant::now();
        let registry = l.poll.registry().try_clone().unwrap();
        let thread = thread::spawn(move || {
            let mut timer = Timer::new();
            timer.set_at(due).unwrap();
            registry.register(&mut timer, Token(5), Interest::READABLE).unwrap();
            (timer, registry)
        });
        assert_eq!(l.poll(NO_LIMIT), [5]);
        let _alive = thread.join().unwrap();
    });
}

#[test]
fn non_blocking_polls_see_a_deadline_without_a_notification() {
    with_loop(ALL, |mut l| {
        let due = Instant::now();
        let timer = l.timer(5);
        let thread = set_in_thread(timer, due);
        let mut tokens = l.poll(NON_BLOCKING);
        while tokens.is_empty() {
            thread::yield_now();
            tokens = l.poll(NON_BLOCKING);
        }
        assert_eq!(tokens, [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(NON_BLOCKING), []);
        assert_eq!(l.kernel.notifications(), 0);
    });
}

#[test]
fn two_threads_set_a_timer_each() {
    with_loop(FOUR, |mut l| {
        let due = Instant::now();
        let timers = [l.timer(0), l.timer(1)];
        let threads = timers.map(|timer| set_in_thread(timer, due));
        let mut tokens = l.poll(NO_LIMIT);
        while tokens.len() < 2 {
            tokens.extend(l.poll(NO_LIMIT));
        }
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 1]);
        let _timers = threads.map(|thread| thread.join().unwrap());
    });
}

#[test]
fn one_thread_wakes_and_another_sets_a_timer() {
    with_loop(TWO, |mut l| {
        let due = Instant::now();
        let timer = l.timer(5);
        let mut waking = WakingThreads::<1>::new(&l);
        let thread = set_in_thread(timer, due);
        let mut expired = 0;
        while !(waking.all_seen() && expired == 1) {
            let tokens = l.poll(NO_LIMIT);
            expired += tokens.iter().filter(|&&token| token == 5).count();
            waking.check_batch(&tokens);
        }
        let _timer = thread.join().unwrap();
        waking.end(&mut l);
    });
}

#[test]
fn a_due_timer_and_a_wake() {
    with_loop(ALL, |mut l| {
        let timer = l.timer(5);
        timer.set(Duration::ZERO).unwrap();
        let mut waking = WakingThreads::<1>::new(&l);
        let mut expired = 0;
        while !(waking.all_seen() && expired == 1) {
            let tokens = l.poll(NO_LIMIT);
            expired += tokens.iter().filter(|&&token| token == 5).count();
            waking.check_batch(&tokens);
        }
        waking.end(&mut l);
    });
}

/// `end` runs on another thread and cancels, postpones, deregisters or drops a timer or a waker. A poll that starts
/// later reports no event of that timer or waker.
fn no_event_after<T: 'static>(preemptions: Option<usize>, begin: fn(&Loop) -> T, end: fn(T) -> Option<T>) {
    with_loop(preemptions, move |mut l| {
        let source = begin(&l);
        let ended = Rc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let ended = Rc::clone(&ended);
            move || {
                let rest = end(source);
                ended.store(true, Release);
                rest
            }
        });
        let mut events = 0;
        for timeout in [NON_BLOCKING, BRIEFLY] {
            let too_late = ended.load(Acquire);
            let tokens = l.poll(timeout);
            assert!(!too_late || tokens.is_empty(), "an event after the end");
            events += tokens.len();
        }
        assert!(events <= 1);
        let _rest = thread.join().unwrap();
        assert_eq!(l.poll(BRIEFLY), []);
    });
}

#[test]
fn no_event_after_a_timer_was_cancelled() {
    no_event_after(
        ALL,
        |l| {
            let timer = l.timer(5);
            timer.set(Duration::ZERO).unwrap();
            timer
        },
        |timer| {
            timer.cancel();
            Some(timer)
        },
    );
}

#[test]
fn no_event_after_a_timer_was_set_to_later() {
    no_event_after(
        ALL,
        |l| {
            let timer = l.timer(5);
            timer.set(Duration::ZERO).unwrap();
            timer
        },
        |timer| {
            timer.set(far()).unwrap();
            Some(timer)
        },
    );
}

#[test]
fn no_event_after_a_timer_was_dropped() {
    no_event_after(
        ALL,
        |l| {
            let timer = l.timer(5);
            timer.set(Duration::ZERO).unwrap();
            timer
        },
        |timer| {
            drop(timer);
            None
        },
    );
}

#[test]
fn no_event_after_a_timer_was_deregistered() {
    no_event_after(
        ALL,
        |l| {
            let timer = l.timer(5);
            timer.set(Duration::ZERO).unwrap();
            (timer, l.poll.registry().try_clone().unwrap())
        },
        |(mut timer, registry)| {
            registry.deregister(&mut timer).unwrap();
            Some((timer, registry))
        },
    );
}

#[test]
fn no_event_after_a_waker_was_dropped() {
    no_event_after(
        ALL,
        |l| {
            let waker = l.waker(5);
            waker.wake().unwrap();
            waker
        },
        |waker| {
            drop(waker);
            None
        },
    );
}

#[test]
fn no_event_after_a_waker_was_woken_and_dropped() {
    no_event_after(
        ALL,
        |l| l.waker(5),
        |waker| {
            waker.wake().unwrap();
            drop(waker);
            None
        },
    );
}

#[test]
fn dropping_a_waker_keeps_the_other_wakers() {
    with_loop(TWO, |mut l| {
        let dropped = l.waker(9);
        let mut waking = WakingThreads::<1>::new(&l);
        let thread = thread::spawn(move || {
            dropped.wake().unwrap();
            drop(dropped);
        });
        while !waking.all_seen() {
            let tokens = l.poll(NO_LIMIT);
            waking.check_batch(&tokens);
        }
        thread.join().unwrap();
        waking.end(&mut l);
    });
}

#[test]
fn several_earlier_deadlines_cost_one_notification_for_each_wait() {
    with_loop(FOUR, |mut l| {
        let (timer, waker) = (l.timer(5), l.waker(0));
        let thread = thread::spawn(move || {
            let day = Duration::from_secs(24 * 60 * 60);
            for days in [4, 3, 2] {
                timer.set(days * day).unwrap();
            }
            waker.wake().unwrap();
            (timer, waker)
        });
        assert_eq!(l.poll(NO_LIMIT), [0]);
        thread.join().unwrap();
        // The wake may notify the kernel once more.
        assert!(l.kernel.notifications() <= l.kernel.waits() + 1);
    });
}

/// One thread cancels the only timer while another sets one: the flag in the word follows the timers.
#[test]
fn a_timer_is_cancelled_while_another_is_set() {
    with_loop(THREE, |mut l| {
        let (a, b) = (l.timer(5), l.timer(6));
        b.set(Duration::from_secs(24 * 60 * 60)).unwrap();
        let due = Instant::now();
        let t1 = thread::spawn(move || {
            b.cancel();
            b.set(Duration::from_secs(24 * 60 * 60)).unwrap();
            b.cancel();
            b
        });
        let t2 = set_in_thread(a, due);
        assert_eq!(l.poll(NO_LIMIT), [5]);
        let _x = (t1.join().unwrap(), t2.join().unwrap());
        assert_eq!(l.poll(NON_BLOCKING), []);
        assert!(l.poll.next_deadline().is_none());
    });
}
