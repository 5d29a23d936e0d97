#![doc = include_str!("../README.md")]
//!
//! # Reading the source
//!
//! 1. `lib.rs`, this file: which system this is, and what its queue must provide.
//! 2. `event.rs`, `interest.rs`, `source.rs`: the words.
//! 3. `poll.rs`: the facade, and the one loop that everything runs through.
//! 4. `wait.rs`, `waker.rs`, `timer.rs`: who sleeps and who wakes.
//! 5. `epoll/`, `kqueue/` or `iocp/`: the queue. `mod.rs` tells its story, then `ffi.rs`, `event.rs`, `selector.rs`,
//!    `notifier.rs`, the same chapters in all. `kqueue/` has one more, `pairs.rs`, and `iocp/` has three: `port.rs`,
//!    `afd.rs`, `sock.rs`.
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
    let _: bool = SourceState::REARMS;
    let _: fn(&SourceState, Interest) = SourceState::rearm;
    let _: fn(&SourceState) = SourceState::writing_has_ended;

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
    let _: fn(&Notifier) -> io::Result<()> = Notifier::kick;

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

pub mod book;
pub mod event;
mod interest;
pub mod net;
mod poll;
mod source;
mod timer;
mod wait;
mod waker;

pub use event::{Event, Events, Token};
pub use interest::Interest;
pub use net::TcpStream;
pub use poll::{Poll, Registry};
pub use timer::Timer;
pub use waker::Waker;

/// The one door to the standard library's locks and atomics: where the interleavings are explored, others stand behind
/// it.
mod sync {
    pub(crate) use std::sync::{atomic, Arc, Mutex};
    use std::sync::{MutexGuard, PoisonError};

    /// A lock that somebody has panicked under is entered all the same: nothing here is left half done.
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
