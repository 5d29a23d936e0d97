//! On Windows, every handle that the crate opens is closed again.

#![cfg(windows)]

use std::io::Write;
use std::net;
use std::os::windows::io::AsRawSocket;

use minimio::net::UdpSocket;
use minimio::windows::SourceSocket;
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

use crate::support::isolation::isolated;
use crate::support::*;

const SOURCE: Token = Token(1);
const READ: Interest = Interest::READABLE;

#[test]
fn every_handle_is_given_back() {
    isolated(|| {
        // The first of everything may stay.
        let scene = || {
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
            // All of them are asked for now, and some are ready.
            sources[7].1.write_all(b"x").unwrap();
            raw[7].1.send(b"x").unwrap();
            poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
            (poll, sources, raw)
        };
        drop(scene());
        let before = handles::open_handles();

        let (poll, sources, raw) = scene();
        drop((poll, sources, raw));
        assert_eq!(handles::open_handles(), before, "the poll went first");

        let (poll, sources, raw) = scene();
        drop((sources, raw));
        drop(poll);
        assert_eq!(handles::open_handles(), before, "the poll went last");

        let (poll, sources, raw) = scene();
        let registry = poll.registry().try_clone().unwrap();
        drop(poll);
        drop((sources, raw));
        drop(registry);
        assert_eq!(handles::open_handles(), before, "a registry stayed behind");
    });
}

#[test]
fn a_poll_that_is_gone_leaves_no_handle_behind_in_its_sources() {
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
fn thousands_of_sockets_need_a_handle_for_each_few_dozen() {
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
        let helpers = handles::open_handles().unwrap() - before;
        assert!((COUNT / 32..COUNT / 32 + 10).contains(&helpers), "{helpers} handles for {COUNT} sockets");

        for i in (0..COUNT).step_by(50) {
            sender.send_to(b"x", sockets[i].local_addr().unwrap()).unwrap();
            wait_for(&mut poll, &mut events, Token(i), |event| event.is_readable());
            sockets[i].recv(&mut [0; 8]).unwrap();
        }
        for socket in &mut sockets {
            poll.registry().deregister(socket).unwrap();
        }
        drop(sockets);
        // The helpers go when the last that was asked of them has come back.
        expect_no_event(&mut poll, &mut Events::with_capacity(COUNT));
        let left = handles::open_handles().unwrap() - (before - COUNT);
        assert!(left < 10, "{left} handles for no socket");
        drop(poll);
        assert_eq!(handles::open_handles().unwrap(), before - COUNT);
    });
}

#[test]
fn wakers_and_timers_need_no_handle() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        // Wine's own: one for the first wait of a thread at a port.
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
