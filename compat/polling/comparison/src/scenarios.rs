// The scenarios, included twice: `polling` is one of the two crates.

use std::io::Write;
use std::num::NonZeroUsize;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc;
use std::time::Duration;
use std::{fmt, io, thread};

use polling::{Event, Events, PollMode, Poller};

use crate::sockets::{self, SITUATIONS};
use crate::threads;

const MODES: [PollMode; 4] = [PollMode::Oneshot, PollMode::Level, PollMode::Edge, PollMode::EdgeOneshot];
const ZERO: Option<Duration> = Some(Duration::ZERO);
const LONG: Option<Duration> = Some(Duration::from_secs(10));

fn interests() -> [(&'static str, Event); 7] {
    [
        ("readable", Event::readable(7)),
        ("writable", Event::writable(7)),
        ("all", Event::all(7)),
        ("none", Event::none(7)),
        ("interrupt", Event::none(7).with_interrupt()),
        ("priority", Event::none(7).with_priority()),
        ("readable, interrupt, priority", Event::readable(7).with_interrupt().with_priority()),
    ]
}

/// Returns all scenarios, each with what it observed.
pub fn all() -> Vec<(String, String)> {
    let mut results = Vec::new();
    for (situation, create) in SITUATIONS {
        for (name, interest) in interests() {
            for mode in MODES {
                let observed = observe(create(), interest, mode).unwrap_or_else(|err| format!("{:?}", err.kind()));
                results.push((format!("{situation}: {name}, {mode:?}"), observed));
            }
        }
    }
    for mode in MODES {
        for urgent in [false, true] {
            let observed = data_arrives_later(mode, urgent).unwrap_or_else(|err| format!("{:?}", err.kind()));
            results.push((format!("data arrives later: {mode:?}, urgent: {urgent}"), observed));
        }
        for second in MODES {
            let observed = modify_to_mode(mode, second).unwrap_or_else(|err| format!("{:?}", err.kind()));
            results.push((format!("modify: {mode:?}, {second:?}"), observed));
        }
    }
    type Scenario = fn() -> io::Result<String>;
    let others: &[(&str, Scenario)] = &[
        ("errors", errors),
        ("delete", delete),
        ("delete while waiting", delete_while_waiting),
        ("notify", notify),
        ("notify with an event", notify_with_an_event),
        ("append", append),
        ("small list", small_list),
        ("full list", full_list),
        ("two waits", two_waits),
        ("two keys of one source", duplicate),
        ("deadline", deadline),
        #[cfg(unix)]
        ("signal", signal),
        #[cfg(windows)]
        ("a handle", handle),
        #[cfg(windows)]
        ("packets", packets),
        ("events", parts),
    ];
    for (name, scenario) in others {
        results.push(((*name).into(), scenario().unwrap_or_else(|err| format!("{:?}", err.kind()))));
    }
    results
}

fn show(events: &Events) -> String {
    let mut shown: Vec<String> = events
        .iter()
        .map(|event| {
            let parts = [
                (event.readable, "r"),
                (event.writable, "w"),
                (event.is_interrupt(), "i"),
                (event.is_priority(), "p"),
                (event.is_err() == Some(true), "e"),
            ];
            let parts: String = parts.iter().filter(|(set, _)| *set).map(|(_, part)| *part).collect();
            format!("{}{parts}", event.key)
        })
        .collect();
    // The order of events is the kernel's.
    shown.sort();
    format!("[{}]", shown.join(" "))
}

fn wait(poller: &Poller, timeout: Option<Duration>) -> io::Result<String> {
    let mut events = Events::new();
    // On Windows, polling dequeues packets only once if the timeout is zero, and some events need several packets: a
    // request that was cancelled completes before the next request is submitted.
    let attempts = if cfg!(windows) && timeout == ZERO { 8 } else { 1 };
    for _ in 0..attempts {
        let count = poller.wait(&mut events, timeout)?;
        assert_eq!(count, events.iter().count());
        if count > 0 {
            break;
        }
    }
    Ok(show(&events))
}

/// Starts a wait in another thread, and returns when that thread is blocked in it.
fn wait_in_another_thread<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    poller: &'scope Poller,
    timeout: Option<Duration>,
) -> thread::ScopedJoinHandle<'scope, io::Result<String>> {
    let (sender, receiver) = mpsc::channel();
    let waiting = scope.spawn(move || {
        sender.send(threads::number()).unwrap();
        wait(poller, timeout)
    });
    threads::wait_until_blocked(receiver.recv().unwrap());
    waiting
}

fn kind<T: fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "Ok".into(),
        Err(err) => format!("{:?}", err.kind()),
    }
}

/// Three waits, then `modify` with the same interest and mode, then two waits.
fn observe((source, _others): sockets::Situation, interest: Event, mode: PollMode) -> io::Result<String> {
    let poller = Poller::new()?;
    // SAFETY: the source is deleted below.
    unsafe { poller.add_with_mode(&source, interest, mode)? };
    let mut observed = String::new();
    for _ in 0..3 {
        observed += &wait(&poller, ZERO)?;
    }
    poller.modify_with_mode(&source, interest, mode)?;
    for _ in 0..2 {
        observed += &wait(&poller, ZERO)?;
    }
    poller.delete(&source)?;
    Ok(observed + &wait(&poller, ZERO)?)
}

fn errors() -> io::Result<String> {
    let poller = Poller::new()?;
    let (source, _peer) = sockets::connect();
    let mut observed = Vec::new();
    observed.push(kind(poller.modify(&source, Event::none(1))));
    observed.push(kind(poller.delete(&source)));
    // SAFETY: epoll removes a source that is closed.
    unsafe {
        observed.push(kind(poller.add(&source, Event::all(usize::MAX))));
        observed.push(kind(poller.add(&source, Event::all(usize::MAX - 1))));
        observed.push(kind(poller.add(&source, Event::all(1))));
        observed.push(kind(poller.add(999_999_999, Event::all(1))));
        // Not on Windows: for a file, Wine's `SIO_BASE_HANDLE` succeeds, so polling's `add` does too.
        #[cfg(unix)]
        observed.push(kind(poller.add(&std::fs::File::open("/dev/null")?, Event::all(1))));
        observed.push(kind(poller.add(sockets::number(&poller), Event::all(1))));
    }
    observed.push(kind(poller.modify(&source, Event::all(usize::MAX))));
    observed.push(kind(poller.delete(&source)));
    observed.push(kind(poller.delete(&source)));
    observed.push(format!("{} {}", poller.supports_level(), poller.supports_edge()));
    Ok(observed.join(", "))
}

fn data_arrives_later(mode: PollMode, urgent: bool) -> io::Result<String> {
    let mut observed = String::new();
    let poller = Poller::new()?;
    let (source, mut peer) = sockets::connect();
    // SAFETY: the source is deleted below.
    unsafe { poller.add_with_mode(&source, Event::readable(7), mode)? };
    for drain in [false, false, true, false] {
        if drain {
            sockets::drain(&source);
        }
        if urgent {
            sockets::send_urgent(&peer);
        } else {
            peer.write_all(b"more")?;
        }
        observed += &wait(&poller, ZERO)?;
    }
    drop(peer);
    sockets::drain(&source);
    observed += &wait(&poller, ZERO)?;
    poller.delete(&source)?;
    Ok(observed)
}

fn modify_to_mode(first: PollMode, second: PollMode) -> io::Result<String> {
    let mut observed = String::new();
    let poller = Poller::new()?;
    let (source, mut peer) = sockets::connect();
    peer.write_all(b"data")?;
    // SAFETY: the source is deleted below.
    unsafe { poller.add_with_mode(&source, Event::all(1), first)? };
    observed += &wait(&poller, ZERO)?;
    poller.modify_with_mode(&source, Event::readable(2), second)?;
    for _ in 0..2 {
        observed += &wait(&poller, ZERO)?;
    }
    poller.modify(&source, Event::none(3))?;
    observed += &wait(&poller, ZERO)?;
    poller.delete(&source)?;
    Ok(observed)
}

fn delete() -> io::Result<String> {
    let poller = Poller::new()?;
    let (source, mut peer) = sockets::connect();
    peer.write_all(b"data")?;
    let mut observed = String::new();
    for key in 0..3 {
        // SAFETY: the source is deleted below.
        unsafe { poller.add_with_mode(&source, Event::readable(key), PollMode::Level)? };
        observed += &wait(&poller, LONG)?;
        poller.delete(&source)?;
        observed += &wait(&poller, ZERO)?;
    }
    Ok(observed)
}

fn delete_while_waiting() -> io::Result<String> {
    let poller = Poller::new()?;
    let (source, mut peer) = sockets::connect();
    // SAFETY: the source is deleted below.
    unsafe { poller.add(&source, Event::readable(1))? };
    thread::scope(|scope| {
        let waiting = wait_in_another_thread(scope, &poller, LONG);
        poller.delete(&source)?;
        peer.write_all(b"data")?;
        // A wait that reported the deleted source would end now. That it does not end has no state to wait for.
        thread::sleep(Duration::from_millis(20));
        poller.notify()?;
        waiting.join().unwrap()
    })
}

fn notify() -> io::Result<String> {
    let poller = Poller::new()?;
    poller.notify()?;
    poller.notify()?;
    let mut observed = wait(&poller, None)?;
    thread::scope(|scope| {
        let waiting = wait_in_another_thread(scope, &poller, None);
        poller.notify()?;
        observed += &waiting.join().unwrap()?;
        Ok(observed)
    })
}

fn notify_with_an_event() -> io::Result<String> {
    let poller = Poller::new()?;
    let (source, _peer) = sockets::connect();
    // SAFETY: the source is deleted below.
    unsafe { poller.add(&source, Event::writable(1))? };
    poller.notify()?;
    let observed = wait(&poller, LONG)? + &wait(&poller, ZERO)?;
    poller.delete(&source)?;
    Ok(observed)
}

fn append() -> io::Result<String> {
    let poller = Poller::new()?;
    let (source, _peer) = sockets::connect();
    let mut events = Events::new();
    let mut observed = Vec::new();
    // SAFETY: the source is deleted below.
    unsafe { poller.add(&source, Event::writable(1))? };
    for key in 2..5 {
        observed.push(format!("{} {}", poller.wait(&mut events, LONG)?, show(&events)));
        poller.modify(&source, Event::writable(key))?;
    }
    poller.delete(&source)?;
    observed.push(format!("{} {}", poller.wait(&mut events, ZERO)?, show(&events)));
    events.clear();
    observed.push(format!("{} {} {}", events.len(), events.is_empty(), events.capacity()));
    Ok(observed.join(", "))
}

/// More sources than the list has room for: every source is reported in the end.
fn small_list() -> io::Result<String> {
    let mut observed = String::new();
    for capacity in 1..5 {
        let poller = Poller::new()?;
        let sources: Vec<_> = (0..6).map(|_| sockets::connect()).collect();
        for (key, (source, _)) in sources.iter().enumerate() {
            // SAFETY: the sources are deleted below.
            unsafe { poller.add(source, Event::writable(key))? };
        }
        let mut events = Events::with_capacity(NonZeroUsize::new(capacity).unwrap());
        let mut seen = [0; 6];
        for _ in 0..20 {
            events.clear();
            poller.wait(&mut events, ZERO)?;
            assert!(events.len() <= capacity);
            events.iter().for_each(|event| seen[event.key] += 1);
        }
        for (source, _) in &sources {
            poller.delete(source)?;
        }
        observed += &format!("{seen:?}");
    }
    Ok(observed)
}

/// A list that is full and not cleared.
fn full_list() -> io::Result<String> {
    let poller = Poller::new()?;
    let sources = [sockets::connect().0, sockets::connect().0];
    let mut events = Events::with_capacity(NonZeroUsize::new(1).unwrap());
    let mut observed = Vec::new();
    for (key, source) in sources.iter().enumerate() {
        // SAFETY: the sources are deleted below.
        unsafe { poller.add(source, Event::writable(key))? };
        let wait = AssertUnwindSafe(|| poller.wait(&mut events, LONG));
        observed.push(match catch_unwind(wait) {
            Ok(result) => format!("{} {}", kind(result), show(&events)),
            Err(_) => "panic".into(),
        });
    }
    for source in &sources {
        poller.delete(source)?;
    }
    Ok(observed.join(", "))
}

fn two_waits() -> io::Result<String> {
    let poller = Poller::new()?;
    thread::scope(|scope| {
        let waiting = wait_in_another_thread(scope, &poller, LONG);
        let second = wait(&poller, LONG)?;
        poller.notify()?;
        Ok(second + &waiting.join().unwrap()?)
    })
}

fn duplicate() -> io::Result<String> {
    let poller = Poller::new()?;
    let (source, _peer) = sockets::connect();
    let other = source.try_clone()?;
    // SAFETY: the sources are deleted below.
    unsafe {
        poller.add(&source, Event::writable(1))?;
        poller.add(&other, Event::writable(2))?;
    }
    let observed = wait(&poller, LONG)?;
    poller.delete(&source)?;
    poller.delete(&other)?;
    Ok(observed)
}

fn deadline() -> io::Result<String> {
    use std::time::Instant;
    let poller = Poller::new()?;
    let (mut events, start) = (Events::new(), Instant::now());
    let mut observed = Vec::new();
    observed.push(poller.wait_deadline(&mut events, start + Duration::from_millis(10))?.to_string());
    observed.push((start.elapsed() >= Duration::from_millis(10)).to_string());
    observed.push(poller.wait_deadline(&mut events, start)?.to_string());
    poller.notify()?;
    observed.push(poller.wait(&mut events, Some(Duration::MAX))?.to_string());
    Ok(observed.join(", "))
}

/// A signal does not end a wait. Events of earlier waits are in the list.
#[cfg(unix)]
fn signal() -> io::Result<String> {
    use std::sync::atomic::{AtomicBool, Ordering};
    static RECEIVED: AtomicBool = AtomicBool::new(false);
    extern "C" fn receive(_signal: libc::c_int) {
        RECEIVED.store(true, Ordering::SeqCst);
    }
    // SAFETY: the handler only stores a value.
    unsafe { libc::signal(libc::SIGUSR1, receive as *const () as usize) };
    let poller = Poller::new()?;
    let (source, _peer) = sockets::connect();
    let mut events = Events::new();
    // SAFETY: the source is deleted below.
    unsafe { poller.add(&source, Event::writable(1))? };
    poller.wait(&mut events, LONG)?;
    // SAFETY: the call has no precondition.
    let thread = unsafe { libc::pthread_self() } as usize;
    let number = threads::number();
    thread::scope(|scope| {
        scope.spawn(|| {
            threads::wait_until_blocked(number);
            // SAFETY: the thread waits for this one.
            unsafe { libc::pthread_kill(thread as libc::pthread_t, libc::SIGUSR1) };
            while !RECEIVED.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            // The interrupted wait starts again.
            threads::wait_until_blocked(number);
            poller.notify().unwrap();
        });
        poller.wait(&mut events, LONG)
    })?;
    poller.delete(&source)?;
    Ok(show(&events))
}

/// A handle that is signaled: the handle of a thread that has ended.
#[cfg(windows)]
fn handle() -> io::Result<String> {
    use polling::os::iocp::PollerIocpExt;
    let ended = thread::spawn(|| {});
    while !ended.is_finished() {
        thread::yield_now();
    }
    // A thread of the system's thread pool waits for the handle and posts a packet, so the packet may come later.
    let timeout = |expected| if expected { LONG } else { Some(Duration::from_millis(20)) };
    let mut observed = Vec::new();
    for mode in MODES {
        for (name, interest) in interests() {
            let poller = Poller::new()?;
            // SAFETY: the handle is removed below.
            let result = unsafe { poller.add_waitable(&ended, interest, mode) };
            let added = result.is_ok();
            observed.push(format!("{mode:?}, {name}: {}", kind(result)));
            let (expected, level) = (interest.readable || interest.writable, matches!(mode, PollMode::Level));
            observed.push(wait(&poller, timeout(added && expected))?);
            observed.push(wait(&poller, timeout(added && expected && level))?);
            observed.push(kind(poller.modify_waitable(&ended, interest, mode)));
            observed.push(wait(&poller, timeout(added && expected))?);
            observed.push(kind(poller.remove_waitable(&ended)));
            observed.push(kind(poller.remove_waitable(&ended)));
            observed.push(kind(poller.modify_waitable(&ended, interest, mode)));
        }
    }
    Ok(observed.join(", "))
}

#[cfg(windows)]
fn packets() -> io::Result<String> {
    use polling::os::iocp::{CompletionPacket, PollerIocpExt};
    let poller = Poller::new()?;
    let mut observed = Vec::new();
    for (name, event) in interests() {
        poller.post(CompletionPacket::new(event))?;
        observed.push(format!("{name}: {} {}", wait(&poller, LONG)?, wait(&poller, ZERO)?));
    }
    Ok(observed.join(", "))
}

fn parts() -> io::Result<String> {
    let mut event = Event::new(3, true, false).with_interrupt().with_priority();
    let mut observed = vec![format!("{} {}", event.is_interrupt(), event.is_priority())];
    event.set_interrupt(false);
    observed.push(format!("{} {}", event.is_interrupt(), event.is_priority()));
    observed.push(format!("{}", event == event.with_no_extra()));
    event.clear_extra();
    observed.push(format!("{}", event == Event::readable(3)));
    observed.push(format!("{:?}", event.is_err()));
    Ok(observed.join(", "))
}
