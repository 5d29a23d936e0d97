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
//! - The book registers every source as oneshot. This crate has all three modes.
//! - The book makes a new eventfd for each wake. This crate keeps one eventfd per poll, in the [`notifier`].
//! - The book packs the event struct on every processor. The kernel packs it only on x86_64 ([`ffi`]).
//!
//! Invariants of this folder: the data of a registration is the token of its source. The exception is the registration
//! of the [`notifier`], whose data is the hash of an address. `wait` removes the notifier's event before it returns.

pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
pub(crate) mod selector;

pub(crate) use crate::unix::source_state::SourceState;
pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use selector::Selector;
