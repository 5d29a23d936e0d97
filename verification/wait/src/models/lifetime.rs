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
    with_loop(FOUR, |mut l| {
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
