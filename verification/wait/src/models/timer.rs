//! Timers that other threads set, and what ends its life while a poll runs.

use super::*;
use loom::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

/// A deadline that no execution lives to see.
fn far() -> Duration {
    Duration::from_secs(24 * 60 * 60)
}

#[test]
fn a_deadline_that_has_passed_ends_a_wait_for_ever() {
    explore(ALL, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        let timer = l.timer(5);
        let thread = thread::spawn(move || {
            timer.set_at(due).unwrap();
            timer
        });
        assert_eq!(l.poll(FOR_EVER), [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(LOOK), []);
    });
}

#[test]
fn an_earlier_deadline_ends_a_wait_for_a_later_one() {
    explore(ALL, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        let (later, timer) = (l.timer(6), l.timer(5));
        later.set(far()).unwrap();
        let thread = thread::spawn(move || {
            timer.set_at(due).unwrap();
            timer
        });
        assert_eq!(l.poll(FOR_EVER), [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(LOOK), []);
    });
}

#[test]
fn a_timer_set_twice_expires_once() {
    explore(ALL, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        let timer = l.timer(5);
        let thread = thread::spawn(move || {
            timer.set(far()).unwrap();
            timer.set_at(due).unwrap();
            timer
        });
        assert_eq!(l.poll(FOR_EVER), [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(LOOK), []);
    });
}

#[test]
fn a_timer_that_is_due_is_registered_while_a_poll_waits() {
    explore(ALL, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        let registry = l.poll.registry().try_clone().unwrap();
        let thread = thread::spawn(move || {
            let mut timer = Timer::new();
            timer.set_at(due).unwrap();
            registry.register(&mut timer, Token(5), Interest::READABLE).unwrap();
            (timer, registry)
        });
        assert_eq!(l.poll(FOR_EVER), [5]);
        let _alive = thread.join().unwrap();
    });
}

#[test]
fn polls_that_only_look_see_a_deadline_in_the_end_and_nobody_kicks() {
    explore(ALL, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        let timer = l.timer(5);
        let thread = thread::spawn(move || {
            timer.set_at(due).unwrap();
            timer
        });
        let mut tokens = l.poll(LOOK);
        while tokens.is_empty() {
            thread::yield_now();
            tokens = l.poll(LOOK);
        }
        assert_eq!(tokens, [5]);
        let _timer = thread.join().unwrap();
        assert_eq!(l.poll(LOOK), []);
        assert_eq!(l.kernel.kicks(), 0);
    });
}

#[test]
fn two_threads_set_a_timer_each() {
    explore(MOST, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        let timers = [l.timer(0), l.timer(1)];
        let threads = timers.map(|timer| {
            thread::spawn(move || {
                timer.set_at(due).unwrap();
                timer
            })
        });
        let mut tokens = l.poll(FOR_EVER);
        while tokens.len() < 2 {
            tokens.extend(l.poll(FOR_EVER));
        }
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 1]);
        let _timers = threads.map(|thread| thread.join().unwrap());
    });
}

#[test]
fn one_thread_wakes_and_another_sets_a_timer() {
    explore(MOST, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        let timer = l.timer(5);
        let mut senders = Senders::<1>::new(&l);
        let thread = thread::spawn(move || {
            timer.set_at(due).unwrap();
            timer
        });
        let mut expired = 0;
        while !(senders.all_seen() && expired == 1) {
            let tokens = l.poll(FOR_EVER);
            expired += tokens.iter().filter(|&&token| token == 5).count();
            senders.note(&tokens);
        }
        let _timer = thread.join().unwrap();
        senders.end(&mut l);
    });
}

#[test]
fn a_timer_that_was_due_and_a_wake() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let timer = l.timer(5);
        timer.set(Duration::ZERO).unwrap();
        let mut senders = Senders::<1>::new(&l);
        let mut expired = 0;
        while !(senders.all_seen() && expired == 1) {
            let tokens = l.poll(FOR_EVER);
            expired += tokens.iter().filter(|&&token| token == 5).count();
            senders.note(&tokens);
        }
        senders.end(&mut l);
    });
}

/// Another thread ends what would bring an event. A poll that begins after that does not bring it.
fn silence_after<T: 'static>(preemptions: Option<usize>, begin: fn(&Loop) -> T, end: fn(T) -> Option<T>) {
    explore(preemptions, move || {
        let mut l = Loop::new(4);
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
        for timeout in [LOOK, BRIEFLY] {
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
    silence_after(
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
    silence_after(
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
    silence_after(
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
    silence_after(
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
    silence_after(
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
    silence_after(
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
fn a_waker_that_is_dropped_takes_no_other_with_it() {
    explore(MOST, || {
        let mut l = Loop::new(4);
        let doomed = l.waker(9);
        let mut senders = Senders::<1>::new(&l);
        let thread = thread::spawn(move || {
            doomed.wake().unwrap();
            drop(doomed);
        });
        while !senders.all_seen() {
            let tokens = l.poll(FOR_EVER);
            senders.note(&tokens);
        }
        thread.join().unwrap();
        senders.end(&mut l);
    });
}
