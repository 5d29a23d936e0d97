//! minimio and mio, each with its own sockets: one macro for both, because their names and signatures are equal.

use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use super::{loopback, Library, CAPACITY, WAKER};

macro_rules! library {
    ($name:ident, $package:ident) => {
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

                fn new() -> $name {
                    $name { poll: Poll::new().unwrap(), events: Events::with_capacity(CAPACITY) }
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
library!(Minimio, minimio);
library!(Mio, mio);
