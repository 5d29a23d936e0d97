//! Values that are called by number: the smallest number that is free.

/// A number is free for the next value only at the end of the batch of events in which its last value was removed:
/// those events may still speak of that one. No later batch does, since a source that was dropped is not reported any
/// more.
pub struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
    freed_in_this_batch: Vec<usize>,
}

impl<T> Slab<T> {
    pub fn new() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new(), freed_in_this_batch: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.places.len() - self.free.len() - self.freed_in_this_batch.len()
    }

    /// Puts in what `make` makes of the number it is going to have.
    pub fn insert<E>(&mut self, make: impl FnOnce(usize) -> Result<T, E>) -> Result<(), E> {
        match self.free.last() {
            Some(&key) => {
                self.places[key] = Some(make(key)?);
                self.free.pop();
            }
            None => self.places.push(Some(make(self.places.len())?)),
        }
        Ok(())
    }

    pub fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        self.places.get_mut(key)?.as_mut()
    }

    pub fn remove(&mut self, key: usize) {
        if self.places[key].take().is_some() {
            self.freed_in_this_batch.push(key);
        }
    }

    pub fn end_of_batch(&mut self) {
        self.free.append(&mut self.freed_in_this_batch);
    }
}
