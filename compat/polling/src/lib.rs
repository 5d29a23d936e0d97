#![doc = include_str!("../README.md")]
#![deny(missing_docs, rust_2018_idioms, unsafe_op_in_unsafe_fn)]
// The library contains no unsafe block. It declares the functions unsafe that are unsafe in polling; each allows this
// lint.
#![deny(unsafe_code)]

mod event;
mod events;
pub mod os;
mod poller;

// Only this file selects modules by system. `queue` translates between polling's events and minimio's; `source` has the
// traits of what can be added to a poller.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
mod epoll;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
use epoll as queue;

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
mod unix;
#[cfg(unix)]
use unix as source;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as source;

pub use event::{Event, PollMode};
pub use events::Events;
pub use poller::Poller;
pub use source::{AsRawSource, AsSource};
