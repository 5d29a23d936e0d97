//! Signals: the events of the console, and the source that receives them.
//!
//! The system calls a handler of console events in a thread of its own, so the handler may take locks. It stores the
//! signal in each [`Receiver`] that wants it, and sets the receiver's flag.
//!
//! While the system calls handlers, it may hold the lock that `SetConsoleCtrlHandler` takes. So a thread that calls
//! this function may hold only a lock that the handler never takes. That lock is [`INSTALLED_FOR`]. A thread that holds
//! one of the following locks takes only locks below it:
//!
//! 1. `INSTALLED_FOR`.
//! 2. [`RECEIVERS`]. The handler releases it before it signals the receivers.
//! 3. `Receiver::state`.
//! 4. The locks of the queue. `WaitSource::set` takes that of the waitable and that of the update queue. If another
//!    thread drops the `Poll` at the same time, `set` also drops the `SelectorState`, which takes the locks of its
//!    sources.

use std::io;
use std::os::raw::c_int;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::ffi::{self, BOOL, DWORD};
use crate::association::Association;
use crate::event::{Source, Token};
use crate::queue::WaitSource;
// This module and `crate::signal` import each other: `Signals` is built on `SignalSource`, which receives `Signal`s.
use crate::signal::Signal;
use crate::sync::lock;
use crate::{Interest, Registry};

// The numbers are those of Unix.
pub(crate) const INTERRUPT: c_int = 2;
pub(crate) const TERMINATE: c_int = 15;
/// Never received.
pub(crate) const HANGUP: c_int = 1;
pub(crate) const QUIT: c_int = 3;

/// Windows has no other signals.
pub(crate) const OTHER_NAMES: &[(Signal, &str)] = &[];

/// A source that receives signals.
pub(crate) struct SignalSource {
    association: Association,
    receiver: Arc<Receiver>,
    signals: Vec<Signal>,
}

struct Receiver {
    /// The bits of the signals to receive.
    wanted: u32,
    state: Mutex<ReceiverState>,
}

struct ReceiverState {
    /// The bits of the signals that were received and not yet returned.
    pending: u32,
    /// A flag that is set as long as a signal is pending.
    flag: WaitSource,
}

const fn bit(number: c_int) -> u32 {
    1 << number
}

// Open and close.

impl SignalSource {
    pub fn new(signals: &[Signal]) -> io::Result<SignalSource> {
        let wanted = signals.iter().fold(0, |bits, signal| bits | bit(signal.0));
        let state = ReceiverState { pending: 0, flag: WaitSource::flag() };
        let receiver = Arc::new(Receiver { wanted, state: Mutex::new(state) });
        add(&receiver)?;
        Ok(SignalSource { association: Association::default(), receiver, signals: signals.to_vec() })
    }

    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    pub fn receive(&self) -> Option<Signal> {
        let mut state = lock(&self.receiver.state);
        if state.pending == 0 {
            return None;
        }
        let number = state.pending.trailing_zeros() as c_int;
        state.pending &= !bit(number);
        let is_pending = state.pending != 0;
        state.flag.set(is_pending);
        Some(Signal(number))
    }
}

impl Drop for SignalSource {
    fn drop(&mut self) {
        remove(&self.receiver);
        // The handler may still have a reference to the receiver. End the registration here, so that `poll` reports no
        // event of this source after the drop.
        lock(&self.receiver.state).flag.deregister();
    }
}

impl Receiver {
    /// Stores a signal. A signal whose number is not pending yet is an edge.
    fn signalled(&self, number: c_int) {
        let mut state = lock(&self.state);
        if state.pending & bit(number) == 0 {
            state.pending |= bit(number);
            state.flag.set(true);
        }
    }
}

// The handler.

/// The existing receivers. The handler keeps a reference to the list while it signals them, and so allocates nothing.
static RECEIVERS: Mutex<ReceiverList> = Mutex::new(None);
type ReceiverList = Option<Arc<Vec<Arc<Receiver>>>>;
/// Notified when a receiver was removed.
static REMOVED: Condvar = Condvar::new();
/// The number of receivers for which the handler is installed. Locked during `SetConsoleCtrlHandler`.
static INSTALLED_FOR: Mutex<usize> = Mutex::new(0);

fn add(receiver: &Arc<Receiver>) -> io::Result<()> {
    let mut installed_for = lock(&INSTALLED_FOR);
    if *installed_for == 0 {
        // SAFETY: the handler may be called at any time, from any thread.
        if unsafe { ffi::SetConsoleCtrlHandler(Some(handler), 1) } == 0 {
            return Err(io::Error::last_os_error());
        }
    }
    *installed_for += 1;
    Arc::make_mut(lock(&RECEIVERS).get_or_insert_with(Arc::default)).push(Arc::clone(receiver));
    Ok(())
}

fn remove(receiver: &Arc<Receiver>) {
    // The handler may wait for this. It must return before `SetConsoleCtrlHandler` is called.
    Arc::make_mut(lock(&RECEIVERS).get_or_insert_with(Arc::default)).retain(|other| !Arc::ptr_eq(other, receiver));
    REMOVED.notify_all();
    let mut installed_for = lock(&INSTALLED_FOR);
    *installed_for -= 1;
    if *installed_for == 0 {
        // If this fails, the handler stays installed and handles no event.
        // SAFETY: as in `add`.
        unsafe { ffi::SetConsoleCtrlHandler(Some(handler), 0) };
    }
}

/// Returns the receivers that want a signal.
fn wanting(list: &ReceiverList, number: c_int) -> impl Iterator<Item = &Arc<Receiver>> {
    list.iter().flat_map(|list| list.iter()).filter(move |receiver| receiver.wanted & bit(number) != 0)
}

/// Handles an event of the console. Returns whether a receiver wants the event. Otherwise the system calls the handler
/// that was installed before.
pub(super) fn handle(event: DWORD) -> bool {
    let number = match event {
        ffi::CTRL_C_EVENT => INTERRUPT,
        ffi::CTRL_BREAK_EVENT => QUIT,
        ffi::CTRL_CLOSE_EVENT | ffi::CTRL_SHUTDOWN_EVENT => TERMINATE,
        // Only a service receives the log-off of a user, and the default handler of a service ignores it.
        _ => return false,
    };
    let receivers = lock(&RECEIVERS).clone();
    if wanting(&receivers, number).next().is_none() {
        return false;
    }
    wanting(&receivers, number).for_each(|receiver| receiver.signalled(number));
    // A receiver that the program has dropped in between is freed here, while this thread holds no lock.
    drop(receivers);
    // The system ends the process when this returns. Until then, the program can receive the signal and end itself.
    let mut receivers = lock(&RECEIVERS);
    while number == TERMINATE && wanting(&receivers, number).next().is_some() {
        receivers = REMOVED.wait(receivers).unwrap_or_else(PoisonError::into_inner);
    }
    true
}

unsafe extern "system" fn handler(event: DWORD) -> BOOL {
    handle(event).into()
}

// Register, reregister, deregister.

impl Source for SignalSource {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check_unassociated(registry.id())?;
        lock(&self.receiver.state).flag.register(registry.selector(), token, interests)?;
        self.association.associate(registry.id());
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.association.check(registry.id())?;
        lock(&self.receiver.state).flag.reregister(registry.selector(), token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.association.check(registry.id())?;
        lock(&self.receiver.state).flag.deregister();
        self.association = Association::default();
        Ok(())
    }
}
