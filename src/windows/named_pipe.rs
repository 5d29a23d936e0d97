//! Named pipes: the face of what `iocp/pipe.rs` does.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, RawHandle};
use std::ptr;

use super::ffi;
use crate::association::Association;
use crate::event::{Source, Token};
use crate::queue::PipeSource;
use crate::{Interest, Registry};

/// One end of a named pipe that never waits: a server's, or a client's. Windows only.
///
/// [`new`](NamedPipe::new) makes a server's end, and [`connect`](NamedPipe::connect) waits for a client. A client's end
/// is opened as a file, with [`FILE_FLAG_OVERLAPPED`], and given to
/// [`from_raw_handle`](#impl-FromRawHandle-for-NamedPipe). So are the server's ends of other kinds: of a second
/// instance, of messages, for writing only. Reading and writing works by value and by reference, from any thread.
///
/// # What it does behind the program's back
///
/// A pipe knows no readiness; it completes what it was asked to do. So this type has a buffer for each direction. As
/// long as it is registered, it reads ahead: [`read`](Read::read) takes from what has come, and when nothing is left of
/// that, the next read is under way, for as much as the program had room for (4 KiB at least, 64 KiB at most).
/// [`write`](Write::write) copies all that it is given, whatever the size, and the pipe is writable again when that has
/// been written.
///
/// | | |
/// |---|---|
/// | nothing has come, or nobody is connected | `read` fails with `WouldBlock` |
/// | nobody is connected | `write` fails with the system's error ([`ERROR_PIPE_LISTENING`] or the like) |
/// | an earlier write is on its way | `write` fails with `WouldBlock` |
/// | an earlier write has failed on its way | the next `write` fails with its error, and writes nothing |
/// | the other end was closed | `read` is `Ok(0)`, after all that was written there; `write` fails with `BrokenPipe` |
/// | the server has called [`disconnect`](NamedPipe::disconnect) | the client's reads and writes fail |
/// | not registered, or the `Poll` is gone, and its registries and wakers | what was read ahead, and errors of what was under way, are there still; then all fails with `NotFound` |
/// | a message that is longer than the buffer | comes in parts, by several reads |
/// | an empty message | a `read` of `Ok(0)`, which at a server's end looks like the end |
///
/// # Events
///
/// In edge mode, that something has come is told once for each time that reading ahead has brought something, and again
/// after a `read` that leaves bytes behind, so that a program which reads once per event loses nothing. Each `write`
/// makes the pipe writable again when it is done. Level and oneshot mode are as for all sources.
///
/// | | readable | writable | read closed | write closed | error |
/// |---|---|---|---|---|---|
/// | bytes, or an error of a read, are there | ■ | ? | · | · | · |
/// | a write is done, or has failed | ? | ■ | · | · | · |
/// | a client has connected, or connecting has failed | · | ■ | · | · | · |
/// | at a server's end, its client is gone | ■ | ? | · | · | · |
/// | at a client's end that reads, its server is gone or has disconnected it | ■ | ■ | ■ | ■ | · |
///
/// A server's end is never told as closed, since the next client may come any time: to read `Ok(0)` is its end.
///
/// # Registration
///
/// The kernel ties a handle to one completion port for good. So a pipe that was registered with one `Poll` can't be
/// registered with another any more: that is `AlreadyExists`, even when the first is gone. Deregistered, it can be
/// registered there again.
///
/// # Dropping
///
/// | what is under way | the pipe is dropped | the `Poll` is dropped, and its registries and wakers |
/// |---|---|---|
/// | a connect, a read | is cancelled | is cancelled |
/// | a write | goes on for as long as the `Poll` is polled, and then the handle is closed | is cancelled |
///
/// The memory lives until the kernel has let go of it, whoever goes first.
///
/// # Differences from mio
///
/// mio ignores interests and modes, tells of nothing that is left unread, knows no read and write closed, and closes
/// the handle of a pipe that was dropped only when it is polled again.
///
/// # Examples
///
/// ```
/// use minimio::windows::NamedPipe;
/// use minimio::{Events, Interest, Poll, Token};
/// use std::fs::OpenOptions;
/// use std::io::{Read, Write};
///
/// # fn main() -> std::io::Result<()> {
/// let name = format!(r"\\.\pipe\minimio-example-{}", std::process::id());
/// let mut server = NamedPipe::new(&name)?;
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(4);
/// poll.registry().register(&mut server, Token(0), Interest::READABLE | Interest::WRITABLE)?;
/// assert_eq!(server.connect().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
///
/// let mut client = OpenOptions::new().read(true).write(true).open(&name)?;
/// client.write_all(b"hello")?;
///
/// let mut said = Vec::new();
/// while said.len() < 5 {
///     poll.poll(&mut events, None)?;
///     if events.iter().any(|event| event.is_readable()) {
///         let mut buf = [0; 64];
///         let count = server.read(&mut buf)?;
///         said.extend_from_slice(&buf[..count]);
///     }
/// }
/// assert_eq!(said, b"hello");
/// # Ok(())
/// # }
/// ```
///
/// [`ERROR_PIPE_LISTENING`]: https://learn.microsoft.com/windows/win32/debug/system-error-codes--500-999-
/// [`FILE_FLAG_OVERLAPPED`]: https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-createfilew
pub struct NamedPipe {
    association: Association,
    state: PipeSource,
}

/// How much a pipe of ours holds in each direction before somebody has to wait.
const ROOM: ffi::DWORD = 64 << 10;

impl NamedPipe {
    /// A server's end of a new pipe: of bytes, in both directions, for clients on this machine and others, not
    /// inherited by child processes. The name begins with `\\.\pipe\`.
    ///
    /// It is the first of its name, and there may be more. See [`CreateNamedPipe`] for what the other kinds are.
    ///
    /// # Errors
    ///
    /// - `PermissionDenied`: there is a pipe of that name already.
    /// - `InvalidInput`: there is a zero inside the name.
    /// - else the system's, above all if the name is not one of a pipe.
    ///
    /// [`CreateNamedPipe`]: https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew
    #[doc(alias = "CreateNamedPipe")]
    pub fn new<A: AsRef<OsStr>>(addr: A) -> io::Result<NamedPipe> {
        let name: Vec<u16> = addr.as_ref().encode_wide().chain(iter::once(0)).collect();
        if name.iter().position(|unit| *unit == 0) != Some(name.len() - 1) {
            let reason = "cannot create a pipe: there is a zero in its name";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        // SAFETY: the name ends with a zero, and outlives the call.
        let handle = unsafe {
            ffi::CreateNamedPipeW(
                name.as_ptr(),
                ffi::PIPE_ACCESS_DUPLEX | ffi::FILE_FLAG_FIRST_PIPE_INSTANCE | ffi::FILE_FLAG_OVERLAPPED,
                ffi::PIPE_TYPE_BYTE,
                ffi::PIPE_UNLIMITED_INSTANCES,
                ROOM,
                ROOM,
                0,
                ptr::null_mut(),
            )
        };
        if handle == ffi::INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `CreateNamedPipeW` has just returned it, overlapped, and nothing else knows it yet.
        Ok(unsafe { NamedPipe::from_raw_handle(handle) })
    }

    /// Waits for a client, without waiting: `Ok` if there is one, else `WouldBlock`, and an event tells when there is.
    ///
    /// That event is a writable one; then [`take_error`](NamedPipe::take_error) says whether it is a client that has
    /// come, or connecting has failed. Whoever has opened the pipe before this is called is there already, and perhaps
    /// gone again. After [`disconnect`](NamedPipe::disconnect), nobody can open the pipe until this is called; if it
    /// was a connect that was called off by that, until the next `poll`.
    ///
    /// # Errors
    ///
    /// - `WouldBlock`: nobody is there yet.
    /// - `NotFound`: the pipe is not registered.
    /// - else the system's, above all if this is not a server's end. See [`ConnectNamedPipe`].
    ///
    /// [`ConnectNamedPipe`]: https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-connectnamedpipe
    #[doc(alias = "ConnectNamedPipe")]
    pub fn connect(&self) -> io::Result<()> {
        self.state.connect()
    }

    /// The error with which an earlier [`connect`](NamedPipe::connect) has failed on its way, once. Errors of reads and
    /// writes are told by those.
    ///
    /// # Errors
    ///
    /// None. The result is mio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.state.take_error())
    }

    /// Dismisses the client, or stops waiting for one, so that the next may come.
    ///
    /// Nothing of the one is left for the other: what was said and not read is lost in both directions, and what is
    /// under way is cancelled. The client's reads and writes fail from now on.
    ///
    /// # Errors
    ///
    /// The system's, if there is nobody to be dismissed, or this is not a server's end. See [`DisconnectNamedPipe`].
    ///
    /// [`DisconnectNamedPipe`]: https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-disconnectnamedpipe
    #[doc(alias = "DisconnectNamedPipe")]
    pub fn disconnect(&self) -> io::Result<()> {
        self.state.disconnect()
    }
}

impl Read for NamedPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Read for &NamedPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Reading from bytes that are there does not fail.
        self.state.read(buf.len(), |mut bytes| bytes.read(buf).unwrap_or(0))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).fold(0, usize::saturating_add);
        self.state.read(len, |mut bytes| bytes.read_vectored(bufs).unwrap_or(0))
    }
}

impl Write for NamedPipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `flush` does nothing: it can't wait for the other end to read.
impl Write for &NamedPipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.state.write(iter::once(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.state.write(bufs.iter().map(|buf| &**buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for NamedPipe {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check_unassociated(registry.id())?;
        self.state.register(registry.selector(), token, interests)?;
        self.association.associate(registry.id());
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check(registry.id())?;
        self.state.reregister(registry.selector(), token, interests);
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.association.check(registry.id())?;
        self.state.deregister();
        self.association = Association::default();
        Ok(())
    }
}

impl AsRawHandle for NamedPipe {
    fn as_raw_handle(&self) -> RawHandle {
        self.state.raw()
    }
}

/// A handle of a pipe, or of a serial port, that is opened for overlapped operations (`FILE_FLAG_OVERLAPPED`) and not
/// tied to a completion port yet: any other can't be registered.
///
/// Beyond what the trait asks, the caller promises that all operations end in the port: the handle does not skip it on
/// success (`FILE_SKIP_COMPLETION_PORT_ON_SUCCESS`), and through no duplicate of it operations are started that end
/// there as well.
impl FromRawHandle for NamedPipe {
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        // SAFETY: the caller promises what is written above.
        NamedPipe { association: Association::default(), state: unsafe { PipeSource::from_raw(handle) } }
    }
}

impl fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedPipe").field("handle", &self.as_raw_handle()).finish_non_exhaustive()
    }
}
