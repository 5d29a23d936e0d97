//! `Signals`: a source that receives signals, such as Ctrl-C.

use std::fmt;
use std::io;
use std::os::raw::c_int;

use crate::event::{Source, Token};
use crate::handle::signal;
use crate::interest::Interest;
use crate::Registry;

/// A signal that a process can receive.
///
/// | | Linux, Android, macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|
/// | [`INTERRUPT`](Signal::INTERRUPT) | `SIGINT`: the user presses Ctrl-C | `CTRL_C_EVENT`: the user presses Ctrl-C |
/// | [`TERMINATE`](Signal::TERMINATE) | `SIGTERM`: a program requests the end of the process | the console closes, or the system shuts down |
/// | [`QUIT`](Signal::QUIT) | `SIGQUIT`: the user presses Ctrl-\\ | `CTRL_BREAK_EVENT`: the user presses Ctrl-Break |
/// | [`HANGUP`](Signal::HANGUP) | `SIGHUP`: the terminal has closed | never received |
/// | other signals | constants such as `USER1`, and any number with `from_raw` | none |
///
/// # Examples
///
/// ```
/// use minimio::signal::Signal;
///
/// assert_ne!(Signal::INTERRUPT, Signal::TERMINATE);
/// assert_eq!(format!("{:?}", Signal::INTERRUPT), "INTERRUPT");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub(crate) c_int);

impl Signal {
    /// The user presses Ctrl-C.
    #[doc(alias("SIGINT", "CTRL_C_EVENT"))]
    pub const INTERRUPT: Signal = Signal(signal::INTERRUPT);

    /// A program or the system requests the end of the process.
    #[doc(alias("SIGTERM", "CTRL_CLOSE_EVENT", "CTRL_SHUTDOWN_EVENT"))]
    pub const TERMINATE: Signal = Signal(signal::TERMINATE);

    /// The terminal has closed. Many daemons read their configuration again when they receive this signal. Windows
    /// never sends it.
    #[doc(alias = "SIGHUP")]
    pub const HANGUP: Signal = Signal(signal::HANGUP);

    /// The user presses Ctrl-\\ (Unix) or Ctrl-Break (Windows).
    #[doc(alias("SIGQUIT", "CTRL_BREAK_EVENT"))]
    pub const QUIT: Signal = Signal(signal::QUIT);
}

/// Formats the name of the constant, or the number of a signal that has none.
impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let everywhere = [
            (Signal::INTERRUPT, "INTERRUPT"),
            (Signal::TERMINATE, "TERMINATE"),
            (Signal::HANGUP, "HANGUP"),
            (Signal::QUIT, "QUIT"),
        ];
        match everywhere.iter().chain(signal::OTHER_NAMES).find(|(signal, _)| signal == self) {
            Some((_, name)) => f.write_str(name),
            None => f.debug_tuple("Signal").field(&self.0).finish(),
        }
    }
}

/// A source that is readable when the process has received one of its signals.
///
/// [`new`](Signals::new) replaces the action of its signals: Ctrl-C, for example, no longer ends the process. The event
/// of this source is readable; the program then calls [`receive`](Signals::receive) until it returns `None`.
///
/// - No signal is lost that arrives after `new` has returned, whether or not the source is registered at that time.
/// - Signals of the same number that arrive before `receive` returns that number are one.
/// - If several `Signals` contain the same signal, each receives it. They can be registered with different polls.
/// - The source is registered like any other: once, with one `Poll`, for `READABLE`, in any mode. It ignores other
///   readiness. In edge mode, call `receive` until it returns `None`.
/// - A signal often makes a blocked `poll` return `Interrupted`: poll again.
/// - Any thread may call `receive`. Each signal is returned to one of the threads.
///
/// # What this replaces
///
/// | | Linux, Android, macOS and other Apple systems, BSDs | Windows |
/// |---|---|---|
/// | `new` installs | a handler for each number ([`sigaction`]) | a handler of the console for the process ([`SetConsoleCtrlHandler`]) |
/// | the default action | does not happen | does not happen, except as described below |
/// | a handler that was installed before | is called too, after this crate's | is called only for events that no `Signals` contains |
/// | dropping the last `Signals` of a number | restores the action that the first `new` found | removes the handler when no `Signals` is left |
/// | system calls of the program | continue after the handler (`SA_RESTART`), but a blocked `poll` fails with `Interrupted` | are not interrupted |
/// | descriptors or handles of a `Signals` | 2 (a pipe) | none, but a `Poll` that was dropped first leaves its port open until the next `register` or the drop |
///
/// On Unix, the handler stores the signal's number and writes a byte to the pipe. The handler allocates nothing, takes
/// no lock, and keeps `errno`. A handler that was installed before with `SA_RESETHAND` is called for each signal, not
/// only for the first. A `Signals` receives nothing while all threads of the program block the signal
/// (`pthread_sigmask`). The system delivers the signal when a thread unblocks it.
///
/// `new` also replaces `SIG_IGN`: under `nohup`, leave out [`HANGUP`](Signal::HANGUP). Programs that the process starts
/// then get the default action.
///
/// If other code installs its own handler after `new`, that handler must call the one that it has replaced. If it does
/// not, no `Signals` receives the signal while that handler is installed, not even a `Signals` that is created later.
/// When the last `Signals` is dropped while such a handler is installed, this crate does not change the action.
///
/// If a handler of another signal interrupts this crate's handler and leaves with `longjmp`, later calls of `new` and
/// drops for the interrupted number block.
///
/// On Windows, the system calls the handler in a thread of its own, and ends the process when the handler for a closed
/// console or a shutdown returns. So this crate's handler returns only when no `Signals` with
/// [`TERMINATE`](Signal::TERMINATE) is left: the program receives the signal, completes its work, and exits. To
/// complete work after the loop, keep the `Signals` until the process exits: when the last one is dropped, the system
/// ends the process at once. After a time limit, five seconds in most cases, the system ends the process in any case.
/// A process that was started in a new process group (`CREATE_NEW_PROCESS_GROUP`) receives no
/// [`INTERRUPT`](Signal::INTERRUPT), unless it enables Ctrl-C again.
///
/// # Fork
///
/// A child of `fork` has the handler until it executes another program. In the child, the parent's `Signals` return
/// nothing, and the signal's default action does not happen: `SIGTERM` does not end a child that creates no `Signals`.
/// A signal of the child is not reported to the parent.
///
/// # Examples
///
/// ```
/// use minimio::signal::{Signal, Signals};
/// use minimio::{Events, Interest, Poll, Token};
/// use std::io::ErrorKind;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut signals = Signals::new(&[Signal::INTERRUPT, Signal::TERMINATE])?;
/// poll.registry().register(&mut signals, Token(0), Interest::READABLE)?;
///
/// loop {
///     // A server would pass `None`, and run until the user presses Ctrl-C.
///     match poll.poll(&mut events, Some(Duration::from_millis(1))) {
///         Err(err) if err.kind() == ErrorKind::Interrupted => continue,
///         result => result?,
///     }
///     for _ in &events {
///         while let Some(signal) = signals.receive() {
///             println!("{signal:?}: the server ends after the requests in flight");
///         }
///     }
///     # break;
/// }
/// # Ok(())
/// # }
/// ```
///
/// [`sigaction`]: https://man7.org/linux/man-pages/man2/sigaction.2.html
/// [`SetConsoleCtrlHandler`]: https://learn.microsoft.com/windows/console/setconsolectrlhandler
#[doc(alias("sigaction", "signalfd", "SetConsoleCtrlHandler"))]
pub struct Signals {
    source: signal::SignalSource,
}

impl Signals {
    /// Replaces the action of these signals, and creates a source that receives them.
    ///
    /// Call this at the start of the program, before it does work that an early signal would interrupt.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the system does not have a signal of this number, or the signal cannot be caught (`SIGKILL`,
    ///   `SIGSTOP`), or the signal reports an error of an instruction (`SIGSEGV`, `SIGBUS`, `SIGILL`, `SIGFPE`,
    ///   `SIGSYS`): the thread cannot continue after it.
    /// - Otherwise the system's error, above all when the process has no descriptors left.
    ///
    /// After an error, no action is replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::signal::{Signal, Signals};
    ///
    /// let signals = Signals::new(&[Signal::INTERRUPT, Signal::TERMINATE])?;
    /// assert_eq!(signals.receive(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(signals: &[Signal]) -> io::Result<Signals> {
        Ok(Signals { source: signal::SignalSource::new(signals)? })
    }

    /// Returns a signal that the process has received, or `None` if it has received none since the last call.
    ///
    /// If several signals are pending, the order in which they are returned is not specified. This never blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// use minimio::signal::{Signal, Signals};
    ///
    /// let signals = Signals::new(&[Signal::QUIT])?;
    /// while let Some(signal) = signals.receive() {
    ///     assert_eq!(signal, Signal::QUIT);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn receive(&self) -> Option<Signal> {
        self.source.receive()
    }
}

impl Source for Signals {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source.register(registry, token, interests.only_readable("signals")?)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source.reregister(registry, token, interests.only_readable("signals")?)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source.deregister(registry)
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signals").field(&self.source.signals()).finish()
    }
}
