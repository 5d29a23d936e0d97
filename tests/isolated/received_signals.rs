//! `Signals`: each test has a process of its own, because a signal is sent to a process.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use minimio::signal::{Signal, Signals};
use minimio::{Event, Interest, Poll, Token};

use crate::support::isolation::isolated;
use crate::support::raise::raise;
use crate::support::*;

/// Returns signals that are registered as `SOURCE`.
fn registered(poll: &Poll, signals: &[Signal], interest: Interest) -> Signals {
    let mut signals = Signals::new(signals).unwrap();
    poll.registry().register(&mut signals, SOURCE, interest).unwrap();
    signals
}

#[test]
fn a_signal_is_reported_and_received_once() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let signals = registered(&poll, &[Signal::INTERRUPT, Signal::QUIT], READ);
        assert_eq!(signals.receive(), None);
        expect_no_event(&mut poll, &mut events);
        for signal in [Signal::INTERRUPT, Signal::QUIT, Signal::INTERRUPT] {
            raise(signal);
            let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_readable);
            assert!(!event.is_writable() && !event.is_error() && !event.is_read_closed(), "{event:?}");
            assert_eq!((signals.receive(), signals.receive()), (Some(signal), None));
            expect_no_event(&mut poll, &mut events);
        }
    });
}

#[test]
fn signals_of_the_same_number_before_receive_are_one() {
    isolated(|| {
        let signals = Signals::new(&[Signal::INTERRUPT, Signal::QUIT, Signal::INTERRUPT]).unwrap();
        for _ in 0..1000 {
            raise(Signal::INTERRUPT);
            raise(Signal::QUIT);
        }
        let mut received: Vec<Signal> = std::iter::from_fn(|| signals.receive()).collect();
        received.sort();
        let mut expected = [Signal::INTERRUPT, Signal::QUIT];
        expected.sort();
        assert_eq!(received, expected);
    });
}

#[test]
fn a_signal_before_register_is_reported_in_every_mode() {
    isolated(|| {
        for mode in [Interest::edge, Interest::level, Interest::oneshot] {
            check_before_register(mode);
        }
    });
}

fn check_before_register(mode: fn(Interest) -> Interest) {
    let (mut poll, mut events) = poll();
    let mut signals = Signals::new(&[Signal::INTERRUPT]).unwrap();
    raise(Signal::INTERRUPT);
    poll.registry().register(&mut signals, SOURCE, mode(READ)).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    assert_eq!(signals.receive(), Some(Signal::INTERRUPT));
}

#[test]
fn in_edge_mode_each_signal_that_is_not_pending_is_reported() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let signals = registered(&poll, &[Signal::INTERRUPT, Signal::QUIT], READ);
        raise(Signal::INTERRUPT);
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        expect_no_event(&mut poll, &mut events);
        raise(Signal::QUIT);
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        // A program that receives one signal for each event receives all.
        let first = signals.receive().unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        assert_ne!(signals.receive().unwrap(), first);
        assert_eq!(signals.receive(), None);
        expect_no_event(&mut poll, &mut events);
    });
}

#[test]
fn in_level_mode_every_poll_reports_a_signal_until_it_is_received() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let signals = registered(&poll, &[Signal::INTERRUPT, Signal::QUIT], READ.level());
        raise(Signal::INTERRUPT);
        raise(Signal::QUIT);
        for expected in 0..3 {
            for _ in 0..3 {
                match expected {
                    2 => expect_no_event(&mut poll, &mut events),
                    _ => assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]),
                }
            }
            assert_eq!(signals.receive().is_some(), expected < 2);
        }
    });
}

#[test]
fn in_oneshot_mode_a_signal_is_reported_again_after_reregister() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut signals = registered(&poll, &[Signal::INTERRUPT, Signal::QUIT], READ.oneshot());
        raise(Signal::INTERRUPT);
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        raise(Signal::QUIT);
        expect_no_event(&mut poll, &mut events);
        for _ in 0..2 {
            poll.registry().reregister(&mut signals, Token(2), READ.oneshot()).unwrap();
            assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
            expect_no_event(&mut poll, &mut events);
            assert!(signals.receive().is_some());
        }
        assert_eq!(signals.receive(), None);
    });
}

#[test]
fn several_signals_of_one_number_and_of_several_polls_all_receive_it() {
    isolated(|| {
        let ((mut one, mut events), (mut other, _)) = (poll(), poll());
        let mut first = registered(&one, &[Signal::INTERRUPT], READ);
        let second = Signals::new(&[Signal::INTERRUPT, Signal::QUIT]).unwrap();
        let third = registered(&other, &[Signal::INTERRUPT], READ);
        raise(Signal::INTERRUPT);
        assert_eq!(next_tokens(&mut one, &mut events), [SOURCE]);
        assert_eq!(next_tokens(&mut other, &mut events), [SOURCE]);
        for signals in [&first, &second, &third] {
            assert_eq!((signals.receive(), signals.receive()), (Some(Signal::INTERRUPT), None));
        }
        // Those that are left receive it after the others were dropped.
        drop((second, third));
        raise(Signal::INTERRUPT);
        assert_eq!(next_tokens(&mut one, &mut events), [SOURCE]);
        assert_eq!(first.receive(), Some(Signal::INTERRUPT));
        one.registry().deregister(&mut first).unwrap();
    });
}

#[test]
fn signals_that_are_deregistered_are_received_but_not_reported() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut signals = registered(&poll, &[Signal::INTERRUPT], READ);
        poll.registry().deregister(&mut signals).unwrap();
        raise(Signal::INTERRUPT);
        expect_no_event(&mut poll, &mut events);
        poll.registry().register(&mut signals, Token(5), READ).unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(5)]);
        assert_eq!(signals.receive(), Some(Signal::INTERRUPT));
    });
}

#[test]
fn signals_record_their_registration_like_every_source() {
    isolated(|| {
        let ((poll, _), (other, _)) = (poll(), poll());
        let mut signals = Signals::new(&[Signal::INTERRUPT]).unwrap();
        let registry = poll.registry();
        assert_eq!(kind(registry.reregister(&mut signals, SOURCE, READ)), ErrorKind::NotFound);
        assert_eq!(kind(registry.deregister(&mut signals)), ErrorKind::NotFound);
        assert_eq!(kind(registry.register(&mut signals, SOURCE, WRITE)), ErrorKind::InvalidInput);
        registry.register(&mut signals, SOURCE, BOTH).unwrap();
        assert_eq!(kind(registry.register(&mut signals, SOURCE, READ)), ErrorKind::AlreadyExists);
        assert_eq!(kind(other.registry().register(&mut signals, SOURCE, READ)), ErrorKind::AlreadyExists);
        assert_eq!(kind(registry.reregister(&mut signals, SOURCE, WRITE)), ErrorKind::InvalidInput);
        registry.deregister(&mut signals).unwrap();
        other.registry().register(&mut signals, SOURCE, READ).unwrap();
    });
}

#[test]
fn a_poll_of_the_capacity_one_reports_signals_beside_other_sources() {
    isolated(|| {
        let (mut poll, _) = poll();
        let mut events = minimio::Events::with_capacity(1);
        let signals = registered(&poll, &[Signal::INTERRUPT], READ);
        let (_stream, peer) = registered_stream(&poll, Token(9), READ.level());
        std::io::Write::write_all(&mut &peer, b"x").unwrap();
        raise(Signal::INTERRUPT);
        wait_for(&mut poll, &mut events, SOURCE, Event::is_readable);
        wait_for(&mut poll, &mut events, Token(9), Event::is_readable);
        assert_eq!(signals.receive(), Some(Signal::INTERRUPT));
    });
}

#[test]
fn signals_leave_no_descriptor_or_handle_open() {
    isolated(|| {
        let (poll, _) = poll();
        drop(registered(&poll, &[Signal::INTERRUPT], READ));
        let before = handles::open_handles();
        for _ in 0..100 {
            let signals = registered(&poll, &[Signal::INTERRUPT, Signal::QUIT], READ);
            raise(Signal::QUIT);
            drop(signals);
        }
        assert_eq!(handles::open_handles(), before);
    });
}

#[test]
fn signals_and_signal_have_a_readable_debug_format() {
    isolated(|| {
        let signals = Signals::new(&[Signal::INTERRUPT, Signal::TERMINATE]).unwrap();
        assert_eq!(format!("{signals:?}"), "Signals([INTERRUPT, TERMINATE])");
        assert_eq!(format!("{:?}", (Signal::HANGUP, Signal::QUIT)), "(HANGUP, QUIT)");
    });
}

#[test]
fn a_poll_that_is_blocked_reports_a_signal_of_another_thread() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let signals = registered(&poll, &[Signal::INTERRUPT], READ);
        for _ in 0..100 {
            let sender = std::thread::spawn(|| {
                std::thread::sleep(Duration::from_micros(500));
                raise(Signal::INTERRUPT);
            });
            wait_until_readable(&mut poll, &mut events);
            assert_eq!(signals.receive(), Some(Signal::INTERRUPT));
            sender.join().unwrap();
        }
    });
}

#[test]
fn a_signal_that_arrives_during_receive_is_reported() {
    isolated(|| {
        const SIGNALS: usize = 2000;
        let (mut poll, mut events) = poll();
        let signals = registered(&poll, &[Signal::INTERRUPT], READ);
        let received = Arc::new(AtomicUsize::new(0));
        let count_received = Arc::clone(&received);
        let sender = std::thread::spawn(move || {
            for count in 0..SIGNALS {
                while count_received.load(Ordering::SeqCst) < count {
                    std::thread::yield_now();
                }
                raise(Signal::INTERRUPT);
            }
        });
        while received.load(Ordering::SeqCst) < SIGNALS {
            wait_until_readable(&mut poll, &mut events);
            while signals.receive().is_some() {
                // The sender sends the next signal while this thread calls `receive` again.
                received.fetch_add(1, Ordering::SeqCst);
            }
        }
        sender.join().unwrap();
    });
}
