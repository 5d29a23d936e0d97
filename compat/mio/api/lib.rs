//! Items that mio has and minimio has not: pages of documentation, of which `compat/mio` has its own versions.

pub use minimio::{features, guide};
