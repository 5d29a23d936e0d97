//! A poll, its wakers and its timers, dropped in any order. Loom also detects leaks.

use super::*;

#[test]
fn a_poll_is_dropped_during_a_wake() {
    with_loop(ALL, |l| {
        let waker = l.waker(0);
        let thread = thread::spawn(move || waker.wake().unwrap());
        drop(l);
        thread.join().unwrap();
    });
}

#[test]
fn a_poll_is_dropped_after_an_event_during_a_wake() {
    with_loop(TWO, |mut l| {
        let wakers = [l.waker(0), l.waker(1)];
        let threads = wakers.map(|waker| thread::spawn(move || waker.wake().unwrap()));
        l.poll(BRIEFLY);
        drop(l);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_poll_is_dropped_while_a_timer_is_set() {
    with_loop(ALL, |l| {
        let timer = l.timer(5);
        let thread = thread::spawn(move || timer.set(Duration::ZERO).unwrap());
        drop(l);
        thread.join().unwrap();
    });
}

#[test]
fn a_poll_is_dropped_while_a_timer_is_registered() {
    with_loop(ALL, |l| {
        let registry = l.poll.registry().try_clone().unwrap();
        let thread = thread::spawn(move || {
            let mut timer = Timer::new();
            timer.set(Duration::ZERO).unwrap();
            registry.register(&mut timer, Token(5), Interest::READABLE).unwrap();
        });
        drop(l);
        thread.join().unwrap();
    });
}

#[test]
fn a_waker_is_created_while_the_poll_waits() {
    with_loop(ALL, |mut l| {
        let registry = l.poll.registry().try_clone().unwrap();
        let cell = PlainCell::default();
        let thread = thread::spawn({
            let cell = cell.clone();
            move || {
                let waker = Waker::new(&registry, Token(3)).unwrap();
                cell.write();
                waker.wake().unwrap();
                (waker, registry)
            }
        });
        assert_eq!(l.poll(NO_LIMIT), [3]);
        assert!(cell.is_written());
        let _alive = thread.join().unwrap();
    });
}

/// The poll and its registries alone own the queue. A wake during the drop of the poll neither keeps the queue, nor is
/// it the wake that closes the queue, which a signal handler must not do.
#[test]
fn a_poll_that_is_dropped_during_wakes_closes_its_queue() {
    with_loop(TWO, |mut l| {
        let wakers = [l.waker(0), l.waker(1)];
        let timer = l.timer(5);
        let threads = wakers.map(|waker| {
            thread::spawn(move || {
                waker.wake().unwrap();
                waker
            })
        });
        l.poll(BRIEFLY);
        let kernel = Arc::downgrade(&l.kernel);
        drop(l);
        assert_eq!(kernel.strong_count(), 0);
        let _alive = threads.map(|thread| thread.join().unwrap());
        drop(timer);
    });
}

#[test]
fn a_wake_after_the_poll_was_dropped_does_not_make_the_descriptor_of_a_registry_readable() {
    with_loop(ALL, |l| {
        let waker = l.waker(0);
        let timer = l.timer(5);
        l.poll.registry().shared.expose_descriptor();
        let registry = l.poll.registry().try_clone().unwrap();
        let before = l.kernel.notifications();
        let kernel = Arc::clone(&l.kernel);
        drop(l);
        waker.wake().unwrap();
        timer.set(Duration::ZERO).unwrap();
        assert_eq!(kernel.notifications(), before);
        drop(registry);
    });
}

/// A poll may report the timer before its registration fails, but not after.
#[test]
fn a_timer_whose_registration_fails_is_not_registered() {
    with_loop(FOUR, |mut l| {
        let waker = l.waker(0);
        let registry = l.poll.registry().try_clone().unwrap();
        l.kernel.fail_notifications(1);
        let thread = thread::spawn(move || {
            let mut timer = Timer::new();
            timer.set(Duration::ZERO).unwrap();
            let registered = registry.register(&mut timer, Token(5), Interest::READABLE).is_ok();
            while waker.wake().is_err() {}
            (registered, timer, waker)
        });
        let mut tokens = Vec::new();
        while !tokens.contains(&0) {
            tokens.extend(l.poll(NO_LIMIT));
        }
        let (registered, mut timer, _waker) = thread.join().unwrap();
        tokens.extend(l.poll(NON_BLOCKING));
        assert!(tokens.contains(&5) || !registered);
        timer.set(Duration::ZERO).unwrap();
        assert_eq!(l.poll(NON_BLOCKING).contains(&5), registered);
        assert_eq!(l.poll.registry().deregister(&mut timer).is_ok(), registered);
    });
}
