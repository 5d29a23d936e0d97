//! What exists on some systems only: `iocp` on Windows, `kqueue` on macOS, other Apple systems and the BSDs.

#[cfg(windows)]
pub mod iocp;

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    minimio_kqueue
))]
pub mod kqueue;
