//! Checks that the public paths of polling exist.

pub use polling::{os, AsRawSource, AsSource, Event, Events, PollMode, Poller};
