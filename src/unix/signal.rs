//! Signals: their numbers, and the source that receives them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::raw::c_int;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use super::descriptor::open_pipe;
use super::ffi;
use super::signal_handler::{self, Receiver, MAX_NUMBER};
use crate::event::{Source, Token};
use crate::io_source::IoSource;
// This module and `crate::signal` import each other: `Signals` is built on `SignalSource`, which receives `Signal`s.
use crate::signal::Signal;
use crate::{Interest, Registry};

pub(crate) const INTERRUPT: c_int = ffi::SIGINT;
pub(crate) const TERMINATE: c_int = ffi::SIGTERM;
pub(crate) const HANGUP: c_int = ffi::SIGHUP;
pub(crate) const QUIT: c_int = ffi::SIGQUIT;

/// The signals that only Unix has.
impl Signal {
    /// A signal for the program's own use (`SIGUSR1`). Unix only.
    pub const USER1: Signal = Signal(ffi::SIGUSR1);

    /// A signal for the program's own use (`SIGUSR2`). Unix only.
    pub const USER2: Signal = Signal(ffi::SIGUSR2);

    /// A child process has exited, stopped or continued (`SIGCHLD`). Unix only.
    ///
    /// Exits that happen before [`receive`](crate::signal::Signals::receive) are one signal.
    /// [`ChildExit`](crate::process::ChildExit) reports each.
    pub const CHILD: Signal = Signal(ffi::SIGCHLD);

    /// The size of the terminal has changed (`SIGWINCH`). Unix only.
    pub const WINDOW_CHANGE: Signal = Signal(ffi::SIGWINCH);

    /// A write to a pipe or socket without a reader (`SIGPIPE`). Unix only. The runtime of a Rust program ignores this
    /// signal until a `Signals` contains it.
    pub const PIPE: Signal = Signal(ffi::SIGPIPE);

    /// A timer of the process has expired (`SIGALRM`). Unix only.
    pub const ALARM: Signal = Signal(ffi::SIGALRM);

    /// The process continues after a stop (`SIGCONT`). Unix only. The process continues whether or not the signal is
    /// received.
    pub const CONTINUE: Signal = Signal(ffi::SIGCONT);

    /// Creates a signal from its number. Unix only. [`Signals::new`](crate::signal::Signals::new) checks the number.
    ///
    /// ```
    /// use minimio::signal::Signal;
    ///
    /// assert_eq!(Signal::from_raw(2), Signal::INTERRUPT);
    /// assert_eq!(Signal::TERMINATE.as_raw(), 15);
    /// ```
    #[must_use]
    pub const fn from_raw(number: c_int) -> Signal {
        Signal(number)
    }

    /// Returns the number of the signal. Unix only.
    #[must_use]
    pub const fn as_raw(self) -> c_int {
        self.0
    }
}

/// The names of the signals that only Unix has, for `Debug`.
pub(crate) const OTHER_NAMES: &[(Signal, &str)] = &[
    (Signal::USER1, "USER1"),
    (Signal::USER2, "USER2"),
    (Signal::CHILD, "CHILD"),
    (Signal::WINDOW_CHANGE, "WINDOW_CHANGE"),
    (Signal::PIPE, "PIPE"),
    (Signal::ALARM, "ALARM"),
    (Signal::CONTINUE, "CONTINUE"),
];

/// A source that receives signals: the read end of a pipe, to which the handler writes.
pub(crate) struct SignalSource {
    pipe: IoSource<File>,
    pending: Arc<PendingSignals>,
    signals: Vec<Signal>,
    /// The process that created the source. A child of `fork` has a copy of `pending`, but shares the pipe.
    process: u32,
}

/// The signals that were received, as a set. The handler adds, and `receive` takes.
///
/// As long as a signal is pending, the pipe has a byte, or a thread is in `take` and will write one if it leaves a
/// signal. A byte without a pending signal can remain if a signal arrives during `take`.
struct PendingSignals {
    /// A bit for each number.
    words: [AtomicU32; WORDS],
    sender: File,
}

const WORDS: usize = MAX_NUMBER as usize / 32 + 1;

impl SignalSource {
    pub fn new(signals: &[Signal]) -> io::Result<SignalSource> {
        let [receiver, sender] = open_pipe()?;
        let pending = Arc::new(PendingSignals { words: Default::default(), sender: sender.into() });
        // If an addition fails, dropping the source removes the signals that were added before.
        let pipe = IoSource::new(receiver.into());
        let mut source = SignalSource { pipe, pending, signals: Vec::new(), process: process::id() };
        for signal in signals {
            // A receiver that is added twice could receive the signal twice.
            if source.signals.contains(signal) {
                continue;
            }
            let pending: Arc<PendingSignals> = Arc::clone(&source.pending);
            signal_handler::add(signal.0, pending)?;
            source.signals.push(*signal);
        }
        Ok(source)
    }

    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    pub fn receive(&self) -> Option<Signal> {
        // A child of `fork` would take the byte of a signal that is still pending in the parent. The parent's handler
        // would then write no byte for this number again.
        if process::id() != self.process {
            return None;
        }
        // The bytes are read before the signals are taken: a signal that arrives in between leaves its byte in the
        // pipe.
        let mut bytes = [0; 64];
        while matches!(self.pipe.get().read(&mut bytes), Ok(count) if count == bytes.len()) {}
        self.pending.take().map(Signal)
    }
}

impl PendingSignals {
    /// Takes the pending signal with the lowest number. If more are pending, makes the pipe readable again.
    fn take(&self) -> Option<c_int> {
        let mut taken = None;
        for (index, word) in self.words.iter().enumerate() {
            let mut bits = word.load(Ordering::SeqCst);
            while bits != 0 {
                if taken.is_some() {
                    self.make_readable();
                    return taken;
                }
                let bit = bits & bits.wrapping_neg();
                // Another thread may take the same signal; only one of the two finds the bit set.
                if word.fetch_and(!bit, Ordering::SeqCst) & bit != 0 {
                    taken = Some(index as c_int * 32 + bit.trailing_zeros() as c_int);
                }
                bits = word.load(Ordering::SeqCst);
            }
        }
        taken
    }

    fn make_readable(&self) {
        // The write fails only if the pipe is full, and then it is readable.
        let _full = (&self.sender).write(&[1]);
    }
}

impl Receiver for PendingSignals {
    fn signalled(&self, number: c_int) {
        let (index, bit) = (number as usize / 32, 1 << (number % 32));
        if let Some(word) = self.words.get(index) {
            // If the bit was set, its byte is in the pipe, or `take` has not taken the bit yet.
            if word.fetch_or(bit, Ordering::SeqCst) & bit == 0 {
                self.make_readable();
            }
        }
    }
}

impl Drop for SignalSource {
    fn drop(&mut self) {
        for signal in &self.signals {
            signal_handler::remove(signal.0, &self.pending);
        }
    }
}

impl Source for SignalSource {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.pipe.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.pipe.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.pipe.deregister(registry)
    }
}
