//! Signals that interrupt a poll, and signal handlers that wake one.

#![cfg(unix)]

use std::io::{ErrorKind, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use minimio::{book, Token, Waker};

use crate::support::isolation::isolated;
use crate::support::*;

#[test]
fn a_signal_interrupts_a_poll_and_no_event_is_lost() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let waker = Waker::new(poll.registry(), Token(2)).unwrap();
        let (_stream, mut peer) = registered_stream(&poll, SOURCE, READ);
        // `events` contains an event, which the interrupted poll must clear.
        waker.wake().unwrap();
        next_batch(&mut poll, &mut events);

        for timeout in [None, Some(Duration::from_secs(3600))] {
            let target = signal::Target::current();
            let (stop_sender, stop_receiver) = mpsc::channel::<()>();
            // A signal that arrives before the poll blocks does not interrupt the poll, so the thread sends signals
            // until the poll has returned.
            let sender = thread::spawn(move || {
                while stop_receiver.recv_timeout(Duration::from_millis(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                    target.send();
                }
            });
            let err = poll.poll(&mut events, timeout).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Interrupted);
            assert!(events.is_empty());
            drop(stop_sender);
            sender.join().unwrap();
        }

        waker.wake().unwrap();
        peer.write_all(b"x").unwrap();
        wait_for(&mut poll, &mut events, Token(2), |event| event.is_readable());
        if events.len() < 2 {
            wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
        }
    });
}

#[test]
fn a_signal_does_not_interrupt_a_poll_of_the_book() {
    isolated(|| {
        let mut poll = book::Poll::new().unwrap();
        let registrator = poll.registrator();
        let target = signal::Target::current();
        let sender = thread::spawn(move || {
            for _ in 0..20 {
                target.send();
                thread::sleep(Duration::from_millis(1));
            }
            registrator.close_loop().unwrap();
        });
        let closed = poll.poll(&mut book::Events::with_capacity(8), None).unwrap_err();
        // An error that was caused by a signal would have the number of a system error.
        assert_eq!((closed.kind(), closed.raw_os_error()), (ErrorKind::Interrupted, None));
        sender.join().unwrap();
    });
}

#[test]
fn a_signal_handler_can_wake_a_poll() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let waker: &'static Waker = Box::leak(Box::new(Waker::new(poll.registry(), SOURCE).unwrap()));
        signal::set_handler_waker(waker);
        let target = signal::Target::current();
        for _ in 0..100 {
            let sender = thread::spawn(move || target.send_waking());
            loop {
                match poll.poll(&mut events, Some(WAIT_LIMIT)) {
                    Err(err) if err.kind() == ErrorKind::Interrupted => assert!(events.is_empty()),
                    result => break result.unwrap(),
                }
            }
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [SOURCE]);
            sender.join().unwrap();
        }
    });
}
