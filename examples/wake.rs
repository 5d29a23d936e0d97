//! Two threads: one computes, the other waits for events, and each result is one.
//!
//! ```text
//! cargo run --example wake
//! ```
//!
//! A poll waits for what the kernel knows of, and a channel between two threads is not among that. So whoever sends
//! something through it wakes the poll as well:
//!
//! ```text
//!   worker                        poll loop
//!     │ 1. send ───► channel ───► 4. try_recv, until it is empty
//!     │ 2. wake ───► Waker ─────► 3. an event with the waker's token
//! ```

use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;

use minimio::{Events, Poll, Token, Waker};

const RESULTS: Token = Token(0);

/// The worker counts the primes below each of these.
const LIMITS: [u32; 6] = [10, 100, 1_000, 10_000, 20_000, 40_000];

/// Below which number there are how many primes.
type Count = (u32, usize);

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), RESULTS)?;
    let (sender, results) = mpsc::channel();

    let events = thread::scope(|scope| {
        // The worker borrows the waker: one of its own would go with the thread, and take the last wake along.
        scope.spawn(|| work(sender, &waker));
        listen(&mut poll, &results)
    })?;
    println!("{} wakes were {events} events: wakes that come before the loop looks are one.", LIMITS.len() + 1);
    println!("Now try: a second worker, with its own waker; then cargo run --example timers");
    Ok(())
}

/// The worker's thread.
fn work(results: Sender<Count>, waker: &Waker) -> io::Result<()> {
    for limit in LIMITS {
        let count = (2..limit).filter(|&number| is_prime(number)).count();
        // First the result, then the wake. The other way round, the loop might look in between, find nothing, and never
        // look again.
        if results.send((limit, count)).is_err() {
            return Ok(()); // Nobody waits for it any more.
        }
        waker.wake()?;
    }
    // The end is news too, and comes in the same order. (No wake is known to fail; if one did, it would go unheard.)
    drop(results);
    waker.wake()
}

fn is_prime(number: u32) -> bool {
    (2..).take_while(|factor| factor * factor <= number).all(|factor| number % factor != 0)
}

/// The poll loop. A program that does more has more tokens here: of sockets, of timers, of other wakers. Returns how
/// many events there were.
fn listen(poll: &mut Poll, results: &Receiver<Count>) -> io::Result<usize> {
    let mut events = Events::with_capacity(16);
    let mut count = 0;
    loop {
        match poll.poll(&mut events, None) {
            // A signal came, and nothing else.
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

/// A wake says that there is something, and not how much. False: there will be no more.
fn print_all(results: &Receiver<Count>) -> bool {
    loop {
        match results.try_recv() {
            Ok((limit, count)) => println!("{count:6} primes below {limit}"),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => return false,
        }
    }
}
