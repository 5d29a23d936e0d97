//! What the queue does, a sentence a test. Those that don't say otherwise run on every kind of kernel.

mod cancels;
mod closing;
mod costs;
mod explore;
mod failures;
mod modes;
mod pipes;
mod providers;
mod reports;
mod stress;
