//! The queue on macOS, the other Apple systems, and the BSDs: kqueue.
//!
//! A kqueue is a set of *knotes* that lives in the kernel. A knote watches one condition of one object. Its *filter*
//! names the condition: for example, the knote of descriptor 7 with the filter `EVFILT_READ` watches whether descriptor
//! 7 is readable. The call `kevent` takes a list of changes to the set, and returns a list of events. This crate makes
//! changes in one call and waits in another ([`selector`]), so that other threads can change the set while a wait is in
//! progress.
//!
//! What is special about kqueue:
//!
//! - *Reading and writing are two knotes*, and are reported as two events; epoll has one registration for both. One
//!   call still registers both, and the kernel writes a receipt for each change (`EV_RECEIPT`): the error number of the
//!   change, or 0.
//! - *Modes are flags of a knote.* Level is the kernel's default, `EV_CLEAR` selects edge, and `EV_DISPATCH` disables
//!   the knote after a report. Not every system can change the mode of a knote, so this crate deletes a knote and adds
//!   it again, in one call. The new knote is reported if its condition holds.
//! - *A oneshot registration of both directions is two knotes*, each of which reports once. This crate suppresses the
//!   second report ([`knote_pairs`]).
//! - *The end of both directions is two events*; in epoll, it is one flag (`EPOLLHUP`). This crate marks the two events
//!   if they arrive in one batch. For a source that is registered for hang-ups alone, it remembers the first
//!   ([`knote_pairs`]).
//! - *A knote belongs to a descriptor number.* Closing that descriptor deletes the knote, even if a duplicate of the
//!   descriptor remains open.
//! - *The end of a stream is a flag* of an event (`EV_EOF`). The same event has the number of bytes that remain
//!   (`data`) and an error number (`fflags`).
//! - *Regular files can be watched too*: a file is readable until its end.
//!
//! Differences from the book's chapter:
//!
//! - *Wake.* The book's `close_loop` adds a timer that expires immediately (`EVFILT_TIMER`). This crate keeps one user
//!   event per poll, or a pipe, in the [`notifier`], because a program may wake a poll any number of times.
//! - *Modes.* The book registers every stream with `EV_ONESHOT`, which deletes the knote after a report. This crate has
//!   all three modes, and its oneshot mode is `EV_DISPATCH`, because a reported source stays registered.
//! - *Structs.* The book declares macOS's `kevent` for 64-bit processors. This crate declares the struct of each
//!   system, because the fields differ ([`ffi`]).
//! - *List of events.* In both, the capacity of the list limits the events. With capacity 0, the book's wait returns
//!   immediately. This crate's wait fails, because a loop would never block.
//! - *Timeout.* The book waits in whole milliseconds. This crate passes the timeout in nanoseconds, because a timer
//!   would otherwise expire up to a millisecond late.
//! - *Threads.* In both, one thread waits. The book's registrator is for one other thread. This crate registers from
//!   any thread, because `kevent` changes the set during a wait.
//!
//! Invariants of this folder: the `udata` of a knote is the token of its source. The exception is the knote of the
//! [`notifier`]. `wait` recognises the notifier's event by its filter and identifier, and removes it before it returns.

pub(crate) mod event;
mod ffi;
mod knote_pairs;
pub(crate) mod notifier;
mod process;
pub(crate) mod selector;
pub mod source_filter;

pub(crate) use crate::unix::source_state::SourceState;
pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use process::ExitDescriptor;
pub(crate) use selector::Selector;
