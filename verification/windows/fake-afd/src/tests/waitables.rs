//! Handles of objects: consumed signals, late callbacks, failures, dropped polls, and random programs.

use std::io;
use std::thread;
use std::time::Duration;

use crate::event::{Events, Source};
use crate::guard;
use crate::kernel::layout::*;
use crate::kernel::{self, Behaviour};
use crate::queue::WaitSource;
use crate::world::{everywhere, until, with_loop, Loop, World, REJECTED};
use crate::{Interest, Registry, Token};

const READ: Interest = Interest::READABLE;
const MODES: [fn(Interest) -> Interest; 3] = [Interest::edge, Interest::level, Interest::oneshot];

/// A handle of an object, like the crate's `SourceHandle`. The handle is closed on drop.
struct Handle {
    object: usize,
    handle: usize,
}

impl Handle {
    /// A wait consumes a signal of the object.
    fn consuming() -> Handle {
        let (object, handle) = kernel::lock().open_object(true);
        Handle { object, handle }
    }

    /// The object stays signalled.
    fn staying() -> Handle {
        let (object, handle) = kernel::lock().open_object(false);
        Handle { object, handle }
    }

    fn signal(&self) {
        kernel::signal(self.object, 1);
    }

    /// Signals the object, but the pool calls no callback yet.
    fn signal_late(&self) {
        kernel::lock().add_units(self.object, 1);
    }

    fn units(&self) -> usize {
        kernel::lock().units(self.object)
    }

    /// Creates a source that owns a duplicate, like the crate's `ChildExit`.
    fn owned(&self) -> Owned {
        Owned(WaitSource::duplicate(self.handle as *mut _).unwrap())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        kernel::lock().close_handle(self.handle);
    }
}

impl Source for Handle {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        registry.selector().register_handle(self.handle as *mut _, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        registry.selector().reregister_handle(self.handle as *mut _, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.selector().deregister_handle(self.handle as *mut _)
    }
}

struct Owned(WaitSource);

impl Source for Owned {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.0.register(registry.selector(), token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.0.reregister(registry.selector(), token, interest)
    }

    fn deregister(&mut self, _: &Registry) -> io::Result<()> {
        self.0.deregister();
        Ok(())
    }
}

#[test]
fn each_mode_reports_signals_as_documented() {
    for mode in MODES {
        for open in [Handle::consuming, Handle::staying] {
            with_loop(|world, mut queue| {
                let mut handle = open();
                queue.register(&mut handle, 1, mode(READ));
                assert_eq!(queue.now(), []);
                assert_eq!(world.kernel().pool_waits(), 1);
                handle.signal();
                assert_eq!(queue.now(), [(1, RECEIVE)]);
                let is_level = mode(READ).is_level();
                let stays = handle.units() == 1;
                let expected = if is_level && stays { vec![(1, RECEIVE)] } else { vec![] };
                (0..3).for_each(|_| assert_eq!(queue.now(), expected));
                // In edge and oneshot mode, the object keeps the next signal.
                handle.signal();
                let expected = if is_level { vec![(1, RECEIVE)] } else { vec![] };
                assert_eq!(queue.now(), expected);
                if !is_level {
                    assert_eq!(handle.units(), 1 + usize::from(stays));
                    assert_eq!(world.kernel().pool_waits(), 0);
                    queue.reregister(&mut handle, 2, mode(READ));
                    assert_eq!(queue.now(), [(2, RECEIVE)]);
                    assert_eq!(queue.now(), []);
                }
            });
        }
    }
}

/// Creates a source with a flag, like the crate's `Signals`.
fn flag() -> Owned {
    Owned(WaitSource::flag())
}

#[test]
fn each_mode_reports_a_flag_while_it_is_set() {
    for mode in MODES {
        for is_set_before in [false, true] {
            with_loop(|world, mut queue| {
                let mut flag = flag();
                flag.0.set(is_set_before);
                queue.register(&mut flag, 1, mode(READ));
                let (is_level, is_edge) = (mode(READ).is_level(), mode(READ).is_edge());
                let reported_if = |is_reported| if is_reported { vec![(1, RECEIVE)] } else { vec![] };
                assert_eq!(queue.now(), reported_if(is_set_before));
                for _ in 0..2 {
                    flag.0.set(false);
                    queue.reregister(&mut flag, 1, mode(READ));
                    assert_eq!(queue.now(), []);
                    flag.0.set(true);
                    assert_eq!(queue.now(), reported_if(true));
                    (0..3).for_each(|_| assert_eq!(queue.now(), reported_if(is_level)));
                    flag.0.set(true);
                    assert_eq!(queue.now(), reported_if(is_level || is_edge));
                    queue.reregister(&mut flag, 1, mode(READ));
                    assert_eq!(queue.now(), reported_if(true));
                }
                assert_eq!(world.kernel().pool_waits(), 0);
            });
        }
    }
}

#[test]
fn a_flag_that_is_cleared_before_its_report_is_not_reported() {
    for mode in MODES {
        with_loop(|world, mut queue| {
            let [mut first, mut second] = [flag(), flag()];
            queue.register(&mut first, 1, mode(READ));
            queue.register(&mut second, 2, mode(READ));
            first.0.set(true);
            first.0.set(false);
            assert_eq!(queue.now(), []);
            first.0.set(true);
            second.0.set(true);
            // The list has room for one event, so the other packet stays in the port.
            queue.events = Events::with_capacity(1);
            assert_eq!(queue.now(), [(1, RECEIVE)]);
            assert_eq!(world.counts().posts, 2);
            first.0.set(false);
            second.0.set(false);
            assert_eq!(queue.now(), []);
            assert_eq!(queue.now(), []);
        });
    }
}

#[test]
fn a_packet_of_a_flag_that_cannot_be_posted_is_posted_by_a_later_wait() {
    everywhere(|world| {
        for mode in MODES {
            let (mut queue, mut flag) = (Loop::new(), flag());
            queue.register(&mut flag, 1, mode(READ));
            assert_eq!(queue.now(), []);
            world.kernel().faults.posts = 3;
            flag.0.set(true);
            // Each of the two polls has tried to post twice.
            assert_eq!((queue.now(), queue.now()), (vec![], vec![(1, RECEIVE)]));
        }
    });
}

#[test]
fn a_flag_that_is_set_while_another_thread_waits_is_reported_at_once() {
    everywhere(|world| {
        for failures in [0, 1] {
            let (mut queue, mut flag) = (Loop::new(), flag());
            queue.register(&mut flag, 1, READ);
            thread::scope(|scope| {
                let waits = scope.spawn(|| queue.wait());
                world.until_blocked(1);
                world.kernel().faults.posts = failures;
                flag.0.set(true);
                assert_eq!(waits.join().unwrap(), [(1, RECEIVE)]);
            });
        }
    });
}

#[test]
fn a_consumed_signal_is_reported_although_the_registration_changes() {
    for mode in MODES {
        for is_called_first in [false, true] {
            with_loop(|_, mut queue| {
                let mut handle = Handle::consuming();
                queue.register(&mut handle, 1, mode(READ));
                assert_eq!(queue.now(), []);
                handle.signal_late();
                assert_eq!(handle.units(), 0);
                if is_called_first {
                    kernel::call_back();
                }
                queue.reregister(&mut handle, 2, mode(READ));
                queue.reregister(&mut handle, 3, mode(READ));
                if !is_called_first {
                    assert_eq!(queue.now(), []);
                    kernel::call_back();
                }
                assert_eq!(queue.now(), [(3, RECEIVE)]);
                assert_eq!(queue.now(), []);
            });
        }
    }
}

#[test]
fn a_signal_that_register_consumes_is_reported_once() {
    for mode in MODES {
        with_loop(|world, mut queue| {
            let mut handle = Handle::consuming();
            handle.signal();
            queue.register(&mut handle, 1, mode(READ));
            assert_eq!(handle.units(), 0);
            queue.reregister(&mut handle, 2, mode(READ));
            assert_eq!(queue.now(), [(2, RECEIVE)]);
            assert_eq!(queue.now(), []);
            assert_eq!(world.counts().posts, 1);
        });
    }
}

#[test]
fn no_event_is_reported_after_the_registration_has_ended() {
    for is_called_first in [false, true] {
        with_loop(|world, mut queue| {
            let mut handle = Handle::consuming();
            queue.register(&mut handle, 1, READ.level());
            assert_eq!(queue.now(), []);
            handle.signal_late();
            if is_called_first {
                kernel::call_back();
            }
            queue.deregister(&mut handle);
            assert_eq!(world.kernel().pool_waits(), 0);
            kernel::call_back();
            // A registration before the old packet is dequeued does not get its event.
            queue.register(&mut handle, 2, READ.level());
            assert_eq!(queue.now(), []);
            handle.signal();
            assert_eq!(queue.now(), [(2, RECEIVE)]);
            queue.register(&mut handle, 3, READ.level());
            assert_eq!(queue.now(), []);
            handle.signal();
            assert_eq!(queue.now(), [(3, RECEIVE)]);
            queue.deregister(&mut handle);
            let err = queue.registry().deregister(&mut handle).unwrap_err();
            assert_eq!(err.kind(), io::ErrorKind::NotFound);
        });
    }
}

#[test]
fn the_end_of_a_registration_waits_for_the_callback_while_others_poll_and_register() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let (mut handle, mut other) = (Handle::consuming(), Handle::consuming());
        queue.register(&mut handle, 1, READ);
        assert_eq!(queue.now(), []);
        let mut owned = other.owned();
        queue.register(&mut owned, 2, READ.level());
        assert_eq!(queue.now(), []);
        handle.signal_late();
        world.kernel().behaviour.holds_posts = true;
        let registry = queue.registry().try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(kernel::call_back);
            until("the callback does not post", || world.kernel().blocked_in_post == 1);
            scope.spawn(|| registry.deregister(&mut handle).unwrap());
            until("deregister does not wait", || world.kernel().blocked_in_unregister == 1);
            world.kernel().behaviour.holds_posts = false;
            // The callback is still blocked. It holds no lock of a source.
            queue.reregister(&mut owned, 3, READ.level());
            world.kernel().let_go();
        });
        assert_eq!(queue.now(), []);
        other.signal();
        assert_eq!(queue.now(), [(3, RECEIVE)]);
        queue.register(&mut other, 4, READ);
    });
}

#[test]
fn a_packet_that_the_pool_cannot_post_is_posted_by_the_next_wait() {
    with_loop(|world, mut queue| {
        let (mut handle, mut other) = (Handle::consuming(), Handle::consuming());
        queue.register(&mut handle, 1, READ.level());
        queue.register(&mut other, 2, READ);
        assert_eq!(queue.now(), []);
        world.kernel().faults.posts = 1;
        handle.signal();
        assert_eq!(world.kernel().faults.posts, 0);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        assert_eq!(queue.now(), []);
        // The same, with more failures, and a change in between.
        world.kernel().faults.posts = 2;
        handle.signal();
        queue.reregister(&mut handle, 3, READ.level());
        assert_eq!(queue.within(Duration::from_millis(50)), [(3, RECEIVE)]);
        // The same, and then the registration ends.
        assert_eq!(queue.now(), []);
        world.kernel().faults.posts = 1;
        handle.signal();
        queue.deregister(&mut handle);
        queue.register(&mut handle, 4, READ.level());
        assert_eq!(queue.now(), []);
        // The same, and then everything is dropped.
        world.kernel().faults.posts = 1;
        handle.signal();
        assert_eq!(world.kernel().faults.posts, 0);
    });
}

#[test]
fn a_wait_that_cannot_begin_is_tried_again() {
    with_loop(|world, mut queue| {
        let mut handle = Handle::consuming();
        queue.register(&mut handle, 1, READ.level());
        world.kernel().faults.pool_waits = 3;
        for _ in 0..3 {
            assert_eq!(queue.now(), []);
        }
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().pool_waits(), 1);
        handle.signal();
        assert_eq!(queue.now(), [(1, RECEIVE)]);
    });
}

#[test]
fn signals_are_reported_although_no_wait_can_begin() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let mut handle = Handle::consuming();
        queue.register(&mut handle, 1, READ.level());
        world.kernel().faults.pool_waits = usize::MAX;
        assert_eq!(queue.now(), []);
        for _ in 0..3 {
            thread::scope(|scope| {
                let waits = scope.spawn(|| queue.wait());
                world.until_blocked(1);
                handle.signal();
                assert_eq!(waits.join().unwrap(), [(1, RECEIVE)]);
            });
        }
        world.kernel().faults.pool_waits = 0;
    });
}

#[test]
fn a_thread_that_registers_while_another_waits_begins_the_wait_at_once() {
    everywhere(|world| {
        for failures in [0, 1] {
            let mut queue = Loop::new();
            let mut handle = Handle::consuming();
            let registry = queue.registry().try_clone().unwrap();
            thread::scope(|scope| {
                let waits = scope.spawn(|| queue.wait());
                world.until_blocked(1);
                world.kernel().faults.pool_waits = failures;
                registry.register(&mut handle, Token(1), READ).unwrap();
                until("the pool does not wait", || world.kernel().pool_waits() == 1);
                handle.signal();
                assert_eq!(waits.join().unwrap(), [(1, RECEIVE)]);
            });
        }
    });
}

#[test]
fn a_failed_check_is_an_error_of_the_source() {
    with_loop(|world, mut queue| {
        let mut handle = Handle::consuming();
        world.kernel().faults.checks = 1;
        let err = queue.registry().register(&mut handle, Token(1), READ).unwrap_err();
        assert_eq!(err.raw_os_error(), Some(ERROR_INVALID_HANDLE));
        let err = queue.registry().reregister(&mut handle, Token(1), READ).unwrap_err();
        assert_eq!(err.kind(), io::ErrorKind::NotFound);
        // A failed registration leaves the old one as it is.
        queue.register(&mut handle, 1, READ.level());
        world.kernel().faults.checks = 1;
        queue.registry().register(&mut handle, Token(2), READ).unwrap_err();
        handle.signal();
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        // After the registration, a failed check is reported, and not repeated before `reregister`.
        world.kernel().forbid_waits(handle.object);
        assert_eq!(queue.now(), [(1, REJECTED)]);
        assert_eq!(queue.now(), []);
        queue.reregister(&mut handle, 3, READ.level());
        assert_eq!(queue.now(), [(3, REJECTED)]);
    });
}

#[test]
fn waits_end_when_the_poll_or_its_sources_are_dropped_in_any_state() {
    for state in 0..6 {
        for order in 0..4 {
            everywhere(|world| {
                let mut queue = Loop::new();
                let mut handles: Vec<_> = (0..40).map(|_| Handle::consuming()).collect();
                let mut owned: Vec<_> = handles.iter().map(Handle::owned).collect();
                for (i, (handle, owned)) in handles.iter_mut().zip(&mut owned).enumerate() {
                    queue.register(handle, i, MODES[i % 3](READ));
                    queue.register(owned, i, MODES[i % 2](READ));
                }
                if state > 0 {
                    assert_eq!(queue.now(), []);
                }
                if state > 1 {
                    handles.iter().step_by(2).for_each(Handle::signal_late);
                }
                world.kernel().faults.posts = if state == 3 { 5 } else { 0 };
                if state > 2 {
                    kernel::call_back();
                }
                if state == 5 {
                    queue.now();
                    handles.iter().for_each(Handle::signal);
                }
                world.kernel().faults.posts = 0;
                let registry = queue.registry().try_clone().unwrap();
                match order {
                    0 => drop((registry, queue, handles, owned)),
                    1 => drop((owned, handles, registry, queue)),
                    2 => drop((queue, owned, registry, handles)),
                    _ => drop((queue, registry, owned, handles)),
                }
            });
        }
    }
}

#[test]
fn a_source_can_move_to_another_poll() {
    with_loop(|_, mut queue| {
        let handle = Handle::consuming();
        let mut owned = handle.owned();
        queue.register(&mut owned, 1, READ);
        assert_eq!(queue.now(), []);
        queue.deregister(&mut owned);
        let mut second = Loop::new();
        second.register(&mut owned, 2, READ);
        assert_eq!(second.now(), []);
        handle.signal();
        assert_eq!((queue.now(), second.now()), (vec![], vec![(2, RECEIVE)]));
        drop(second);
        handle.signal();
        queue.register(&mut owned, 3, READ);
        assert_eq!(queue.now(), [(3, RECEIVE)]);
    });
}

#[test]
fn no_signal_of_an_ended_registration_is_reported() {
    with_loop(|_, mut queue| {
        let handle = Handle::consuming();
        let mut owned = handle.owned();
        queue.register(&mut owned, 1, READ.level());
        assert_eq!(queue.now(), []);
        handle.signal();
        queue.deregister(&mut owned);
        queue.register(&mut owned, 2, READ.level());
        assert_eq!(queue.now(), []);
        // The same, with another poll.
        handle.signal();
        queue.deregister(&mut owned);
        let mut second = Loop::new();
        second.register(&mut owned, 3, READ.level());
        assert_eq!((queue.now(), second.now()), (vec![], vec![]));
        handle.signal();
        assert_eq!((queue.now(), second.now()), (vec![], vec![(3, RECEIVE)]));
    });
}

#[test]
fn a_dropped_poll_consumes_no_signal_although_its_port_is_open() {
    with_loop(|world, mut queue| {
        let mut handle = Handle::consuming();
        queue.register(&mut handle, 1, READ.level());
        assert_eq!(queue.now(), []);
        // A thread that notifies the poll keeps the port open.
        let notifier = queue.notifier();
        drop(queue);
        assert_eq!(world.kernel().pool_waits(), 0);
        handle.signal();
        assert_eq!(handle.units(), 1);
        drop(notifier);
    });
}

#[test]
fn a_dropped_poll_ends_the_waits_of_its_sources() {
    let world = World::new(Behaviour::WINDOWS);
    let handle = Handle::consuming();
    let mut owned = handle.owned();
    let mut queue = Loop::new();
    queue.register(&mut owned, 1, READ);
    assert_eq!(queue.now(), []);
    drop(queue);
    assert_eq!(world.kernel().pool_waits(), 0);
    drop((owned, handle));
}

#[test]
fn invalid_handles_are_errors() {
    with_loop(|_, queue| {
        for number in [0, usize::MAX, 0x7777] {
            let err = queue.registry().selector().register_handle(number as *mut _, Token(1), READ).unwrap_err();
            assert_eq!(err.raw_os_error(), Some(ERROR_INVALID_HANDLE));
        }
    });
}

#[test]
fn a_signal_allocates_nothing_and_posts_one_packet() {
    everywhere(|world| {
        let mut queue = Loop::new();
        let mut handle = Handle::consuming();
        queue.register(&mut handle, 1, READ.level());
        for _ in 0..5 {
            handle.signal();
            queue.poll.poll(&mut queue.events, None).unwrap();
        }
        let (before, posts) = (guard::allocations(), world.counts().posts);
        for _ in 0..100 {
            handle.signal();
            queue.poll.poll(&mut queue.events, None).unwrap();
        }
        assert_eq!(guard::allocations() - before, 0);
        assert_eq!(world.counts().posts - posts, 100);
    });
}

/// The model of the random programs: each unit of a consuming object is reported once, or is still in the object, or
/// was discarded when its registration ended.
#[test]
fn random_programs_lose_no_unit() {
    let seeds = std::env::var("SEEDS").map_or(2000, |seeds| seeds.parse().unwrap());
    for seed in 1..=seeds {
        run_random(seed, Behaviour::ALL[seed as usize % Behaviour::ALL.len()]);
    }
}

#[derive(Clone, Copy, Default)]
struct Expected {
    added: usize,
    reported: usize,
    may_discard: bool,
    token: usize,
}

fn run_random(seed: u64, behaviour: Behaviour) {
    const COUNT: usize = 4;
    let world = World::new(behaviour);
    world.kernel().seed(seed);
    let random = |below: usize| kernel::lock().random() as usize % below;
    let mut queue = Loop::with_capacity(1 + random(6));
    let mut handles: Vec<_> = (0..COUNT).map(|_| Handle::consuming()).collect();
    let mut expected = [Expected::default(); COUNT];
    for i in 0..COUNT {
        queue.register(&mut handles[i], i, MODES[random(3)](READ));
        expected[i].token = i;
    }
    let report = |expected: &mut [Expected; COUNT], reported: Vec<(usize, u32)>| {
        for (token, events) in reported {
            let i = token % COUNT;
            assert_eq!((expected[i].token, events), (token, RECEIVE), "seed {seed}");
            expected[i].reported += 1;
        }
    };
    for step in 0..60 {
        let i = random(COUNT);
        match random(10) {
            0 | 1 => {
                handles[i].signal_late();
                expected[i].added += 1;
            }
            2 => {
                kernel::signal(handles[i].object, 2);
                expected[i].added += 2;
            }
            3 => kernel::call_back(),
            4 | 5 => {
                let mode = random(3);
                expected[i].token = i + COUNT * step;
                queue.reregister(&mut handles[i], i + COUNT * step, MODES[mode](READ));
            }
            6 if random(4) == 0 => {
                expected[i].may_discard = true;
                expected[i].token = i + COUNT * step;
                queue.deregister(&mut handles[i]);
                queue.register(&mut handles[i], i + COUNT * step, READ);
            }
            7 if random(4) == 0 => {
                let faults = (random(3), random(3));
                let mut kernel = world.kernel();
                (kernel.faults.posts, kernel.faults.pool_waits) = faults;
            }
            _ => {
                let reported = queue.now();
                report(&mut expected, reported);
            }
        }
    }
    let mut kernel = world.kernel();
    (kernel.faults.posts, kernel.faults.pool_waits) = (0, 0);
    drop(kernel);
    for i in 0..COUNT {
        let token = expected[i].token;
        queue.reregister(&mut handles[i], token, READ.level());
    }
    for _ in 0..300 {
        kernel::call_back();
        let reported = queue.now();
        report(&mut expected, reported);
    }
    for (handle, expected) in handles.iter().zip(&expected) {
        assert_eq!(handle.units(), 0, "seed {seed}");
        let Expected { added, reported, may_discard, .. } = *expected;
        assert!(reported <= added && (reported == added || may_discard), "seed {seed}: {reported} of {added}");
    }
}
