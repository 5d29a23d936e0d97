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
//!   second report ([`oneshot`]).
//! - *A knote belongs to a descriptor number.* Closing that descriptor deletes the knote, even if a duplicate of the
//!   descriptor remains open.
//! - *The end of a stream is a flag* of an event (`EV_EOF`). The same event has the number of bytes that remain
//!   (`data`) and an error number (`fflags`).
//! - *Regular files can be watched too*: a file is readable until its end.
//!
//! Differences from the book's chapter:
//!
//! - The book registers every source as oneshot. This crate has all three modes.
//! - The book wakes the loop with a new timer event (`EVFILT_TIMER`) for each wake. This crate keeps one user
//!   event per poll, or a pipe, in the [`notifier`].
//!
//! Invariants of this folder: the `udata` of a knote is the token of its source. The exception is the knote of the
//! [`notifier`]. `wait` recognises the notifier's event by its filter and identifier, and removes it before it returns.

pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
mod oneshot;
pub(crate) mod selector;

pub(crate) use crate::unix::source_state::SourceState;
pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use selector::Selector;
