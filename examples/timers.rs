//! Four timers and one poll: timers are sources, as sockets are.
//!
//! ```text
//! cargo run --example timers
//! ```
//!
//! A timer is registered with a token, and its expiration is an event. It needs no thread and no descriptor: `poll`
//! waits at most until the earliest deadline.

mod arguments;

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Events, Interest, Poll, Timer, Token};

const TICK: Token = Token(0);
const TEA: Token = Token(1);
const EGGS: Token = Token(2);
const ALARM: Token = Token(3);

const TEA_TIME: Duration = ms(250);

fn main() -> io::Result<()> {
    arguments::none("timers");
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let tick = timer(&poll, TICK)?;
    let tea = timer(&poll, TEA)?;
    let eggs = timer(&poll, EGGS)?;
    let alarm = timer(&poll, ALARM)?;

    let start = Instant::now();
    let print = |text: &str| println!("{:6.1} ms  {text}", start.elapsed().as_secs_f64() * 1000.0);
    tick.set_every(ms(100))?;
    tea.set(TEA_TIME)?;
    eggs.set_at(start + ms(650))?;
    alarm.set(Duration::from_secs(3600))?;
    print("set: tick every 100 ms, tea in 250, eggs in 650, alarm in an hour");

    // `next_deadline` is `None` when no timer is set.
    while poll.next_deadline().is_some() {
        match poll.poll(&mut events, None) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                TICK => print("tick"),
                TEA => {
                    print("tea is ready: this thread sleeps 300 ms and misses ticks");
                    // Never sleep in a poll loop! Three ticks expire meanwhile. They are one event afterwards, and the
                    // next tick is on schedule again.
                    thread::sleep(ms(300));
                }
                EGGS => {
                    print("eggs are ready: cancel the ticks and the alarm");
                    // Any thread may set a cancelled timer again, at any time.
                    tick.cancel();
                    alarm.cancel();
                }
                _ => print("alarm"),
            }
        }
    }
    println!("The missed ticks caused one event; the cancelled alarm caused no event.");
    println!("Now try: TEA_TIME in examples/timers.rs; then cargo run --example supervisor");
    Ok(())
}

/// Returns a timer that is registered and not set.
fn timer(poll: &Poll, token: Token) -> io::Result<Timer> {
    let mut timer = Timer::new();
    poll.registry().register(&mut timer, token, Interest::READABLE)?;
    Ok(timer)
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
