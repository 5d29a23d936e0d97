//! An event queue: one thread waits for many sockets, timers, wake-ups from other threads, signals and child processes
//! at once, and learns which of them are ready. It is built on the system calls of epoll, kqueue or IOCP, without any
//! dependency.
//!
//! A program registers each source with a [`Poll`], with a [`Token`] of its own choice and an [`Interest`], and then
//! polls in a loop:
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
//!     // An event reports that the socket became ready: receive all datagrams before the next `poll`.
//!     while let Ok((length, from)) = socket.recv_from(&mut buffer) {
//!         println!("{length} bytes from {from}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Names, signatures and behaviour follow mio 1.x; [a section below](#differences-from-mio) lists the additions and
//! differences. [`book`] offers this API under the names that the book *Epoll, Kqueue and IOCP Explained with Rust*
//! uses. [`guide`] shows step by step how to use the crate, and which system calls it makes.
//!
//! # What an event means
//!
//! An [`Event`] contains the token, and one or more predicates: readable, writable, read closed, write closed, error,
//! hang-up, and on some systems priority, aio or lio. An event is a hint and not a promise: another thread may use the
//! source first, so every operation may still return [`WouldBlock`](std::io::ErrorKind::WouldBlock). [One
//! table](Event#what-an-event-means) has the predicates for each situation. The project's tests read the table and
//! check it on every system on which they run.
//!
//! If `poll` returns `Ok` and no events, the timeout has passed. There is no other cause.
//!
//! # Modes
//!
//! The mode is part of the [`Interest`] with which a source is registered: edge by default, otherwise
//! [`level`](Interest::level) or [`oneshot`](Interest::oneshot). In this diagram, `poll` reports the source at each ●.
//!
//! ```text
//!                 4 bytes           2 more            the program
//!                 arrive            arrive            reads all 6
//! unread      0 ──┬─── 4 ───────────┬─── 6 ───────────┬─── 0 ────
//!             poll    poll     poll     poll     poll     poll
//!   edge       ·       ●        ·        ●        ·        ·         when more arrives
//!   level      ·       ●        ●        ●        ●        ·         while there is unread data
//!   oneshot    ·       ●        ·        ·        ·        ·         once, until `reregister`
//! ```
//!
//! On Windows, the fourth `poll` reports nothing in edge mode, because the program has not read since the first report:
//! see [`Interest`].
//!
//! Edge mode needs fewer reports than level mode, but the program must read or write until `WouldBlock`. In level mode,
//! the program may stop reading or writing before `WouldBlock`. In oneshot mode, `poll` reports a source once, and not
//! again until the program calls `reregister`. So if several threads handle events, only one of them handles the source
//! until that call.
//!
//! # Wakers
//!
//! Any thread, and a signal handler, can use a [`Waker`] to make `poll` return with an event. A poll can have any
//! number of wakers. A wake marks its waker pending.
//!
//! ```text
//!   thread 1 ── wake ──▶ ● pending ──┐                         ┌─ running: takes the pending wakers before it blocks
//!   thread 2 ── wake ──▶ ● pending ──┴──▶  the polling thread ─┤
//!   thread 3             ○                                     └─ blocked: the first wake notifies the kernel
//! ```
//!
//! # Timers
//!
//! A [`Timer`] is a source like any other, readable when it is due. A poll keeps its timers in a heap, and the earliest
//! deadline limits the wait, so setting a timer needs no system call, except to interrupt a blocked `poll` if the new
//! deadline is the earliest. Cancelling a timer needs none. A timer never expires early.
//!
//! # Signals and child processes
//!
//! [`Signals`](signal::Signals) is a source that receives signals, such as Ctrl-C. [`ChildExit`](process::ChildExit) is
//! a source that is readable once a child process has exited. The page of each lists what it replaces in the process.
//!
//! # Differences from mio
//!
//! A program written for mio compiles unchanged with `mio = { package = "minimio", … }` in its `Cargo.toml`, or after
//! you replace `mio::` by `minimio::`. It may notice these differences:
//!
//! - Registering a source twice, or with two polls, fails with `AlreadyExists`. Reregistering or deregistering an
//!   unregistered source fails with `NotFound`. mio checks this in debug builds, or where the kernel checks it. The
//!   exceptions are `SourceFd`, `SourceSocket` and `SourceHandle`, which do not record their registration.
//! - On Windows in edge mode, if a program reads a part of the data, the next `poll` reports the rest. mio does not
//!   report it.
//! - On Linux since 5.11, timeouts are in nanoseconds. mio rounds up to milliseconds.
//! - A poll can have any number of wakers, and waking a polling thread that is not blocked needs no system call, unless
//!   the program has taken the poll's descriptor [for an outer event loop](Poll#nested-in-another-event-loop). Dropping
//!   a waker discards an event that was not reported.
//! - On Linux, an event with `EPOLLHUP` is also readable, and an event with `EPOLLERR` is also readable and writable.
//! - The backlog of a TCP listener is 4096 connections, or the system's limit; in mio 128.
//! - The `Debug` output of an [`Event`] ends with the fields `hang_up` and `raw`, the kernel's flags.
//! - Polling with [`Events`] of capacity 0 fails with `InvalidInput` on every system; in mio only on Linux.
//! - `Interest` contains the mode, and comparisons (`==`, `<`) include the mode.
//! - mio's cargo features exist but have no effect: everything is always available. The crate logs nothing. Its minimum
//!   Rust version is 1.63; mio 1.2 needs 1.71.
//! - The crate does not compile for systems without one of the three queues (illumos, Haiku, WASI and others).
//!
//! minimio adds the modes, [`Interest::HANG_UP`], [`Timer`], [`signal`], [`process`], [`Poll::next_deadline`],
//! [`Events::len`](Events::len), the conversion from `usize` to `Token`, and [`book`]; on Windows `SourceSocket`, which
//! takes any socket, `SourceHandle`, which takes any handle for which a thread can wait, and
//! `UdpSocket::set_connreset`.
//!
//! # Policies
//!
//! **Errors and panics.** Whatever a kernel or a peer does, the result is at most an [`io::Error`](std::io::Error),
//! never a panic. An error of the system is returned unchanged. A source that fails is reported on its own token, and
//! affects neither the wait nor other sources. If a thread panics while it holds a lock of this crate, other threads
//! can still take the lock. A poll may be dropped before its sources.
//!
//! **Signals.** A signal ends a wait with [`Interrupted`](std::io::ErrorKind::Interrupted), and no event is lost. A
//! signal handler may call [`Waker::wake`]. The crate installs a signal handler only for [`signal::Signals`] and,
//! without `pidfd_open`, for [`process::ChildExit`]. A write to a socket whose peer is closed returns an error and
//! raises no `SIGPIPE`; a write to a pipe may raise it.
//!
//! **Fork.** After `fork`, the child must not use the parent's polls, sources and wakers ([details](Poll#fork)).
//! Descriptors are close-on-exec from their creation, with these exceptions, which become close-on-exec immediately
//! afterwards: all descriptors on Apple systems, the kqueue on the BSDs, accepted sockets on Android on x86.
//!
//! **Versions.** Until 1.0, a release that breaks programs raises the minor version. A release that needs a newer Rust
//! than 1.63, or a newer system, does the same:
//!
//! | | minimum release | release with an improvement |
//! |---|---|---|
//! | Linux | 3.2, like Rust's standard library | 5.11: timeouts below a millisecond (`epoll_pwait2`), not on Android |
//! | Android | 21 (Lollipop) | |
//! | macOS and other Apple systems | like Rust's standard library | |
//! | FreeBSD | 12 (today's `struct kevent`) | |
//! | NetBSD | 8 (`accept4`) | 10: a user event ends a wait, instead of a pipe |
//! | OpenBSD, DragonFly | the releases that Rust supports; DragonFly 5.8 (`__errno_location`) | OpenBSD releases with user events (`EVFILT_USER`): as NetBSD 10 |
//! | Windows | 7 with SP1, as far as Rust's standard library supports it | |
//!
//! # Examples
//!
//! Each program in `examples/` shows one idea. The table is in learning order, and the last line that an example prints
//! names the next one.
//!
//! | `cargo run --example …` | shows |
//! |---|---|
//! | `delayed` | ten requests with ten delays, a client thread and a server thread |
//! | `delayed_server` | the server as a program |
//! | `delayed_client` | the client as a program |
//! | `delayed_load` | ten thousand requests that wait at the same time |
//! | `wake` | a [`Waker`] beside a channel between two threads |
//! | `timers` | a [`Timer`] as a source |
//! | `supervisor` | Ctrl-C and the exits of child processes as sources |
//! | `udp` | datagrams, and a timer that resends lost ones |
//! | `echo` | level mode beside edge mode |
//! | `any_fd` | a descriptor or socket for which the crate has no type |
//! | `book` | a reactor and an executor under the book's names ([`book`]) |
//! | `executor` | `async fn` over a poll |
//!
//! # Reading the source
//!
//! ```text
//!       register, poll                      wake, set
//!  ┌──────────┴───────────────────────────────┴───────────┐
//!  │ poll  source  net  signal  process  waker  timer     │   the public types
//!  ├──────────────────────────────────────────────────────┤
//!  │ shared: one poll round   wait  wakers  timers        │   the state of one poll
//!  ├────────────────┬────────────────┬────────────────────┤
//!  │ epoll/         │ kqueue/        │ iocp/              │   the queue
//!  ├────────────────┴────────────────┼────────────────────┤
//!  │ unix/                           │ windows/           │   descriptors or handles
//!  └─────────────────────────────────┴────────────────────┘
//! ```
//!
//! 1. `lib.rs`, this file: selects the queue for the system, and states what a queue must provide.
//! 2. `event.rs`, `interest.rs`: the terms of the API: token, event, interest, mode.
//! 3. `wait.rs`: the wait state, which prevents lost wakes. `sync.rs` has the atomics and locks of this file and of
//!    those in step 4.
//! 4. `poll.rs`, then `shared.rs`: the public type and one round of polling, with the pending wakers in `wakers.rs`,
//!    the deadlines in `timers.rs`, and the state that wakers and timers share with the poll in
//!    `wakers_and_timers.rs`. `blocks.rs` allocates what belongs to each waker and timer.
//! 5. `epoll/`, `kqueue/` or `iocp/`: the queue. `mod.rs` explains how it works; `ffi.rs`, `event.rs`, `selector.rs`
//!    and `notifier.rs` follow in all three. `epoll/` and `kqueue/` also have `process.rs`, and `kqueue/` has
//!    `knote_pairs.rs`; `iocp/` has one file for each of its concepts, listed in its `mod.rs`.
//! 6. `source.rs`, `io_source.rs`, `association.rs`, then `net/`, `signal.rs` and `process.rs`, with `unix/` or
//!    `windows/`: the sources.
//! 7. `waker.rs`, `timer.rs`: the public types for waking and for deadlines.
//! 8. `book.rs`: the book's names.
//!
//! The reading path of each system, without timers and `blocks.rs`, in lines of code without blank lines and comments.
//! The core is `lib`, `event`, `interest`, `wait`, `wakers`, `wakers_and_timers`, `shared`, `poll`, `source`,
//! `association`, `io_source`, `waker` and `sync`.
//!
//! | path | files | lines of code |
//! |---|---|---:|
//! | core and epoll | the core and `epoll/` | 1,920 |
//! | core and kqueue | the core and `kqueue/` | 2,283 |
//! | Windows for sockets | the core and `iocp/` without pipes, source sockets and handles | 3,065 |
//! | Windows pipes, source sockets and handles | `pipe` `pipe_source` `source_sockets` `waitable` `wait_source` `source_handles` of `iocp/` | 1,046 |

#![deny(missing_docs, unsafe_op_in_unsafe_fn, rust_2018_idioms)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]

// Only this file selects modules by system. Differences between the systems of one family are in `ffi.rs` and
// `kqueue/event.rs`. `queue` waits for events; `handle` has the sockets and the descriptors or handles of sources.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
mod epoll;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
use epoll as queue;

// `minimio_kqueue` builds the kqueue folder on Linux, over a model of the kqueue system calls. Only the project's
// tests use it.
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
    "minimio has no queue for this system: it supports epoll (Linux, Android), kqueue (Apple systems, the BSDs) and \
     IOCP (Windows)"
);

// What a queue must provide, checked by the compiler. To add a queue, add a folder that satisfies this table, and one
// `mod` and one `use` above.
const _: () = {
    use crate::queue::{Notifier, RawEvent, RawEvents, Selector, SourceState};
    use std::{io, time::Duration};

    // The state that a queue keeps in each source. Epoll and kqueue need none, because their kernels see every
    // operation. On Windows, the source calls `rearm` with the direction that the program used (both, if an operation
    // of unknown direction would block), and `poll` reports the next edge of that direction only after this call. The
    // source calls `write_shut_down` when the program has shut down writing. `NEEDS_REARM` is false if `rearm` does
    // nothing.
    let _: fn() -> SourceState = SourceState::default;
    let _: bool = SourceState::NEEDS_REARM;
    let _: fn(&SourceState, Interest) = SourceState::rearm;
    let _: fn(&SourceState) = SourceState::write_shut_down;

    // Open; register, reregister, deregister; wait. `wait` keeps the first events of the list (the `usize` is their
    // number), and appends new events. It returns true if it consumed the notifier's event, which is not appended.
    // `wait` may return before the timeout without an event, but not in every call: if the caller repeats the call and
    // no event arrives, `wait` must block. A list of capacity 0 is an error.
    let _: fn() -> io::Result<Selector> = Selector::new;
    let _: fn(&Selector, &mut SourceState, handle::Raw, Token, Interest) -> io::Result<()> = Selector::register;
    let _: fn(&Selector, &mut SourceState, handle::Raw, Token, Interest) -> io::Result<()> = Selector::reregister;
    let _: fn(&Selector, &mut SourceState, handle::Raw) -> io::Result<()> = Selector::deregister;
    let _: fn(&Selector, &mut RawEvents, usize, Option<Duration>) -> io::Result<bool> = Selector::wait;

    // Ends a wait from any thread. If two notifications precede a wait, the two together may end only one wait.
    let _: fn(&Selector) -> io::Result<Notifier> = Notifier::new;
    let _: fn(&Notifier) -> io::Result<()> = Notifier::notify;

    // A list of events that never grows. `Wakers` and `Timers` append their events to it.
    let _: fn(usize) -> RawEvents = RawEvents::with_capacity;
    let _: fn(&mut RawEvents) -> &mut Vec<event::Event> = |events| &mut events.list;
    let _: fn(Token) -> RawEvent = RawEvent::readable;
    let _: fn(&RawEvent) -> Token = RawEvent::token;
    let _: [fn(&RawEvent) -> bool; 9] = [
        RawEvent::is_readable,
        RawEvent::is_writable,
        RawEvent::is_error,
        RawEvent::is_read_closed,
        RawEvent::is_write_closed,
        RawEvent::is_priority,
        RawEvent::is_aio,
        RawEvent::is_lio,
        RawEvent::is_hang_up,
    ];

    // Any thread may own and use these.
    const fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<(Selector, Notifier, RawEvents, SourceState)>();
};

// What `unix` and `windows` must provide for signals and child processes, beside the sockets.
const _: () = {
    use crate::handle::{process, signal};
    use crate::signal::Signal;
    use std::{io, process::Child};

    // The numbers of the signals that exist everywhere, and the names of the others.
    let _: [std::os::raw::c_int; 4] = [signal::INTERRUPT, signal::TERMINATE, signal::HANGUP, signal::QUIT];
    let _: &[(Signal, &str)] = signal::OTHER_NAMES;

    // Both are sources: they record their registration (`Association`), and receive the interest `READABLE` in one of
    // the three modes. Dropping one while it is registered ends the registration.
    //
    // `SignalSource::new` returns `InvalidInput` for a signal that cannot be received. From its return on, no signal is
    // lost: `receive` returns each pending number once, and the source is readable as long as a number is pending.
    // `signals` returns the argument of `new`, for `Debug`.
    let _: fn(&[Signal]) -> io::Result<signal::SignalSource> = signal::SignalSource::new;
    let _: fn(&signal::SignalSource) -> Option<Signal> = signal::SignalSource::receive;
    let _: fn(&signal::SignalSource) -> &[Signal] = signal::SignalSource::signals;

    // A `ChildSource` is readable from the exit of the child on, for ever. In edge and oneshot mode, it is reported
    // once after each `register` and `reregister`. `id` returns the child's process id, for `Debug`.
    let _: fn(&Child) -> io::Result<process::ChildSource> = process::ChildSource::new;
    let _: fn(&process::ChildSource) -> u32 = process::ChildSource::id;

    const fn assert_sources<T: Send + Sync + event::Source>() {}
    assert_sources::<signal::SignalSource>();
    assert_sources::<process::ChildSource>();
};

mod association;
mod blocks;
pub mod book;
pub mod event;
pub mod guide;
mod interest;
mod io_source;
pub mod net;
mod poll;
pub mod process;
mod shared;
pub mod signal;
mod source;
mod sync;
mod timer;
mod timers;
mod wait;
mod waker;
mod wakers;
mod wakers_and_timers;

pub use event::{Event, Events, Token};
pub use interest::Interest;
pub use net::TcpStream;
pub use poll::{Poll, Registry};
pub use timer::Timer;
pub use waker::Waker;

/// Runs the README's programs as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
