//! What mio has and this crate has not: pages of documentation, which `compat/mio` has in its own words.

pub use minimio::{features, guide};
