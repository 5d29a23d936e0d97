//! An executable model of kqueue on Linux: `kqueue` and `kevent` for C, with macOS's struct and numbers, over epoll.
//!
//! It is here to be run against: a program that is written for kqueue runs on Linux with this library beside it. And it
//! is here to be read: [`knote`] is what a kqueue remembers, [`filter`] when it has something to say of a descriptor,
//! [`kqueue`](mod@kqueue) how changes and waits work. Where systems differ it does as NetBSD 11 does, and
//! [`settings`] says what others do.
//!
//! `README.md` has what is modelled and what is not, and how to link to it.

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

/// Makes changes, then waits for events: for `timeout` at most, for ever if it is null, not at all if there is no room
/// for any, or if the changes were answered.
///
/// # Safety
///
/// There are `nchanges` changes and room for `nevents` events, and the two may overlap if they begin at the same place;
/// `timeout` can be read if it is not null.
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
        // SAFETY: the caller's promise.
        let changes = unsafe { Changes::new(changelist, nchanges) }?;
        // SAFETY: the caller's promise.
        let mut events = unsafe { Events::new(eventlist, nevents) }?;
        kqueue.change(changes, &mut events)?;
        if events.count() == 0 && events.room() > 0 {
            // SAFETY: the caller's promise.
            let timeout = unsafe { arrays::timeout(timeout) }?;
            kqueue.wait(&mut events, timeout, signals)?;
        }
        Ok(events.count() as c_int)
    })
}

/// What the program calls instead of the C library's: with a descriptor's number, all knotes of that number go.
#[no_mangle]
pub extern "C" fn close(fd: c_int) -> c_int {
    call::system_call(|_| {
        table::forget(fd);
        Ok(0)
    });
    linux::close(fd)
}

/// How many times `kevent` was called for this kqueue; −1 if it is none.
#[no_mangle]
pub extern "C" fn kqueue_model_calls(kq: c_int) -> c_long {
    let mut calls = -1;
    call::system_call(|_| {
        calls = table::find(kq)?.calls.load(Ordering::Relaxed) as c_long;
        Ok(0)
    });
    calls
}

/// Plays the kernel: an asynchronous operation is complete, whose control block is at `ident` and has asked to be told
/// by this kqueue, once, with `udata`.
#[no_mangle]
pub extern "C" fn kqueue_model_complete(kq: c_int, ident: usize, udata: *mut c_void) -> c_int {
    call::system_call(|_| {
        let flags = ffi::EV_ADD | ffi::EV_ONESHOT;
        let change = ffi::kevent { ident, filter: ffi::EVFILT_AIO, flags, fflags: 0, data: 0, udata };
        table::find(kq)?.complete(&change);
        Ok(0)
    })
}

/// Changes how one kqueue behaves: words as in the environment. −1 and `EINVAL` if one of them is not understood; those
/// before it count.
///
/// # Safety
///
/// `words` is a string of C's.
#[no_mangle]
pub unsafe extern "C" fn kqueue_model_configure(kq: c_int, words: ffi::c_str) -> c_int {
    call::system_call(|_| {
        // SAFETY: the caller's promise.
        let words = unsafe { CStr::from_ptr(words) };
        let words = words.to_str().map_err(|_| Errno(ffi::EINVAL))?;
        table::find(kq)?.configure(words).map_err(|_| Errno(ffi::EINVAL))?;
        Ok(0)
    })
}
