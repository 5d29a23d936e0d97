//! Sockets on Windows only: conversions, inheritance, threads, and `UdpSocket::set_connreset`.

#![cfg(windows)]

use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::windows::io::{AsRawSocket, IntoRawSocket, OwnedSocket};
use std::thread;

use minimio::book;
use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::windows::SourceSocket;

use crate::support::*;

// Sockets as handles.

#[test]
fn a_socket_converted_to_a_raw_socket_is_not_reported() {
    let (mut poll, mut events, stream, mut peer) = poll_and_stream(READ.level());
    expect_no_event(&mut poll, &mut events);
    let raw = stream.into_raw_socket();
    peer.write_all(b"x").unwrap();
    expect_no_event(&mut poll, &mut events);

    let mut stream = TcpStream::from(raw_socket::from_raw::<OwnedSocket>(raw));
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
    wait_until_readable(&mut poll, &mut events);
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn a_stream_of_the_book_has_a_socket() {
    let (mut poll, mut events) = poll();
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let stream = book::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.accept().unwrap().0.write_all(b"x").unwrap();
    poll.registry().register(&mut SourceSocket(&stream.as_raw_socket()), SOURCE, READ).unwrap();
    wait_until_readable(&mut poll, &mut events);
}

#[test]
fn no_socket_is_inherited_by_child_processes() {
    let listener = TcpListener::bind(loopback()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = loop {
        match listener.accept() {
            Ok((server, _)) => break server,
            Err(err) if err.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(err) => panic!("accept: {err}"),
        }
    };
    let socket = UdpSocket::bind(loopback()).unwrap();
    for socket in [listener.as_raw_socket(), client.as_raw_socket(), server.as_raw_socket(), socket.as_raw_socket()] {
        assert!(!raw_socket::is_inheritable(socket));
    }
}

#[test]
fn a_registration_survives_the_thread_that_made_it() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    let registry = poll.registry().try_clone().unwrap();
    let poller = thread::spawn(move || {
        wait_until_readable(&mut poll, &mut events);
        poll
    });
    // The polling thread is usually blocked by now, so the registering thread submits the request.
    thread::yield_now();
    let stream = thread::spawn(move || {
        registry.register(&mut stream, SOURCE, READ).unwrap();
        stream
    })
    .join()
    .unwrap();
    peer.write_all(b"x").unwrap();
    let poll = poller.join().unwrap();
    drop((poll, stream));
}

// UDP.

#[test]
fn an_unconnected_udp_socket_receives_after_its_datagrams_were_refused() {
    let (mut poll, mut events) = poll();
    for connreset in [false, true] {
        let mut socket = UdpSocket::bind(loopback()).unwrap();
        socket.set_connreset(connreset).unwrap();
        poll.registry().register(&mut socket, SOURCE, READ).unwrap();
        let gone = net::UdpSocket::bind(loopback()).unwrap().local_addr().unwrap();
        let mut refusals = 0;
        for _ in 0..3 {
            socket.send_to(b"hello?", gone).unwrap();
            match socket.recv_from(&mut [0; 32]) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                Err(err) if err.kind() == ErrorKind::ConnectionReset => refusals += 1,
                result => panic!("recv_from: {result:?}"),
            }
        }
        assert!(connreset || refusals == 0);
        assert!(!connreset || refusals > 0 || !system::udp_refusals_are_reported());
        let sender = net::UdpSocket::bind(loopback()).unwrap();
        sender.send_to(b"here", socket.local_addr().unwrap()).unwrap();
        loop {
            wait_until_readable(&mut poll, &mut events);
            match socket.recv(&mut [0; 32]) {
                Ok(count) => break assert_eq!(count, 4),
                Err(err) => assert!(matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset), "{err}"),
            }
        }
        poll.registry().deregister(&mut socket).unwrap();
    }
}
