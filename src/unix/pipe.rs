//! Pipes: bytes written to a [`Sender`] are read from its [`Receiver`], in another thread or in another process.
//!
//! [`new`] opens a pipe whose ends are non-blocking: an operation that would block fails with [`WouldBlock`]. [`From`]
//! converts the pipes of a child process to a [`Sender`] or a [`Receiver`].
//!
//! Register a sender for `WRITABLE` and a receiver for `READABLE`. When the last duplicate of the other end is closed,
//! in whichever process, [`is_write_closed`](Event::is_write_closed) is true for the sender's event, and
//! [`is_read_closed`](Event::is_read_closed) for the receiver's event. In edge mode, read or write until `WouldBlock`:
//! otherwise the next event may not arrive.
//!
//! | | Linux, Android | macOS and other Apple systems, BSDs |
//! |---|---|---|
//! | `new` calls | [`pipe2`] | `pipe2`; on Apple systems `pipe` and six `fcntl` |
//! | writable means | room for at least 4096 bytes | room for at least 512 bytes |
//! | a write of at most that size | writes all bytes or none | writes all bytes or none |
//! | interest in the wrong direction | reports only that the other end was closed | depends on the system |
//! | the other end was closed before `register` | reported | reported, except for a sender on the BSDs (OpenBSD: not known) and macOS before 10.15: there, the next write fails |
//! | the receiver of a full pipe is closed | reported | reported, except on NetBSD: there, the next write fails |
//! | in edge mode, the program reads a part of the data | no event | on NetBSD, one more event |
//!
//! On Apple systems, a program that another thread starts during `new` may inherit the pipe.
//!
//! # SIGPIPE
//!
//! A write to a pipe whose receiver is closed raises the signal [`SIGPIPE`], which ends the process unless the signal
//! is ignored or caught. If the signal is ignored or caught, the write fails with [`BrokenPipe`]. The runtime of a Rust
//! program ignores SIGPIPE, so most programs need to do nothing. If `main` is written in another language, or if the
//! program has restored the default action of the signal, the program must ignore SIGPIPE itself: unlike for sockets,
//! no flag keeps a write to a pipe from raising it. The same holds for mio's pipes.
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
//!     // `read_to_end` fails with `WouldBlock` until the sender is closed, and keeps the bytes that it has read.
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
//! // Pipes of the standard library are blocking.
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
use std::os::unix::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use super::descriptor::{open_pipe, set_nonblocking};
use super::impl_fd_traits;
#[cfg(doc)]
use crate::event::Event;
use crate::event::Token;
use crate::io_source::IoSource;
use crate::net::{forward_source, read_by_reference, write_by_reference};
use crate::{Interest, Registry};

/// Opens a pipe whose ends are non-blocking and close-on-exec.
///
/// # Errors
///
/// The system's error, above all when the process or the machine has no descriptors left.
#[doc(alias("pipe2"))]
pub fn new() -> io::Result<(Sender, Receiver)> {
    let [receiver, sender] = open_pipe()?;
    Ok((Sender::from(sender), Receiver::from(receiver)))
}

/// The write end of a pipe. The page of [the module](self) explains its events and SIGPIPE.
#[derive(Debug)]
pub struct Sender {
    inner: IoSource<File>,
}

/// The read end of a pipe. The page of [the module](self) explains its events.
#[derive(Debug)]
pub struct Receiver {
    inner: IoSource<File>,
}

macro_rules! impl_pipe_end {
    ($end:ident) => {
        impl $end {
            fn from_std(file: File) -> $end {
                $end { inner: IoSource::new(file) }
            }

            /// Sets whether an operation that would block fails with `WouldBlock` or blocks.
            ///
            /// This affects all duplicates of this end, including those in other processes, but not the other end.
            ///
            /// # Errors
            ///
            /// The system's error.
            #[doc(alias("fcntl", "O_NONBLOCK", "FIONBIO"))]
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                set_nonblocking(self.as_raw_fd(), nonblocking)
            }

            /// Runs the program's own I/O operation on this end's descriptor. The kernel sees every operation, so edges
            /// arrive without this method too.
            ///
            /// # Errors
            ///
            /// The error of `f`.
            ///
            /// # Examples
            ///
            /// ```
            /// # fn main() -> std::io::Result<()> {
            /// let (sender, _receiver) = minimio::unix::pipe::new()?;
            /// let result = sender.try_io(|| {
            ///     // For example, a `splice` or `vmsplice`.
            ///     Ok(42)
            /// })?;
            /// assert_eq!(result, 42);
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

        forward_source!($end, File);
        impl_fd_traits!($end, File);
    };
}

impl_pipe_end!(Sender);
impl_pipe_end!(Receiver);

/// Converts the standard input of a child process. It is blocking: call [`set_nonblocking`](Sender::set_nonblocking).
impl From<ChildStdin> for Sender {
    fn from(stdin: ChildStdin) -> Sender {
        Sender::from(OwnedFd::from(stdin))
    }
}

/// Converts the standard output of a child process. It is blocking: call
/// [`set_nonblocking`](Receiver::set_nonblocking).
impl From<ChildStdout> for Receiver {
    fn from(stdout: ChildStdout) -> Receiver {
        Receiver::from(OwnedFd::from(stdout))
    }
}

/// Converts the standard error of a child process. It is blocking: call [`set_nonblocking`](Receiver::set_nonblocking).
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
        if bufs.is_empty() {
            // NetBSD and macOS return an error in this case.
            return Ok(0);
        }
        self.inner.get().write_vectored(bufs)
    }

    /// Does nothing: the system already has all written bytes.
    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for &Receiver {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.get().read(buf)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if bufs.is_empty() {
            // NetBSD and macOS return an error in this case.
            return Ok(0);
        }
        self.inner.get().read_vectored(bufs)
    }
}

write_by_reference!(Sender);
read_by_reference!(Receiver);
