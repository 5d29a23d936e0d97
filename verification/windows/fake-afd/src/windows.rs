//! The part of the crate's `windows` folder that does not need the standard library for Windows.

#[path = "../../../../src/windows/ffi.rs"]
pub(crate) mod ffi;
