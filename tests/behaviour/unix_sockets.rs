//! Unix sockets: streams, listeners, datagrams, and their addresses.

#![cfg(unix)]

use std::env;
use std::fs;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use minimio::event::Source;
use minimio::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use minimio::{Events, Interest, Poll, Token};

use crate::support::*;

/// A folder for one test, removed on drop.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        loop {
            // A socket address holds only a short path.
            let name = format!("u{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = env::temp_dir().join(name);
            match fs::create_dir(&path) {
                // A killed process left the folder behind.
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
                result => {
                    result.unwrap();
                    return Folder { path };
                }
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).unwrap();
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// As `support::stream_and_peer`, with Unix streams: one of this crate, and one of the standard library that blocks
/// with a time limit.
fn stream_and_peer() -> (UnixStream, net::UnixStream) {
    let (stream, peer) = net::UnixStream::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    for timeout in [net::UnixStream::set_read_timeout, net::UnixStream::set_write_timeout] {
        timeout(&peer, Some(WAIT_LIMIT)).unwrap();
    }
    (UnixStream::from_std(stream), peer)
}

/// Writes until the write would block. Returns the number of bytes written.
fn fill(stream: &mut UnixStream) -> usize {
    let mut sent = 0;
    loop {
        match stream.write(&[7; 4096]) {
            Ok(count) => sent += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => return sent,
            Err(err) => panic!("write: {err}"),
        }
    }
}

/// Reads until the read would block or the stream ends. Returns the number of bytes read.
fn drain(mut stream: impl Read) -> usize {
    let mut total = 0;
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(err) if err.kind() == ErrorKind::WouldBlock => return total,
            Err(err) => panic!("read: {err}"),
        }
    }
}

// Streams and listeners.

#[test]
fn a_client_and_a_server_exchange_messages_through_a_path() {
    let folder = Folder::new();
    let (mut poll, mut events) = poll();
    let mut listener = UnixListener::bind(folder.join("s")).unwrap();
    poll.registry().register(&mut listener, SOURCE, READ).unwrap();
    assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
    expect_no_event(&mut poll, &mut events);

    let mut client = UnixStream::connect(folder.join("s")).unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
    poll.registry().register(&mut client, Token(2), BOTH).unwrap();
    poll.registry().register(&mut server, Token(3), BOTH).unwrap();

    assert_eq!(kind(server.read(&mut [0])), ErrorKind::WouldBlock);
    client.write_all(b"question").unwrap();
    client.flush().unwrap();
    wait_for(&mut poll, &mut events, Token(3), |event| event.is_readable());
    let mut buf = [0; 16];
    assert_eq!(server.read(&mut buf).unwrap(), 8);
    assert_eq!(&buf[..8], b"question");
    // Through `&UnixStream`, with several buffers.
    assert_eq!((&server).write_vectored(&[IoSlice::new(b"ans"), IoSlice::new(b"wer")]).unwrap(), 6);
    (&server).flush().unwrap();
    wait_for(&mut poll, &mut events, Token(2), |event| event.is_readable());
    let (mut head, mut tail) = ([0; 4], [0; 4]);
    let count = (&client).read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)]).unwrap();
    assert_eq!((count, &head, &tail[..2]), (6, b"answ", &b"er"[..]));
    assert_eq!(kind((&client).read(&mut buf)), ErrorKind::WouldBlock);
    // Through `UnixStream`, with several buffers.
    assert_eq!(client.write_vectored(&[IoSlice::new(b"th"), IoSlice::new(b"anks")]).unwrap(), 6);
    assert_eq!(client.write_vectored(&[]).unwrap(), 0);
    assert_eq!(server.read_vectored(&mut []).unwrap(), 0);
    let count = server.read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)]).unwrap();
    assert_eq!((count, &head, &tail[..2]), (6, b"than", &b"ks"[..]));
}

#[test]
fn a_vectored_write_with_more_buffers_than_the_system_takes_writes_some_of_them() {
    let (mut stream, mut peer) = stream_and_peer();
    let bufs: Vec<_> = (0..3000).map(|_| IoSlice::new(b"x")).collect();
    let count = stream.write_vectored(&bufs).unwrap();
    assert!(count > 0 && count < 3000);
    peer.read_exact(&mut vec![0; count]).unwrap();
}

#[test]
fn a_stream_is_connected_before_it_is_accepted() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    let (mut poll, mut events) = poll();
    let mut client = UnixStream::connect(folder.join("s")).unwrap();
    poll.registry().register(&mut client, SOURCE, BOTH).unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    assert!(client.take_error().unwrap().is_none());
    assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*folder.join("s")));
    client.write_all(b"early").unwrap();
    drop(client);
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 5);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_connect_without_a_listener_fails_immediately() {
    let folder = Folder::new();
    assert_eq!(kind(UnixStream::connect(folder.join("absent"))), ErrorKind::NotFound);
    // The file of a listener remains after the listener is dropped.
    drop(UnixListener::bind(folder.join("s")).unwrap());
    let err = UnixStream::connect(folder.join("s")).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::ConnectionRefused);
    assert!(err.raw_os_error().is_some(), "not an error of the system: {err:?}");
    assert_eq!(kind(UnixListener::bind(folder.join("s"))), ErrorKind::AddrInUse);
    assert_eq!(kind(UnixListener::bind(folder.join("no/s"))), ErrorKind::NotFound);
    // A datagram socket does not accept connections.
    let _socket = UnixDatagram::bind(folder.join("d")).unwrap();
    assert!(UnixStream::connect(folder.join("d")).unwrap_err().raw_os_error().is_some());
}

#[test]
fn a_full_backlog_refuses_instead_of_blocking() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    descriptor::set_backlog(&listener, 0);
    let mut waiting = Vec::new();
    let refused = loop {
        match UnixStream::connect(folder.join("s")) {
            Ok(stream) => waiting.push(stream),
            Err(err) => break err.kind(),
        }
        assert!(waiting.len() < 10_000, "the backlog has no limit");
    };
    let full = if system::FULL_UNIX_RECEIVERS_BLOCK { ErrorKind::WouldBlock } else { ErrorKind::ConnectionRefused };
    assert_eq!(refused, full);
    listener.accept().unwrap();
    UnixStream::connect(folder.join("s")).unwrap();
}

#[test]
fn four_hundred_connections_can_wait_unless_the_system_permits_fewer() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    let count = system::max_backlog().min(400);
    let waiting: Vec<_> = (0..count).map(|_| UnixStream::connect(folder.join("s")).unwrap()).collect();
    for _ in &waiting {
        listener.accept().unwrap();
    }
    assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
    assert!(listener.take_error().unwrap().is_none());
}

#[test]
fn a_pair_is_connected_and_has_no_addresses() {
    let (mut here, mut there) = UnixStream::pair().unwrap();
    assert_eq!(kind(here.read(&mut [0])), ErrorKind::WouldBlock);
    assert_eq!(kind(there.read(&mut [0])), ErrorKind::WouldBlock);
    here.write_all(b"ping").unwrap();
    assert_eq!(there.read(&mut [0; 8]).unwrap(), 4);
    there.write_all(b"pong").unwrap();
    assert_eq!(here.read(&mut [0; 8]).unwrap(), 4);
    for addr in [here.local_addr(), here.peer_addr(), there.local_addr(), there.peer_addr()] {
        assert!(addr.unwrap().is_unnamed());
    }
}

// Addresses.

#[test]
fn a_listener_and_its_accepted_streams_have_the_path_as_local_address() {
    let folder = Folder::new();
    let path = folder.join("s");
    let addr = SocketAddr::from_pathname(&path).unwrap();
    let listener = UnixListener::bind_addr(&addr).unwrap();
    assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
    let client = UnixStream::connect_addr(&addr).unwrap();
    assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
    assert!(client.local_addr().unwrap().is_unnamed());
    let (server, from) = listener.accept().unwrap();
    assert!(from.is_unnamed(), "{from:?}");
    assert!(server.peer_addr().unwrap().is_unnamed());
    assert_eq!(server.local_addr().unwrap().as_pathname(), Some(&*path));
}

/// Returns a stream that is bound to `name` and connected to the path `listener`.
fn connected_from(name: &[u8], listener: &Path) -> net::UnixStream {
    let socket = net::UnixDatagram::from(descriptor::bound_unix_socket(true, name));
    // The standard library cannot connect a stream that is bound already, but `UnixDatagram::connect` makes the same
    // system call as for a stream.
    socket.connect(listener).unwrap();
    OwnedFd::from(socket).into()
}

#[test]
fn accept_returns_the_address_of_a_client_that_has_one() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    let path = folder.join("c");
    let _client = connected_from(path.as_os_str().as_bytes(), &folder.join("s"));
    let (server, from) = listener.accept().unwrap();
    assert_eq!(from.as_pathname(), Some(&*path));
    assert_eq!(server.peer_addr().unwrap().as_pathname(), Some(&*path));
}

/// Returns a path of `len` bytes in `folder`.
fn long_path(folder: &Folder, len: usize) -> PathBuf {
    let rest = len - folder.as_os_str().len() - 1;
    folder.join("x".repeat(rest))
}

/// The longest path of a socket address, including its final zero byte.
const MAX_PATH_SIZE: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 108 } else { 104 };

#[test]
fn a_path_of_the_maximum_length_can_be_used_as_an_address() {
    let folder = Folder::new();
    let path = long_path(&folder, MAX_PATH_SIZE - 1);
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
    let _client = UnixStream::connect(&path).unwrap();
    assert_eq!(listener.accept().unwrap().0.local_addr().unwrap().as_pathname(), Some(&*path));
}

#[test]
fn the_error_for_a_path_that_cannot_be_an_address_contains_the_path() {
    let folder = Folder::new();
    let socket = UnixDatagram::unbound().unwrap();
    for path in [long_path(&folder, MAX_PATH_SIZE), long_path(&folder, 1000), PathBuf::from("zero\0byte")] {
        for err in [
            UnixStream::connect(&path).unwrap_err(),
            UnixListener::bind(&path).unwrap_err(),
            UnixDatagram::bind(&path).unwrap_err(),
            socket.connect(&path).unwrap_err(),
            socket.send_to(b"x", &path).unwrap_err(),
        ] {
            assert_eq!(err.kind(), ErrorKind::InvalidInput, "{err}");
            assert!(err.to_string().starts_with(&format!("cannot use {path:?} as the address of a socket: ")), "{err}");
        }
    }
    // A system error passes unchanged.
    assert!(socket.send_to(b"x", folder.join("absent")).unwrap_err().raw_os_error().is_some());
}

/// Tests that run on Linux only: abstract addresses, which have no file, paths that are longer than the standard
/// library allows, and the flags of descriptors. The tests over the kqueue model run on Linux too.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use super::*;

    /// Returns an abstract name that no other process uses.
    fn name(what: &str) -> Vec<u8> {
        // An abstract name may contain any byte.
        format!("\0minimio {} \"\\\n\0 {what}", process::id()).into_bytes()
    }

    /// Returns the address of `name`, which an older standard library cannot construct.
    fn address(name: &[u8]) -> SocketAddr {
        net::UnixDatagram::from(descriptor::bound_unix_socket(false, name)).local_addr().unwrap()
    }

    fn is_abstract(addr: &SocketAddr) -> bool {
        !addr.is_unnamed() && addr.as_pathname().is_none()
    }

    /// Returns whether the standard library can bind to an abstract address, which it can since Rust 1.70. An older
    /// compiler selects the method of the trait below, which fails; a newer one selects the standard library's.
    #[allow(unstable_name_collisions, clippy::incompatible_msrv)]
    fn can_be_used(addr: &SocketAddr) -> bool {
        #[allow(dead_code)]
        trait BindAddr: Sized {
            fn bind_addr(_: &SocketAddr) -> io::Result<Self> {
                Err(ErrorKind::Unsupported.into())
            }
        }
        impl BindAddr for net::UnixDatagram {}
        net::UnixDatagram::bind_addr(addr).is_ok()
    }

    #[test]
    fn an_abstract_name_can_be_an_address_if_the_standard_library_supports_it() {
        let addr = address(&name("stream"));
        assert!(is_abstract(&addr));
        if !can_be_used(&addr) {
            for refused in [
                UnixListener::bind_addr(&addr).map(drop),
                UnixDatagram::bind_addr(&addr).map(drop),
                UnixStream::connect_addr(&addr).map(drop),
            ] {
                assert_eq!(kind(refused), ErrorKind::Unsupported);
            }
            return;
        }
        assert_eq!(kind(UnixStream::connect_addr(&addr)), ErrorKind::ConnectionRefused);
        let listener = UnixListener::bind_addr(&addr).unwrap();
        assert_eq!(format!("{:?}", listener.local_addr().unwrap()), format!("{addr:?}"));
        assert_eq!(kind(UnixListener::bind_addr(&addr)), ErrorKind::AddrInUse);
        let client = UnixStream::connect_addr(&addr).unwrap();
        assert_eq!(format!("{:?}", client.peer_addr().unwrap()), format!("{addr:?}"));
        let (server, from) = listener.accept().unwrap();
        assert!(from.is_unnamed());
        assert!(is_abstract(&server.local_addr().unwrap()));
        let socket = UnixDatagram::bind_addr(&addr).unwrap();
        assert_eq!(format!("{:?}", socket.local_addr().unwrap()), format!("{addr:?}"));
        // No file remains.
        drop((listener, server, client));
        UnixListener::bind_addr(&addr).unwrap();
    }

    #[test]
    fn accept_returns_the_abstract_name_of_a_client() {
        let folder = Folder::new();
        let listener = UnixListener::bind(folder.join("s")).unwrap();
        let name = name("client");
        let _client = connected_from(&name, &folder.join("s"));
        let (server, from) = listener.accept().unwrap();
        assert!(is_abstract(&from), "{from:?}");
        assert_eq!(format!("{from:?}"), format!("{:?}", address(&name)));
        assert_eq!(format!("{from:?}"), format!("{:?}", server.peer_addr().unwrap()));
    }

    #[test]
    fn a_client_whose_path_is_longer_than_std_allows_is_accepted() {
        let folder = Folder::new();
        let listener = UnixListener::bind(folder.join("s")).unwrap();
        let path = long_path(&folder, MAX_PATH_SIZE);
        let mut client = connected_from(path.as_os_str().as_bytes(), &folder.join("s"));
        let (mut server, from) = listener.accept().unwrap();
        assert_eq!(from.as_pathname(), Some(&*path));
        client.write_all(b"x").unwrap();
        assert_eq!(server.read(&mut [0; 2]).unwrap(), 1);
    }

    #[test]
    fn a_socket_bound_to_an_unnamed_address_gets_an_abstract_one() {
        let none = UnixDatagram::unbound().unwrap().local_addr().unwrap();
        assert!(none.is_unnamed());
        let listener = UnixListener::bind_addr(&none).unwrap();
        assert!(is_abstract(&listener.local_addr().unwrap()));
        let socket = UnixDatagram::bind("").unwrap();
        assert!(is_abstract(&socket.local_addr().unwrap()));
        assert!(UnixStream::connect_addr(&none).is_err());
    }

    #[test]
    fn recv_from_returns_the_abstract_name_of_the_sender() {
        let folder = Folder::new();
        let receiver = UnixDatagram::bind(folder.join("d")).unwrap();
        let sender = UnixDatagram::bind("").unwrap();
        sender.send_to(b"x", folder.join("d")).unwrap();
        let (_, from) = receiver.recv_from(&mut [0; 2]).unwrap();
        assert_eq!(format!("{from:?}"), format!("{:?}", sender.local_addr().unwrap()));
    }

    #[test]
    fn sockets_never_block_and_are_closed_on_exec() {
        use descriptor::flags;
        // The reference value: a socket of the standard library, set non-blocking.
        let (non_blocking_socket, blocking_socket) = net::UnixStream::pair().unwrap();
        non_blocking_socket.set_nonblocking(true).unwrap();
        let file = fs::File::open(env::current_exe().unwrap()).unwrap();
        let non_blocking = flags(&non_blocking_socket) & !flags(&blocking_socket);
        let cloexec = flags(&file) & flags(&non_blocking_socket) & !0o3;
        assert!(non_blocking != 0 && cloexec != 0);

        let folder = Folder::new();
        let listener = UnixListener::bind(folder.join("s")).unwrap();
        let client = UnixStream::connect(folder.join("s")).unwrap();
        let (server, _) = listener.accept().unwrap();
        let bound = UnixDatagram::bind(folder.join("d")).unwrap();
        let unbound = UnixDatagram::unbound().unwrap();
        let ((a, b), (c, d)) = (UnixStream::pair().unwrap(), UnixDatagram::pair().unwrap());
        let all: [&dyn AsRawFd; 9] = [&listener, &client, &server, &bound, &unbound, &a, &b, &c, &d];
        for (i, socket) in all.into_iter().enumerate() {
            assert_eq!(flags(&socket.as_raw_fd()) & (non_blocking | cloexec), non_blocking | cloexec, "socket {i}");
        }
    }
}

// Datagrams.

#[test]
fn a_datagram_sent_to_a_path_arrives_with_the_address_of_its_sender() {
    let folder = Folder::new();
    let (mut poll, mut events) = poll();
    let mut receiver = UnixDatagram::bind(folder.join("r")).unwrap();
    assert_eq!(receiver.local_addr().unwrap().as_pathname(), Some(&*folder.join("r")));
    poll.registry().register(&mut receiver, SOURCE, READ).unwrap();
    let sender = UnixDatagram::bind(folder.join("s")).unwrap();
    let nameless = UnixDatagram::unbound().unwrap();
    assert!(nameless.local_addr().unwrap().is_unnamed());
    assert_eq!(kind(receiver.recv(&mut [0])), ErrorKind::WouldBlock);
    assert_eq!(kind(receiver.recv_from(&mut [0])), ErrorKind::WouldBlock);

    assert_eq!(sender.send_to(b"one", folder.join("r")).unwrap(), 3);
    assert_eq!(nameless.send_to(b"three", folder.join("r")).unwrap(), 5);
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    let mut buf = [0; 16];
    let (count, from) = receiver.recv_from(&mut buf).unwrap();
    assert_eq!((&buf[..count], from.as_pathname()), (&b"one"[..], Some(&*folder.join("s"))));
    // `recv_from` consumes a whole datagram; bytes that do not fit into the buffer are lost.
    let (count, from) = receiver.recv_from(&mut buf[..4]).unwrap();
    assert_eq!(&buf[..count], b"thre");
    assert!(from.is_unnamed());
    assert_eq!(kind(receiver.recv_from(&mut buf)), ErrorKind::WouldBlock);
}

#[test]
fn a_connected_datagram_socket_sends_without_an_address() {
    let folder = Folder::new();
    let receiver = UnixDatagram::bind(folder.join("r")).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    assert!(sender.send(b"x").is_err());
    assert!(sender.peer_addr().is_err());
    assert_eq!(kind(sender.connect(folder.join("absent"))), ErrorKind::NotFound);
    sender.connect(folder.join("r")).unwrap();
    assert_eq!(sender.peer_addr().unwrap().as_pathname(), Some(&*folder.join("r")));
    assert_eq!(sender.send(b"hello").unwrap(), 5);
    let mut buf = [0; 16];
    assert_eq!(receiver.recv(&mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"hello");
    // An empty datagram is delivered.
    assert_eq!(sender.send(b"").unwrap(), 0);
    assert_eq!(receiver.recv(&mut buf).unwrap(), 0);
    assert_eq!(kind(receiver.recv(&mut buf)), ErrorKind::WouldBlock);
}

#[test]
fn a_pair_of_datagram_sockets_is_connected() {
    let (here, there) = UnixDatagram::pair().unwrap();
    assert_eq!(kind(here.recv(&mut [0])), ErrorKind::WouldBlock);
    here.send(b"ping").unwrap();
    assert_eq!(there.recv(&mut [0; 8]).unwrap(), 4);
    there.send(b"pong").unwrap();
    assert_eq!(here.recv(&mut [0; 8]).unwrap(), 4);
    for addr in [here.local_addr(), here.peer_addr(), there.local_addr(), there.peer_addr()] {
        assert!(addr.unwrap().is_unnamed());
    }
    drop(there);
    assert!(here.send(b"x").is_err());
}

#[test]
fn a_path_stays_in_use_until_its_file_is_removed() {
    let folder = Folder::new();
    drop(UnixDatagram::bind(folder.join("d")).unwrap());
    assert_eq!(kind(UnixDatagram::bind(folder.join("d"))), ErrorKind::AddrInUse);
    assert_eq!(kind(UnixDatagram::unbound().unwrap().connect(folder.join("d"))), ErrorKind::ConnectionRefused);
    fs::remove_file(folder.join("d")).unwrap();
    UnixDatagram::bind_addr(&SocketAddr::from_pathname(folder.join("d")).unwrap()).unwrap();
}

#[test]
fn a_datagram_socket_that_was_shut_down_neither_sends_nor_receives() {
    let (here, there) = UnixDatagram::pair().unwrap();
    here.shutdown(Shutdown::Write).unwrap();
    assert_eq!(kind(here.send(b"x")), ErrorKind::BrokenPipe);
    there.send(b"x").unwrap();
    assert_eq!(here.recv(&mut [0; 2]).unwrap(), 1);
    here.shutdown(Shutdown::Read).unwrap();
    // As documented, the socket receives no datagram: `recv` returns an error or 0 bytes.
    assert!(matches!(here.recv(&mut [0; 2]).map_err(|err| err.kind()), Ok(0) | Err(ErrorKind::WouldBlock)));
    assert!(here.take_error().unwrap().is_none());
}

// Modes.

/// Returns how many polls in a row report the source, up to three.
fn reports(poll: &mut Poll, events: &mut Events) -> usize {
    (0..3)
        .take_while(|_| {
            poll.poll(events, Some(SHORT_WAIT)).unwrap();
            events.iter().any(|event| event.token() == SOURCE && event.is_readable())
        })
        .count()
}

/// Registers a source in each mode, and checks how many polls report it. `send` sends one byte, datagram or connection
/// to the source, and `take` takes one from it.
fn check_reports_in_every_mode(source: &mut (impl Source + ?Sized), send: impl Fn(), take: impl Fn()) {
    let (mut poll, mut events) = poll();
    poll.registry().register(source, SOURCE, READ).unwrap();
    send();
    assert_eq!(reports(&mut poll, &mut events), 1, "edge");
    // New data is a new edge, although old data is still unread.
    send();
    assert_eq!(reports(&mut poll, &mut events), 1, "edge, once more");
    (0..2).for_each(|_| take());
    assert_eq!(reports(&mut poll, &mut events), 0, "edge, drained");
    send();
    assert_eq!(reports(&mut poll, &mut events), 1, "edge, after it was drained");

    poll.registry().reregister(source, SOURCE, READ.level()).unwrap();
    assert_eq!(reports(&mut poll, &mut events), 3, "level");
    take();
    assert_eq!(reports(&mut poll, &mut events), 0, "level, drained");

    poll.registry().reregister(source, SOURCE, READ.oneshot()).unwrap();
    send();
    assert_eq!(reports(&mut poll, &mut events), 1, "oneshot");
    send();
    assert_eq!(reports(&mut poll, &mut events), 0, "oneshot, spent");
    take();
    poll.registry().reregister(source, SOURCE, READ.oneshot()).unwrap();
    assert_eq!(reports(&mut poll, &mut events), 1, "oneshot, armed again");
    take();
}

#[test]
fn a_stream_is_reported_as_its_mode_requires() {
    let (stream, peer) = stream_and_peer();
    let mut source = UnixStream::from(stream.as_fd().try_clone_to_owned().unwrap());
    check_reports_in_every_mode(
        &mut source,
        || (&peer).write_all(b"x").unwrap(),
        || assert_eq!((&stream).read(&mut [0]).unwrap(), 1),
    );
}

#[test]
fn a_datagram_socket_is_reported_as_its_mode_requires() {
    let (here, there) = UnixDatagram::pair().unwrap();
    let mut source = UnixDatagram::from(there.as_fd().try_clone_to_owned().unwrap());
    check_reports_in_every_mode(
        &mut source,
        || assert_eq!(here.send(b"x").unwrap(), 1),
        || assert_eq!(there.recv(&mut [0; 2]).unwrap(), 1),
    );
}

#[test]
fn a_listener_is_reported_as_its_mode_requires() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    let mut source = UnixListener::from(listener.as_fd().try_clone_to_owned().unwrap());
    check_reports_in_every_mode(
        &mut source,
        || drop(UnixStream::connect(folder.join("s")).unwrap()),
        || drop(listener.accept().unwrap()),
    );
}

#[test]
fn a_oneshot_registration_of_both_directions_is_reported_once() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    peer.write_all(b"x").unwrap();
    poll.registry().register(&mut stream, SOURCE, BOTH.oneshot()).unwrap();
    assert!(next_tokens(&mut poll, &mut events).iter().all(|token| *token == SOURCE));
    peer.write_all(b"x").unwrap();
    expect_no_event(&mut poll, &mut events);
}

// Full buffers.

#[test]
fn a_full_stream_becomes_writable_once_the_peer_has_read() {
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let (mut poll, mut events) = poll();
        let (mut stream, mut peer) = stream_and_peer();
        let sent = fill(&mut stream);
        assert_eq!(kind(stream.write_vectored(&[IoSlice::new(b"x")])), ErrorKind::WouldBlock);
        poll.registry().register(&mut stream, SOURCE, mode(WRITE)).unwrap();
        expect_no_event(&mut poll, &mut events);
        peer.read_exact(&mut vec![0; sent]).unwrap();
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
        assert_eq!(stream.write(b"x").unwrap(), 1);
    }
}

#[test]
fn data_larger_than_the_buffers_arrives_complete() {
    const SIZE: usize = 4 << 20;
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = UnixStream::pair().unwrap();
    poll.registry().register(&mut stream, SOURCE, WRITE).unwrap();
    poll.registry().register(&mut peer, Token(2), READ).unwrap();
    let bytes: Vec<u8> = (0..SIZE).map(|i| (i % 251) as u8).collect();
    let (mut sent, mut received) = (0, Vec::<u8>::new());
    while received.len() < SIZE {
        for token in next_tokens(&mut poll, &mut events) {
            while token == SOURCE && sent < SIZE {
                match stream.write(&bytes[sent..]) {
                    Ok(count) => sent += count,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => panic!("write: {err}"),
                }
            }
            let mut buf = [0; 64 << 10];
            while token == Token(2) {
                match peer.read(&mut buf) {
                    Ok(count) => received.extend(&buf[..count]),
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => panic!("read: {err}"),
                }
            }
        }
    }
    assert!(received == bytes);
}

/// Sends until the receiver's buffer is full. Returns the number of datagrams sent.
fn fill_with_datagrams(mut send: impl FnMut() -> io::Result<usize>) -> usize {
    let mut sent = 0;
    loop {
        match send() {
            Ok(_) => sent += 1,
            Err(err) => {
                assert_eq!(err.kind() == ErrorKind::WouldBlock, system::FULL_UNIX_RECEIVERS_BLOCK, "{err}");
                return sent;
            }
        }
    }
}

#[test]
fn a_send_to_a_full_receiver_does_not_block_and_an_event_reports_free_room() {
    let folder = Folder::new();
    let receiver = UnixDatagram::bind(folder.join("r")).unwrap();
    let mut sender = UnixDatagram::unbound().unwrap();
    assert!(fill_with_datagrams(|| sender.send_to(&[7; 100], folder.join("r"))) > 0);
    while receiver.recv(&mut [0; 200]).is_ok() {}
    sender.connect(folder.join("r")).unwrap();
    let (mut poll, mut events) = poll();
    poll.registry().register(&mut sender, SOURCE, WRITE).unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    let sent = fill_with_datagrams(|| sender.send(&[7; 100]));
    if system::FULL_UNIX_RECEIVERS_BLOCK {
        expect_no_event(&mut poll, &mut events);
    }
    for _ in 0..sent {
        assert_eq!(receiver.recv(&mut [0; 200]).unwrap(), 100);
    }
    if system::FULL_UNIX_RECEIVERS_BLOCK {
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    }
    assert_eq!(sender.send(b"x").unwrap(), 1);
}

#[test]
fn a_full_pair_of_datagram_sockets_becomes_writable_after_a_receive() {
    let (mut here, there) = UnixDatagram::pair().unwrap();
    let (mut poll, mut events) = poll();
    poll.registry().register(&mut here, SOURCE, WRITE).unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    let sent = fill_with_datagrams(|| here.send(&[7; 1000]));
    for _ in 0..sent {
        assert_eq!(there.recv(&mut [0; 2000]).unwrap(), 1000);
    }
    if system::FULL_UNIX_RECEIVERS_BLOCK {
        wait_for(&mut poll, &mut events, SOURCE, |event| event.is_writable());
    }
    assert_eq!(here.send(b"x").unwrap(), 1);
}

// The truth table of `Event`.

struct RowChecker {
    poll: Poll,
    events: Events,
}

impl RowChecker {
    /// Registers a source and consumes its first event, if any.
    fn new(source: &mut impl Source) -> RowChecker {
        let (mut poll, mut events) = poll();
        poll.registry().register(source, SOURCE, BOTH).unwrap();
        poll.poll(&mut events, Some(SHORT_WAIT)).unwrap();
        expect_no_event(&mut poll, &mut events);
        RowChecker { poll, events }
    }

    fn check(&mut self, happened: &str) {
        truth_table::check(&mut self.poll, &mut self.events, SOURCE, happened);
    }
}

#[test]
fn a_new_stream_is_writable() {
    let (mut stream, _peer) = stream_and_peer();
    let (mut poll, mut events) = poll();
    poll.registry().register(&mut stream, SOURCE, BOTH).unwrap();
    truth_table::check(&mut poll, &mut events, SOURCE, "a connection was made");
}

#[test]
fn a_stream_with_data_is_readable() {
    let (mut stream, mut peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    peer.write_all(b"x").unwrap();
    checker.check("data arrived");
}

#[test]
fn a_peer_that_shuts_down_writing_closes_reading_only() {
    let (mut stream, peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    peer.shutdown(Shutdown::Write).unwrap();
    checker.check("the peer shut down writing");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    stream.write_all(b"still here").unwrap();
    assert_eq!((&peer).read(&mut [0; 16]).unwrap(), 10);
}

#[test]
fn data_before_the_end_of_a_stream_is_readable_and_read_closed() {
    let (mut stream, mut peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    peer.write_all(b"last words").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    checker.check("the peer shut down writing");
    assert_eq!(drain(&stream), 10);
}

#[test]
fn a_local_shutdown_closes_only_its_own_direction() {
    let (mut stream, peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    stream.shutdown(Shutdown::Write).unwrap();
    checker.check("local `shutdown(Write)`");
    assert_eq!(kind(stream.write(b"x")), ErrorKind::BrokenPipe);
    assert_eq!((&peer).read(&mut [0]).unwrap(), 0);

    let (mut stream, _peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    stream.shutdown(Shutdown::Read).unwrap();
    checker.check("local `shutdown(Read)`");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn two_ends_that_shut_down_writing_are_closed_in_both_directions() {
    let (mut stream, peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    stream.shutdown(Shutdown::Write).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    checker.check("both ends have shut down writing");
}

#[test]
fn a_closed_peer_closes_both_directions() {
    let (mut stream, mut peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    peer.write_all(b"farewell").unwrap();
    drop(peer);
    checker.check("a Unix stream's peer was closed");
    assert_eq!(drain(&stream), 8);
    assert_eq!(kind(stream.write(b"x")), ErrorKind::BrokenPipe);
    assert!(stream.take_error().unwrap().is_none());
}

#[test]
fn a_peer_that_closes_with_unread_data_resets_the_stream() {
    let (mut stream, mut peer) = stream_and_peer();
    let mut checker = RowChecker::new(&mut stream);
    stream.write_all(b"never read").unwrap();
    peer.write_all(b"farewell").unwrap();
    drop(peer);
    checker.check("a Unix stream's peer was closed");
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 8);
    if system::UNREAD_BYTES_RESET {
        assert_eq!(kind(stream.read(&mut [0])), ErrorKind::ConnectionReset);
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);

    // `take_error` returns the reset too.
    let (mut stream, peer) = stream_and_peer();
    stream.write_all(b"never read").unwrap();
    drop(peer);
    assert_eq!(stream.take_error().unwrap().is_some(), system::UNREAD_BYTES_RESET);
    assert!(stream.take_error().unwrap().is_none());
}

#[test]
fn a_listener_with_a_connection_is_readable() {
    let folder = Folder::new();
    let mut listener = UnixListener::bind(folder.join("s")).unwrap();
    let mut checker = RowChecker::new(&mut listener);
    let _client = UnixStream::connect(folder.join("s")).unwrap();
    checker.check("a listener has a connection");
}

#[test]
fn a_datagram_makes_a_socket_readable() {
    let (here, mut there) = UnixDatagram::pair().unwrap();
    let mut checker = RowChecker::new(&mut there);
    here.send(b"x").unwrap();
    checker.check("a datagram arrived");
}

// Registration.

/// Returns one source of each type, with its name.
fn sources(folder: &Folder) -> Vec<(&'static str, Box<dyn Source>)> {
    let (stream, peer) = UnixStream::pair().unwrap();
    // The peer stays open, because it is the next source.
    vec![
        ("UnixStream", Box::new(stream)),
        ("its peer", Box::new(peer)),
        ("UnixListener", Box::new(UnixListener::bind(folder.join("l")).unwrap())),
        ("UnixDatagram", Box::new(UnixDatagram::bind(folder.join("d")).unwrap())),
    ]
}

#[test]
fn a_registered_source_cannot_be_registered_again_before_it_is_deregistered() {
    let folder = Folder::new();
    let (here, _) = poll();
    let (there, _) = poll();
    for (name, mut source) in sources(&folder) {
        assert_eq!(kind(here.registry().reregister(&mut source, SOURCE, READ)), ErrorKind::NotFound, "{name}");
        assert_eq!(kind(here.registry().deregister(&mut source)), ErrorKind::NotFound, "{name}");
        here.registry().register(&mut source, SOURCE, READ).unwrap();
        assert_eq!(kind(here.registry().register(&mut source, SOURCE, READ)), ErrorKind::AlreadyExists, "{name}");
        assert_eq!(kind(there.registry().register(&mut source, SOURCE, READ)), ErrorKind::AlreadyExists, "{name}");
        assert_eq!(kind(there.registry().deregister(&mut source)), ErrorKind::NotFound, "{name}");
        here.registry().reregister(&mut source, SOURCE, READ.level()).unwrap();
        here.registry().deregister(&mut source).unwrap();
        there.registry().register(&mut source, SOURCE, READ).unwrap();
    }
}

#[test]
fn a_deregistered_source_is_not_reported() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    poll.registry().register(&mut stream, SOURCE, READ.level()).unwrap();
    peer.write_all(b"x").unwrap();
    wait_for(&mut poll, &mut events, SOURCE, |event| event.is_readable());
    poll.registry().deregister(&mut stream).unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_source_dropped_while_registered_is_not_reported() {
    let folder = Folder::new();
    let (mut poll, mut events) = poll();
    for round in 0..20 {
        let (mut stream, mut peer) = stream_and_peer();
        let number = stream.as_raw_fd();
        poll.registry().register(&mut stream, Token(round), READ).unwrap();
        peer.write_all(b"x").unwrap();
        drop(stream);
        // The next source may get the same descriptor number.
        let (mut stream, mut peer) = stream_and_peer();
        poll.registry().register(&mut stream, Token(100 + round), READ).unwrap();
        peer.write_all(b"x").unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(100 + round)], "descriptor {number}");
    }
    for (_, mut source) in sources(&folder) {
        poll.registry().register(&mut source, SOURCE, READ).unwrap();
    }
    // The close of one source made its peer ready, but the peer was dropped too, so no event remains.
    expect_no_event(&mut poll, &mut events);
}

// Conversions, `Debug`, `try_io` and allocations.

#[test]
fn sockets_convert_to_std_and_back() {
    let folder = Folder::new();

    let (stream, mut peer) = stream_and_peer();
    let fd = stream.as_raw_fd();
    assert_eq!(stream.as_fd().as_raw_fd(), fd);
    let stream = net::UnixStream::from(stream);
    assert_eq!(stream.as_raw_fd(), fd);
    let stream = UnixStream::from(OwnedFd::from(UnixStream::from_std(stream)));
    let mut stream: UnixStream = descriptor::from_raw(stream);
    assert_eq!(stream.as_raw_fd(), fd);
    assert_eq!(kind(stream.read(&mut [0])), ErrorKind::WouldBlock);
    peer.write_all(b"x").unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 1);

    let listener = net::UnixListener::bind(folder.join("s")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let fd = listener.as_raw_fd();
    let listener = net::UnixListener::from(UnixListener::from_std(listener));
    let listener = UnixListener::from(OwnedFd::from(UnixListener::from_std(listener)));
    let listener: UnixListener = descriptor::from_raw(listener);
    assert_eq!((listener.as_raw_fd(), listener.as_fd().as_raw_fd()), (fd, fd));
    assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);

    let socket = net::UnixDatagram::bind(folder.join("d")).unwrap();
    socket.set_nonblocking(true).unwrap();
    let fd = socket.as_raw_fd();
    let socket = net::UnixDatagram::from(UnixDatagram::from_std(socket));
    let socket = UnixDatagram::from(OwnedFd::from(UnixDatagram::from_std(socket)));
    let socket: UnixDatagram = descriptor::from_raw(socket);
    assert_eq!((socket.as_raw_fd(), socket.as_fd().as_raw_fd()), (fd, fd));
    assert_eq!(kind(socket.recv(&mut [0])), ErrorKind::WouldBlock);
}

#[test]
fn sockets_have_the_debug_output_of_std() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    let stream = UnixStream::connect(folder.join("s")).unwrap();
    let socket = UnixDatagram::bind(folder.join("d")).unwrap();
    let shown = [format!("{listener:?}"), format!("{stream:?}"), format!("{socket:?}")];
    let (listener, stream) = (net::UnixListener::from(listener), net::UnixStream::from(stream));
    let socket = net::UnixDatagram::from(socket);
    assert_eq!(shown, [format!("{listener:?}"), format!("{stream:?}"), format!("{socket:?}")]);
}

#[test]
fn try_io_returns_the_result_of_the_operation() {
    let (stream, _peer) = stream_and_peer();
    assert_eq!(stream.try_io(|| Ok(42)).unwrap(), 42);
    assert_eq!(kind(stream.try_io(|| (&stream).read(&mut [0]))), ErrorKind::WouldBlock);
    let (here, there) = UnixDatagram::pair().unwrap();
    assert_eq!(here.try_io(|| here.send(b"xy")).unwrap(), 2);
    assert_eq!(there.try_io(|| there.recv(&mut [0; 8])).unwrap(), 2);
    assert_eq!(kind(there.try_io(|| Err::<(), _>(ErrorKind::WouldBlock.into()))), ErrorKind::WouldBlock);
}

#[test]
fn no_operation_allocates() {
    let folder = Folder::new();
    let (mut poll, mut events) = poll();
    let path = folder.join("s");
    let mut listener = UnixListener::bind(&path).unwrap();
    let mut receiver = UnixDatagram::bind(folder.join("d")).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(folder.join("d")).unwrap();
    poll.registry().register(&mut listener, Token(1), READ).unwrap();
    poll.registry().register(&mut receiver, Token(2), READ).unwrap();
    let mut round = || {
        let mut client = UnixStream::connect(&path).unwrap();
        poll.poll(&mut events, Some(WAIT_LIMIT)).unwrap();
        assert_eq!(events.iter().next().unwrap().token(), Token(1));
        let (mut server, _) = listener.accept().unwrap();
        assert!(listener.accept().is_err());
        poll.registry().register(&mut server, Token(3), READ).unwrap();
        assert_eq!(client.write_vectored(&[IoSlice::new(b"x"), IoSlice::new(b"y")]).unwrap(), 2);
        poll.poll(&mut events, Some(WAIT_LIMIT)).unwrap();
        assert_eq!(server.read(&mut [0; 4]).unwrap(), 2);
        assert!(server.read(&mut [0; 4]).is_err());
        sender.send(b"z").unwrap();
        poll.poll(&mut events, Some(WAIT_LIMIT)).unwrap();
        assert_eq!(receiver.recv_from(&mut [0; 4]).unwrap().0, 1);
        assert!(receiver.recv(&mut [0; 4]).is_err());
        drop(UnixStream::pair().unwrap());
    };
    (0..5).for_each(|_| round());
    let (count, ()) = crate::allocation_count::allocations(|| (0..100).for_each(|_| round()));
    assert_eq!(count, 0, "allocations in 100 rounds");
}
