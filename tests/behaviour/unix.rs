//! The sources of this crate as descriptors.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net;
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};

use minimio::book;
use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::unix::SourceFd;

use crate::support::*;

#[test]
fn sockets_convert_to_descriptors_and_back() {
    let (stream, mut peer) = stream_and_peer();
    let fd = stream.as_raw_fd();
    assert_eq!(stream.as_fd().as_raw_fd(), fd);
    let owned = OwnedFd::from(stream);
    assert_eq!(owned.as_raw_fd(), fd);
    let mut stream: TcpStream = descriptor::from_raw(TcpStream::from(owned));
    assert_eq!(stream.as_raw_fd(), fd);
    stream.write_all(b"alive").unwrap();
    peer.read_exact(&mut [0; 5]).unwrap();

    let listener = TcpListener::bind(loopback()).unwrap();
    let addr = listener.local_addr().unwrap();
    let listener = TcpListener::from(OwnedFd::from(listener));
    assert_eq!(listener.local_addr().unwrap(), addr);
    let socket = UdpSocket::bind(loopback()).unwrap();
    let addr = socket.local_addr().unwrap();
    let socket = UdpSocket::from(OwnedFd::from(socket));
    assert_eq!(socket.local_addr().unwrap(), addr);
}

#[test]
fn a_stream_of_the_book_has_a_descriptor() {
    let (mut poll, mut events) = poll();
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let stream = book::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.accept().unwrap().0.write_all(b"x").unwrap();
    poll.registry().register(&mut SourceFd(&stream.as_raw_fd()), SOURCE, READ).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn every_descriptor_is_closed_on_exec_and_every_socket_is_non_blocking() {
    use std::io::ErrorKind;
    use std::os::unix::io::RawFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use descriptor::flags;

    // The reference values: the standard library opens files and sockets close-on-exec, and one socket is set
    // non-blocking. `0o3` is the access mode.
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let (non_blocking_socket, blocking_socket) = UnixStream::pair().unwrap();
    non_blocking_socket.set_nonblocking(true).unwrap();
    let non_blocking = flags(&non_blocking_socket) & !flags(&blocking_socket);
    let cloexec = flags(&file) & flags(&non_blocking_socket) & !0o3;
    assert!(non_blocking != 0 && cloexec != 0);

    let listener = TcpListener::bind(loopback()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let end = Instant::now() + WAIT_LIMIT;
    let accepted = loop {
        match listener.accept() {
            Ok((accepted, _)) => break accepted,
            Err(err) => assert!(err.kind() == ErrorKind::WouldBlock && Instant::now() < end, "{err}"),
        }
    };
    let socket = UdpSocket::bind(loopback()).unwrap();
    for flags in [flags(&listener), flags(&client), flags(&accepted), flags(&socket)] {
        assert_eq!(flags & (non_blocking | cloexec), non_blocking | cloexec);
    }
    let (poll, _) = poll();
    assert_eq!(flags(&poll) & cloexec, cloexec);
    // With epoll, the first waker opens an eventfd. No method returns its number, so check all eventfds of this
    // process.
    let _waker = minimio::Waker::new(poll.registry(), SOURCE).unwrap();
    let descriptors: Vec<_> = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in descriptors {
        if std::fs::read_link(&path).map_or(false, |target| target.to_string_lossy().contains("eventfd")) {
            let fd: RawFd = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            // Another test may have closed its descriptor in the meantime.
            if let Ok(info) = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")) {
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_string();
                assert_eq!(u32::from_str_radix(&flags, 8).unwrap() & cloexec, cloexec);
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn connect_passes_every_part_of_the_address_to_the_system() {
    if loopback_v6().is_none() {
        return;
    }
    // An IPv4-mapped IPv6 address: `connect` must pass all its bytes.
    let listener = net::TcpListener::bind(loopback()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut stream = TcpStream::connect(format!("[::ffff:127.0.0.1]:{port}").parse().unwrap()).unwrap();
    let (mut poll, mut events) = poll();
    poll.registry().register(&mut stream, SOURCE, WRITE).unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    assert!(stream.take_error().unwrap().is_none());
    assert_eq!(listener.accept().unwrap().1.ip(), loopback().ip());
}

/// Over the model of kqueue only: on other systems, no test can make the registration of the notifier fail.
#[test]
#[cfg(minimio_kqueue)]
fn a_source_is_reported_after_the_first_waker_could_not_be_registered() {
    let (mut poll, mut events) = poll();
    descriptor::configure_model(poll.as_raw_fd(), "no-user,enomem=1");
    assert!(minimio::Waker::new(poll.registry(), minimio::Token(2)).is_err());
    descriptor::configure_model(poll.as_raw_fd(), "enomem=0");
    // The receiver gets the descriptor number of the notifier's receiver.
    let (mut sender, mut receiver) = minimio::unix::pipe::new().unwrap();
    sender.write_all(b"data").unwrap();
    poll.registry().register(&mut receiver, SOURCE, READ.level()).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    let waker = minimio::Waker::new(poll.registry(), minimio::Token(2)).unwrap();
    waker.wake().unwrap();
    wait_for(&mut poll, &mut events, minimio::Token(2), |event| event.is_readable());
}
