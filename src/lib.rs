//! An event queue: one thread waits for many sockets, timers and other threads at once, and is told what is ready. It
//! stands on epoll, kqueue or IOCP by calls written by hand, and on nothing else.
//!
//! A program registers each source with a [`Poll`], under a [`Token`] of its own choice and with an [`Interest`], and
//! then waits in a loop:
//!
//! ```
//! use minimio::{net::UdpSocket, Events, Interest, Poll, Token};
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
//! let mut poll = Poll::new()?;
//! let mut events = Events::with_capacity(64);
//! poll.registry().register(&mut socket, Token(7), Interest::READABLE)?;
//! # socket.send_to(b"hello", socket.local_addr()?)?;
//!
//! poll.poll(&mut events, Some(Duration::from_secs(1)))?;
//! for event in &events {
//!     assert_eq!(event.token(), Token(7));
//!     let mut buffer = [0; 1500];
//!     // An event comes when the socket becomes ready: take all there is before waiting for the next.
//!     while let Ok((length, from)) = socket.recv_from(&mut buffer) {
//!         println!("{length} bytes from {from}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Names, signatures and behaviour are those of mio 1.x; what there is beyond that is listed
//! [below](#beside-mio). The names of *Epoll, Kqueue and IOCP Explained with Rust* are in [`book`].
//!
//! # What an event says
//!
//! An [`Event`] bears the token, and one or more of: readable, writable, an end of reading or of writing, an
//! error. It is a report of what to try, not a promise: another thread may have been faster, and so every operation
//! may still answer [`WouldBlock`](std::io::ErrorKind::WouldBlock). Which situation is told how, on which system, is
//! [one table](Event#what-an-event-says); the project's tests read it there and hold every system to it.
//!
//! `Ok` without events means that the timeout has passed, and nothing else.
//!
//! # Modes: when it is said
//!
//! The mode is a part of the [`Interest`] that a source is registered with: edge unless it says
//! [`level`](Interest::level) or [`oneshot`](Interest::oneshot).
//!
//! ```text
//!                 4 bytes           2 more            the program
//!                 arrive            arrive            reads all 6
//! to be read  0 ──┬─── 4 ───────────┬─── 6 ───────────┬─── 0 ────
//!             poll    poll     poll     poll     poll     poll
//!   edge       ·       ●        ·        ●        ·        ·         when more arrives
//!   level      ·       ●        ●        ●        ●        ·         as long as there is something
//!   oneshot    ·       ●        ·        ·        ·        ·         once, until `reregister`
//! ```
//!
//! (On Windows, there is no second edge before the program has read: [more](Interest).)
//!
//! Edge costs the fewest reports, and asks the program to go on until `WouldBlock`. Level forgives a program that stops
//! early. Oneshot hands a source to one of several threads and keeps the others from it.
//!
//! # Wakers: other threads
//!
//! A [`Waker`] ends the wait of its poll from any thread, or from a signal handler, with an event of its own. There may
//! be any number of them.
//!
//! ```text
//!   thread 1 ── wake ──▶ ● pending ──┐                 ┌─ busy:    sees it before it next sleeps; no system call
//!   thread 2 ── wake ──▶ ● pending ──┴──▶  the poller ─┤
//!   thread 3             ○                             └─ asleep:  one kick, by the first of them
//! ```
//!
//! # Timers
//!
//! A [`Timer`] is a source like any other, readable when it is due. The timers of a poll are a heap in its memory, and
//! the earliest deadline bounds the wait: to set, move or cancel one costs no system call. A timer is never early.
//!
//! # Beside mio
//!
//! A program for mio compiles after its `mio::` became `minimio::`. What it may notice:
//!
//! - A source that is registered twice, or with two polls, is `AlreadyExists`; one that is not registered can't be
//!   changed (`NotFound`). In mio that is so in debug builds, or where the kernel says so.
//! - On Windows in edge mode, a program that has read a part is told of the rest; with mio it waits for ever.
//! - Timeouts on Linux are in nanoseconds, since 5.11; mio rounds up to milliseconds.
//! - Any number of wakers; a wake of a poller that is not asleep is no system call. A waker that is dropped takes an
//!   event that was not seen with it.
//! - On Linux, a hang-up is also readable, and an error alone also writable.
//! - A TCP listener lets 4096 connections wait, or the system's limit; mio's 128.
//! - `{:?}` of an [`Event`] ends with the kernel's flags, `raw`.
//! - [`Events`] of capacity 0 are `InvalidInput` everywhere; in mio, on Linux.
//! - `Interest` carries the mode, and `==` and the order look at it.
//! - No cargo features: all is there, always. Nothing is logged. The minimum Rust is 1.63; mio 1.2 asks for 1.71.
//! - Systems without one of the three queues (illumos, Haiku, WASI, …) are refused when the crate is compiled.
//!
//! Added are the modes, [`Timer`], [`Poll::next_deadline`], [`Events::len`](Events::len), conversions between
//! `Token` and `usize`, [`book`]; on Windows `SourceSocket`, which takes any socket, and `UdpSocket::set_connreset`.
//!
//! # Policies
//!
//! **Errors and panics.** What a kernel or a peer does is an [`io::Error`](std::io::Error) at the most, never a panic.
//! A source that is broken is an event on its own token; it disturbs neither the wait nor the others. A lock that
//! somebody has panicked under is entered all the same. A poll may be dropped before its sources.
//!
//! **Signals.** A signal ends a wait with [`Interrupted`](std::io::ErrorKind::Interrupted), and nothing is lost.
//! [`Waker::wake`] may be called from a handler. Writing to a socket whose peer is gone is an error, never `SIGPIPE`;
//! to a pipe it may be both.
//!
//! **Fork.** After `fork`, the child may use none of the parent's polls, sources and wakers ([more](Poll#fork)).
//! Descriptors are close-on-exec from the moment they exist, or at once after (macOS).
//!
//! **Versions.** Until 1.0, a release that breaks programs raises the minor version; so does one that needs a newer
//! Rust than 1.63, or a newer system:
//!
//! | | works since | better since |
//! |---|---|---|
//! | Linux | 3.2, as Rust's standard library | 5.11: timeouts below a millisecond (`epoll_pwait2`), not on Android |
//! | Android | 21 (Lollipop) | |
//! | macOS and its kin | as Rust's standard library | |
//! | FreeBSD | 12 (`struct kevent` as it is now) | |
//! | NetBSD | 8 (`accept4`) | 10: user events wake a poller, not a pipe |
//! | OpenBSD, DragonFly | those that Rust supports | OpenBSD's newest: as NetBSD |
//! | Windows | 7 with SP1, as far as Rust's standard library | |
//!
//! # Reading the source
//!
//! ```text
//!       register, poll                     wake, set
//!  ┌──────────┴───────────────────────────────┴───────────┐
//!  │ poll.rs, the facade      wait.rs  waker.rs  timer.rs │
//!  ├────────────────┬────────────────┬────────────────────┤
//!  │ epoll/         │ kqueue/        │ iocp/              │   which queue
//!  ├────────────────┴────────────────┼────────────────────┤
//!  │ unix/                           │ windows/           │   what a source is
//!  └─────────────────────────────────┴────────────────────┘
//! ```
//!
//! 1. `lib.rs`, this file: which system this is, and what its queue must provide.
//! 2. `event.rs`, `interest.rs`, `source.rs`: the words.
//! 3. `poll.rs`: the facade, and the one loop that everything runs through.
//! 4. `wait.rs`, `waker.rs`, `timer.rs`: who sleeps and who wakes.
//! 5. `epoll/`, `kqueue/` or `iocp/`: the queue. `mod.rs` tells its story, then `ffi.rs`, `event.rs`, `selector.rs`,
//!    `notifier.rs`, the same chapters in all. `kqueue/` has one more, `pairs.rs`, and `iocp/` has four: `port.rs`,
//!    `afd.rs`, `sock.rs`, `pipe.rs`.
//! 6. `net/`, and `unix/` or `windows/`: the sockets, and what they are there.
//! 7. `book.rs`: the book's names for all this.

#![deny(missing_docs, unsafe_op_in_unsafe_fn, rust_2018_idioms)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]

// Which system is this? Nobody else asks. `queue` is what waits, `handle` is what a source is.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
mod epoll;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
use epoll as queue;

// `minimio_kqueue` is for the project's own tests: over a model of a kqueue, on Linux.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    minimio_kqueue
))]
mod kqueue;
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    minimio_kqueue
))]
use kqueue as queue;

#[cfg(windows)]
mod iocp;
#[cfg(windows)]
use iocp as queue;

#[cfg(unix)]
pub mod unix;
#[cfg(unix)]
use unix as handle;

#[cfg(windows)]
pub mod windows;
#[cfg(windows)]
use windows as handle;

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    windows
)))]
compile_error!(
    "minimio has no queue for this system: it knows epoll (Linux, Android), kqueue (macOS and its kin, the BSDs), and \
     IOCP (Windows)"
);

// What a queue provides, as the compiler reads it. A new one is a folder that satisfies this table, and two lines
// above.
const _: () = {
    use crate::queue::{Notifier, RawEvent, RawEvents, Selector, SourceState};
    use std::{io, time::Duration};

    // What it keeps inside a source, and how it is told what the program does to the source, if the kernel does not
    // tell: that a direction was used (both: it may have been either), that writing was shut down.
    let _: fn() -> SourceState = SourceState::default;
    let _: bool = SourceState::NEEDS_REARM;
    let _: fn(&SourceState, Interest) = SourceState::rearm;
    let _: fn(&SourceState) = SourceState::write_shut_down;

    // Open; register, change, forget; wait. `wait` appends to the events it is to keep, and is true if the notifier was
    // kicked. It may come back before its time with nothing, but not at once again and again. A list of capacity 0 is
    // an error.
    let _: fn() -> io::Result<Selector> = Selector::new;
    let _: fn(&Selector, &mut SourceState, handle::Raw, Token, Interest) -> io::Result<()> = Selector::register;
    let _: fn(&Selector, &mut SourceState, handle::Raw, Token, Interest) -> io::Result<()> = Selector::reregister;
    let _: fn(&Selector, &mut SourceState, handle::Raw) -> io::Result<()> = Selector::deregister;
    let _: fn(&Selector, &mut RawEvents, usize, Option<Duration>) -> io::Result<bool> = Selector::wait;

    // Ends a wait from any thread. Two kicks before a wait may be one.
    let _: fn(&Selector) -> io::Result<Notifier> = Notifier::new;
    let _: fn(&Notifier) -> io::Result<()> = Notifier::notify;

    // A list that never grows, of events that the facade can make too.
    let _: fn(usize) -> RawEvents = RawEvents::with_capacity;
    let _: fn(&mut RawEvents) -> &mut Vec<event::Event> = |events| &mut events.list;
    let _: fn(Token) -> RawEvent = RawEvent::readable;
    let _: fn(&RawEvent) -> Token = RawEvent::token;
    let _: [fn(&RawEvent) -> bool; 8] = [
        RawEvent::is_readable,
        RawEvent::is_writable,
        RawEvent::is_error,
        RawEvent::is_read_closed,
        RawEvent::is_write_closed,
        RawEvent::is_priority,
        RawEvent::is_aio,
        RawEvent::is_lio,
    ];

    // What is registered may move to, and be used from, any thread.
    const fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<(Selector, Notifier, RawEvents, SourceState)>();
};

mod association;
pub mod book;
pub mod event;
mod interest;
mod io_source;
pub mod net;
mod poll;
mod shared;
mod source;
mod sync;
mod timer;
mod timers;
mod wait;
mod waker;
mod wakers;

pub use event::{Event, Events, Token};
pub use interest::Interest;
pub use net::TcpStream;
pub use poll::{Poll, Registry};
pub use timer::Timer;
pub use waker::Waker;

/// The README's programs are tests too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
