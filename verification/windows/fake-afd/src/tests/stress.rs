//! Real threads: one that polls, two that register, and one that is the network.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::kernel::Behaviour;
use crate::world::{until, Loop, Peer, Stream, World};
use crate::{Interest, Token, Waker};

const SOURCES: usize = 12;
const HOW_LONG: Duration = Duration::from_millis(1_500);

/// A source that is registered repeatedly, each time with a new token.
struct Shared {
    stream: Mutex<(Stream, usize)>,
    peer: Peer,
}

const MODES: [Interest; 3] = [Interest::READABLE, Interest::READABLE.level(), Interest::READABLE.oneshot()];

fn token(source: usize, generation: usize) -> usize {
    generation * SOURCES + source
}

fn run(behaviour: Behaviour) {
    let world = World::new(behaviour);
    let mut queue = Loop::with_capacity(5);
    let waker = Waker::new(queue.registry(), Token(usize::MAX)).unwrap();
    let registries = [queue.registry().try_clone().unwrap(), queue.registry().try_clone().unwrap()];
    let sources: Vec<_> = (0..SOURCES)
        .map(|source| {
            let (mut stream, peer) = world.unconnected();
            queue.register(&mut stream, token(source, 0), MODES[source % 3]);
            Shared { stream: Mutex::new((stream, 0)), peer }
        })
        .collect();
    let over = AtomicBool::new(false);
    let reports = AtomicUsize::new(0);
    let begin = Instant::now();
    thread::scope(|scope| {
        let (sources, over, reports) = (&sources, &over, &reports);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let before: Vec<_> = sources.iter().map(|shared| shared.stream.lock().unwrap().1).collect();
                for (id, _) in queue.wait() {
                    if id == usize::MAX {
                        continue;
                    }
                    reports.fetch_add(1, Ordering::Relaxed);
                    let (source, generation) = (id % SOURCES, id / SOURCES);
                    assert!(generation >= before[source], "an event of a registration that had ended before the poll");
                    let mut stream = sources[source].stream.lock().unwrap();
                    stream.0.drain();
                    // Rearm a oneshot source, unless it has been reregistered in the meantime.
                    if stream.1 == generation && generation % 3 == 2 {
                        stream.1 += 3;
                        queue.reregister(&mut stream.0, token(source, generation + 3), MODES[2]);
                    }
                }
            }
        });
        for (number, registry) in registries.into_iter().enumerate() {
            scope.spawn(move || {
                for round in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let source = (round * 7 + number) % SOURCES;
                    let mut stream = sources[source].stream.lock().unwrap();
                    let (stream, generation) = &mut *stream;
                    *generation += 1;
                    let (token, mode) = (Token(token(source, *generation)), MODES[*generation % 3]);
                    if round % 3 == 0 {
                        registry.deregister(stream).unwrap();
                        registry.register(stream, token, mode).unwrap();
                    } else {
                        registry.reregister(stream, token, mode).unwrap();
                    }
                    if round % 16 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
        let network = scope.spawn(move || {
            let mut round = 0;
            while begin.elapsed() < HOW_LONG {
                let peer = sources[round % SOURCES].peer;
                peer.sends(1 + round % 3);
                // After every second send, wait until the program has read the bytes.
                if round % 2 == 0 {
                    until("the bytes are not read: an event is lost", || peer.unread() == 0);
                }
                round += 1;
            }
            for shared in sources {
                until("the last bytes are not read: an event is lost", || shared.peer.unread() == 0);
            }
        });
        let result = network.join();
        over.store(true, Ordering::Relaxed);
        waker.wake().unwrap();
        result.unwrap();
    });
    assert!(reports.load(Ordering::Relaxed) > 100);
    world.check();
}

#[test]
fn threads_that_register_while_another_polls_lose_no_event() {
    for behaviour in [Behaviour::WINDOWS, Behaviour::ODD, Behaviour::WINE] {
        run(behaviour);
    }
}

#[test]
fn threads_that_read_while_another_polls_lose_no_event() {
    // Edge mode. The queue sees only the program's reads, which race with the reports.
    for behaviour in [Behaviour::WINDOWS, Behaviour::ODD] {
        let world = World::new(behaviour);
        let mut queue = Loop::new();
        let waker = Waker::new(queue.registry(), Token(usize::MAX)).unwrap();
        let all: Vec<_> = (0..4)
            .map(|token| {
                let (mut stream, peer) = world.unconnected();
                queue.register(&mut stream, token, Interest::READABLE);
                (stream, peer)
            })
            .collect();
        let over = AtomicBool::new(false);
        let begin = Instant::now();
        thread::scope(|scope| {
            let (all, over) = (&all, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    for (id, _) in queue.wait() {
                        if let Some((stream, _)) = all.get(id) {
                            stream.drain();
                        }
                    }
                }
            });
            // Reads without an event, at any time.
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    all.iter().for_each(|(stream, _)| drop(stream.read(1)));
                    thread::sleep(Duration::from_micros(30));
                }
            });
            let network = scope.spawn(move || {
                for round in 0.. {
                    if begin.elapsed() > HOW_LONG {
                        return;
                    }
                    let (_, peer) = &all[round % all.len()];
                    peer.sends(3);
                    until("an event is lost", || peer.unread() == 0);
                }
            });
            let result = network.join();
            over.store(true, Ordering::Relaxed);
            waker.wake().unwrap();
            result.unwrap();
        });
        world.check();
    }
}
