//! One source, and what the model requires of its events.

use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
use std::thread;
use std::time::Instant;

use minimio::{Event, Interest, Token};

use crate::rules::{check, Checked};
use crate::support::pair::{Pair, Protocol};
use crate::support::readiness::{readiness, unread_bytes, Readiness, HAS_POLLRDHUP, UNREAD_LIMIT};
use crate::support::system::{self, EVENTS_CAN_BE_STALE, REARMED_BY_THE_PROGRAM};
use crate::support::{BOTH, READ, WAIT_LIMIT, WRITE};

pub const DIRECTIONS: [Interest; 2] = [READ, WRITE];
const READABLE: usize = 0;
const WRITABLE: usize = 1;

pub struct Watched {
    pub slot: usize,
    pub pair: Pair,
    pub registration: Option<Registration>,
    /// The last result of `poll(2)`.
    pub readiness: Readiness,
    /// Whether each direction was ready since its last report.
    was_ready: [bool; 2],
    was_ended: bool,
    has_failed: bool,
    /// Whether the program has shut down writing. The documentation leaves open whether the source is then writable. A
    /// TCP peer acknowledges it at any time, which is one more edge on some systems.
    has_shut_down: bool,
    /// On Windows: whether the program has accepted from a listener since the last report. The queue does not know
    /// whether the reported connection was accepted before the report, so it may repeat the report.
    may_repeat: bool,
    /// How many bytes the peer has sent and the source has not received.
    unread: usize,
}

pub struct Registration {
    pub token: Token,
    pub interest: Interest,
    /// In edge mode: whether the direction must be reported if it is ready.
    is_armed: [bool; 2],
    /// Whether a poll has reported the source since it was registered or reregistered.
    was_reported: bool,
    /// For each direction: whether the source or the peer was used since the last report.
    was_used: [bool; 2],
    /// For each direction: how many polls did not report it although it was ready, and how many events these polls
    /// reported.
    missed: [(usize, usize); 2],
}

/// What a poll has reported for one source.
#[derive(Clone, Copy, Default)]
pub struct Reported {
    pub directions: [bool; 2],
    pub error: bool,
    pub end: bool,
}

impl Watched {
    pub fn new(slot: usize, pair: Pair) -> Watched {
        let mut watched = Watched {
            slot,
            pair,
            registration: None,
            readiness: Readiness::default(),
            was_ready: [false; 2],
            was_ended: false,
            has_failed: false,
            has_shut_down: false,
            may_repeat: false,
            unread: 0,
        };
        watched.look();
        watched
    }

    /// Restricts an interest to the directions of this source.
    pub fn possible(&self, interest: Interest) -> Interest {
        let absent = BOTH.remove(self.pair.directions);
        absent.map_or(Some(interest), |absent| interest.remove(absent)).unwrap_or_else(|| match () {
            () if interest.is_level() => self.pair.directions.level(),
            () if interest.is_oneshot() => self.pair.directions.oneshot(),
            () => self.pair.directions.edge(),
        })
    }

    /// Records that the source was registered or reregistered.
    pub fn set_registered(&mut self, token: Token, interest: Interest) {
        self.registration = Some(Registration {
            token,
            interest,
            is_armed: [true; 2],
            was_reported: false,
            was_used: [true; 2],
            missed: [(0, 0); 2],
        });
    }

    /// Records that the program or the peer used the connection.
    pub fn set_used(&mut self) {
        if let Some(registration) = &mut self.registration {
            registration.was_used = [true; 2];
        }
    }

    /// Requires a report of an edge source when this direction is ready.
    fn arm(&mut self, direction: usize) {
        if let Some(registration) = &mut self.registration {
            registration.is_armed[direction] = true;
        }
    }

    /// Receives at most this many bytes.
    pub fn receive(&mut self, len: usize) -> io::Result<usize> {
        let result = self.pair.source.receive(&mut vec![0; len]);
        match &result {
            Ok(count) => self.unread = self.unread.saturating_sub(*count),
            Err(err) => self.has_failed |= err.kind() != ErrorKind::WouldBlock,
        }
        let has_consumed = matches!(result, Ok(1..)) || would_block(&result);
        if REARMED_BY_THE_PROGRAM && !self.pair.is_raw && has_consumed {
            self.arm(READABLE);
            self.may_repeat |= self.pair.directions == READ && self.pair.protocol == Protocol::Messages;
        }
        result
    }

    /// Sends at most this many bytes.
    pub fn send(&mut self, len: usize) -> io::Result<usize> {
        let result = self.pair.source.send(&vec![7; len]);
        let is_short = matches!(result, Ok(count) if count < len && self.pair.protocol != Protocol::Messages);
        if REARMED_BY_THE_PROGRAM && !self.pair.is_raw && (is_short || would_block(&result)) {
            self.arm(WRITABLE);
        }
        result
    }

    /// Sends until that would block. A system discards datagrams without a limit.
    pub fn fill(&mut self) {
        let most = if self.pair.protocol == Protocol::Messages { 2 } else { 1 << 12 };
        (0..most).take_while(|_| self.send(1 << 14).is_ok()).for_each(drop);
    }

    /// Shuts down writing.
    pub fn shut_down(&mut self) {
        self.has_shut_down |= self.pair.source.shut_down_writing().is_ok();
    }

    /// Lets the peer receive all. If the source could not send, waits until it can.
    pub fn drain_peer(&mut self) {
        let Watched { pair, readiness, .. } = self;
        let was_full = !readiness.is_writable() && pair.protocol == Protocol::Tcp;
        let end = Instant::now() + WAIT_LIMIT;
        loop {
            let mut buf = [0; 1 << 14];
            while let Some(Ok(1..)) = self.pair.peer.as_mut().map(|peer| peer.receive(&mut buf)) {}
            if !was_full || self.look().is_writable() {
                return;
            }
            assert!(Instant::now() < end, "{self}: it cannot send, although its peer has received all");
            thread::yield_now();
        }
    }

    /// Records that the peer has sent this many bytes, a message or a connection. On Windows, an edge source is not
    /// reported again before the program has received something.
    pub fn arrived(&mut self, count: usize) {
        self.unread += count;
        // A message behind an unread one may arrive after the next poll, and nothing shows when. So its report is not
        // required.
        let may_be_late = self.pair.protocol == Protocol::Messages && self.readiness.is_readable();
        if !REARMED_BY_THE_PROGRAM && !may_be_late {
            self.arm(READABLE);
        }
        let expected = self.unread.min(UNREAD_LIMIT);
        let (handle, is_tcp) = (self.pair.source.handle(), self.pair.protocol == Protocol::Tcp);
        self.wait_until(|readiness| readiness.is_readable() && (!is_tcp || unread_bytes(handle) >= expected));
    }

    /// Waits until the system shows that the peer has shut down or closed.
    pub fn wait_for_end(&mut self) {
        if self.pair.protocol != Protocol::Messages {
            self.wait_until(|readiness| readiness.end || !HAS_POLLRDHUP && readiness.is_readable());
        }
    }

    /// Waits until the effect of an operation of the peer has arrived.
    pub fn wait_until(&mut self, has_arrived: impl Fn(Readiness) -> bool) {
        let end = Instant::now() + WAIT_LIMIT;
        loop {
            let readiness = self.look();
            if has_arrived(readiness) || self.has_failed {
                return;
            }
            assert!(Instant::now() < end, "{self}: the system does not show what the peer did");
            thread::yield_now();
        }
    }

    /// Calls `poll(2)` for this source, and records what it shows.
    pub fn look(&mut self) -> Readiness {
        let now = readiness(&[self.pair.source.handle()])[0];
        self.observe(now);
        now
    }

    /// Records what `poll(2)` shows.
    pub fn observe(&mut self, now: Readiness) {
        let before = mem::replace(&mut self.readiness, now);
        let is_stream = self.pair.protocol != Protocol::Messages;
        // Where the program's own operations rearm a source, a new end is reported in any case.
        let (input, output) = match REARMED_BY_THE_PROGRAM {
            true => (now.has_new_end(before), false),
            false => (now.has_new_input(before), now.has_new_output(before, is_stream)),
        };
        for (direction, has_begun) in [input, output].into_iter().enumerate() {
            if has_begun {
                self.arm(direction);
            }
        }
        if now != before {
            self.set_used();
        }
        self.was_ended |= now.end || now.error;
        self.has_failed |= now.error;
        for (was_ready, is_ready) in self.was_ready.iter_mut().zip(now.directions()) {
            *was_ready |= is_ready;
        }
    }

    /// Returns whether the next poll must report this direction.
    pub fn is_due(&self, direction: usize) -> bool {
        let registration = match &self.registration {
            Some(registration) => registration,
            None => return false,
        };
        let is_wanted = includes(registration.interest, direction) && self.readiness.directions()[direction];
        let has_no_reader = self.pair.directions == WRITE && self.pair.peer.is_none();
        let is_promised =
            !has_no_reader || system::write_ends_registered_after_the_reader_closed_are_reported() == Some(true);
        is_wanted
            && is_promised
            && match registration.interest {
                interest if interest.is_oneshot() => !registration.was_reported,
                interest if interest.is_edge() => registration.is_armed[direction],
                _ => true,
            }
    }

    /// Returns whether this is a oneshot source of both directions that a poll has reported.
    pub fn is_reported_oneshot(&self) -> bool {
        self.registration.as_ref().map_or(false, |Registration { interest, was_reported, .. }| {
            *was_reported && interest.is_oneshot() && interest.is_readable() && interest.is_writable()
        })
    }

    /// Returns whether a registration with this interest causes an event.
    pub fn is_ready_for(&self, interest: Interest) -> bool {
        let (interest, ready) = (self.possible(interest), self.readiness.directions());
        (0..DIRECTIONS.len()).any(|direction| includes(interest, direction) && ready[direction])
    }

    /// Returns whether new input from the peer causes an event.
    pub fn will_report_input(&self) -> bool {
        let can_arrive = self.pair.peer.is_some() && !self.was_ended;
        self.registration.as_ref().map_or(false, |registration| {
            let Registration { interest, was_reported, .. } = *registration;
            can_arrive
                && interest.is_readable()
                && !(interest.is_oneshot() && was_reported)
                && !(interest.is_edge() && REARMED_BY_THE_PROGRAM && !registration.is_armed[READABLE])
        })
    }

    /// Checks one event of this source. `was` is the readiness before the poll.
    pub fn check_event(&self, event: &Event, was: Readiness) -> Checked {
        let registration = self.registration.as_ref().expect("the token is that of a registered source");
        let (now, interest) = (self.readiness, registration.interest);
        let detail = || format!("{event:?}, {interest:?}, before the poll {was:?}, after the poll {now:?}");
        check(event.is_readable() || event.is_writable(), "an event is readable or writable", detail)?;
        for (direction, is_reported) in [event.is_readable(), event.is_writable()].into_iter().enumerate() {
            if !is_reported {
                continue;
            }
            let is_wanted = includes(interest, direction) || self.was_ended;
            check(is_wanted, "only the directions of the interest are reported while there is no error", detail)?;
            let is_ready = was.directions()[direction]
                || now.directions()[direction]
                || EVENTS_CAN_BE_STALE && self.was_ready[direction]
                || direction == WRITABLE && self.has_shut_down
                || !includes(interest, direction);
            check(is_ready, "a direction that is not ready is not reported", detail)?;
            if interest.is_edge() {
                let may_repeat = match self.pair.protocol {
                    Protocol::Tcp => self.has_shut_down,
                    Protocol::Local => false,
                    // The model does not know whether all messages have arrived.
                    Protocol::Messages => system::MESSAGES_CAN_BE_LATE,
                };
                let is_new = registration.is_armed[direction] || registration.was_used[direction] || may_repeat;
                check(is_new, "an edge source is reported once if nothing happens", detail)?;
            }
        }
        let repeats = interest.is_oneshot() && registration.was_reported;
        check(!repeats, "a oneshot source is reported once until it is reregistered", detail)?;
        check(!event.is_error() || self.has_failed, "error is reported only after an error", detail)?;
        check(!event.is_read_closed() || self.was_ended, "read closed is reported only at the end", detail)?;
        let is_closed = self.was_ended || self.has_shut_down;
        check(!event.is_write_closed() || is_closed, "write closed is reported only at the end", detail)?;
        let is_end = was.end && now.end && event.is_readable() && interest.is_readable() && !REARMED_BY_THE_PROGRAM;
        check(!is_end || event.is_read_closed(), "a readable event at the end is read closed", detail)
    }

    /// Records what a poll has reported. `was` is the readiness before the poll.
    pub fn set_reported(&mut self, reported: Reported, was: Readiness) {
        let now = self.readiness;
        let registration = match &mut self.registration {
            Some(registration) if reported.directions != [false; 2] => registration,
            _ => return,
        };
        registration.was_reported = true;
        // On Windows, data, the end and an error are reported one after the other, and nothing after an error.
        let is_incomplete = now.end && !reported.end || now.error && !reported.error;
        let has_ended = REARMED_BY_THE_PROGRAM && reported.error;
        for (direction, is_ready) in now.directions().into_iter().enumerate() {
            if reported.directions[direction] || has_ended {
                // An event that came too late does not count: the program used the source before it was reported, which
                // armed it again, unless the crate did not see that.
                registration.is_armed[direction] &= !is_ready && !self.pair.is_raw;
                let may_repeat = REARMED_BY_THE_PROGRAM && is_incomplete || mem::take(&mut self.may_repeat);
                registration.was_used[direction] = now != was || may_repeat;
                self.was_ready[direction] = is_ready;
                registration.missed[direction] = (0, 0);
            }
        }
    }

    /// Begins to count the misses of a direction again if it is not due.
    pub fn forget_misses(&mut self) {
        for direction in 0..DIRECTIONS.len() {
            let is_due = self.is_due(direction);
            match &mut self.registration {
                Some(registration) if !is_due => registration.missed[direction] = (0, 0),
                _ => {}
            }
        }
    }

    /// Records that a poll has not reported a direction that was due. Returns how many polls did that, and how many
    /// events they reported.
    pub fn miss(&mut self, direction: usize, events: usize) -> (usize, usize) {
        let missed = self.registration.as_mut().map(|registration| {
            let missed = &mut registration.missed[direction];
            *missed = (missed.0 + 1, missed.1 + events);
            *missed
        });
        missed.unwrap_or_default()
    }
}

fn includes(interest: Interest, direction: usize) -> bool {
    [interest.is_readable(), interest.is_writable()][direction]
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(err) if err.kind() == ErrorKind::WouldBlock)
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in slot {}", self.pair.kind, self.slot)?;
        if let Some(registration) = &self.registration {
            write!(f, ", {:?} {:?}", registration.token, registration.interest)?;
        }
        write!(f, ", {:?}", self.readiness)
    }
}
