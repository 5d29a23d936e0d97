//! Named pipes, as sources.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::iter;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, RawHandle};
use std::ptr;

use super::ffi;
use crate::event::{Source, Token};
use crate::queue::PipeState;
use crate::source::Home;
use crate::{Interest, Registry};

/// placeholder
pub struct NamedPipe {
    home: Home,
    state: PipeState,
}

/// How much a pipe of ours holds in each direction before somebody has to wait.
const ROOM: ffi::DWORD = 64 << 10;

impl NamedPipe {
    /// placeholder
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

    /// placeholder
    #[doc(alias = "ConnectNamedPipe")]
    pub fn connect(&self) -> io::Result<()> {
        self.state.connect()
    }

    /// placeholder
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.state.take_error())
    }

    /// placeholder
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
        self.home.check_free(registry)?;
        self.state.register(registry.selector(), token, interests)?;
        self.home.set(registry);
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.home.check(registry)?;
        self.state.reregister(registry.selector(), token, interests);
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.home.check(registry)?;
        self.state.deregister();
        self.home = Home::default();
        Ok(())
    }
}

impl AsRawHandle for NamedPipe {
    fn as_raw_handle(&self) -> RawHandle {
        self.state.raw()
    }
}

impl FromRawHandle for NamedPipe {
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        // SAFETY: the caller's promises are those above.
        NamedPipe { home: Home::default(), state: unsafe { PipeState::from_raw(handle) } }
    }
}

impl fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedPipe").field("handle", &self.as_raw_handle()).finish_non_exhaustive()
    }
}
