//! Events that exist only on Unix: the rows of the truth table of `Event` about pipes, and asynchronous I/O, which has
//! no row. The row about Unix streams is tested in `unix_sockets.rs`.

#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::io::AsRawFd;

use minimio::unix::{pipe, SourceFd};
use minimio::{Events, Interest, Poll};

use crate::support::*;

struct RowChecker {
    poll: Poll,
    events: Events,
}

impl RowChecker {
    fn new(source: &impl AsRawFd, interest: Interest) -> RowChecker {
        let (poll, events) = poll();
        poll.registry().register(&mut SourceFd(&source.as_raw_fd()), SOURCE, interest).unwrap();
        RowChecker { poll, events }
    }

    fn check(&mut self, happened: &str) {
        truth_table::check(&mut self.poll, &mut self.events, SOURCE, happened);
    }
}

#[test]
fn a_pipe_without_a_writer_is_read_closed() {
    let (sender, mut receiver) = pipe::new().unwrap();
    let mut checker = RowChecker::new(&receiver, Interest::READABLE);
    expect_no_event(&mut checker.poll, &mut checker.events);
    drop(sender);
    checker.check("a pipe's writer was closed");
    assert_eq!(receiver.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_pipe_without_a_reader_is_write_closed() {
    let (sender, receiver) = pipe::new().unwrap();
    let mut checker = RowChecker::new(&sender, Interest::WRITABLE);
    wait_for(&mut checker.poll, &mut checker.events, SOURCE, |event| event.is_writable() && !event.is_write_closed());
    drop(receiver);
    checker.check("a pipe's reader was closed");
}

#[test]
fn a_full_pipe_without_a_reader_is_write_closed_where_the_system_reports_it() {
    let (mut sender, receiver) = pipe::new().unwrap();
    while sender.write(&[0; 4096]).is_ok() {}
    let mut checker = RowChecker::new(&sender, Interest::WRITABLE);
    expect_no_event(&mut checker.poll, &mut checker.events);
    drop(receiver);
    if system::full_pipes_report_the_close_of_the_reader() {
        checker.check("a pipe's reader was closed");
    } else {
        expect_no_event(&mut checker.poll, &mut checker.events);
    }
}

/// Asynchronous I/O. The program implements `Source` for its operation, and gives the kernel a control block that
/// contains the kqueue to which the kernel reports the completion.
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", minimio_kqueue))]
mod asynchronous {
    use super::*;
    use minimio::event::Source;
    use minimio::net::UdpSocket;
    use minimio::{Registry, Token};
    use std::io;
    use std::os::unix::io::RawFd;

    /// The part of a control block that matters here: the kqueue that reports the operation, and the `udata`.
    #[derive(Default)]
    struct Operation {
        notification: Option<(RawFd, usize)>,
    }

    impl Source for Operation {
        fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            assert!(interests.is_aio());
            self.notification = Some((registry.as_raw_fd(), usize::from(token)));
            Ok(())
        }

        fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
            self.register(registry, token, interests)
        }

        fn deregister(&mut self, _: &Registry) -> io::Result<()> {
            self.notification = None;
            Ok(())
        }
    }

    #[cfg(minimio_kqueue)]
    #[test]
    fn a_completed_operation_is_reported_by_its_own_predicate_and_its_own_token() {
        let (mut poll, mut events, stream, mut peer) = poll_and_stream(Interest::READABLE);
        let waker = minimio::Waker::new(poll.registry(), Token(2)).unwrap();
        let mut operation = Operation::default();
        for token in [3, 0, usize::MAX].map(Token) {
            poll.registry().register(&mut operation, token, Interest::AIO).unwrap();
            let (kqueue, data) = operation.notification.unwrap();
            // A control block can have any address. The low bits of this one are the number of a registered descriptor.
            descriptor::complete_aio(kqueue, 0x7fff_0000_0000 | stream.as_raw_fd() as usize, data);
            peer.write_all(b"x").unwrap();
            waker.wake().unwrap();
            let mut seen = Vec::new();
            while seen.len() < 3 {
                seen.extend(next_batch(&mut poll, &mut events));
            }
            seen.sort_by_key(|event| (event.is_aio(), event.token()));
            assert_eq!(
                seen.iter().map(|event| event.token()).collect::<Vec<_>>(),
                [SOURCE, Token(2), token],
                "{seen:?}"
            );
            assert!(seen[..2].iter().all(|event| event.is_readable() && !event.is_aio()), "{seen:?}");
            let event = &seen[2];
            assert!(event.is_aio());
            let others = [
                event.is_readable(),
                event.is_writable(),
                event.is_error(),
                event.is_read_closed(),
                event.is_write_closed(),
                event.is_priority(),
                event.is_lio(),
            ];
            assert_eq!(others, [false; 7], "{event:?}");
            assert!(format!("{event:?}").contains("EVFILT_AIO"), "{event:?}");
            poll.registry().deregister(&mut operation).unwrap();
        }
    }

    #[cfg(minimio_kqueue)]
    #[test]
    fn an_operation_whose_address_equals_a_descriptor_number_is_not_an_event_of_that_descriptor() {
        let (mut poll, mut events, stream, _peer) =
            poll_and_stream((Interest::READABLE | Interest::WRITABLE).oneshot());
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        for _ in 0..3 {
            descriptor::complete_aio(poll.as_raw_fd(), stream.as_raw_fd() as usize, 3);
            assert_eq!(next_tokens(&mut poll, &mut events), [Token(3)]);
        }
    }

    #[test]
    fn a_descriptor_registered_only_for_aio_is_not_reported() {
        let (mut poll, mut events) = poll();
        let mut socket = UdpSocket::bind(loopback()).unwrap();
        let sender = UdpSocket::bind(loopback()).unwrap();
        let registry = poll.registry().try_clone().unwrap();
        registry.register(&mut socket, SOURCE, Interest::AIO).unwrap();
        sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        expect_no_event(&mut poll, &mut events);
        registry.reregister(&mut socket, SOURCE, Interest::AIO).unwrap();
        expect_no_event(&mut poll, &mut events);
        registry.reregister(&mut socket, Token(2), Interest::READABLE | Interest::AIO).unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [Token(2)]);
        registry.reregister(&mut socket, Token(2), Interest::AIO.level()).unwrap();
        expect_no_event(&mut poll, &mut events);
        registry.deregister(&mut socket).unwrap();
        registry.register(&mut socket, SOURCE, Interest::READABLE).unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }

    #[test]
    fn aio_is_a_separate_interest() {
        const ALL: Interest = Interest::READABLE.add(Interest::AIO);
        assert!(ALL.is_aio() && Interest::AIO.is_aio() && !Interest::AIO.is_readable() && !Interest::READABLE.is_aio());
        assert_eq!(ALL.remove(Interest::READABLE), Some(Interest::AIO));
        assert_eq!(format!("{ALL:?}"), "READABLE | AIO");
        assert!(Interest::WRITABLE < Interest::AIO && Interest::AIO < ALL);
        #[cfg(target_os = "freebsd")]
        {
            assert!(Interest::LIO.is_lio() && !Interest::LIO.is_aio());
            assert_eq!(format!("{:?}", Interest::AIO | Interest::LIO), "AIO | LIO");
        }
        let mut operation = Operation::default();
        let poll = Poll::new().unwrap();
        poll.registry().register(&mut operation, SOURCE, ALL).unwrap();
        assert_eq!(operation.notification, Some((poll.as_raw_fd(), SOURCE.0)));
    }
}
