//! Where systems differ, and what goes wrong: words, separated by commas, from the environment or by a call.

use std::env;

/// What another system does than NetBSD 11.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct System {
    /// There is no `EVFILT_USER`: `EINVAL`. NetBSD before 10, OpenBSD but for its newest releases.
    pub no_user: bool,
    /// An `EV_ADD` enables a knote that `EV_DISPATCH` has disabled. NetBSD in 2016.
    pub add_enables: bool,
    /// An `EV_ADD` with `NOTE_TRIGGER` triggers. macOS, FreeBSD.
    pub add_triggers: bool,
    /// The write end of a pipe that nobody reads can't be added: `EPIPE`. macOS, older FreeBSD.
    pub broken_pipe: bool,
}

/// What happens by chance, each with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// That a wait is interrupted before it sleeps.
    pub eintr: f64,
    /// That there is no memory for a new knote.
    pub enomem: f64,
    /// That a report stops at its first event.
    pub short: f64,
    /// That a wait which has found nothing reports a descriptor all the same.
    pub spurious: f64,
    chance: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    pub system: System,
    pub faults: Faults,
}

impl Settings {
    /// As the environment says. `Err` is a word that it does not understand.
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
                "add-triggers" => self.system.add_triggers = true,
                "broken-pipe" => self.system.broken_pipe = true,
                _ => return None,
            },
            Some(("seed", seed)) => self.faults.chance = sown(seed.parse().ok()?),
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
        Faults { eintr: 0.0, enomem: 0.0, short: 0.0, spurious: 0.0, chance: sown(0) }
    }
}

/// Where chance begins. Seeds that are neighbours are no neighbours here; and a state of zero would stay zero.
fn sown(seed: u64) -> u64 {
    seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63
}

impl Faults {
    /// Whether something of this probability happens now.
    pub fn happens(&mut self, probability: f64) -> bool {
        // What is not asked for takes no chance from the others, so that a seed means the same with and without it.
        probability > 0.0 && (self.next() >> 11) as f64 / ((1u64 << 53) as f64) < probability
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Marsaglia's xorshift.
    fn next(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance
    }
}
