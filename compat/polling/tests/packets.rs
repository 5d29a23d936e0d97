//! `os::iocp`: what the tests of polling do not use.
#![cfg(windows)]

use polling::os::iocp::{CompletionPacket, PollerIocpExt};
use polling::{Event, Events, Poller};
use std::io;
use std::time::{Duration, Instant};

const LONG: Option<Duration> = Some(Duration::from_secs(10));

#[test]
fn a_packet_with_the_reserved_key_ends_a_wait_without_an_event() -> io::Result<()> {
    let (poller, mut events, start) = (Poller::new()?, Events::new(), Instant::now());
    poller.post(CompletionPacket::new(Event::all(usize::MAX)))?;
    assert_eq!(poller.wait(&mut events, LONG)?, 0);
    assert!(start.elapsed() < Duration::from_secs(10) && events.is_empty());
    poller.post(CompletionPacket::new(Event::all(usize::MAX)))?;
    poller.post(CompletionPacket::new(Event::readable(1)))?;
    assert_eq!(poller.wait(&mut events, LONG)?, 1);
    assert_eq!(events.iter().collect::<Vec<_>>(), [Event::readable(1)]);
    Ok(())
}
