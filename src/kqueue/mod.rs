//! The queue on macOS, its kin, and the BSDs: a kqueue.
//!
//! A kqueue is a set of *knotes* that lives in the kernel. A knote watches one thing about one object: the filter
//! `EVFILT_READ` of descriptor 7, say. One call does everything: `kevent` takes a list of changes to the set, and gives
//! back a list of what has happened. This crate changes in one call and waits in another ([`selector`]), so that a wait
//! need not carry what other threads have changed in the meantime.
//!
//! What is peculiar to it:
//!
//! - *Reading and writing are two knotes*, and come as two events; epoll's one registration has both. To register is
//!   one call all the same, and each change in it is answered by itself (`EV_RECEIPT`).
//! - *Modes are flags of a knote*. Level is the kernel's default, `EV_CLEAR` makes it edge, and `EV_DISPATCH` disables
//!   it after a report. A knote's mode can't be changed on every system: so a knote that is to change is deleted and
//!   added, in one call, and looks anew.
//! - *A oneshot of both directions is two oneshots* to the kernel. That the report of one silences the other is up to
//!   us ([`pairs`]).
//! - *A knote dies with the number of its descriptor*: closing that ends it, even if a duplicate lives on.
//! - *The end of a stream is a flag* (`EV_EOF`) of a knote, beside the data that is left, and what has gone wrong is an
//!   error number beside it.
//! - *Anything can be watched*, regular files too: one is readable until its end.
//!
//! Invariants of this folder: the data of a knote (`udata`) is its token; of one knote, the [`notifier`]'s, it is an
//! address that belongs to the [`Selector`], which no token of a program can be by chance. `wait` never shows that one
//! to its caller.

pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
mod pairs;
pub(crate) mod selector;

pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use selector::{Selector, SourceState};
