//! The queue on Windows: an I/O completion port.
pub(crate) mod afd;
pub(crate) mod event;
mod ffi;
pub(crate) mod notifier;
mod port;
pub(crate) mod selector;
mod sock;

pub(crate) use event::{RawEvent, RawEvents};
pub(crate) use notifier::Notifier;
pub(crate) use selector::Selector;
pub(crate) use sock::SourceState;
