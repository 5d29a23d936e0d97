//! Packets that the program posts to the port.

use std::thread;
use std::time::Duration;

use super::pipes::Pipe;
use crate::kernel::layout::*;
use crate::kernel::KernelGuard;
use crate::world::{with_loop, Loop, World};
use crate::{Interest, Waker};

/// Small numbers, addresses, and the largest numbers, both as keys and as addresses of packets.
fn numbers() -> Vec<usize> {
    let on_the_stack = [0_usize; 4];
    let on_the_heap = Box::new([0_usize; 64]);
    let addresses = [on_the_stack.as_ptr() as usize, on_the_heap.as_ptr() as usize];
    let mut numbers: Vec<_> = (0..12).collect();
    numbers.extend(addresses);
    numbers.extend([usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX - 1, usize::MAX]);
    numbers
}

/// Posts a packet for each pair of numbers. Returns their number.
fn post_all(world: &World, queue: &Loop) -> usize {
    let (port, numbers) = (queue.registry().selector().port() as usize, numbers());
    let post = |kernel: &mut KernelGuard, key, address| kernel.post_foreign(port, key, address);
    for key in &numbers {
        for address in &numbers {
            post(&mut world.kernel(), *key, *address);
        }
    }
    numbers.len() * numbers.len()
}

#[test]
fn packets_of_the_program_are_no_events_and_delay_no_event() {
    with_loop(|world, mut queue| {
        let (_stream, peer) = queue.registered(world.pair(), Interest::READABLE);
        let mut pipe = Pipe::client();
        queue.register(&mut pipe, 2, Interest::WRITABLE);
        post_all(world, &queue);
        assert_eq!(queue.now(), [(2, SEND)]);
        assert_eq!(queue.now(), []);
        post_all(world, &queue);
        peer.sends(1);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        // A poll that blocks does not return before its timeout, and no reference is returned twice.
        post_all(world, &queue);
        assert_eq!(queue.within(Duration::from_millis(1)), []);
    });
}

#[test]
fn a_packet_of_the_program_with_the_address_of_a_source_does_not_use_it() {
    with_loop(|world, mut queue| {
        let mut pipe = Pipe::client();
        queue.register(&mut pipe, 1, Interest::WRITABLE);
        assert_eq!(queue.now(), [(1, SEND)]);
        let port = queue.registry().selector().port() as usize;
        let address = world.kernel().operation_address().unwrap();
        // The operation that is pending reads, and it is inside the pipe.
        for key in (0..3).chain((0..32).flat_map(|words| [address - 8 * words, (address - 8 * words) / 4])) {
            for words in 0..32 {
                world.kernel().post_foreign(port, key, address - 128 + 8 * words);
            }
        }
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn packets_of_the_program_do_not_end_a_blocking_poll() {
    with_loop(|world, mut queue| {
        let waker = Waker::new(queue.registry(), crate::Token(7)).unwrap();
        thread::scope(|scope| {
            let port = queue.registry().selector().port() as usize;
            let poller = scope.spawn(move || queue.wait());
            world.until_blocked_without_timeout();
            for key in 0..100 {
                world.kernel().post_foreign(port, key, 0);
            }
            thread::sleep(Duration::from_millis(2));
            assert!(!poller.is_finished());
            waker.wake().unwrap();
            assert_eq!(poller.join().unwrap(), [(7, RECEIVE)]);
        });
    });
}

#[test]
fn packets_of_the_program_do_not_keep_a_dropped_poll_open() {
    with_loop(|world, mut queue| {
        let (stream, _) = queue.registered(world.pair(), Interest::READABLE);
        assert_eq!(queue.now(), []);
        let count = post_all(world, &queue);
        assert!(count > 32);
        drop(queue);
        drop(stream);
    });
}
