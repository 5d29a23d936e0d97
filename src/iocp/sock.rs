//! A sock: a source of ours as this queue sees it, what it wants, and the one request that asks AFD for that.
//!
//! There is never more than one request out for a sock, since AFD mixes up the answers of two. So a sock that wants
//! something else than it has asked for must get its request back first:
//!
//! ```text
//!              submit                        cancel, to ask for more
//!     Idle ──────────────► Pending ─────────────────────────────────────► Cancelled
//!      ▲                      │                                               │
//!      └──────────────────────┴── its packet is taken from the port ◄─────────┘
//! ```
//!
//! To ask for less needs nothing: what a request brings is held against what is wanted when it comes.
//!
//! What is *armed* makes the modes. Whatever is armed is asked for; a report disarms, in edge mode, what it has told;
//! in oneshot mode, everything; in level mode, nothing. In edge mode the program's own reading and writing arms again
//! ([`SourceState::rearm`]): the next request then tells what is so at that time, or becomes so later. That is more
//! than an edge, as it tells of what was left unread as well, and this saves the program that reads once per event.

use std::io;
use std::os::raw::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::afd::Request;
use super::event::{flags, RawEvent, ARRIVED, BROKEN, FINISHED, REFUSED};
use super::ffi::{AFD_POLL_DISCONNECT, AFD_POLL_LOCAL_CLOSE, SOCKET};
use super::poll_group::Place;
use super::port::{Port, AFD, NOTIFIER};
use super::winsock::{base_socket, has_unread};
use crate::event::Token;
use crate::sync::lock;
use crate::Interest;

/// What this queue keeps inside a source: its sock, from the first registration on. It ends with the source.
#[derive(Default)]
pub(crate) struct SourceState {
    sock: Option<Arc<Sock>>,
    /// The program has shut down writing.
    has_ended: AtomicBool,
}

impl SourceState {
    /// Whether [`rearm`](SourceState::rearm) does anything.
    pub const NEEDS_REARM: bool = true;

    /// Looks for the next edge of a direction that the program has just used.
    #[inline]
    pub fn rearm(&self, direction: Interest) {
        if let Some(sock) = &self.sock {
            sock.rearm(direction);
        }
    }

    /// The program has shut down writing. AFD says nothing of it, so it has to be kept in mind.
    pub fn write_shut_down(&self) {
        self.has_ended.store(true, Ordering::Release);
        if let Some(sock) = &self.sock {
            sock.write_shut_down();
        }
    }

    /// The sock at this port. A source that was registered with another poll before gets a new one.
    pub(super) fn sock_at(&mut self, port: &Arc<Port>, socket: SOCKET, raw: Option<SOCKET>) -> io::Result<&Arc<Sock>> {
        match &self.sock {
            Some(sock) if sock.port.as_ptr() == Arc::as_ptr(port) => {}
            _ => {
                let has_ended = *self.has_ended.get_mut();
                let sock = Arc::new(Sock::new(port, socket, raw, has_ended)?);
                *self = SourceState { sock: Some(sock), has_ended: AtomicBool::new(has_ended) };
            }
        }
        self.sock.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn sock(&self) -> Option<&Arc<Sock>> {
        self.sock.as_ref()
    }
}

impl Drop for SourceState {
    fn drop(&mut self) {
        if let Some(sock) = &self.sock {
            sock.deregister();
        }
    }
}

pub(super) struct Sock {
    /// Sources don't keep their poll alive.
    port: Weak<Port>,
    place: Place,
    /// The socket as AFD knows it.
    base: SOCKET,
    /// The program's number for it, where that is all that the program has: the selector remembers it by this.
    pub raw: Option<SOCKET>,
    /// The events that are asked for as soon as they can be. Changes only under the lock.
    armed: AtomicU32,
    /// The program has used the source since the request was made.
    used: AtomicBool,
    state: Mutex<State>,
    request: Request,
}

struct State {
    /// `None`: not registered.
    interest: Option<Interest>,
    token: Token,
    /// The program has shut down writing.
    has_ended: bool,
    /// There was a report since it was registered.
    was_told: bool,
    poll: AfdPoll,
    queued: Queued,
}

/// Whether it stands in the port's queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Queued {
    No,
    Yes,
    /// A wait has begun without it, since there was no hurry.
    PassedOver,
}

/// Where the request is. While it is out, the kernel has a reference to the sock.
enum AfdPoll {
    Idle,
    /// Out, and these events were asked for.
    Pending {
        events: u32,
    },
    /// Out, but on its way back; too late, if it had ended by itself before.
    Cancelled {
        in_time: bool,
    },
}

/// What a packet has brought.
pub(super) enum News {
    Nothing,
    Event(RawEvent),
    /// The socket was closed, without a word to us.
    Closed,
}

impl Sock {
    fn new(port: &Arc<Port>, socket: SOCKET, raw: Option<SOCKET>, has_ended: bool) -> io::Result<Sock> {
        let base = base_socket(socket)?;
        let idle = State {
            interest: None,
            token: Token(0),
            has_ended,
            was_told: false,
            poll: AfdPoll::Idle,
            queued: Queued::No,
        };
        Ok(Sock {
            place: port.helpers.take_place(port)?,
            port: Arc::downgrade(port),
            base,
            raw,
            armed: AtomicU32::new(0),
            used: AtomicBool::new(false),
            state: Mutex::new(idle),
            request: Request::new(base),
        })
    }

    /// Armed whatever the program wants, as long as it is registered: somebody must hear when a socket is closed of
    /// which nobody will say so.
    fn always(&self) -> u32 {
        match self.raw {
            Some(_) => AFD_POLL_LOCAL_CLOSE,
            None => 0,
        }
    }
}

// What the program wants.

impl Sock {
    /// Registers, or changes the registration. In every mode, what is so already is told again.
    pub fn register(self: &Arc<Sock>, port: &Port, token: Token, interest: Interest) {
        let mut state = lock(&self.state);
        state.interest = Some(interest);
        state.token = token;
        state.was_told = false;
        self.armed.store(flags(interest) | self.always(), Ordering::Release);
        self.settle(port, &mut state);
    }

    pub fn deregister(&self) {
        let mut state = lock(&self.state);
        state.interest = None;
        self.armed.store(0, Ordering::Release);
        if let AfdPoll::Pending { .. } = state.poll {
            // One that stays out only stays longer: what it brings will be nobody's.
            state.poll = match self.request.cancel(self.place.device().as_deref()) {
                Ok(in_time) => AfdPoll::Cancelled { in_time },
                Err(_) => AfdPoll::Pending { events: 0 },
            };
        }
    }

    /// Whether this still stands for the socket that was registered, for all that can be known. A request that is out
    /// ends when the socket is closed; so one that has ended, or an event that was told, may have been the last of it.
    pub fn is_current(&self) -> bool {
        let mut state = lock(&self.state);
        match state.poll {
            AfdPoll::Idle => !state.was_told,
            AfdPoll::Cancelled { in_time } => in_time,
            AfdPoll::Pending { .. } => match self.request.cancel(self.place.device().as_deref()) {
                Ok(in_time) => {
                    state.poll = AfdPoll::Cancelled { in_time };
                    in_time
                }
                Err(_) => true,
            },
        }
    }

    fn rearm(self: &Arc<Sock>, direction: Interest) {
        let mut wanted = flags(direction);
        // First this is said, and then what is armed is looked at; a report goes about it the other way round. So if
        // this comes too early to see what the report has disarmed, the report sees this.
        self.used.store(true, Ordering::SeqCst);
        if self.armed.load(Ordering::SeqCst) & wanted == wanted {
            return;
        }
        let port = match self.port.upgrade() {
            Some(port) => port,
            None => return,
        };
        let mut state = lock(&self.state);
        wanted &= match state.interest {
            Some(interest) if interest.is_edge() => flags(interest),
            // Level mode disarms nothing, and oneshot is armed by the program's word.
            _ => return,
        };
        self.armed.fetch_or(wanted, Ordering::AcqRel);
        self.settle(&port, &mut state);
    }

    fn write_shut_down(self: &Arc<Sock>) {
        let port = self.port.upgrade();
        let mut state = lock(&self.state);
        state.has_ended = true;
        // If the peer's end was told already, it is news again, as the end of both.
        if let (Some(interest), Some(port)) = (state.interest, &port) {
            if interest.is_edge() {
                self.armed.fetch_or(flags(interest) & AFD_POLL_DISCONNECT, Ordering::AcqRel);
                self.settle(port, &mut state);
            }
        }
    }
}

// What it has asked for.

impl Sock {
    /// Sees to it that what is armed is going to be asked for.
    fn settle(self: &Arc<Sock>, port: &Port, state: &mut State) {
        if !self.lags(state) {
            return;
        }
        let is_late = match state.queued {
            Queued::No => {
                let is_late = !port.enqueue(self);
                state.queued = if is_late { Queued::No } else { Queued::Yes };
                is_late
            }
            Queued::Yes => false,
            Queued::PassedOver => port.is_waiting(),
        };
        if is_late {
            self.catch_up(port, state);
            if state.queued == Queued::Yes {
                // It was put off, and the wait must know. If that fails as well, it knows when it is over.
                let _no_memory = port.post(NOTIFIER, ptr::null_mut());
            }
        }
    }

    /// Called when the sock has been taken out of the queue, by a wait that begins. True: the wait may begin without
    /// it, and it must be put back.
    ///
    /// That is so if the program has just been told of something, and all that is left to be asked for is the end of
    /// the connection. Most often the program is about to read, and then more has to be asked for: that would be a
    /// request for nothing, and another to cancel it.
    pub fn update(self: &Arc<Sock>, port: &Port, may_block: bool) -> bool {
        let mut state = lock(&self.state);
        if !self.lags(&state) {
            state.queued = Queued::No;
            return false;
        }
        let no_hurry = self.armed.load(Ordering::Acquire) & !(BROKEN | AFD_POLL_DISCONNECT | AFD_POLL_LOCAL_CLOSE) == 0;
        if may_block && no_hurry && state.queued == Queued::Yes {
            state.queued = Queued::PassedOver;
            return true;
        }
        state.queued = Queued::No;
        self.catch_up(port, &mut state);
        false
    }

    /// Whether more is armed than was asked for.
    fn lags(&self, state: &State) -> bool {
        let armed = self.armed.load(Ordering::Acquire);
        match state.poll {
            AfdPoll::Idle => armed != 0,
            AfdPoll::Pending { events } => armed & !events != 0,
            // Its packet will see to it.
            AfdPoll::Cancelled { .. } => false,
        }
    }

    fn catch_up(self: &Arc<Sock>, port: &Port, state: &mut State) {
        match state.poll {
            AfdPoll::Idle => self.submit(port, state),
            AfdPoll::Pending { .. } => match self.request.cancel(self.place.device().as_deref()) {
                Ok(in_time) => state.poll = AfdPoll::Cancelled { in_time },
                // No memory, at worst. It goes on with what it has, and the next wait tries again.
                Err(_) => self.later(port, state),
            },
            AfdPoll::Cancelled { .. } => {}
        }
    }

    fn submit(self: &Arc<Sock>, port: &Port, state: &mut State) {
        let events = self.armed.load(Ordering::Acquire);
        self.used.store(false, Ordering::SeqCst);
        let packet = Arc::into_raw(Arc::clone(self)) as *mut c_void;
        let device = self.place.device();
        port.lend();
        // SAFETY: `Idle` says that the request is not out. The reference that has just become a pointer keeps the sock
        // where it is until the packet is taken.
        let accepted =
            unsafe { self.request.submit(self.base, device.as_deref(), events | AFD_POLL_LOCAL_CLOSE, packet) };
        state.poll = AfdPoll::Pending { events };
        // What is refused takes the same way as what is done, and becomes an event of this source alone.
        if !accepted && port.post(AFD, packet).is_err() {
            // SAFETY: neither the kernel nor the port has taken the reference.
            drop(unsafe { Sock::from_packet(packet) });
            port.return_one();
            state.poll = AfdPoll::Idle;
            self.later(port, state);
        }
    }

    /// Has the kernel asked again later: it has no memory.
    fn later(self: &Arc<Sock>, port: &Port, state: &mut State) {
        if state.queued == Queued::No {
            state.queued = Queued::Yes;
            port.retry(self);
        }
    }
}

// What has come of it.

impl Sock {
    /// The reference that was lent to the kernel.
    ///
    /// # Safety
    ///
    /// The address is that of an [`AFD`] packet which was taken from the port and not put back, and this is called
    /// once.
    pub unsafe fn from_packet(address: *mut c_void) -> Arc<Sock> {
        // SAFETY: `submit` has made the address by `into_raw`, for this one packet.
        unsafe { Arc::from_raw(address as *const Sock) }
    }

    /// Called when the request's packet has been taken from the port.
    ///
    /// # Safety
    ///
    /// It has, and this is called once.
    pub unsafe fn complete(self: &Arc<Sock>, port: &Port) -> News {
        let mut state = lock(&self.state);
        state.poll = AfdPoll::Idle;
        // SAFETY: the packet has been taken, says our caller, and since then nothing has been submitted, says the lock.
        let events = unsafe { self.request.answer() };
        let interest = match state.interest {
            Some(interest) => interest,
            // Deregistered, or dropped.
            None => return News::Nothing,
        };
        // A source of ours lives as long as its socket; of such a one this says that AFD does not know it.
        let is_refused = events & REFUSED != 0 && self.raw.is_none();
        if events & AFD_POLL_LOCAL_CLOSE != 0 && !is_refused {
            state.interest = None;
            self.armed.store(0, Ordering::Release);
            return News::Closed;
        }
        let armed = self.armed.load(Ordering::Acquire);
        // Also what was asked for before the program changed its mind.
        let events = events & (armed | REFUSED);
        let mut news = News::Nothing;
        // Nothing at all: it was cancelled, most often.
        if events != 0 {
            state.was_told = true;
            if events & REFUSED != 0 {
                // It would be refused again: until the program registers anew, nothing is asked for.
                state.interest = None;
            }
            if state.queued == Queued::PassedOver {
                // That was for the report before this.
                state.queued = Queued::Yes;
            }
            self.armed.store(self.still_armed(interest, armed, events), Ordering::SeqCst);
            if interest.is_edge() && self.is_over(events) {
                self.armed.fetch_or(events, Ordering::AcqRel);
            }
            let both_ends = events & AFD_POLL_DISCONNECT != 0 && state.has_ended;
            let events = if both_ends { events | FINISHED } else { events };
            news = News::Event(RawEvent { events, token: state.token });
        }
        self.settle(port, &mut state);
        news
    }

    /// What a report of these events leaves armed.
    fn still_armed(&self, interest: Interest, armed: u32, events: u32) -> u32 {
        if events & REFUSED != 0 {
            0
        } else if interest.is_level() {
            armed
        } else if interest.is_oneshot() || events & BROKEN != 0 {
            self.always()
        } else if events & ARRIVED != 0 {
            armed & !(events | ARRIVED)
        } else {
            armed & !events
        }
    }

    /// Whether what these events tell may be over already: the program was faster, and read what has come before it was
    /// told. Then it need not read on account of the report, and nothing would arm for what comes next.
    fn is_over(&self, events: u32) -> bool {
        events & !ARRIVED == 0 && self.used.load(Ordering::SeqCst) && !has_unread(self.base)
    }
}
