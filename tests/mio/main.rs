//! The API is mio's: these modules also compile and run against mio (`compat/mio/api`).

mod parity;
mod surface;
