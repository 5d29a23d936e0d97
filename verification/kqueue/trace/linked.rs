//! Links to the model as the crate does when it is built for kqueue, and sees that the standard library's closes reach
//! it. `trace.sh` compiles and runs this.

use std::io::{self, Write};
use std::os::raw::{c_int, c_long, c_void};
use std::os::unix::io::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr;

#[repr(C, packed(4))]
#[derive(Clone, Copy)]
struct Kevent {
    ident: usize,
    filter: i16,
    flags: u16,
    fflags: u32,
    data: isize,
    udata: *mut c_void,
}

extern "C" {
    fn kqueue() -> c_int;
    fn kevent(kq: c_int, c: *const Kevent, nc: c_int, e: *mut Kevent, ne: c_int, time: *const [c_long; 2]) -> c_int;
}

const READ: i16 = -1;
const ADD: u16 = 1;
const DELETE: u16 = 2;

fn open() -> c_int {
    // SAFETY: it takes nothing.
    let kq = unsafe { kqueue() };
    assert!(kq >= 0, "{}", io::Error::last_os_error());
    kq
}

fn change(kq: c_int, fd: c_int, flags: u16) -> Result<(), Option<i32>> {
    let change = Kevent { ident: fd as usize, filter: READ, flags, fflags: 0, data: 0, udata: ptr::null_mut() };
    // SAFETY: there is one change, and no room.
    match unsafe { kevent(kq, &change, 1, ptr::null_mut(), 0, ptr::null()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().raw_os_error()),
    }
}

fn events(kq: c_int) -> c_int {
    let mut event = Kevent { ident: 0, filter: 0, flags: 0, fflags: 0, data: 0, udata: ptr::null_mut() };
    // SAFETY: there is room for one event.
    unsafe { kevent(kq, ptr::null(), 0, &mut event, 1, &[0, 0]) }
}

#[test]
fn a_knote_dies_when_the_standard_library_closes_its_descriptor() {
    let kq = open();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let number = theirs.as_raw_fd();
    change(kq, number, ADD).unwrap();
    ours.write_all(b"x").unwrap();
    assert_eq!(events(kq), 1);

    let duplicate = theirs.try_clone().unwrap();
    drop(theirs);
    assert_eq!(events(kq), 0);
    // The next descriptor has the same number, unless another test was faster; and no knote in any case.
    let next = UnixStream::pair().unwrap();
    for fd in [next.0.as_raw_fd(), next.1.as_raw_fd(), duplicate.as_raw_fd()] {
        const ENOENT: i32 = 2;
        assert_eq!(change(kq, fd, DELETE), Err(Some(ENOENT)));
    }
    assert_eq!(next.0.as_raw_fd(), number);
}

#[test]
fn a_child_process_can_be_started() {
    let kq = open();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    change(kq, theirs.as_raw_fd(), ADD).unwrap();
    assert!(Command::new("true").status().unwrap().success());
    assert_eq!(change(kq, theirs.as_raw_fd(), DELETE), Ok(()));
}
