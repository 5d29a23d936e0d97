//! An executable model of kqueue on Linux: `kqueue` and `kevent` for C, with macOS's struct and numbers, over epoll.
//!
//! A program that is written for kqueue can be linked to this library and runs on Linux. The library is also meant to
//! be read: [`knote`] holds the state of a registration, [`filter`] decides when a descriptor is ready, and
//! [`kqueue`](mod@kqueue) applies changes and waits. Where systems differ, the model behaves like NetBSD 11;
//! [`settings`] lists the other behaviours.
//!
//! `README.md` lists what is modelled and what is not, and explains how to link to the library.

#![cfg(target_os = "linux")]
#![allow(non_camel_case_types, non_upper_case_globals)]
#![deny(unsafe_op_in_unsafe_fn, rust_2018_idioms)]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]

mod arrays;
mod call;
pub mod ffi;
pub mod filter;
pub mod knote;
pub mod kqueue;
mod linux;
pub mod settings;
mod table;
mod trace;

use std::ffi::CStr;
use std::os::raw::{c_int, c_long, c_void};
use std::sync::atomic::Ordering;

use arrays::{Changes, Events};
use call::Errno;

/// Opens a kqueue.
#[no_mangle]
pub extern "C" fn kqueue() -> c_int {
    call::system_call(|_| table::open())
}

/// Applies changes, then waits for events, for at most `timeout`, or without a limit if `timeout` is null. If `nevents`
/// is 0, or an error or receipt was written to `eventlist`, the call does not wait.
///
/// # Safety
///
/// `nchanges` changes can be read, and `nevents` events can be written. The two arrays may overlap only if they begin
/// at the same address. `timeout` is null or can be read.
#[no_mangle]
pub unsafe extern "C" fn kevent(
    kq: c_int,
    changelist: *const ffi::kevent,
    nchanges: c_int,
    eventlist: *mut ffi::kevent,
    nevents: c_int,
    timeout: *const ffi::timespec,
) -> c_int {
    call::system_call(|signals| {
        let kqueue = table::find(kq)?;
        kqueue.calls.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller promised that `nchanges` changes can be read.
        let changes = unsafe { Changes::new(changelist, nchanges) }?;
        // SAFETY: the caller promised that `nevents` events can be written.
        let mut events = unsafe { Events::new(eventlist, nevents) }?;
        let traced = match kqueue.is_traced() {
            // SAFETY: as above for the changes, and the caller promised that `timeout` is null or can be read.
            true => Some(unsafe { traced_call(kq, changelist, nchanges, events.room(), timeout) }?),
            false => None,
        };
        let result = (|| {
            kqueue.change(changes, &mut events)?;
            if events.count() == 0 && events.room() > 0 {
                // SAFETY: the caller promised that `timeout` is null or can be read.
                let timeout = unsafe { arrays::timeout(timeout) }?;
                kqueue.wait(&mut events, timeout, signals)?;
            }
            Ok(())
        })();
        if let Some(call) = traced {
            call.write(&result, events.written());
        }
        result.map(|()| events.count() as c_int)
    })
}

/// # Safety
///
/// As for [`kevent`].
unsafe fn traced_call(
    kq: c_int,
    changelist: *const ffi::kevent,
    nchanges: c_int,
    slots: usize,
    timeout: *const ffi::timespec,
) -> Result<trace::Call, Errno> {
    // SAFETY: the caller promised that `nchanges` changes can be read.
    let changes = unsafe { Changes::new(changelist, nchanges) }?.collect();
    // SAFETY: the caller promised that `timeout` is null or can be read.
    let timeout = unsafe { arrays::timeout(timeout) }?;
    Ok(trace::Call { kq, changes, slots, timeout })
}

/// Replaces the C library's `close`: deletes all knotes of the descriptor, then closes it.
#[no_mangle]
pub extern "C" fn close(fd: c_int) -> c_int {
    call::system_call(|_| {
        table::remove_descriptor(fd);
        Ok(0)
    });
    linux::close(fd)
}

/// Returns how many times `kevent` was called for this kqueue, or −1 if `kq` is not a kqueue.
#[no_mangle]
pub extern "C" fn kqueue_model_calls(kq: c_int) -> c_long {
    let mut calls = -1;
    call::system_call(|_| {
        calls = table::find(kq)?.calls.load(Ordering::Relaxed) as c_long;
        Ok(0)
    });
    calls
}

/// Does what a kernel does when the asynchronous operation whose control block is at `ident` completes: reports the
/// completion once, with `udata`.
#[no_mangle]
pub extern "C" fn kqueue_model_complete(kq: c_int, ident: usize, udata: *mut c_void) -> c_int {
    call::system_call(|_| {
        let flags = ffi::EV_ADD | ffi::EV_ONESHOT;
        let change = ffi::kevent { ident, filter: ffi::EVFILT_AIO, flags, fflags: 0, data: 0, udata };
        table::find(kq)?.complete(&change);
        Ok(0)
    })
}

/// Configures one kqueue, with the same words as in the environment. At an unknown word, the call returns −1 and sets
/// `errno` to `EINVAL`; the words before the unknown one are applied.
///
/// # Safety
///
/// `words` is a C string.
#[no_mangle]
pub unsafe extern "C" fn kqueue_model_configure(kq: c_int, words: ffi::c_str) -> c_int {
    call::system_call(|_| {
        // SAFETY: the caller promised a C string.
        let words = unsafe { CStr::from_ptr(words) };
        let words = words.to_str().map_err(|_| Errno(ffi::EINVAL))?;
        table::find(kq)?.configure(words).map_err(|_| Errno(ffi::EINVAL))?;
        Ok(0)
    })
}
