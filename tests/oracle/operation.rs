//! What a sequence consists of, and random sequences.

use minimio::Interest;

use crate::support::random::Random;
use crate::support::{BOTH, READ, WRITE};

/// One step of a sequence. Every part of a sequence is a sequence too: the first number of a step selects a slot
/// (modulo the count of slots), or the next slot that is in use. So a step that is left out changes only the steps that
/// would use its source, waker or timer. A step that is impossible does nothing.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Opens a source of the kind with the second number, if the slot is free.
    Open(usize, usize),
    Close(usize),
    /// Registers a source; if it is registered already, this must fail, except for a source that keeps no record.
    Register(usize, Interest),
    /// Reregisters a source; if it is not registered, this must fail.
    Reregister(usize, Interest),
    Deregister(usize),
    /// Receives at most this many bytes, or one connection.
    Receive(usize, usize),
    /// Receives until the operation would block.
    Drain(usize),
    Send(usize, usize),
    /// Sends until the operation would block.
    Fill(usize),
    ShutDown(usize),
    PeerSend(usize),
    PeerDrain(usize),
    PeerShutDown(usize),
    PeerClose(usize),
    PeerReset(usize),
    OpenWaker(usize),
    CloseWaker(usize),
    Wake(usize),
    OpenTimer(usize),
    CloseTimer(usize),
    /// Registers a timer, or deregisters it if it is registered.
    ToggleTimer(usize),
    ReregisterTimer(usize),
    /// Sets a timer to expire after this many microseconds, by its method `set`.
    Set(usize, u64),
    /// The same with `set_at`; the deadline is rounded, so that deadlines are often equal.
    SetAt(usize, u64),
    SetEvery(usize, u64),
    Cancel(usize),
    /// Takes the poll's descriptor, if it has one: from then on, each first wake notifies the kernel.
    TakeDescriptor,
    /// Polls with this capacity and a timeout in microseconds.
    Poll(usize, u64),
    /// Polls with this capacity and a long timeout, while another thread does something.
    PollWhile(usize, Meanwhile),
}

/// What another thread does during a poll.
#[derive(Clone, Copy, Debug)]
pub enum Meanwhile {
    Nothing,
    Wake(usize),
    Set(usize, u64),
    PeerSend(usize),
    /// Lets a peer send, and wakes a waker immediately afterwards.
    PeerSendAndWake(usize),
    Register(usize, Interest),
}

/// Returns a random sequence. It begins with some sources, wakers and timers.
pub fn random_operations(random: &mut Random, count: usize, kinds: usize) -> Vec<Operation> {
    (0..count).map(|step| random_operation(random, kinds as u64, step < FIRST_STEPS)).collect()
}

const FIRST_STEPS: usize = 20;

fn random_operation(random: &mut Random, kinds: u64, is_first: bool) -> Operation {
    use Operation::*;
    let n = random.below(64) as usize;
    if is_first {
        return match random.below(4) {
            0 => OpenWaker(n),
            1 => OpenTimer(n),
            2 => ToggleTimer(n),
            _ => Open(n, random.below(kinds) as usize),
        };
    }
    match random.below(100) {
        0..=3 => Open(n, random.below(kinds) as usize),
        4..=5 => Close(n),
        6..=12 => Register(n, random_interest(random)),
        13..=16 => Reregister(n, random_interest(random)),
        17..=18 => Deregister(n),
        19..=23 => Receive(n, 1 + random.below(40) as usize),
        24..=27 => Drain(n),
        28..=29 => Send(n, 1 + random.below(40) as usize),
        30 => Fill(n),
        31 => {
            if random.one_in(4) {
                ShutDown(n)
            } else {
                PeerDrain(n)
            }
        }
        32..=43 => PeerSend(n),
        44..=45 => PeerDrain(n),
        46 => match random.below(4) {
            0 => PeerClose(n),
            1 => PeerReset(n),
            _ => PeerShutDown(n),
        },
        47 => match random.below(3) {
            0 => CloseWaker(n),
            _ => OpenWaker(n),
        },
        48..=52 => Wake(n),
        53 => match random.below(6) {
            0 => TakeDescriptor,
            1 => CloseTimer(n),
            _ => OpenTimer(n),
        },
        54..=55 => ToggleTimer(n),
        56 => ReregisterTimer(n),
        57..=58 => Set(n, random.below(400)),
        59..=61 => SetAt(n, random.below(400)),
        62 => SetEvery(n, 50 + random.below(400)),
        63 => Cancel(n),
        64..=65 => PollWhile(random_capacity(random), random_meanwhile(random, n)),
        66 => Poll(random_capacity(random), 1 + random.below(500)),
        _ => Poll(random_capacity(random), 0),
    }
}

fn random_capacity(random: &mut Random) -> usize {
    [1, 1, 2, 3, 4, 6, 16, 64][random.below(8) as usize]
}

fn random_interest(random: &mut Random) -> Interest {
    let readiness = [READ, READ, WRITE, BOTH, BOTH][random.below(5) as usize];
    match random.below(3) {
        0 => readiness.edge(),
        1 => readiness.level(),
        _ => readiness.oneshot(),
    }
}

fn random_meanwhile(random: &mut Random, n: usize) -> Meanwhile {
    match random.below(6) {
        0 => Meanwhile::Nothing,
        1 => Meanwhile::Wake(n),
        2 => Meanwhile::Set(n, random.below(300)),
        3 => Meanwhile::PeerSend(n),
        4 => Meanwhile::PeerSendAndWake(n),
        _ => Meanwhile::Register(n, random_interest(random)),
    }
}
