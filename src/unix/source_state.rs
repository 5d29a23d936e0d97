//! What epoll and kqueue keep inside a source: nothing, because the kernel keeps the state of each registration.

use crate::Interest;

#[derive(Debug, Default)]
pub(crate) struct SourceState {}

impl SourceState {
    /// Whether [`rearm`](SourceState::rearm) does anything. The kernel detects every edge without this call.
    pub const NEEDS_REARM: bool = false;

    /// Does nothing. On Windows, this rearms the direction that the program has just used.
    #[inline]
    pub fn rearm(&self, _direction: Interest) {}

    /// Does nothing, because the kernel reports that the program has shut down writing.
    #[inline]
    pub fn write_shut_down(&self) {}
}
