//! Signals on Windows: the events of the console. Wine cannot generate such an event (`GenerateConsoleCtrlEvent`
//! fails), so these tests call the crate's handler directly, in a thread of its own, as the system does.
//! `verification/windows/ctrl-c.sh` checks that the system calls it.

#![cfg(windows)]

use std::sync::mpsc;
use std::thread;

use minimio::signal::{Signal, Signals};
use minimio::windows::handle_console_event;
use minimio::{Interest, Token};

use crate::support::isolation::isolated;
use crate::support::program::press_ctrl_c;
use crate::support::*;

const CTRL_C_EVENT: u32 = 0;
const CTRL_BREAK_EVENT: u32 = 1;
const CTRL_CLOSE_EVENT: u32 = 2;
const CTRL_LOGOFF_EVENT: u32 = 5;
const CTRL_SHUTDOWN_EVENT: u32 = 6;

const ALL: [Signal; 4] = [Signal::INTERRUPT, Signal::TERMINATE, Signal::HANGUP, Signal::QUIT];

/// Calls the handler in a thread of its own. Returns whether it has handled the event.
fn send(event: u32) -> bool {
    thread::spawn(move || handle_console_event(event)).join().unwrap()
}

#[test]
fn ctrl_c_and_ctrl_break_are_received_and_reported() {
    isolated(|| {
        for mode in [Interest::edge, Interest::level, Interest::oneshot] {
            let (mut poll, mut events) = poll();
            let mut signals = Signals::new(&ALL).unwrap();
            poll.registry().register(&mut signals, SOURCE, mode(READ)).unwrap();
            expect_no_event(&mut poll, &mut events);
            for (event, signal) in [(CTRL_C_EVENT, Signal::INTERRUPT), (CTRL_BREAK_EVENT, Signal::QUIT)] {
                assert!(send(event));
                assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
                assert_eq!(signals.receive(), Some(signal));
                assert_eq!(signals.receive(), None);
                poll.registry().reregister(&mut signals, SOURCE, mode(READ)).unwrap();
                expect_no_event(&mut poll, &mut events);
            }
        }
    });
}

#[test]
fn a_signal_before_the_registration_is_not_lost() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut signals = Signals::new(&[Signal::INTERRUPT]).unwrap();
        assert!(send(CTRL_C_EVENT) && send(CTRL_C_EVENT));
        poll.registry().register(&mut signals, SOURCE, READ).unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        assert_eq!((signals.receive(), signals.receive()), (Some(Signal::INTERRUPT), None));
    });
}

#[test]
fn in_edge_mode_each_new_number_is_an_edge_and_level_mode_reports_as_long_as_one_is_pending() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut signals = Signals::new(&ALL).unwrap();
        poll.registry().register(&mut signals, SOURCE, READ).unwrap();
        for event in [CTRL_C_EVENT, CTRL_BREAK_EVENT] {
            assert!(send(event));
            assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
            expect_no_event(&mut poll, &mut events);
            assert!(send(event));
            expect_no_event(&mut poll, &mut events);
        }
        poll.registry().reregister(&mut signals, SOURCE, READ.level()).unwrap();
        for _ in 0..3 {
            assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        }
        assert_eq!(signals.receive(), Some(Signal::INTERRUPT));
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        assert_eq!((signals.receive(), signals.receive()), (Some(Signal::QUIT), None));
        expect_no_event(&mut poll, &mut events);
        // In edge mode, a program that receives one signal for each event receives all.
        poll.registry().reregister(&mut signals, SOURCE, READ).unwrap();
        assert!(send(CTRL_C_EVENT) && send(CTRL_BREAK_EVENT));
        for signal in [Signal::INTERRUPT, Signal::QUIT] {
            wait_until_readable(&mut poll, &mut events);
            assert_eq!(signals.receive(), Some(signal));
        }
    });
}

#[test]
fn several_signals_each_receive_and_the_others_ignore_the_event() {
    isolated(|| {
        let [(mut first_poll, mut events), (mut second_poll, _)] = [poll(), poll()];
        let mut first = Signals::new(&[Signal::INTERRUPT, Signal::QUIT]).unwrap();
        let mut second = Signals::new(&[Signal::INTERRUPT]).unwrap();
        first_poll.registry().register(&mut first, Token(1), READ).unwrap();
        second_poll.registry().register(&mut second, Token(2), READ).unwrap();
        assert!(send(CTRL_C_EVENT));
        assert_eq!(next_tokens(&mut first_poll, &mut events), [Token(1)]);
        assert_eq!(next_tokens(&mut second_poll, &mut events), [Token(2)]);
        assert_eq!((first.receive(), second.receive()), (Some(Signal::INTERRUPT), Some(Signal::INTERRUPT)));
        assert!(send(CTRL_BREAK_EVENT));
        assert_eq!((first.receive(), second.receive()), (Some(Signal::QUIT), None));
        // The handler that was installed before, or the default action, handles what no source wants.
        assert!(!send(CTRL_CLOSE_EVENT));
        drop(first);
        assert!(!send(CTRL_BREAK_EVENT) && send(CTRL_C_EVENT));
        drop(second);
        assert!(!send(CTRL_C_EVENT));
        let again = Signals::new(&[Signal::INTERRUPT]).unwrap();
        assert!(send(CTRL_C_EVENT));
        assert_eq!(again.receive(), Some(Signal::INTERRUPT));
    });
}

#[test]
fn the_handler_of_a_closed_console_returns_when_the_signal_was_received_and_the_source_dropped() {
    isolated(|| {
        for event in [CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT] {
            let (mut poll, mut events) = poll();
            let mut signals = Signals::new(&[Signal::TERMINATE]).unwrap();
            let other = Signals::new(&[Signal::INTERRUPT]).unwrap();
            poll.registry().register(&mut signals, SOURCE, READ).unwrap();
            let (returned, has_returned) = mpsc::channel();
            let handler = thread::spawn(move || returned.send(handle_console_event(event)).unwrap());
            assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
            assert_eq!((signals.receive(), signals.receive()), (Some(Signal::TERMINATE), None));
            assert!(has_returned.recv_timeout(SHORT_WAIT).is_err(), "the system would have ended the process");
            drop(signals);
            assert_eq!(has_returned.recv_timeout(WAIT_LIMIT), Ok(true));
            handler.join().unwrap();
            assert_eq!(other.receive(), None);
        }
    });
}

/// A service receives this event whenever a user logs off.
#[test]
fn the_log_off_of_a_user_is_not_handled() {
    isolated(|| {
        let signals = Signals::new(&ALL).unwrap();
        // In a thread that is not joined, because a handler that handles the event waits for the drop of `signals`.
        let (returned, has_returned) = mpsc::channel();
        thread::spawn(move || returned.send(handle_console_event(CTRL_LOGOFF_EVENT)));
        assert_eq!(has_returned.recv_timeout(WAIT_LIMIT), Ok(false));
        assert_eq!(signals.receive(), None);
    });
}

#[test]
fn no_signal_is_lost_while_threads_send_receive_and_create_sources() {
    isolated(|| {
        const ROUNDS: usize = 2000;
        let (mut poll, mut events) = poll();
        let mut signals = Signals::new(&[Signal::INTERRUPT]).unwrap();
        poll.registry().register(&mut signals, SOURCE, READ).unwrap();
        let creator = thread::spawn(|| {
            for _ in 0..ROUNDS {
                drop(Signals::new(&ALL).unwrap());
            }
        });
        for _ in 0..ROUNDS {
            let sender = thread::spawn(|| assert!(handle_console_event(CTRL_C_EVENT)));
            // An event may be reported after its signal was received.
            loop {
                wait_until_readable(&mut poll, &mut events);
                if signals.receive().is_some() {
                    break;
                }
            }
            sender.join().unwrap();
        }
        creator.join().unwrap();
        assert_eq!(signals.receive(), None);
    });
}

#[test]
fn signals_and_their_poll_can_be_dropped_in_any_order() {
    isolated(|| {
        let build = || {
            let (mut poll, mut events) = poll();
            let mut signals = Signals::new(&ALL).unwrap();
            poll.registry().register(&mut signals, SOURCE, READ).unwrap();
            expect_no_event(&mut poll, &mut events);
            (poll, signals)
        };
        drop(build());
        let before = handles::open_handles();
        for is_signalled in [false, true] {
            let (poll, signals) = build();
            assert!(!is_signalled || send(CTRL_C_EVENT));
            drop(poll);
            assert!(send(CTRL_BREAK_EVENT));
            assert!(signals.receive().is_some());
            // The source can be registered with another poll.
            let mut signals = signals;
            let (mut poll, mut events) = poll_and_register(&mut signals);
            assert!(send(CTRL_C_EVENT));
            wait_until_readable(&mut poll, &mut events);
            drop(signals);
            drop(poll);
        }
        assert_eq!(handles::open_handles(), before);
        // A source that was deregistered keeps nothing open.
        let (poll, mut signals) = build();
        poll.registry().deregister(&mut signals).unwrap();
        drop(poll);
        assert_eq!(handles::open_handles(), before);
    });
}

fn poll_and_register(signals: &mut Signals) -> (minimio::Poll, minimio::Events) {
    let (poll, events) = poll();
    poll.registry().register(signals, SOURCE, READ).unwrap();
    (poll, events)
}

#[test]
fn the_system_calls_the_handler_when_ctrl_c_is_pressed() {
    let _pressed_or_not_tested_here = (0..3).all(|_| press_ctrl_c());
}
