//! The kqueues of this process.

use std::os::raw::c_int;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::Errno;
use crate::ffi;
use crate::kqueue::Kqueue;
use crate::linux;
use crate::settings::Settings;

/// By the program's descriptors.
static KQUEUES: Mutex<Vec<(c_int, Arc<Kqueue>)>> = Mutex::new(Vec::new());

/// The process that they belong to, 0 before there is one. A kqueue is not inherited by `fork`; and in the child, a
/// lock that another thread held is held for ever.
static PROCESS: AtomicI32 = AtomicI32::new(0);

fn enter() -> MutexGuard<'static, Vec<(c_int, Arc<Kqueue>)>> {
    KQUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn are_ours() -> bool {
    match PROCESS.load(Ordering::Acquire) {
        // Nothing was opened yet, so nothing need be looked for.
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
    if linux::close_passes_us_by() {
        eprintln!(
            "kqueue model: the C library's `close` comes first, so no close would be noticed; README.md: Linking"
        );
        return Err(Errno(ffi::ENOSYS));
    }
    let settings = Settings::from_environment().map_err(|word| {
        eprintln!("kqueue model: cannot understand `{word}` in the environment");
        Errno(ffi::EINVAL)
    })?;
    let (kqueue, descriptor) = Kqueue::new(settings)?;
    let number = descriptor.give_away();
    enter().push((number, Arc::new(kqueue)));
    Ok(number)
}

pub fn find(fd: c_int) -> Result<Arc<Kqueue>, Errno> {
    if !are_ours() {
        return Err(Errno(ffi::EBADF));
    }
    let kqueues = enter();
    let known = kqueues.iter().find(|(number, _)| *number == fd);
    // A duplicate of one that is known.
    let found = known.or_else(|| kqueues.iter().find(|(_, kqueue)| kqueue.is(fd)));
    found.map(|(_, kqueue)| kqueue.clone()).ok_or(Errno(ffi::EBADF))
}

/// The program is about to close this descriptor.
pub fn forget(fd: c_int) {
    if !are_ours() {
        return;
    }
    let own = enter().iter().find(|(number, _)| *number == fd).map(|(_, kqueue)| kqueue.clone());
    if let Some(kqueue) = own {
        // It lives as long as a duplicate does, and has that one's number then.
        let other = linux::open_descriptors().into_iter().find(|other| *other != fd && kqueue.is(*other));
        let mut kqueues = enter();
        if let Some(place) = kqueues.iter().position(|(number, _)| *number == fd) {
            match other {
                Some(other) => kqueues[place].0 = other,
                None => {
                    kqueues.swap_remove(place);
                    kqueue.close();
                }
            }
        }
    }
    for (_, kqueue) in enter().iter() {
        kqueue.forget(fd);
    }
}
