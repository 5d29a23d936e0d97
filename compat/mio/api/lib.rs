//! Checks that two modules exist which mio has and minimio does not have: pages of documentation, of which `compat/mio`
//! has its own versions.

pub use minimio::{features, guide};
