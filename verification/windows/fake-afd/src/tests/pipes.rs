//! Pipes: pending operations, dropped pipes and polls, and events.

use std::io::{self, ErrorKind};
use std::thread;

use crate::association::Association;
use crate::event::Source;
use crate::kernel::layout::*;
use crate::kernel::{self, Behaviour, OperationKind};
use crate::queue::PipeSource;
use crate::world::{everywhere, with_loop, Loop, World, FINISHED};
use crate::{Interest, Registry, Token};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const READ: Interest = Interest::READABLE;

/// Like the crate's `NamedPipe`.
pub(super) struct Pipe {
    association: Association,
    state: PipeSource,
    handle: usize,
}

impl Pipe {
    fn server() -> Pipe {
        Pipe::new(true)
    }

    pub(super) fn client() -> Pipe {
        Pipe::new(false)
    }

    fn new(is_server: bool) -> Pipe {
        let handle = kernel::lock().open_pipe(is_server);
        // SAFETY: the handle has just been opened, and no other code owns it.
        Pipe { association: Association::default(), state: unsafe { PipeSource::from_raw(handle as *mut _) }, handle }
    }

    pub(super) fn read(&self, most: usize) -> io::Result<usize> {
        self.state.read(most, |bytes| most.min(bytes.len()))
    }

    fn write(&self, len: usize) -> io::Result<usize> {
        self.state.write(std::iter::once(&vec![7; len][..]))
    }

    #[track_caller]
    pub(super) fn ends(&self, kind: OperationKind, status: Status, bytes: usize) {
        assert!(kernel::lock().end(self.handle, kind, status, bytes), "the operation is not pending");
    }

    fn is_pending(&self, kind: OperationKind) -> bool {
        kernel::lock().pending_len(self.handle, kind).is_some()
    }

    fn rejects(&self, kind: OperationKind, error: impl Into<Option<i32>>) {
        kernel::lock().reject_pipe_calls(self.handle, kind, error.into());
    }
}

impl Source for Pipe {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.association.check_unassociated(registry.id())?;
        self.state.register(registry.selector(), token, interest)?;
        self.association.associate(registry.id());
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.association.check(registry.id())?;
        self.state.reregister(registry.selector(), token, interest);
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.association.check(registry.id())?;
        self.state.deregister();
        self.association = Association::default();
        Ok(())
    }
}

#[track_caller]
fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_pipe_reports_completed_operations() {
    with_loop(|_, mut queue| {
        let mut pipe = Pipe::server();
        pipe.rejects(OperationKind::Read, ERROR_PIPE_LISTENING);
        queue.register(&mut pipe, 1, BOTH);
        assert_eq!(queue.now(), []);
        would_block(pipe.state.connect());
        assert_eq!(queue.now(), []);
        pipe.rejects(OperationKind::Read, None);
        pipe.ends(OperationKind::Connect, SUCCESS, 0);
        assert_eq!(queue.now(), [(1, SEND)]);
        would_block(pipe.read(10));
        pipe.ends(OperationKind::Read, SUCCESS, 10);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        assert_eq!(pipe.read(4).unwrap(), 4);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        assert!(!pipe.is_pending(OperationKind::Read));
        assert_eq!(pipe.read(10).unwrap(), 6);
        assert_eq!(queue.now(), []);
        assert!(pipe.is_pending(OperationKind::Read));
        assert_eq!(pipe.write(10).unwrap(), 10);
        would_block(pipe.write(10));
        pipe.ends(OperationKind::Write, SUCCESS, 10);
        assert_eq!(queue.now(), [(1, SEND)]);
        pipe.ends(OperationKind::Read, BUFFER_OVERFLOW, 3);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        assert_eq!(pipe.read(10).unwrap(), 3);
    });
}

#[test]
fn a_partial_write_continues_and_its_error_is_returned_by_the_next_write() {
    with_loop(|world, mut queue| {
        let mut pipe = Pipe::client();
        queue.register(&mut pipe, 1, BOTH);
        assert_eq!(queue.now(), [(1, SEND)]);
        for (status, bytes, kind) in [(SUCCESS, 0, ErrorKind::WriteZero), (PIPE_BROKEN, 0, ErrorKind::BrokenPipe)] {
            assert_eq!(pipe.write(10).unwrap(), 10);
            pipe.ends(OperationKind::Write, SUCCESS, 4);
            assert_eq!(queue.now(), []);
            assert_eq!(world.kernel().pending_len(pipe.handle, OperationKind::Write), Some(6));
            pipe.ends(OperationKind::Write, status, bytes);
            assert_eq!(queue.now(), [(1, SEND)]);
            let err = pipe.write(10).unwrap_err();
            assert!(err.kind() == kind || err.raw_os_error() == Some(ERROR_BROKEN_PIPE), "{err}");
        }
        assert_eq!(pipe.write(10).unwrap(), 10);
        pipe.ends(OperationKind::Write, SUCCESS, 4);
        pipe.rejects(OperationKind::Write, ERROR_NO_DATA);
        assert_eq!(queue.now(), [(1, SEND)]);
        assert_eq!(pipe.write(10).unwrap_err().raw_os_error(), Some(ERROR_NO_DATA));
        assert_eq!(pipe.write(10).unwrap_err().raw_os_error(), Some(ERROR_NO_DATA));
    });
}

#[test]
fn a_closed_pipe_is_reported_once_in_edge_mode_and_by_a_client_in_both_directions() {
    with_loop(|_, mut queue| {
        let (mut server, mut client) = (Pipe::server(), Pipe::client());
        queue.register(&mut server, 1, BOTH);
        queue.register(&mut client, 2, BOTH);
        assert_eq!(queue.now(), [(1, SEND), (2, SEND)]);
        for pipe in [&server, &client] {
            pipe.rejects(OperationKind::Read, ERROR_BROKEN_PIPE);
            pipe.ends(OperationKind::Read, PIPE_BROKEN, 0);
        }
        assert_eq!(queue.now(), [(1, RECEIVE), (2, RECEIVE | SEND | DISCONNECT | FINISHED)]);
        for pipe in [&server, &client] {
            (0..3).for_each(|_| assert_eq!(pipe.read(10).unwrap(), 0));
        }
        assert_eq!(queue.now(), []);
        queue.reregister(&mut client, 3, READ);
        assert_eq!(queue.now(), [(3, RECEIVE | DISCONNECT)]);
    });
}

#[test]
fn a_second_client_that_closes_at_once_is_reported_like_the_first() {
    with_loop(|_, mut queue| {
        let mut pipe = Pipe::server();
        queue.register(&mut pipe, 1, BOTH);
        assert_eq!(queue.now(), [(1, SEND)]);
        pipe.ends(OperationKind::Read, PIPE_BROKEN, 0);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        pipe.state.disconnect().unwrap();
        would_block(pipe.state.connect());
        pipe.rejects(OperationKind::Read, ERROR_BROKEN_PIPE);
        pipe.ends(OperationKind::Connect, SUCCESS, 0);
        assert_eq!(queue.now(), [(1, RECEIVE | SEND)]);
        assert_eq!(pipe.read(10).unwrap(), 0);
    });
}

#[test]
fn the_result_of_a_discarded_operation_is_ignored() {
    for (status, bytes) in [(CANCELLED, 0), (SUCCESS, 5), (PIPE_BROKEN, 0)] {
        with_loop(|world, mut queue| {
            let mut pipe = Pipe::server();
            queue.register(&mut pipe, 1, BOTH);
            would_block(pipe.state.connect());
            assert_eq!(pipe.write(5).unwrap(), 5);
            assert_eq!(queue.now(), []);
            world.kernel().behaviour.cancels_late = true;
            pipe.state.disconnect().unwrap();
            // The connect is cancelled twice, and restarted in between.
            would_block(pipe.state.connect());
            pipe.state.disconnect().unwrap();
            world.kernel().deliver_operations(status, bytes);
            assert_eq!(queue.now(), []);
            assert_eq!(world.kernel().operations_pending(), 0);
            would_block(pipe.read(5));
            assert!(pipe.state.take_error().is_none());
            would_block(pipe.state.connect());
            assert!(pipe.is_pending(OperationKind::Connect));
            world.kernel().behaviour.cancels_late = false;
            pipe.ends(OperationKind::Connect, SUCCESS, 0);
            assert_eq!(queue.now(), [(1, SEND)]);
            assert!(pipe.is_pending(OperationKind::Read));
        });
    }
}

#[test]
fn a_discarded_connect_is_restarted_by_its_packet() {
    with_loop(|world, mut queue| {
        let mut pipe = Pipe::server();
        pipe.rejects(OperationKind::Read, ERROR_PIPE_LISTENING);
        queue.register(&mut pipe, 1, BOTH);
        would_block(pipe.state.connect());
        world.kernel().behaviour.cancels_late = true;
        pipe.state.disconnect().unwrap();
        would_block(pipe.state.connect());
        assert_eq!(queue.now(), []);
        world.kernel().deliver_operations(CANCELLED, 0);
        assert_eq!(queue.now(), []);
        assert!(pipe.is_pending(OperationKind::Connect));
        // The same, but the restarted connect fails.
        pipe.state.disconnect().unwrap();
        would_block(pipe.state.connect());
        pipe.rejects(OperationKind::Connect, ERROR_INVALID_PARAMETER);
        world.kernel().deliver_operations(CANCELLED, 0);
        assert_eq!(queue.now(), [(1, SEND)]);
        assert_eq!(pipe.state.take_error().unwrap().raw_os_error(), Some(ERROR_INVALID_PARAMETER));
        // The same, but a client is connected already.
        pipe.rejects(OperationKind::Connect, None);
        would_block(pipe.state.connect());
        pipe.state.disconnect().unwrap();
        would_block(pipe.state.connect());
        pipe.rejects(OperationKind::Connect, ERROR_PIPE_CONNECTED);
        pipe.rejects(OperationKind::Read, None);
        world.kernel().deliver_operations(CANCELLED, 0);
        assert_eq!(queue.now(), [(1, SEND)]);
        pipe.state.connect().unwrap();
        assert!(pipe.state.take_error().is_none());
        world.kernel().behaviour.cancels_late = false;
    });
}

#[test]
fn a_pending_connect_that_fails_is_reported_and_returned_by_take_error() {
    with_loop(|_, mut queue| {
        let mut pipe = Pipe::server();
        pipe.rejects(OperationKind::Read, ERROR_PIPE_LISTENING);
        queue.register(&mut pipe, 1, BOTH.level());
        would_block(pipe.state.connect());
        pipe.ends(OperationKind::Connect, PIPE_BROKEN, 0);
        assert_eq!((queue.now(), queue.now()), (vec![(1, SEND)], vec![(1, SEND)]));
        assert_eq!(pipe.state.take_error().unwrap().raw_os_error(), Some(ERROR_BROKEN_PIPE));
        assert_eq!(queue.now(), []);
    });
}

#[test]
fn a_packet_that_cannot_be_posted_is_posted_by_a_later_wait() {
    everywhere(|world| {
        for mode in [BOTH, BOTH.level(), BOTH.oneshot()] {
            let mut queue = Loop::new();
            let mut pipe = Pipe::client();
            world.kernel().faults.posts = 3;
            queue.register(&mut pipe, 1, mode);
            // Each of the two polls has tried to post twice.
            assert_eq!((queue.now(), queue.now()), (vec![], vec![(1, SEND)]));
            assert_eq!(world.counts().posts, 4);
            world.kernel().counts.posts = 0;
        }
    });
}

#[test]
fn a_pipe_that_is_registered_while_another_thread_waits_is_reported_at_once() {
    with_loop(|world, mut queue| {
        let registry = queue.registry().try_clone().unwrap();
        let (mut pipe, mut other) = (Pipe::client(), Pipe::client());
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            // Neither the packet of the first pipe nor that of the notifier can be posted, so the next wait reports
            // that pipe.
            world.kernel().faults.posts = 2;
            registry.register(&mut pipe, Token(1), BOTH).unwrap();
            registry.register(&mut other, Token(2), BOTH).unwrap();
            assert_eq!(waits.join().unwrap(), [(2, SEND)]);
        });
        assert_eq!(queue.now(), [(1, SEND)]);
        thread::scope(|scope| {
            let waits = scope.spawn(|| queue.wait());
            world.until_blocked(1);
            // The notifier ends the wait, and the pipe posts its packet when the next wait begins.
            world.kernel().faults.posts = 1;
            registry.reregister(&mut pipe, Token(3), BOTH).unwrap();
            assert_eq!(waits.join().unwrap(), [(3, SEND)]);
        });
    });
}

#[test]
fn a_report_of_a_pipe_allocates_nothing_and_posts_one_packet() {
    with_loop(|world, mut queue| {
        let mut pipe = Pipe::client();
        queue.register(&mut pipe, 1, BOTH);
        for round in 0..10 {
            let (posts, allocations) = (world.counts().posts, crate::guard::allocations());
            pipe.ends(OperationKind::Read, SUCCESS, 100);
            queue.poll.poll(&mut queue.events, Some(std::time::Duration::ZERO)).unwrap();
            assert_eq!(pipe.state.read(50, |_| 50).unwrap(), 50);
            queue.poll.poll(&mut queue.events, Some(std::time::Duration::ZERO)).unwrap();
            assert_eq!(pipe.state.read(50, |_| 50).unwrap(), 50);
            assert_eq!(pipe.state.write(std::iter::once(&[7; 100][..])).unwrap(), 100);
            pipe.ends(OperationKind::Write, SUCCESS, 100);
            queue.poll.poll(&mut queue.events, Some(std::time::Duration::ZERO)).unwrap();
            // The pipe posts a packet where the kernel queues none: for the unread bytes, and first for the
            // registration.
            assert_eq!(world.counts().posts - posts, if round == 0 { 2 } else { 1 });
            assert!(round == 0 || crate::guard::allocations() == allocations);
        }
        let posts = world.counts().posts;
        (0..3).for_each(|_| queue.reregister(&mut pipe, 1, BOTH));
        assert_eq!(queue.now(), [(1, SEND)]);
        assert_eq!(world.counts().posts - posts, 1);
    });
}

#[test]
fn the_packet_of_a_discarded_read_starts_the_read_of_the_next_client() {
    with_loop(|world, mut queue| {
        let mut pipe = Pipe::server();
        queue.register(&mut pipe, 1, BOTH);
        assert_eq!(queue.now(), [(1, SEND)]);
        world.kernel().behaviour.cancels_late = true;
        pipe.state.disconnect().unwrap();
        pipe.rejects(OperationKind::Connect, ERROR_PIPE_CONNECTED);
        pipe.state.connect().unwrap();
        assert_eq!(queue.now(), [(1, SEND)]);
        assert!(!pipe.is_pending(OperationKind::Read));
        world.kernel().behaviour.cancels_late = false;
        world.kernel().deliver_operations(SUCCESS, 5);
        assert_eq!(queue.now(), []);
        pipe.ends(OperationKind::Read, SUCCESS, 3);
        assert_eq!(queue.now(), [(1, RECEIVE)]);
        assert_eq!(pipe.read(10).unwrap(), 3);
    });
}

#[test]
fn dropping_a_pipe_with_a_duplicate_cancels_its_pending_operations() {
    with_loop(|world, mut queue| {
        let pipe = busy(&queue, 1);
        world.kernel().duplicate_pipe(pipe.handle);
        drop(pipe);
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().operations_pending(), 0);
    });
}

/// Returns a server with a read and a connect pending and both directions armed.
fn busy(queue: &Loop, token: usize) -> Pipe {
    let mut pipe = Pipe::server();
    queue.register(&mut pipe, token, BOTH.level());
    would_block(pipe.state.connect());
    pipe
}

#[test]
fn a_connect_cancelled_before_its_start_does_not_start() {
    with_loop(|_, mut queue| {
        let mut pipe = Pipe::server();
        pipe.rejects(OperationKind::Read, ERROR_PIPE_LISTENING);
        queue.register(&mut pipe, 1, BOTH);
        would_block(pipe.state.connect());
        pipe.state.disconnect().unwrap();
        // The connect will start when the packet of the first one is dequeued.
        would_block(pipe.state.connect());
        pipe.state.disconnect().unwrap();
        assert_eq!(queue.now(), []);
        assert!(!pipe.is_pending(OperationKind::Connect));
        // No connect is left to cancel.
        assert_eq!(pipe.state.disconnect().unwrap_err().raw_os_error(), Some(ERROR_PIPE_NOT_CONNECTED));
    });
}

#[test]
fn an_error_that_was_not_taken_is_not_that_of_the_next_connect() {
    with_loop(|_, mut queue| {
        let mut pipe = Pipe::server();
        pipe.rejects(OperationKind::Read, ERROR_PIPE_LISTENING);
        queue.register(&mut pipe, 1, BOTH.level());
        would_block(pipe.state.connect());
        pipe.ends(OperationKind::Connect, CANCELLED, 0);
        assert_eq!(queue.now(), [(1, SEND)]);
        would_block(pipe.state.connect());
        assert_eq!(queue.now(), []);
        pipe.rejects(OperationKind::Read, None);
        pipe.ends(OperationKind::Connect, SUCCESS, 0);
        assert_eq!(queue.now(), [(1, SEND)]);
        assert!(pipe.state.take_error().is_none());
    });
}

#[test]
fn the_operations_of_a_dropped_pipe_live_until_their_packets_are_dequeued() {
    everywhere(|world| {
        for cancels_late in [false, true] {
            let mut queue = Loop::new();
            let pipe = busy(&queue, 1);
            assert_eq!(queue.now(), []);
            world.kernel().behaviour.cancels_late = cancels_late;
            drop(pipe);
            assert_eq!(queue.now(), []);
            world.kernel().deliver_operations(CANCELLED, 0);
            assert_eq!(queue.now(), []);
            assert_eq!(world.kernel().operations_pending(), 0);
            world.kernel().behaviour.cancels_late = false;
        }
    });
}

#[test]
fn a_pending_write_of_a_dropped_pipe_is_completed() {
    with_loop(|world, mut queue| {
        let mut pipe = Pipe::server();
        queue.register(&mut pipe, 1, BOTH);
        assert_eq!(pipe.write(10).unwrap(), 10);
        let handle = pipe.handle;
        drop(pipe);
        assert_eq!(queue.now(), []);
        assert!(world.kernel().end(handle, OperationKind::Write, SUCCESS, 4));
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().pending_len(handle, OperationKind::Write), Some(6));
        assert!(world.kernel().end(handle, OperationKind::Write, SUCCESS, 6));
        assert_eq!(queue.now(), []);
        assert_eq!(world.kernel().operations_pending(), 0);
    });
}

#[test]
fn dropping_the_poll_cancels_pending_operations_and_their_results_are_returned() {
    with_loop(|_, queue| {
        let pipe = busy(&queue, 1);
        assert_eq!(pipe.write(10).unwrap(), 10);
        let mut client = Pipe::client();
        queue.register(&mut client, 2, BOTH);
        client.ends(OperationKind::Read, SUCCESS, 10);
        drop(queue);
        assert_eq!(pipe.read(10).unwrap_err().raw_os_error(), Some(995));
        assert_eq!(pipe.write(10).unwrap_err().raw_os_error(), Some(995));
        assert_eq!(pipe.state.take_error().unwrap().raw_os_error(), Some(995));
        // Results that arrived before the drop are returned.
        assert_eq!(client.read(10).unwrap(), 10);
        for result in [pipe.read(10), pipe.write(10), pipe.state.connect().map(|()| 0), client.read(10)] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
        }
        let mut pipe = pipe;
        let other = Loop::new();
        let err = other.registry().register(&mut pipe, Token(1), READ).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists, "{err}");
    });
}

#[test]
fn dropping_the_poll_cancels_pending_writes_of_dropped_pipes() {
    with_loop(|_, queue| {
        let pipe = busy(&queue, 1);
        assert_eq!(pipe.write(10).unwrap(), 10);
        drop(pipe);
        drop(queue);
    });
}

#[test]
fn a_handle_whose_association_failed_can_be_registered_again() {
    with_loop(|world, mut queue| {
        let mut pipe = Pipe::client();
        world.kernel().faults.associations = 1;
        let err = queue.registry().register(&mut pipe, Token(1), BOTH).unwrap_err();
        assert!(err.raw_os_error().is_some(), "the error of the system: {err:?}");
        queue.register(&mut pipe, 1, BOTH);
        assert_eq!(queue.now(), [(1, SEND)]);
    });
}

/// Random programs. At the end, no reference and no handle may be left.
#[test]
fn random_programs_leak_nothing() {
    let seeds = std::env::var("SEEDS").map_or(10_000, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        println!("seed {seed}");
        let world = World::new(Behaviour::ALL[seed as usize % 4]);
        world.kernel().seed(seed);
        run(&world);
        world.check();
    }
}

fn run(world: &World) {
    let random = |below: usize| world.kernel().random() as usize % below;
    let mut queue = Loop::with_capacity(1 + random(3));
    let mut pipes: [Option<Pipe>; 3] = [None, None, None];
    let mut handles: Vec<usize> = Vec::new();
    for _ in 0..30 {
        let interest = [READ, Interest::WRITABLE, BOTH][random(3)];
        let interest = [interest, interest.level(), interest.oneshot()][random(3)];
        let slot = random(3);
        let kind = OperationKind::ALL[random(3)];
        let bytes = random(6);
        match (random(16), &mut pipes[slot]) {
            (0 | 1, place @ None) => {
                let mut pipe = Pipe::new(random(2) == 0);
                handles.push(pipe.handle);
                if random(3) == 0 {
                    pipe.rejects(OperationKind::Read, ERROR_PIPE_LISTENING);
                }
                queue.register(&mut pipe, slot, interest);
                *place = Some(pipe);
            }
            (2, place) if random(3) == 0 => *place = None,
            (3, Some(pipe)) => drop(queue.registry().reregister(pipe, Token(slot), interest)),
            (4, Some(pipe)) => drop(queue.registry().deregister(pipe)),
            (5, Some(pipe)) => drop(queue.registry().register(pipe, Token(slot), interest)),
            (6, Some(pipe)) => drop(pipe.state.connect()),
            (7, Some(pipe)) if random(2) == 0 => drop(pipe.state.disconnect()),
            (8, Some(pipe)) => drop(pipe.read(bytes)),
            (9, Some(pipe)) => drop(pipe.write(bytes)),
            (10, Some(pipe)) => {
                let errors = [ERROR_PIPE_LISTENING, ERROR_BROKEN_PIPE, ERROR_PIPE_CONNECTED, ERROR_PIPE_NOT_CONNECTED];
                pipe.rejects(kind, if random(2) == 0 { None } else { Some(errors[random(4)]) });
            }
            (11, Some(pipe)) => world.kernel().pipe_does_at_once(pipe.handle, kind, bytes),
            (12 | 13, _) if !handles.is_empty() => {
                let handle = handles[random(handles.len())];
                let room = world.kernel().pending_len(handle, kind).unwrap_or(0);
                let status = [SUCCESS, SUCCESS, PIPE_BROKEN, BUFFER_OVERFLOW][random(4)];
                let bytes = if status == PIPE_BROKEN { 0 } else { bytes.min(room) };
                world.kernel().end(handle, kind, status, bytes);
            }
            (14, _) => {
                let late = random(2) == 0;
                let mut kernel = world.kernel();
                kernel.behaviour.cancels_late = late;
                kernel.deliver_operations(CANCELLED, 0);
            }
            (15, _) => {
                let posts = random(2);
                world.kernel().faults.posts = posts;
            }
            _ => drop(queue.now()),
        }
    }
    let mut kernel = world.kernel();
    kernel.behaviour.cancels_late = false;
    kernel.faults.posts = 0;
    kernel.deliver_operations(CANCELLED, 0);
    drop(kernel);
    if random(2) == 0 {
        drop(queue);
        drop(pipes);
    } else {
        drop(pipes);
        drop(queue);
    }
}
