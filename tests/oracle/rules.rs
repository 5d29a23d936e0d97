//! What a sequence violates.

use std::fmt;
use std::io;

pub type Checked<T = ()> = Result<T, Violation>;

#[derive(Clone, Debug)]
pub struct Violation {
    /// What must hold, in words.
    pub rule: &'static str,
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "violated: {}\n  {}", self.rule, self.detail)
    }
}

pub fn check(holds: bool, rule: &'static str, detail: impl FnOnce() -> String) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Violation { rule, detail: detail() })
    }
}

pub fn expect<T>(result: io::Result<T>, rule: &'static str) -> Checked<T> {
    result.map_err(|err| Violation { rule, detail: err.to_string() })
}
