//! Waitables: handles on which a thread can wait, such as the handle of an event, a process or a semaphore. AFD does
//! not know them, and no operation on them completes.
//!
//! The system's thread pool waits for the object (`RegisterWaitForSingleObject`). When the object is signalled, a
//! thread of the pool calls [`signalled`], which posts a packet:
//!
//! ```text
//!    register                 wait
//!       │                       │                                       the thread pool
//!       ▼                       ▼       RegisterWaitForSingleObject            │
//!   waitable ── update queue ─► waitable ────────────────────────────────► wait ◄─── object
//!                               ▲                                              │
//!                event ◄────────┴──── port ◄──── signalled ◄───────────────────┘
//!                                          packet
//! ```
//!
//! A wait ends when the object is signalled once. *This consumes the signal* of an event with automatic reset, of a
//! semaphore and of a timer with automatic reset. Such a signal exists from then on only in the waitable, as
//! `State::ready`, and must become an event, even if the program changes the registration first. A pending wait is
//! cancelled only by `deregister`. While nothing is armed, the waitable does not wait, and the object keeps its signal.
//!
//! The modes work by *arming* (defined in [`iocp`](super)): `register` arms, and a report disarms in edge and oneshot
//! mode. A waitable cannot be armed after each report of edge mode: an object that stays signalled would be reported by
//! every `poll`, because no wait can detect that an object has been reset.
//!
//! An update first checks the object without blocking. If it is signalled, the waitable posts a packet itself, as a
//! [`pipe`](super::pipe) does, so even a `poll` without a timeout reports it.
//!
//! The object of a waitable can also be a *flag*, which this crate sets and clears itself. A flag that is set counts as
//! signalled. No thread waits for a flag, because the thread that sets it schedules the update.
//!
//! The thread pool uses a waitable until its wait has been *ended* (`UnregisterWaitEx`), which blocks while `signalled`
//! runs. `signalled` takes no lock, so a thread may end a wait while it holds any lock of this crate.

use std::io;
use std::mem;
use std::os::raw::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use super::event::{RawEvent, POLL_REJECTED};
use super::ffi::{self, AFD_POLL_RECEIVE, BOOLEAN, HANDLE};
use super::port::{Handle, Port, KEY_WAITABLE};
use super::sock::Update;
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

pub(super) struct Waitable {
    port: Arc<Port>,
    /// What `signalled` has done since the wait began: one of the three constants below.
    callback: AtomicU8,
    state: Mutex<State>,
}

const NOT_CALLED: u8 = 0;
/// `signalled` has posted the packet, or is about to post it.
const POSTED: u8 = 1;
/// The packet could not be posted.
const POST_FAILED: u8 = 2;

struct State {
    /// `None`: not registered.
    registration: Option<Registration>,
    /// What a wait has found, until it is reported: 0, `AFD_POLL_RECEIVE`, or `POLL_REJECTED` if the wait has failed.
    ready: u32,
    wait: Option<Wait>,
    post_state: PostState,
}

struct Registration {
    object: Object,
    token: Token,
    interest: Interest,
    is_armed: bool,
}

/// What can be signalled.
#[derive(Clone)]
pub(super) enum Object {
    Handle(Arc<Handle>),
    /// Whether the flag is set.
    Flag(bool),
}

/// A wait of the thread pool. While it exists, the pool owns a reference to the waitable. If `signalled` posts the
/// packet, that reference passes to the packet.
struct Wait {
    raw: HANDLE,
    /// Open while the pool waits for it.
    _handle: Arc<Handle>,
}

// SAFETY: a handle of a wait is valid on every thread. All other fields are `Send`.
unsafe impl Send for Wait {}

/// The state of the packet that the waitable posts itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PostState {
    NotPosted,
    /// The waitable is in the update queue, or a thread is about to push or to update it.
    Queued,
    Posted,
}

// Open and check.

/// Duplicates a handle of the program.
///
/// # Errors
///
/// `ERROR_INVALID_HANDLE`: the handle is not open.
pub(super) fn duplicate(handle: HANDLE) -> io::Result<Handle> {
    // `INVALID_HANDLE_VALUE` is also the pseudo handle of the current process, which `DuplicateHandle` accepts.
    if handle == ffi::INVALID_HANDLE_VALUE {
        return Err(io::Error::from_raw_os_error(ffi::ERROR_INVALID_HANDLE));
    }
    // SAFETY: `GetCurrentProcess` has no obligation.
    let process = unsafe { ffi::GetCurrentProcess() };
    let mut duplicate = ptr::null_mut();
    // SAFETY: `duplicate` outlives the call. A handle that is not open is an error.
    if unsafe { ffi::DuplicateHandle(process, handle, process, &mut duplicate, 0, 0, ffi::DUPLICATE_SAME_ACCESS) } == 0
    {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `DuplicateHandle` has just returned the handle, and no other code owns it yet.
    Ok(unsafe { Handle::from_raw(duplicate) })
}

/// Returns whether the object is signalled. If it is, this consumes the signal of some objects.
///
/// # Errors
///
/// The system's error: a thread cannot wait for the object, or the handle has no `SYNCHRONIZE` access.
fn is_signalled(object: &Object) -> io::Result<bool> {
    let handle = match object {
        Object::Handle(handle) => handle,
        Object::Flag(is_set) => return Ok(*is_set),
    };
    // SAFETY: the handle is open.
    match unsafe { ffi::WaitForSingleObject(handle.raw(), 0) } {
        ffi::WAIT_FAILED => Err(io::Error::last_os_error()),
        wait_result => Ok(wait_result as i32 != ffi::WAIT_TIMEOUT),
    }
}

impl Waitable {
    pub fn new(port: &Arc<Port>) -> Waitable {
        let state = State { registration: None, ready: 0, wait: None, post_state: PostState::NotPosted };
        Waitable { port: Arc::clone(port), callback: AtomicU8::new(NOT_CALLED), state: Mutex::new(state) }
    }
}

// Register, reregister, deregister.

impl Waitable {
    /// Registers an object. The waitable is not registered.
    ///
    /// # Errors
    ///
    /// As for `is_signalled`.
    pub fn register(&self, object: Object, token: Token, interest: Interest) -> io::Result<Update> {
        let mut state = lock(&self.state);
        // Only a wait shows whether a thread can wait for the object.
        state.ready = if is_signalled(&object)? { AFD_POLL_RECEIVE } else { 0 };
        state.registration = Some(Registration { object, token, interest, is_armed: true });
        Ok(state.request_update())
    }

    /// Changes the registration. In every mode, an object that is signalled is reported again. Returns `None` if the
    /// waitable is not registered.
    ///
    /// This does not end the wait: `UnregisterWaitEx` discards a signal that the pool has consumed and for which it has
    /// not called `signalled` yet.
    pub fn reregister(&self, token: Token, interest: Interest) -> Option<Update> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let registration = state.registration.as_mut()?;
        registration.token = token;
        registration.interest = interest;
        registration.is_armed = true;
        // After a failed wait, try again.
        state.ready &= AFD_POLL_RECEIVE;
        Some(state.request_update())
    }

    /// Sets or clears the flag. Each call that sets it is an edge.
    pub fn set_flag(&self, is_set: bool) -> Update {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        if let Some(registration) = &mut state.registration {
            registration.object = Object::Flag(is_set);
            registration.is_armed |= is_set && registration.interest.is_edge();
        }
        if !is_set {
            state.ready = 0;
        }
        state.request_update()
    }

    /// Ends the registration, and discards a signal that was consumed but not reported.
    pub fn deregister(self: &Arc<Waitable>) {
        let mut state = lock(&self.state);
        state.registration = None;
        self.end_wait(&mut state);
        state.ready = 0;
    }
}

// Begin and end a wait.

impl Waitable {
    /// Checks the object, and begins a wait or posts a packet. The waitable is not in the queue: the wait that is
    /// starting has popped it, or a thread that changed the waitable during a blocking wait has not pushed it.
    pub fn update(self: &Arc<Waitable>, port: &Port) -> Update {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        state.post_state = PostState::NotPosted;
        if self.has_failed_post() {
            self.end_wait(state);
        }
        if !state.needs_update() {
            return Update::None;
        }
        if state.ready == 0 {
            let is_signalled = match &state.registration {
                Some(registration) => is_signalled(&registration.object),
                None => return Update::None,
            };
            state.ready = match is_signalled {
                Ok(true) => AFD_POLL_RECEIVE,
                // No case is known: `register` has checked that a thread can wait for the object.
                Err(_) => POLL_REJECTED,
                // The only known cause of an error is that the system has no memory. The next wait tries again.
                Ok(false) => return self.begin_wait(state).map_or_else(|_| state.retry(), |()| Update::None),
            };
        }
        let context = self.add_kernel_ref();
        state.post_state = PostState::Posted;
        if port.post(KEY_WAITABLE, context).is_err() {
            // SAFETY: `add_kernel_ref` has just returned the address, and the port has not accepted the packet.
            unsafe { self.drop_kernel_ref(context) };
            return state.retry();
        }
        Update::None
    }

    fn begin_wait(self: &Arc<Waitable>, state: &mut State) -> io::Result<()> {
        let handle = match &state.registration {
            Some(Registration { object: Object::Handle(handle), .. }) => Arc::clone(handle),
            // The update that follows `set_flag` reports the flag.
            _ => return Ok(()),
        };
        let (mut raw, context) = (ptr::null_mut(), self.add_kernel_ref());
        let flags = ffi::WT_EXECUTEONLYONCE | ffi::WT_EXECUTEINWAITTHREAD;
        // SAFETY: `raw` outlives the call. The handle stays open until the wait is ended, because `Wait` owns it. The
        // reference that `add_kernel_ref` has created keeps `context` valid until then.
        let begun = unsafe {
            ffi::RegisterWaitForSingleObject(&mut raw, handle.raw(), Some(signalled), context, ffi::INFINITE, flags)
        };
        if begun == 0 {
            let err = io::Error::last_os_error();
            // SAFETY: `add_kernel_ref` has just returned the address, and without a wait there is no callback.
            unsafe { self.drop_kernel_ref(context) };
            return Err(err);
        }
        state.wait = Some(Wait { raw, _handle: handle });
        Ok(())
    }

    /// Ends the wait, if there is one, after `signalled` has returned if it runs. If the wait has consumed a signal,
    /// `State::ready` has it from now on.
    fn end_wait(self: &Arc<Waitable>, state: &mut State) {
        let wait = match state.wait.take() {
            Some(wait) => wait,
            None => return,
        };
        // SAFETY: the wait exists, and this is the only call that ends it.
        let has_ended = unsafe { ffi::UnregisterWaitEx(wait.raw, ffi::INVALID_HANDLE_VALUE) } != 0;
        let callback = self.callback.swap(NOT_CALLED, Ordering::AcqRel);
        if callback != NOT_CALLED {
            state.ready |= AFD_POLL_RECEIVE;
        }
        if !has_ended {
            // No case is known. The pool may still wait: it keeps its reference, and the handle stays open.
            mem::forget(wait);
        } else if callback != POSTED {
            // SAFETY: `begin_wait` has passed this address to the pool. `signalled` has posted no packet, and will not
            // be called any more.
            unsafe { self.drop_kernel_ref(Arc::as_ptr(self) as *mut c_void) };
        }
    }

    /// Returns whether a wait has consumed a signal, and its packet could not be posted.
    fn has_failed_post(&self) -> bool {
        self.callback.load(Ordering::Acquire) == POST_FAILED
    }

    /// Requests an update if the packet of a wait could not be posted.
    pub fn repeat_failed_post(&self) -> Update {
        let mut state = lock(&self.state);
        if state.post_state == PostState::NotPosted && self.has_failed_post() {
            state.post_state = PostState::Queued;
            return Update::Enqueue;
        }
        Update::None
    }

    /// Creates the reference that a wait or a packet of this waitable owns. Returns the waitable's address.
    fn add_kernel_ref(self: &Arc<Waitable>) -> *mut c_void {
        self.port.add_pending_packet();
        Arc::into_raw(Arc::clone(self)) as *mut c_void
    }

    /// Drops a reference that no packet owns.
    ///
    /// # Safety
    ///
    /// `add_kernel_ref` has returned the address, and there will be no packet for it.
    unsafe fn drop_kernel_ref(&self, context: *mut c_void) {
        self.port.remove_pending_packet();
        // SAFETY: the caller promises that there is no packet, so no other code takes over this reference.
        drop(unsafe { Waitable::from_packet(context) });
    }
}

/// The thread pool calls this when the object is signalled, once for each wait.
///
/// # Safety
///
/// `context` is the address of a waitable whose wait has not been ended.
unsafe extern "system" fn signalled(context: *mut c_void, _timer_fired: BOOLEAN) {
    // SAFETY: the wait keeps a reference to the waitable. Ending the wait blocks until this function has returned, so
    // the waitable still exists after the packet was dequeued.
    let waitable = unsafe { &*(context as *const Waitable) };
    waitable.callback.store(POSTED, Ordering::Release);
    if waitable.port.post(KEY_WAITABLE, context).is_err() {
        waitable.callback.store(POST_FAILED, Ordering::Release);
        waitable.port.record_failed_post();
    }
}

impl State {
    /// Requests an update if one is needed and not queued yet.
    fn request_update(&mut self) -> Update {
        if self.post_state == PostState::NotPosted && self.needs_update() {
            self.post_state = PostState::Queued;
            Update::Enqueue
        } else {
            Update::None
        }
    }

    /// Returns whether there is something to report, or an object to check or to wait for.
    fn needs_update(&self) -> bool {
        match &self.registration {
            Some(_) if self.ready != 0 => true,
            Some(registration) => registration.is_armed && self.wait.is_none(),
            None => false,
        }
    }

    /// Requests another attempt after the system had no memory.
    fn retry(&mut self) -> Update {
        self.post_state = PostState::Queued;
        Update::Retry
    }

    /// Returns the event to report, and disarms as the mode requires.
    fn take_event(&mut self) -> Option<RawEvent> {
        let registration = self.registration.as_mut()?;
        let events = mem::take(&mut self.ready);
        if events == 0 {
            return None;
        }
        if !registration.interest.is_level() || events & POLL_REJECTED != 0 {
            registration.is_armed = false;
        }
        Some(RawEvent { events, token: registration.token })
    }
}

// Complete.

impl Waitable {
    /// Takes over the reference that a packet owns.
    ///
    /// # Safety
    ///
    /// The address is that of a [`KEY_WAITABLE`] packet that was dequeued, or that the port has not accepted. This is
    /// called once for each packet.
    pub unsafe fn from_packet(address: *mut c_void) -> Arc<Waitable> {
        // SAFETY: `add_kernel_ref` has made the address with `into_raw`, for this one packet.
        unsafe { Arc::from_raw(address as *const Waitable) }
    }

    /// Handles a packet of this waitable: ends a wait that is over, and returns the event to report, if any.
    pub fn complete(self: &Arc<Waitable>) -> (Option<RawEvent>, Update) {
        let mut state = lock(&self.state);
        if self.callback.load(Ordering::Acquire) != NOT_CALLED {
            self.end_wait(&mut state);
        }
        if state.post_state == PostState::Posted {
            state.post_state = PostState::NotPosted;
        }
        let event = state.take_event();
        (event, state.request_update())
    }
}
