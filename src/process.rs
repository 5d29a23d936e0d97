//! `ChildExit`: a source that is readable once a child process has exited.

use std::fmt;
use std::io;
use std::process::Child;

use crate::event::{Source, Token};
use crate::handle::process;
use crate::interest::Interest;
use crate::Registry;

/// A source that is readable once a child process has exited.
///
/// This only reports the exit. The exit status stays with the [`Child`]: the program calls [`Child::wait`] or
/// [`Child::try_wait`] when the source is reported.
///
/// - A child that has exited before [`new`](ChildExit::new) or before `register` is reported too.
/// - The source is registered like any other: once, with one `Poll`, for `READABLE`, in any mode. It ignores other
///   readiness. In edge and oneshot mode, the exit is reported once, and again only after `reregister`. In level mode,
///   every `poll` reports it, even after the program has called `wait`: deregister or drop the source then.
/// - The event is readable. Other predicates of the event have no meaning.
/// - A child that is stopped or continued is not reported.
/// - Dropping the source does not end the child. The source and the `Child` can be dropped in either order.
///
/// | | Linux | Android, and Linux without `pidfd_open` | macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|---|---|
/// | mechanism | a process descriptor ([`pidfd_open`], since Linux 5.3) | a handler of `SIGCHLD`, and a pipe | a kqueue with [`EVFILT_PROC`], which the poll watches | a wait on the process handle ([`RegisterWaitForSingleObject`]) |
/// | descriptors or handles of a `ChildExit` | 1 | 2 | 1 | 1; a `Poll` that was dropped first leaves its port open until the next `register` or the drop |
/// | what it replaces in the process | nothing | the action of `SIGCHLD`, as [`Signals`](crate::signal::Signals) does | nothing | nothing |
///
/// On Linux, this crate uses the handler of `SIGCHLD` if the kernel does not have `pidfd_open`, or a sandbox forbids
/// it. Android kills an app that makes a system call which Android's filter does not allow, so this crate does not try
/// `pidfd_open` there. With the handler, each `SIGCHLD` makes one call of `waitid` for each `ChildExit`. No exit is
/// reported while all threads block `SIGCHLD`. If the program ignored `SIGCHLD` (`SIG_IGN`), the system no
/// longer removes exited children: the program must call `wait`.
///
/// On macOS and the BSDs, the kernel reports the exit an instant before the status is available. In this instant,
/// `try_wait` returns `Ok(None)`, and [`Child::wait`] waits until the instant has passed. So `wait` is the portable
/// call after an event.
///
/// # Examples
///
/// ```
/// use minimio::process::ChildExit;
/// use minimio::{Events, Interest, Poll, Token};
/// use std::io::ErrorKind;
/// use std::process::{Command, Stdio};
///
/// # fn main() -> std::io::Result<()> {
/// let mut child = Command::new("whoami").stdout(Stdio::null()).spawn()?;
/// let mut exit = ChildExit::new(&child)?;
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// poll.registry().register(&mut exit, Token(0), Interest::READABLE)?;
/// loop {
///     match poll.poll(&mut events, None) {
///         Err(err) if err.kind() == ErrorKind::Interrupted => continue,
///         result => break result?,
///     }
/// }
/// assert_eq!(events.iter().next().map(|event| event.token()), Some(Token(0)));
/// println!("the child has exited: {}", child.wait()?);
/// # Ok(())
/// # }
/// ```
///
/// [`pidfd_open`]: https://man7.org/linux/man-pages/man2/pidfd_open.2.html
/// [`EVFILT_PROC`]: https://man.freebsd.org/cgi/man.cgi?query=kevent
/// [`RegisterWaitForSingleObject`]: https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-registerwaitforsingleobject
#[doc(alias("pidfd_open", "SIGCHLD", "EVFILT_PROC", "NOTE_EXIT", "waitpid"))]
pub struct ChildExit {
    source: process::ChildSource,
}

impl ChildExit {
    /// Creates a source that reports the exit of this child.
    ///
    /// Create the source before `wait` or `try_wait` returns the exit status. On Unix, the system can give the number
    /// of a child that was waited for to a new process, which this source would then watch.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: on Linux, the program has waited for the child, and the system has given its number to a
    ///   thread (`EINVAL` of `pidfd_open`).
    /// - `PermissionDenied`: on OpenBSD and NetBSD, the child has another real user, or executes a set-user-ID program
    ///   (`EACCES` of `kevent`).
    /// - Otherwise the system's error, above all when the process has no descriptors or handles left.
    ///
    /// On FreeBSD, if the sysctl `security.bsd.see_other_uids` is 0, the system does not show the children of another
    /// real user: such a child is reported at once, before it exits.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::process::ChildExit;
    /// use std::process::{Command, Stdio};
    ///
    /// let mut child = Command::new("whoami").stdout(Stdio::null()).spawn()?;
    /// let _exit = ChildExit::new(&child)?;
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(child: &Child) -> io::Result<ChildExit> {
        Ok(ChildExit { source: process::ChildSource::new(child)? })
    }
}

impl Source for ChildExit {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source.register(registry, token, interests.only_readable("the exit of a child")?)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source.reregister(registry, token, interests.only_readable("the exit of a child")?)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source.deregister(registry)
    }
}

impl fmt::Debug for ChildExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildExit").field("process", &self.source.id()).finish_non_exhaustive()
    }
}
