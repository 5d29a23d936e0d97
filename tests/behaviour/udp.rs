//! UDP sockets.

use std::io::ErrorKind;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use minimio::net::UdpSocket;
use minimio::{Interest, Poll, Token};

use crate::support::*;

/// Returns a registered socket and its address.
fn registered(poll: &Poll, addr: SocketAddr) -> (UdpSocket, SocketAddr) {
    let mut socket = UdpSocket::bind(addr).unwrap();
    poll.registry().register(&mut socket, SOURCE, Interest::READABLE).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

#[test]
fn a_datagram_arrives_with_the_address_of_its_sender() {
    for loopback_addr in [Some(loopback()), loopback_v6()].into_iter().flatten() {
        let (mut poll, mut events) = poll();
        let (receiver, addr) = registered(&poll, loopback_addr);
        let sender = UdpSocket::bind(loopback_addr).unwrap();
        assert_eq!(sender.send_to(b"ping", addr).unwrap(), 4);
        wait_until_readable(&mut poll, &mut events);
        let mut buf = [0; 16];
        assert_eq!(receiver.recv_from(&mut buf).unwrap(), (4, sender.local_addr().unwrap()));
        assert_eq!(&buf[..4], b"ping");
        assert_eq!(kind(receiver.recv_from(&mut buf)), ErrorKind::WouldBlock);
    }
}

#[test]
fn receiving_and_peeking_never_block() {
    let socket = UdpSocket::bind(loopback()).unwrap();
    let mut buf = [0; 16];
    assert_eq!(kind(socket.recv_from(&mut buf)), ErrorKind::WouldBlock);
    assert_eq!(kind(socket.peek_from(&mut buf)), ErrorKind::WouldBlock);
    let peer = UdpSocket::bind(loopback()).unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    assert_eq!(kind(socket.recv(&mut buf)), ErrorKind::WouldBlock);
    assert_eq!(kind(socket.peek(&mut buf)), ErrorKind::WouldBlock);
}

#[test]
fn a_peeked_datagram_can_still_be_received() {
    let (mut poll, mut events) = poll();
    let (receiver, addr) = registered(&poll, loopback());
    let sender = UdpSocket::bind(loopback()).unwrap();
    sender.send_to(b"ping", addr).unwrap();
    wait_until_readable(&mut poll, &mut events);
    let mut buf = [0; 16];
    for _ in 0..2 {
        assert_eq!(receiver.peek_from(&mut buf).unwrap(), (4, sender.local_addr().unwrap()));
    }
    receiver.connect(sender.local_addr().unwrap()).unwrap();
    assert_eq!(receiver.peek(&mut buf).unwrap(), 4);
    assert_eq!(receiver.recv(&mut buf).unwrap(), 4);
    assert_eq!(kind(receiver.peek(&mut buf)), ErrorKind::WouldBlock);
}

#[test]
fn a_connected_socket_sends_to_and_receives_from_its_peer_only() {
    let (mut poll, mut events) = poll();
    let (socket, addr) = registered(&poll, loopback());
    let (peer, stranger) = (UdpSocket::bind(loopback()).unwrap(), UdpSocket::bind(loopback()).unwrap());
    assert!(socket.peer_addr().is_err());
    assert!(socket.send(b"to whom?").is_err());
    socket.connect(peer.local_addr().unwrap()).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), peer.local_addr().unwrap());

    stranger.send_to(b"from a stranger", addr).unwrap();
    peer.send_to(b"from the peer", addr).unwrap();
    wait_until_readable(&mut poll, &mut events);
    let mut buf = [0; 32];
    let count = socket.recv(&mut buf).unwrap();
    assert_eq!(&buf[..count], b"from the peer");
    assert_eq!(kind(socket.recv(&mut buf)), ErrorKind::WouldBlock);

    assert_eq!(socket.send(b"answer").unwrap(), 6);
    peer.connect(addr).unwrap();
    let mut peer = peer;
    poll.registry().register(&mut peer, Token(2), Interest::READABLE).unwrap();
    wait_for(&mut poll, &mut events, Token(2), |event| event.is_readable());
    assert_eq!(peer.recv(&mut buf).unwrap(), 6);
}

#[test]
fn datagrams_keep_their_boundaries_and_their_order() {
    let (mut poll, mut events) = poll();
    let (receiver, addr) = registered(&poll, loopback());
    let sender = UdpSocket::bind(loopback()).unwrap();
    for len in [1, 0, 1000, 3] {
        assert_eq!(sender.send_to(&vec![7; len], addr).unwrap(), len);
    }
    let mut buf = [0; 2000];
    for len in [1, 0, 1000, 3] {
        let count = loop {
            match receiver.recv_from(&mut buf) {
                Ok((count, _)) => break count,
                Err(err) if err.kind() == ErrorKind::WouldBlock => wait_until_readable(&mut poll, &mut events),
                Err(err) => panic!("{err}"),
            }
        };
        assert_eq!(count, len);
    }
}

#[test]
fn a_datagram_that_is_too_long_to_send_is_refused() {
    let socket = UdpSocket::bind(loopback()).unwrap();
    assert!(socket.send_to(&[0; 70_000], socket.local_addr().unwrap()).is_err());
    assert_eq!(kind(socket.recv_from(&mut [0; 16])), ErrorKind::WouldBlock);
}

#[test]
fn options_keep_the_values_that_were_set() {
    let socket = UdpSocket::bind(loopback()).unwrap();
    for on in [true, false] {
        socket.set_broadcast(on).unwrap();
        assert_eq!(socket.broadcast().unwrap(), on);
        socket.set_multicast_loop_v4(on).unwrap();
        assert_eq!(socket.multicast_loop_v4().unwrap(), on);
    }
    for ttl in [1, 64, 255] {
        socket.set_ttl(ttl).unwrap();
        assert_eq!(socket.ttl().unwrap(), ttl);
        socket.set_multicast_ttl_v4(ttl).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), ttl);
    }
    if let Some(loopback_addr) = loopback_v6() {
        let socket = UdpSocket::bind(loopback_addr).unwrap();
        for on in [true, false] {
            socket.set_multicast_loop_v6(on).unwrap();
            assert_eq!(socket.multicast_loop_v6().unwrap(), on);
        }
    }
    assert!(socket.take_error().unwrap().is_none());
}

#[test]
fn an_ipv6_only_socket_receives_no_ipv4_datagram() {
    if loopback_v6().is_none() {
        return;
    }
    let (mut poll, mut events) = poll();
    let (socket, addr) = registered(&poll, "[::]:0".parse().unwrap());
    let sender = UdpSocket::bind(loopback()).unwrap();
    // The default differs between systems.
    let is_only_v6 = socket.only_v6().unwrap();
    let sent = sender.send_to(b"ping", (Ipv4Addr::LOCALHOST, addr.port()).into());
    if is_only_v6 {
        expect_no_event(&mut poll, &mut events);
    } else {
        assert_eq!(sent.unwrap(), 4);
        wait_until_readable(&mut poll, &mut events);
    }
}

#[test]
fn groups_are_joined_and_left_once() {
    let group = Ipv4Addr::new(224, 0, 0, 123);
    let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
    socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
    socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
    assert!(socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_err());
    assert!(socket.join_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::LOCALHOST).is_err());

    if let Some(loopback_addr) = loopback_v6() {
        let socket = UdpSocket::bind(loopback_addr).unwrap();
        assert!(socket.join_multicast_v6(&Ipv6Addr::LOCALHOST, 0).is_err());
        assert!(socket.leave_multicast_v6(&"ff02::123".parse().unwrap(), 0).is_err());
    }
}

#[test]
fn try_io_runs_its_operation_once() {
    let socket = UdpSocket::bind(loopback()).unwrap();
    let mut runs = 0;
    let answer = socket.try_io(|| {
        runs += 1;
        Ok(42)
    });
    assert_eq!((answer.unwrap(), runs), (42, 1));
    assert_eq!(kind(socket.try_io(|| Err::<(), _>(ErrorKind::WouldBlock.into()))), ErrorKind::WouldBlock);
}

#[test]
fn a_socket_converts_to_std_and_back() {
    let socket = net::UdpSocket::bind(loopback()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let addr = socket.local_addr().unwrap();
    let socket = UdpSocket::from_std(socket);
    assert_eq!(socket.local_addr().unwrap(), addr);
    let socket = net::UdpSocket::from(socket);
    assert_eq!(kind(socket.recv(&mut [0])), ErrorKind::WouldBlock);
    assert_eq!(socket.local_addr().unwrap(), addr);
}

#[test]
fn an_address_in_use_is_refused() {
    let socket = UdpSocket::bind(loopback()).unwrap();
    assert_eq!(kind(UdpSocket::bind(socket.local_addr().unwrap())), ErrorKind::AddrInUse);
}

#[test]
fn debug_output_contains_the_type_and_the_address() {
    let socket = UdpSocket::bind(loopback()).unwrap();
    let text = format!("{socket:?}");
    assert!(text.contains("UdpSocket") && text.contains("127.0.0.1"), "{text}");
}
