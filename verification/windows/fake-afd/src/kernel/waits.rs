//! Objects for which a thread can wait, and the thread pool that waits for them. The test signals the objects, and lets
//! the pool call the callbacks.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::thread::{self, ThreadId};

use super::layout::ERROR_INVALID_HANDLE;
use super::{fails, lock, Kernel, KernelGuard, Object, CHANGED};
use crate::guard;

/// An object. Its key in `Kernel::waitables` is in each of its handles.
pub(super) struct WaitableObject {
    /// How many waits the object can still satisfy.
    units: usize,
    /// Whether a wait consumes a unit.
    is_consumed: bool,
    handles: BTreeSet<usize>,
    can_be_waited_for: bool,
}

/// A wait of the pool.
pub(super) struct PoolWait {
    object: usize,
    handle: usize,
    callback: Callback,
    context: usize,
    state: WaitState,
}

type Callback = unsafe extern "system" fn(*mut c_void, u8);

#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitState {
    Waiting,
    /// The object has satisfied the wait, but the callback was not called yet.
    Satisfied,
    Running(ThreadId),
    Over,
}

// Actions of tests.

impl Kernel {
    /// Creates an object. Returns its key and a handle.
    pub fn open_object(&mut self, is_consumed: bool) -> (usize, usize) {
        self.last_object += 1;
        let key = self.last_object;
        let handle = self.open(Object::Waitable(key));
        let handles = BTreeSet::from([handle]);
        self.waitables.insert(key, WaitableObject { units: 0, is_consumed, handles, can_be_waited_for: true });
        (key, handle)
    }

    pub fn forbid_waits(&mut self, key: usize) {
        self.object(key).can_be_waited_for = false;
    }

    pub fn reset_object(&mut self, key: usize) {
        self.object(key).units = 0;
    }

    pub fn close_handle(&mut self, handle: usize) {
        self.close(handle);
    }

    /// Returns how many waits the object can still satisfy.
    pub fn units(&self, key: usize) -> usize {
        self.waitables.get(&key).map_or(0, |object| object.units)
    }

    /// Returns how many waits of the pool exist.
    pub fn pool_waits(&self) -> usize {
        self.pool_waits.len()
    }

    /// Makes an object able to satisfy more waits, without calling the callbacks.
    pub fn add_units(&mut self, key: usize, units: usize) {
        self.object(key).units += units;
        while let Some(wait) = self.next_satisfied() {
            if let Some(wait) = self.pool_waits.get_mut(&wait) {
                wait.state = WaitState::Satisfied;
            }
        }
    }

    fn object(&mut self, key: usize) -> &mut WaitableObject {
        self.waitables.get_mut(&key).expect("the object exists as long as the test uses it")
    }

    /// Returns the next wait that an object satisfies, after it has consumed the unit.
    fn next_satisfied(&mut self) -> Option<usize> {
        let mut waiting = self.pool_waits.iter().filter(|(_, wait)| wait.state == WaitState::Waiting);
        let (raw, object) =
            waiting.find(|(_, wait)| self.waitables[&wait.object].units > 0).map(|(raw, wait)| (*raw, wait.object))?;
        self.take_unit(object);
        Some(raw)
    }

    fn take_unit(&mut self, key: usize) -> bool {
        let object = self.object(key);
        if object.units == 0 {
            return false;
        }
        object.units -= usize::from(object.is_consumed);
        true
    }
}

/// Signals an object, and calls the callbacks of its waits.
pub(crate) fn signal(key: usize, units: usize) {
    lock().add_units(key, units);
    call_back();
}

/// Calls the callbacks of all waits that an object has satisfied.
pub(crate) fn call_back() {
    loop {
        let mut kernel = lock();
        let satisfied = kernel.pool_waits.iter_mut().find(|(_, wait)| wait.state == WaitState::Satisfied);
        let Some((&raw, wait)) = satisfied else { return };
        wait.state = WaitState::Running(thread::current().id());
        let (callback, context) = (wait.callback, wait.context);
        drop(kernel);
        // SAFETY: the caller of `RegisterWaitForSingleObject` promises that the callback may be called until the wait
        // is ended. `UnregisterWaitEx` blocks while the callback runs.
        unsafe { callback(context as *mut c_void, 0) };
        let mut kernel = lock();
        if let Some(wait) = kernel.pool_waits.get_mut(&raw) {
            wait.state = WaitState::Over;
        }
        CHANGED.notify_all();
    }
}

// Actions of the calls.

impl Kernel {
    pub(super) fn duplicate(&mut self, handle: usize) -> Result<usize, i32> {
        match self.objects.get(&handle) {
            Some(Object::Waitable(key)) => {
                let key = *key;
                let duplicate = self.open(Object::Waitable(key));
                self.object(key).handles.insert(duplicate);
                Ok(duplicate)
            }
            _ if handle == usize::MAX => {
                self.violation("the pseudo handle of the process is duplicated");
                Err(ERROR_INVALID_HANDLE)
            }
            _ => Err(ERROR_INVALID_HANDLE),
        }
    }

    /// Returns whether the object is signalled. If it is, a unit is consumed.
    pub(super) fn wait_now(&mut self, handle: usize) -> Result<bool, i32> {
        self.count_call();
        match self.objects.get(&handle) {
            Some(Object::Waitable(key)) => {
                let key = *key;
                match self.object(key).can_be_waited_for && !fails(&mut self.faults.checks) {
                    true => Ok(self.take_unit(key)),
                    false => Err(ERROR_INVALID_HANDLE),
                }
            }
            _ => {
                self.violation(format!("a thread waits for a handle that is not open: {handle:x}"));
                Err(ERROR_INVALID_HANDLE)
            }
        }
    }

    pub(super) fn begin_pool_wait(
        &mut self,
        handle: usize,
        callback: Option<Callback>,
        context: usize,
    ) -> Result<usize, i32> {
        self.count_call();
        let (object, callback) = match (self.objects.get(&handle), callback) {
            (Some(Object::Waitable(key)), Some(callback)) => (*key, callback),
            _ => {
                self.violation(format!("a pool wait for a handle that is not open: {handle:x}"));
                return Err(ERROR_INVALID_HANDLE);
            }
        };
        if fails(&mut self.faults.pool_waits) {
            return Err(super::layout::ERROR_NO_SYSTEM_RESOURCES);
        }
        let twice = self.pool_waits.values().any(|wait| wait.context == context);
        self.rule(!twice, "two waits have the same context");
        self.last_object += 1;
        let raw = self.last_object;
        guard::mark_pending(context);
        self.pool_waits.insert(raw, PoolWait { object, handle, callback, context, state: WaitState::Waiting });
        // If the object is signalled, the wait is satisfied at once.
        self.add_units(object, 0);
        Ok(raw)
    }

    /// Checks the rules for closing a handle of an object.
    pub(super) fn close_object(&mut self, key: usize, handle: usize) {
        let waits = self.pool_waits.values().any(|wait| wait.handle == handle);
        self.rule(!waits, "a handle is closed for which the pool waits");
        let object = self.object(key);
        object.handles.remove(&handle);
        if object.handles.is_empty() {
            self.waitables.remove(&key);
        }
    }
}

/// Ends a wait, after its callback has returned. If the callback was not called yet, the unit is lost.
pub(super) fn end_pool_wait(mut kernel: KernelGuard, raw: usize) -> bool {
    kernel.count_call();
    loop {
        match kernel.pool_waits.get(&raw).map(|wait| wait.state) {
            None => {
                kernel.violation("a wait is ended twice");
                return false;
            }
            Some(WaitState::Running(thread)) if thread == thread::current().id() => {
                kernel.violation("a callback ends its own wait");
                return false;
            }
            Some(WaitState::Running(_)) => {
                kernel.blocked_in_unregister += 1;
                kernel.sleep(super::calls::FOR_EVER);
                kernel.blocked_in_unregister -= 1;
            }
            Some(_) => break,
        }
    }
    if let Some(wait) = kernel.pool_waits.remove(&raw) {
        guard::mark_done(wait.context);
    }
    true
}
