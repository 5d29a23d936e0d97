//! `os::kqueue`: over the model of a kqueue, and on systems with a kqueue.
#![cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd",
    minimio_kqueue
))]

use polling::os::kqueue::{PollerKqueueExt, Process, ProcessOps, Signal, Timer};
use polling::{Event, Events, PollMode, Poller};
use std::io::{self, ErrorKind};
use std::process::Command;
use std::time::{Duration, Instant};

const MODES: [PollMode; 4] = [PollMode::Oneshot, PollMode::Level, PollMode::Edge, PollMode::EdgeOneshot];
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
fn an_exit_before_modify_filter_is_reported_with_the_new_key() -> io::Result<()> {
    for mode in MODES {
        let (first, poller, last) = (Poller::new()?, Poller::new()?, Poller::new()?);
        let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn()?;
        // SAFETY: the filter is deleted below, before the child is dropped.
        let process = unsafe { Process::new(&child, ProcessOps::Exit) };
        for poller in [&first, &poller, &last] {
            poller.add_filter(&process, 3, mode)?;
        }
        // SAFETY: as above.
        let by_id = unsafe { Process::from_pid((child.id() as i32).try_into().unwrap(), ProcessOps::Exit) };
        drop(child.stdin.take());
        // The kernel queues the exit in the order of these calls, or in the reverse order. Once both other pollers have
        // reported it, the kernel has queued it here too.
        assert_eq!(wait(&first, LONG), [Event::readable(3)]);
        assert_eq!(wait(&last, LONG), [Event::readable(3)]);
        poller.modify_filter(&by_id, 4, mode)?;
        assert_eq!(wait(&poller, LONG), [Event::readable(4)]);
        for poller in [&first, &poller, &last] {
            poller.delete_filter(&by_id)?;
        }
        child.wait()?;
    }
    Ok(())
}

#[test]
fn a_signal_before_modify_filter_is_reported_with_the_new_key() -> io::Result<()> {
    // SIGCONT, which does nothing while the process runs. No other test sends it.
    let signal = Signal(if cfg!(any(target_os = "linux", target_os = "android")) { 18 } else { 19 });
    for mode in MODES {
        let poller = Poller::new()?;
        poller.add_filter(signal, 3, mode)?;
        // The second signal comes while a oneshot filter is disabled.
        for key in [4, 5] {
            Command::new("kill").args(["-CONT", &std::process::id().to_string()]).status()?;
            poller.modify_filter(signal, key, mode)?;
            assert_eq!(wait(&poller, LONG), [Event::readable(key)]);
            assert_eq!(wait(&poller, Some(Duration::from_millis(20))), []);
        }
        poller.delete_filter(signal)?;
    }
    Ok(())
}

#[test]
fn another_mode_takes_effect() -> io::Result<()> {
    let poller = Poller::new()?;
    let timer = Timer { id: 1, timeout: Duration::from_millis(5) };
    poller.add_filter(timer, 1, PollMode::Oneshot)?;
    poller.modify_filter(timer, 2, PollMode::Level)?;
    for _ in 0..3 {
        assert_eq!(wait(&poller, LONG), [Event::readable(2)]);
    }
    poller.delete_filter(timer)
}

#[test]
fn what_cannot_be_added_is_not_added() -> io::Result<()> {
    let poller = Poller::new()?;
    let mut child = Command::new("true").spawn()?;
    let pid = (child.id() as i32).try_into().unwrap();
    child.wait()?;
    // SAFETY: the kernel refuses the filter, because the process does not exist any more.
    let process = unsafe { Process::from_pid(pid, ProcessOps::Exit) };
    for _ in 0..2 {
        // ESRCH.
        assert_eq!(poller.add_filter(&process, 1, PollMode::Oneshot).unwrap_err().raw_os_error(), Some(3));
    }
    assert_eq!(poller.delete_filter(&process).unwrap_err().kind(), ErrorKind::NotFound);
    Ok(())
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
