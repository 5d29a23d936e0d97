//! A random number generator: Xorshift, by Marsaglia.

use std::time::Duration;

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, stream: u64) -> Random {
        let mut random = Random((seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
        for _ in 0..20 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a number less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// Spins for a random time, most often a very short one, so that the instructions of the threads interleave
    /// differently each time.
    pub fn spin(&mut self) {
        let end = 1 << self.below(13);
        for _ in 0..self.below(end) {
            std::hint::spin_loop();
        }
    }

    /// Returns a duration below 200 µs, or, one time in four, below 3 ms.
    pub fn delay(&mut self) -> Duration {
        let end = if self.one_in(4) { 3000 } else { 200 };
        self.micros(end)
    }

    pub fn micros(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end))
    }
}
