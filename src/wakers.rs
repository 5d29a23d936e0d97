//! The pending flags of all wakers of a poll.

use crate::event::{Event, Token};
use crate::queue::RawEvent;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{lock, Arc, Mutex};

/// The pending flag of a waker: whether `wake` was called since the last report, and the token to report.
pub(crate) struct PendingFlag {
    pub raised: AtomicBool,
    pub token: Token,
}

impl PendingFlag {
    pub fn new(token: Token) -> PendingFlag {
        PendingFlag { raised: AtomicBool::new(false), token }
    }
}

pub(crate) struct Wakers {
    list: Mutex<WakerList>,
}

struct WakerList {
    flags: Vec<Arc<PendingFlag>>,
    /// The index at which the next report starts: that of the first flag that did not fit when the event list was last
    /// full. So every waker is reported even if the event list is full in every round.
    next: usize,
}

impl Wakers {
    pub fn new() -> Wakers {
        Wakers { list: Mutex::new(WakerList { flags: Vec::new(), next: 0 }) }
    }

    pub fn add(&self, flag: Arc<PendingFlag>) {
        lock(&self.list).flags.push(flag);
    }

    pub fn remove(&self, flag: &Arc<PendingFlag>) {
        let flags = &mut lock(&self.list).flags;
        flags.retain(|other| !Arc::ptr_eq(other, flag));
        // Give back most of the unused memory after many wakers were dropped.
        if flags.len() < flags.capacity() / 4 {
            flags.shrink_to(flags.len() * 2);
        }
    }

    /// Takes raised flags and appends an event for each, at most `slots`. Returns whether raised flags remain.
    pub fn report_pending(&self, events: &mut Vec<Event>, slots: usize) -> bool {
        let mut list = lock(&self.list);
        let end = events.len() + slots;
        let count = list.flags.len();
        let first = list.next;
        for index in (first..count).chain(0..first.min(count)) {
            let flag = &list.flags[index];
            if events.len() == end {
                if flag.raised.load(Ordering::Acquire) {
                    list.next = index;
                    return true;
                }
            } else if flag.raised.swap(false, Ordering::AcqRel) {
                events.push(Event(RawEvent::readable(flag.token)));
            }
        }
        false
    }
}
