//! `Events`: the list that `wait` fills.

use std::fmt;
use std::num::NonZeroUsize;

use crate::queue::Batch;
use crate::Event;

/// A list of events. [`wait`](crate::Poller::wait) appends to it; [`clear`](Events::clear) empties it.
///
/// One `wait` appends at most as many events as the capacity, and the next `wait` reports the others. A list that is
/// not cleared grows beyond its capacity. (On Windows, all posted packets are appended at once.)
pub struct Events {
    /// The events of earlier waits.
    earlier: Vec<Event>,
    /// The events of the last wait.
    last: Batch,
}

impl Events {
    /// Creates a list with a capacity of 1024.
    #[inline]
    pub fn new() -> Self {
        Events { earlier: Vec::new(), last: Batch::with_capacity(1024) }
    }

    /// Creates a list with this capacity.
    ///
    /// ```
    /// use polling::Events;
    ///
    /// let events = Events::with_capacity(8.try_into().unwrap());
    /// assert_eq!(events.capacity().get(), 8);
    /// ```
    #[inline]
    pub fn with_capacity(capacity: NonZeroUsize) -> Self {
        Events { earlier: Vec::new(), last: Batch::with_capacity(capacity.get()) }
    }

    /// Returns an iterator over the events. Notifications are not among them.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.earlier.iter().copied().chain(self.last.iter())
    }

    /// Removes all events.
    #[inline]
    pub fn clear(&mut self) {
        self.earlier.clear();
        self.last.clear();
    }

    /// Returns the number of events.
    #[inline]
    pub fn len(&self) -> usize {
        self.earlier.len() + self.last.len()
    }

    /// Returns whether there is no event.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many events one `wait` appends at most.
    #[inline]
    pub fn capacity(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.last.capacity()).expect("every list is created with a capacity")
    }

    /// Makes the events of the last wait events of earlier waits, and returns the batch for the next wait.
    #[inline]
    pub(crate) fn next_batch(&mut self) -> &mut Batch {
        if self.last.len() > 0 {
            self.earlier.extend(self.last.iter());
        }
        &mut self.last
    }
}

impl Default for Events {
    #[inline]
    fn default() -> Self {
        Events::new()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
