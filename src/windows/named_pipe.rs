//! `NamedPipe`: the public type of the pipes in `iocp/pipe.rs`.

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
use crate::net::{read_by_reference, write_by_reference};
use crate::queue::PipeSource;
use crate::{Interest, Registry};

/// A non-blocking end of a named pipe, server or client. Windows only.
///
/// [`new`](NamedPipe::new) creates a server end, and [`connect`](NamedPipe::connect) starts to wait for a client. A
/// client end is a file that is opened with [`FILE_FLAG_OVERLAPPED`] and converted with
/// [`from_raw_handle`](#impl-FromRawHandle-for-NamedPipe). The same conversion takes server ends of other kinds: a
/// second instance, a message-type pipe, a write-only pipe. `Read` and `Write` are implemented for `NamedPipe` and for
/// `&NamedPipe`, so any thread may read and write.
///
/// # Buffers
///
/// Windows does not report the readiness of a pipe; it completes operations. A `NamedPipe` therefore has a buffer for
/// each direction. While it is registered, it reads ahead: [`read`](Read::read) returns bytes that were read ahead, and
/// when the buffer is empty, the pipe starts the next read, of the size of the largest buffer that the program has
/// passed to `read` (at least 4 KiB, at most 64 KiB; for a serial port always 4 KiB). [`write`](Write::write) copies
/// all bytes, whatever their number, and starts to write them. The pipe is writable again when that write has
/// completed.
///
/// | situation | result |
/// |---|---|
/// | no data has arrived, or no client is connected | `read` fails with `WouldBlock` |
/// | no client is connected | `write` fails with the system's error ([`ERROR_PIPE_LISTENING`] or a similar one) |
/// | an earlier write is pending | `write` fails with `WouldBlock` |
/// | an earlier write has failed while it was pending | the next `write` returns its error and writes nothing |
/// | the other end was closed | `read` returns the rest of its data, then `Ok(0)`; `write` fails with `BrokenPipe` |
/// | the server has called [`disconnect`](NamedPipe::disconnect) | the client's reads and writes fail |
/// | not registered, or the `Poll` and its registries were dropped | data and errors that arrived before are returned, then `NotFound` |
/// | a message is longer than the buffer | several reads return its parts |
/// | an empty message | `read` returns `Ok(0)`, which at a server end looks like the end of the data |
///
/// # Events
///
/// In edge mode, `poll` reports a readable pipe once for each read ahead that has completed, and again after a `read`
/// that leaves bytes in the buffer. A program that reads once per event therefore receives all data. `poll` reports a
/// writable pipe when a write has completed. Level and oneshot mode work as for all sources. The symbols of this table
/// are those of the [table for all sources](crate::Event#what-an-event-means).
///
/// | | readable | writable | read closed | write closed | error |
/// |---|---|---|---|---|---|
/// | a read has completed, with bytes or an error | ■ | ? | · | · | · |
/// | a write has completed or failed | ? | ■ | · | · | · |
/// | a client has connected, or `connect` has failed | · | ■ | · | · | · |
/// | a server end whose client has closed | ■ | ? | · | · | · |
/// | a client end, open for reading, whose server has closed or disconnected it | ■ | ■ | ■ | ■ | · |
///
/// An event never reports a server end as closed, because the next client may connect at any time. At a server end,
/// `Ok(0)` from `read` means the end of the client's data.
///
/// # Registration
///
/// A handle stays associated with one completion port for its whole life. A pipe that was registered with one `Poll`
/// can therefore not be registered with another one, even after the first was dropped: that fails with `AlreadyExists`.
/// After `deregister`, the pipe can be registered with the same `Poll` again. Registration fails with
/// `ERROR_INVALID_PARAMETER` (87, `InvalidInput`) if the handle was not opened for overlapped operations, or is
/// associated with another completion port.
///
/// # Dropping
///
/// | pending operation | when the pipe is dropped | when the `Poll` and its registries are dropped |
/// |---|---|---|
/// | a connect, a read | cancelled | cancelled |
/// | a write | continues while the `Poll` exists; the `poll` that dequeues its completion closes the handle | cancelled |
///
/// The memory of a pending operation lives until the kernel has completed the operation, whichever is dropped first.
///
/// # Differences from mio
///
/// mio ignores interests and modes, does not report unread bytes again, has no read closed and write closed, and closes
/// the handle of a dropped pipe only during a later `poll`.
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
/// let mut received = Vec::new();
/// while received.len() < 5 {
///     poll.poll(&mut events, None)?;
///     if events.iter().any(|event| event.is_readable()) {
///         let mut buf = [0; 64];
///         let count = server.read(&mut buf)?;
///         received.extend_from_slice(&buf[..count]);
///     }
/// }
/// assert_eq!(received, b"hello");
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

/// How many bytes the kernel buffers in each direction of a pipe.
const BUFFER_SIZE: ffi::DWORD = 64 << 10;

impl NamedPipe {
    /// Creates the server end of a byte-type pipe, in both directions, for clients on this machine and others. Child
    /// processes do not inherit it. The name begins with `\\.\pipe\`.
    ///
    /// This is the first instance of the pipe; more instances may follow. [`CreateNamedPipe`] documents the other kinds
    /// of pipes.
    ///
    /// # Errors
    ///
    /// - `PermissionDenied`: a pipe of that name exists already.
    /// - `InvalidInput`: the name contains a zero.
    /// - Otherwise the system's error, above all if the name is not that of a pipe.
    ///
    /// [`CreateNamedPipe`]: https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew
    #[doc(alias = "CreateNamedPipe")]
    pub fn new<A: AsRef<OsStr>>(addr: A) -> io::Result<NamedPipe> {
        let name: Vec<u16> = addr.as_ref().encode_wide().chain(iter::once(0)).collect();
        if name.iter().position(|unit| *unit == 0) != Some(name.len() - 1) {
            let reason = "cannot create a pipe: its name contains a zero";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        // SAFETY: the name ends with a zero and outlives the call.
        let handle = unsafe {
            ffi::CreateNamedPipeW(
                name.as_ptr(),
                ffi::PIPE_ACCESS_DUPLEX | ffi::FILE_FLAG_FIRST_PIPE_INSTANCE | ffi::FILE_FLAG_OVERLAPPED,
                ffi::PIPE_TYPE_BYTE,
                ffi::PIPE_UNLIMITED_INSTANCES,
                BUFFER_SIZE,
                BUFFER_SIZE,
                0,
                ptr::null_mut(),
            )
        };
        if handle == ffi::INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `CreateNamedPipeW` has just returned the handle, which is overlapped, and no other code owns it yet.
        Ok(unsafe { NamedPipe::from_raw_handle(handle) })
    }

    /// Starts to wait for a client. Returns `Ok` if a client is connected already, otherwise `WouldBlock`, and an event
    /// reports the client later.
    ///
    /// That event is writable. [`take_error`](NamedPipe::take_error) then returns whether the connect has failed. A
    /// client that opened the pipe before this call counts as connected, even if it has closed the pipe again. After
    /// [`disconnect`](NamedPipe::disconnect), no client can open the pipe until this method is called. If `disconnect`
    /// cancelled a pending connect, the new connect starts only in the `poll` that dequeues the completion of the
    /// cancelled one, and no client can open the pipe before that.
    ///
    /// # Errors
    ///
    /// - `WouldBlock`: no client is connected yet.
    /// - `NotFound`: the pipe is not registered.
    /// - Otherwise the system's error, above all if this is not a server end. See [`ConnectNamedPipe`].
    ///
    /// [`ConnectNamedPipe`]: https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-connectnamedpipe
    #[doc(alias = "ConnectNamedPipe")]
    pub fn connect(&self) -> io::Result<()> {
        self.state.connect()
    }

    /// Returns the error with which a pending [`connect`](NamedPipe::connect) has failed, once. Reads and writes return
    /// their own errors.
    ///
    /// # Errors
    ///
    /// None. The signature is mio's.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.state.take_error())
    }

    /// Disconnects the client, or stops waiting for one, so that the next client can connect.
    ///
    /// No data of one client reaches the next: unread data of both directions is discarded, and pending operations are
    /// cancelled. From now on, the client's reads and writes fail.
    ///
    /// # Errors
    ///
    /// The system's error, if `connect` was not called since the last `disconnect`, or if this is not a server end. See
    /// [`DisconnectNamedPipe`].
    ///
    /// [`DisconnectNamedPipe`]: https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-disconnectnamedpipe
    #[doc(alias = "DisconnectNamedPipe")]
    pub fn disconnect(&self) -> io::Result<()> {
        self.state.disconnect()
    }
}

impl Read for &NamedPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // A read from a slice does not fail.
        self.state.read(buf.len(), |mut bytes| bytes.read(buf).unwrap_or(0))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).fold(0, usize::saturating_add);
        self.state.read(len, |mut bytes| bytes.read_vectored(bufs).unwrap_or(0))
    }
}

/// `flush` does nothing, because it must not block until the other end reads.
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

read_by_reference!(NamedPipe);
write_by_reference!(NamedPipe);

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

/// Takes a handle of a pipe or of a serial port. It must have been opened for overlapped operations
/// (`FILE_FLAG_OVERLAPPED`) and must not be associated with a completion port, otherwise it cannot be registered.
///
/// Beyond the trait's requirements, the caller promises that every operation queues a packet in the port, and that no
/// other packet arrives there: the handle has no `FILE_SKIP_COMPLETION_PORT_ON_SUCCESS`, and no code starts overlapped
/// operations on a duplicate of the handle.
impl FromRawHandle for NamedPipe {
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        // SAFETY: the caller promises the same, as documented above.
        NamedPipe { association: Association::default(), state: unsafe { PipeSource::from_raw(handle) } }
    }
}

impl fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedPipe").field("handle", &self.as_raw_handle()).finish_non_exhaustive()
    }
}
