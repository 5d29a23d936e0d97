//! Waking threads, and wakers that are created and dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use minimio::{Token, Waker};

use crate::actor::Actor;
use crate::run::Run;
use crate::support::random::Random;
use crate::support::WAIT_LIMIT;
use crate::{WAKERS, WAKING_THREADS};

/// How often one thread has woken with each waker, and how many of these wakes the polling thread has seen. No lock of
/// the test orders these accesses, only the wake itself: `issued` is stored before the wake and loaded after its event.
#[derive(Default)]
pub struct WakeCounts {
    pub issued: [AtomicUsize; WAKERS],
    pub seen: [AtomicUsize; WAKERS],
}

/// A waking thread. Wakes with its own waker and with the shared ones.
pub fn wake_repeatedly(run: &Run, thread: usize, wakers: &[Arc<Waker>]) {
    let mut random = Random::new(run.seed, 100 + thread as u64);
    let counts = &run.wake_counts[thread];
    let mut issued = [0_usize; WAKERS];
    loop {
        let is_last = run.is_over();
        for _ in 0..=random.below(4) {
            let waker =
                if random.one_in(2) { thread } else { WAKING_THREADS + random.below(WAKING_THREADS as u64) as usize };
            for _ in 0..=random.below(3) {
                random.spin();
                issued[waker] += 1;
                counts.issued[waker].store(issued[waker], Ordering::Relaxed);
                wakers[waker].wake().unwrap();
            }
        }
        if !is_last && random.one_in(3) {
            continue;
        }
        // This thread does not wake again until the last wake was seen, so a lost wake stays lost.
        let deadline = Instant::now() + WAIT_LIMIT;
        while !(0..WAKERS).all(|waker| counts.seen[waker].load(Ordering::Acquire) == issued[waker]) {
            run.check_polling();
            let left = deadline.saturating_duration_since(Instant::now());
            run.check(!left.is_zero(), || {
                format!("a wake is lost: {issued:?} were issued, but only {:?} seen", counts.seen)
            });
            thread::park_timeout(left);
        }
        if is_last {
            break;
        }
    }
    run.add("wakes", issued.iter().sum::<usize>() as u64);
}

/// An actor that creates and drops wakers.
pub fn short_lived_wakers(actor: &mut Actor) {
    let mut woken = 0;
    while !actor.run.is_over() {
        let token = actor.new_token();
        let waker = Waker::new(&actor.registry, Token(token)).unwrap();
        // `wake` is called on half of the wakers. The others must not be reported.
        if actor.random.one_in(2) {
            waker.wake().unwrap();
            woken += 1;
            if actor.random.one_in(2) {
                actor.wait_for(token, "a wake is lost", |delivery| delivery.readable);
            }
            drop(waker);
            actor.record_deregistered(token);
        } else {
            actor.record_never_reported(token);
        }
    }
    actor.take_deliveries(Instant::now());
    actor.run.add("wakes of short-lived wakers", woken);
}
