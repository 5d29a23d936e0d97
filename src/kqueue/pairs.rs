//! Sources that are registered for one report, in both directions.
//!
//! To the kernel they are two knotes, each of which reports once; to the program they are one source, which is silent
//! after the first report. So the second one is taken out of the batch in which it comes, unless that is the batch of
//! the first.
//!
//! Whoever registers anew, from another thread, makes both count again. Then an event that the kernel has handed to the
//! poller just before may not be taken for the first report of the new registration: the real one would be taken out.
//! Nobody can tell which of the two it is. So in a batch that was under way at the time, it is taken out, and both
//! knotes are enabled once more: what is still so comes again.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::io::RawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use super::ffi;
use crate::event::{Event, Token};
use crate::sync::lock;
use crate::Interest;

pub(super) struct Pairs {
    /// How many there are, for those who would rather not lock.
    count: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// The wait that has begun last, counted from 1.
    wait: u64,
    /// One that was dropped without a word stays, until its number comes again.
    pairs: BTreeMap<RawFd, Pair>,
}

struct Pair {
    token: Token,
    /// The last wait that had begun when this was registered, or registered anew.
    since: u64,
    /// The wait that has brought the report.
    told_by: Option<u64>,
}

impl Pairs {
    pub fn new() -> Pairs {
        Pairs { count: AtomicUsize::new(0), state: Mutex::new(State { wait: 0, pairs: BTreeMap::new() }) }
    }

    /// Runs what registers a descriptor, and remembers it if it is one of these.
    #[inline]
    pub fn arm(
        &self,
        fd: RawFd,
        token: Token,
        interest: Interest,
        register: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let is_pair = interest.is_oneshot() && interest.is_readable() && interest.is_writable();
        if !is_pair && self.count.load(Ordering::Acquire) == 0 {
            return register();
        }
        let mut state = lock(&self.state);
        let since = state.wait;
        match is_pair {
            true => state.pairs.insert(fd, Pair { token, since, told_by: None }),
            false => state.pairs.remove(&fd),
        };
        // Before the kernel can have an event of it.
        self.count.store(state.pairs.len(), Ordering::Release);
        let result = register();
        if result.is_err() {
            state.pairs.remove(&fd);
            self.count.store(state.pairs.len(), Ordering::Release);
        }
        result
    }

    pub fn forget(&self, fd: RawFd) {
        if self.count.load(Ordering::Acquire) != 0 {
            let mut state = lock(&self.state);
            state.pairs.remove(&fd);
            self.count.store(state.pairs.len(), Ordering::Release);
        }
    }

    /// Begins a wait. `None`: there are none of these, and whatever there will be at its end was registered meanwhile.
    #[inline]
    pub fn begin_wait(&self) -> Option<u64> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut state = lock(&self.state);
        state.wait += 1;
        Some(state.wait)
    }

    /// Takes out of a batch what that wait must not tell, and has `enable`d what may come again. True if it was
    /// something.
    #[inline]
    pub fn take_out(
        &self,
        list: &mut Vec<Event>,
        kept: usize,
        wait: Option<u64>,
        enable: impl FnMut(RawFd, Token) -> io::Result<()>,
    ) -> bool {
        self.count.load(Ordering::Acquire) != 0 && self.take_out_some(list, kept, wait, enable)
    }

    #[cold]
    #[inline(never)]
    fn take_out_some(
        &self,
        list: &mut Vec<Event>,
        kept: usize,
        wait: Option<u64>,
        mut enable: impl FnMut(RawFd, Token) -> io::Result<()>,
    ) -> bool {
        let mut state = lock(&self.state);
        let before = list.len();
        let mut at = 0;
        list.retain(|Event(event)| {
            at += 1;
            let is_direction = event.filter == ffi::EVFILT_READ || event.filter == ffi::EVFILT_WRITE;
            let fd = event.ident as RawFd;
            let pair = match state.pairs.get_mut(&fd) {
                Some(pair) if at > kept && is_direction => pair,
                _ => return true,
            };
            match wait {
                Some(wait) if pair.since < wait => {
                    let told_by = *pair.told_by.get_or_insert(wait);
                    told_by == wait
                }
                _ => {
                    // One that is closed by now is not to be told of.
                    let _gone = enable(fd, pair.token);
                    false
                }
            }
        });
        list.len() < before
    }
}
