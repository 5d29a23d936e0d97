//! Two threads: a worker computes, and the main thread waits for events. The worker wakes it after each result.
//!
//! ```text
//! cargo run --example wake
//! ```
//!
//! `poll` waits for sources of the kernel, and a channel between two threads is not one. So after each send into the
//! channel, the worker also wakes the poll:
//!
//! ```text
//!   worker                        poll loop
//!     │ 1. send ───► channel ───► 4. try_recv, until the channel is empty
//!     │ 2. wake ───► Waker ─────► 3. an event with the waker's token
//! ```

mod arguments;

use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;

use minimio::{Events, Poll, Token, Waker};

const RESULTS: Token = Token(0);

/// The worker counts the primes below each of these.
const LIMITS: [u32; 6] = [10, 100, 1_000, 10_000, 20_000, 40_000];

/// A limit, and how many primes are below it.
type Count = (u32, usize);

fn main() -> io::Result<()> {
    arguments::none("wake");
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), RESULTS)?;
    let (sender, results) = mpsc::channel();

    let events = thread::scope(|scope| {
        // The worker borrows the waker. If the worker owned it, the waker would be dropped when the thread ends, and a
        // wake that is not reported yet would be lost.
        scope.spawn(|| work(sender, &waker));
        run_loop(&mut poll, &results)
    })?;
    println!("{} wakes, the last for the end, became {events} events: wakes between polls are one.", LIMITS.len() + 1);
    println!("Now try: more LIMITS in examples/wake.rs; then cargo run --example timers");
    Ok(())
}

/// The worker's thread.
fn work(results: Sender<Count>, waker: &Waker) -> io::Result<()> {
    for limit in LIMITS {
        let count = (2..limit).filter(|&number| is_prime(number)).count();
        // Send first, then wake. In the other order, the loop could find the channel empty between the two calls and
        // then wait without the result.
        if results.send((limit, count)).is_err() {
            return Ok(()); // The receiver was dropped: the loop has ended.
        }
        waker.wake()?;
    }
    // The end is reported in the same order: drop the sender first, then wake, so that the loop sees `Disconnected`.
    // (No wake is known to fail. If one did, the loop would wait for ever: `main` joins this thread only after the
    // loop.)
    drop(results);
    waker.wake()
}

fn is_prime(number: u32) -> bool {
    (2..).take_while(|factor| factor * factor <= number).all(|factor| number % factor != 0)
}

/// Runs the poll loop and returns the number of events. A larger program handles more tokens here: of sockets, timers
/// and other wakers.
fn run_loop(poll: &mut Poll, results: &Receiver<Count>) -> io::Result<usize> {
    let mut events = Events::with_capacity(16);
    let mut count = 0;
    loop {
        match poll.poll(&mut events, None) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if event.token() == RESULTS {
                count += 1;
                if !print_all(results) {
                    return Ok(count);
                }
            }
        }
    }
}

/// Prints all results that are in the channel: one event can stand for several wakes. Returns false after the last
/// result.
fn print_all(results: &Receiver<Count>) -> bool {
    loop {
        match results.try_recv() {
            Ok((limit, count)) => println!("{count:6} primes below {limit}"),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => return false,
        }
    }
}
