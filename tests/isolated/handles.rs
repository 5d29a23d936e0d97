//! On Windows, the crate closes every handle that it opens, and opens few.

#![cfg(windows)]

use std::io::Write;
use std::net;
use std::os::windows::io::AsRawSocket;

use minimio::net::UdpSocket;
use minimio::windows::SourceSocket;
use minimio::{Events, Poll, Timer, Token, Waker};

use crate::support::isolation::isolated;
use crate::support::*;

#[test]
fn all_handles_are_closed_after_the_poll_and_its_sources_were_dropped() {
    isolated(|| {
        let build = || {
            let (mut poll, mut events) = poll();
            let mut sources: Vec<_> = (0..100).map(|i| registered_stream(&poll, Token(i), READ)).collect();
            let mut raw = Vec::new();
            for i in 0..100 {
                let (socket, sender) = (udp_socket(), udp_socket());
                sender.connect(socket.local_addr().unwrap()).unwrap();
                let number = socket.as_raw_socket();
                poll.registry().register(&mut SourceSocket(&number), Token(100 + i), READ.level()).unwrap();
                raw.push((socket, sender));
            }
            // The poll below submits a request for each source. Two sources are ready.
            sources[7].1.write_all(b"x").unwrap();
            raw[7].1.send(b"x").unwrap();
            poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
            (poll, sources, raw)
        };
        // The first run may open handles that the process keeps.
        drop(build());
        let before = handles::open_handles();

        let (poll, sources, raw) = build();
        drop((poll, sources, raw));
        assert_eq!(handles::open_handles(), before, "the poll was dropped first");

        let (poll, sources, raw) = build();
        drop((sources, raw));
        drop(poll);
        assert_eq!(handles::open_handles(), before, "the poll was dropped last");

        let (poll, sources, raw) = build();
        let registry = poll.registry().try_clone().unwrap();
        drop(poll);
        drop((sources, raw));
        drop(registry);
        assert_eq!(handles::open_handles(), before, "a registry was dropped last");
    });
}

#[test]
fn a_dropped_poll_leaves_no_handles_in_its_sources() {
    isolated(|| {
        let pairs = || -> Vec<_> { (0..100).map(|_| stream_and_peer()).collect() };
        drop((Poll::new().unwrap(), pairs()));
        let mut sources = pairs();
        let before = handles::open_handles();
        let (mut poll, mut events) = poll();
        for (stream, _) in &mut sources {
            poll.registry().register(stream, SOURCE, READ).unwrap();
        }
        expect_no_event(&mut poll, &mut events);
        drop(poll);
        assert_eq!(handles::open_handles(), before);
    });
}

#[test]
fn a_poll_needs_one_handle_for_32_sockets() {
    isolated(|| {
        const COUNT: usize = 5000;
        let mut sockets: Vec<_> = (0..COUNT).map(|_| UdpSocket::bind(loopback()).unwrap()).collect();
        let sender = udp_socket();
        let before = handles::open_handles().unwrap();
        let (mut poll, mut events) = poll();
        for (i, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(i), READ).unwrap();
        }
        expect_no_event(&mut poll, &mut events);
        let groups = handles::open_handles().unwrap() - before;
        assert!((COUNT / 32..COUNT / 32 + 10).contains(&groups), "{groups} handles for {COUNT} sockets");

        for i in (0..COUNT).step_by(50) {
            sender.send_to(b"x", sockets[i].local_addr().unwrap()).unwrap();
            wait_for(&mut poll, &mut events, Token(i), |event| event.is_readable());
            sockets[i].recv(&mut [0; 8]).unwrap();
        }
        for socket in &mut sockets {
            poll.registry().deregister(socket).unwrap();
        }
        drop(sockets);
        // A poll group, up to 32 sockets that share a handle (`src/iocp/poll_group.rs`), closes the handle when its
        // last request has completed.
        expect_no_event(&mut poll, &mut Events::with_capacity(COUNT));
        let left = handles::open_handles().unwrap() - (before - COUNT);
        assert!(left < 10, "{left} handles are open without a socket");
        drop(poll);
        assert_eq!(handles::open_handles().unwrap(), before - COUNT);
    });
}

#[test]
fn wakers_and_timers_need_no_handles() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        // Under Wine, the first wait of a thread at a port opens a handle.
        expect_no_event(&mut poll, &mut events);
        let before = handles::open_handles();
        let wakers: Vec<_> = (0..100).map(|i| Waker::new(poll.registry(), Token(i)).unwrap()).collect();
        let mut timers: Vec<_> = (0..100).map(|_| Timer::new()).collect();
        for timer in &mut timers {
            poll.registry().register(timer, SOURCE, READ).unwrap();
            timer.set(std::time::Duration::ZERO).unwrap();
        }
        wakers.iter().for_each(|waker| waker.wake().unwrap());
        next_batch(&mut poll, &mut events);
        assert_eq!(handles::open_handles(), before);
    });
}

fn udp_socket() -> net::UdpSocket {
    let socket = net::UdpSocket::bind(loopback()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}
