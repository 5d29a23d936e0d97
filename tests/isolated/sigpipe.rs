//! SIGPIPE.

#![cfg(unix)]

use std::io::{ErrorKind, IoSlice, Write};
use std::net::Shutdown;
use std::os::unix::net;
use std::time::Instant;

use minimio::net::{UnixDatagram, UnixStream};

use crate::support::isolation::isolated;
use crate::support::*;

#[test]
fn writing_to_a_closed_connection_raises_no_signal() {
    isolated(|| {
        // The test harness ignores SIGPIPE, as Rust's runtime does; so it must not be asked for in the first place.
        signal::with_default_sigpipe(|| {
            let (mut stream, peer) = stream_and_peer();
            drop(peer);
            let end = Instant::now() + WAIT_LIMIT;
            let err = loop {
                match stream.write_all(b"x") {
                    Ok(()) => assert!(Instant::now() < end, "nobody says that the peer is gone"),
                    Err(err) => break err,
                }
            };
            assert!(matches!(err.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{err}");
            let err = stream.write_vectored(&[IoSlice::new(b"x")]).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::BrokenPipe);
        });
    });
}

#[test]
fn writing_to_who_is_gone_raises_no_signal() {
    isolated(|| {
        // The test harness ignores SIGPIPE, as Rust's runtime does; so it must not be asked for in the first place.
        signal::with_default_sigpipe(|| {
            let (stream, peer) = net::UnixStream::pair().unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut stream = UnixStream::from_std(stream);
            drop(peer);
            assert_eq!(stream.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert_eq!(stream.write_vectored(&[IoSlice::new(b"x")]).unwrap_err().kind(), ErrorKind::BrokenPipe);
            let (mut here, there) = UnixStream::pair().unwrap();
            drop(there);
            assert_eq!(here.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            let (here, _there) = UnixDatagram::pair().unwrap();
            here.shutdown(Shutdown::Write).unwrap();
            assert_eq!(here.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
    });
}
