//! The API is mio's: this file is compiled and run against both crates.
//!
//! It names every public item, method and trait implementation that mio 1.x has for the types that this crate shares
//! with it, with the signature pinned, and says what they print and how they compare. `compat/parity` runs the very
//! same file with `minimio` being mio's name there. So it uses nothing that mio lacks, the other tests' support
//! included.
//!
//! What exists on some systems only is set apart by `cfg`, as it is in mio.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::ops::{BitOr, BitOrAssign};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::thread;
use std::time::{Duration, Instant};

// Every path by which mio's users know these types.
use minimio::event::{self, Event, Iter, Source};
use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Events, Interest, Poll, Registry, Token, Waker};

const PATIENCE: Duration = Duration::from_secs(20);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Polls until `done` says so of an event. mio's `poll` may come back with none.
fn poll_until(poll: &mut Poll, events: &mut Events, mut done: impl FnMut(&Event) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        match poll.poll(events, Some(PATIENCE)) {
            Ok(()) => {}
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            Err(err) => panic!("poll: {err}"),
        }
        // All of them are shown, also those behind the one that is awaited.
        let mut found = false;
        for event in events.iter() {
            found |= done(event);
        }
        if found {
            return;
        }
        assert!(Instant::now() < end, "the event did not come");
    }
}

/// What an item is said to be, is checked by the compiler; there is nothing to run.
mod signatures {
    use super::*;

    /// What every type of the crate has.
    fn has_auto_traits<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug>() {}
    fn has_value_traits<T: Copy + Clone + PartialEq + Eq + PartialOrd + Ord>() {}

    const fn takes<T: Copy>(_: T) {}

    #[test]
    fn every_type_has_mios_traits() {
        has_auto_traits::<Poll>();
        has_auto_traits::<Registry>();
        has_auto_traits::<Events>();
        has_auto_traits::<Event>();
        has_auto_traits::<Iter<'static>>();
        has_auto_traits::<Token>();
        has_auto_traits::<Interest>();
        has_auto_traits::<Waker>();
        has_auto_traits::<TcpStream>();
        has_auto_traits::<TcpListener>();
        has_auto_traits::<UdpSocket>();

        has_value_traits::<Token>();
        has_value_traits::<Interest>();
        fn has_hash<T: Hash>() {}
        has_hash::<Token>();
        fn has_clone<T: Clone>() {}
        has_clone::<Event>();
        has_clone::<Iter<'static>>();
        fn has_operators<T: BitOr<Output = T> + BitOrAssign>() {}
        has_operators::<Interest>();
        fn has_number<T>()
        where
            usize: From<T>,
        {
        }
        has_number::<Token>();
    }

    #[test]
    fn events_are_iterated_as_mios() {
        fn is_iterator<'a, T: Iterator<Item = &'a Event>>() {}
        is_iterator::<Iter<'_>>();
        fn is_list<'a>()
        where
            &'a Events: IntoIterator<Item = &'a Event, IntoIter = Iter<'a>>,
        {
        }
        is_list();
    }

    #[test]
    fn sources_are_mios() {
        fn is_source<T: Source + ?Sized>() {}
        is_source::<TcpStream>();
        is_source::<TcpListener>();
        is_source::<UdpSocket>();
        is_source::<Box<TcpStream>>();
        is_source::<Box<dyn Source>>();
        is_source::<Box<dyn Source + Send + Sync>>();
        is_source::<dyn Source>();
        is_source::<Box<Box<dyn Source>>>();

        fn has_methods<S: Source + ?Sized>() {
            takes::<fn(&mut S, &Registry, Token, Interest) -> io::Result<()>>(S::register);
            takes::<fn(&mut S, &Registry, Token, Interest) -> io::Result<()>>(S::reregister);
            takes::<fn(&mut S, &Registry) -> io::Result<()>>(S::deregister);
        }
        has_methods::<dyn Source>();
    }

    #[test]
    fn streams_read_and_write_as_mios() {
        fn reads<T: Read>() {}
        fn writes<T: Write>() {}
        reads::<TcpStream>();
        reads::<&TcpStream>();
        writes::<TcpStream>();
        writes::<&TcpStream>();
    }

    #[test]
    fn sockets_become_the_standard_librarys() {
        fn converts<T: Into<S>, S>() {}
        converts::<TcpStream, net::TcpStream>();
        converts::<TcpListener, net::TcpListener>();
        converts::<UdpSocket, net::UdpSocket>();
    }

    // What is `const` in mio can be asked for here.
    const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
    const ASKED: [bool; 5] = [BOTH.is_readable(), BOTH.is_writable(), BOTH.is_aio(), BOTH.is_lio(), BOTH.is_priority()];
    const CLIENT: Token = Token(1);
    const _: () = {
        takes::<fn() -> io::Result<Poll>>(Poll::new);
        takes::<fn(&Poll) -> &Registry>(Poll::registry);
        takes::<fn(&mut Poll, &mut Events, Option<Duration>) -> io::Result<()>>(Poll::poll);
        takes::<fn(&Registry) -> io::Result<Registry>>(Registry::try_clone);

        takes::<fn(usize) -> Events>(Events::with_capacity);
        takes::<fn(&Events) -> usize>(Events::capacity);
        takes::<fn(&Events) -> bool>(Events::is_empty);
        takes::<fn(&Events) -> Iter<'_>>(Events::iter);
        takes::<fn(&mut Events)>(Events::clear);
        takes::<fn(usize) -> Events>(event::Events::with_capacity);

        takes::<fn(&Event) -> Token>(Event::token);
        takes::<[fn(&Event) -> bool; 8]>([
            Event::is_readable,
            Event::is_writable,
            Event::is_error,
            Event::is_read_closed,
            Event::is_write_closed,
            Event::is_priority,
            Event::is_aio,
            Event::is_lio,
        ]);

        takes::<fn(usize) -> Token>(Token);
        takes::<[Interest; 2]>([Interest::READABLE, Interest::WRITABLE]);
        takes::<fn(Interest, Interest) -> Interest>(Interest::add);
        takes::<fn(Interest, Interest) -> Option<Interest>>(Interest::remove);
        takes::<[fn(Interest) -> bool; 5]>([
            Interest::is_readable,
            Interest::is_writable,
            Interest::is_aio,
            Interest::is_lio,
            Interest::is_priority,
        ]);

        takes::<fn(&Registry, Token) -> io::Result<Waker>>(Waker::new);
        takes::<fn(&Waker) -> io::Result<()>>(Waker::wake);
    };

    #[test]
    fn the_registry_takes_any_source() {
        fn takes_source<S: Source + ?Sized>() {
            takes::<fn(&Registry, &mut S, Token, Interest) -> io::Result<()>>(Registry::register::<S>);
            takes::<fn(&Registry, &mut S, Token, Interest) -> io::Result<()>>(Registry::reregister::<S>);
            takes::<fn(&Registry, &mut S) -> io::Result<()>>(Registry::deregister::<S>);
        }
        takes_source::<TcpStream>();
        takes_source::<dyn Source>();
    }

    const _: () = {
        type Operation = fn() -> io::Result<u8>;

        takes::<fn(SocketAddr) -> io::Result<TcpStream>>(TcpStream::connect);
        takes::<fn(net::TcpStream) -> TcpStream>(TcpStream::from_std);
        takes::<[fn(&TcpStream) -> io::Result<SocketAddr>; 2]>([TcpStream::peer_addr, TcpStream::local_addr]);
        takes::<fn(&TcpStream, Shutdown) -> io::Result<()>>(TcpStream::shutdown);
        takes::<fn(&TcpStream, bool) -> io::Result<()>>(TcpStream::set_nodelay);
        takes::<fn(&TcpStream) -> io::Result<bool>>(TcpStream::nodelay);
        takes::<fn(&TcpStream, u32) -> io::Result<()>>(TcpStream::set_ttl);
        takes::<fn(&TcpStream) -> io::Result<u32>>(TcpStream::ttl);
        takes::<fn(&TcpStream) -> io::Result<Option<io::Error>>>(TcpStream::take_error);
        takes::<fn(&TcpStream, &mut [u8]) -> io::Result<usize>>(TcpStream::peek);
        takes::<fn(&TcpStream, Operation) -> io::Result<u8>>(TcpStream::try_io::<Operation, u8>);

        takes::<fn(SocketAddr) -> io::Result<TcpListener>>(TcpListener::bind);
        takes::<fn(net::TcpListener) -> TcpListener>(TcpListener::from_std);
        takes::<fn(&TcpListener) -> io::Result<(TcpStream, SocketAddr)>>(TcpListener::accept);
        takes::<fn(&TcpListener) -> io::Result<SocketAddr>>(TcpListener::local_addr);
        takes::<fn(&TcpListener, u32) -> io::Result<()>>(TcpListener::set_ttl);
        takes::<fn(&TcpListener) -> io::Result<u32>>(TcpListener::ttl);
        takes::<fn(&TcpListener) -> io::Result<Option<io::Error>>>(TcpListener::take_error);

        takes::<fn(SocketAddr) -> io::Result<UdpSocket>>(UdpSocket::bind);
        takes::<fn(net::UdpSocket) -> UdpSocket>(UdpSocket::from_std);
        takes::<[fn(&UdpSocket) -> io::Result<SocketAddr>; 2]>([UdpSocket::local_addr, UdpSocket::peer_addr]);
        takes::<fn(&UdpSocket, SocketAddr) -> io::Result<()>>(UdpSocket::connect);
        takes::<fn(&UdpSocket, &[u8], SocketAddr) -> io::Result<usize>>(UdpSocket::send_to);
        takes::<fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, SocketAddr)>>(UdpSocket::recv_from);
        takes::<fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, SocketAddr)>>(UdpSocket::peek_from);
        takes::<fn(&UdpSocket, &[u8]) -> io::Result<usize>>(UdpSocket::send);
        takes::<[fn(&UdpSocket, &mut [u8]) -> io::Result<usize>; 2]>([UdpSocket::recv, UdpSocket::peek]);
        takes::<[fn(&UdpSocket, bool) -> io::Result<()>; 3]>([
            UdpSocket::set_broadcast,
            UdpSocket::set_multicast_loop_v4,
            UdpSocket::set_multicast_loop_v6,
        ]);
        takes::<[fn(&UdpSocket) -> io::Result<bool>; 4]>([
            UdpSocket::broadcast,
            UdpSocket::multicast_loop_v4,
            UdpSocket::multicast_loop_v6,
            UdpSocket::only_v6,
        ]);
        takes::<[fn(&UdpSocket, u32) -> io::Result<()>; 2]>([UdpSocket::set_ttl, UdpSocket::set_multicast_ttl_v4]);
        takes::<[fn(&UdpSocket) -> io::Result<u32>; 2]>([UdpSocket::ttl, UdpSocket::multicast_ttl_v4]);
        takes::<[fn(&UdpSocket, &Ipv4Addr, &Ipv4Addr) -> io::Result<()>; 2]>([
            UdpSocket::join_multicast_v4,
            UdpSocket::leave_multicast_v4,
        ]);
        takes::<[fn(&UdpSocket, &Ipv6Addr, u32) -> io::Result<()>; 2]>([
            UdpSocket::join_multicast_v6,
            UdpSocket::leave_multicast_v6,
        ]);
        takes::<fn(&UdpSocket) -> io::Result<Option<io::Error>>>(UdpSocket::take_error);
        takes::<fn(&UdpSocket, Operation) -> io::Result<u8>>(UdpSocket::try_io::<Operation, u8>);
    };

    #[test]
    fn constants_can_be_computed_and_matched() {
        assert_eq!(ASKED, [true, true, false, false, false]);
        assert!(matches!(Token(1), CLIENT));
        assert!(!matches!(Token(2), CLIENT));
        match BOTH {
            Interest::READABLE | Interest::WRITABLE => panic!("neither is both"),
            BOTH => {}
            other => panic!("{other:?} is not what it was"),
        }
    }

    /// Only Linux and Android have it.
    #[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
    #[test]
    fn priority_is_an_interest_of_its_own() {
        const ALL: Interest = BOTH.add(Interest::PRIORITY);
        const IS_PRIORITY: bool = ALL.is_priority();
        assert_eq!((IS_PRIORITY, Interest::PRIORITY.is_readable(), BOTH.is_priority()), (true, false, false));
        assert_eq!(ALL.remove(BOTH), Some(Interest::PRIORITY));
        assert_eq!(format!("{ALL:?}"), "READABLE | WRITABLE | PRIORITY");
        assert_eq!(format!("{:?}", Interest::PRIORITY), "PRIORITY");
        assert!(Interest::WRITABLE < Interest::PRIORITY && BOTH < Interest::PRIORITY && Interest::PRIORITY < ALL);
    }

    #[cfg(windows)]
    mod windows {
        use super::*;
        use std::os::windows::io::{
            AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket, IntoRawSocket, OwnedSocket, RawSocket,
        };

        #[test]
        fn sockets_are_the_systems() {
            fn is_socket<T>()
            where
                T: AsSocket + AsRawSocket + FromRawSocket + IntoRawSocket + From<OwnedSocket> + Into<OwnedSocket>,
            {
                takes::<fn(&T) -> BorrowedSocket<'_>>(T::as_socket);
                takes::<fn(&T) -> RawSocket>(T::as_raw_socket);
                takes::<fn(T) -> RawSocket>(T::into_raw_socket);
                takes::<unsafe fn(RawSocket) -> T>(T::from_raw_socket);
            }
            is_socket::<TcpStream>();
            is_socket::<TcpListener>();
            is_socket::<UdpSocket>();
        }
    }

    #[cfg(unix)]
    mod unix {
        use super::*;
        use minimio::unix::SourceFd;
        use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

        #[test]
        fn sockets_are_descriptors() {
            fn is_descriptor<T>()
            where
                T: AsFd + AsRawFd + FromRawFd + IntoRawFd + From<OwnedFd> + Into<OwnedFd>,
            {
                takes::<fn(&T) -> BorrowedFd<'_>>(T::as_fd);
                takes::<fn(&T) -> RawFd>(T::as_raw_fd);
                takes::<fn(T) -> RawFd>(T::into_raw_fd);
                takes::<unsafe fn(RawFd) -> T>(T::from_raw_fd);
            }
            is_descriptor::<TcpStream>();
            is_descriptor::<TcpListener>();
            is_descriptor::<UdpSocket>();
        }

        #[test]
        fn the_poll_and_its_registry_have_a_descriptor() {
            fn has_descriptor<T: AsRawFd>() {}
            has_descriptor::<Poll>();
            has_descriptor::<Registry>();
            fn lends_descriptor<T: AsFd>() {}
            lends_descriptor::<Registry>();

            let poll = Poll::new().unwrap();
            assert_eq!(poll.as_raw_fd(), poll.registry().as_raw_fd());
            assert_eq!(poll.as_raw_fd(), poll.registry().as_fd().as_raw_fd());
        }

        #[test]
        fn any_descriptor_is_a_source() {
            fn is_source_for<'a>(
                fd: &'a RawFd,
            ) -> impl Source + Debug + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'a {
                takes::<fn(&'a RawFd) -> SourceFd<'a>>(SourceFd);
                SourceFd(fd)
            }
            is_source_for(&7);
            assert_eq!(format!("{:?}", SourceFd(&7)), "SourceFd(7)");
            // Its field is public, and it can be taken apart.
            let SourceFd(fd) = SourceFd(&7);
            assert_eq!(*fd, 7);
        }

        #[test]
        fn a_descriptor_that_is_ready_is_reported() {
            use std::os::unix::net::UnixStream;

            let mut poll = Poll::new().unwrap();
            let mut events = Events::with_capacity(4);
            let (here, mut there) = UnixStream::pair().unwrap();
            let fd = here.as_raw_fd();
            poll.registry().register(&mut SourceFd(&fd), Token(3), Interest::READABLE).unwrap();
            there.write_all(b"!").unwrap();
            poll_until(&mut poll, &mut events, |event| event.token() == Token(3) && event.is_readable());
            poll.registry().reregister(&mut SourceFd(&fd), Token(4), Interest::WRITABLE).unwrap();
            poll_until(&mut poll, &mut events, |event| event.token() == Token(4) && event.is_writable());
            poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
            let failure = poll.registry().deregister(&mut SourceFd(&fd)).unwrap_err();
            assert_eq!(failure.kind(), ErrorKind::NotFound);
        }
    }
}

#[test]
fn tokens_compare_hash_and_print_as_mios() {
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
fn interests_combine_as_mios() {
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
fn interests_compare_and_print_as_mios() {
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
fn events_are_a_buffer_as_mios() {
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
    // A wake is told once.
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
}

#[test]
fn wrong_registrations_fail_as_mios() {
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

/// A source of the program's own, as mio's users write it.
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
fn a_source_of_the_programs_own_and_a_boxed_one_are_registered_as_mios() {
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
    // Through the trait object itself, too.
    poll.registry().reregister(&mut *boxed, Token(3), Interest::WRITABLE).unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(3) && event.is_writable());
    poll.registry().reregister(&mut boxed, Token(4), Interest::WRITABLE).unwrap();
    poll_until(&mut poll, &mut events, |event| event.token() == Token(4) && event.is_writable());
    poll.registry().deregister(&mut own).unwrap();
    poll.registry().deregister(&mut boxed).unwrap();
    assert!(!own.registered);
}

/// As mio's own introduction has it: accept, answer, close.
#[test]
fn a_server_written_for_mio_serves() {
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
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    let mut asked = false;
    poll_until_answered(&mut poll, &mut events, |registry, event| {
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
                if event.is_writable() && !asked {
                    assert!(client.take_error().unwrap().is_none());
                    client.set_nodelay(true).unwrap();
                    assert_eq!(client.write_vectored(&[IoSlice::new(b"a "), IoSlice::new(b"question")]).unwrap(), 10);
                    client.shutdown(Shutdown::Write).unwrap();
                    asked = true;
                }
                read_to_wait(&client, &mut answer);
                return answer == b"AN ANSWER";
            }
            SERVED => {
                let stream = served.as_mut().unwrap();
                if read_to_wait(stream, &mut request) {
                    assert_eq!(request, b"a question");
                    let mut stream = served.take().unwrap();
                    stream.write_all(b"AN ANSWER").unwrap();
                    registry.deregister(&mut stream).unwrap();
                }
            }
            token => panic!("{token:?} is nobody's"),
        }
        false
    });
}

fn poll_until_answered(poll: &mut Poll, events: &mut Events, mut handle: impl FnMut(&Registry, &Event) -> bool) {
    let registry = poll.registry().try_clone().unwrap();
    poll_until(poll, events, |event| handle(&registry, event));
}

/// Reads until it would block, or to the end: then it is true.
fn read_to_wait(mut stream: &TcpStream, bytes: &mut Vec<u8>) -> bool {
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
fn a_registry_and_a_waker_serve_another_thread_as_mios() {
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
        // The waker lives until its wake was seen, as mio wants it.
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
fn every_option_of_a_socket_is_mios() {
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
fn nothing_ready_is_no_event_when_the_timeout_has_passed() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let start = Instant::now();
    poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    assert!(events.is_empty() && start.elapsed() >= Duration::from_millis(20));
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
    for shown in [format!("{poll:?}"), format!("{:?}", poll.registry())] {
        assert!(shown.starts_with("Poll") || shown.starts_with("Registry"), "{shown}");
    }
}
