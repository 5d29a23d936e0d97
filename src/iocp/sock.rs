//! A sock: the state of one registered socket, and its one poll request.
//!
//! A sock has at most one pending request, because AFD mixes up the results of two requests for one socket. A sock that
//! needs more events than its request covers cancels the request, and submits a new one when the packet of the
//! cancelled request has been dequeued:
//!
//! ```text
//!              submit                                cancel
//!     Idle ──────────────► Pending ─────────────────────────────────────► Cancelled
//!      ▲                      │                                               │
//!      └──────────────────────┴────── its packet is dequeued ◄────────────────┘
//! ```
//!
//! A sock that needs fewer events does nothing: the surplus is filtered when the request completes. wepoll works in the
//! same way. Two other methods cancel the request: `deregister`, and `register` for a `SourceSocket`.
//!
//! The modes work by *arming* (defined in [`iocp`](super)). A report disarms the reported events in edge mode, all
//! events in oneshot mode, and none in level mode. In edge mode the program's reads and writes arm the used direction
//! again ([`SourceState::rearm`](super::SourceState::rearm)). The next request then completes at once if the condition
//! still holds. So bytes that the program left unread are reported again, unlike in the edge mode of the other systems.
//! A program that reads once per event therefore receives all its data.
//!
//! A sock does not know the selector. Each method that can make a submit or a cancel necessary returns an [`Update`],
//! which the caller passes to [`SelectorState::schedule`](super::selector_state::SelectorState::schedule) after the
//! sock's lock is released.

use std::io;
use std::mem;
use std::os::raw::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::afd::PollRequest;
use super::event::{flags, RawEvent, FAILED, INPUT, POLL_REJECTED, WRITE_CLOSED};
use super::ffi::{AFD_POLL_DISCONNECT, AFD_POLL_LOCAL_CLOSE, SOCKET};
use super::poll_group::{GroupMember, PollGroups};
use super::port::{Port, KEY_AFD};
use super::winsock::{base_socket, has_unread_bytes};
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

pub(super) struct Sock {
    group: GroupMember,
    /// The socket that AFD knows.
    base_socket: SOCKET,
    /// The program's number of the socket, for a `SourceSocket` only. The selector keeps the sock under this number.
    pub source_socket: Option<SOCKET>,
    /// The armed events. Changed only under the lock of `state`.
    armed: AtomicU32,
    /// Whether the program used the socket after the request was submitted.
    used_since_submit: AtomicBool,
    state: Mutex<State>,
    request: PollRequest,
}

struct State {
    /// `None`: not registered.
    interest: Option<Interest>,
    token: Token,
    /// Whether the program shut down writing.
    write_shut_down: bool,
    request_state: RequestState,
    update_state: UpdateState,
}

/// The state of the request. While it is not `Idle`, the kernel owns a reference to the sock.
enum RequestState {
    Idle,
    /// Submitted, for these events.
    Pending {
        events: u32,
    },
    /// Cancelled, and its packet has not been dequeued. The request may have completed before it was cancelled.
    Cancelled,
}

/// The sock's state in the update queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UpdateState {
    /// Not in the queue, and no update is needed.
    NotQueued,
    /// In the queue, or a thread is about to push or to update the sock.
    Queued,
    /// In the queue, and the current wait began without updating the sock.
    Deferred,
}

/// The update that a method of a sock, a pipe or a waitable makes necessary. The caller passes the update to
/// `SelectorState::schedule` or `SelectorState::schedule_posting`.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Update {
    /// Nothing.
    None,
    /// Queue the source for the next wait. If a blocking wait is in progress, update the source now.
    Enqueue,
    /// The source is queued already, but the current wait deferred it. If that wait still blocks, update the source
    /// now.
    IfWaiting,
    /// Queue the source again: its update failed or was deferred.
    Retry,
}

/// The result of a completed request.
pub(super) enum Completion {
    Nothing,
    Event(RawEvent),
    /// The request of a `SourceSocket` has completed after its deregistration, or because the program closed the socket
    /// without deregistering it.
    Unregistered,
}

impl Sock {
    pub fn new(
        groups: &PollGroups,
        port: &Port,
        socket: SOCKET,
        source_socket: Option<SOCKET>,
        write_shut_down: bool,
    ) -> io::Result<Sock> {
        let base_socket = base_socket(socket)?;
        let state = State {
            interest: None,
            token: Token(0),
            write_shut_down,
            request_state: RequestState::Idle,
            update_state: UpdateState::NotQueued,
        };
        Ok(Sock {
            group: groups.acquire(port)?,
            base_socket,
            source_socket,
            armed: AtomicU32::new(0),
            used_since_submit: AtomicBool::new(false),
            state: Mutex::new(state),
            request: PollRequest::new(base_socket),
        })
    }

    /// Returns the events that stay armed as long as the socket is registered. A `SourceSocket` can be closed without
    /// this crate knowing, so one request with `AFD_POLL_LOCAL_CLOSE` stays pending even if nothing else is armed.
    fn always_armed(&self) -> u32 {
        match self.source_socket {
            Some(_) => AFD_POLL_LOCAL_CLOSE,
            None => 0,
        }
    }
}

// Register, reregister, deregister.

impl Sock {
    /// Registers the socket, or changes its registration. In every mode, a condition that already holds is reported
    /// again.
    ///
    /// # Errors
    ///
    /// The system's error, for a `SourceSocket` whose request cannot be cancelled. The registration is then unchanged.
    pub fn register(&self, token: Token, interest: Interest) -> io::Result<Update> {
        let mut state = lock(&self.state);
        if let (Some(_), RequestState::Pending { .. }) = (self.source_socket, &state.request_state) {
            // The program may have closed the socket, and its number may now name another socket. The request then
            // belongs to the closed socket. `complete` ignores the result, and the next update submits a request for
            // the socket that has the number now.
            self.cancel()?;
            state.request_state = RequestState::Cancelled;
        }
        state.interest = Some(interest);
        state.token = token;
        let hang_up = if interest.has_no_direction() && state.write_shut_down { AFD_POLL_DISCONNECT } else { 0 };
        self.armed.store(flags(interest) | hang_up | self.always_armed(), Ordering::Release);
        Ok(self.request_update(&mut state))
    }

    /// Ends the registration. Returns whether the request is idle, and so no packet is to come.
    pub fn deregister(&self) -> bool {
        let mut state = lock(&self.state);
        state.interest = None;
        self.armed.store(0, Ordering::Release);
        if let RequestState::Pending { .. } = state.request_state {
            state.request_state = match self.cancel() {
                Ok(()) => RequestState::Cancelled,
                // The request stays pending for longer. `complete` ignores its result while `interest` is `None`. If
                // the program registers the socket again, `events: 0` makes the next update cancel the request.
                Err(_) => RequestState::Pending { events: 0 },
            };
        }
        matches!(state.request_state, RequestState::Idle)
    }

    pub fn is_registered(&self) -> bool {
        lock(&self.state).interest.is_some()
    }

    /// Returns whether AFD knows `socket` by the same number as the socket of this sock.
    ///
    /// # Errors
    ///
    /// The system's error: `socket` is not a socket.
    pub fn has_base_of(&self, socket: SOCKET) -> io::Result<bool> {
        Ok(base_socket(socket)? == self.base_socket)
    }

    /// In edge mode, arms the direction that the program has just used. Priority data belongs to neither direction, and
    /// only `register` arms it. A read does not receive the urgent byte: if a read armed priority data, the next
    /// request would complete at once, until the program has received the byte with `MSG_OOB`.
    pub fn rearm(&self, direction: Interest) -> Update {
        let used = flags(direction);
        // This stores `used_since_submit` and then loads `armed`. `complete` stores `armed` and then loads
        // `used_since_submit`. All four accesses are `SeqCst`, so at least one side sees the other's store, and no
        // rearm is lost.
        self.used_since_submit.store(true, Ordering::SeqCst);
        if self.armed.load(Ordering::SeqCst) & used == used {
            // The direction is still armed.
            return Update::None;
        }
        let mut state = lock(&self.state);
        match state.interest {
            Some(interest) if interest.is_edge() => {
                self.armed.fetch_or(used & flags(interest), Ordering::AcqRel);
                self.request_update(&mut state)
            }
            // Level mode never disarms, oneshot mode is armed by `register` only, and a deregistered socket stays
            // disarmed.
            _ => Update::None,
        }
    }

    /// Records that the program has shut down writing, which AFD does not report.
    pub fn write_shut_down(&self) -> Update {
        let mut state = lock(&self.state);
        state.write_shut_down = true;
        let disconnect = match state.interest {
            // If `AFD_POLL_DISCONNECT` was reported before, report it again, now with `WRITE_CLOSED`.
            Some(interest) if interest.is_edge() && interest.is_readable() => AFD_POLL_DISCONNECT,
            // The peer's end is a hang-up from now on. A oneshot registration that was reported stays disarmed.
            Some(interest) if interest.has_no_direction() && self.armed.load(Ordering::Acquire) & FAILED != 0 => {
                AFD_POLL_DISCONNECT
            }
            _ => return Update::None,
        };
        self.armed.fetch_or(disconnect, Ordering::AcqRel);
        self.request_update(&mut state)
    }
}

// Submit and cancel.

impl Sock {
    /// Requests an update if one is needed and not queued yet.
    fn request_update(&self, state: &mut State) -> Update {
        if !self.needs_update(state) {
            return Update::None;
        }
        match state.update_state {
            UpdateState::NotQueued => {
                state.update_state = UpdateState::Queued;
                Update::Enqueue
            }
            // The update that is still to come reads the newest `armed`.
            UpdateState::Queued => Update::None,
            UpdateState::Deferred => Update::IfWaiting,
        }
    }

    /// Returns whether events are armed that the request does not cover.
    fn needs_update(&self, state: &State) -> bool {
        let armed = self.armed.load(Ordering::Acquire);
        match state.request_state {
            RequestState::Idle => armed != 0,
            // The request may cover more than is armed; the surplus is filtered when it completes.
            RequestState::Pending { events } => armed & !events != 0,
            // `complete` requests the update when the packet of the cancelled request has been dequeued.
            RequestState::Cancelled => false,
        }
    }

    /// Updates a sock that is not in the queue: the wait that is starting has popped the sock, or a thread that changed
    /// the sock during a blocking wait has not pushed it. Returns [`Update::Retry`] if the sock must be queued again.
    ///
    /// Before a blocking wait (`may_block`), the submit is deferred, for one wait of at most 1 ms, if only closing
    /// events are armed (`FAILED`, `AFD_POLL_DISCONNECT` and `AFD_POLL_LOCAL_CLOSE`). The program was probably just
    /// notified of data and will read, which arms `AFD_POLL_RECEIVE`; a request that is submitted now would have to be
    /// cancelled then. A registration without a direction is not deferred, because reading arms nothing more.
    pub fn update(self: &Arc<Sock>, port: &Port, may_block: bool) -> Update {
        let mut state = lock(&self.state);
        let only_closing =
            self.armed.load(Ordering::Acquire) & !(FAILED | AFD_POLL_DISCONNECT | AFD_POLL_LOCAL_CLOSE) == 0;
        // A sock that was deferred is not deferred again.
        let may_defer = may_block
            && state.update_state == UpdateState::Queued
            && state.interest.map_or(true, |interest| !interest.has_no_direction());
        state.update_state = UpdateState::NotQueued;
        if !self.needs_update(&state) {
            // Another change, or the end of a request, has made the update superfluous.
            return Update::None;
        }
        if may_defer && only_closing {
            state.update_state = UpdateState::Deferred;
            return Update::Retry;
        }
        self.submit_or_cancel(port, &mut state)
    }

    /// Updates a deferred sock during the wait that deferred it. The sock stays in the queue.
    pub fn update_deferred(self: &Arc<Sock>, port: &Port) -> Update {
        let mut state = lock(&self.state);
        if state.update_state == UpdateState::Deferred && self.needs_update(&state) {
            return self.submit_or_cancel(port, &mut state);
        }
        // A wait that began in the meantime has updated the sock, or the update is no longer needed.
        Update::None
    }

    fn submit_or_cancel(self: &Arc<Sock>, port: &Port, state: &mut State) -> Update {
        match state.request_state {
            RequestState::Idle => self.submit(port, state),
            RequestState::Pending { .. } => match self.cancel() {
                Ok(()) => {
                    state.request_state = RequestState::Cancelled;
                    Update::None
                }
                // The only known cause is that the kernel has no memory. The request stays pending, and the next wait
                // tries again.
                Err(_) => self.retry(state),
            },
            // Its packet is still to come.
            RequestState::Cancelled => Update::None,
        }
    }

    fn submit(self: &Arc<Sock>, port: &Port, state: &mut State) -> Update {
        let events = self.armed.load(Ordering::Acquire);
        self.used_since_submit.store(false, Ordering::SeqCst);
        let device = self.group.device();
        let packet_address = Arc::into_raw(Arc::clone(self)) as *mut c_void;
        port.add_pending_packet();
        // With this flag, closing the socket completes every request, even one that `deregister` could not cancel.
        let requested = events | AFD_POLL_LOCAL_CLOSE;
        // SAFETY: the request is `Idle`, so it is not pending, and this thread holds the lock of `state`, under which
        // all calls are made. The packet will own the reference that `into_raw` has just returned, so the sock does not
        // move and is not freed until the packet has been dequeued.
        let accepted = unsafe { self.request.submit(self.base_socket, device.as_deref(), requested, packet_address) };
        state.request_state = RequestState::Pending { events };
        // The packet of a rejected request is posted here, so rejection becomes an event of this source, like every
        // other result.
        if !accepted && port.post(KEY_AFD, packet_address).is_err() {
            // SAFETY: neither the kernel nor the port has accepted the packet, so the reference is still owned here.
            drop(unsafe { Sock::from_packet(packet_address) });
            port.remove_pending_packet();
            state.request_state = RequestState::Idle;
            return self.retry(state);
        }
        Update::None
    }

    /// Requests another attempt after the kernel had no memory.
    fn retry(&self, state: &mut State) -> Update {
        match state.update_state {
            UpdateState::NotQueued => {
                state.update_state = UpdateState::Queued;
                Update::Retry
            }
            // The sock is still in the queue.
            UpdateState::Queued | UpdateState::Deferred => Update::None,
        }
    }

    fn cancel(&self) -> io::Result<()> {
        self.request.cancel(self.group.device().as_deref())
    }
}

// Complete.

impl Sock {
    /// Takes over the reference that a packet owns.
    ///
    /// # Safety
    ///
    /// The address is that of a [`KEY_AFD`] packet that was dequeued and not posted again, or that neither the kernel
    /// nor the port has accepted. This is called once for each packet.
    pub unsafe fn from_packet(address: *mut c_void) -> Arc<Sock> {
        // SAFETY: `submit` has made the address with `into_raw`, for this one packet.
        unsafe { Arc::from_raw(address as *const Sock) }
    }

    /// Converts the result of the request to an event, disarms as the mode requires, and requests the next update.
    ///
    /// # Safety
    ///
    /// The packet of the request has been dequeued. This is called once for each packet.
    pub unsafe fn complete(&self) -> (Completion, Update) {
        let mut state = lock(&self.state);
        let request_state = mem::replace(&mut state.request_state, RequestState::Idle);
        // SAFETY: the caller promises that the packet has been dequeued. The request was not `Idle` before this method
        // took the lock, so no thread has submitted it again.
        let events = unsafe { self.request.result() };
        let interest = match state.interest {
            Some(interest) => interest,
            None if self.source_socket.is_some() => return (Completion::Unregistered, Update::None),
            // The program has deregistered or dropped the source.
            None => return (Completion::Nothing, Update::None),
        };
        if let (Some(_), RequestState::Cancelled) = (self.source_socket, request_state) {
            // The program has registered the number since the request was submitted: see `register`.
            return (Completion::Nothing, self.request_update(&mut state));
        }
        // For an invalid handle, `PollRequest::result` returns both `POLL_REJECTED` and `AFD_POLL_LOCAL_CLOSE`. For a
        // `SourceSocket`, this result means that the socket was closed. Every other source owns its socket, so there
        // this result means that AFD does not accept the socket.
        let is_rejected = events & POLL_REJECTED != 0 && self.source_socket.is_none();
        if events & AFD_POLL_LOCAL_CLOSE != 0 && !is_rejected {
            // The program closed the socket without deregistering it, which a `SourceSocket` allows.
            state.interest = None;
            self.armed.store(0, Ordering::Release);
            return (Completion::Unregistered, Update::None);
        }
        let armed = self.armed.load(Ordering::Acquire);
        // The request may have been submitted for events that are no longer armed.
        let events = events & (armed | POLL_REJECTED);
        if events == 0 {
            // In most cases, the request was cancelled.
            return (Completion::Nothing, self.request_update(&mut state));
        }
        if events & POLL_REJECTED != 0 && self.source_socket.is_none() {
            // The kernel would reject the next request too. Ignore `rearm` until the program registers the socket
            // again.
            state.interest = None;
        }
        if state.update_state == UpdateState::Deferred {
            // The update was deferred after an earlier report. After this report, it may be deferred once more.
            state.update_state = UpdateState::Queued;
        }
        self.armed.store(self.armed_after(interest, armed, events), Ordering::SeqCst);
        if interest.is_edge() && self.already_consumed(events) {
            self.armed.fetch_or(events, Ordering::AcqRel);
        }
        let both_directions_closed = events & AFD_POLL_DISCONNECT != 0 && state.write_shut_down;
        let events = if both_directions_closed { events | WRITE_CLOSED } else { events };
        let event = RawEvent { events, token: state.token };
        (Completion::Event(event), self.request_update(&mut state))
    }

    /// Returns the events that stay armed after `events` are reported.
    fn armed_after(&self, interest: Interest, armed: u32, events: u32) -> u32 {
        if events & POLL_REJECTED != 0 {
            // The kernel does not accept this socket, so no other event can follow.
            0
        } else if interest.is_level() {
            armed
        } else if interest.is_oneshot() || events & FAILED != 0 {
            // In oneshot mode, nothing more is reported. In edge mode, a failed connection has nothing left to report.
            self.always_armed()
        } else if events & INPUT != 0 {
            // `INPUT` is one condition: data for a stream, connections for a listener. So disarm both flags.
            armed & !(events | INPUT)
        } else {
            armed & !events
        }
    }

    /// Returns whether the reported data or connection may already be consumed: the program used the socket after the
    /// request was submitted, and nothing is unread now. When the program used the socket, `rearm` did nothing, because
    /// the direction was still armed. So `complete` rearms the direction.
    fn already_consumed(&self, events: u32) -> bool {
        events & !INPUT == 0 && self.used_since_submit.load(Ordering::SeqCst) && !has_unread_bytes(self.base_socket)
    }
}
