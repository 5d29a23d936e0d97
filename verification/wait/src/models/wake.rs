//! Wakes against a poll that waits, that only looks, and that waits briefly.

use super::*;
use crate::handle::Socket;
use crate::io_source::IoSource;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[test]
fn a_wake_before_while_and_after_the_poll_begins_to_wait() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<1>::new(&l);
        senders.note(&l.poll(FOR_EVER));
        senders.end(&mut l);
    });
}

#[test]
fn two_wakers_each_with_its_token() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<2>::new(&l);
        while !senders.all_seen() {
            senders.note(&l.poll(FOR_EVER));
        }
        senders.end(&mut l);
    });
}

#[test]
fn three_wakers_each_with_its_token() {
    explore(FEWER, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<3>::new(&l);
        while !senders.all_seen() {
            senders.note(&l.poll(FOR_EVER));
        }
        senders.end(&mut l);
    });
}

/// Two threads that use one waker, each after it has written. Their wakes may be one event, which then stands for both.
fn coalesced(preemptions: Option<usize>, timeouts: &'static [Option<Duration>]) {
    explore(preemptions, move || {
        let mut l = Loop::new(4);
        let waker = Rc::new(l.waker(0));
        let written: [Rc<AtomicBool>; 2] = Default::default();
        let threads: Vec<_> = written
            .iter()
            .map(|written| {
                let (waker, written) = (Rc::clone(&waker), Rc::clone(written));
                thread::spawn(move || {
                    written.store(true, Relaxed);
                    waker.wake().unwrap();
                })
            })
            .collect();

        let mut seen = [false; 2];
        let mut timeouts = timeouts.iter().copied();
        while seen != [true; 2] {
            if !l.poll(timeouts.next().unwrap_or(FOR_EVER)).is_empty() {
                // Only what an event stands for counts: what it does not show, must come with another one.
                seen = [0, 1].map(|n: usize| written[n].load(Relaxed));
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn wakes_that_are_one_event_publish_what_both_threads_wrote() {
    coalesced(ALL, &[]);
}

#[test]
fn wakes_that_are_one_event_publish_it_to_a_poll_that_looks_first() {
    coalesced(MOST, &[LOOK]);
}

#[test]
fn one_thread_wakes_twice() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let waker = l.waker(0);
        let written: [Rc<AtomicBool>; 2] = Default::default();
        let thread = thread::spawn({
            let written = written.clone();
            move || {
                for written in written {
                    written.store(true, Relaxed);
                    waker.wake().unwrap();
                }
                waker
            }
        });
        // The two wakes are one event or two, and the last event comes after all that was written.
        let mut seen = [false; 2];
        while seen != [true; 2] {
            l.poll(FOR_EVER);
            seen = [1, 0].map(|n: usize| written[n].load(Relaxed));
            assert!(seen[1] >= seen[0], "the second wake without the first");
            seen.reverse();
        }
        thread.join().unwrap();
    });
}

#[test]
fn polls_that_only_look_see_a_wake_in_the_end_and_nobody_kicks() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<2>::new(&l);
        while !senders.all_seen() {
            senders.note(&l.poll(LOOK));
            thread::yield_now();
        }
        senders.end(&mut l);
        assert_eq!(l.kernel.kicks(), 0);
    });
}

#[test]
fn a_poll_that_waits_after_some_that_looked() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<1>::new(&l);
        for timeout in [LOOK, LOOK, FOR_EVER] {
            if !senders.all_seen() {
                senders.note(&l.poll(timeout));
            }
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_poll_that_waits_after_some_that_looked_with_two_wakers() {
    explore(MOST, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<2>::new(&l);
        for timeout in [LOOK, LOOK, FOR_EVER, FOR_EVER] {
            if !senders.all_seen() {
                senders.note(&l.poll(timeout));
            }
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_timeout_that_passes_while_somebody_wakes() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<1>::new(&l);
        for timeout in [BRIEFLY, BRIEFLY, FOR_EVER] {
            if !senders.all_seen() {
                senders.note(&l.poll(timeout));
            }
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_timeout_that_passes_while_two_wake() {
    explore(MOST, || {
        let mut l = Loop::new(4);
        let mut senders = Senders::<2>::new(&l);
        for timeout in [BRIEFLY, LOOK, FOR_EVER, FOR_EVER] {
            if !senders.all_seen() {
                senders.note(&l.poll(timeout));
            }
        }
        senders.end(&mut l);
    });
}

#[test]
fn every_kick_may_be_a_packet_of_its_own() {
    explore(MOST, || {
        let mut l = Loop::new(4);
        l.kernel.set_manners(Manners { coalesces: false, takes_a_place: false, ..Manners::STRICT });
        let mut senders = Senders::<2>::new(&l);
        for timeout in [BRIEFLY, FOR_EVER, FOR_EVER] {
            if !senders.all_seen() {
                senders.note(&l.poll(timeout));
            }
        }
        senders.end(&mut l);
    });
}

#[test]
fn a_wake_while_a_source_becomes_ready() {
    explore(ALL, || {
        let mut l = Loop::new(4);
        let mut source = IoSource::new(Socket(7));
        l.poll.registry().register(&mut source, Token(7), Interest::READABLE).unwrap();
        let mut senders = Senders::<1>::new(&l);
        let kernel = Arc::clone(&l.kernel);
        let thread = thread::spawn(move || kernel.make_ready(7));
        let mut ready = false;
        while !(ready && senders.all_seen()) {
            let tokens = l.poll(FOR_EVER);
            senders.note(&tokens);
            ready |= tokens.contains(&7);
        }
        thread.join().unwrap();
        senders.end(&mut l);
    });
}
