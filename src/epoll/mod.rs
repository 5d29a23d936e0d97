//! The queue on Linux and Android: epoll.
//!
//! An epoll instance lives in the kernel. It has a set of registered files and a list of those that are ready. A
//! program adds a descriptor once (`epoll_ctl`, in [`selector`]), with the events it wants and 64 bits of data, which
//! here hold the token. From then on, the kernel adds the registered file to the ready list when one of these events
//! happens, and `epoll_wait` returns the list. The older system calls `select` and `poll` copy the set into the kernel
//! and search it in every call; `epoll_wait` does neither.
//!
//! What is special about epoll:
//!
//! - *One registration has both directions.* One event can contain `EPOLLIN | EPOLLOUT`; a kqueue reports two events.
//! - *Modes are flags of the registration.* Level is the kernel's default (but not this crate's), `EPOLLET` selects
//!   edge, and `EPOLLONESHOT` disables the registration after a report. `EPOLL_CTL_MOD` enables the registration again,
//!   and the next `epoll_wait` reports the descriptor if it is ready.
//! - *The set holds open files, not descriptors.* Closing the last descriptor of a file removes the file from the set.
//!   If a duplicate of the closed descriptor remains open, the file stays in the set, and `epoll_ctl` can no longer
//!   remove it by the closed number. Deregister a descriptor before you close it.
//! - *Errors and hang-ups are always reported*: `EPOLLERR` and `EPOLLHUP` need no flag at registration.
//! - *Regular files are refused* (`EPERM`), because they are always ready.
//!
//! Differences from the book's chapter:
//!
//! - *Wake.* The book's `close_loop` creates an eventfd, registers it, and never closes it. This crate opens
//!   one eventfd per poll, in the [`notifier`], with the first waker or timer, because a program may wake a poll any
//!   number of times.
//! - *Modes.* The book registers every stream with `EPOLL_CTL_ADD` and `EPOLLONESHOT`. This crate has all three modes,
//!   and reregisters with `EPOLL_CTL_MOD`, because the report only disables the registration. (*It's not that easy*
//!   says that the report removes it. But a second `EPOLL_CTL_ADD` fails with `EEXIST`.)
//! - *Structs.* The book packs its event on every processor, with a `usize` as data. This crate packs `epoll_event`
//!   only on x86 and x86_64, with a `u64`, because the kernel otherwise reads and writes beyond the struct ([`ffi`]).
//! - *List of events.* The book requests 1,024 events for a list of any capacity. This crate requests as many as fit
//!   into the list, because the kernel writes beyond a shorter one.
//! - *Timeout.* The book waits in whole milliseconds. This crate passes a finer timeout to `epoll_pwait2`, because a
//!   timer would otherwise expire up to a millisecond late.
//! - *Threads.* In both, one thread waits. The book's registrator is for one other thread. This crate registers from
//!   any thread, because `epoll_ctl` takes effect during a wait.
//!
//! Invariants of this folder: the data of a registration is the token of its source. The exception is the registration
//! of the [`notifier`], whose data is the hash of an address. `wait` removes the notifier's event before it returns.

pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
mod process;
pub(crate) mod selector;
/// Empty: epoll has no filters.
pub mod source_filter {}

pub(crate) use crate::unix::source_state::SourceState;
pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use process::ExitDescriptor;
pub(crate) use selector::Selector;
