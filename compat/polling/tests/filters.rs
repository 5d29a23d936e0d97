//! `os::kqueue`: over the model of a kqueue, and on systems with a kqueue.
#![cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", minimio_kqueue))]

use polling::os::kqueue::{PollerKqueueExt, Process, ProcessOps, Signal, Timer};
use polling::{Event, Events, PollMode, Poller};
use std::io::{self, ErrorKind};
use std::process::Command;
use std::time::{Duration, Instant};

const LONG: Option<Duration> = Some(Duration::from_secs(10));

fn wait(poller: &Poller, timeout: Option<Duration>) -> Vec<Event> {
    let mut events = Events::new();
    poller.wait(&mut events, timeout).unwrap();
    let reported = events.iter().collect();
    reported
}

#[test]
fn a_timer_expires_once_in_oneshot_mode_and_is_never_early() -> io::Result<()> {
    let (poller, start) = (Poller::new()?, Instant::now());
    let timer = Timer { id: 1, timeout: Duration::from_micros(10_500) };
    poller.add_filter(timer, 7, PollMode::Oneshot)?;
    assert_eq!(wait(&poller, LONG), [Event::readable(7)]);
    assert!(start.elapsed() >= timer.timeout);
    assert_eq!(wait(&poller, Some(Duration::from_millis(50))), []);
    poller.modify_filter(timer, 8, PollMode::Oneshot)?;
    assert_eq!(wait(&poller, LONG), [Event::readable(8)]);
    poller.delete_filter(timer)
}

#[test]
fn an_exit_is_reported() -> io::Result<()> {
    let poller = Poller::new()?;
    let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn()?;
    // SAFETY: the filter is deleted below, before the child is dropped.
    let process = unsafe { Process::new(&child, ProcessOps::Exit) };
    poller.add_filter(&process, 3, PollMode::Oneshot)?;
    assert_eq!(wait(&poller, Some(Duration::ZERO)), []);
    // SAFETY: as above.
    let by_id = unsafe { Process::from_pid((child.id() as i32).try_into().unwrap(), ProcessOps::Exit) };
    drop(child.stdin.take());
    assert_eq!(wait(&poller, LONG), [Event::readable(3)]);
    poller.delete_filter(by_id)?;
    child.wait().map(drop)
}

#[test]
fn a_filter_is_added_once_and_deleted_once() -> io::Result<()> {
    let poller = Poller::new()?;
    let kind = |result: io::Result<()>| result.map_err(|err| err.kind());
    // SIGURG, which is ignored by default.
    let signal = Signal(if cfg!(any(target_os = "linux", target_os = "android")) { 23 } else { 16 });
    assert_eq!(kind(poller.modify_filter(signal, 1, PollMode::Level)), Err(ErrorKind::NotFound));
    assert_eq!(kind(poller.add_filter(signal, usize::MAX, PollMode::Level)), Err(ErrorKind::InvalidInput));
    poller.add_filter(signal, 1, PollMode::Level)?;
    assert_eq!(kind(poller.add_filter(signal, 1, PollMode::Level)), Err(ErrorKind::AlreadyExists));
    poller.delete_filter(signal)?;
    assert_eq!(kind(poller.delete_filter(signal)), Err(ErrorKind::NotFound));
    Ok(())
}

#[test]
fn a_signal_is_reported() -> io::Result<()> {
    let poller = Poller::new()?;
    let signal = Signal(if cfg!(any(target_os = "linux", target_os = "android")) { 23 } else { 16 });
    poller.add_filter(signal, 5, PollMode::Oneshot)?;
    Command::new("kill").args(["-URG", &std::process::id().to_string()]).status()?;
    assert_eq!(wait(&poller, LONG), [Event::readable(5)]);
    poller.delete_filter(signal)
}
