//! The completion port of a poll, and the packets that the program posts to it.

#![cfg(windows)]

use std::io::Write;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::thread;
use std::time::Duration;

use minimio::{Token, Waker};

use crate::support::*;

#[test]
fn the_poll_and_its_registry_have_the_same_port() {
    let poll = poll().0;
    let registry = poll.registry().try_clone().unwrap();
    let port = poll.as_raw_handle();
    assert_eq!(poll.registry().as_raw_handle(), port);
    for borrowed in [poll.as_handle(), poll.registry().as_handle(), registry.as_handle()] {
        assert_eq!(borrowed.as_raw_handle(), port);
    }
    assert_ne!(self::poll().0.as_raw_handle(), port);
}

#[test]
fn packets_of_the_program_are_no_events_and_delay_no_event() {
    let (mut poll, mut events, stream, mut peer) = poll_and_stream(READ.level());
    let port = poll.as_raw_handle();
    let on_the_heap = Box::new([0_u64; 64]);
    let numbers = [0, 1, 2, 3, 4, on_the_heap.as_ptr() as usize, usize::MAX / 2, usize::MAX];
    let post_all = || {
        for key in numbers {
            for address in numbers {
                object::post_packet(port, key, address);
            }
        }
    };
    post_all();
    expect_no_event(&mut poll, &mut events);
    post_all();
    peer.write_all(b"x").unwrap();
    wait_until_readable(&mut poll, &mut events);
    // The packets may precede the event in polls that do not block, for every capacity. If each poll discarded only one
    // packet, the source would be reported after 64 polls. (A poll discards packets for a limited time. On a busy
    // machine, that time may pass before the packet of the source.)
    let mut one = minimio::Events::with_capacity(1);
    post_all();
    let reported = (0..numbers.len() * numbers.len() - 1).any(|_| {
        thread::yield_now();
        poll.poll(&mut one, Some(Duration::ZERO)).unwrap();
        !one.is_empty()
    });
    assert!(reported && one.iter().all(|event| event.token() == SOURCE));
    post_all();
    // Dropping the poll dequeues these packets. If it used one of the addresses, the process would crash.
    drop(poll);
    drop(stream);
}

#[test]
fn packets_of_the_program_do_not_end_a_blocking_poll() {
    let (mut poll, mut events) = poll();
    let waker = Waker::new(poll.registry(), Token(2)).unwrap();
    let registry = poll.registry().try_clone().unwrap();
    let poller = thread::spawn(move || next_tokens(&mut poll, &mut events));
    // Let the poll block. (The test is also right if it does not.)
    thread::sleep(SHORT_WAIT);
    for key in 0..1000 {
        object::post_packet(registry.as_raw_handle(), key, 0);
        thread::yield_now();
    }
    waker.wake().unwrap();
    assert_eq!(poller.join().unwrap(), [Token(2)]);
}
