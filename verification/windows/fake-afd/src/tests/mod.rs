//! Tests of the queue. Most run on every kind of kernel.

mod cancels;
mod closing;
mod costs;
mod explore;
mod failures;
mod foreign;
mod guide;
mod hang_ups;
mod modes;
mod pipes;
mod priority;
mod providers;
mod reports;
mod stress;
mod waitables;
