//! The polling thread.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::thread::Thread;
use std::time::{Duration, Instant};

use minimio::{Event, Events, Poll};

use crate::run::{Delivery, Run};
use crate::support::random::Random;
use crate::support::WAIT_LIMIT;
use crate::{ACTORS, QUIT, WAKERS};

/// Polls with random timeouts and capacities, and passes the events to the actors and the waking threads. Returns the
/// number of polls.
pub fn poll_until_quit(run: &Run, mut poll: Poll, waking_threads: &[Thread]) -> u64 {
    let _guard = EndGuard { run, waking_threads };
    let mut random = Random::new(run.seed, 1);
    let mut buffers: Vec<_> =
        [1, 1, 2, 3, 5, 16, 256].iter().map(|&capacity| Events::with_capacity(capacity)).collect();
    let buffer_count = buffers.len() as u64;
    loop {
        let events = &mut buffers[random.below(buffer_count) as usize];
        let timeout = match random.below(8) {
            0 | 1 => Some(Duration::ZERO),
            2 => Some(random.micros(50)),
            3 => Some(random.micros(3000)),
            4 => Some(WAIT_LIMIT),
            _ => None,
        };
        let number = run.polls.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        let begin = Instant::now();
        match poll.poll(events, timeout) {
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result.unwrap_or_else(|err| run.fail(&format!("poll: {err}"))),
        }
        let at = Instant::now();
        run.check(events.len() <= events.capacity(), || format!("more events than the capacity: {}", events.len()));
        if events.is_empty() {
            let passed = timeout.map_or(false, |timeout| at - begin >= timeout);
            run.check(passed, || format!("no event after {:?}, but the timeout was {timeout:?}", at - begin));
        }
        for event in events.iter() {
            match event.token().0 {
                QUIT => {
                    check_only_wakes_are_left(run, &mut poll, events);
                    return number;
                }
                token if token >= QUIT - WAKERS => {
                    // The event stands for wakes of any thread. All that a thread wrote before such a wake is visible
                    // here.
                    for (counts, thread) in run.wake_counts.iter().zip(waking_threads) {
                        let issued = counts.issued[QUIT - 1 - token].load(Ordering::Relaxed);
                        counts.seen[QUIT - 1 - token].store(issued, Ordering::Release);
                        thread.unpark();
                    }
                }
                token => run.mailboxes[token % ACTORS.len()].deliver(Delivery {
                    token,
                    poll: number,
                    at,
                    readable: event.is_readable(),
                    writable: event.is_writable(),
                }),
            }
        }
    }
}

/// Checks that no source has an event left. A waker may have one: a waking thread stores `issued` before its last wake,
/// so an earlier event of the same waker can already set `seen` to that count and end the thread.
fn check_only_wakes_are_left(run: &Run, poll: &mut Poll, events: &mut Events) {
    for _ in 0..=WAKERS {
        poll.poll(events, Some(Duration::ZERO)).unwrap();
        let is_waker = |event: &Event| event.token().0 >= QUIT - WAKERS;
        run.check(events.iter().all(is_waker), || format!("events are left at the end: {events:?}"));
    }
    run.check(events.is_empty(), || format!("events are left at the end: {events:?}"));
}

/// Ends the waits of all threads for the polling thread when it ends, also when it panics.
struct EndGuard<'a> {
    run: &'a Run,
    waking_threads: &'a [Thread],
}

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        self.run.polling_has_ended.store(true, Ordering::Relaxed);
        self.run.mailboxes.iter().for_each(|mailbox| mailbox.arrived.notify_all());
        self.waking_threads.iter().for_each(Thread::unpark);
    }
}
