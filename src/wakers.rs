//! The wakers of a poll: how the polling thread finds the pending wakers without a lock and without a search among all
//! wakers.
//!
//! Each waker has a *slot* in a block of slots. The slot alone decides whether the waker is pending. If one waker is
//! woken, the word of the wait state holds the waker's number, which leads the polling thread to the slot. Other wakers
//! set *hints*: the waker's bit in its block, and the block's bit in the summary. A hint only makes the polling thread
//! look at the slot, so a hint of a waker that is not pending is harmless.
//!
//! ```text
//!   wake                                       polling thread
//!   marks its slot pending                     clears the wait state
//!   sets the waker's bit in the block    (1)   clears the summary
//!   sets the block's bit in the summary  (1)   clears the bits of each block whose bit was set
//!   changes the wait state                     clears each slot whose bit was set
//!
//!   (1) unless the wake stores the waker's number in the word of the wait state, or finds it there
//! ```
//!
//! *No wake is lost.* The steps of the polling thread are those of a wake in reverse order, and both change each word
//! with `AcqRel` read-modify-write operations. (A wake omits the change of a word that already has the right bits. Its
//! first step is always a change. The polling thread omits the change of a summary word that is 0.) A wake whose first
//! step follows the clearing of the slot sees that the other words were cleared, and changes them again. A wake whose
//! first step precedes the clearing of the slot is reported with that clearing. The same holds for each pair of the
//! later steps: if the wake sets a bit before the polling thread clears it, the polling thread continues with the next
//! step; if the wake sets the bit later, then the wake sees that the words of the steps that follow were cleared.
//!
//! *A slot is reused* after its waker was dropped. Each waker has an id, and a pending slot holds the id of the waker
//! that was woken. The polling thread reads the token and then the id of the slot. If that id differs from the one in
//! the pending slot, the waker was dropped, and the polling thread does not report it.
//!
//! *The polling thread has its own list of the blocks*, and locks the table only to copy it. A thread that adds or
//! removes a block changes the table with the lock, and sets `changed`. If `changed` is set, the polling thread copies
//! the table: after it has cleared the summary, and if it finds no pending waker in a slot. `changed` is one more word
//! of the argument above: if the polling thread does not see a new block, the block's wakers see that the wait state
//! and the summary were cleared.
//!
//! *Fairness.* The polling thread puts the wakers that may be pending at the end of a queue, and reports them from its
//! front. So a waker that is woken again and again does not delay the others, even if the event list is full in every
//! round.

use std::array;
use std::cmp;
use std::collections::VecDeque;
use std::iter;
use std::mem;

use crate::blocks::{Blocks, BLOCK_SIZE};
use crate::event::{Event, Token};
use crate::queue::RawEvent;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use crate::sync::{lock, Arc, Mutex, SUMMARY_BITS};
use crate::wait::{waker_in_word, word_of_waker};

/// The state that the wakers of a poll share with the polling thread.
pub(crate) struct Wakers {
    /// A bit for each block.
    summary: [AtomicU32; SUMMARY_WORDS],
    /// Whether a block was added or removed since the polling thread copied the table.
    changed: AtomicBool,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    blocks: Blocks<Arc<Block>>,
    /// The numbers of the blocks that were added since the last copy, and whether blocks were removed since then.
    added: Vec<usize>,
    has_removed: bool,
    last_id: usize,
}

const SUMMARY_WORDS: usize = (SUMMARY_BITS + 31) / 32;

/// The slots of `BLOCK_SIZE` wakers.
struct Block {
    number: usize,
    hints: AtomicU32,
    slots: [Slot; BLOCK_SIZE],
}

struct Slot {
    /// The id of the waker, if `wake` was called since the last report; otherwise 0.
    pending: AtomicUsize,
    /// The id of the waker that has this slot, or that had it last.
    id: AtomicUsize,
    token: AtomicUsize,
    /// Whether the slot is in the queue of the polling thread. Only that thread uses this field.
    is_queued: AtomicBool,
}

impl Slot {
    /// Clears the slot. Returns the token of its waker if the waker is pending.
    #[inline]
    fn take(&self) -> Option<Token> {
        let id = self.pending.swap(0, Ordering::AcqRel);
        if id == 0 {
            return None;
        }
        let token = Token(self.token.load(Ordering::Acquire));
        // `add` stores the id first. So if this id is still that of the pending waker, so is the token.
        if self.id.load(Ordering::Acquire) == id {
            Some(token)
        } else {
            None
        }
    }
}

/// The slot of one waker.
pub(crate) struct WakerSlot {
    block: Arc<Block>,
    /// The word of the wait state after a wake. It contains the slot's number in the table; no slot has the number 0.
    word: usize,
    id: usize,
}

impl WakerSlot {
    pub fn token(&self) -> Token {
        Token(self.slot().token.load(Ordering::Relaxed))
    }

    #[inline]
    pub fn word(&self) -> usize {
        self.word
    }

    #[inline]
    fn number(&self) -> usize {
        waker_in_word(self.word)
    }

    #[inline]
    fn slot(&self) -> &Slot {
        &self.block.slots[self.number() % BLOCK_SIZE]
    }

    /// Marks the waker pending. The caller then notifies the polling thread.
    #[inline]
    pub fn mark_pending(&self) {
        // `swap` is needed even if the waker is pending already. Because `swap` is a read-modify-write, the polling
        // thread, which clears the slot later, sees what each waking thread stored before its `swap`.
        self.slot().pending.swap(self.id, Ordering::AcqRel);
    }
}

/// Methods for wakers.
impl Wakers {
    pub fn new() -> Wakers {
        let summary = array::from_fn(|_| AtomicU32::new(0));
        Wakers { summary, changed: AtomicBool::new(false), table: Mutex::new(Table::default()) }
    }

    /// Adds a waker.
    pub fn add(&self, token: Token) -> WakerSlot {
        let Table { blocks, added, last_id, .. } = &mut *lock(&self.table);
        let number = blocks.insert(|number| {
            added.push(number);
            self.changed.swap(true, Ordering::AcqRel);
            Arc::new(Block::new(number))
        });
        // Ids of wakers that exist at the same time differ, unless the counter has overflowed meanwhile.
        *last_id = cmp::max(last_id.wrapping_add(1), 1);
        let slot = WakerSlot { block: Arc::clone(blocks.block(number)), word: word_of_waker(number), id: *last_id };
        slot.slot().id.store(slot.id, Ordering::Release);
        slot.slot().token.store(token.0, Ordering::Release);
        slot
    }

    /// Removes a waker and discards its event. Returns whether blocks were removed.
    pub fn remove(&self, slot: &WakerSlot) -> bool {
        slot.slot().pending.swap(0, Ordering::AcqRel);
        let table = &mut *lock(&self.table);
        let removed_blocks = table.blocks.remove(slot.number());
        if removed_blocks {
            table.has_removed = true;
            table.added = Vec::new();
            self.changed.swap(true, Ordering::AcqRel);
        }
        removed_blocks
    }

    /// Sets the hints of a waker.
    pub fn set_hints(&self, slot: &WakerSlot) {
        let bit = slot.block.number % SUMMARY_BITS;
        set_bit(&slot.block.hints, slot.number() % BLOCK_SIZE);
        set_bit(&self.summary[bit / 32], bit % 32);
    }
}

/// Sets a bit, unless it is set.
fn set_bit(word: &AtomicU32, bit: usize) {
    if word.load(Ordering::Acquire) & 1 << bit == 0 {
        word.fetch_or(1 << bit, Ordering::AcqRel);
    }
}

impl Block {
    fn new(number: usize) -> Block {
        let slots = array::from_fn(|_| Slot {
            pending: AtomicUsize::new(0),
            id: AtomicUsize::new(0),
            token: AtomicUsize::new(0),
            is_queued: AtomicBool::new(false),
        });
        Block { number, hints: AtomicU32::new(0), slots }
    }
}

/// The polling thread's part of the wakers.
#[derive(Default)]
pub(crate) struct PendingWakers {
    /// The blocks of the table by their numbers, as of the last copy.
    blocks: Vec<Option<Arc<Block>>>,
    /// The numbers of the slots whose wakers may be pending, in the order of the reports.
    queue: VecDeque<usize>,
}

impl PendingWakers {
    /// Clears the slot of the waker with this number. Returns the token if the waker was pending.
    #[inline]
    pub fn take_only(&mut self, wakers: &Wakers, number: usize) -> Option<Token> {
        match self.slot(number).and_then(Slot::take) {
            Some(token) => Some(token),
            None => self.take_after_copy(wakers, number),
        }
    }

    /// Clears a slot that may be in a block that the polling thread has not copied yet.
    #[cold]
    #[inline(never)]
    fn take_after_copy(&mut self, wakers: &Wakers, number: usize) -> Option<Token> {
        match number != 0 && self.copy_changes(wakers) {
            true => self.slot(number).and_then(Slot::take),
            false => None,
        }
    }

    /// Clears the slots of pending wakers and appends an event for each, at most `slots`. Returns whether pending
    /// wakers may remain. The caller has cleared the wait state before, and passes what `clear` returned.
    pub fn report(
        &mut self,
        wakers: &Wakers,
        (first, hinted): (usize, bool),
        events: &mut Vec<Event>,
        slots: usize,
    ) -> bool {
        if !hinted && slots > 0 {
            debug_assert!(self.queue.is_empty(), "the state is hinted while wakers are in the queue");
            events.extend(self.take_only(wakers, first).map(|token| Event(RawEvent::readable(token))));
            return false;
        }
        self.enqueue_all(wakers, first);
        let queued = self.queue.len();
        let end = events.len() + slots;
        while let Some(&number) = self.queue.front() {
            if events.len() == end {
                return true;
            }
            self.queue.pop_front();
            if let Some(slot) = self.slot(number) {
                slot.is_queued.store(false, Ordering::Relaxed);
                if let Some(token) = slot.take() {
                    events.push(Event(RawEvent::readable(token)));
                }
            }
        }
        // Give back most of the unused memory after many wakers were pending.
        if queued < self.queue.capacity() / 4 {
            self.queue.shrink_to(cmp::max(2 * queued, BLOCK_SIZE));
        }
        false
    }

    /// Puts a waker into the queue, unless it is there already. A number without a block belongs to a dropped waker.
    fn enqueue(&mut self, number: usize) {
        let must_enqueue = |slot: &Slot| !slot.is_queued.swap(true, Ordering::Relaxed);
        if self.slot(number).map_or(false, must_enqueue) {
            self.queue.push_back(number);
        }
    }

    /// Clears the hints, and puts the waker with the number `first` and the wakers that had hints into the queue.
    fn enqueue_all(&mut self, wakers: &Wakers, first: usize) {
        let summary =
            array::from_fn::<u32, SUMMARY_WORDS, _>(|word| match wakers.summary[word].load(Ordering::Acquire) {
                0 => 0,
                _ => wakers.summary[word].swap(0, Ordering::AcqRel),
            });
        self.copy_changes(wakers);
        self.enqueue(first);
        for (word, &bits) in summary.iter().enumerate() {
            for bit in each_bit(bits) {
                for block in (word * 32 + bit..self.blocks.len()).step_by(SUMMARY_BITS) {
                    let clear = |block: &Arc<Block>| block.hints.swap(0, Ordering::AcqRel);
                    let hints = self.blocks[block].as_ref().map_or(0, clear);
                    each_bit(hints).for_each(|slot| self.enqueue(block * BLOCK_SIZE + slot));
                }
            }
        }
    }

    #[inline]
    fn slot(&self, number: usize) -> Option<&Slot> {
        Some(&self.blocks.get(number / BLOCK_SIZE)?.as_ref()?.slots[number % BLOCK_SIZE])
    }

    /// Copies the table. Returns false if the copy is up to date already.
    fn copy_changes(&mut self, wakers: &Wakers) -> bool {
        if !wakers.changed.swap(false, Ordering::AcqRel) {
            return false;
        }
        let old_blocks;
        {
            let Table { blocks, added, has_removed, .. } = &mut *lock(&wakers.table);
            if mem::take(has_removed) {
                old_blocks = mem::replace(&mut self.blocks, blocks.all().to_vec());
            } else {
                old_blocks = Vec::new();
                for number in added.iter().copied() {
                    self.blocks.resize(cmp::max(self.blocks.len(), number + 1), None);
                    self.blocks[number] = blocks.all()[number].clone();
                }
            }
            added.clear();
        }
        drop(old_blocks);
        // A few wakers that set hints later cause no allocation.
        self.queue.reserve(BLOCK_SIZE);
        // A number in the queue may belong to a block that was removed and added again.
        for slot in self.queue.iter().filter_map(|&number| self.slot(number)) {
            slot.is_queued.store(true, Ordering::Relaxed);
        }
        true
    }
}

/// Returns the numbers of the bits that are set.
fn each_bit(mut bits: u32) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let bit = bits.trailing_zeros() as usize;
        bits &= bits.checked_sub(1)?;
        Some(bit)
    })
}
