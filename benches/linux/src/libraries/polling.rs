//! polling, with the sockets of the standard library, because it has none. It runs in edge mode, which needs the fewest
//! system calls; in its default mode, oneshot, a program calls `modify` after each event.

use std::convert::Infallible;
use std::io;
use std::net::{self, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ::polling::{Event, Events, PollMode, Poller};

use super::{loopback, Library, CAPACITY};

pub struct Polling {
    poller: Arc<Poller>,
    events: Events,
}

impl Library for Polling {
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Waker = Arc<Poller>;
    type Timer = Infallible;
    type Poll = Poller;

    /// A wake has no key, so more wakers would be the same one.
    const MOST_WAKERS: usize = 1;

    fn new() -> Polling {
        Polling { poller: Arc::new(Polling::new_poll()), events: Events::with_capacity(CAPACITY.try_into().unwrap()) }
    }

    #[inline(always)]
    fn new_poll() -> Poller {
        Poller::new().unwrap()
    }

    #[inline(always)]
    fn poll(&mut self, timeout: Option<Duration>, mut readable: impl FnMut(usize)) {
        self.events.clear();
        self.poller.wait(&mut self.events, timeout).unwrap();
        for event in self.events.iter().filter(|event| event.readable) {
            readable(event.key);
        }
    }

    #[inline(always)]
    fn register(&self, stream: &mut TcpStream, key: usize) {
        // SAFETY: if a stream is dropped while it is registered, epoll removes it.
        unsafe { self.poller.add_with_mode(&*stream, Event::readable(key), PollMode::Edge) }.unwrap();
    }

    #[inline(always)]
    fn reregister(&self, stream: &mut TcpStream, key: usize) {
        self.poller.modify_with_mode(stream, Event::writable(key), PollMode::Edge).unwrap();
    }

    #[inline(always)]
    fn deregister(&self, stream: &mut TcpStream) {
        self.poller.delete(stream).unwrap();
    }

    #[inline(always)]
    fn waker(&self) -> Arc<Poller> {
        Arc::clone(&self.poller)
    }

    #[inline(always)]
    fn wake(waker: &Arc<Poller>) {
        waker.notify().unwrap();
    }

    fn adopt(stream: net::TcpStream) -> TcpStream {
        stream
    }

    fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(loopback()).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[inline(always)]
    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    }

    #[inline(always)]
    fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok((stream, address))
    }
}
