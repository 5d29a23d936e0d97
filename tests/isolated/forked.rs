//! A child of `fork` can create and use a poll, whatever the threads of its parent did at that moment.

#![cfg(unix)]

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use minimio::{Poll, Token};

use crate::support::isolation::isolated;
use crate::support::*;

#[test]
fn a_child_of_fork_can_create_a_poll_while_threads_of_its_parent_create_and_drop_polls() {
    isolated(|| {
        let stop = AtomicBool::new(false);
        let failed = thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        drop(Poll::new().unwrap());
                    }
                });
            }
            let failed = (0..1000).find(|_| !fork::child_succeeds(use_a_poll));
            stop.store(true, Ordering::Relaxed);
            failed
        });
        assert_eq!(failed, None, "this child has failed or does not end");
    });
}

fn use_a_poll() -> bool {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    poll.registry().register(&mut stream, Token(1), READ).unwrap();
    peer.write_all(b"x").unwrap();
    poll.poll(&mut events, Some(Duration::from_secs(5))).is_ok() && events.len() == 1
}
