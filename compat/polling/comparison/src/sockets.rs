//! The situations of a source.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

#[cfg(unix)]
use std::os::unix::io::{AsRawFd, OwnedFd as Source, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawHandle, OwnedSocket as Source, RawSocket};

/// A source, and what must stay open.
pub type Situation = (Source, Vec<Source>);
type Create = fn() -> Situation;

pub const SITUATIONS: &[(&str, Create)] = &[
    ("nothing", || pair(|_, _| {})),
    ("data", || pair(|_, peer| (&*peer).write_all(b"data").unwrap())),
    ("the peer shut down", || pair(|_, peer| peer.shutdown(Shutdown::Write).unwrap())),
    ("data, then the peer shut down", || {
        pair(|_, peer| {
            (&*peer).write_all(b"data").unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
        })
    }),
    ("the source shut down", || pair(|source, _| source.shutdown(Shutdown::Write).unwrap())),
    ("both shut down", || {
        pair(|source, peer| {
            peer.shutdown(Shutdown::Write).unwrap();
            source.shutdown(Shutdown::Write).unwrap();
        })
    }),
    ("an urgent byte", || pair(|_, peer| send_urgent(peer))),
    ("a reset", || {
        let (source, peer) = connect();
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        (source.into(), Vec::new())
    }),
    ("a full buffer", || pair(|source, _| while (&*source).write(&[0; 1 << 16]).is_ok() {})),
    ("a refused connection", || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        assert!(socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into()).is_err());
        (socket.into(), Vec::new())
    }),
    ("a listener", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.into(), vec![client.into()])
    }),
    ("a socket without a connection", || (Socket::new(Domain::IPV4, Type::STREAM, None).unwrap().into(), Vec::new())),
    ("a datagram", || {
        let source = UdpSocket::bind("127.0.0.1:0").unwrap();
        source.send_to(b"data", source.local_addr().unwrap()).unwrap();
        (source.into(), Vec::new())
    }),
    #[cfg(unix)]
    ("a closed Unix stream", || (std::os::unix::net::UnixStream::pair().unwrap().0.into(), Vec::new())),
    #[cfg(unix)]
    ("a pipe without a writer", || (pipe().0, Vec::new())),
    #[cfg(unix)]
    ("a pipe without a reader", || (pipe().1, Vec::new())),
    #[cfg(unix)]
    ("a full pipe without a reader", || {
        let (reader, writer) = pipe();
        let mut writer = std::fs::File::from(writer);
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
    assert_eq!(SockRef::from(stream).send_out_of_band(b"!").unwrap(), 1);
}

/// Returns the number with which `add` registers something that may not be a source.
#[cfg(unix)]
pub fn number(value: &impl AsRawFd) -> RawFd {
    value.as_raw_fd()
}

/// Returns the number with which `add` registers something that may not be a source.
#[cfg(windows)]
pub fn number(value: &impl AsRawHandle) -> RawSocket {
    value.as_raw_handle() as RawSocket
}

#[cfg(unix)]
fn pipe() -> (Source, Source) {
    use std::os::unix::io::FromRawFd;
    let mut ends = [-1; 2];
    // SAFETY: the array has room for two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK) }, 0);
    // SAFETY: `pipe2` has just returned both descriptors.
    ends.map(|end| unsafe { Source::from_raw_fd(end) }).into()
}
