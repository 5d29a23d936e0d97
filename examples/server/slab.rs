//! A table of values with small numbers as keys.

use std::ops::Range;

/// A table whose keys are reused. The key of a removed value becomes free only at the end of the batch of events,
/// because later events of the same batch may still carry the old value's token. Later batches do not: a source that
/// was dropped is not reported any more.
pub struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<usize>,
    freed_in_this_batch: Vec<usize>,
}

impl<T> Slab<T> {
    pub fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new(), freed_in_this_batch: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len() - self.freed_in_this_batch.len()
    }

    /// Inserts the value that `make` returns for its key.
    pub fn insert<E>(&mut self, make: impl FnOnce(usize) -> Result<T, E>) -> Result<(), E> {
        match self.free.last() {
            Some(&key) => {
                self.slots[key] = Some(make(key)?);
                self.free.pop();
            }
            None => self.slots.push(Some(make(self.slots.len())?)),
        }
        Ok(())
    }

    pub fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        self.slots.get_mut(key)?.as_mut()
    }

    /// Returns the keys that may have a value.
    pub fn keys(&self) -> Range<usize> {
        0..self.slots.len()
    }

    pub fn remove(&mut self, key: usize) {
        if self.slots[key].take().is_some() {
            self.freed_in_this_batch.push(key);
        }
    }

    /// Makes the keys of removed values free. Call this after each batch of events.
    pub fn end_of_batch(&mut self) {
        self.free.append(&mut self.freed_in_this_batch);
    }
}
