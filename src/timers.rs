//! The deadlines of all timers of a poll: a binary heap.

use std::time::{Duration, Instant};

use crate::event::{Event, Token};
use crate::queue::RawEvent;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{lock, Mutex};

/// The deadline of a timer (`None`: not set), and the period if the timer is periodic.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub deadline: Option<Instant>,
    pub period: Option<Duration>,
}

impl Schedule {
    pub const UNSET: Schedule = Schedule { deadline: None, period: None };

    /// Returns the schedule after an expiry: a periodic timer expires next at the first deadline after `now` that is a
    /// whole number of periods after the old one.
    fn next_after(self, now: Instant) -> Schedule {
        match self {
            Schedule { deadline: Some(deadline), period: Some(period) } => {
                let late = now.saturating_duration_since(deadline).as_nanos() % period.as_nanos();
                // `late` is less than the period, so its seconds fit into 64 bits.
                let late = Duration::new((late / NANOS) as u64, (late % NANOS) as u32);
                Schedule { deadline: now.checked_add(period - late), period: Some(period) }
            }
            _ => Schedule::UNSET,
        }
    }
}

const NANOS: u128 = 1_000_000_000;

pub(crate) struct Timers {
    heap: Mutex<Heap>,
    /// Whether the heap holds a deadline. The polling thread reads this to avoid the lock.
    has_deadline: AtomicBool,
}

impl Timers {
    pub fn new() -> Timers {
        Timers { heap: Mutex::new(Heap::default()), has_deadline: AtomicBool::new(false) }
    }

    #[inline]
    pub fn has_deadline(&self) -> bool {
        self.has_deadline.load(Ordering::Acquire)
    }

    /// Returns the earliest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.has_deadline() {
            return None;
        }
        lock(&self.heap).earliest().map(|(deadline, _)| deadline)
    }

    /// Appends an event for each timer that is due, earliest deadline first, at most `slots` events. Returns the
    /// earliest remaining deadline.
    pub fn expire(&self, now: Instant, events: &mut Vec<Event>, slots: usize) -> Option<Instant> {
        if !self.has_deadline() {
            return None;
        }
        self.with_heap(|heap| {
            let end = events.len() + slots;
            loop {
                match heap.earliest() {
                    Some((deadline, key)) if deadline <= now && events.len() < end => {
                        events.push(Event(RawEvent::readable(heap.slots[key].token)));
                        heap.set(key, heap.slots[key].schedule.next_after(now));
                    }
                    earliest => return earliest.map(|(deadline, _)| deadline),
                }
            }
        })
    }

    /// Adds a timer. Returns its key, and whether its deadline is now the earliest.
    pub fn add(&self, token: Token, schedule: Schedule) -> (usize, bool) {
        self.with_heap(|heap| {
            let key = heap.insert(token);
            (key, heap.set(key, schedule))
        })
    }

    /// Changes the schedule of a timer. Returns whether its deadline is now the earliest.
    pub fn set(&self, key: usize, schedule: Schedule) -> bool {
        self.with_heap(|heap| heap.set(key, schedule))
    }

    pub fn get(&self, key: usize) -> Schedule {
        lock(&self.heap).slots[key].schedule
    }

    pub fn set_token(&self, key: usize, token: Token) {
        lock(&self.heap).slots[key].token = token;
    }

    /// Removes a timer, and returns its schedule.
    pub fn remove(&self, key: usize) -> Schedule {
        self.with_heap(|heap| heap.remove(key))
    }

    fn with_heap<R>(&self, change: impl FnOnce(&mut Heap) -> R) -> R {
        let mut heap = lock(&self.heap);
        let result = change(&mut heap);
        self.has_deadline.store(heap.earliest().is_some(), Ordering::Release);
        result
    }
}

/// A binary heap of deadlines, and one slot for each timer. The slot records where the heap holds the timer's deadline.
#[derive(Default)]
struct Heap {
    /// Deadlines with the keys of their timers. No entry is earlier than its parent, the entry at `(index - 1) / 2`.
    entries: Vec<(Instant, usize)>,
    slots: Vec<Slot>,
    /// Keys of unused slots.
    free: Vec<usize>,
}

struct Slot {
    token: Token,
    schedule: Schedule,
    /// The index of this timer's entry, if the schedule has a deadline.
    index: Option<usize>,
}

impl Heap {
    fn earliest(&self) -> Option<(Instant, usize)> {
        self.entries.first().copied()
    }

    /// Adds a slot for an unset timer, and returns its key.
    fn insert(&mut self, token: Token) -> usize {
        let slot = Slot { token, schedule: Schedule::UNSET, index: None };
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

    /// Frees a slot, and returns its schedule.
    fn remove(&mut self, key: usize) -> Schedule {
        let schedule = self.slots[key].schedule;
        self.set(key, Schedule::UNSET);
        self.free.push(key);
        schedule
    }

    /// Changes a schedule. Returns whether the timer's deadline is now the earliest.
    fn set(&mut self, key: usize, schedule: Schedule) -> bool {
        self.slots[key].schedule = schedule;
        match (self.slots[key].index, schedule.deadline) {
            (None, None) => return false,
            (None, Some(deadline)) => {
                self.entries.push((deadline, key));
                self.sift_up(self.entries.len() - 1);
            }
            (Some(index), Some(deadline)) => {
                self.entries[index].0 = deadline;
                self.restore(index);
            }
            (Some(index), None) => {
                self.slots[key].index = None;
                self.entries.swap_remove(index);
                if index < self.entries.len() {
                    self.restore(index);
                }
                return false;
            }
        }
        self.slots[key].index == Some(0)
    }

    /// Restores the heap order after the entry at `index` has changed.
    fn restore(&mut self, index: usize) {
        let index = self.sift_up(index);
        self.sift_down(index);
    }

    /// Moves an entry up while its parent is later. Returns its new index.
    fn sift_up(&mut self, mut index: usize) -> usize {
        while index > 0 && self.entries[index].0 < self.entries[(index - 1) / 2].0 {
            self.swap(index, (index - 1) / 2);
            index = (index - 1) / 2;
        }
        self.record_index(index);
        index
    }

    /// Moves an entry down while a child is earlier.
    fn sift_down(&mut self, mut index: usize) {
        while let Some(child) = (2 * index + 1..self.entries.len()).take(2).min_by_key(|&child| self.entries[child].0) {
            if self.entries[index].0 <= self.entries[child].0 {
                break;
            }
            self.swap(index, child);
            index = child;
        }
        self.record_index(index);
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.entries.swap(a, b);
        self.record_index(a);
        self.record_index(b);
    }

    fn record_index(&mut self, index: usize) {
        let (_, key) = self.entries[index];
        self.slots[key].index = Some(index);
    }
}
