//! Names every public item, method, field, constant and trait implementation of mio 1.2.5, with its signature. The file
//! compiles with mio and with this crate. There is nothing to run.
//!
//! `compat/mio/api/check.sh --write` generates this file from rustdoc's description of mio on each system. Do not edit
//! it. Without `--write`, the script prints what is missing here.

#![allow(dead_code, unused_imports, clippy::all)]

#[cfg(unix)]
use std::os::unix;
#[cfg(windows)]
use std::os::windows;
use std::{ffi, fmt, hash, io, net, ops, panic, path, process, time};

/// Checks that a type implements traits.
macro_rules! has {
    ($type:ty: $($bounds:tt)+) => {
        const _: () = {
            const fn is<T: $($bounds)+>() {}
            is::<$type>();
        };
    };
}

/// Compiles items in a scope of their own, so that their names do not collide.
macro_rules! check {
    ($($item:tt)+) => {
        const _: () = { $($item)+ };
    };
}

#[cfg(windows)]
use minimio::windows::NamedPipe;
use minimio::{
    event::Event, event::Iter, event::Source, net::TcpListener, net::TcpStream, net::UdpSocket, Events, Interest, Poll,
    Registry, Token, Waker,
};
#[cfg(unix)]
use minimio::{
    net::UnixDatagram, net::UnixListener, net::UnixStream, unix::pipe::Receiver, unix::pipe::Sender, unix::SourceFd,
};

// Events

const _: fn(Events) -> minimio::event::Events = |same| same;
const _: fn(usize) -> Events = Events::with_capacity;
const _: fn(&Events) -> usize = Events::capacity;
const _: fn(&Events) -> bool = Events::is_empty;
const _: fn(&Events) -> Iter<'_> = Events::iter;
const _: fn(&mut Events) = Events::clear;
check! { fn of<'a>() { fn is<'a, I: IntoIterator<Item = &'a Event, IntoIter = Iter<'a>>>() {} is::<&'a
Events>(); } }
has!(Events: fmt::Debug + panic::RefUnwindSafe + Send + Sync + Unpin + panic::UnwindSafe);

// Interest

const _: Interest = Interest::READABLE;
const _: Interest = Interest::WRITABLE;
const _: fn(Interest, Interest) -> Interest = Interest::add;
check! { const fn is_const(input_0: Interest, input_1: Interest) -> Interest { Interest::add(input_0, input_1) }
}
const _: fn(Interest, Interest) -> Option<Interest> = Interest::remove;
const _: fn(Interest) -> bool = Interest::is_readable;
check! { const fn is_const(input_0: Interest) -> bool { Interest::is_readable(input_0) } }
const _: fn(Interest) -> bool = Interest::is_writable;
check! { const fn is_const(input_0: Interest) -> bool { Interest::is_writable(input_0) } }
const _: fn(Interest) -> bool = Interest::is_aio;
check! { const fn is_const(input_0: Interest) -> bool { Interest::is_aio(input_0) } }
const _: fn(Interest) -> bool = Interest::is_lio;
check! { const fn is_const(input_0: Interest) -> bool { Interest::is_lio(input_0) } }
const _: fn(Interest) -> bool = Interest::is_priority;
check! { const fn is_const(input_0: Interest) -> bool { Interest::is_priority(input_0) } }
has!(Interest: ops::BitOrAssign + ops::BitOr<Output = Interest> + Clone + Copy + fmt::Debug + Eq + Ord +
    PartialEq + PartialOrd + panic::RefUnwindSafe + Send + Sync + Unpin + panic::UnwindSafe);
#[cfg(any(
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "ios",
    target_os = "macos",
    target_os = "tvos",
    target_os = "visionos",
    target_os = "watchos"
))]
const _: Interest = Interest::AIO;
#[cfg(any(target_os = "android", target_os = "linux"))]
const _: Interest = Interest::PRIORITY;
#[cfg(target_os = "freebsd")]
const _: Interest = Interest::LIO;

// Poll

const _: fn() -> io::Result<Poll> = Poll::new;
const _: fn(&Poll) -> &Registry = Poll::registry;
const _: fn(&mut Poll, &mut Events, Option<time::Duration>) -> io::Result<()> = Poll::poll;
has!(Poll: fmt::Debug + panic::RefUnwindSafe + Send + Sync + Unpin + panic::UnwindSafe);
#[cfg(unix)]
has!(Poll: unix::io::AsRawFd);

// Registry

check! { fn of<S>() where S: Source + ?Sized { let _: fn(&Registry, &mut S, Token, Interest) -> io::Result<()> =
Registry::register::<S>; } }
check! { fn of<S>() where S: Source + ?Sized { let _: fn(&Registry, &mut S, Token, Interest) -> io::Result<()> =
Registry::reregister::<S>; } }
check! { fn of<S>() where S: Source + ?Sized { let _: fn(&Registry, &mut S) -> io::Result<()> =
Registry::deregister::<S>; } }
const _: fn(&Registry) -> io::Result<Registry> = Registry::try_clone;
has!(Registry: fmt::Debug + panic::RefUnwindSafe + Send + Sync + Unpin + panic::UnwindSafe);
#[cfg(unix)]
has!(Registry: unix::io::AsFd + unix::io::AsRawFd);

// Token

check! { const fn construct(field_0: usize) -> Token { Token(field_0) } }
check! { fn destructure(Token(field_0): Token) -> usize { field_0 } }
has!(Token: Clone + Copy + fmt::Debug + Eq + hash::Hash + Ord + PartialEq + PartialOrd + panic::RefUnwindSafe +
    Send + Sync + Unpin + panic::UnwindSafe);
has!(usize: From<Token>);

// Waker

const _: fn(&Registry, Token) -> io::Result<Waker> = Waker::new;
const _: fn(&Waker) -> io::Result<()> = Waker::wake;
has!(Waker: fmt::Debug + panic::RefUnwindSafe + Send + Sync + Unpin + panic::UnwindSafe);

// event::Event

const _: fn(&Event) -> Token = Event::token;
const _: fn(&Event) -> bool = Event::is_readable;
const _: fn(&Event) -> bool = Event::is_writable;
const _: fn(&Event) -> bool = Event::is_error;
const _: fn(&Event) -> bool = Event::is_read_closed;
const _: fn(&Event) -> bool = Event::is_write_closed;
const _: fn(&Event) -> bool = Event::is_priority;
const _: fn(&Event) -> bool = Event::is_aio;
const _: fn(&Event) -> bool = Event::is_lio;
has!(Event: Clone + fmt::Debug + panic::RefUnwindSafe + Send + Sync + Unpin + panic::UnwindSafe);

// event::Iter

check! { fn of<'a>() { fn is<'a, I: Iterator<Item = &'a Event>>() {} is::<Iter<'a>>(); } }
has!(Iter<'static>: Clone + fmt::Debug + panic::RefUnwindSafe + Send + Sync + Unpin + panic::UnwindSafe);

// event::Source

check! { fn of<S: Source + ?Sized>() { let _: fn(&mut S, &Registry, Token, Interest) -> io::Result<()> = <S as
Source>::register; } }
check! { fn of<S: Source + ?Sized>() { let _: fn(&mut S, &Registry, Token, Interest) -> io::Result<()> = <S as
Source>::reregister; } }
check! { fn of<S: Source + ?Sized>() { let _: fn(&mut S, &Registry) -> io::Result<()> = <S as
Source>::deregister; } }
check! { struct Own; impl Source for Own { fn register(&mut self, _: &Registry, _: Token, _: Interest) ->
io::Result<()> { loop {} } fn reregister(&mut self, _: &Registry, _: Token, _: Interest) -> io::Result<()> {
loop {} } fn deregister(&mut self, _: &Registry) -> io::Result<()> { loop {} } } }
const _: fn(&dyn Source) = |_| ();
check! { fn of<T>() where T: Source + ?Sized { fn is<I: Source>() {} is::<Box<T>>(); } }

// net::TcpListener

const _: fn(net::SocketAddr) -> io::Result<TcpListener> = TcpListener::bind;
const _: fn(net::TcpListener) -> TcpListener = TcpListener::from_std;
const _: fn(&TcpListener) -> io::Result<(TcpStream, net::SocketAddr)> = TcpListener::accept;
const _: fn(&TcpListener) -> io::Result<net::SocketAddr> = TcpListener::local_addr;
const _: fn(&TcpListener, u32) -> io::Result<()> = TcpListener::set_ttl;
const _: fn(&TcpListener) -> io::Result<u32> = TcpListener::ttl;
const _: fn(&TcpListener) -> io::Result<Option<io::Error>> = TcpListener::take_error;
has!(TcpListener: fmt::Debug + panic::RefUnwindSafe + Send + Source + Sync + Unpin + panic::UnwindSafe);
has!(net::TcpListener: From<TcpListener>);
#[cfg(unix)]
has!(TcpListener: unix::io::AsFd + unix::io::AsRawFd + From<unix::io::OwnedFd> + unix::io::FromRawFd +
    unix::io::IntoRawFd);
#[cfg(unix)]
has!(unix::io::OwnedFd: From<TcpListener>);
#[cfg(windows)]
has!(TcpListener: windows::io::AsRawSocket + windows::io::AsSocket + From<windows::io::OwnedSocket> +
    windows::io::FromRawSocket + windows::io::IntoRawSocket);
#[cfg(windows)]
has!(windows::io::OwnedSocket: From<TcpListener>);

// net::TcpStream

const _: fn(net::SocketAddr) -> io::Result<TcpStream> = TcpStream::connect;
const _: fn(net::TcpStream) -> TcpStream = TcpStream::from_std;
const _: fn(&TcpStream) -> io::Result<net::SocketAddr> = TcpStream::peer_addr;
const _: fn(&TcpStream) -> io::Result<net::SocketAddr> = TcpStream::local_addr;
const _: fn(&TcpStream, net::Shutdown) -> io::Result<()> = TcpStream::shutdown;
const _: fn(&TcpStream, bool) -> io::Result<()> = TcpStream::set_nodelay;
const _: fn(&TcpStream) -> io::Result<bool> = TcpStream::nodelay;
const _: fn(&TcpStream, u32) -> io::Result<()> = TcpStream::set_ttl;
const _: fn(&TcpStream) -> io::Result<u32> = TcpStream::ttl;
const _: fn(&TcpStream) -> io::Result<Option<io::Error>> = TcpStream::take_error;
const _: fn(&TcpStream, &mut [u8]) -> io::Result<usize> = TcpStream::peek;
check! { fn of<F, T>() where F: FnOnce() -> io::Result<T> { let _: fn(&TcpStream, F) -> io::Result<T> =
TcpStream::try_io::<F, T>; } }
has!(&TcpStream: io::Read + io::Write);
has!(TcpStream: fmt::Debug + io::Read + panic::RefUnwindSafe + Send + Source + Sync + Unpin + panic::UnwindSafe
    + io::Write);
has!(net::TcpStream: From<TcpStream>);
#[cfg(unix)]
has!(TcpStream: unix::io::AsFd + unix::io::AsRawFd + From<unix::io::OwnedFd> + unix::io::FromRawFd +
    unix::io::IntoRawFd);
#[cfg(unix)]
has!(unix::io::OwnedFd: From<TcpStream>);
#[cfg(windows)]
has!(TcpStream: windows::io::AsRawSocket + windows::io::AsSocket + From<windows::io::OwnedSocket> +
    windows::io::FromRawSocket + windows::io::IntoRawSocket);
#[cfg(windows)]
has!(windows::io::OwnedSocket: From<TcpStream>);

// net::UdpSocket

const _: fn(net::SocketAddr) -> io::Result<UdpSocket> = UdpSocket::bind;
const _: fn(net::UdpSocket) -> UdpSocket = UdpSocket::from_std;
const _: fn(&UdpSocket) -> io::Result<net::SocketAddr> = UdpSocket::local_addr;
const _: fn(&UdpSocket) -> io::Result<net::SocketAddr> = UdpSocket::peer_addr;
const _: fn(&UdpSocket, &[u8], net::SocketAddr) -> io::Result<usize> = UdpSocket::send_to;
const _: fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, net::SocketAddr)> = UdpSocket::recv_from;
const _: fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, net::SocketAddr)> = UdpSocket::peek_from;
const _: fn(&UdpSocket, &[u8]) -> io::Result<usize> = UdpSocket::send;
const _: fn(&UdpSocket, &mut [u8]) -> io::Result<usize> = UdpSocket::recv;
const _: fn(&UdpSocket, &mut [u8]) -> io::Result<usize> = UdpSocket::peek;
const _: fn(&UdpSocket, net::SocketAddr) -> io::Result<()> = UdpSocket::connect;
const _: fn(&UdpSocket, bool) -> io::Result<()> = UdpSocket::set_broadcast;
const _: fn(&UdpSocket) -> io::Result<bool> = UdpSocket::broadcast;
const _: fn(&UdpSocket, bool) -> io::Result<()> = UdpSocket::set_multicast_loop_v4;
const _: fn(&UdpSocket) -> io::Result<bool> = UdpSocket::multicast_loop_v4;
const _: fn(&UdpSocket, u32) -> io::Result<()> = UdpSocket::set_multicast_ttl_v4;
const _: fn(&UdpSocket) -> io::Result<u32> = UdpSocket::multicast_ttl_v4;
const _: fn(&UdpSocket, bool) -> io::Result<()> = UdpSocket::set_multicast_loop_v6;
const _: fn(&UdpSocket) -> io::Result<bool> = UdpSocket::multicast_loop_v6;
const _: fn(&UdpSocket, u32) -> io::Result<()> = UdpSocket::set_ttl;
const _: fn(&UdpSocket) -> io::Result<u32> = UdpSocket::ttl;
const _: fn(&UdpSocket, &net::Ipv4Addr, &net::Ipv4Addr) -> io::Result<()> = UdpSocket::join_multicast_v4;
const _: fn(&UdpSocket, &net::Ipv6Addr, u32) -> io::Result<()> = UdpSocket::join_multicast_v6;
const _: fn(&UdpSocket, &net::Ipv4Addr, &net::Ipv4Addr) -> io::Result<()> = UdpSocket::leave_multicast_v4;
const _: fn(&UdpSocket, &net::Ipv6Addr, u32) -> io::Result<()> = UdpSocket::leave_multicast_v6;
const _: fn(&UdpSocket) -> io::Result<bool> = UdpSocket::only_v6;
const _: fn(&UdpSocket) -> io::Result<Option<io::Error>> = UdpSocket::take_error;
check! { fn of<F, T>() where F: FnOnce() -> io::Result<T> { let _: fn(&UdpSocket, F) -> io::Result<T> =
UdpSocket::try_io::<F, T>; } }
has!(UdpSocket: fmt::Debug + panic::RefUnwindSafe + Send + Source + Sync + Unpin + panic::UnwindSafe);
has!(net::UdpSocket: From<UdpSocket>);
#[cfg(unix)]
has!(UdpSocket: unix::io::AsFd + unix::io::AsRawFd + From<unix::io::OwnedFd> + unix::io::FromRawFd +
    unix::io::IntoRawFd);
#[cfg(unix)]
has!(unix::io::OwnedFd: From<UdpSocket>);
#[cfg(windows)]
has!(UdpSocket: windows::io::AsRawSocket + windows::io::AsSocket + From<windows::io::OwnedSocket> +
    windows::io::FromRawSocket + windows::io::IntoRawSocket);
#[cfg(windows)]
has!(windows::io::OwnedSocket: From<UdpSocket>);

// net::UnixDatagram

#[cfg(unix)]
const _: () = {
    check! { fn of<P: AsRef<path::Path>>() { let _: fn(P) -> io::Result<UnixDatagram> = UnixDatagram::bind::<P>; } }
    const _: fn(&unix::net::SocketAddr) -> io::Result<UnixDatagram> = UnixDatagram::bind_addr;
    const _: fn(unix::net::UnixDatagram) -> UnixDatagram = UnixDatagram::from_std;
    check! { fn of<P: AsRef<path::Path>>() { let _: fn(&UnixDatagram, P) -> io::Result<()> =
    UnixDatagram::connect::<P>; } }
    const _: fn() -> io::Result<UnixDatagram> = UnixDatagram::unbound;
    const _: fn() -> io::Result<(UnixDatagram, UnixDatagram)> = UnixDatagram::pair;
    const _: fn(&UnixDatagram) -> io::Result<unix::net::SocketAddr> = UnixDatagram::local_addr;
    const _: fn(&UnixDatagram) -> io::Result<unix::net::SocketAddr> = UnixDatagram::peer_addr;
    const _: fn(&UnixDatagram, &mut [u8]) -> io::Result<(usize, unix::net::SocketAddr)> = UnixDatagram::recv_from;
    const _: fn(&UnixDatagram, &mut [u8]) -> io::Result<usize> = UnixDatagram::recv;
    check! { fn of<P: AsRef<path::Path>>() { let _: fn(&UnixDatagram, &[u8], P) -> io::Result<usize> =
    UnixDatagram::send_to::<P>; } }
    const _: fn(&UnixDatagram, &[u8]) -> io::Result<usize> = UnixDatagram::send;
    const _: fn(&UnixDatagram) -> io::Result<Option<io::Error>> = UnixDatagram::take_error;
    const _: fn(&UnixDatagram, net::Shutdown) -> io::Result<()> = UnixDatagram::shutdown;
    check! { fn of<F, T>() where F: FnOnce() -> io::Result<T> { let _: fn(&UnixDatagram, F) -> io::Result<T> =
    UnixDatagram::try_io::<F, T>; } }
    has!(UnixDatagram: unix::io::AsFd + unix::io::AsRawFd + fmt::Debug + From<unix::io::OwnedFd> +
    unix::io::FromRawFd + unix::io::IntoRawFd + panic::RefUnwindSafe + Send + Source + Sync + Unpin +
    panic::UnwindSafe);
    has!(unix::io::OwnedFd: From<UnixDatagram>);
    has!(unix::net::UnixDatagram: From<UnixDatagram>);
};

// net::UnixListener

#[cfg(unix)]
const _: () = {
    check! { fn of<P: AsRef<path::Path>>() { let _: fn(P) -> io::Result<UnixListener> = UnixListener::bind::<P>; } }
    const _: fn(&unix::net::SocketAddr) -> io::Result<UnixListener> = UnixListener::bind_addr;
    const _: fn(unix::net::UnixListener) -> UnixListener = UnixListener::from_std;
    const _: fn(&UnixListener) -> io::Result<(UnixStream, unix::net::SocketAddr)> = UnixListener::accept;
    const _: fn(&UnixListener) -> io::Result<unix::net::SocketAddr> = UnixListener::local_addr;
    const _: fn(&UnixListener) -> io::Result<Option<io::Error>> = UnixListener::take_error;
    has!(UnixListener: unix::io::AsFd + unix::io::AsRawFd + fmt::Debug + From<unix::io::OwnedFd> +
    unix::io::FromRawFd + unix::io::IntoRawFd + panic::RefUnwindSafe + Send + Source + Sync + Unpin +
    panic::UnwindSafe);
    has!(unix::io::OwnedFd: From<UnixListener>);
    has!(unix::net::UnixListener: From<UnixListener>);
};

// net::UnixStream

#[cfg(unix)]
const _: () = {
    check! { fn of<P: AsRef<path::Path>>() { let _: fn(P) -> io::Result<UnixStream> = UnixStream::connect::<P>; } }
    const _: fn(&unix::net::SocketAddr) -> io::Result<UnixStream> = UnixStream::connect_addr;
    const _: fn(unix::net::UnixStream) -> UnixStream = UnixStream::from_std;
    const _: fn() -> io::Result<(UnixStream, UnixStream)> = UnixStream::pair;
    const _: fn(&UnixStream) -> io::Result<unix::net::SocketAddr> = UnixStream::local_addr;
    const _: fn(&UnixStream) -> io::Result<unix::net::SocketAddr> = UnixStream::peer_addr;
    const _: fn(&UnixStream) -> io::Result<Option<io::Error>> = UnixStream::take_error;
    const _: fn(&UnixStream, net::Shutdown) -> io::Result<()> = UnixStream::shutdown;
    check! { fn of<F, T>() where F: FnOnce() -> io::Result<T> { let _: fn(&UnixStream, F) -> io::Result<T> =
    UnixStream::try_io::<F, T>; } }
    has!(&UnixStream: io::Read + io::Write);
    has!(UnixStream: unix::io::AsFd + unix::io::AsRawFd + fmt::Debug + From<unix::io::OwnedFd> + unix::io::FromRawFd
    + unix::io::IntoRawFd + io::Read + panic::RefUnwindSafe + Send + Source + Sync + Unpin + panic::UnwindSafe +
    io::Write);
    has!(unix::io::OwnedFd: From<UnixStream>);
    has!(unix::net::UnixStream: From<UnixStream>);
};

// unix::SourceFd

#[cfg(unix)]
const _: () = {
    check! { const fn construct<'a>(field_0: &'a unix::io::RawFd) -> SourceFd<'a> { SourceFd(field_0) } }
    check! { fn destructure<'a>(SourceFd(field_0): SourceFd<'a>) -> &'a unix::io::RawFd { field_0 } }
    has!(SourceFd<'static>: fmt::Debug + panic::RefUnwindSafe + Send + Source + Sync + Unpin + panic::UnwindSafe);
};

// unix::pipe::Receiver

#[cfg(unix)]
const _: () = {
    const _: fn(&Receiver, bool) -> io::Result<()> = Receiver::set_nonblocking;
    check! { fn of<F, T>() where F: FnOnce() -> io::Result<T> { let _: fn(&Receiver, F) -> io::Result<T> =
    Receiver::try_io::<F, T>; } }
    has!(&Receiver: io::Read);
    has!(Receiver: unix::io::AsFd + unix::io::AsRawFd + fmt::Debug + From<process::ChildStderr> +
    From<process::ChildStdout> + From<unix::io::OwnedFd> + unix::io::FromRawFd + unix::io::IntoRawFd + io::Read
    + panic::RefUnwindSafe + Send + Source + Sync + Unpin + panic::UnwindSafe);
    has!(unix::io::OwnedFd: From<Receiver>);
};

// unix::pipe::Sender

#[cfg(unix)]
const _: () = {
    const _: fn(&Sender, bool) -> io::Result<()> = Sender::set_nonblocking;
    check! { fn of<F, T>() where F: FnOnce() -> io::Result<T> { let _: fn(&Sender, F) -> io::Result<T> =
    Sender::try_io::<F, T>; } }
    has!(&Sender: io::Write);
    has!(Sender: unix::io::AsFd + unix::io::AsRawFd + fmt::Debug + From<process::ChildStdin> +
    From<unix::io::OwnedFd> + unix::io::FromRawFd + unix::io::IntoRawFd + panic::RefUnwindSafe + Send + Source +
    Sync + Unpin + panic::UnwindSafe + io::Write);
    has!(unix::io::OwnedFd: From<Sender>);
};

// unix::pipe::new

#[cfg(unix)]
const _: fn() -> io::Result<(Sender, Receiver)> = minimio::unix::pipe::new;

// windows::NamedPipe

#[cfg(windows)]
const _: () = {
    check! { fn of<A: AsRef<ffi::OsStr>>() { let _: fn(A) -> io::Result<NamedPipe> = NamedPipe::new::<A>; } }
    const _: fn(&NamedPipe) -> io::Result<()> = NamedPipe::connect;
    const _: fn(&NamedPipe) -> io::Result<Option<io::Error>> = NamedPipe::take_error;
    const _: fn(&NamedPipe) -> io::Result<()> = NamedPipe::disconnect;
    // In mio, `NamedPipe` is not `panic::RefUnwindSafe`.
    // In mio, `NamedPipe` is not `panic::UnwindSafe`.
    has!(&NamedPipe: io::Read + io::Write);
    has!(NamedPipe: windows::io::AsRawHandle + fmt::Debug + windows::io::FromRawHandle + io::Read + Send + Source +
    Sync + Unpin + io::Write);
};
