//! minimio and mio, each with its own sockets: one macro for both, because their names and signatures are equal.

use std::convert::Infallible;
use std::io;
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

use ::minimio::Timer;

use super::{loopback, Library, CAPACITY, MOST_WAKERS_WITH_DESCRIPTOR, WAKER};

macro_rules! library {
    ($name:ident, $package:ident, $most_wakers:expr, { $($timers:item)* }) => {
        pub use self::$package::$name;
        mod $package {
            use ::$package::net::{TcpListener, TcpStream};
            use ::$package::{Events, Interest, Poll, Token, Waker};

            use super::*;

            pub struct $name {
                poll: Poll,
                events: Events,
            }

            impl Library for $name {
                type Stream = TcpStream;
                type Listener = TcpListener;
                type Waker = Waker;
                type Poll = Poll;

                const MOST_WAKERS: usize = $most_wakers;

                $($timers)*

                fn new() -> $name {
                    $name { poll: $name::new_poll(), events: Events::with_capacity(CAPACITY) }
                }

                #[inline(always)]
                fn new_poll() -> Poll {
                    Poll::new().unwrap()
                }

                #[inline(always)]
                fn poll(&mut self, timeout: Option<Duration>, mut readable: impl FnMut(usize)) {
                    self.poll.poll(&mut self.events, timeout).unwrap();
                    for event in self.events.iter().filter(|event| event.is_readable()) {
                        readable(event.token().0);
                    }
                }

                #[inline(always)]
                fn register(&self, stream: &mut TcpStream, key: usize) {
                    self.poll.registry().register(stream, Token(key), Interest::READABLE).unwrap();
                }

                #[inline(always)]
                fn reregister(&self, stream: &mut TcpStream, key: usize) {
                    self.poll.registry().reregister(stream, Token(key), Interest::WRITABLE).unwrap();
                }

                #[inline(always)]
                fn deregister(&self, stream: &mut TcpStream) {
                    self.poll.registry().deregister(stream).unwrap();
                }

                #[inline(always)]
                fn waker(&self) -> Waker {
                    Waker::new(self.poll.registry(), Token(WAKER)).unwrap()
                }

                #[inline(always)]
                fn wake(waker: &Waker) {
                    waker.wake().unwrap();
                }

                fn adopt(stream: net::TcpStream) -> TcpStream {
                    TcpStream::from_std(stream)
                }

                fn listen() -> (TcpListener, SocketAddr) {
                    let listener = TcpListener::bind(loopback()).unwrap();
                    let address = listener.local_addr().unwrap();
                    (listener, address)
                }

                #[inline(always)]
                fn connect(address: SocketAddr) -> TcpStream {
                    TcpStream::connect(address).unwrap()
                }

                #[inline(always)]
                fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
                    listener.accept()
                }
            }
        }
    };
}
library!(Minimio, minimio, usize::MAX, {
    type Timer = Timer;

    fn timer(&self) -> Option<Timer> {
        let mut timer = Timer::new();
        self.poll.registry().register(&mut timer, Token(WAKER), Interest::READABLE).unwrap();
        Some(timer)
    }

    #[inline(always)]
    fn set(timer: &Timer, deadline: Instant) {
        timer.set_at(deadline).unwrap();
    }

    #[inline(always)]
    fn cancel(timer: &Timer) {
        timer.cancel();
    }
});
library!(Mio, mio, MOST_WAKERS_WITH_DESCRIPTOR, {
    type Timer = Infallible;
});
