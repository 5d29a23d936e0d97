//! The situations of a source.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A source, and what must stay open.
pub type Situation = (OwnedFd, Vec<OwnedFd>);
type Create = fn() -> Situation;

pub const SITUATIONS: &[(&str, Create)] = &[
    ("nothing", || pair(|_, _| {})),
    ("data", || pair(|_, peer| (&*peer).write_all(b"data").unwrap())),
    ("the peer shut down", || pair(|_, peer| peer.shutdown(Shutdown::Write).unwrap())),
    ("both shut down", || {
        pair(|source, peer| {
            peer.shutdown(Shutdown::Write).unwrap();
            source.shutdown(Shutdown::Write).unwrap();
        })
    }),
    ("an urgent byte", || pair(|_, peer| send_urgent(peer))),
    ("a reset", || {
        pair(|source, peer| {
            (&*source).write_all(b"unread").unwrap();
            set_no_linger(peer);
            peer.shutdown(Shutdown::Both).unwrap();
            (&*source).write_all(b"too late").ok();
        })
    }),
    ("a full buffer", || pair(|source, _| while (&*source).write(&[0; 1 << 16]).is_ok() {})),
    ("a refused connection", || {
        // SAFETY: the call takes integers.
        let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0) };
        // SAFETY: `socket` has just returned the descriptor.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as u16,
            sin_port: 1u16.to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
            sin_zero: [0; 8],
        };
        // SAFETY: `address` is a whole address of this length.
        unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), 16) };
        (socket, Vec::new())
    }),
    ("a listener", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.into(), vec![client.into()])
    }),
    ("a closed Unix stream", || (UnixStream::pair().unwrap().0.into(), Vec::new())),
    ("a pipe without a writer", || (pipe().0, Vec::new())),
    ("a pipe without a reader", || (pipe().1, Vec::new())),
    ("a full pipe without a reader", || {
        let (reader, writer) = pipe();
        let mut writer = File::from(writer);
        while writer.write(&[0; 4096]).is_ok() {}
        drop(reader);
        (writer.into(), Vec::new())
    }),
];

fn pair(prepare: fn(&TcpStream, &TcpStream)) -> Situation {
    let (source, peer) = connect();
    prepare(&source, &peer);
    // On loopback, the kernel delivers at once what was sent.
    (source.into(), vec![peer.into()])
}

pub fn connect() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    source.set_nonblocking(true).unwrap();
    source.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    (source, peer)
}

pub fn drain(source: &TcpStream) {
    while (&*source).read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}

pub fn send_urgent(stream: &TcpStream) {
    // SAFETY: the buffer has one byte.
    assert_eq!(unsafe { libc::send(stream.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) }, 1);
}

fn set_no_linger(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: `linger` is a whole value of this length.
    let result = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), 8)
    };
    assert_eq!(result, 0);
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [-1; 2];
    // SAFETY: the array has room for two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) }, 0);
    // SAFETY: `pipe2` has just returned both descriptors.
    ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }).into()
}
