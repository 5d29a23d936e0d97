//! Timers: deadlines that shorten the wait, without any help from the kernel.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::association::Association;
use crate::event::{Event, Source, Token};
use crate::poll::Shared;
use crate::queue::RawEvent;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{lock, Arc, Mutex};
use crate::{Interest, Registry};

/// A source that becomes readable at a point in time, once or again and again.
///
/// It costs no descriptor and no system call: the deadlines of a [`Poll`](crate::Poll)'s timers are kept in a heap, and
/// the nearest bounds the wait. Setting, cancelling and expiring are `O(log n)`.
///
/// - It is never early. How late it can be, is up to the system's scheduler and clock: the [`poll`](crate::Poll::poll)
///   docs have the resolution of each.
/// - The methods take `&self`: any thread may call them, before or after registration. An earlier deadline takes effect
///   in a `poll` that is blocked.
/// - Setting a timer replaces what it was set to, and discards a deadline that has passed but was not reported.
/// - A periodic timer does not drift: every deadline is a multiple of the period after the first. Those that nobody
///   polled for are one event.
/// - It is a source as any other: it is registered once, with one `Poll`, for `READABLE` (other readiness and modes are
///   ignored), and keeps its setting from one registration to the next. Dropping it discards its event.
///
/// The behaviour is the same on all platforms. Time is that of [`Instant`]; whether it goes on while the machine is
/// suspended is the system's affair (on Linux, Android and macOS it does not, on Windows it does; but a `poll` that is
/// blocked there may sleep on for as long as the machine has slept).
///
/// # Examples
///
/// ```
/// use minimio::{Events, Interest, Poll, Timer, Token};
/// use std::time::{Duration, Instant};
///
/// # fn main() -> std::io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut timer = Timer::new();
/// poll.registry().register(&mut timer, Token(1), Interest::READABLE)?;
///
/// let start = Instant::now();
/// timer.set(Duration::from_millis(20))?;
/// poll.poll(&mut events, None)?;
/// assert_eq!(events.iter().next().map(|event| event.token()), Some(Token(1)));
/// assert!(start.elapsed() >= Duration::from_millis(20));
/// # Ok(())
/// # }
/// ```
pub struct Timer {
    state: Mutex<State>,
}

struct State {
    association: Association,
    place: Place,
}

enum Place {
    /// Not registered: the setting waits here.
    Away(Setting),
    /// Registered: the setting is in the heap, under this key.
    In(Arc<Shared>, usize),
}

impl Timer {
    /// A timer that is neither set nor registered.
    #[must_use]
    pub fn new() -> Timer {
        Timer { state: Mutex::new(State { association: Association::default(), place: Place::Away(Setting::NEVER) }) }
    }

    /// Expires once, `delay` from now. A delay beyond what [`Instant`] can tell never ends.
    ///
    /// # Errors
    ///
    /// If a blocked `poll` could not be told (no such case is known). The timer is set all the same.
    pub fn set(&self, delay: Duration) -> io::Result<()> {
        self.change(Setting { deadline: Instant::now().checked_add(delay), period: None })
    }

    /// Expires once, at `deadline`; at once if that has passed.
    ///
    /// # Errors
    ///
    /// As for [`set`](Timer::set).
    pub fn set_at(&self, deadline: Instant) -> io::Result<()> {
        self.change(Setting { deadline: Some(deadline), period: None })
    }

    /// Expires every `period`, the first time one `period` from now.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `period` is zero, else as for [`set`](Timer::set).
    pub fn set_every(&self, period: Duration) -> io::Result<()> {
        if period == Duration::ZERO {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot set a timer to a period of zero"));
        }
        self.change(Setting { deadline: Instant::now().checked_add(period), period: Some(period) })
    }

    /// Does not expire any more, until it is set again. A deadline that has passed but was not reported is discarded.
    pub fn cancel(&self) {
        // A poller that sleeps too short finds nothing due, and goes on.
        let _no_earlier_deadline = self.change(Setting::NEVER);
    }

    fn change(&self, setting: Setting) -> io::Result<()> {
        let mut state = lock(&self.state);
        match &mut state.place {
            Place::Away(kept) => {
                *kept = setting;
                Ok(())
            }
            Place::In(shared, key) => match shared.timers.set(*key, setting) {
                true => shared.nudge(),
                false => Ok(()),
            },
        }
    }
}

impl State {
    /// Ends the registration, if there is one, and keeps the setting.
    fn leave(&mut self) {
        if let Place::In(shared, key) = &self.place {
            let setting = shared.timers.remove(*key);
            self.place = Place::Away(setting);
        }
        self.association = Association::default();
    }
}

impl Source for Timer {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        check_readable(interests)?;
        let mut state = lock(&self.state);
        state.association.check_unassociated(registry.id())?;
        // It may still be registered with a `Poll` that is gone.
        state.leave();
        if let Place::Away(setting) = state.place {
            let (key, earliest) = registry.shared.timers.add(token, setting);
            state.place = Place::In(Arc::clone(&registry.shared), key);
            state.association.associate(registry.id());
            if earliest {
                return registry.shared.nudge();
            }
        }
        Ok(())
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        check_readable(interests)?;
        let state = lock(&self.state);
        state.association.check(registry.id())?;
        if let Place::In(shared, key) = &state.place {
            shared.timers.rename(*key, token);
        }
        Ok(())
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.association.check(registry.id())?;
        state.leave();
        Ok(())
    }
}

fn check_readable(interests: Interest) -> io::Result<()> {
    if interests.is_readable() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot register a timer: it only becomes readable"))
    }
}

impl Default for Timer {
    fn default() -> Timer {
        Timer::new()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        lock(&self.state).leave();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        let (setting, registered) = match &state.place {
            Place::Away(setting) => (*setting, false),
            Place::In(shared, key) => (shared.timers.get(*key), true),
        };
        f.debug_struct("Timer")
            .field("deadline", &setting.deadline)
            .field("period", &setting.period)
            .field("registered", &registered)
            .finish()
    }
}

/// When a timer expires, and whether it goes on.
#[derive(Clone, Copy)]
struct Setting {
    deadline: Option<Instant>,
    period: Option<Duration>,
}

impl Setting {
    const NEVER: Setting = Setting { deadline: None, period: None };

    /// What is left of this after it has expired: the first multiple of the period that is still to come.
    fn after(self, now: Instant) -> Setting {
        match self {
            Setting { deadline: Some(deadline), period: Some(period) } => {
                let late = now.saturating_duration_since(deadline).as_nanos() % period.as_nanos();
                // Less than a period, so its seconds fit.
                let late = Duration::new((late / NANOS) as u64, (late % NANOS) as u32);
                Setting { deadline: now.checked_add(period - late), period: Some(period) }
            }
            _ => Setting::NEVER,
        }
    }
}

const NANOS: u128 = 1_000_000_000;

/// The timers of a poll.
pub(crate) struct Timers {
    heap: Mutex<Heap>,
    /// Whether the heap holds a deadline, for a poller that would rather not lock.
    armed: AtomicBool,
}

impl Timers {
    pub fn new() -> Timers {
        Timers { heap: Mutex::new(Heap::default()), armed: AtomicBool::new(false) }
    }

    #[inline]
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// The nearest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.is_armed() {
            return None;
        }
        lock(&self.heap).nearest().map(|(deadline, _)| deadline)
    }

    /// Appends an event for each timer that is due, by deadline, at most `room`. Returns the nearest deadline that is
    /// left.
    pub fn expire(&self, now: Instant, events: &mut Vec<Event>, room: usize) -> Option<Instant> {
        if !self.is_armed() {
            return None;
        }
        self.with_heap(|heap| {
            let end = events.len() + room;
            loop {
                match heap.nearest() {
                    Some((deadline, key)) if deadline <= now && events.len() < end => {
                        events.push(Event(RawEvent::readable(heap.slots[key].token)));
                        heap.set(key, heap.slots[key].setting.after(now));
                    }
                    nearest => return nearest.map(|(deadline, _)| deadline),
                }
            }
        })
    }

    /// Adds a timer. Returns its key, and whether its deadline is now the nearest.
    fn add(&self, token: Token, setting: Setting) -> (usize, bool) {
        self.with_heap(|heap| {
            let key = heap.insert(token);
            (key, heap.set(key, setting))
        })
    }

    /// Changes a timer. True if its deadline is now the nearest.
    fn set(&self, key: usize, setting: Setting) -> bool {
        self.with_heap(|heap| heap.set(key, setting))
    }

    fn get(&self, key: usize) -> Setting {
        lock(&self.heap).slots[key].setting
    }

    fn rename(&self, key: usize, token: Token) {
        lock(&self.heap).slots[key].token = token;
    }

    fn remove(&self, key: usize) -> Setting {
        self.with_heap(|heap| heap.remove(key))
    }

    fn with_heap<R>(&self, change: impl FnOnce(&mut Heap) -> R) -> R {
        let mut heap = lock(&self.heap);
        let result = change(&mut heap);
        self.armed.store(heap.nearest().is_some(), Ordering::Release);
        result
    }
}

/// A binary heap of deadlines, and a slot for every timer that says where in the heap it stands.
#[derive(Default)]
struct Heap {
    /// Every entry is no earlier than its parent, the one at `(place - 1) / 2`.
    order: Vec<(Instant, usize)>,
    slots: Vec<Slot>,
    /// Keys of slots that are free.
    free: Vec<usize>,
}

struct Slot {
    token: Token,
    setting: Setting,
    /// Where the heap has it, if the setting has a deadline.
    place: Option<usize>,
}

impl Heap {
    fn nearest(&self) -> Option<(Instant, usize)> {
        self.order.first().copied()
    }

    /// A slot for a timer that is not set.
    fn insert(&mut self, token: Token) -> usize {
        let slot = Slot { token, setting: Setting::NEVER, place: None };
        match self.free.pop() {
            Some(key) => {
                self.slots[key] = slot;
                key
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        }
    }

    /// Frees a slot, and returns what it was set to.
    fn remove(&mut self, key: usize) -> Setting {
        let setting = self.slots[key].setting;
        self.set(key, Setting::NEVER);
        self.free.push(key);
        setting
    }

    /// True if the timer is now the nearest.
    fn set(&mut self, key: usize, setting: Setting) -> bool {
        self.slots[key].setting = setting;
        match (self.slots[key].place, setting.deadline) {
            (None, None) => return false,
            (None, Some(deadline)) => {
                self.order.push((deadline, key));
                self.rise(self.order.len() - 1);
            }
            (Some(place), Some(deadline)) => {
                self.order[place].0 = deadline;
                self.settle(place);
            }
            (Some(place), None) => {
                self.slots[key].place = None;
                self.order.swap_remove(place);
                if place < self.order.len() {
                    self.settle(place);
                }
                return false;
            }
        }
        self.slots[key].place == Some(0)
    }

    /// Puts the entry at `place` where it belongs, and says so in the slots of all that move.
    fn settle(&mut self, place: usize) {
        let place = self.rise(place);
        self.sink(place);
    }

    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 && self.order[place].0 < self.order[(place - 1) / 2].0 {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        self.note(place);
        place
    }

    fn sink(&mut self, mut place: usize) {
        while let Some(child) = (2 * place + 1..self.order.len()).take(2).min_by_key(|&child| self.order[child].0) {
            if self.order[place].0 <= self.order[child].0 {
                break;
            }
            self.swap(place, child);
            place = child;
        }
        self.note(place);
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.order.swap(a, b);
        self.note(a);
        self.note(b);
    }

    fn note(&mut self, place: usize) {
        let (_, key) = self.order[place];
        self.slots[key].place = Some(place);
    }
}
