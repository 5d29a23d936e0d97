//! `SourceFilter`: any filter of a kqueue as a source.

#![cfg(unix)]
#![cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    minimio_kqueue
))]

use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};

use minimio::signal::Signal;
use minimio::unix::SourceFilter;
use minimio::{Event, Interest, Token, Waker};

use crate::support::*;

const IS_NETBSD: bool = cfg!(target_os = "netbsd");
const EVFILT_READ: i16 = if IS_NETBSD { 0 } else { -1 };
const EVFILT_WRITE: i16 = if IS_NETBSD { 1 } else { -2 };
const EVFILT_PROC: i16 = if IS_NETBSD { 4 } else { -5 };
const EVFILT_SIGNAL: i16 = if IS_NETBSD { 5 } else { -6 };
const EVFILT_TIMER: i16 = if IS_NETBSD { 6 } else { -7 };
const EVFILT_USER: i16 = match () {
    () if IS_NETBSD => 8,
    () if cfg!(target_os = "freebsd") => -11,
    () if cfg!(target_os = "dragonfly") => -9,
    () => -10,
};
const NOTE_EXIT: u32 = 0x8000_0000;

fn timer(milliseconds: i64) -> SourceFilter {
    SourceFilter { filter: EVFILT_TIMER, ident: 7, fflags: 0, data: milliseconds }
}

fn exit_of(child: &Child) -> SourceFilter {
    SourceFilter { filter: EVFILT_PROC, ident: child.id() as usize, fflags: NOTE_EXIT, data: 0 }
}

/// Starts a process that runs until its standard input is closed.
fn child() -> Child {
    Command::new("cat").stdin(Stdio::piped()).spawn().unwrap()
}

#[test]
fn an_event_of_a_filter_is_readable_and_has_the_token() {
    let (mut poll, mut events) = poll();
    for token in [SOURCE, Token(0), Token(usize::MAX)] {
        poll.registry().register(&mut timer(1), token, READ).unwrap();
        let event = wait_for(&mut poll, &mut events, token, Event::is_readable);
        let others = [
            event.is_writable(),
            event.is_error(),
            event.is_read_closed(),
            event.is_write_closed(),
            event.is_hang_up(),
            event.is_priority(),
            event.is_aio(),
            event.is_lio(),
        ];
        assert_eq!(others, [false; 8], "{event:?}");
    }
    poll.registry().deregister(&mut timer(1)).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn the_exit_of_a_process_is_reported_once_and_is_no_error() {
    for interest in [READ, READ.level(), READ.oneshot()] {
        let (mut poll, mut events) = poll();
        let mut child = child();
        poll.registry().register(&mut exit_of(&child), SOURCE, interest).unwrap();
        expect_no_event(&mut poll, &mut events);
        drop(child.stdin.take());
        let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_readable);
        assert!(!event.is_error() && !event.is_hang_up(), "{event:?}");
        expect_no_event(&mut poll, &mut events);
        // Before and after the zombie was reaped.
        for _ in 0..2 {
            let reregistered = poll.registry().reregister(&mut exit_of(&child), SOURCE, interest);
            assert_eq!(kind(reregistered), ErrorKind::NotFound);
            assert_eq!(kind(poll.registry().deregister(&mut exit_of(&child))), ErrorKind::NotFound);
            child.wait().unwrap();
        }
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn a_signal_is_reported_in_edge_and_oneshot_mode() {
    let (mut poll, mut events) = poll();
    let mut signal =
        SourceFilter { filter: EVFILT_SIGNAL, ident: Signal::WINDOW_CHANGE.as_raw() as usize, fflags: 0, data: 0 };
    poll.registry().register(&mut signal, SOURCE, READ).unwrap();
    for _ in 0..3 {
        raise::raise(Signal::WINDOW_CHANGE);
        raise::raise(Signal::WINDOW_CHANGE);
        wait_until_readable(&mut poll, &mut events);
        expect_no_event(&mut poll, &mut events);
    }
    poll.registry().reregister(&mut signal, SOURCE, READ.oneshot()).unwrap();
    for _ in 0..3 {
        raise::raise(Signal::WINDOW_CHANGE);
        wait_until_readable(&mut poll, &mut events);
        raise::raise(Signal::WINDOW_CHANGE);
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut signal, SOURCE, READ.oneshot()).unwrap();
    }
    poll.registry().deregister(&mut signal).unwrap();
    raise::raise(Signal::WINDOW_CHANGE);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn an_exit_before_reregister_is_reported_in_the_same_mode() {
    for interest in [READ, READ.level(), READ.oneshot()] {
        let mut others = [poll(), poll()];
        let (mut poll, mut events) = poll();
        let mut child = child();
        others[0].0.registry().register(&mut exit_of(&child), SOURCE, READ).unwrap();
        poll.registry().register(&mut exit_of(&child), SOURCE, interest).unwrap();
        others[1].0.registry().register(&mut exit_of(&child), SOURCE, READ).unwrap();
        drop(child.stdin.take());
        // The kernel queues the exit in the order of registration, or in the reverse order. Once both other polls have
        // reported it, the kernel has queued it here too.
        for (other, events) in &mut others {
            wait_until_readable(other, events);
        }
        poll.registry().reregister(&mut exit_of(&child), Token(2), interest).unwrap();
        wait_for(&mut poll, &mut events, Token(2), Event::is_readable);
        expect_no_event(&mut poll, &mut events);
        child.wait().unwrap();
    }
}

#[test]
fn a_signal_before_reregister_is_reported_in_the_same_mode() {
    // Another test of this process raises `WINDOW_CHANGE`.
    let mut signal =
        SourceFilter { filter: EVFILT_SIGNAL, ident: Signal::CONTINUE.as_raw() as usize, fflags: 0, data: 0 };
    for interest in [READ, READ.level(), READ.oneshot()] {
        let (mut poll, mut events) = poll();
        poll.registry().register(&mut signal, SOURCE, interest).unwrap();
        for token in [Token(2), Token(3)] {
            raise::raise(Signal::CONTINUE);
            poll.registry().reregister(&mut signal, token, interest).unwrap();
            wait_for(&mut poll, &mut events, token, Event::is_readable);
            expect_no_event(&mut poll, &mut events);
        }
        // A registration after `deregister` has no event of the time before.
        poll.registry().deregister(&mut signal).unwrap();
        raise::raise(Signal::CONTINUE);
        poll.registry().register(&mut signal, SOURCE, interest).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn a_oneshot_timer_stays_silent_until_it_is_reregistered() {
    let (mut poll, mut events) = poll();
    poll.registry().register(&mut timer(1), SOURCE, READ.oneshot()).unwrap();
    for _ in 0..3 {
        wait_until_readable(&mut poll, &mut events);
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut timer(1), SOURCE, READ.oneshot()).unwrap();
    }
}

#[test]
fn reregister_starts_a_timer_again() {
    let (mut poll, mut events) = poll();
    for interest in [READ, READ.level(), READ.oneshot()] {
        poll.registry().register(&mut timer(1), SOURCE, interest).unwrap();
        // The timer expires, and the kernel queues its event.
        std::thread::sleep(SHORT_WAIT);
        poll.registry().reregister(&mut timer(100_000), SOURCE, interest).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn a_second_registration_replaces_the_first_and_reregister_needs_one() {
    let (mut poll, mut events) = poll();
    let registry = poll.registry().try_clone().unwrap();
    for result in [registry.reregister(&mut timer(1), SOURCE, READ), registry.deregister(&mut timer(1))] {
        assert_eq!(kind(result), ErrorKind::NotFound);
    }
    expect_no_event(&mut poll, &mut events);
    registry.register(&mut timer(1), SOURCE, READ).unwrap();
    registry.register(&mut timer(2), Token(2), READ).unwrap();
    for _ in 0..5 {
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    }
    registry.deregister(&mut timer(0)).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn the_knotes_of_the_poll_and_of_descriptors_cannot_be_registered_or_deleted() {
    use std::os::unix::io::AsRawFd;
    let (mut poll, mut events) = poll();
    let (stream, _peer) = stream_and_peer();
    let registry = poll.registry().try_clone().unwrap();
    let fd = stream.as_raw_fd() as usize;
    for (filter, ident) in [(EVFILT_USER, usize::MAX), (EVFILT_READ, fd), (EVFILT_WRITE, fd)] {
        let mut filter = SourceFilter { filter, ident, fflags: 0, data: 0 };
        for result in [
            registry.register(&mut filter, SOURCE, READ),
            registry.reregister(&mut filter, SOURCE, READ),
            registry.deregister(&mut filter),
        ] {
            assert_eq!(kind(result), ErrorKind::InvalidInput);
        }
    }
    let waker = Waker::new(&registry, Token(2)).unwrap();
    let poller = std::thread::spawn(move || next_tokens(&mut poll, &mut events));
    std::thread::sleep(SHORT_WAIT);
    waker.wake().unwrap();
    assert_eq!(poller.join().unwrap(), [Token(2)]);
}

#[test]
fn errors_of_the_system_and_an_interest_without_readable_are_returned() {
    let (mut poll, mut events) = poll();
    for interest in [WRITE, Interest::HANG_UP] {
        assert_eq!(kind(poll.registry().register(&mut timer(1), SOURCE, interest)), ErrorKind::InvalidInput);
    }
    let mut unknown = SourceFilter { filter: i16::MAX, ident: 0, fflags: 0, data: 0 };
    let result = poll.registry().register(&mut unknown, SOURCE, READ);
    assert_eq!(result.unwrap_err().raw_os_error(), Some(22), "EINVAL");
    let mut ended = child();
    drop(ended.stdin.take());
    ended.wait().unwrap();
    assert!(poll.registry().register(&mut exit_of(&ended), SOURCE, READ).is_err());
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_filter_with_the_number_of_a_descriptor_is_not_an_event_of_that_descriptor() {
    use std::os::unix::io::AsRawFd;
    let (mut poll, mut events, stream, _peer) = poll_and_stream(BOTH.oneshot());
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    let mut same_number = SourceFilter { ident: stream.as_raw_fd() as usize, ..timer(1) };
    poll.registry().register(&mut same_number, Token(2), READ).unwrap();
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    }
}
