//! Kicks that fail, and waits that end with an error.

use super::*;

#[test]
fn the_wake_after_a_failed_kick_brings_both_events() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(1);
        let wakers = [l.waker(0), l.waker(1)];
        let thread = thread::spawn(move || {
            let _may_fail = wakers[0].wake();
            // If the first one needed no kick, this one's is the first that fails.
            while wakers[1].wake().is_err() {}
            wakers
        });
        let mut tokens = l.poll(FOR_EVER);
        while !tokens.contains(&1) {
            tokens.extend(l.poll(FOR_EVER));
        }
        let _wakers = thread.join().unwrap();
        tokens.extend(l.poll(LOOK));
        tokens.dedup();
        assert_eq!(tokens, [0, 1]);
    });
}

#[test]
fn a_waker_tries_again_after_its_kick_has_failed() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(2);
        let waker = l.waker(0);
        let thread = thread::spawn(move || {
            while waker.wake().is_err() {}
            waker
        });
        assert_eq!(l.poll(FOR_EVER), [0]);
        thread.join().unwrap();
    });
}

/// A kick fails for one of two threads. Whoever is told tries again, and that brings both.
#[test]
fn one_of_two_kicks_fails_and_is_tried_again() {
    explore(MOST, || {
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(1);
        let threads = [0, 1].map(|token| {
            let waker = l.waker(token);
            thread::spawn(move || {
                while waker.wake().is_err() {}
                waker
            })
        });
        let mut seen = [false; 2];
        while seen != [true; 2] {
            for token in l.poll(FOR_EVER) {
                seen[token] = true;
            }
        }
        let _wakers = threads.map(|thread| thread.join().unwrap());
    });
}

/// A kick fails for one of two threads, and neither tries again; a third wake comes after both, and brings everything.
#[test]
fn one_of_two_kicks_fails_and_a_later_wake_brings_all() {
    explore(FEWER, || {
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(1);
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
            for token in l.poll(FOR_EVER) {
                seen[token] = true;
            }
        }
        let _wakers = thread.join().unwrap();
    });
}

#[test]
fn a_wake_whose_kick_failed_comes_with_whatever_else_ends_the_wait() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(usize::MAX);
        let waker = l.waker(0);
        let thread = thread::spawn(move || {
            let _may_fail = waker.wake();
            waker
        });
        let mut tokens = l.poll(BRIEFLY);
        tokens.extend(l.poll(LOOK));
        let _waker = thread.join().unwrap();
        tokens.extend(l.poll(BRIEFLY));
        assert_eq!(tokens, [0]);
    });
}

#[test]
fn a_timer_is_set_although_the_kick_failed() {
    explore(ALL, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(1);
        let (timer, waker) = (l.timer(5), l.waker(0));
        let thread = thread::spawn(move || {
            let failed = timer.set_at(due).is_err();
            // The kick of this one does not fail.
            failed.then(|| waker.wake().unwrap());
            (timer, waker)
        });
        let mut tokens = l.poll(FOR_EVER);
        while !tokens.contains(&5) {
            tokens = l.poll(FOR_EVER);
        }
        let _alive = thread.join().unwrap();
    });
}

#[test]
fn a_timer_set_after_a_failed_kick_ends_the_wait() {
    explore(ALL, || {
        let due = Instant::now();
        let mut l = Loop::new(4);
        l.kernel.fail_kicks(1);
        let (timer, waker) = (l.timer(5), l.waker(0));
        let thread = thread::spawn(move || {
            let _may_fail = waker.wake();
            // If the wake needed no kick, the timer's is the first that fails.
            while timer.set_at(due).is_err() {}
            (timer, waker)
        });
        let mut tokens = l.poll(FOR_EVER);
        while !tokens.contains(&5) {
            tokens.extend(l.poll(FOR_EVER));
        }
        let _alive = thread.join().unwrap();
        tokens.extend(l.poll(LOOK));
        tokens.sort_unstable();
        // A timer that was set twice may have been due twice.
        tokens.dedup();
        assert_eq!(tokens, [0, 5]);
    });
}

/// A wait that fails at once, whatever else is ready. The wake is there for the next one.
fn after_an_error(preemptions: Option<usize>, first: Option<Duration>) {
    explore(preemptions, move || {
        let mut l = Loop::new(4);
        l.kernel.fail_waits(1);
        let mut senders = Senders::<1>::new(&l);
        let tokens = match l.try_poll(first) {
            Err(err) => {
                assert_eq!(err.kind(), io::ErrorKind::Interrupted);
                vec![]
            }
            // It was reported before the kernel was asked, which then does not count.
            Ok(tokens) => tokens,
        };
        senders.note(&tokens);
        while !senders.all_seen() {
            senders.note(&l.poll(FOR_EVER));
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_wake_survives_an_interrupted_wait() {
    after_an_error(ALL, FOR_EVER);
}

#[test]
fn a_wake_survives_an_interrupted_look() {
    after_an_error(ALL, LOOK);
}

#[test]
fn a_wake_survives_an_interrupted_short_wait() {
    after_an_error(ALL, BRIEFLY);
}

#[test]
fn two_wakes_survive_an_interrupted_wait() {
    explore(MOST, || {
        let mut l = Loop::new(4);
        l.kernel.fail_waits(1);
        let mut senders = Senders::<2>::new(&l);
        while !senders.all_seen() {
            let tokens = l.poll_again(FOR_EVER);
            senders.note(&tokens);
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_wake_survives_a_signal() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<1>::new(&l);
        let kernel = Arc::clone(&l.kernel);
        let signal = thread::spawn(move || kernel.signal());
        senders.note(&l.poll_again(FOR_EVER));
        signal.join().unwrap();
        senders.end(&mut l);
    });
}

#[test]
fn a_timer_that_is_due_goes_before_the_error() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let timer = l.timer(5);
        timer.set(Duration::ZERO).unwrap();
        l.kernel.fail_waits(1);
        let mut senders = Senders::<1>::new(&l);
        let mut tokens = l.poll(FOR_EVER);
        assert!(tokens.contains(&5));
        senders.note(&tokens);
        while !senders.all_seen() {
            tokens = l.poll_again(FOR_EVER);
            senders.note(&tokens);
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_wake_survives_a_wait_that_unwinds() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        l.kernel.unwind_from_wait();
        let mut senders = Senders::<1>::new(&l);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| l.poll(FOR_EVER)));
        assert!(unwound.is_err());
        // What was reported before the kernel was asked stands in the buffer.
        senders.note(&l.tokens());
        if !senders.all_seen() {
            senders.note(&l.poll(FOR_EVER));
        }
        senders.end(&mut l);
    });
}
