//! Of the crate's `windows` folder, the part that needs nothing of the standard library's Windows.

#[path = "../../../../src/windows/ffi.rs"]
pub(crate) mod ffi;
