//! Writing to a closed connection while SIGPIPE has its default action, which ends the process.

#![cfg(unix)]

use std::io::{ErrorKind, IoSlice, Write};
use std::net::Shutdown;
use std::os::unix::net;
use std::time::Instant;

use minimio::net::{UnixDatagram, UnixStream};

use crate::support::isolation::isolated;
use crate::support::*;

#[test]
fn writing_to_a_closed_tcp_connection_does_not_raise_sigpipe() {
    isolated(|| {
        // Rust's runtime ignores SIGPIPE. Only with the default action does the test find a write that raises it.
        signal::with_default_sigpipe(|| {
            let (mut stream, peer) = stream_and_peer();
            drop(peer);
            let end = Instant::now() + WAIT_LIMIT;
            let err = loop {
                match stream.write_all(b"x") {
                    Ok(()) => assert!(Instant::now() < end, "no write has failed although the peer is closed"),
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
fn writing_to_a_closed_unix_socket_does_not_raise_sigpipe() {
    isolated(|| {
        // Rust's runtime ignores SIGPIPE. Only with the default action does the test find a write that raises it.
        signal::with_default_sigpipe(|| {
            let (stream, peer) = net::UnixStream::pair().unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut stream = UnixStream::from_std(stream);
            drop(peer);
            assert_eq!(stream.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert_eq!(stream.write_vectored(&[IoSlice::new(b"x")]).unwrap_err().kind(), ErrorKind::BrokenPipe);
            let (mut stream, peer) = UnixStream::pair().unwrap();
            drop(peer);
            assert_eq!(stream.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
            let (socket, _peer) = UnixDatagram::pair().unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            assert_eq!(socket.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
    });
}
