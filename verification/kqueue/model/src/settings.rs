//! Differences between systems, random faults, and the trace of calls. All are words separated by commas, from the
//! environment or from a call of `kqueue_model_configure`.

use std::env;
use std::os::raw::c_int;
use std::time::Duration;

use crate::ffi;

/// The differences from NetBSD 11.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct System {
    /// `EVFILT_USER` is unknown: `EINVAL`. NetBSD before 10, OpenBSD except its newest releases.
    pub no_user: bool,
    /// An `EV_ADD` enables a knote that `EV_DISPATCH` has disabled. NetBSD in 2016.
    pub add_enables: bool,
    /// A change of a knote that is enabled already does not make the knote pending again, except `EV_ADD` and changes
    /// of `EVFILT_USER`. OpenBSD.
    pub quiet_changes: bool,
    /// An `EV_ADD` with `NOTE_TRIGGER` triggers. macOS, OpenBSD, DragonFly.
    pub add_triggers: bool,
    /// A wait lasts a whole number of clock ticks: its timeout, rounded up, and one more tick. NetBSD; not the default,
    /// because tests would be slow.
    pub ticks: bool,
    pub pipes: Pipes,
    /// A process that has exited can be watched until its parent has waited for it, and is reported at once. FreeBSD.
    pub watches_zombies: bool,
}

/// What happens to the write end of a pipe whose reader is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pipes {
    /// It cannot be added (`EBADF`). If the pipe was full when its reader was closed, no knote reports that.
    #[default]
    NetBsd,
    /// It cannot be added (`EPIPE`). Its knote reports the close of the reader. Also DragonFly.
    FreeBsd,
    /// It can be added, and its knote reports the close of the reader. macOS since 10.15.
    MacOs,
}

impl System {
    /// The error with which adding the write end of a pipe without a reader fails.
    pub fn no_reader(self) -> Option<c_int> {
        match self.pipes {
            Pipes::NetBsd => Some(ffi::EBADF),
            Pipes::FreeBsd => Some(ffi::EPIPE),
            Pipes::MacOs => None,
        }
    }

    /// Returns how long a wait with this timeout lasts.
    pub fn wait_time(self, timeout: Duration) -> Duration {
        const TICK: u128 = 10_000_000;
        if !self.ticks || timeout == Duration::ZERO {
            return timeout;
        }
        let ticks = (timeout.as_nanos() - 1) / TICK + 2;
        u64::try_from(ticks * TICK).map_or(Duration::MAX, Duration::from_nanos)
    }
}

/// The random faults, each with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// A wait is interrupted before it blocks.
    pub eintr: f64,
    /// The kernel has no memory for a new knote.
    pub enomem: f64,
    /// A report stops after its first event.
    pub short: f64,
    /// A wait that found no event reports a descriptor that is not ready.
    pub spurious: f64,
    /// The state of the random number generator.
    random: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    pub system: System,
    pub faults: Faults,
    /// Whether each call is written to standard error.
    pub trace: bool,
}

impl Settings {
    /// Reads the settings from the environment. `Err` is the first unknown word.
    pub fn from_environment() -> Result<Settings, String> {
        let mut settings = Settings::default();
        for name in ["KQUEUE_MODEL", "KQUEUE_MODEL_FAULTS"] {
            settings.apply(&env::var(name).unwrap_or_default())?;
        }
        Ok(settings)
    }

    pub fn apply(&mut self, words: &str) -> Result<(), String> {
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            self.apply_word(word).ok_or_else(|| word.to_owned())?;
        }
        Ok(())
    }

    fn apply_word(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            None => match word {
                "no-user" => self.system.no_user = true,
                "add-enables" => self.system.add_enables = true,
                "quiet-changes" => self.system.quiet_changes = true,
                "add-triggers" => self.system.add_triggers = true,
                "ticks" => self.system.ticks = true,
                "freebsd-pipes" => self.system.pipes = Pipes::FreeBsd,
                "freebsd-zombies" => self.system.watches_zombies = true,
                "trace" => self.trace = true,
                "macos-pipes" => self.system.pipes = Pipes::MacOs,
                _ => return None,
            },
            Some(("seed", seed)) => self.faults.random = seed_state(seed.parse().ok()?),
            Some((name, probability)) => {
                let probability = probability.parse().ok().filter(|p| (0.0..=1.0).contains(p))?;
                match name {
                    "eintr" => self.faults.eintr = probability,
                    "enomem" => self.faults.enomem = probability,
                    "short" => self.faults.short = probability,
                    "spurious" => self.faults.spurious = probability,
                    _ => return None,
                }
            }
        }
        Some(())
    }
}

impl Default for Faults {
    fn default() -> Faults {
        Faults { eintr: 0.0, enomem: 0.0, short: 0.0, spurious: 0.0, random: seed_state(0) }
    }
}

/// Returns the generator's first state. Neighbouring seeds give states that are far apart. The state is never zero: a
/// zero state would stay zero.
fn seed_state(seed: u64) -> u64 {
    seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63
}

impl Faults {
    /// Returns whether an event of this probability happens now.
    pub fn happens(&mut self, probability: f64) -> bool {
        // A fault with probability 0 draws no number, so the other faults stay the same for the same seed.
        probability > 0.0 && (self.next() >> 11) as f64 / ((1u64 << 53) as f64) < probability
    }

    /// Returns a random number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Returns the next number of Marsaglia's xorshift.
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
