//! The signal handler of this crate, and the list of those that it notifies.
//!
//! One handler function serves all signals. For each number, a slot has a list: the receivers, and the action that was
//! installed before. The handler runs at any time, in any thread, even in one that is changing a list. So the handler
//! takes no lock: it counts itself as a reader of the slot, loads the pointer to the list, notifies the receivers, and
//! leaves. A list is never changed. To add or remove a receiver, a thread takes the lock of the table, replaces the
//! list, and waits until the slot has no reader before it frees the old list.
//!
//! - *No deadlock.* The handler waits for no other thread. If a signal interrupts the thread that changes a list, the
//!   handler runs to its end before that thread continues.
//! - *No list is freed too early.* The handler adds itself to `readers` and then loads `list`. The changing thread
//!   stores `list` and then loads `readers`. All four accesses are `SeqCst`, so a handler that the changing thread does
//!   not see loads the new list.
//! - *The previous action* is called after the handler has left the slot, because it may never return.
//! - *Fork.* A child of `fork` has a copy of the table, in which another thread of the parent may have held the lock,
//!   or may have been a reader. So a table belongs to a process: the child's first change creates a new table, and
//!   never frees the old one. A handler that runs with the table of another process notifies no receiver, because that
//!   would write to a pipe of the parent.

use std::io;
use std::mem;
use std::os::raw::{c_int, c_void};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::descriptor::check;
use super::ffi::{self, sigaction};
use crate::sync::lock;

/// What the handler notifies.
pub(crate) trait Receiver: Send + Sync {
    /// The process has received a signal with this number. The handler calls this, so this must be async-signal-safe:
    /// no lock, no allocation, no panic.
    fn signalled(&self, number: c_int);
}

struct Table {
    /// The process that created the table.
    process: u32,
    /// Held while a thread changes a slot or the action of a signal.
    changes: Mutex<()>,
    slots: [Slot; MAX_NUMBER as usize + 1],
}

/// The slot of one signal number.
struct Slot {
    /// The number of handlers that use `list`.
    readers: AtomicUsize,
    /// Null until the number is used. After that, the list stays, because code that replaced our handler may call it.
    list: AtomicPtr<List>,
}

struct List {
    receivers: Vec<Arc<dyn Receiver>>,
    /// The action that our handler has replaced.
    previous: sigaction,
    /// Whether our handler is installed, or was when other code replaced it. Only changes use this.
    installed: bool,
}

/// The largest number that a signal has on any system.
pub(crate) const MAX_NUMBER: c_int = 128;

static TABLE: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());

#[allow(clippy::declare_interior_mutable_const)] // The constant only initialises the slots of a table.
const EMPTY_SLOT: Slot = Slot { readers: AtomicUsize::new(0), list: AtomicPtr::new(ptr::null_mut()) };

// Adding and removing receivers.

/// Adds a receiver of a signal. Installs our handler if this is the first one.
pub(crate) fn add(number: c_int, receiver: Arc<dyn Receiver>) -> io::Result<()> {
    check_number(number)?;
    let table = Table::get();
    let _changes = lock(&table.changes);
    let slot = &table.slots[number as usize];
    let old = slot.list();
    let installed = query(number)?;
    let (previous, install) = match old {
        // Our handler is installed, or other code has replaced it by a handler that should call ours. If ours were
        // installed again, the two handlers could call each other without end.
        Some(old) if is_ours(&installed) || old.installed && !is_disposition(&installed) => (old.previous, false),
        _ => (installed, true),
    };
    let others = old.map_or(Vec::new(), |old| old.receivers.clone());
    let receivers: Vec<_> = others.iter().cloned().chain([receiver]).collect();
    // The list comes first, because the handler may run as soon as it is installed.
    slot.publish(List { receivers: receivers.clone(), previous, installed: true });
    if install {
        match install_ours(number, &previous) {
            // Other code has installed this handler after `query`. Ours has replaced it, and must call it.
            Ok(replaced) if !is_ours(&replaced) && replaced.sa_handler != previous.sa_handler => {
                slot.publish(List { receivers, previous: replaced, installed: true });
            }
            Ok(_) => {}
            Err(err) => {
                slot.publish(List { receivers: others, previous, installed: false });
                return Err(err);
            }
        }
    }
    Ok(())
}

/// Removes a receiver of a signal. After this returns, the handler does not use the receiver. If it was the last one,
/// restores the previous action, unless other code has replaced our handler.
pub(crate) fn remove(number: c_int, receiver: &Arc<impl Receiver>) {
    // The receivers of a parent process are not in the table of this process.
    let table = match Table::newest() {
        Some(table) if table.process == process::id() => table,
        _ => return,
    };
    let _changes = lock(&table.changes);
    let slot = &table.slots[number as usize];
    let old = match slot.list() {
        Some(old) => old,
        None => return,
    };
    let address = |receiver: *const dyn Receiver| receiver.cast::<()>();
    let mut receivers = old.receivers.clone();
    match receivers.iter().position(|other| address(Arc::as_ptr(other)) == Arc::as_ptr(receiver).cast()) {
        Some(position) => receivers.swap_remove(position),
        None => return,
    };
    let (previous, mut installed) = (old.previous, old.installed);
    if receivers.is_empty() && installed && query(number).map_or(false, |action| is_ours(&action)) {
        installed = match set(number, &previous) {
            // Other code has replaced our handler after `query`, so its action stays.
            Ok(replaced) if !is_ours(&replaced) => {
                // This cannot fail, because the action was accepted before.
                let _replaced = set(number, &replaced);
                true
            }
            // As above. If it did fail, our handler would stay installed.
            result => result.is_err(),
        };
    }
    slot.publish(List { receivers, previous, installed });
}

fn check_number(number: c_int) -> io::Result<()> {
    let reason = match number {
        ffi::SIGKILL | ffi::SIGSTOP => "cannot receive SIGKILL or SIGSTOP: no process can catch them",
        ffi::SIGSEGV | ffi::SIGBUS | ffi::SIGILL | ffi::SIGFPE | ffi::SIGSYS => {
            "cannot receive SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGSYS: they report an error of an instruction"
        }
        1..=MAX_NUMBER => return Ok(()),
        _ => "cannot receive a signal of this number: no system has it",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

// The table.

impl Table {
    /// Returns the newest table, if there is one. It may belong to a parent of this process.
    fn newest() -> Option<&'static Table> {
        // SAFETY: the pointer is null, or `get` has stored it. A table is never freed after that.
        unsafe { TABLE.load(Ordering::SeqCst).as_ref() }
    }

    /// Returns the table of this process. Creates it if necessary, with the actions that the parent has replaced.
    fn get() -> &'static Table {
        loop {
            let newest = Table::newest();
            match newest {
                Some(table) if table.process == process::id() => return table,
                _ => {}
            }
            let slots = [EMPTY_SLOT; MAX_NUMBER as usize + 1];
            for (slot, inherited) in slots.iter().zip(newest.map_or(&[][..], |table| &table.slots)) {
                if let Some(list) = inherited.list() {
                    slot.publish(List { receivers: Vec::new(), previous: list.previous, installed: false });
                }
            }
            let table = Box::into_raw(Box::new(Table { process: process::id(), changes: Mutex::new(()), slots }));
            let newest = newest.map_or(ptr::null(), |newest| newest as *const Table) as *mut Table;
            if TABLE.compare_exchange(newest, table, Ordering::SeqCst, Ordering::SeqCst).is_err() {
                // Another thread has stored its table first.
                // SAFETY: `into_raw` has returned `table`, and no other code has the pointer.
                drop(unsafe { Box::from_raw(table) });
            }
        }
    }
}

impl Slot {
    /// Returns the list. The caller holds the lock of the table, or the table is that of a parent, which no thread of
    /// this process changes.
    fn list(&self) -> Option<&List> {
        // SAFETY: the pointer is null, or `publish` has stored it. `publish` frees a list only after it was replaced,
        // and its callers, which hold the lock, do not use the old list after that.
        unsafe { self.list.load(Ordering::SeqCst).as_ref() }
    }

    /// Replaces the list, and frees the old one when no handler uses it.
    fn publish(&self, list: List) {
        let old = self.list.swap(Box::into_raw(Box::new(list)), Ordering::SeqCst);
        if old.is_null() {
            return;
        }
        // A handler runs for a few microseconds, unless its thread is not scheduled.
        let mut checks = 0;
        while self.readers.load(Ordering::SeqCst) != 0 {
            checks += 1;
            if checks < 100 {
                thread::yield_now();
            } else {
                thread::sleep(Duration::from_micros(100));
            }
        }
        // SAFETY: `into_raw` has returned `old` in an earlier call. A handler that runs now has loaded the new list,
        // and the caller, which holds the lock, does not use the old one.
        drop(unsafe { Box::from_raw(old) });
    }
}

impl Drop for Slot {
    /// Frees the list of a table that was not stored in [`TABLE`].
    fn drop(&mut self) {
        let list = *self.list.get_mut();
        if !list.is_null() {
            // SAFETY: `into_raw` has returned `list`, and no other code can reach it any more.
            drop(unsafe { Box::from_raw(list) });
        }
    }
}

// The handler.

extern "C" fn handler(number: c_int, info: *mut c_void, context: *mut c_void) {
    // SAFETY: this function has no preconditions.
    let errno = unsafe { ffi::errno_location() };
    // SAFETY: the pointer is that of the calling thread's `errno`, which lives as long as the thread.
    let saved_errno = unsafe { *errno };
    let previous = notify(number);
    // SAFETY: as above.
    unsafe { *errno = saved_errno };
    if let Some(previous) = previous {
        call(&previous, number, info, context);
    }
}

/// Notifies the receivers of a signal. Returns the action that our handler has replaced.
fn notify(number: c_int) -> Option<sigaction> {
    let table = Table::newest()?;
    let slot = table.slots.get(number as usize)?;
    slot.readers.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the pointer is null, or `publish` has stored it. `publish` frees no list while `readers` is not zero.
    let list = unsafe { slot.list.load(Ordering::SeqCst).as_ref() };
    let previous = list.map(|list| {
        if table.process == process::id() {
            list.receivers.iter().for_each(|receiver| receiver.signalled(number));
        }
        list.previous
    });
    slot.readers.fetch_sub(1, Ordering::SeqCst);
    previous
}

/// Calls the handler of a replaced action, if the action was one.
fn call(action: &sigaction, number: c_int, info: *mut c_void, context: *mut c_void) {
    if is_disposition(action) || is_ours(action) {
        return;
    }
    if action.sa_flags & ffi::SA_SIGINFO == 0 {
        // SAFETY: without `SA_SIGINFO`, the code that has installed the action passed a function of this type.
        let handler: extern "C" fn(c_int) = unsafe { mem::transmute(action.sa_handler) };
        handler(number);
    } else {
        // SAFETY: with `SA_SIGINFO`, the code that has installed the action passed a function of this type.
        let handler: extern "C" fn(c_int, *mut c_void, *mut c_void) = unsafe { mem::transmute(action.sa_handler) };
        handler(number, info, context);
    }
}

// Actions.

/// Whether an action is not a handler: the default action, or to ignore the signal.
fn is_disposition(action: &sigaction) -> bool {
    matches!(action.sa_handler as usize, ffi::SIG_DFL | ffi::SIG_IGN)
}

fn is_ours(action: &sigaction) -> bool {
    action.sa_handler == handler as *mut c_void
}

/// Returns the installed action of a signal.
fn query(number: c_int) -> io::Result<sigaction> {
    let mut action = mem::MaybeUninit::zeroed();
    // SAFETY: `sigaction` accepts a null pointer for the new action. `action` has room for the old one, and outlives
    // the call.
    check(unsafe { ffi::sigaction(number, ptr::null(), action.as_mut_ptr()) })?;
    // SAFETY: any bytes are valid for the fields, and all are initialised.
    Ok(unsafe { action.assume_init() })
}

/// Installs our handler. Returns the action that it has replaced.
///
/// Keeps the mask and the flags of the previous action, which its handler expects. The exception is `SA_RESTART`: our
/// handler must not interrupt the system calls of code that does not expect a signal.
fn install_ours(number: c_int, previous: &sigaction) -> io::Result<sigaction> {
    let mut action = *previous;
    action.sa_handler = handler as *mut c_void;
    // `SA_RESETHAND` would remove our handler after the first signal.
    action.sa_flags = previous.sa_flags & !ffi::SA_RESETHAND | ffi::SA_SIGINFO | ffi::SA_RESTART;
    if is_disposition(previous) {
        // The runtime of Go requires this flag of every handler, because the stacks of its threads are small. A thread
        // without an alternate stack uses its own stack.
        action.sa_flags |= ffi::SA_ONSTACK;
        // An alternate stack can be too small for a handler that interrupts another one: Rust's threads have 8 KiB. So
        // this blocks all signals while our handler runs.
        action.sa_mask.fill(0xff);
    }
    set(number, &action)
}

/// Installs an action. Returns the action that it has replaced.
fn set(number: c_int, action: &sigaction) -> io::Result<sigaction> {
    let mut replaced = mem::MaybeUninit::zeroed();
    // SAFETY: `action` outlives the call. Its handler is ours, which only notifies the receivers, or it is an action
    // that was installed before. `replaced` has room for an action, and outlives the call.
    check(unsafe { ffi::sigaction(number, action, replaced.as_mut_ptr()) })?;
    // SAFETY: any bytes are valid for the fields, and all are initialised.
    Ok(unsafe { replaced.assume_init() })
}
