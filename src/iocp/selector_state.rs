//! The state that a selector shares with its sources: the port, the poll groups, the update queue, the pipes, and the
//! waitables.

use std::cmp;
use std::collections::VecDeque;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::raw::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::event::RawEvent;
use super::ffi::{OVERLAPPED_ENTRY, SOCKET};
use super::pipe::Pipe;
use super::poll_group::PollGroups;
use super::port::{Port, KEY_AFD, KEY_NOTIFIER, KEY_WAITABLE};
use super::sock::{Completion, Sock, Update};
use super::waitable::Waitable;
use crate::sync::lock;

pub(super) struct SelectorState {
    pub port: Arc<Port>,
    groups: PollGroups,
    queue: Mutex<UpdateQueue>,
    /// All pipes whose handles are associated with the port.
    pipes: Mutex<Vec<Weak<Pipe>>>,
    /// All waitables for which the thread pool may wait.
    waitables: Mutex<Vec<Weak<Waitable>>>,
}

/// The sources to update when the next wait begins: socks whose request does not cover what is armed, pipes that must
/// post a packet, and waitables that must post a packet or begin a wait. Several changes between two waits thus cost
/// one request.
pub(super) struct UpdateQueue {
    socks: VecDeque<Arc<Sock>>,
    postings: VecDeque<Arc<dyn Posting>>,
    /// Whether a blocking wait is in progress. If it is, the thread that changes a source updates it at once: AFD
    /// accepts requests from any thread.
    waiting: bool,
}

// Open.

impl SelectorState {
    pub fn new() -> io::Result<SelectorState> {
        let queue = UpdateQueue { socks: VecDeque::new(), postings: VecDeque::new(), waiting: false };
        Ok(SelectorState {
            port: Arc::new(Port::new()?),
            groups: PollGroups::new(),
            queue: Mutex::new(queue),
            pipes: Mutex::new(Vec::new()),
            waitables: Mutex::new(Vec::new()),
        })
    }

    pub fn new_sock(&self, socket: SOCKET, source_socket: Option<SOCKET>, write_shut_down: bool) -> io::Result<Sock> {
        Sock::new(&self.groups, &self.port, socket, source_socket, write_shut_down)
    }

    /// Adds a pipe to the list of pipes whose operations `SelectorState::drop` cancels.
    pub fn track_pipe(&self, pipe: &Arc<Pipe>) {
        track(&self.pipes, pipe);
    }

    /// Creates a waitable whose wait `SelectorState::drop` ends.
    pub fn new_waitable(&self) -> Arc<Waitable> {
        let waitable = Arc::new(Waitable::new(&self.port));
        track(&self.waitables, &waitable);
        waitable
    }
}

fn track<T>(list: &Mutex<Vec<Weak<T>>>, source: &Arc<T>) {
    let mut list = lock(list);
    // Before the list grows, remove the sources that no longer exist.
    if list.len() == list.capacity() {
        list.retain(|source| source.strong_count() > 0);
        let len = list.len();
        list.reserve(len + 1);
    }
    list.push(Arc::downgrade(source));
}

// The update queue.
//
// A sock sets its `UpdateState` under its own lock. The push follows after that lock is released. This is safe: a
// thread that sees `Queued` in between relies on the push, or on the immediate update, that the first thread is about
// to make, and the update reads the newest `armed`. The same holds for a pipe or a waitable and its `PostState`. So the
// queue's lock is never taken while a sock, a pipe or a waitable is locked.

/// A source that posts packets itself: a pipe or a waitable.
pub(super) trait Posting: Send + Sync {
    /// Posts a packet, if there is something to report.
    fn update(self: Arc<Self>, port: &Port) -> Update;
}

impl Posting for Pipe {
    fn update(self: Arc<Pipe>, port: &Port) -> Update {
        Pipe::update(&self, port)
    }
}

impl Posting for Waitable {
    fn update(self: Arc<Waitable>, port: &Port) -> Update {
        Waitable::update(&self, port)
    }
}

impl SelectorState {
    /// Carries out the update that a method of the sock has returned.
    pub fn schedule(&self, sock: &Arc<Sock>, update: Update) {
        match update {
            Update::None => {}
            Update::Enqueue => {
                let mut queue = lock(&self.queue);
                if !queue.waiting {
                    push(&mut queue.socks, Arc::clone(sock));
                    return;
                }
                drop(queue);
                self.schedule(sock, sock.update(&self.port, false));
            }
            // If no wait is in progress, the next wait updates the sock, which is in the queue.
            Update::IfWaiting => {
                let waiting = lock(&self.queue).waiting;
                if waiting {
                    self.schedule(sock, sock.update_deferred(&self.port));
                }
            }
            // The submit or the cancel failed for lack of memory. End the blocking wait so that the next one tries
            // again. If this post fails too, the next attempt follows when the wait ends for another reason.
            Update::Retry => {
                push(&mut lock(&self.queue).socks, Arc::clone(sock));
                let _no_memory = self.port.post(KEY_NOTIFIER, ptr::null_mut());
            }
        }
    }

    /// Carries out the update that a method of the pipe or the waitable has returned.
    pub fn schedule_posting<T: Posting + 'static>(&self, source: &Arc<T>, update: Update) {
        let posting = || Arc::clone(source) as Arc<dyn Posting>;
        let update = match update {
            Update::Enqueue => {
                let mut queue = lock(&self.queue);
                if !queue.waiting {
                    push(&mut queue.postings, posting());
                    return;
                }
                drop(queue);
                posting().update(&self.port)
            }
            update => update,
        };
        // The packet could not be posted, or the wait could not begin, for lack of memory. The next wait at the port
        // tries again. To end a blocked wait, post a packet of the notifier; if this post fails too, the next attempt
        // follows when the wait ends for another reason.
        if update == Update::Retry {
            push(&mut lock(&self.queue).postings, posting());
            let _no_memory = self.port.post(KEY_NOTIFIER, ptr::null_mut());
        }
    }

    /// Begins a wait: submits the requests of queued socks, and posts the packets of queued pipes and waitables. If the
    /// wait may block, each thread that changes a source updates it at once until the wait ends.
    pub fn begin_wait(&self, may_block: bool) -> WaitGuard<'_> {
        if self.port.take_failed_post() {
            self.repeat_failed_posts();
        }
        let (socks, postings) = {
            let mut queue = lock(&self.queue);
            queue.waiting = may_block;
            (queue.socks.len(), queue.postings.len())
        };
        let mut wait = WaitGuard { shared: self, all_updated: true };
        for _ in 0..postings {
            let posting = match lock(&self.queue).postings.pop_front() {
                Some(posting) => posting,
                None => break,
            };
            if Arc::clone(&posting).update(&self.port) == Update::Retry {
                push(&mut lock(&self.queue).postings, posting);
            }
        }
        for _ in 0..socks {
            let sock = match lock(&self.queue).socks.pop_front() {
                Some(sock) => sock,
                None => break,
            };
            if sock.update(&self.port, may_block) == Update::Retry {
                push(&mut lock(&self.queue).socks, sock);
            }
        }
        wait.all_updated = {
            let queue = lock(&self.queue);
            queue.socks.is_empty() && queue.postings.is_empty()
        };
        wait
    }

    /// Queues the waitables whose packet the thread pool could not post.
    #[cold]
    fn repeat_failed_posts(&self) {
        let waitables: Vec<_> = lock(&self.waitables).iter().filter_map(Weak::upgrade).collect();
        for waitable in waitables {
            self.schedule_posting(&waitable, waitable.repeat_failed_post());
        }
    }
}

fn push<T: ?Sized>(queue: &mut VecDeque<Arc<T>>, source: Arc<T>) {
    // Before the queue grows, remove the sources that only the queue still references: they were dropped.
    if queue.len() == queue.capacity() {
        queue.retain(|source| Arc::strong_count(source) > 1);
        queue.reserve(queue.len() + 1);
    }
    queue.push_back(source);
}

/// A wait in progress. After the guard is dropped, even by an early return with an error, changed sources are queued
/// instead of updated at once.
pub(super) struct WaitGuard<'a> {
    shared: &'a SelectorState,
    all_updated: bool,
}

/// The longest time that a wait blocks while the queue holds sources whose update was deferred or failed.
const MAX_DEFERRAL: Duration = Duration::from_millis(1);

impl WaitGuard<'_> {
    /// Ends the wait. Returns whether all queued sources were updated.
    pub fn finish(self) -> bool {
        self.all_updated
    }

    /// Returns how long the wait may block.
    pub fn limit_timeout(&self, timeout: Option<Duration>) -> Option<Duration> {
        match timeout {
            _ if self.all_updated => timeout,
            Some(timeout) => Some(cmp::min(timeout, MAX_DEFERRAL)),
            None => Some(MAX_DEFERRAL),
        }
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        lock(&self.shared.queue).waiting = false;
    }
}

// Packets.

/// A dequeued packet, and the kernel reference that it owned, if any.
enum Packet {
    /// The program has queued the packet.
    Foreign,
    Notifier,
    Sock(Arc<Sock>),
    /// The address is that of the completed operation, or another one.
    Pipe(Arc<Pipe>, *mut c_void),
    Waitable(Arc<Waitable>),
}

/// The meaning of a dequeued packet.
pub(super) enum Outcome {
    Nothing,
    Notified,
    Event(RawEvent),
    /// The sock of a `SourceSocket`, which is not registered any more.
    Unregistered(Arc<Sock>),
}

impl SelectorState {
    /// Handles a dequeued packet.
    ///
    /// # Safety
    ///
    /// `Port::dequeue` has returned the packet. This is called once for each packet.
    pub unsafe fn complete(&self, packet: &OVERLAPPED_ENTRY) -> Outcome {
        // SAFETY: the caller promises the same.
        match unsafe { self.decode(packet) } {
            Packet::Foreign => Outcome::Nothing,
            Packet::Notifier => Outcome::Notified,
            Packet::Sock(sock) => {
                // SAFETY: the caller promises that the packet was dequeued, and that this is called once for it.
                let (completion, update) = unsafe { sock.complete() };
                self.schedule(&sock, update);
                match completion {
                    Completion::Nothing => Outcome::Nothing,
                    Completion::Event(event) => Outcome::Event(event),
                    Completion::Unregistered => Outcome::Unregistered(sock),
                }
            }
            Packet::Pipe(pipe, operation) => {
                // SAFETY: as above.
                let (event, update) = unsafe { pipe.complete(&self.port, operation) };
                self.schedule_posting(&pipe, update);
                event.map_or(Outcome::Nothing, Outcome::Event)
            }
            Packet::Waitable(waitable) => {
                let (event, update) = waitable.complete();
                self.schedule_posting(&waitable, update);
                event.map_or(Outcome::Nothing, Outcome::Event)
            }
        }
    }

    /// Takes over the kernel reference that the packet owns.
    ///
    /// # Safety
    ///
    /// As for `complete`.
    unsafe fn decode(&self, packet: &OVERLAPPED_ENTRY) -> Packet {
        let decoded = match self.port.key_of(packet) {
            Some(KEY_NOTIFIER) => return Packet::Notifier,
            // SAFETY: the offset is random, so a packet of the program has this key only by chance, which this crate
            // accepts (`Port::key_offset`). This crate queues one packet for each reference. The caller promises that
            // this is called once for the packet.
            Some(KEY_AFD) => Packet::Sock(unsafe { Sock::from_packet(packet.lpOverlapped) }),
            // SAFETY: as above.
            Some(KEY_WAITABLE) => Packet::Waitable(unsafe { Waitable::from_packet(packet.lpOverlapped) }),
            Some(key) if Pipe::is_packet(key, packet.lpOverlapped) => {
                // SAFETY: as above.
                Packet::Pipe(unsafe { Pipe::from_packet(key) }, packet.lpOverlapped)
            }
            _ => return Packet::Foreign,
        };
        self.port.remove_pending_packet();
        decoded
    }
}

// Close.

/// How long `drop` waits for each batch of packets that are still to come.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Memory that the kernel still writes to must not be freed. So `drop` cancels everything that is pending, ends all
/// waits of the thread pool, and waits for the packets.
impl Drop for SelectorState {
    fn drop(&mut self) {
        self.groups.cancel_all();
        let pipes = mem::take(&mut *lock(&self.pipes));
        for pipe in pipes.iter().filter_map(Weak::upgrade) {
            pipe.cancel_all();
        }
        let waitables = mem::take(&mut *lock(&self.waitables));
        for waitable in waitables.iter().filter_map(Weak::upgrade) {
            waitable.deregister();
        }
        let mut buffer = [MaybeUninit::uninit(); 32];
        while self.port.pending_packets() > 0 {
            let packets = match self.port.dequeue(&mut buffer, Some(DRAIN_TIMEOUT)) {
                Ok(packets) if !packets.is_empty() => packets,
                // The packets do not arrive. No code drops their kernel references, so the sources are never freed.
                _ => return,
            };
            for packet in packets {
                // SAFETY: `dequeue` has just returned the packet, and each packet is decoded once.
                if let Packet::Pipe(pipe, operation) = unsafe { self.decode(packet) } {
                    // The program may still have the pipe, and then reads the result of the operation from it.
                    // SAFETY: as above.
                    let _no_wait_reports_it = unsafe { pipe.complete(&self.port, operation) };
                }
            }
        }
    }
}
