//! Wakers that are found by their hints, because another waker was woken before. In the models, two wakers share a
//! block, and the first and the third block share a bit of the summary.

use super::*;

/// A waker with the token 9, which was woken, and `others` wakers that are not woken. The next wake of another waker
/// sets hints.
fn woken_before(l: &Loop, others: usize) -> Vec<Waker> {
    let wakers: Vec<_> = (0..=others).map(|_| l.waker(9)).collect();
    wakers[0].wake().unwrap();
    wakers
}

/// One thread wakes the waker that was created after `others + 1` others. It is reported once, and its write is
/// published.
fn one_wake(others: usize, create_in_thread: bool) {
    with_loop(THREE, move |mut l| {
        let _others = woken_before(&l, others);
        let registry = l.poll.registry().try_clone().unwrap();
        let waker = (!create_in_thread).then(|| l.waker(0));
        let cell = PlainCell::default();
        let thread = thread::spawn({
            let cell = cell.clone();
            move || {
                let waker = waker.unwrap_or_else(|| Waker::new(&registry, Token(0)).unwrap());
                cell.write();
                waker.wake().unwrap();
                (waker, registry)
            }
        });
        let mut tokens = Vec::new();
        while !tokens.contains(&0) {
            tokens.extend(l.poll(NO_LIMIT));
        }
        assert!(cell.is_written());
        let _alive = thread.join().unwrap();
        tokens.extend(l.poll(NON_BLOCKING));
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 9]);
    });
}

#[test]
fn a_wake_in_the_same_block() {
    one_wake(0, false);
}

#[test]
fn a_wake_in_another_block() {
    one_wake(1, false);
}

#[test]
fn a_wake_in_a_block_with_the_same_bit() {
    one_wake(3, false);
}

#[test]
fn a_waker_is_created_in_the_same_block() {
    one_wake(0, true);
}

#[test]
fn a_waker_is_created_in_a_new_block() {
    one_wake(1, true);
}

#[test]
fn a_waker_is_created_in_a_new_block_with_the_same_bit() {
    one_wake(3, true);
}

/// Two threads wake a waker each, and set hints at the same time.
#[test]
fn two_wakes_beside_a_waker_that_is_pending() {
    with_loop(TWO, |mut l| {
        let _pending = woken_before(&l, 0);
        let mut waking = WakingThreads::<2>::new(&l);
        while !waking.all_seen() {
            let tokens = l.poll(NO_LIMIT);
            waking.check_batch(&tokens);
        }
        waking.end(&mut l);
    });
}

/// The polling thread may look for hints while another thread creates a block and wakes a waker in it. The second wake
/// makes the new waker set hints, even if the polling thread has cleared the wait state after the first.
#[test]
fn a_waker_is_created_in_a_new_block_while_another_is_woken() {
    with_loop(TWO, |mut l| {
        let _others = woken_before(&l, 2);
        let waker = l.waker(1);
        let woken = thread::spawn(move || {
            waker.wake().unwrap();
            waker.wake().unwrap();
            waker
        });
        let registry = l.poll.registry().try_clone().unwrap();
        let created = thread::spawn(move || {
            let waker = Waker::new(&registry, Token(0)).unwrap();
            waker.wake().unwrap();
            (waker, registry)
        });
        let mut tokens = Vec::new();
        while !(tokens.contains(&0) && tokens.contains(&1)) {
            tokens.extend(l.poll(NO_LIMIT));
        }
        let _alive = (woken.join().unwrap(), created.join().unwrap());
        tokens.extend(l.poll(NON_BLOCKING));
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens, [0, 1, 9]);
    });
}

/// Two threads wake one waker, each after a store. One may be stopped between any two steps.
#[test]
fn two_threads_wake_one_waker() {
    with_loop(ONE, |mut l| {
        let _others = woken_before(&l, 0);
        let waker = Rc::new(l.waker(0));
        let stored: [Rc<AtomicBool>; 2] = Default::default();
        let threads = stored.clone().map(|stored| {
            let waker = Rc::clone(&waker);
            thread::spawn(move || {
                stored.store(true, Relaxed);
                waker.wake().unwrap();
            })
        });
        let mut seen = [false; 2];
        while seen != [true; 2] {
            if l.poll(NO_LIMIT).contains(&0) {
                seen = [0, 1].map(|n: usize| stored[n].load(Relaxed));
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A thread drops a waker that was woken, creates one that gets its slot, and wakes that one. Only the event of a
/// living waker is reported.
fn reused(preemptions: Option<usize>, before: usize) {
    with_loop(preemptions, move |mut l| {
        let _others = (before > 0).then(|| woken_before(&l, before - 1));
        let old = l.waker(1);
        old.wake().unwrap();
        let registry = l.poll.registry().try_clone().unwrap();
        let dropped = Rc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let dropped = Rc::clone(&dropped);
            move || {
                drop(old);
                dropped.store(true, Release);
                let new = Waker::new(&registry, Token(2)).unwrap();
                new.wake().unwrap();
                (new, registry)
            }
        });
        let mut tokens = Vec::new();
        while !tokens.contains(&2) {
            let is_dropped = dropped.load(Acquire);
            let batch = l.poll(NO_LIMIT);
            assert!(!(is_dropped && batch.contains(&1)), "the event of a dropped waker");
            tokens.extend(batch);
        }
        let _alive = thread.join().unwrap();
        assert_eq!(tokens.iter().filter(|&&token| token == 2).count(), 1);
        assert_eq!(l.poll(NON_BLOCKING), []);
    });
}

#[test]
fn the_slot_of_a_dropped_waker_is_used_again() {
    reused(THREE, 0);
}

#[test]
fn the_slot_of_a_dropped_waker_is_used_again_beside_another_waker() {
    reused(THREE, 1);
}

/// With a small event list, the reports take several polls. A waker that is woken again meanwhile does not delay the
/// others, is in no batch twice, and its second wake is reported too.
fn woken_again_while_others_wait(capacity: usize) {
    explore(TWO, move || {
        let mut l = Loop::new(capacity);
        let wakers = [l.waker(1), l.waker(2)];
        wakers.iter().for_each(|waker| waker.wake().unwrap());
        let second = SecondWake::new(&l);
        let mut tokens = Vec::new();
        let mut seen = false;
        let polls = PollLimit::default();
        while !(seen && tokens.contains(&1) && tokens.contains(&2)) {
            let batch = l.poll(NO_LIMIT);
            seen |= second.is_reported_by(&batch);
            tokens.extend(batch);
            polls.check(8);
        }
        let _waker = second.join();
    });
}

#[test]
fn a_waker_is_woken_again_while_others_wait_that_takes_a_poll_for_each_waker() {
    woken_again_while_others_wait(1);
}

#[test]
fn a_waker_is_woken_again_while_a_poll_reports_two_wakers() {
    woken_again_while_others_wait(3);
}

/// After the wake of one thread, a non-blocking poll reports the waker, wherever another thread that wakes the waker
/// was stopped.
fn another_thread_is_stopped(others: usize) {
    with_loop(THREE, move |mut l| {
        let _others = (others > 0).then(|| woken_before(&l, others - 1));
        let waker = Rc::new(l.waker(0));
        let threads = [0, 1].map(|_| {
            let waker = Rc::clone(&waker);
            thread::spawn(move || waker.wake().unwrap())
        });
        let [one, other] = threads;
        one.join().unwrap();
        assert!(l.poll(NON_BLOCKING).contains(&0));
        other.join().unwrap();
    });
}

#[test]
fn a_wake_is_reported_although_another_waking_thread_is_stopped() {
    another_thread_is_stopped(1);
}

#[test]
fn the_wake_of_the_only_waker_is_reported_although_another_waking_thread_is_stopped() {
    another_thread_is_stopped(0);
}

/// Numbers stay in the queue while their blocks are removed and created again.
#[test]
fn blocks_are_created_again_while_their_numbers_are_queued() {
    explore(TWO, || {
        let mut l = Loop::new(3);
        let old: Vec<_> = (0..4).map(|t| l.waker(t)).collect();
        old.iter().for_each(|w| w.wake().unwrap());
        assert_eq!(l.poll(NON_BLOCKING).len(), 2);
        drop(old);
        let new: Vec<_> = (0..4).map(|t| l.waker(10 + t)).collect();
        new.iter().for_each(|w| w.wake().unwrap());
        l.events = Events::with_capacity(16);
        let thread = thread::spawn(move || {
            new[0].wake().unwrap();
            new[1].wake().unwrap();
            new[2].wake().unwrap();
            new
        });
        let mut batch = l.poll(NON_BLOCKING);
        let _alive = thread.join().unwrap();
        batch.sort_unstable();
        let all = batch.clone();
        batch.dedup();
        assert_eq!(batch, all, "a waker twice in a batch");
    });
}

/// A block is removed and created again by another thread, while the polling thread reports.
#[test]
fn a_block_is_created_again_while_the_polling_thread_reports() {
    explore(TWO, || {
        let mut l = Loop::new(4);
        let old: Vec<_> = (0..3).map(|t| l.waker(t)).collect();
        old.iter().for_each(|w| w.wake().unwrap());
        let registry = l.poll.registry().try_clone().unwrap();
        let cell = PlainCell::default();
        let c = cell.clone();
        let thread = thread::spawn(move || {
            drop(old);
            let new: Vec<_> = (0..3).map(|t| Waker::new(&registry, Token(10 + t)).unwrap()).collect();
            c.write();
            new[2].wake().unwrap();
            (new, registry)
        });
        let mut tokens = Vec::new();
        let polls = PollLimit::default();
        while !tokens.contains(&12) {
            tokens.extend(l.poll(NO_LIMIT));
            polls.check(8);
        }
        assert!(cell.is_written());
        let _x = thread.join().unwrap();
        tokens.extend(l.poll(NON_BLOCKING));
        assert_eq!(tokens.iter().filter(|&&t| t == 12).count(), 1);
        assert!(!tokens.contains(&10) && !tokens.contains(&11));
    });
}

/// Three threads: one removes blocks, one creates a waker in the removed number, exposed descriptor untouched.
#[test]
fn one_thread_removes_blocks_and_another_creates_one() {
    explore(TWO, || {
        let mut l = Loop::new(4);
        let old: Vec<_> = (0..3).map(|t| l.waker(t)).collect();
        old[0].wake().unwrap();
        let registry = l.poll.registry().try_clone().unwrap();
        let t1 = thread::spawn(move || drop(old));
        let t2 = thread::spawn(move || {
            let new = Waker::new(&registry, Token(12)).unwrap();
            new.wake().unwrap();
            (new, registry)
        });
        let mut tokens = Vec::new();
        while !tokens.contains(&12) {
            tokens.extend(l.poll(NO_LIMIT));
        }
        let _x = (t1.join().unwrap(), t2.join().unwrap());
        tokens.extend(l.poll(NON_BLOCKING));
        assert_eq!(tokens.iter().filter(|&&t| t == 12).count(), 1);
    });
}
