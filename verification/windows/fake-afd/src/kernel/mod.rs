//! The fake kernel: handles, completion ports, AFD devices, sockets, pipes, and objects with waits.
//!
//! The kernel is plain data behind one lock. The code under test calls the functions of `calls.rs`; the tests call
//! [`lock`]. A broken rule is recorded in `violations` and fails the test at its end, because a panic cannot unwind
//! through a system call.

mod calls;
pub(crate) mod layout;
mod pipes;
mod requests;
mod sockets;
mod trace;
mod waits;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::guard::{self, Uncounted};
pub(crate) use pipes::OperationKind;
use pipes::{Operation, Pipe};
pub(crate) use requests::PollResult;
use requests::Request;
pub(crate) use sockets::Endpoint;
pub(crate) use waits::{call_back, signal};
use waits::{PoolWait, WaitableObject};

static KERNEL: Mutex<Kernel> = Mutex::new(Kernel::new());
/// Notified when something changes for which a thread in the kernel may wait.
static CHANGED: Condvar = Condvar::new();

/// Locks the kernel.
pub(crate) fn lock() -> KernelGuard {
    let uncounted = Uncounted::begin();
    KernelGuard { kernel: Some(KERNEL.lock().unwrap_or_else(PoisonError::into_inner)), _uncounted: uncounted }
}

pub(crate) struct KernelGuard {
    /// `None` only inside `sleep`.
    kernel: Option<MutexGuard<'static, Kernel>>,
    _uncounted: Uncounted,
}

impl KernelGuard {
    /// Unlocks the kernel until something changes, or for `timeout` at most.
    fn sleep(&mut self, timeout: Duration) {
        let kernel = self.kernel.take().expect("asleep already");
        let (kernel, _) = CHANGED.wait_timeout(kernel, timeout).unwrap_or_else(PoisonError::into_inner);
        self.kernel = Some(kernel);
    }
}

impl Deref for KernelGuard {
    type Target = Kernel;

    fn deref(&self) -> &Kernel {
        self.kernel.as_deref().expect("asleep")
    }
}

impl DerefMut for KernelGuard {
    fn deref_mut(&mut self) -> &mut Kernel {
        self.kernel.as_deref_mut().expect("asleep")
    }
}

/// The differences between kernels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// The status block and the result are written when the packet is dequeued, not when the request completes.
    pub writes_late: bool,
    /// Closing a device completes its requests (Wine). On Windows, they stay pending.
    pub closing_completes: bool,
    /// Unread data hides the end of the stream (Wine). Windows reports both.
    pub data_hides_end: bool,
    /// A request that completes at once still returns "pending".
    pub never_at_once: bool,
    /// The packets of requests and operations are dequeued in any order, not in the order of the completions.
    pub shuffles: bool,
    /// Cancelling a request that has completed, but whose packet was not dequeued, succeeds. Otherwise no request is
    /// found.
    pub cancels_completed: bool,
    /// A cancelled request completes only when the test lets it.
    pub cancels_late: bool,
    /// The closing of a socket is reported only when the test lets it.
    pub closes_late: bool,
    /// A wait with a timeout takes no time.
    pub timeouts_pass_at_once: bool,
    /// A wait with a timeout takes five hundred times as long, so that other threads can act during it.
    pub timeouts_are_stretched: bool,
    /// A thread that has dequeued packets returns only when the test lets it.
    pub holds: bool,
    /// A thread that posts a packet returns only when the test lets it.
    pub holds_posts: bool,
}

impl Behaviour {
    pub const WINDOWS: Behaviour = Behaviour {
        writes_late: false,
        closing_completes: false,
        data_hides_end: false,
        never_at_once: false,
        shuffles: false,
        cancels_completed: false,
        cancels_late: false,
        closes_late: false,
        timeouts_pass_at_once: false,
        timeouts_are_stretched: false,
        holds: false,
        holds_posts: false,
    };
    pub const WINDOWS_WRITING_LATE: Behaviour =
        Behaviour { writes_late: true, cancels_completed: true, ..Behaviour::WINDOWS };
    pub const WINE: Behaviour = Behaviour { closing_completes: true, data_hides_end: true, ..Behaviour::WINDOWS };
    pub const ODD: Behaviour =
        Behaviour { never_at_once: true, shuffles: true, writes_late: true, ..Behaviour::WINDOWS };
    pub const ALL: [Behaviour; 4] =
        [Behaviour::WINDOWS, Behaviour::WINDOWS_WRITING_LATE, Behaviour::WINE, Behaviour::ODD];
}

/// How many of the next calls of each kind fail.
#[derive(Default)]
pub(crate) struct Faults {
    pub posts: usize,
    pub cancels: usize,
    pub waits: usize,
    pub ports: usize,
    pub devices: usize,
    pub associations: usize,
    /// Waits of the pool.
    pub pool_waits: usize,
    /// Waits without a timeout for an object.
    pub checks: usize,
}

/// Counts a call of one kind, and returns whether it fails.
fn fails(left: &mut usize) -> bool {
    let fails = *left > 0;
    *left -= usize::from(fails);
    fails
}

/// Counts of kernel calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub submits: usize,
    pub rejected: usize,
    pub cancels: usize,
    pub waits: usize,
    pub posts: usize,
    pub devices_opened: usize,
    /// References that the kernel received: one with each accepted request or operation, and with each posted packet
    /// that has an address.
    pub lent: usize,
    /// References whose packets were dequeued.
    pub returned: usize,
    /// References that were lost with the port.
    pub lost: usize,
}

pub(crate) struct Kernel {
    pub behaviour: Behaviour,
    pub faults: Faults,
    pub counts: Counts,
    pub violations: Vec<String>,
    /// The timeouts of all waits, in milliseconds.
    pub timeouts: Vec<u32>,
    /// The calls since the test began to record them, as lines of text.
    pub trace: Option<Vec<String>>,
    /// How many threads block in a wait.
    pub blocked_threads: usize,
    objects: BTreeMap<usize, Object>,
    closed: BTreeSet<usize>,
    last_handle: usize,
    requests: BTreeMap<usize, Request>,
    last_request: usize,
    operations: BTreeMap<usize, Operation>,
    /// Results of requests that the test holds back.
    held_back: Vec<(usize, PollResult)>,
    sockets: BTreeMap<usize, usize>,
    endpoints: Vec<Endpoint>,
    waitables: BTreeMap<usize, WaitableObject>,
    pool_waits: BTreeMap<usize, PoolWait>,
    /// The last key of an object or a wait.
    last_object: usize,
    /// How many threads block in a post that the test holds.
    pub blocked_in_post: usize,
    /// How many threads block until a callback has returned.
    pub blocked_in_unregister: usize,
    /// Calls since the last wait, to detect an endless loop.
    calls_since_wait: usize,
    random: u64,
}

enum Object {
    Port(Port),
    Device(Device),
    Pipe(Pipe),
    /// A handle of the object with this key.
    Waitable(usize),
}

#[derive(Default)]
struct Port {
    packets: VecDeque<Packet>,
}

struct Packet {
    key: usize,
    address: usize,
    /// `None`: a posted packet.
    request: Option<usize>,
    /// The test has posted the packet. It owns no reference.
    is_foreign: bool,
}

#[derive(Default)]
struct Device {
    /// The port of its completions, and their key.
    port: Option<(usize, usize)>,
    /// The requests whose packets have not been dequeued.
    requests: BTreeSet<usize>,
}

impl Kernel {
    const fn new() -> Kernel {
        Kernel {
            behaviour: Behaviour::WINDOWS,
            faults: Faults {
                posts: 0,
                cancels: 0,
                waits: 0,
                ports: 0,
                devices: 0,
                associations: 0,
                pool_waits: 0,
                checks: 0,
            },
            counts: Counts {
                submits: 0,
                rejected: 0,
                cancels: 0,
                waits: 0,
                posts: 0,
                devices_opened: 0,
                lent: 0,
                returned: 0,
                lost: 0,
            },
            violations: Vec::new(),
            timeouts: Vec::new(),
            trace: None,
            blocked_threads: 0,
            objects: BTreeMap::new(),
            closed: BTreeSet::new(),
            last_handle: 0x1000,
            requests: BTreeMap::new(),
            last_request: 0,
            operations: BTreeMap::new(),
            held_back: Vec::new(),
            sockets: BTreeMap::new(),
            endpoints: Vec::new(),
            waitables: BTreeMap::new(),
            pool_waits: BTreeMap::new(),
            last_object: 0,
            blocked_in_post: 0,
            blocked_in_unregister: 0,
            calls_since_wait: 0,
            random: 1,
        }
    }

    /// Resets the kernel to its initial state.
    pub fn reset(&mut self, behaviour: Behaviour) {
        *self = Kernel { behaviour, ..Kernel::new() };
        guard::reset();
    }

    pub fn violation(&mut self, what: impl Into<String>) {
        // Later violations add no information.
        if self.violations.len() < 20 {
            self.violations.push(what.into());
        }
    }

    fn rule(&mut self, holds: bool, what: &str) {
        if !holds {
            self.violation(what);
        }
    }

    /// Returns how many devices are open.
    pub fn devices(&self) -> usize {
        self.objects.values().filter(|object| matches!(object, Object::Device(_))).count()
    }

    /// Returns how many packets are in the ports.
    pub fn packets(&self) -> usize {
        let ports = self.objects.values();
        ports.map(|object| if let Object::Port(port) = object { port.packets.len() } else { 0 }).sum()
    }

    /// Returns how many requests have packets that were not dequeued.
    pub fn requests_pending(&self) -> usize {
        self.requests.len()
    }

    /// Checks the rules for the end of a test, when everything that it owned was dropped.
    pub fn check_end(&mut self) {
        let open: Vec<_> = self.objects.keys().copied().collect();
        self.rule(open.is_empty(), &format!("handles are still open: {open:x?}"));
        let out = self.requests.len();
        self.rule(out == 0, &format!("the packets of {out} requests were not dequeued"));
        let out = self.operations.len();
        self.rule(out == 0, &format!("the packets of {out} operations were not dequeued"));
        let waits = self.pool_waits.len();
        self.rule(waits == 0, &format!("{waits} waits were not ended"));
        let Counts { lent, returned, lost, .. } = self.counts;
        self.rule(lost == 0, &format!("{lost} references were lost with the port"));
        self.rule(lent == returned + lost, &format!("{lent} references were lent, {returned} were returned"));
        let kept = guard::kept();
        self.rule(kept == 0, &format!("{kept} addresses of requests are in memory that was never freed"));
        let freed = guard::freed_early();
        self.rule(freed == 0, &format!("{freed} blocks were freed while the kernel could still write there"));
        let sockets = self.sockets.len();
        self.rule(sockets == 0, &format!("{sockets} sockets are still open, which is the test's own mistake"));
    }

    /// Returns the next pseudorandom number.
    pub fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    pub fn seed(&mut self, seed: u64) {
        self.random = seed;
    }

    /// Counts a call that a caller might repeat without end. After too many calls, records a violation and ends all
    /// faults, so that the caller's loop can end.
    fn count_call(&mut self) {
        self.calls_since_wait += 1;
        if self.calls_since_wait > 30_000 {
            self.violation("30,000 calls without a wait: an endless loop");
            self.faults = Faults::default();
            self.endpoints.iter_mut().for_each(|endpoint| endpoint.rejects_with = None);
            self.calls_since_wait = 0;
        }
    }
}

// Handles.

impl Kernel {
    fn open(&mut self, object: Object) -> usize {
        self.last_handle += 4;
        self.objects.insert(self.last_handle, object);
        self.last_handle
    }

    fn close(&mut self, handle: usize) -> bool {
        let object = match self.objects.remove(&handle) {
            Some(object) => object,
            None => {
                let how = if self.closed.contains(&handle) { "twice" } else { "that was never opened" };
                self.violation(format!("a handle is closed {how}: {handle:x}"));
                return false;
            }
        };
        self.closed.insert(handle);
        match object {
            Object::Port(port) => {
                for packet in port.packets.into_iter().filter(|packet| packet.address != 0 && !packet.is_foreign) {
                    self.counts.lost += 1;
                    // The kernel does not write to the memory of the request or operation any more.
                    if let Some(request) = packet.request {
                        self.forget_request(request);
                    }
                    self.forget_operation(packet.address);
                }
            }
            Object::Waitable(key) => self.close_object(key, handle),
            Object::Pipe(pipe) if pipe.has_duplicate => {}
            Object::Pipe(_) => self.close_operations(handle),
            Object::Device(device) if self.behaviour.closing_completes => {
                for request in device.requests {
                    self.complete(request, PollResult::failed(layout::HANDLES_CLOSED));
                }
            }
            Object::Device(device) => {
                let out = device.requests.len();
                self.rule(out == 0, &format!("a device is closed that has {out} pending requests"));
            }
        }
        CHANGED.notify_all();
        true
    }

    /// Queues a packet in a port. If the port was closed, the packet is lost.
    fn queue(&mut self, port: usize, packet: Packet) {
        let completes = packet.request.is_some() || !packet.is_foreign && self.operations.contains_key(&packet.address);
        let shuffled = self.behaviour.shuffles && completes;
        let random = if shuffled { self.random() as usize } else { 0 };
        if let Some(Object::Port(port)) = self.objects.get_mut(&port) {
            let end = port.packets.len();
            port.packets.insert(if shuffled { random % (end + 1) } else { end }, packet);
            CHANGED.notify_all();
        }
    }

    /// Queues a packet that the crate has not posted.
    pub fn post_foreign(&mut self, port: usize, key: usize, address: usize) {
        self.queue(port, Packet { key, address, request: None, is_foreign: true });
    }

    /// Dequeues the next packet of a port.
    fn take(&mut self, port: usize) -> Option<Packet> {
        let packet = self.port(port)?.packets.pop_front()?;
        if packet.is_foreign {
            return Some(packet);
        }
        if packet.address != 0 {
            self.counts.returned += 1;
        }
        if let Some(request) = packet.request {
            if self.behaviour.writes_late {
                self.write(request);
            }
            self.forget_request(request);
        } else if self.operations.contains_key(&packet.address) {
            if self.behaviour.writes_late {
                self.write_operation(packet.address);
            }
            self.forget_operation(packet.address);
        }
        Some(packet)
    }

    /// Releases the threads that `holds` and `holds_posts` keep in the kernel.
    pub fn let_go(&mut self) {
        self.behaviour.holds = false;
        self.behaviour.holds_posts = false;
        CHANGED.notify_all();
    }
}

/// Defines methods that return an open object by its handle. A handle of another kind is a violation.
macro_rules! object_of_kind {
    ($($method:ident: $kind:ident),*) => {
        impl Kernel {
            $(fn $method(&mut self, handle: usize) -> Option<&mut $kind> {
                if !matches!(self.objects.get(&handle), Some(Object::$kind(_))) {
                    self.violation(format!("not an open {}: {handle:x}", stringify!($method)));
                }
                match self.objects.get_mut(&handle) {
                    Some(Object::$kind(object)) => Some(object),
                    _ => None,
                }
            })*
        }
    };
}

object_of_kind!(port: Port, device: Device, pipe: Pipe);
