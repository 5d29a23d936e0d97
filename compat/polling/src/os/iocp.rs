//! Windows only: events that the program posts, and handles for which a thread can wait.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, RawHandle};

use crate::iocp::Source;
use crate::poller::check;
use crate::{Event, PollMode, Poller};

/// Methods of [`Poller`] that exist on Windows only.
pub trait PollerIocpExt {
    /// Makes a wait report the packet's event. If the key is `usize::MAX`, the wait returns without the event.
    ///
    /// ```
    /// use polling::os::iocp::{CompletionPacket, PollerIocpExt};
    /// use polling::{Event, Events, Poller};
    ///
    /// let (poller, mut events) = (Poller::new()?, Events::new());
    /// poller.post(CompletionPacket::new(Event::writable(3)))?;
    /// poller.wait(&mut events, None)?;
    /// assert_eq!(events.iter().next(), Some(Event::writable(3)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No case is known.
    fn post(&self, packet: CompletionPacket) -> io::Result<()>;

    /// Adds a handle, such as that of a process, a thread, a semaphore or an event. When its object is signalled, a
    /// wait reports `interest`, unless that is neither readable nor writable.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: the handle was added before.
    /// - `InvalidInput`: the key is `usize::MAX`, or the mode is an edge mode.
    /// - Otherwise the system's error.
    ///
    /// # Safety
    ///
    /// The program passes the handle to [`remove_waitable`](PollerIocpExt::remove_waitable) before the handle is
    /// closed.
    #[allow(unsafe_code)]
    unsafe fn add_waitable(&self, handle: impl AsRawWaitable, interest: Event, mode: PollMode) -> io::Result<()>;

    /// Replaces the event and the mode of a handle. If its object is signalled, the next wait reports it.
    ///
    /// # Errors
    ///
    /// - `NotFound`: the handle was not added.
    /// - Otherwise as for [`add_waitable`](PollerIocpExt::add_waitable).
    fn modify_waitable(&self, handle: impl AsWaitable, interest: Event, mode: PollMode) -> io::Result<()>;

    /// Ends the reports of a handle. No error if the handle was not added.
    ///
    /// # Errors
    ///
    /// The system's error.
    fn remove_waitable(&self, handle: impl AsWaitable) -> io::Result<()>;
}

impl PollerIocpExt for Poller {
    fn post(&self, packet: CompletionPacket) -> io::Result<()> {
        self.sources.post(packet.event)
    }

    #[allow(unsafe_code)]
    unsafe fn add_waitable(&self, handle: impl AsRawWaitable, interest: Event, mode: PollMode) -> io::Result<()> {
        check(&interest, mode)?;
        self.sources.add_source(&self.registry, source(handle.as_raw_handle()), interest, mode)
    }

    fn modify_waitable(&self, handle: impl AsWaitable, interest: Event, mode: PollMode) -> io::Result<()> {
        check(&interest, mode)?;
        self.sources.modify_source(&self.registry, source(handle.as_waitable().as_raw_handle()), interest, mode)
    }

    fn remove_waitable(&self, handle: impl AsWaitable) -> io::Result<()> {
        self.sources.delete_source(&self.registry, source(handle.as_waitable().as_raw_handle()))
    }
}

fn source(handle: RawHandle) -> Source {
    Source::Handle(handle as usize)
}

/// An event that a program posts. It can be posted several times.
#[derive(Clone, Debug)]
pub struct CompletionPacket {
    event: Event,
}

impl CompletionPacket {
    /// Creates a packet with this event.
    pub fn new(event: Event) -> Self {
        CompletionPacket { event }
    }

    /// Returns the event.
    pub fn event(&self) -> &Event {
        &self.event
    }
}

/// What [`add_waitable`](PollerIocpExt::add_waitable) takes: a reference to something with a handle, or the handle's
/// number.
pub trait AsRawWaitable {
    /// Returns the handle's number.
    fn as_raw_handle(&self) -> RawHandle;
}

impl AsRawWaitable for RawHandle {
    fn as_raw_handle(&self) -> RawHandle {
        *self
    }
}

impl<T: AsRawHandle + ?Sized> AsRawWaitable for &T {
    fn as_raw_handle(&self) -> RawHandle {
        AsRawHandle::as_raw_handle(*self)
    }
}

/// What the other methods take: something with an open handle.
pub trait AsWaitable: AsHandle {
    /// Returns the handle.
    fn as_waitable(&self) -> BorrowedHandle<'_> {
        self.as_handle()
    }
}

impl<T: AsHandle + ?Sized> AsWaitable for T {}
