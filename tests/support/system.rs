//! Where systems differ in what they tell a program, each difference by its name. Tests that meet one hold every system
//! to its own word; nothing else in the tests knows what they run on.

use std::env;
use std::io::ErrorKind;

/// Whether `take_error` clears the error, and tells of a reset: Winsock keeps what a connect has met for as long as the
/// socket lives, and leaves a reset to reads and writes.
pub const ERRORS_ARE_TAKEN: bool = !cfg!(windows);

/// What `peer_addr` answers after a connect was refused.
pub const NO_PEER: ErrorKind =
    if cfg!(target_vendor = "apple") { ErrorKind::InvalidInput } else { ErrorKind::NotConnected };

/// Whether the queue is a kqueue: the system's, or the model's.
const HAS_KQUEUE: bool = cfg!(all(unix, any(minimio_kqueue, not(any(target_os = "linux", target_os = "android")))));

/// Whether registering a bare descriptor twice is an error: a kqueue lets the second registration take the place of the
/// first.
pub const DESCRIPTORS_ARE_TAKEN: bool = !HAS_KQUEUE;

/// Whether the queue's descriptor becomes readable with each kick: a kqueue that is readable does not become so again.
pub const EVERY_KICK_IS_AN_EDGE: bool = !HAS_KQUEUE;

/// Whether a Unix datagram that finds no room at the receiver would block, and an event tells of room: the BSDs have an
/// error for it, and nothing to tell.
pub const FULL_UNIX_RECEIVERS_BLOCK: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether a Unix stream is reset when its peer closes without having read all: the BSDs end it.
pub const UNREAD_BYTES_RESET: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether a pipe's write end that is registered too late, when nobody reads any more, is told of it: macOS refuses to
/// watch it, and so does the model if it is asked to. Of the BSDs, some releases do, so nothing is said of them.
pub fn broken_pipes_are_told() -> Option<bool> {
    let is_refused = || env::var("KQUEUE_MODEL").map_or(false, |words| words.contains("broken-pipe"));
    match () {
        () if cfg!(target_vendor = "apple") => Some(false),
        () if cfg!(any(target_os = "linux", target_os = "android")) => Some(!(HAS_KQUEUE && is_refused())),
        () => None,
    }
}

/// Whether the end of a stream is told while there are bytes before it that nobody has read: Wine tells of it after
/// those.
pub fn ends_are_told_at_once() -> bool {
    !is_wine()
}

/// Whether a UDP socket that is not connected hears that nobody receives what it has sent: Windows tells it, Wine does
/// not.
pub fn refusals_are_told() -> bool {
    cfg!(windows) && !is_wine()
}

/// Whether what is written to a peer that has shut down its own writing arrives whole. Below Wine, some is lost now and
/// then, if that happens while both directions are full; a program of mio's loses it as well.
pub fn half_closed_streams_are_whole() -> bool {
    !is_wine()
}

/// Whether a pipe that wants to be the first of its name is refused if it is not: Wine lets it be the second.
pub fn first_instances_are_the_first() -> bool {
    !is_wine()
}

/// Whether these are Windows programs on another system.
#[cfg(not(windows))]
fn is_wine() -> bool {
    false
}

#[cfg(windows)]
fn is_wine() -> bool {
    use std::os::raw::{c_char, c_void};

    #[link(name = "kernel32")]
    extern "system" {
        /// <https://learn.microsoft.com/windows/win32/api/libloaderapi/nf-libloaderapi-getmodulehandlea>
        fn GetModuleHandleA(name: *const c_char) -> *mut c_void;
        /// <https://learn.microsoft.com/windows/win32/api/libloaderapi/nf-libloaderapi-getprocaddress>
        fn GetProcAddress(module: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    let name: *const u8 = b"ntdll.dll\0".as_ptr();
    // SAFETY: the name ends with a zero byte.
    let ntdll = unsafe { GetModuleHandleA(name.cast()) };
    let name: *const u8 = b"wine_get_version\0".as_ptr();
    // SAFETY: every program has this module loaded, and the name ends with a zero byte.
    !unsafe { GetProcAddress(ntdll, name.cast()) }.is_null()
}
