//! The kqueues of this process.

use std::os::raw::c_int;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::Errno;
use crate::ffi;
use crate::kqueue::Kqueue;
use crate::linux;
use crate::settings::Settings;

/// All kqueues, each with the number of the program's descriptor.
static KQUEUES: Mutex<Vec<(c_int, Arc<Kqueue>)>> = Mutex::new(Vec::new());

/// The process that owns the kqueues, 0 before the first one is opened. A child made by `fork` inherits no kqueue. It
/// must not take a lock either: if another thread of the parent held the lock, it stays locked in the child.
static PROCESS: AtomicI32 = AtomicI32::new(0);

fn enter() -> MutexGuard<'static, Vec<(c_int, Arc<Kqueue>)>> {
    KQUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn owned_by_this_process() -> bool {
    match PROCESS.load(Ordering::Acquire) {
        // No kqueue was opened yet.
        0 => false,
        process => process == linux::process(),
    }
}

pub fn open() -> Result<c_int, Errno> {
    let this = linux::process();
    match PROCESS.compare_exchange(0, this, Ordering::AcqRel, Ordering::Acquire) {
        Err(process) if process != this => return Err(Errno(ffi::ENOSYS)),
        _ => {}
    }
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
    enter().push((number, Arc::new(kqueue)));
    Ok(number)
}

pub fn find(fd: c_int) -> Result<Arc<Kqueue>, Errno> {
    if !owned_by_this_process() {
        return Err(Errno(ffi::EBADF));
    }
    let kqueues = enter();
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
    let own = enter().iter().find(|(number, _)| *number == fd).map(|(_, kqueue)| kqueue.clone());
    if let Some(kqueue) = own {
        // If a duplicate exists, the kqueue stays open and is listed under the duplicate's number.
        let other = linux::open_descriptors().into_iter().find(|other| *other != fd && kqueue.is(*other));
        let mut kqueues = enter();
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
    for (_, kqueue) in enter().iter() {
        kqueue.remove_descriptor(fd);
    }
}
