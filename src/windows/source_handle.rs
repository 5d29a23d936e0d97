//! `SourceHandle`: the public type of the handles in `iocp/source_handles.rs`.

use std::io;
use std::os::windows::io::RawHandle;

use crate::event::{Source, Token};
use crate::{Interest, Registry};

/// A waitable handle as a source: the handle of an event, a process, a thread, a job, a semaphore, a timer, a change
/// notification, or console input. Windows only.
///
/// `poll` reports the handle as readable when its object is signalled. This crate waits with
/// [`RegisterWaitForSingleObject`], so a thread of the system's pool waits, and not the polling thread.
///
/// A `SourceHandle` only borrows the handle and does not close it. While it is registered, this crate waits for a
/// duplicate of the handle.
///
/// # Signals and modes
///
/// A wait consumes the signal of some objects, as [`WaitForSingleObject`] does. While the handle is registered, the
/// polling thread, the registering thread or the pool may consume a signal at any time. `poll` reports every consumed
/// signal once, also if `reregister` is called in between. In edge and oneshot mode, this crate consumes no other
/// signal until [`reregister`](Registry::reregister), so none is lost:
///
/// | mode | event or timer with manual reset, process, thread | event or timer with automatic reset | semaphore |
/// |---|---|---|---|
/// | level | reported by every `poll` while it is signalled | reported once for each signal | reported once for each unit |
/// | edge, oneshot | reported once, then not until `reregister` | the same; the next signal stays in the object | the same; the other units stay in the object |
///
/// `reregister` also reports an object that is signalled already. [`deregister`](Registry::deregister) discards a
/// signal that was consumed and not reported, and so do a second `register` and the drop of the `Poll`. An event can be
/// stale: the program may have reset the object since it was signalled.
///
/// The interest must contain [`READABLE`](Interest::READABLE). A handle is never writable.
///
/// Do not register a mutex: a wait would make a thread its owner that does not release it. The handle of a file, a pipe
/// or a socket does not report readiness; use [`NamedPipe`](super::NamedPipe) or [`SourceSocket`](super::SourceSocket).
///
/// # Registration
///
/// A `SourceHandle` does not record its registration, so the queue identifies the handle by its number:
///
/// | | Windows |
/// |---|---|
/// | register twice with one poll | the second registration replaces the first |
/// | register with two polls, or through a duplicate | both report it, or one of them, if a wait consumes the signal |
/// | reregister or deregister without registration | `NotFound` |
/// | interest without `READABLE` | `InvalidInput` |
/// | a handle that is not open | [`ERROR_INVALID_HANDLE`] |
/// | an object for which no thread can wait | [`ERROR_INVALID_HANDLE`] or `PermissionDenied` |
/// | a handle without the access right `SYNCHRONIZE` | `PermissionDenied` |
/// | close while registered | the object stays registered, and exists, until `deregister` with the same number |
/// | reregister the number of a closed handle | changes the registration of the object that was registered |
/// | register the number of a closed handle that is still registered | registers the handle that has the number now |
///
/// `register` checks whether a thread can wait for the object, and may consume a signal, which the next `poll` reports.
/// `register`, `deregister` and the drop of the `Poll` wait for a thread of the pool that is just posting an event. A
/// callback of a wait with `WT_EXECUTEINWAITTHREAD` must not call them, because that thread may be the same.
///
/// # Examples
///
/// ```
/// use minimio::windows::SourceHandle;
/// use minimio::{Events, Interest, Poll, Token};
/// use std::os::windows::io::AsRawHandle;
/// use std::thread;
///
/// # fn main() -> std::io::Result<()> {
/// let worker = thread::spawn(|| 6 * 7);
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(4);
/// // A thread's handle is signalled when the thread has ended.
/// let handle = worker.as_raw_handle();
/// poll.registry().register(&mut SourceHandle(&handle), Token(0), Interest::READABLE.oneshot())?;
/// poll.poll(&mut events, None)?;
/// assert!(events.iter().any(|event| event.token() == Token(0) && event.is_readable()));
/// poll.registry().deregister(&mut SourceHandle(&handle))?;
/// assert_eq!(worker.join().unwrap(), 42);
/// # Ok(())
/// # }
/// ```
///
/// [`ERROR_INVALID_HANDLE`]: https://learn.microsoft.com/windows/win32/debug/system-error-codes--0-499-
/// [`RegisterWaitForSingleObject`]: https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-registerwaitforsingleobject
/// [`WaitForSingleObject`]: https://learn.microsoft.com/windows/win32/api/synchapi/nf-synchapi-waitforsingleobject
#[derive(Debug)]
#[doc(alias = "RegisterWaitForSingleObject")]
pub struct SourceHandle<'a>(pub &'a RawHandle);

// SAFETY: the handle is a number that is valid on every thread, although its type is a pointer.
unsafe impl Send for SourceHandle<'_> {}
// SAFETY: as above.
unsafe impl Sync for SourceHandle<'_> {}

impl Source for SourceHandle<'_> {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        let interests = interests.only_readable("a handle")?;
        registry.selector().register_handle(*self.0, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        let interests = interests.only_readable("a handle")?;
        registry.selector().reregister_handle(*self.0, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.selector().deregister_handle(*self.0)
    }
}
