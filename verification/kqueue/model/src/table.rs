//! The kqueues of this process.

use std::os::raw::c_int;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::Errno;
use crate::ffi;
use crate::kqueue::Kqueue;
use crate::linux;
use crate::settings::Settings;
use crate::trace;

/// The kqueues of one process, each with the number of the program's descriptor.
type Kqueues = Vec<(c_int, Arc<Kqueue>)>;

/// The tables. The first is that of the first process that opens a kqueue. A child made by `fork` inherits no kqueue,
/// and must not take the lock of its parent's table: if another thread of the parent held the lock at the time of the
/// fork, the lock stays locked in the child. So a child that opens a kqueue uses the next table.
static TABLES: [Mutex<Kqueues>; MAX_FORKS + 1] = [EMPTY; MAX_FORKS + 1];
#[allow(clippy::declare_interior_mutable_const)] // The constant only initialises the tables.
const EMPTY: Mutex<Kqueues> = Mutex::new(Vec::new());

/// How deep the forks may be nested.
const MAX_FORKS: usize = 3;

/// The process that owns the current table, 0 before the first kqueue is opened.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// The index of the current table.
static CURRENT: AtomicUsize = AtomicUsize::new(0);

fn lock_table() -> MutexGuard<'static, Kqueues> {
    TABLES[CURRENT.load(Ordering::Acquire)].lock().unwrap_or_else(PoisonError::into_inner)
}

fn owned_by_this_process() -> bool {
    match PROCESS.load(Ordering::Acquire) {
        // No kqueue was opened yet.
        0 => false,
        process => process == linux::process(),
    }
}

/// Selects the table of this process. In a child, two threads must not make their first calls at the same time: both
/// could advance `CURRENT`.
fn select_table() -> Result<(), Errno> {
    let this = linux::process();
    match PROCESS.load(Ordering::Acquire) {
        process if process == this => {}
        0 => PROCESS.store(this, Ordering::Release),
        _ if CURRENT.load(Ordering::Acquire) == MAX_FORKS => return Err(Errno(ffi::ENOSYS)),
        _ => {
            CURRENT.fetch_add(1, Ordering::AcqRel);
            PROCESS.store(this, Ordering::Release);
        }
    }
    Ok(())
}

pub fn open() -> Result<c_int, Errno> {
    select_table()?;
    if linux::close_bypasses_model() {
        eprintln!("kqueue model: linked behind the C library, whose `close` hides the model's; see README.md, Linking");
        return Err(Errno(ffi::ENOSYS));
    }
    let settings = Settings::from_environment().map_err(|word| {
        eprintln!("kqueue model: unknown word `{word}` in KQUEUE_MODEL or KQUEUE_MODEL_FAULTS");
        Errno(ffi::EINVAL)
    })?;
    let (kqueue, descriptor) = Kqueue::new(settings)?;
    let number = descriptor.into_number();
    lock_table().push((number, Arc::new(kqueue)));
    if settings.trace {
        trace::write_kqueue(number);
    }
    Ok(number)
}

pub fn find(fd: c_int) -> Result<Arc<Kqueue>, Errno> {
    if !owned_by_this_process() {
        return Err(Errno(ffi::EBADF));
    }
    let kqueues = lock_table();
    let known = kqueues.iter().find(|(number, _)| *number == fd);
    // If the number is not in the table, it may be a duplicate.
    let found = known.or_else(|| kqueues.iter().find(|(_, kqueue)| kqueue.is(fd)));
    found.map(|(_, kqueue)| kqueue.clone()).ok_or(Errno(ffi::EBADF))
}

/// Removes a descriptor that the program is about to close: its kqueue, if it is the last descriptor of one, and its
/// knotes in all other kqueues.
pub fn remove_descriptor(fd: c_int) {
    if !owned_by_this_process() {
        return;
    }
    let own = lock_table().iter().find(|(number, _)| *number == fd).map(|(_, kqueue)| kqueue.clone());
    if let Some(kqueue) = own {
        // If a duplicate exists, the kqueue stays open and is listed under the duplicate's number.
        let other = linux::open_descriptors().into_iter().find(|other| *other != fd && kqueue.is(*other));
        let mut kqueues = lock_table();
        if let Some(index) = kqueues.iter().position(|(number, _)| *number == fd) {
            match other {
                Some(other) => kqueues[index].0 = other,
                None => {
                    kqueues.swap_remove(index);
                    kqueue.close();
                }
            }
        }
    }
    for (_, kqueue) in lock_table().iter() {
        kqueue.remove_descriptor(fd);
    }
}
