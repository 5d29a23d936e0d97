//! Pipes: what goes in at a [`Sender`] comes out at a [`Receiver`], in another thread or in another process.
//!
//! [`new`] opens a pipe whose ends never block: what would block fails with [`WouldBlock`]. The pipes to and from a
//! child process become ends too, by [`From`].
//!
//! A sender is registered for `WRITABLE`, a receiver for `READABLE`. When the other end is gone (its last duplicate, in
//! any process), the sender's event is [`is_write_closed`](Event::is_write_closed), the receiver's
//! [`is_read_closed`](Event::is_read_closed). In edge mode, read or write until `WouldBlock`: an end that was not used
//! up need not be told of again.
//!
//! | | Linux, Android | macOS and its kin, BSDs |
//! |---|---|---|
//! | opened by | one call, [`pipe2`] | `pipe2`; on macOS and its kin `pipe` and six `fcntl`, and a program that another thread starts meanwhile may inherit it |
//! | writable is | room for at least 4096 bytes | room for at least 512 bytes |
//! | a write of no more than that | is taken whole, or not at all | the same |
//! | the wrong direction of an end | is never ready, but for the end of the pipe | is ready or not, as the system has it |
//! | the other end is gone at `register` | is reported | is reported; a sender's may not be, on macOS and some BSDs, where the next write tells |
//!
//! # SIGPIPE
//!
//! A write to a pipe that nobody can read any more raises the signal [`SIGPIPE`], which ends the process unless it is
//! ignored or caught; only then does the write fail with [`BrokenPipe`]. A Rust program ignores it from the start, so
//! there is nothing to do. A library in a program whose `main` is another language's, and whoever has restored the
//! signal's default, has to see to it that it is ignored: there is no flag that keeps a write to a pipe from raising
//! it, as there is for sockets. mio's pipes are the same in this.
//!
//! # Examples
//!
//! Within a process:
//!
//! ```
//! use minimio::unix::pipe;
//! use minimio::{Events, Interest, Poll, Token};
//! use std::io::{Read, Write};
//!
//! # fn main() -> std::io::Result<()> {
//! let mut poll = Poll::new()?;
//! let mut events = Events::with_capacity(8);
//! let (mut sender, mut receiver) = pipe::new()?;
//! poll.registry().register(&mut receiver, Token(0), Interest::READABLE)?;
//!
//! sender.write_all(b"hello")?;
//! drop(sender);
//! let (mut text, mut ended) = (Vec::new(), false);
//! while !ended {
//!     poll.poll(&mut events, None)?;
//!     // The end is no error, so this reads everything that there will be.
//!     ended = receiver.read_to_end(&mut text).is_ok();
//! }
//! assert_eq!(text, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! To and from a child:
//!
//! ```
//! use minimio::unix::pipe::{Receiver, Sender};
//! use minimio::{Events, Interest, Poll, Token};
//! use std::io::{Read, Write};
//! use std::process::{Command, Stdio};
//!
//! # fn main() -> std::io::Result<()> {
//! let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//! let mut to_cat = Sender::from(cat.stdin.take().unwrap());
//! let mut from_cat = Receiver::from(cat.stdout.take().unwrap());
//! // The standard library's pipes block until they are told not to.
//! to_cat.set_nonblocking(true)?;
//! from_cat.set_nonblocking(true)?;
//!
//! let mut poll = Poll::new()?;
//! let mut events = Events::with_capacity(8);
//! poll.registry().register(&mut from_cat, Token(0), Interest::READABLE)?;
//! to_cat.write_all(b"meow")?;
//! poll.poll(&mut events, None)?;
//! let mut buf = [0; 16];
//! assert_eq!(from_cat.read(&mut buf)?, 4);
//! drop(to_cat);
//! cat.wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! [`WouldBlock`]: io::ErrorKind::WouldBlock
//! [`BrokenPipe`]: io::ErrorKind::BrokenPipe
//! [`pipe2`]: https://man7.org/linux/man-pages/man2/pipe.2.html
//! [`SIGPIPE`]: https://man7.org/linux/man-pages/man7/pipe.7.html

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::raw::c_int;
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use super::ffi;
use super::socket::{check, close_on_exec};
#[cfg(doc)]
use crate::event::Event;
use crate::event::{Source, Token};
use crate::io_source::IoSource;
use crate::{Interest, Registry};

/// Opens a pipe. Neither end ever blocks, and no program that this one starts inherits them.
///
/// # Errors
///
/// The system's, above all when the process or the machine has no descriptors left.
#[doc(alias("pipe2"))]
pub fn new() -> io::Result<(Sender, Receiver)> {
    let [receiver, sender] = open()?;
    Ok((Sender::from(sender), Receiver::from(receiver)))
}

/// The end that is read stands first, as in C.
fn open() -> io::Result<[OwnedFd; 2]> {
    let mut fds: [c_int; 2] = [-1; 2];
    check(if ffi::HAS_PIPE2 {
        // SAFETY: `fds` has place for two descriptors and outlives the call.
        unsafe { ffi::pipe2(fds.as_mut_ptr(), ffi::O_CLOEXEC | ffi::O_NONBLOCK) }
    } else {
        // SAFETY: as above.
        unsafe { ffi::pipe(fds.as_mut_ptr()) }
    })?;
    // SAFETY: the call has just returned both, and nothing else knows them yet.
    let ends = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    if !ffi::HAS_PIPE2 {
        for end in &ends {
            close_on_exec(end)?;
            set_nonblocking(end.as_raw_fd(), true)?;
        }
    }
    Ok(ends)
}

fn set_nonblocking(fd: RawFd, nonblocking: bool) -> io::Result<()> {
    // SAFETY: `F_GETFL` takes nothing.
    let flags = check(unsafe { ffi::fcntl(fd, ffi::F_GETFL) })?;
    let flags = if nonblocking { flags | ffi::O_NONBLOCK } else { flags & !ffi::O_NONBLOCK };
    // SAFETY: `F_SETFL` takes an integer.
    check(unsafe { ffi::fcntl(fd, ffi::F_SETFL, flags) }).map(drop)
}

/// The end of a pipe that is written. See [the module](self) for what its events say, and for SIGPIPE.
#[derive(Debug)]
pub struct Sender {
    inner: IoSource<File>,
}

/// The end of a pipe that is read. See [the module](self) for what its events say.
#[derive(Debug)]
pub struct Receiver {
    inner: IoSource<File>,
}

/// What both ends are: a source, and a descriptor.
macro_rules! impl_pipe_end {
    ($end:ident) => {
        impl $end {
            /// Whether what would block fails with `WouldBlock`, or waits.
            ///
            /// It concerns the duplicates of this end too, in other processes as well; not the other end.
            ///
            /// # Errors
            ///
            /// The system's.
            #[doc(alias("fcntl", "O_NONBLOCK", "FIONBIO"))]
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                set_nonblocking(self.as_raw_fd(), nonblocking)
            }

            /// Runs an I/O operation of your own on this end's descriptor. The kernel sees it, so edges go on to come
            /// without this, too.
            ///
            /// # Errors
            ///
            /// Those of `f`.
            ///
            /// # Examples
            ///
            /// ```
            /// # fn main() -> std::io::Result<()> {
            /// let (sender, _receiver) = minimio::unix::pipe::new()?;
            /// let answer = sender.try_io(|| {
            ///     // A `splice` or `vmsplice`, say.
            ///     Ok(42)
            /// })?;
            /// assert_eq!(answer, 42);
            /// # Ok(())
            /// # }
            /// ```
            pub fn try_io<F, T>(&self, f: F) -> io::Result<T>
            where
                F: FnOnce() -> io::Result<T>,
            {
                f()
            }
        }

        impl Source for $end {
            #[inline]
            fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
                self.inner.register(registry, token, interests)
            }

            #[inline]
            fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
                self.inner.reregister(registry, token, interests)
            }

            #[inline]
            fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
                self.inner.deregister(registry)
            }
        }

        impl AsRawFd for $end {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                self.inner.get().as_raw_fd()
            }
        }

        impl AsFd for $end {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.inner.get().as_fd()
            }
        }

        /// It stays as it is, blocking or not. A registration ends without a call: deregister first, or the poll goes
        /// on to report it.
        impl IntoRawFd for $end {
            fn into_raw_fd(self) -> RawFd {
                self.inner.into_inner().into_raw_fd()
            }
        }

        /// It stays as it is, blocking or not. A registration ends without a call: deregister first, or the poll goes
        /// on to report it.
        impl From<$end> for OwnedFd {
            fn from(end: $end) -> OwnedFd {
                end.inner.into_inner().into()
            }
        }

        /// The descriptor is taken as it is: [`set_nonblocking`](Self::set_nonblocking) makes it one that never blocks.
        impl FromRawFd for $end {
            unsafe fn from_raw_fd(fd: RawFd) -> $end {
                // SAFETY: the caller promises that `fd` is open, and owned by nobody else.
                $end::from(unsafe { OwnedFd::from_raw_fd(fd) })
            }
        }

        /// The descriptor is taken as it is: [`set_nonblocking`](Self::set_nonblocking) makes it one that never blocks.
        impl From<OwnedFd> for $end {
            fn from(fd: OwnedFd) -> $end {
                $end { inner: IoSource::new(File::from(fd)) }
            }
        }
    };
}

impl_pipe_end!(Sender);
impl_pipe_end!(Receiver);

/// What a child process reads. It blocks until [`set_nonblocking`](Sender::set_nonblocking).
impl From<ChildStdin> for Sender {
    fn from(stdin: ChildStdin) -> Sender {
        Sender::from(OwnedFd::from(stdin))
    }
}

/// What a child process prints. It blocks until [`set_nonblocking`](Receiver::set_nonblocking).
impl From<ChildStdout> for Receiver {
    fn from(stdout: ChildStdout) -> Receiver {
        Receiver::from(OwnedFd::from(stdout))
    }
}

/// What a child process complains of. It blocks until [`set_nonblocking`](Receiver::set_nonblocking).
impl From<ChildStderr> for Receiver {
    fn from(stderr: ChildStderr) -> Receiver {
        Receiver::from(OwnedFd::from(stderr))
    }
}

impl Write for &Sender {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.get().write(buf)
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.inner.get().write_vectored(bufs)
    }

    /// Does nothing: what was written is the system's already.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Sender {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl Read for &Receiver {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.get().read(buf)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.inner.get().read_vectored(bufs)
    }
}

impl Read for Receiver {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}
