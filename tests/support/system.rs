//! Where systems differ in what they tell a program, each difference by its name. Tests that meet one hold every system to
//! its own word; nothing else in the tests knows what they run on.

#![allow(dead_code)] // No test file uses all of it.

/// Whether `take_error` clears the error, and tells of a reset: Winsock keeps what a connect has met for as long as the
/// socket lives, and leaves a reset to reads and writes.
pub const ERRORS_ARE_TAKEN: bool = !cfg!(windows);
