//! `SourceHandle`: any handle for which a thread can wait, as a source.

#![cfg(windows)]

use std::io::ErrorKind;
use std::os::windows::io::{AsRawHandle, RawHandle};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::windows::SourceHandle;
use minimio::{Events, Interest, Poll, Registry, Token};

use crate::support::object::{Object, EVENT_MODIFY_STATE};
use crate::support::*;

const AUTO: bool = false;
const MANUAL: bool = true;

fn register(poll: &Poll, object: &Object, token: Token, interest: Interest) {
    poll.registry().register(&mut SourceHandle(&object.raw()), token, interest).unwrap();
}

fn reregister(poll: &Poll, object: &Object, token: Token, interest: Interest) {
    poll.registry().reregister(&mut SourceHandle(&object.raw()), token, interest).unwrap();
}

fn deregister(registry: &Registry, object: &Object) {
    registry.deregister(&mut SourceHandle(&object.raw())).unwrap();
}

/// Polls without blocking. Returns the tokens of the events.
fn tokens_now(poll: &mut Poll, events: &mut Events) -> Vec<Token> {
    poll.poll(events, Some(Duration::ZERO)).unwrap();
    events.iter().map(|event| event.token()).collect()
}

/// Waits until the thread pool has taken the signal of an event with automatic reset. A wait for an event that the test
/// resets itself would consume a later signal.
fn wait_until_taken(event: &Object) {
    let end = Instant::now() + WAIT_LIMIT;
    while event.take_signal() {
        event.set();
        assert!(Instant::now() < end, "the pool does not wait for the event");
        thread::yield_now();
    }
}

// Events.

#[test]
fn a_signal_is_reported_as_readable_only() {
    for reset in [AUTO, MANUAL] {
        let (mut poll, mut events) = poll();
        let event = Object::event(reset);
        register(&poll, &event, SOURCE, BOTH);
        expect_no_event(&mut poll, &mut events);
        event.set();
        let batch = next_batch(&mut poll, &mut events);
        assert_eq!(batch.len(), 1);
        let reported = &batch[0];
        assert_eq!(reported.token(), SOURCE);
        assert!(reported.is_readable() && !reported.is_writable() && !reported.is_error(), "{reported:?}");
        assert!(!reported.is_read_closed() && !reported.is_write_closed(), "{reported:?}");
    }
}

#[test]
fn a_signal_ends_a_blocked_poll() {
    let (mut poll, mut events) = poll();
    let event = Arc::new(Object::event(AUTO));
    register(&poll, &event, SOURCE, READ.level());
    let setter = thread::spawn({
        let event = Arc::clone(&event);
        move || (0..20).for_each(|_| wait_until_taken_after_set(&event))
    });
    for _ in 0..20 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    setter.join().unwrap();
    expect_no_event(&mut poll, &mut events);
}

/// Sets an event with automatic reset, and waits until a wait has consumed the signal.
fn wait_until_taken_after_set(event: &Object) {
    event.set();
    wait_until_taken(event);
}

#[test]
fn a_signal_before_the_registration_is_reported_even_without_blocking() {
    for reset in [AUTO, MANUAL] {
        for mode in [Interest::edge, Interest::level, Interest::oneshot] {
            let (mut poll, mut events) = poll();
            let event = Object::event(reset);
            event.set();
            register(&poll, &event, SOURCE, mode(READ));
            assert_eq!(tokens_now(&mut poll, &mut events), [SOURCE]);
        }
    }
}

#[test]
fn an_event_with_manual_reset_in_level_mode_is_reported_by_every_poll_while_it_is_signalled() {
    let (mut poll, mut events) = poll();
    let event = Object::event(MANUAL);
    register(&poll, &event, SOURCE, READ.level());
    for _ in 0..3 {
        expect_no_event(&mut poll, &mut events);
        event.set();
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        for _ in 0..10 {
            assert_eq!(tokens_now(&mut poll, &mut events), [SOURCE]);
        }
        event.reset();
    }
}

#[test]
fn an_event_with_automatic_reset_in_level_mode_is_reported_once_for_each_signal() {
    let (mut poll, mut events) = poll();
    let event = Object::event(AUTO);
    register(&poll, &event, SOURCE, READ.level());
    for _ in 0..10 {
        event.set();
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        assert_eq!(tokens_now(&mut poll, &mut events), []);
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_handle_in_edge_or_oneshot_mode_is_reported_once_until_it_is_reregistered() {
    for mode in [Interest::edge, Interest::oneshot] {
        for reset in [AUTO, MANUAL] {
            let (mut poll, mut events) = poll();
            let event = Object::event(reset);
            register(&poll, &event, SOURCE, mode(READ));
            for _ in 0..3 {
                event.set();
                assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
                event.reset();
                event.set();
                expect_no_event(&mut poll, &mut events);
                // The second signal is still in the event.
                reregister(&poll, &event, SOURCE, mode(READ));
                assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
                event.reset();
                reregister(&poll, &event, SOURCE, mode(READ));
                expect_no_event(&mut poll, &mut events);
            }
        }
    }
}

// Other objects.

#[test]
fn each_unit_of_a_semaphore_is_reported_once() {
    let (mut poll, mut events) = poll();
    let semaphore = Object::semaphore(2);
    register(&poll, &semaphore, SOURCE, READ.level());
    assert_eq!(tokens_now(&mut poll, &mut events), [SOURCE]);
    assert_eq!(tokens_now(&mut poll, &mut events), [SOURCE]);
    expect_no_event(&mut poll, &mut events);
    semaphore.release(3);
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    expect_no_event(&mut poll, &mut events);
    // In oneshot mode, the second unit stays in the semaphore.
    reregister(&poll, &semaphore, SOURCE, READ.oneshot());
    semaphore.release(2);
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    expect_no_event(&mut poll, &mut events);
    assert!(semaphore.take_signal() && !semaphore.take_signal());
}

#[test]
fn a_timer_of_the_system_is_reported_when_it_expires() {
    for reset in [AUTO, MANUAL] {
        let (mut poll, mut events) = poll();
        let start = Instant::now();
        let timer = Object::timer(reset, 30);
        register(&poll, &timer, SOURCE, READ);
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        // The system's timer can be a tick early.
        assert!(start.elapsed() > Duration::from_millis(10));
    }
}

#[test]
fn a_thread_that_has_ended_stays_signalled() {
    let (mut poll, mut events) = poll();
    let thread = thread::spawn(|| {});
    let handle = thread.as_raw_handle();
    poll.registry().register(&mut SourceHandle(&handle), SOURCE, READ).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    expect_no_event(&mut poll, &mut events);
    poll.registry().reregister(&mut SourceHandle(&handle), SOURCE, READ.level()).unwrap();
    for _ in 0..3 {
        assert_eq!(tokens_now(&mut poll, &mut events), [SOURCE]);
    }
    thread.join().unwrap();
}

// Registrations.

#[test]
fn a_consumed_signal_is_reported_even_if_the_registration_changes_before_the_poll() {
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let (mut poll, mut events) = poll();
        let event = Object::event(AUTO);
        register(&poll, &event, Token(1), mode(READ));
        for token in [Token(2), Token(3), Token(4)] {
            // After this poll, the pool waits for the event.
            expect_no_event(&mut poll, &mut events);
            wait_until_taken_after_set(&event);
            reregister(&poll, &event, token, mode(READ));
            assert_eq!(next_tokens(&mut poll, &mut events), [token]);
            expect_no_event(&mut poll, &mut events);
            reregister(&poll, &event, token, mode(READ));
        }
    }
}

#[test]
fn a_deregistered_handle_is_not_reported() {
    for is_polled_first in [false, true] {
        let (mut poll, mut events) = poll();
        let event = Object::event(AUTO);
        register(&poll, &event, SOURCE, READ.level());
        if is_polled_first {
            expect_no_event(&mut poll, &mut events);
            wait_until_taken_after_set(&event);
        }
        deregister(poll.registry(), &event);
        expect_no_event(&mut poll, &mut events);
        // No wait consumes the signal of a deregistered event.
        event.set();
        expect_no_event(&mut poll, &mut events);
        assert!(event.take_signal());
        register(&poll, &event, Token(2), READ);
        expect_no_event(&mut poll, &mut events);
        event.set();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
    }
}

#[test]
fn registering_a_source_handle_again_replaces_its_registration() {
    let [(mut first, mut events), (mut second, _)] = [poll(), poll()];
    let event = Object::event(MANUAL);
    for token in 0..4 {
        register(&first, &event, Token(token), READ.level());
        // With and without a wait.
        if token % 2 == 0 {
            expect_no_event(&mut first, &mut events);
        }
    }
    event.set();
    assert_eq!(next_tokens(&mut first, &mut events), [Token(3)]);
    // Another poll has its own registration.
    register(&second, &event, SOURCE, READ.level());
    assert_eq!(next_tokens(&mut second, &mut events), [SOURCE]);
    assert_eq!(next_tokens(&mut first, &mut events), [Token(3)]);
    deregister(first.registry(), &event);
    expect_no_event(&mut first, &mut events);
    assert_eq!(next_tokens(&mut second, &mut events), [SOURCE]);
}

#[test]
fn a_closed_handle_stays_registered_until_its_number_is_deregistered() {
    let (mut poll, mut events) = poll();
    let event = Object::event(AUTO);
    let other = event.with_access(EVENT_MODIFY_STATE);
    register(&poll, &event, SOURCE, READ.level());
    expect_no_event(&mut poll, &mut events);
    let number = event.raw();
    drop(event);
    other.set();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    poll.registry().deregister(&mut SourceHandle(&number)).unwrap();
    other.set();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn the_number_of_a_closed_handle_can_be_registered_for_another_object() {
    let (mut poll, mut events) = poll();
    for _ in 0..10 {
        let old = Object::event(MANUAL);
        let signal = old.with_access(EVENT_MODIFY_STATE);
        register(&poll, &old, Token(1), READ.level());
        expect_no_event(&mut poll, &mut events);
        let number = old.raw();
        drop(old);
        // Most of the time, the system uses the number again at once.
        let new = Object::event(MANUAL);
        let is_reused = new.raw() == number;
        register(&poll, &new, Token(2), READ.level());
        signal.set();
        if is_reused {
            expect_no_event(&mut poll, &mut events);
        } else {
            assert_eq!(next_tokens(&mut poll, &mut events), [Token(1)]);
            poll.registry().deregister(&mut SourceHandle(&number)).unwrap();
        }
        new.set();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
        deregister(poll.registry(), &new);
    }
}

#[test]
fn reregistering_or_deregistering_an_unregistered_source_handle_fails_with_not_found() {
    let (poll, _) = poll();
    let event = Object::event(AUTO);
    event.set();
    let raw = event.raw();
    let mut source = SourceHandle(&raw);
    assert_eq!(kind(poll.registry().reregister(&mut source, SOURCE, READ)), ErrorKind::NotFound);
    assert_eq!(kind(poll.registry().deregister(&mut source)), ErrorKind::NotFound);
    assert!(event.take_signal());
}

#[test]
fn registering_a_handle_without_readable_interest_fails_with_invalid_input() {
    let (poll, _) = poll();
    let event = Object::event(AUTO);
    let raw = event.raw();
    let mut source = SourceHandle(&raw);
    let err = poll.registry().register(&mut source, SOURCE, WRITE).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidInput);
    assert!(err.to_string().contains("READABLE"), "{err}");
    assert_eq!(kind(poll.registry().deregister(&mut source)), ErrorKind::NotFound);
    register(&poll, &event, SOURCE, READ);
    assert_eq!(kind(poll.registry().reregister(&mut source, SOURCE, WRITE)), ErrorKind::InvalidInput);
    deregister(poll.registry(), &event);
}

#[test]
fn registering_a_handle_for_which_no_thread_can_wait_is_an_error() {
    let (mut poll, mut events) = poll();
    let section = Object::section();
    // Not the number of a closed handle: another test could open a handle with the same number.
    let unused = 0x7fff_fff0 as RawHandle;
    let event = Object::event(AUTO).with_access(EVENT_MODIFY_STATE);
    // `ERROR_INVALID_HANDLE` and `ERROR_ACCESS_DENIED`.
    let cases: [(RawHandle, &[i32]); 5] = [
        (unused, &[6]),
        (ptr::null_mut(), &[6]),
        (!0_usize as RawHandle, &[6]),
        (section.raw(), &[5, 6]),
        (event.raw(), &[5]),
    ];
    for (handle, codes) in cases {
        for _ in 0..2 {
            let err = poll.registry().register(&mut SourceHandle(&handle), SOURCE, READ).unwrap_err();
            assert!(err.raw_os_error().map_or(false, |code| codes.contains(&code)), "{handle:?}: {err}");
        }
        assert_eq!(kind(poll.registry().deregister(&mut SourceHandle(&handle))), ErrorKind::NotFound);
    }
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn reregistering_the_number_of_a_closed_handle_keeps_its_object() {
    let (mut poll, mut events) = poll();
    let event = Object::event(AUTO);
    let signal = event.with_access(EVENT_MODIFY_STATE);
    register(&poll, &event, SOURCE, READ.level());
    let number = event.raw();
    drop(event);
    poll.registry().reregister(&mut SourceHandle(&number), Token(2), READ.level()).unwrap();
    expect_no_event(&mut poll, &mut events);
    signal.set();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
}

// Many handles, and threads.

#[test]
fn a_thousand_handles_are_each_reported() {
    let (mut poll, _) = poll();
    let mut events = Events::with_capacity(100);
    let objects: Vec<_> = (0..1000).map(|_| Object::event(AUTO)).collect();
    for (i, object) in objects.iter().enumerate() {
        register(&poll, object, Token(i), READ.level());
    }
    expect_no_event(&mut poll, &mut events);
    for _ in 0..3 {
        objects.iter().for_each(Object::set);
        let mut reported = vec![0; objects.len()];
        while reported.contains(&0) {
            next_tokens(&mut poll, &mut events).into_iter().for_each(|token| reported[token.0] += 1);
        }
        assert_eq!(reported, [1; 1000]);
    }
    expect_no_event(&mut poll, &mut events);
    objects.iter().for_each(Object::set);
    drop(poll);
}

#[test]
fn each_unit_is_reported_once_while_other_threads_signal_and_reregister() {
    const UNITS: usize = 2000;
    let (mut poll, mut events) = poll();
    let semaphore = Arc::new(Object::semaphore(0));
    register(&poll, &semaphore, SOURCE, READ.level());
    let registry = poll.registry().try_clone().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let changer = thread::spawn({
        let (semaphore, is_over) = (Arc::clone(&semaphore), Arc::clone(&is_over));
        move || {
            while !is_over.load(Ordering::Relaxed) {
                registry.reregister(&mut SourceHandle(&semaphore.raw()), SOURCE, READ.level()).unwrap();
            }
        }
    });
    let signaller = thread::spawn({
        let semaphore = Arc::clone(&semaphore);
        move || (0..UNITS).for_each(|_| semaphore.release(1))
    });
    for _ in 0..UNITS {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    is_over.store(true, Ordering::Relaxed);
    changer.join().unwrap();
    signaller.join().unwrap();
    expect_no_event(&mut poll, &mut events);
    assert!(!semaphore.take_signal());
}

#[test]
fn threads_register_and_deregister_while_others_signal_and_poll() {
    const ROUNDS: usize = 300;
    let (mut poll, mut events) = poll();
    let event = Arc::new(Object::event(AUTO));
    let running = Arc::new(AtomicUsize::new(2));
    let registering = (0..2).map(|_| {
        let (registry, event, running) =
            (poll.registry().try_clone().unwrap(), Arc::clone(&event), Arc::clone(&running));
        thread::spawn(move || {
            for _ in 0..ROUNDS {
                registry.register(&mut SourceHandle(&event.raw()), SOURCE, READ.level()).unwrap();
                event.set();
                // The other thread may have deregistered the handle.
                let _not_found = registry.deregister(&mut SourceHandle(&event.raw()));
            }
            running.fetch_sub(1, Ordering::Relaxed);
        })
    });
    let registering: Vec<_> = registering.collect();
    let end = Instant::now() + WAIT_LIMIT;
    while running.load(Ordering::Relaxed) > 0 {
        poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
        assert!(Instant::now() < end);
    }
    registering.into_iter().for_each(|thread| thread.join().unwrap());
    let _not_found = poll.registry().deregister(&mut SourceHandle(&event.raw()));
    expect_no_event(&mut poll, &mut events);
    register(&poll, &event, Token(2), READ);
    event.set();
    assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
}
