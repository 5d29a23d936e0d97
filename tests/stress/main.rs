//! Many threads wake, set timers, register, send, receive and close at random, while one thread polls. No event is
//! lost, reported twice, early, or after its source was deregistered; no thread hangs; no descriptor stays open.
//!
//! The test runs for two seconds, or for `MINIMIO_STRESS_SECONDS`. `MINIMIO_STRESS_SEED` replaces the seed. The seed
//! determines what each thread does, but not the order in which the system runs the threads.

#[path = "../support/mod.rs"]
mod support;

mod actor;
mod connections;
mod datagrams;
mod polling;
mod run;
mod streams;
mod timers;
mod wakers;

use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Poll, Token, Waker};

use actor::Actor;
use run::Run;
use support::*;

const SEED: u64 = 20_200_229;

/// The token that ends the polling thread. The `WAKERS` tokens just below it are those of the waking threads' wakers.
const QUIT: usize = usize::MAX;
/// The number of waking threads.
const WAKING_THREADS: usize = 3;
/// The number of their wakers. The first `WAKING_THREADS` wakers belong to one thread each, the others to all threads.
const WAKERS: usize = 2 * WAKING_THREADS;

type Role = fn(&mut Actor);

/// The threads that take part, besides the polling thread and the waking threads.
const ACTORS: &[(&str, Role)] = &[
    ("short-lived wakers", wakers::short_lived_wakers),
    ("timers", timers::timers),
    ("more timers", timers::timers),
    ("streams", streams::streams),
    ("more streams", streams::streams),
    ("datagrams", datagrams::datagrams),
    ("connections", connections::connections),
];

#[test]
fn no_event_is_lost_while_all_actors_run() {
    let time = Duration::from_secs(parameter("MINIMIO_STRESS_SECONDS", 2));
    let seed = parameter("MINIMIO_STRESS_SEED", SEED);
    println!("MINIMIO_STRESS_SEED={seed}, for {time:?}");
    // The first socket of a process may open more descriptors than its own.
    drop(stream_and_peer());
    let before = handles::open_handles();

    // First run each actor alone. If its own event then fails to end a wait, no other actor's event ends the wait.
    let all: Vec<_> = (0..ACTORS.len()).collect();
    let share = time / 5 / (ACTORS.len() as u32 + 1);
    for actor in &all {
        run_actors(seed, share, &[*actor], 0);
    }
    run_actors(seed, share, &[], 1);
    run_actors(seed, time - time / 5, &all, WAKING_THREADS);

    match (before, handles::open_handles()) {
        (Some(before), Some(after)) => assert_eq!(before, after, "descriptors have stayed open; seed {seed}"),
        _ => println!("open descriptors are not counted: this system has no /proc/self/fd"),
    }
}

/// Runs the polling thread, the actors with the given indices, and the given number of waking threads.
fn run_actors(seed: u64, runs_for: Duration, actors: &[usize], waking: usize) {
    let run = Arc::new(Run::new(seed, runs_for));
    let poll = Poll::new().unwrap();
    let quit = Waker::new(poll.registry(), Token(QUIT)).unwrap();
    let wakers: Vec<_> =
        (0..WAKERS).map(|n| Arc::new(Waker::new(poll.registry(), Token(QUIT - 1 - n)).unwrap())).collect();

    let (ended, end) = mpsc::channel();
    let mut threads = Vec::new();
    for &n in actors {
        let (run, ended, registry) = (Arc::clone(&run), Ended(ended.clone()), poll.registry().try_clone().unwrap());
        let (name, role) = ACTORS[n];
        threads.push(spawn(name, move || {
            let _ended = ended;
            role(&mut Actor::new(run, registry, n));
        }));
    }
    let mut waking_threads = Vec::new();
    for n in 0..waking {
        let (run, ended, wakers) = (Arc::clone(&run), Ended(ended.clone()), wakers.clone());
        threads.push(spawn("waking", move || {
            let _ended = ended;
            wakers::wake_repeatedly(&run, n, &wakers);
        }));
        waking_threads.extend(threads.last().map(|thread| thread.thread().clone()));
    }
    let polling_thread = {
        let (run, ended) = (Arc::clone(&run), Ended(ended));
        spawn("polling", move || {
            let _ended = ended;
            polling::poll_until_quit(&run, poll, &waking_threads)
        })
    };

    // Every wait of an actor has a timeout. This timeout is for a poll that hangs.
    let deadline = Instant::now() + runs_for + 3 * WAIT_LIMIT;
    let wait_for_end = || {
        let ended = end.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        ended.unwrap_or_else(|_| run.fail("a thread hangs"));
    };
    for _ in &threads {
        wait_for_end();
    }
    // Now no thread waits for an event, or a thread has panicked.
    quit.wake().unwrap();
    wait_for_end();
    let polls = polling_thread.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    for thread in threads {
        thread.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    }
    println!("{polls} polls: {}", run.summary());
}

fn parameter(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().name(name.to_string()).spawn(run).unwrap()
}

/// Sends a message when a thread ends, also when it panics.
struct Ended(mpsc::Sender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        // If the receiver was dropped, the test has failed already.
        let _ = self.0.send(());
    }
}
