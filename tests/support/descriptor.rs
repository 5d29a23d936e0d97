//! Operations on descriptors for which the standard library has no function, or only an unsafe one.

use std::io;
use std::os::raw::{c_int, c_void};
use std::os::unix::io::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

/// Converts the owner of a descriptor to another type, through the raw descriptor.
pub fn from_raw<T: FromRawFd>(owner: impl IntoRawFd) -> T {
    // SAFETY: `into_raw_fd` has just given up the ownership of this descriptor.
    unsafe { T::from_raw_fd(owner.into_raw_fd()) }
}

/// Returns the flags of an open descriptor, which the kernel prints in octal.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn flags(fd: &impl AsRawFd) -> u32 {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap()
}

/// Returns a Unix socket, for streams or for datagrams, that is bound but neither listens nor is connected. The
/// standard library has no such stream socket. `name` is a path without a final zero byte, or, on Linux, an abstract
/// name with a zero byte at its beginning.
pub fn bound_unix_socket(stream: bool, name: &[u8]) -> OwnedFd {
    let is_mips = cfg!(any(target_arch = "mips", target_arch = "mips64"));
    // `SOCK_STREAM` is 1 and `SOCK_DGRAM` is 2; on MIPS, these two numbers are exchanged.
    let socket_type = if stream == is_mips { 2 } else { 1 };
    // SAFETY: `socket` takes no pointer.
    let fd = unsafe { socket(AF_UNIX, socket_type, 0) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: `socket` has just returned `fd`, and no other code owns it yet.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let len = 2 + name.len();
    let mut addr = if cfg!(any(target_os = "linux", target_os = "android")) {
        (AF_UNIX as u16).to_ne_bytes().to_vec()
    } else {
        vec![len as u8, AF_UNIX as u8]
    };
    addr.extend(name);
    // SAFETY: `addr` has `len` bytes and outlives the call, which only reads them.
    let result = unsafe { bind(fd, addr.as_ptr().cast(), len as u32) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    socket
}

/// Changes how many connections can be queued at a listener.
pub fn set_backlog(listener: &impl AsRawFd, backlog: c_int) {
    // SAFETY: `listen` takes no pointer.
    let result = unsafe { listen(listener.as_raw_fd(), backlog) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Closes standard input, as a daemon does. The next descriptor that is opened then has the number 0.
pub fn close_standard_input() {
    // SAFETY: no other code of a test uses descriptor 0.
    drop(unsafe { std::os::unix::io::OwnedFd::from_raw_fd(0) });
}

/// Changes settings of the model of kqueue, such as the probabilities of its faults.
#[cfg(minimio_kqueue)]
pub fn configure_model(kqueue: std::os::unix::io::RawFd, settings: &str) {
    extern "C" {
        fn kqueue_model_configure(kq: c_int, settings: *const std::os::raw::c_char) -> c_int;
    }
    let settings = std::ffi::CString::new(settings).unwrap();
    // SAFETY: the string outlives the call, which only reads it.
    let result = unsafe { kqueue_model_configure(kqueue, settings.as_ptr()) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Makes the model of kqueue report that the asynchronous operation whose control block is at `address` is complete.
/// `data` is the `udata` of the operation's notification.
#[cfg(minimio_kqueue)]
pub fn complete_aio(kqueue: std::os::unix::io::RawFd, address: usize, data: usize) {
    extern "C" {
        fn kqueue_model_complete(kq: c_int, ident: usize, udata: *mut c_void) -> c_int;
    }
    // SAFETY: the model does not dereference either pointer.
    let result = unsafe { kqueue_model_complete(kqueue, address, data as *mut c_void) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

const AF_UNIX: c_int = 1;

extern "C" {
    #[cfg_attr(target_os = "netbsd", link_name = "__socket30")]
    fn socket(domain: c_int, r#type: c_int, protocol: c_int) -> c_int;
    fn bind(sockfd: c_int, addr: *const c_void, addrlen: u32) -> c_int;
    fn listen(sockfd: c_int, backlog: c_int) -> c_int;
}
