//! Numbered items that are allocated in blocks: the slots of wakers and the records of timers.

use std::cmp;

/// How many items are in one block, at most 32.
pub(crate) use crate::sync::BLOCK_SIZE;

/// A table of blocks, and which of their items are used. Inserting and removing an item takes constant time on average.
/// At most half of the blocks, or one, have no used item; the memory of others is given back.
pub(crate) struct Blocks<B> {
    /// The blocks by their numbers, and a bit for each used item of a block. There is no block with the number 0.
    blocks: Vec<Option<B>>,
    used: Vec<u32>,
    /// The numbers of the blocks that have an unused item.
    with_room: Vec<usize>,
    /// No number below this one is free for a new block.
    first_free: usize,
    /// How many blocks exist, and how many of them have no used item.
    existing: usize,
    empty: usize,
}

const ALL_USED: u32 = u32::MAX >> (u32::BITS as usize - BLOCK_SIZE);

impl<B> Default for Blocks<B> {
    fn default() -> Blocks<B> {
        let (blocks, used, with_room) = (Vec::new(), Vec::new(), Vec::new());
        Blocks { blocks, used, with_room, first_free: 1, existing: 0, empty: 0 }
    }
}

impl<B> Blocks<B> {
    /// Returns the blocks by their numbers.
    pub fn all(&self) -> &[Option<B>] {
        &self.blocks
    }

    /// Returns the block of a used item.
    #[inline]
    pub fn block(&self, item: usize) -> &B {
        self.blocks[item / BLOCK_SIZE].as_ref().expect("the item is used")
    }

    /// Returns the block of a used item.
    #[inline]
    pub fn block_mut(&mut self, item: usize) -> &mut B {
        self.blocks[item / BLOCK_SIZE].as_mut().expect("the item is used")
    }

    /// Marks an unused item as used, and returns its number: `BLOCK_SIZE` times the number of the block, plus the
    /// position in the block. If no item is unused, adds the block that `new` returns for its number.
    pub fn insert(&mut self, new: impl FnOnce(usize) -> B) -> usize {
        if self.with_room.is_empty() {
            self.add(new);
        }
        let block = self.with_room[self.with_room.len() - 1];
        let used = &mut self.used[block];
        self.empty -= usize::from(*used == 0);
        let position = used.trailing_ones() as usize;
        *used |= 1 << position;
        if *used == ALL_USED {
            self.with_room.pop();
        }
        block * BLOCK_SIZE + position
    }

    fn add(&mut self, new: impl FnOnce(usize) -> B) {
        while let Some(Some(_)) = self.blocks.get(self.first_free) {
            self.first_free += 1;
        }
        let number = self.first_free;
        if self.blocks.len() <= number {
            self.blocks.resize_with(number + 1, || None);
            self.used.resize(number + 1, 0);
        }
        self.blocks[number] = Some(new(number));
        self.with_room.push(number);
        self.existing += 1;
        self.empty += 1;
    }

    /// Marks an item as unused. If this leaves many blocks empty, removes them and returns true.
    pub fn remove(&mut self, item: usize) -> bool {
        let (block, position) = (item / BLOCK_SIZE, item % BLOCK_SIZE);
        if self.used[block] == ALL_USED {
            self.with_room.push(block);
        }
        self.used[block] &= !(1 << position);
        if self.used[block] != 0 {
            return false;
        }
        self.empty += 1;
        // One empty block is kept, for a program that inserts and removes one item repeatedly.
        let many_are_empty = self.empty > cmp::max(self.existing / 2, 1);
        let is_long = self.blocks.len() > 4 * (self.existing - self.empty) + BLOCK_SIZE;
        let remove = many_are_empty || is_long && self.used.last() == Some(&0);
        if remove {
            self.remove_empty_blocks();
        }
        remove
    }

    fn remove_empty_blocks(&mut self) {
        let len = self.used.iter().rposition(|&used| used != 0).map_or(0, |last| last + 1);
        self.blocks.truncate(len);
        self.used.truncate(len);
        self.with_room.clear();
        for (number, (block, used)) in self.blocks.iter_mut().zip(&self.used).enumerate() {
            if *used == 0 {
                *block = None;
            } else if *used != ALL_USED {
                self.with_room.push(number);
            }
        }
        self.existing -= self.empty;
        self.empty = 0;
        self.first_free = 1;
        self.blocks.shrink_to_fit();
        self.used.shrink_to_fit();
        self.with_room.shrink_to_fit();
    }
}
