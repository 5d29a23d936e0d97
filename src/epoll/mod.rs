//! The queue on Linux and Android: epoll.
//!
//! An epoll instance is a set of descriptors that lives in the kernel, and a list of those that are ready. A program
//! adds a descriptor once ([`selector`], `epoll_ctl`) with the events it wants and 64 bits of its own, here the token.
//! From then on the kernel moves the descriptor to the ready list when something happens to it, and `epoll_wait` hands
//! the list out. Nothing is copied in, searched or built anew from wait to wait: that is all that `select` and `poll`
//! lacked.
//!
//! What is peculiar to it:
//!
//! - *One registration has both directions.* An event says `EPOLLIN | EPOLLOUT` together; kqueue tells them apart.
//! - *Modes are flags of the registration.* Level is the default of the kernel (and not of this crate), `EPOLLET` makes
//!   it edge, `EPOLLONESHOT` disables the registration after a report, and `EPOLL_CTL_MOD` looks anew and arms it
//!   again.
//! - *The set holds open files, not descriptors.* Closing the last descriptor of a file removes it from the set;
//!   closing one of two duplicates does not, and then the descriptor's number no longer serves to remove it. Deregister
//!   first.
//! - *Errors and hang-ups need no asking*: `EPOLLERR` and `EPOLLHUP` come with every registration.
//! - *Regular files are refused* (`EPERM`): they are always ready.
//!
//! Invariants of this folder: the data of an epoll entry is its token, and of one entry, the [`notifier`]'s, an address
//! that belongs to the [`Selector`], which no token of a program can be by chance. `wait` never shows that one to its
//! caller.

pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
pub(crate) mod selector;

pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use selector::{Selector, SourceState};
