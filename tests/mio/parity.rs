//! The API of this crate behaves like mio's. This file is compiled and run against both crates.
//!
//! `tests/mio/surface.rs` names every public item; this file tests how the items are printed, compared and used.
//! `compat/mio/api` runs the same file with mio under the name `minimio`. So this file uses neither items that mio
//! lacks nor `tests/support`.
//!
//! Items that exist only on some systems have a `cfg`, as in mio.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use minimio::event::{self, Event, Source};
use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Events, Interest, Poll, Registry, Token, Waker};

const WAIT_LIMIT: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Polls until `done` returns true for an event. mio's `poll` may return without an event.
fn poll_until(poll: &mut Poll, events: &mut Events, mut done: impl FnMut(&Event) -> bool) {
    let end = Instant::now() + WAIT_LIMIT;
    loop {
        match poll.poll(events, Some(WAIT_LIMIT)) {
            Ok(()) => {}
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            Err(err) => panic!("poll: {err}"),
        }
        // `done` sees all events of the batch, also those after the first match.
        let mut found = false;
        for event in events.iter() {
            found |= done(event);
        }
        if found {
            return;
        }
        assert!(Instant::now() < end, "the event was not reported");
    }
}

// Functions that are `const` in mio can initialize constants.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const PREDICATES: [bool; 5] =
    [BOTH.is_readable(), BOTH.is_writable(), BOTH.is_aio(), BOTH.is_lio(), BOTH.is_priority()];
const CLIENT: Token = Token(1);
#[test]
fn constants_can_be_computed_and_matched() {
    assert_eq!(PREDICATES, [true, true, false, false, false]);
    assert!(matches!(Token(1), CLIENT));
    assert!(!matches!(Token(2), CLIENT));
    match BOTH {
        Interest::READABLE | Interest::WRITABLE => panic!("a constant equals one of its parts"),
        BOTH => {}
        other => panic!("{other:?} is not `BOTH`"),
    }
}

/// In mio, only Linux and Android have `PRIORITY`.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn priority_is_a_separate_interest() {
    const ALL: Interest = BOTH.add(Interest::PRIORITY);
    const IS_PRIORITY: bool = ALL.is_priority();
    assert_eq!((IS_PRIORITY, Interest::PRIORITY.is_readable(), BOTH.is_priority()), (true, false, false));
    assert_eq!(ALL.remove(BOTH), Some(Interest::PRIORITY));
    assert_eq!(format!("{ALL:?}"), "READABLE | WRITABLE | PRIORITY");
    assert_eq!(format!("{:?}", Interest::PRIORITY), "PRIORITY");
    assert!(Interest::WRITABLE < Interest::PRIORITY && BOTH < Interest::PRIORITY && Interest::PRIORITY < ALL);
}

/// Tests of descriptors, which only Unix has.
#[cfg(unix)]
mod unix {
    use super::*;
    use minimio::unix::SourceFd;
    use std::os::unix::io::{AsFd, AsRawFd};

    #[test]
    fn the_poll_and_its_registry_have_one_descriptor() {
        let poll = Poll::new().unwrap();
        assert_eq!(poll.as_raw_fd(), poll.registry().as_raw_fd());
        assert_eq!(poll.as_raw_fd(), poll.registry().as_fd().as_raw_fd());
    }

    #[test]
    fn source_fd_prints_and_destructures_as_in_mio() {
        assert_eq!(format!("{:?}", SourceFd(&7)), "SourceFd(7)");
        let SourceFd(fd) = SourceFd(&7);
        assert_eq!(*fd, 7);
    }

    #[test]
    fn a_descriptor_that_is_ready_is_reported() {
        use std::os::unix::net::UnixStream;

        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(4);
        let (watched, mut peer) = UnixStream::pair().unwrap();
        let fd = watched.as_raw_fd();
        poll.registry().register(&mut SourceFd(&fd), Token(3), Interest::READABLE).unwrap();
        peer.write_all(b"!").unwrap();
        poll_until(&mut poll, &mut events, |event| event.token() == Token(3) && event.is_readable());
        poll.registry().reregister(&mut SourceFd(&fd), Token(4), Interest::WRITABLE).unwrap();
        poll_until(&mut poll, &mut events, |event| event.token() == Token(4) && event.is_writable());
        poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
        let err = poll.registry().deregister(&mut SourceFd(&fd)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::NotFound);
    }
}

#[test]
fn tokens_compare_hash_and_print_as_in_mio() {
    let (one, two) = (Token(1), Token(2));
    assert!(one < two && one == Token(1) && one != two && one.max(two) == two);
    assert_eq!(&one, &Token(1));
    assert_eq!(usize::from(one), 1);
    let number: usize = two.into();
    assert_eq!((number, two.0), (2, 2));
    let set: HashSet<Token> = [one, two, one].into_iter().collect();
    assert_eq!(set.len(), 2);
    let ordered: Vec<Token> = [two, one].into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(ordered, [one, two]);

    assert_eq!(format!("{:?}", Token(0)), "Token(0)");
    assert_eq!(format!("{:?}", Token(usize::MAX)), format!("Token({})", usize::MAX));
    assert_eq!(format!("{:#?}", Token(5)), "Token(\n    5,\n)");
    assert_eq!(std::mem::size_of::<Token>(), std::mem::size_of::<usize>());
}

#[test]
fn interests_combine_as_in_mio() {
    let (readable, writable) = (Interest::READABLE, Interest::WRITABLE);
    let both = readable | writable;
    assert_eq!(both, readable.add(writable));
    assert_eq!(both, writable | readable);
    assert_eq!(both | readable, both);
    let mut assigned = readable;
    assigned |= writable;
    assert_eq!(assigned, both);

    assert_eq!(both.remove(readable), Some(writable));
    assert_eq!(both.remove(writable), Some(readable));
    assert_eq!(readable.remove(writable), Some(readable));
    assert_eq!(readable.remove(readable), None);
    assert_eq!(both.remove(both), None);

    assert!(readable.is_readable() && !readable.is_writable());
    assert!(!writable.is_readable() && writable.is_writable());
    assert!(both.is_readable() && both.is_writable());
    assert!(!both.is_aio() && !both.is_lio() && !both.is_priority());
}

#[test]
fn interests_compare_and_print_as_in_mio() {
    let (readable, writable) = (Interest::READABLE, Interest::WRITABLE);
    let both = readable | writable;
    assert!(readable < writable && writable < both && readable <= both && both == both.max(readable));
    assert_eq!(&readable, &Interest::READABLE);
    assert_ne!(readable, writable);

    assert_eq!(format!("{readable:?}"), "READABLE");
    assert_eq!(format!("{writable:?}"), "WRITABLE");
    assert_eq!(format!("{both:?}"), "READABLE | WRITABLE");
    assert_eq!(format!("{both:#?}"), "READABLE | WRITABLE");
    assert_eq!(std::mem::size_of::<Option<Interest>>(), 1);
}

#[test]
fn events_iterate_print_and_clear_as_in_mio() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    assert_eq!(events.capacity(), 16);
    assert!(events.is_empty());
    assert_eq!(events.iter().count(), 0);
    assert_eq!(format!("{events:?}"), "[]");

    let waker = Waker::new(poll.registry(), Token(9)).unwrap();
    waker.wake().unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(9));
    assert!(!events.is_empty());
    assert_eq!(events.iter().size_hint(), (1, Some(1)));
    let mut iter = events.iter();
    let again = iter.clone();
    let event: Event = iter.next().unwrap().clone();
    assert!(iter.next().is_none());
    assert_eq!(again.count(), 1);
    assert_eq!((event.token(), event.is_readable()), (Token(9), true));
    assert_eq!([event.is_aio(), event.is_lio(), event.is_priority(), event.is_error()], [false; 4]);
    for event in &events {
        assert_eq!(event.token(), Token(9));
    }

    let shown = format!("{event:?}");
    let begin = "Event { token: Token(9), readable: true, writable: false, error: false, \
                 read_closed: false, write_closed: false, priority: false, aio: false, lio: false";
    assert!(shown.starts_with(begin), "{shown}");
    assert!(format!("{events:?}").starts_with(&format!("[{begin}")), "{events:?}");

    events.clear();
    assert!(events.is_empty());
    assert_eq!(events.capacity(), 16);
    // A wake is reported once.
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
}

#[test]
fn invalid_registrations_fail_as_in_mio() {
    let poll = Poll::new().unwrap();
    let mut socket = UdpSocket::bind(loopback()).unwrap();
    let registry = poll.registry();
    let kind = |result: io::Result<()>| result.unwrap_err().kind();

    assert_eq!(kind(registry.deregister(&mut socket)), ErrorKind::NotFound);
    assert_eq!(kind(registry.reregister(&mut socket, Token(0), Interest::READABLE)), ErrorKind::NotFound);
    registry.register(&mut socket, Token(0), Interest::READABLE).unwrap();
    assert_eq!(kind(registry.register(&mut socket, Token(1), Interest::READABLE)), ErrorKind::AlreadyExists);
    registry.deregister(&mut socket).unwrap();
    assert_eq!(kind(registry.deregister(&mut socket)), ErrorKind::NotFound);
    registry.register(&mut socket, Token(1), Interest::READABLE).unwrap();
}

/// A source of the program that contains another source, as in programs that use mio.
struct Wrapped {
    socket: UdpSocket,
    registered: bool,
}

impl event::Source for Wrapped {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.registered = true;
        self.socket.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        registry.reregister(&mut self.socket, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.registered = false;
        self.socket.deregister(registry)
    }
}

#[test]
fn a_source_of_the_program_and_a_boxed_source_are_registered_as_in_mio() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let sender = UdpSocket::bind(loopback()).unwrap();
    let mut own = Wrapped { socket: UdpSocket::bind(loopback()).unwrap(), registered: false };
    let boxed = UdpSocket::bind(loopback()).unwrap();
    let boxed_addr = boxed.local_addr().unwrap();
    let mut boxed: Box<dyn Source + Send> = Box::new(boxed);

    poll.registry().register(&mut own, Token(0), Interest::READABLE).unwrap();
    poll.registry().register(&mut boxed, Token(1), Interest::READABLE).unwrap();
    sender.send_to(b"own", own.socket.local_addr().unwrap()).unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(0) && event.is_readable());
    sender.send_to(b"boxed", boxed_addr).unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(1) && event.is_readable());

    poll.registry().reregister(&mut own, Token(2), Interest::READABLE | Interest::WRITABLE).unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(2) && event.is_readable());
    // The trait object itself is a source too.
    poll.registry().reregister(&mut *boxed, Token(3), Interest::WRITABLE).unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(3) && event.is_writable());
    poll.registry().reregister(&mut boxed, Token(4), Interest::WRITABLE).unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(4) && event.is_writable());
    poll.registry().deregister(&mut own).unwrap();
    poll.registry().deregister(&mut boxed).unwrap();
    assert!(!own.registered);
}

/// This follows the introduction of mio: accept, respond, close.
#[test]
fn a_server_that_was_written_for_mio_works() {
    const SERVER: Token = Token(0);
    const CLIENT: Token = Token(1);
    const SERVED: Token = Token(2);

    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(128);
    let mut server = TcpListener::bind(loopback()).unwrap();
    poll.registry().register(&mut server, SERVER, Interest::READABLE).unwrap();
    let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    poll.registry().register(&mut client, CLIENT, Interest::READABLE | Interest::WRITABLE).unwrap();

    let mut served = None;
    let (mut request, mut response) = (Vec::new(), Vec::new());
    let mut has_sent = false;
    poll_with_registry(&mut poll, &mut events, |registry, event| {
        match event.token() {
            SERVER => {
                let (mut stream, _) = match server.accept() {
                    Ok(accepted) => accepted,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => return false,
                    Err(err) => panic!("accept: {err}"),
                };
                registry.register(&mut stream, SERVED, Interest::READABLE).unwrap();
                served = Some(stream);
            }
            CLIENT => {
                if event.is_writable() && !has_sent {
                    assert!(client.take_error().unwrap().is_none());
                    client.set_nodelay(true).unwrap();
                    assert_eq!(client.write_vectored(&[IoSlice::new(b"a "), IoSlice::new(b"request")]).unwrap(), 9);
                    client.shutdown(Shutdown::Write).unwrap();
                    has_sent = true;
                }
                read_available(&client, &mut response);
                return response == b"A RESPONSE";
            }
            SERVED => {
                let stream = served.as_mut().unwrap();
                if read_available(stream, &mut request) {
                    assert_eq!(request, b"a request");
                    let mut stream = served.take().unwrap();
                    stream.write_all(b"A RESPONSE").unwrap();
                    registry.deregister(&mut stream).unwrap();
                }
            }
            token => panic!("unexpected event: {token:?}"),
        }
        false
    });
}

fn poll_with_registry(poll: &mut Poll, events: &mut Events, mut handle: impl FnMut(&Registry, &Event) -> bool) {
    let registry = poll.registry().try_clone().unwrap();
    poll_until(poll, events, |event| handle(&registry, event));
}

/// Reads until the stream would block or ends. Returns whether it has ended.
fn read_available(mut stream: &TcpStream, bytes: &mut Vec<u8>) -> bool {
    let (mut left, mut right) = ([0; 3], [0; 5]);
    loop {
        match stream.read_vectored(&mut [IoSliceMut::new(&mut left), IoSliceMut::new(&mut right)]) {
            Ok(0) => return true,
            Ok(count) => {
                bytes.extend_from_slice(&left[..count.min(3)]);
                bytes.extend_from_slice(&right[..count.saturating_sub(3)]);
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => return false,
            Err(err) => panic!("read: {err}"),
        }
    }
}

#[test]
fn a_registry_and_a_waker_work_on_another_thread_as_in_mio() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let registry = poll.registry().try_clone().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let sender = UdpSocket::bind(loopback()).unwrap();
    let mut receiver = UdpSocket::bind(loopback()).unwrap();

    let worker = thread::spawn(move || {
        registry.register(&mut receiver, Token(1), Interest::READABLE).unwrap();
        sender.send_to(b"hello", receiver.local_addr().unwrap()).unwrap();
        waker.wake().unwrap();
        // mio requires that the waker lives until its wake was reported.
        (receiver, waker)
    });
    let mut seen = HashSet::new();
    poll_until(&mut poll, &mut events, |event| {
        seen.insert(event.token());
        seen.len() == 2
    });
    let (receiver, _waker) = worker.join().unwrap();
    let mut buf = [0; 8];
    assert_eq!(receiver.recv(&mut buf).unwrap(), 5);
}

#[test]
fn the_options_of_sockets_are_as_in_mio() {
    let socket = UdpSocket::bind(loopback()).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.set_multicast_loop_v4(false).unwrap();
    socket.set_multicast_ttl_v4(3).unwrap();
    socket.set_ttl(7).unwrap();
    assert_eq!((socket.broadcast().unwrap(), socket.multicast_loop_v4().unwrap()), (true, false));
    assert_eq!((socket.multicast_ttl_v4().unwrap(), socket.ttl().unwrap()), (3, 7));
    assert!(socket.take_error().unwrap().is_none());
    assert_eq!(socket.try_io(|| Ok(5)).unwrap(), 5);

    let listener = TcpListener::from_std(net::TcpListener::from(TcpListener::bind(loopback()).unwrap()));
    listener.set_ttl(9).unwrap();
    assert_eq!(listener.ttl().unwrap(), 9);
    assert!(listener.take_error().unwrap().is_none());
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_poll_without_ready_sources_returns_no_event_after_the_timeout() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let start = Instant::now();
    poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    assert!(events.is_empty() && start.elapsed() >= Duration::from_millis(20));
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
    assert!(format!("{poll:?}").starts_with("Poll"));
    assert!(format!("{:?}", poll.registry()).starts_with("Registry"));
}
