//! The differences between the systems on which tests depend. Each difference has a name here, and a test that depends
//! on it checks that each system behaves in its own way. The files of `behaviour/` that run on every system contain no
//! other condition on the system.

use std::env;
use std::fs;
use std::io::ErrorKind;

/// Whether `take_error` clears the error, and returns a reset. Winsock keeps the error of a connect for the lifetime of
/// the socket, and returns a reset only from reads and writes.
pub const TAKE_ERROR_CLEARS: bool = !cfg!(windows);

/// The error that `peer_addr` returns after a connect was refused.
pub const NO_PEER_ERROR: ErrorKind =
    if cfg!(target_vendor = "apple") { ErrorKind::InvalidInput } else { ErrorKind::NotConnected };

/// The error of `shutdown` after a connect was refused.
pub const NO_SHUTDOWN_ERROR: ErrorKind =
    if cfg!(target_os = "netbsd") { ErrorKind::InvalidInput } else { ErrorKind::NotConnected };

/// The errors that the first write after a refused connect can return. The kernels of macOS and the BSDs check whether
/// sending has ended before they check the error of the socket. Windows returns `NotConnected`, and Wine
/// `ConnectionReset`.
pub const FIRST_WRITE_ERRORS: &[ErrorKind] = if IS_BSD {
    &[ErrorKind::BrokenPipe]
} else if cfg!(windows) {
    &[ErrorKind::ConnectionRefused, ErrorKind::NotConnected, ErrorKind::ConnectionReset]
} else {
    &[ErrorKind::ConnectionRefused]
};

/// Returns whether this process has children that run or that were not waited for. Windows keeps no exited child after
/// its handles were closed.
pub fn has_children() -> bool {
    #[cfg(unix)]
    return super::fork::has_children();
    #[cfg(windows)]
    return false;
}

/// Returns how many connections can wait for `accept`, if the program allows more. The limit of macOS and of some BSDs
/// is 128.
pub fn max_backlog() -> usize {
    if cfg!(windows) {
        return 4096;
    }
    fs::read_to_string("/proc/sys/net/core/somaxconn").map_or(128, |limit| limit.trim().parse().unwrap())
}

/// Whether a connection stays in the queue if no descriptor is left to accept it. The kernel of macOS closes it.
pub const UNACCEPTED_CONNECTIONS_STAY: bool = !cfg!(target_vendor = "apple");

/// Whether the system is macOS, another Apple system or a BSD.
const IS_BSD: bool = cfg!(all(unix, not(any(target_os = "linux", target_os = "android"))));

/// Whether the queue is a kqueue: the system's or the model's.
const HAS_KQUEUE: bool = IS_BSD || cfg!(minimio_kqueue);

/// Whether registering a `SourceFd` or a `SourceSocket` twice is an error. With a kqueue and on Windows, the second
/// registration replaces the first.
pub const SECOND_REGISTRATION_FAILS: bool = !HAS_KQUEUE && !cfg!(windows);

/// Whether every notification of the queue makes the queue's descriptor readable again for an edge-triggered outer
/// queue. A kqueue that is already readable causes no further edge.
pub const EVERY_NOTIFY_IS_AN_EDGE: bool = !HAS_KQUEUE;

/// Whether sending a Unix datagram to a full receiver would block, and an event reports when the receiver has space. On
/// the BSDs, sending fails with another error, and no event reports the space. Also whether connecting a Unix stream to
/// a listener with a full backlog would block; on the BSDs, it is refused.
pub const FULL_UNIX_RECEIVERS_BLOCK: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether a Unix stream is reset when its peer closes without having read all bytes. On the BSDs, the stream ends.
pub const UNREAD_BYTES_RESET: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether `poll` reports a pipe's write end that was registered after the read end was closed. macOS does since 10.15.
/// FreeBSD, NetBSD and DragonFly refuse to watch such a write end. For OpenBSD, the result is `None`: not known.
pub fn write_ends_registered_after_the_reader_closed_are_reported() -> Option<bool> {
    match () {
        () if cfg!(minimio_kqueue) => Some(model_has("macos-pipes")),
        () if cfg!(target_os = "openbsd") => None,
        () => Some(!IS_BSD || cfg!(target_vendor = "apple")),
    }
}

/// Whether `poll` reports the write end of a full pipe when the read end is closed. NetBSD does not.
pub fn full_pipes_report_the_close_of_the_reader() -> bool {
    match () {
        () if cfg!(minimio_kqueue) => model_has("macos-pipes") || model_has("freebsd-pipes"),
        () => !cfg!(target_os = "netbsd"),
    }
}

/// Returns whether the model of kqueue has this setting. Without settings, the model behaves like NetBSD 11.
fn model_has(setting: &str) -> bool {
    env::var("KQUEUE_MODEL").map_or(false, |words| words.split(',').any(|word| word == setting))
}

/// Whether the end of a stream is reported while bytes before the end are unread. Wine reports the end only after they
/// were read.
pub fn end_is_reported_before_unread_data() -> bool {
    !is_wine()
}

/// Whether an unconnected UDP socket receives an error when it sends to a closed port. Windows returns that error, Wine
/// does not.
pub fn udp_refusals_are_reported() -> bool {
    cfg!(windows) && !is_wine()
}

/// Whether all bytes arrive if a stream writes after its peer has shut down writing. Under Wine, some bytes are
/// sometimes lost if the peer shuts down while both directions are full. A program that uses mio loses them too.
pub fn half_closed_streams_lose_nothing() -> bool {
    !is_wine()
}

/// Whether creating a pipe as the first instance of its name fails if the name already has an instance. Wine creates a
/// second instance.
pub fn first_instance_is_exclusive() -> bool {
    !is_wine()
}

/// Returns whether this Windows program runs under Wine.
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
    // SAFETY: `name` ends with a zero byte.
    let ntdll = unsafe { GetModuleHandleA(name.cast()) };
    let name: *const u8 = b"wine_get_version\0".as_ptr();
    // SAFETY: every process has loaded this module, and `name` ends with a zero byte.
    !unsafe { GetProcAddress(ntdll, name.cast()) }.is_null()
}

/// Whether `poll` reports that a datagram was refused, and a receive then returns the error. Wine's server takes the
/// error from the socket and reports it only sometimes. (Windows is expected to report it, but the tests run on Wine.)
pub const REFUSED_DATAGRAMS_ARE_REPORTED: bool = cfg!(not(windows));

/// Whether an edge source is reported again only after the program has used it, even if more has arrived; and whether
/// the rest is reported again after a partial read.
pub const REARMED_BY_THE_PROGRAM: bool = cfg!(windows);

/// Whether an event can report a condition that held when it happened, but that the program has ended before the poll.
pub const EVENTS_CAN_BE_STALE: bool = cfg!(windows);

/// Whether the queue may report a condition some time after the system shows the condition. Wine's server completes a
/// request only after it has returned from other requests.
pub const EVENTS_CAN_BE_LATE: bool = cfg!(windows);

/// Whether a datagram or a connection may arrive some time after the call that sent it.
pub const MESSAGES_CAN_BE_LATE: bool = cfg!(not(any(target_os = "linux", target_os = "android", windows)));

/// Whether the second direction of a oneshot source, which is not reported, takes a slot of a poll that reports other
/// events.
pub const SUPPRESSED_EVENTS_TAKE_SLOTS: bool = HAS_KQUEUE;

/// How many children a test has at once. Over the model of kqueue, 1000 take 10 s, so `.ci/run` starts them only once.
/// Under Wine, 1000 take two minutes.
pub const CHILDREN_AT_ONCE: usize = if cfg!(any(minimio_kqueue, windows)) { 100 } else { 1000 };

/// How many children a test starts one after the other. `.ci/run` starts 10,000 once.
pub const CHILDREN: usize = if cfg!(windows) { 60 } else { 300 };

/// How many handles the threads of the system's pool can have open. They start when they are needed.
pub const POOL_HANDLES: usize = if cfg!(windows) { 8 } else { 0 };
