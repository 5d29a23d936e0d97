//! Checks that two modules of mio exist: pages of documentation, of which `compat/mio` has its own versions.

pub use minimio::{features, guide};
