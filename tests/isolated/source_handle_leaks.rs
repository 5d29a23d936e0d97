//! Source handles leave no handle and no memory, whatever state their waits are in when the poll is dropped.

#![cfg(windows)]

use minimio::windows::SourceHandle;
use minimio::{Interest, Poll, Token};

use crate::allocated_bytes;
use crate::support::isolation::isolated;
use crate::support::object::Object;
use crate::support::*;

const COUNT: usize = 1000;

/// Registers many handles, in all states: waiting, signalled, reported, closed, changed, deregistered.
fn build() -> (Poll, Vec<Object>) {
    let (mut poll, mut events) = poll();
    let mut objects: Vec<_> = (0..COUNT).map(|i| Object::event(i % 2 == 0)).collect();
    let modes = [Interest::edge, Interest::level, Interest::oneshot];
    for (i, object) in objects.iter().enumerate() {
        poll.registry().register(&mut SourceHandle(&object.raw()), Token(i), modes[i % 3](READ)).unwrap();
    }
    poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
    objects.iter().step_by(3).for_each(Object::set);
    poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
    objects.iter().step_by(5).for_each(Object::set);
    for (i, object) in objects.iter().enumerate().step_by(7) {
        poll.registry().reregister(&mut SourceHandle(&object.raw()), Token(i), READ.level()).unwrap();
    }
    for object in objects.iter().step_by(11) {
        poll.registry().deregister(&mut SourceHandle(&object.raw())).unwrap();
    }
    for (i, object) in objects.iter().enumerate().step_by(13) {
        poll.registry().register(&mut SourceHandle(&object.raw()), Token(i), READ.level()).unwrap();
    }
    objects.truncate(COUNT * 9 / 10);
    (poll, objects)
}

#[test]
fn all_handles_and_all_memory_are_returned_after_the_poll_was_dropped() {
    isolated(|| {
        let drop_poll_first = |(poll, objects)| {
            drop::<Poll>(poll);
            drop::<Vec<Object>>(objects);
        };
        let drop_poll_last = |(poll, objects)| {
            drop::<Vec<Object>>(objects);
            drop::<Poll>(poll);
        };
        // The first runs start threads of the pool, which stay for a time.
        drop_poll_first(build());
        drop_poll_last(build());
        let before = (handles::open_handles().unwrap(), allocated_bytes::allocated_bytes());
        for _ in 0..3 {
            drop_poll_first(build());
            drop_poll_last(build());
        }
        let after = (handles::open_handles().unwrap(), allocated_bytes::allocated_bytes());
        // A thread of the pool has a few handles.
        assert!(after.0 < before.0 + 20, "handles: {} before, {} after", before.0, after.0);
        assert_eq!(after.1, before.1, "bytes");
    });
}

#[test]
fn a_dropped_poll_consumes_no_signal() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let event = Object::event(false);
        poll.registry().register(&mut SourceHandle(&event.raw()), SOURCE, READ.level()).unwrap();
        expect_no_event(&mut poll, &mut events);
        let waker = minimio::Waker::new(poll.registry(), SOURCE).unwrap();
        drop(poll);
        event.set();
        std::thread::sleep(SHORT_WAIT);
        assert!(event.take_signal());
        drop(waker);
    });
}
