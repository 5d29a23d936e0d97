//! Four timers and one poll: timers are sources, as sockets are.
//!
//! ```text
//! cargo run --example timers
//! ```
//!
//! A timer is registered with a token, and when its time has come there is an event. It needs no thread and no
//! descriptor: the poll just waits no longer than until the nearest of them is due.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use minimio::{Events, Interest, Poll, Timer, Token};

const TICK: Token = Token(0);
const TEA: Token = Token(1);
const EGGS: Token = Token(2);
const ALARM: Token = Token(3);

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let tick = timer(&poll, TICK)?;
    let tea = timer(&poll, TEA)?;
    let eggs = timer(&poll, EGGS)?;
    let alarm = timer(&poll, ALARM)?;

    let start = Instant::now();
    let say = |text: &str| println!("{:6.1} ms  {text}", start.elapsed().as_secs_f64() * 1000.0);
    tick.set_every(ms(100))?;
    tea.set(ms(250))?;
    eggs.set_at(start + ms(650))?;
    alarm.set(Duration::from_secs(3600))?;
    say("a tick every 100 ms, tea in 250, eggs in 650, an alarm in an hour");

    // While a timer is set, there is something to wait for.
    while poll.next_deadline().is_some() {
        match poll.poll(&mut events, None) {
            // A signal came, and nothing else.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                TICK => say("tick"),
                TEA => {
                    say("the tea is ready: this thread drinks it, and hears no ticks");
                    // Never do that in a poll loop! Three ticks pass. They are one event afterwards, and the next one
                    // comes at its time as if nothing had been.
                    thread::sleep(ms(300));
                }
                EGGS => {
                    say("the eggs are ready: no more ticks, and no alarm");
                    // It may be set again whenever somebody likes, from any thread.
                    tick.cancel();
                    alarm.cancel();
                }
                _ => say("the alarm"),
            }
        }
    }
    println!("Now try: do not cancel the alarm, or the ticks; then cargo run --example udp");
    Ok(())
}

/// A timer that is registered and not set.
fn timer(poll: &Poll, token: Token) -> io::Result<Timer> {
    let mut timer = Timer::new();
    poll.registry().register(&mut timer, token, Interest::READABLE)?;
    Ok(timer)
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
