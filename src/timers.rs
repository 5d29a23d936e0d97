//! The deadlines of all timers of a poll: a binary heap.

use std::cmp;
use std::time::{Duration, Instant};

use crate::blocks::{Blocks, BLOCK_SIZE};
use crate::event::{Event, Token};
use crate::queue::RawEvent;
use crate::sync::{lock, Mutex};
use crate::wait::WaitState;

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
                let late = Duration::new((late / NANOS_PER_SEC) as u64, (late % NANOS_PER_SEC) as u32);
                Schedule { deadline: now.checked_add(period - late), period: Some(period) }
            }
            _ => Schedule::UNSET,
        }
    }
}

const NANOS_PER_SEC: u128 = 1_000_000_000;

pub(crate) struct Timers {
    heap: Mutex<Heap>,
}

impl Timers {
    pub fn new() -> Timers {
        Timers { heap: Mutex::new(Heap::default()) }
    }

    /// Returns the earliest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        lock(&self.heap).earliest().map(|entry| entry.deadline)
    }

    /// Returns whether a timer is due.
    pub fn is_due(&self, now: Instant) -> bool {
        self.next_deadline().map_or(false, |deadline| deadline <= now)
    }

    /// Appends an event for each timer that is due, earliest deadline first, at most `slots` events. Equal deadlines
    /// expire in the order in which they were set. Returns the earliest remaining deadline.
    pub fn expire(&self, wait: &WaitState, now: Instant, events: &mut Vec<Event>, slots: usize) -> Option<Instant> {
        self.with_heap(wait, |heap| {
            let end = events.len() + slots;
            loop {
                match heap.earliest() {
                    Some(Entry { deadline, key, .. }) if deadline <= now && events.len() < end => {
                        let timer = heap.records.get(key);
                        events.push(Event(RawEvent::readable(timer.token)));
                        let next = timer.schedule.next_after(now);
                        heap.set(key, next);
                    }
                    earliest => return earliest.map(|entry| entry.deadline),
                }
            }
        })
    }

    /// Adds a timer that is not set, and returns its key.
    pub fn add(&self, token: Token) -> usize {
        lock(&self.heap).records.insert(token)
    }

    /// Changes the schedule of a timer. Returns whether its deadline is now the earliest.
    pub fn set(&self, wait: &WaitState, key: usize, schedule: Schedule) -> bool {
        self.with_heap(wait, |heap| heap.set(key, schedule))
    }

    pub fn get(&self, key: usize) -> Schedule {
        lock(&self.heap).records.get(key).schedule
    }

    pub fn set_token(&self, key: usize, token: Token) {
        lock(&self.heap).records.get_mut(key).token = token;
    }

    /// Removes a timer, and returns its schedule.
    pub fn remove(&self, wait: &WaitState, key: usize) -> Schedule {
        self.with_heap(wait, |heap| heap.remove(key))
    }

    /// Changes the heap, and records in the wait state whether it holds a deadline now.
    fn with_heap<R>(&self, wait: &WaitState, change: impl FnOnce(&mut Heap) -> R) -> R {
        let mut heap = lock(&self.heap);
        let had_deadline = heap.earliest().is_some();
        let result = change(&mut heap);
        let has_deadline = heap.earliest().is_some();
        if has_deadline != had_deadline {
            wait.set_has_deadline(has_deadline);
        }
        result
    }
}

/// A binary heap of deadlines, and one record for each timer. The record contains the index of the timer's entry.
#[derive(Default)]
struct Heap {
    /// No entry expires before its parent, the entry at `(index - 1) / 2`.
    entries: Vec<Entry>,
    /// The number of deadlines that were set.
    deadlines_set: u64,
    records: TimerRecords,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    deadline: Instant,
    /// The value of `deadlines_set` when this deadline was set.
    number: u64,
    key: usize,
}

impl Heap {
    fn earliest(&self) -> Option<Entry> {
        self.entries.first().copied()
    }

    /// Removes a timer, and returns its schedule.
    fn remove(&mut self, key: usize) -> Schedule {
        let schedule = self.records.get(key).schedule;
        self.set(key, Schedule::UNSET);
        self.records.0.remove(key);
        schedule
    }

    /// Changes a schedule. Returns whether the timer's deadline is now the earliest.
    fn set(&mut self, key: usize, schedule: Schedule) -> bool {
        let record = self.records.get_mut(key);
        record.schedule = schedule;
        let index = record.index;
        let deadline = match schedule.deadline {
            Some(deadline) => deadline,
            None => {
                record.index = None;
                if let Some(index) = index {
                    self.remove_entry(index);
                }
                return false;
            }
        };
        self.deadlines_set += 1;
        let entry = Entry { deadline, number: self.deadlines_set, key };
        let index = index.unwrap_or_else(|| {
            self.entries.push(entry);
            self.entries.len() - 1
        });
        self.place(index, entry) == 0
    }

    fn remove_entry(&mut self, index: usize) {
        if let Some(last) = self.entries.pop() {
            if index < self.entries.len() {
                self.place(index, last);
            }
        }
        give_back(&mut self.entries);
    }

    /// Writes an entry to `start`. If the order of the heap requires another place, moves other entries to make room
    /// there, and writes the entry there instead. Returns the index of the entry.
    fn place(&mut self, start: usize, entry: Entry) -> usize {
        let (entries, records) = (&mut self.entries[..], &mut self.records);
        let mut index = start;
        while index > 0 {
            let parent = (index - 1) / 2;
            let parent_entry = entries[parent];
            if parent_entry < entry {
                break;
            }
            entries[index] = parent_entry;
            records.get_mut(parent_entry.key).index = Some(index);
            index = parent;
        }
        // An entry that has moved up is earlier than all entries below it.
        if index == start {
            while let Some(&left) = entries.get(2 * index + 1) {
                let (child, child_entry) = match entries.get(2 * index + 2) {
                    Some(&right) if right < left => (2 * index + 2, right),
                    _ => (2 * index + 1, left),
                };
                if entry < child_entry {
                    break;
                }
                entries[index] = child_entry;
                records.get_mut(child_entry.key).index = Some(index);
                index = child;
            }
        }
        entries[index] = entry;
        records.get_mut(entry.key).index = Some(index);
        index
    }
}

#[derive(Clone, Copy)]
struct TimerRecord {
    token: Token,
    schedule: Schedule,
    /// The index of this timer's entry, if the schedule has a deadline.
    index: Option<usize>,
}

/// A record for each timer, under a key that stays the same.
#[derive(Default)]
struct TimerRecords(Blocks<Box<[TimerRecord; BLOCK_SIZE]>>);

impl TimerRecords {
    #[inline]
    fn get(&self, key: usize) -> &TimerRecord {
        &self.0.block(key)[key % BLOCK_SIZE]
    }

    #[inline]
    fn get_mut(&mut self, key: usize) -> &mut TimerRecord {
        &mut self.0.block_mut(key)[key % BLOCK_SIZE]
    }

    /// Adds a record for an unset timer, and returns its key.
    fn insert(&mut self, token: Token) -> usize {
        let unset = TimerRecord { token, schedule: Schedule::UNSET, index: None };
        let key = self.0.insert(|_| Box::new([unset; BLOCK_SIZE]));
        *self.get_mut(key) = unset;
        key
    }
}

/// Gives back most of the unused memory of a list that was much longer. The list can still grow by some elements
/// without a new allocation.
fn give_back<T>(list: &mut Vec<T>) {
    if list.capacity() > MIN_CAPACITY && list.len() < list.capacity() / 4 {
        list.shrink_to(cmp::max(list.len() * 2, MIN_CAPACITY));
    }
}

/// The memory of this many elements is kept even if no timer is registered.
const MIN_CAPACITY: usize = 64;
