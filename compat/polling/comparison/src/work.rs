// The work, included twice: `polling` is one of the two crates.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};

pub fn run(work: &str, count: usize) {
    match work {
        "a wait without events" => waits(count, Duration::ZERO),
        "a wait with a timeout of 100 µs" => waits(count, Duration::from_micros(100)),
        "a notification, then a wait" => notifications(count),
        "a round trip, oneshot" => round_trips(count, 1, PollMode::Oneshot),
        "a round trip, level" => round_trips(count, 1, PollMode::Level),
        "a round trip, edge" => round_trips(count, 1, PollMode::Edge),
        "64 messages, edge" => round_trips(count, 64, PollMode::Edge),
        "add, modify, delete" => registrations(count),
        _ => panic!("there is no work {work}"),
    }
}

fn waits(count: usize, timeout: Duration) {
    let (poller, mut events) = (Poller::new().unwrap(), Events::new());
    for _ in 0..count {
        events.clear();
        poller.wait(&mut events, Some(timeout)).unwrap();
    }
}

fn notifications(count: usize) {
    let (poller, mut events) = (Poller::new().unwrap(), Events::new());
    for _ in 0..count {
        poller.notify().unwrap();
        events.clear();
        poller.wait(&mut events, None).unwrap();
    }
}

/// Each pass sends one byte on each connection, and reads all bytes that are reported.
fn round_trips(count: usize, connections: usize, mode: PollMode) {
    let (poller, mut events) = (Poller::new().unwrap(), Events::new());
    let pairs: Vec<_> = (0..connections).map(|_| connect()).collect();
    for (key, (_, server)) in pairs.iter().enumerate() {
        // SAFETY: the poller ends before the streams.
        unsafe { poller.add_with_mode(server, Event::readable(key), mode) }.unwrap();
    }
    for _ in 0..count {
        for (client, _) in &pairs {
            (&*client).write_all(b"!").unwrap();
        }
        let mut rest = connections;
        while rest > 0 {
            events.clear();
            poller.wait(&mut events, None).unwrap();
            for event in events.iter() {
                let server = &pairs[event.key].1;
                (&*server).read_exact(&mut [0]).unwrap();
                if mode == PollMode::Oneshot {
                    poller.modify(server, Event::readable(event.key)).unwrap();
                }
                rest -= 1;
            }
        }
    }
    drop(poller);
}

fn registrations(count: usize) {
    let (poller, (source, _peer)) = (Poller::new().unwrap(), connect());
    for _ in 0..count {
        // SAFETY: the source is deleted below.
        unsafe { poller.add(&source, Event::readable(1)) }.unwrap();
        poller.modify(&source, Event::all(1)).unwrap();
        poller.delete(&source).unwrap();
    }
}

fn connect() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}
