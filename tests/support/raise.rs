//! Sends a signal to this process.

use minimio::signal::Signal;

/// Sends a signal to this process, and returns when the handlers have run: on Unix in this thread, by `raise`.
#[cfg(unix)]
pub fn raise(signal: Signal) {
    extern "C" {
        fn raise(sig: std::os::raw::c_int) -> std::os::raw::c_int;
    }
    // SAFETY: `raise` takes no pointer. The tests raise only signals that they receive.
    assert_eq!(unsafe { raise(signal.as_raw()) }, 0);
}
