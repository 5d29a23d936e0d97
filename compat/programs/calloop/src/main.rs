//! The sources of calloop on one loop: descriptors in each mode, timers, pings, channels, futures and signals. The
//! output does not depend on the order of events.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use calloop::channel::{self, Event};
use calloop::generic::Generic;
use calloop::signals::{Signal, Signals};
use calloop::timer::{TimeoutAction, Timer};
use calloop::{futures, ping, EventLoop, Interest, LoopHandle, Mode, PostAction};

/// What the callbacks count.
#[derive(Debug, Default)]
struct Counts {
    level: usize,
    edge: usize,
    oneshot: usize,
    written: usize,
    ends: usize,
    timers: usize,
    early: usize,
    pings: usize,
    messages: u32,
    channels_closed: usize,
    futures: u32,
    signals: usize,
    idle: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocks the signal in this thread, which the other threads inherit.
    let signals = Signals::new(&[Signal::SIGUSR1])?;
    let mut event_loop: EventLoop<'_, Counts> = EventLoop::try_new()?;
    let handle = event_loop.handle();
    let (mut counts, start) = (Counts::default(), Instant::now());

    handle.insert_source(signals, |_, _, counts| counts.signals += 1)?;
    for number in 0..200 {
        let deadline = start + Duration::from_millis(number * 31 % 200);
        handle.insert_source(Timer::from_deadline(deadline), move |_, _, counts| {
            counts.timers += 1;
            counts.early += usize::from(Instant::now() < deadline);
            TimeoutAction::Drop
        })?;
    }
    let (ping, pings) = ping::make_ping()?;
    handle.insert_source(pings, |(), _, counts| counts.pings += 1)?;
    let (sender, receiver) = channel::channel();
    handle.insert_source(receiver, |event, _, counts| match event {
        Event::Msg(number) => counts.messages += number,
        Event::Closed => counts.channels_closed += 1,
    })?;
    let (executor, scheduler) = futures::executor()?;
    handle.insert_source(executor, |number: u32, _, counts: &mut Counts| counts.futures += number)?;
    for number in 0..100 {
        scheduler.schedule(async move { number })?;
    }
    // Another thread pings, sends messages and sends a signal.
    let other = thread::spawn(move || {
        ping.ping();
        for number in 0..1000 {
            sender.send(number).unwrap();
        }
        Command::new("kill").args(["-USR1", &process::id().to_string()]).status().unwrap();
    });

    let writers = [
        stream(&handle, Mode::Level, 1, |counts| &mut counts.level)?,
        stream(&handle, Mode::Edge, 64, |counts| &mut counts.edge)?,
        stream(&handle, Mode::OneShot, 64, |counts| &mut counts.oneshot)?,
    ];
    let (full, mut drained) = UnixStream::pair()?;
    full.set_nonblocking(true)?;
    while (&full).write(&[0; 4096]).is_ok() {}
    handle.insert_source(Generic::new(full, Interest::WRITE, Mode::OneShot), |_, stream, counts: &mut Counts| {
        counts.written += (&**stream).write(b"!")?;
        Ok(PostAction::Remove)
    })?;
    drained.set_nonblocking(true)?;

    for writer in &writers {
        for _ in 0..10 {
            (&*writer).write_all(b"12345678")?;
            event_loop.dispatch(Duration::from_millis(1), &mut counts)?;
        }
    }
    drop(writers);
    while drained.read(&mut [0; 4096]).is_ok() {}
    handle.insert_idle(|counts| counts.idle += 1);

    while start.elapsed() < Duration::from_secs(20) && !is_complete(&counts) {
        event_loop.dispatch(Duration::from_millis(100), &mut counts)?;
    }
    other.join().map_err(|_| "the other thread has panicked")?;
    if !is_complete(&counts) {
        return Err(format!("not complete after {:?}: {counts:#?}", start.elapsed()).into());
    }
    println!("{counts:#?}");
    Ok(())
}

/// Returns whether every source has been reported, as often as it must be.
fn is_complete(counts: &Counts) -> bool {
    let bytes = [counts.level, counts.edge, counts.oneshot];
    let once = [counts.written, counts.pings, counts.channels_closed, counts.signals, counts.idle];
    bytes == [80; 3]
        && once == [1; 5]
        && counts.ends == 3
        && (counts.timers, counts.early) == (200, 0)
        && counts.messages == (0..1000).sum()
        && counts.futures == (0..100).sum()
}

/// Inserts a stream whose callback reads `size` bytes at most, until `WouldBlock` in edge mode. Counts the bytes.
fn stream(
    handle: &LoopHandle<'_, Counts>,
    mode: Mode,
    size: usize,
    count: fn(&mut Counts) -> &mut usize,
) -> Result<UnixStream, Box<dyn Error>> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    let source = Generic::new(reader, Interest::READ, mode);
    handle.insert_source(source, move |_, stream, counts| loop {
        match (&**stream).read(&mut vec![0; size]) {
            Ok(0) => {
                counts.ends += 1;
                return Ok(PostAction::Remove);
            }
            Ok(read) => *count(counts) += read,
            Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(PostAction::Reregister),
            Err(err) => return Err(err),
        }
        match mode {
            Mode::Level => return Ok(PostAction::Continue),
            Mode::OneShot => return Ok(PostAction::Reregister),
            Mode::Edge => {}
        }
    })?;
    Ok(writer)
}
