#![doc = include_str!("../README.md")]
#![deny(missing_docs, rust_2018_idioms)]
#![forbid(unsafe_code)]

pub use minimio::{event, Events, Interest, Poll, Registry, Token, Waker};

#[cfg(feature = "net")]
pub use minimio::net;

#[cfg(all(unix, feature = "os-ext"))]
pub use minimio::unix;

#[cfg(all(windows, feature = "os-ext"))]
pub use minimio::windows;

pub mod features {
    //! The features of mio and their effect here. A program that compiles with mio also compiles here with the same
    //! features.
    //!
    //! | feature | in mio | here |
    //! |---|---|---|
    //! | `os-poll` | `Poll::new`, and a `Poll` that works | nothing: a `Poll` always works |
    //! | `os-ext` | the modules `unix` and `windows`; brings `os-poll` | the same |
    //! | `net` | the module `net` | the same |
    //! | `log`, on by default | writes messages to the crate `log` | nothing: minimio logs nothing and does not depend on `log` |
}

pub mod guide {
    //! A small server: accept a connection, send a greeting, close.
    //!
    //! The code uses only mio's API, so it compiles with mio and with minimio. minimio's own documentation describes
    //! events, modes, timers and wakers.
    #![cfg_attr(feature = "net", doc = "```")]
    #![cfg_attr(not(feature = "net"), doc = "```ignore")]
    //! use mio::net::{TcpListener, TcpStream};
    //! use mio::{Events, Interest, Poll, Token};
    //! use std::io::{self, ErrorKind, Read, Write};
    //!
    //! const LISTENER: Token = Token(0);
    //! const CLIENT: Token = Token(1);
    //!
    //! fn main() -> io::Result<()> {
    //!     let mut poll = Poll::new()?;
    //!     let mut events = Events::with_capacity(64);
    //!     let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
    //!     let mut client = TcpStream::connect(listener.local_addr()?)?;
    //!     poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    //!     poll.registry().register(&mut client, CLIENT, Interest::READABLE)?;
    //!     let mut received = Vec::new();
    //!     loop {
    //!         poll.poll(&mut events, None)?;
    //!         for event in &events {
    //!             match event.token() {
    //!                 // An event can stand for several connections: accept until `WouldBlock`.
    //!                 LISTENER => loop {
    //!                     match listener.accept() {
    //!                         Ok((mut stream, _)) => stream.write_all(b"good morning")?,
    //!                         Err(err) if err.kind() == ErrorKind::WouldBlock => break,
    //!                         Err(err) => return Err(err),
    //!                     }
    //!                 },
    //!                 _ => match client.read_to_end(&mut received) {
    //!                     Ok(_) => return Ok(assert_eq!(received, b"good morning")),
    //!                     Err(err) if err.kind() == ErrorKind::WouldBlock => {}
    //!                     Err(err) => return Err(err),
    //!                 },
    //!             }
    //!         }
    //!     }
    //! }
    //! ```
}
