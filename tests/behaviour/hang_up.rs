//! `Interest::HANG_UP`, and `Event::is_hang_up`. The sources of Unix alone are in `hang_up_unix.rs`, and those of
//! Windows in `hang_up_windows.rs`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener as StdListener};
use std::thread;
use std::time::Duration;

use minimio::event::Source;
use minimio::net::TcpStream;
use minimio::{Event, Events, Interest, Poll, Timer};

use crate::support::*;

pub const HANG_UP: Interest = Interest::HANG_UP;
pub const MODES: [Interest; 3] = [HANG_UP, HANG_UP.level(), HANG_UP.oneshot()];

/// Waits for the report of a hang-up, checks that each mode repeats it or not, and that `reregister` repeats it.
pub fn expect_hang_up(poll: &mut Poll, events: &mut Events, source: &mut impl Source, mode: Interest) {
    for _ in 0..2 {
        wait_for(poll, events, SOURCE, Event::is_hang_up);
        if mode.is_level() {
            for _ in 0..3 {
                wait_for(poll, events, SOURCE, Event::is_hang_up);
            }
        } else {
            expect_no_event(poll, events);
        }
        poll.registry().reregister(source, SOURCE, mode).unwrap();
    }
    wait_for(poll, events, SOURCE, Event::is_hang_up);
    poll.registry().deregister(source).unwrap();
    expect_no_event(poll, events);
}

#[test]
fn only_the_end_of_both_directions_is_a_hang_up() {
    for mode in MODES {
        let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(mode);
        expect_no_event(&mut poll, &mut events);
        peer.write_all(b"data").unwrap();
        expect_no_event(&mut poll, &mut events);
        peer.shutdown(Shutdown::Write).unwrap();
        expect_no_event(&mut poll, &mut events);
        stream.write_all(b"answer").unwrap();
        expect_no_event(&mut poll, &mut events);
        stream.shutdown(Shutdown::Write).unwrap();
        expect_hang_up(&mut poll, &mut events, &mut stream, mode);
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"data");
    }
}

#[test]
fn the_own_end_may_be_shut_down_before_that_of_the_peer() {
    for mode in MODES {
        let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(mode);
        stream.shutdown(Shutdown::Write).unwrap();
        expect_no_event(&mut poll, &mut events);
        for _ in 0..3 {
            peer.write_all(b"data").unwrap();
            expect_no_event(&mut poll, &mut events);
        }
        peer.shutdown(Shutdown::Write).unwrap();
        expect_hang_up(&mut poll, &mut events, &mut stream, mode);
    }
}

#[test]
fn a_stream_that_is_registered_after_its_end_is_a_hang_up() {
    for mode in MODES {
        let (mut poll, mut events) = poll();
        let (mut stream, peer) = stream_and_peer();
        peer.shutdown(Shutdown::Write).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        poll.registry().register(&mut stream, SOURCE, mode).unwrap();
        expect_hang_up(&mut poll, &mut events, &mut stream, mode);
    }
}

#[test]
fn a_reset_is_reported_as_an_error_and_a_hang_up_although_data_came_before() {
    for mode in MODES {
        let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(mode);
        for _ in 0..3 {
            peer.write_all(b"data").unwrap();
            expect_no_event(&mut poll, &mut events);
        }
        reset::close_with_reset(peer);
        let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_hang_up);
        assert!(event.is_error(), "{event:?}");
        poll.registry().reregister(&mut stream, SOURCE, mode).unwrap();
        expect_hang_up(&mut poll, &mut events, &mut stream, mode);
    }
}

#[test]
fn a_refused_connection_is_a_hang_up() {
    let (mut poll, mut events) = poll();
    for mode in MODES {
        let mut stream = TcpStream::connect(closed_port()).unwrap();
        poll.registry().register(&mut stream, SOURCE, mode).unwrap();
        let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_hang_up);
        assert!(event.is_error(), "{event:?}");
    }
}

#[test]
fn a_connection_that_is_made_is_no_hang_up() {
    let (mut poll, mut events) = poll();
    let listener = StdListener::bind(loopback()).unwrap();
    for mode in MODES {
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        poll.registry().register(&mut stream, SOURCE, mode).unwrap();
        let _peer = listener.accept().unwrap();
        expect_no_event(&mut poll, &mut events);
    }
}

#[test]
fn the_other_interests_report_the_same_with_and_without_hang_up() {
    for interest in [READ, READ | HANG_UP, READ.level(), (READ | HANG_UP).level()] {
        let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(interest);
        expect_no_event(&mut poll, &mut events);
        peer.write_all(b"x").unwrap();
        let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_readable);
        assert!(!event.is_hang_up(), "{event:?}");
        stream.read_exact(&mut [0]).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_read_closed);
        assert!(!event.is_hang_up(), "{event:?}");
    }
}

#[test]
fn a_hang_up_is_reported_although_each_end_was_reported_before() {
    for interest in [BOTH, BOTH.level()] {
        let (mut poll, mut events, stream, peer) = poll_and_stream(interest);
        stream.shutdown(Shutdown::Write).unwrap();
        for _ in 0..3 {
            poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
            assert!(events.iter().all(|event| !event.is_hang_up()), "{events:?}");
        }
        peer.shutdown(Shutdown::Write).unwrap();
        wait_for(&mut poll, &mut events, SOURCE, Event::is_hang_up);
    }
}

#[test]
fn a_program_can_switch_between_readiness_and_hang_ups() {
    let (mut poll, mut events, mut stream, mut peer) = poll_and_stream(READ.level());
    for _ in 0..3 {
        peer.write_all(b"x").unwrap();
        wait_until_readable(&mut poll, &mut events);
        poll.registry().reregister(&mut stream, SOURCE, HANG_UP.level()).unwrap();
        expect_no_event(&mut poll, &mut events);
        peer.write_all(b"x").unwrap();
        expect_no_event(&mut poll, &mut events);
        poll.registry().reregister(&mut stream, SOURCE, READ.level()).unwrap();
        wait_until_readable(&mut poll, &mut events);
        stream.read_exact(&mut [0; 2]).unwrap();
    }
}

#[test]
fn an_urgent_byte_is_no_hang_up() {
    for mode in MODES {
        let (mut poll, mut events, mut stream, peer) = poll_and_stream(mode);
        urgent::send(&peer, b'!');
        expect_no_event(&mut poll, &mut events);
        reset::close_with_reset(peer);
        expect_hang_up(&mut poll, &mut events, &mut stream, mode);
    }
}

#[test]
fn a_registration_during_a_poll_reports_hang_ups_alone() {
    for mode in MODES {
        let (mut poll, mut events) = poll();
        let registry = poll.registry().try_clone().unwrap();
        let poller = thread::spawn(move || {
            let batch = next_batch(&mut poll, &mut events);
            assert!(batch.iter().all(Event::is_hang_up), "{batch:?}");
        });
        let (mut stream, mut peer) = stream_and_peer();
        peer.write_all(b"data").unwrap();
        for _ in 0..100 {
            registry.register(&mut stream, SOURCE, mode).unwrap();
            peer.write_all(b"data").unwrap();
            thread::yield_now();
            registry.reregister(&mut stream, SOURCE, mode).unwrap();
            registry.deregister(&mut stream).unwrap();
        }
        registry.register(&mut stream, SOURCE, mode).unwrap();
        thread::sleep(Duration::from_millis(2));
        reset::close_with_reset(peer);
        poller.join().unwrap();
    }
}

#[test]
fn hang_ups_alone_do_not_delay_a_timer_and_fit_into_a_short_list() {
    let (mut poll, _) = poll();
    let mut events = Events::with_capacity(1);
    let mut timer = Timer::new();
    poll.registry().register(&mut timer, minimio::Token(2), READ).unwrap();
    let pairs: Vec<_> = MODES.iter().map(|mode| registered_stream(&poll, SOURCE, *mode)).collect();
    for (_, peer) in &pairs {
        let mut peer = peer;
        peer.write_all(b"data").unwrap();
    }
    timer.set(SHORT_WAIT).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [minimio::Token(2)]);
    for (stream, peer) in &pairs {
        stream.shutdown(Shutdown::Write).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
    }
    for _ in 0..3 {
        wait_for(&mut poll, &mut events, SOURCE, Event::is_hang_up);
    }
}

#[test]
fn a_source_that_is_only_readable_is_not_registered_for_hang_ups_alone() {
    let poll = poll().0;
    let mut signals = minimio::signal::Signals::new(&[minimio::signal::Signal::TERMINATE]).unwrap();
    for mode in MODES {
        let result = poll.registry().register(&mut signals, SOURCE, mode);
        assert_eq!(kind(result), std::io::ErrorKind::InvalidInput);
    }
}
