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

/// As on Unix. Wine cannot generate an event of the console (`GenerateConsoleCtrlEvent` fails), so this calls the
/// crate's handler directly. `TERMINATE` is not possible, because its handler waits until the `Signals` are dropped.
#[cfg(windows)]
pub fn raise(signal: Signal) {
    let event = match signal {
        Signal::INTERRUPT => 0,
        Signal::QUIT => 1,
        signal => panic!("{signal:?} cannot be raised"),
    };
    assert!(minimio::windows::handle_console_event(event), "no source receives {signal:?}");
}
