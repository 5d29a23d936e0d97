//! Closing a descriptor deletes its knotes; and a kqueue is a descriptor itself.

use std::io;
use std::os::raw::c_int;
use std::os::unix::io::{AsRawFd, IntoRawFd};

mod support;
use support::*;

#[test]
fn a_close_deletes_the_knote_even_if_a_duplicate_is_open() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    let duplicate = duplicate_as(901, &reader);
    kq.change(901, READ, EV_ADD).unwrap();
    kq.change(ident(&reader), READ, EV_ADD).unwrap();
    write_to(&writer, b"q");
    // The standard library closes the descriptor.
    drop(duplicate);
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
    assert_eq!(kq.change(901, READ, EV_DELETE), Err(EBADF));
    // A new descriptor with the same number does not bring the knote back.
    let _duplicate = duplicate_as(901, &reader);
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
    assert_eq!(kq.change(901, READ, EV_DELETE), Err(ENOENT));
}

#[test]
fn a_reused_descriptor_number_has_no_knotes() {
    let (kq, (reader, writer), (next, next_writer)) = (Kqueue::new(), pipe(), pipe());
    let first = duplicate_as(902, &reader);
    kq.change(902, READ, EV_ADD).unwrap();
    kq.change(902, WRITE, EV_ADD).unwrap();
    write_to(&writer, b"q");
    kqueue_model::close(first.into_raw_fd());
    let _second = duplicate_as(902, &next);
    write_to(&next_writer, b"zz");
    kq.stays_silent();
    assert_eq!(kq.change(902, READ, EV_DELETE), Err(ENOENT));
    assert_eq!(kq.change(902, WRITE, EV_DELETE), Err(ENOENT));
    kq.change(902, READ, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(902, READ, 2)]);
    write_to(&next_writer, b"z");
    assert_eq!(kq.soon(), [event(902, READ, 3)]);
}

#[test]
fn a_kqueue_is_readable_while_a_knote_is_pending() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    kq.change(77, USER, EDGE).unwrap();
    assert!(!is_readable(kq.0));
    write_to(&writer, b"x");
    assert!(is_readable(kq.0));
    kq.trigger(77).unwrap();
    assert_eq!(kq.wait_for(1, NOW).unwrap().len(), 1);
    assert!(is_readable(kq.0));
    assert_eq!(kq.wait_for(1, NOW).unwrap().len(), 1);
    assert!(!is_readable(kq.0));
}

#[test]
fn an_edge_triggered_epoll_around_a_kqueue_sees_each_arrival() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    // SAFETY: the call takes no pointer.
    let outer = unsafe { epoll_create1(0) };
    let mut entry = epoll_event { events: EPOLLIN | EPOLLET, data: 0 };
    // SAFETY: the entry outlives the call.
    assert_eq!(unsafe { epoll_ctl(outer, EPOLL_CTL_ADD, kq.0, &mut entry) }, 0);
    // SAFETY: `entry` is one event.
    let mut edges = || unsafe { epoll_wait(outer, &mut entry, 1, 0) };
    kq.change(ident(&reader), READ, EDGE).unwrap();
    kq.change(77, USER, EDGE).unwrap();
    assert_eq!(edges(), 0);
    write_to(&writer, b"x");
    assert_eq!(edges(), 1);
    assert_eq!(edges(), 0);
    assert_eq!(kq.now().len(), 1);
    for _ in 0..3 {
        kq.trigger(77).unwrap();
        assert_eq!(edges(), 1);
        // The knote is pending already, so a second trigger is no edge.
        kq.trigger(77).unwrap();
        assert_eq!(edges(), 0);
        assert_eq!(kq.now().len(), 1);
    }
    write_to(&writer, b"x");
    assert_eq!(edges(), 1);
    kqueue_model::close(outer);
}

#[test]
fn a_kqueue_can_be_registered_with_another_kqueue() {
    let (outer, inner, (reader, writer)) = (Kqueue::new(), Kqueue::new(), pipe());
    outer.change(inner.0 as usize, READ, EV_ADD).unwrap();
    inner.change(ident(&reader), READ, EDGE).unwrap();
    outer.stays_silent();
    write_to(&writer, b"x");
    assert_eq!(outer.soon(), [event(inner.0 as usize, READ, 1)]);
    assert_eq!(inner.now().len(), 1);
    outer.stays_silent();
    assert_eq!(outer.change(outer.0 as usize, READ, EV_ADD), Err(EINVAL));
}

#[test]
fn a_duplicate_of_a_kqueue_is_the_same_kqueue() {
    let (kq, other) = (Kqueue::new(), Kqueue::new());
    let duplicate = Kqueue(duplicate_as(903, &Raw(kq.0)).into_raw_fd());
    duplicate.change(77, USER, EDGE).unwrap();
    kq.trigger(77).unwrap();
    assert_eq!(duplicate.now(), [event(77, USER, 0)]);
    other.stays_silent();
    // The kqueue stays open until its last descriptor is closed.
    let number = kq.0;
    drop(kq);
    assert_eq!(kqueue_model::kqueue_model_calls(number), -1);
    duplicate.trigger(77).unwrap();
    assert_eq!(duplicate.now(), [event(77, USER, 0)]);
    kqueue_model::close(duplicate_as(904, &Raw(duplicate.0)).into_raw_fd());
    duplicate.trigger(77).unwrap();
    assert_eq!(duplicate.now(), [event(77, USER, 0)]);
}

struct Raw(c_int);

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> c_int {
        self.0
    }
}

#[test]
fn closing_a_kqueue_ends_its_waits() {
    let kq = Kqueue::new();
    let number = kq.0;
    let waiter = std::thread::spawn(move || {
        let kq = std::mem::ManuallyDrop::new(Kqueue(number));
        kq.wait(SOON)
    });
    std::thread::sleep(A_WHILE);
    drop(kq);
    assert_eq!(waiter.join().unwrap(), Err(EBADF));
}

#[test]
fn a_forked_child_has_no_kqueue_and_can_close() {
    extern "C" {
        fn fork() -> c_int;
        fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
        fn _exit(status: c_int) -> !;
    }
    let (kq, (reader, _writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    // SAFETY: the child calls only the model, which takes no lock in a child, and `_exit`.
    let child = unsafe { fork() };
    if child == 0 {
        // SAFETY: both lengths are 0, so the call accesses no memory.
        let result = unsafe { kqueue_model::kevent(kq.0, [].as_ptr(), 0, [].as_mut_ptr(), 0, std::ptr::null()) };
        let is_bad = result == -1 && io::Error::last_os_error().raw_os_error() == Some(EBADF);
        let closes = kqueue_model::close(reader.as_raw_fd()) == 0;
        // SAFETY: the call takes no pointer and does not return.
        unsafe { _exit(if is_bad && closes { 0 } else { 1 }) };
    }
    let mut status = -1;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0);
    // The child closed only its own copy of the descriptor, so the knote still exists.
    assert_eq!(kq.change(ident(&reader), READ, EV_DELETE), Ok(()));
}
