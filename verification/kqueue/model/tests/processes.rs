//! `EVFILT_PROC`: the exit of a process. The behaviour is that of the kernel sources: NetBSD's `filt_procattach` does
//! not find a process that has exited, FreeBSD's does.

mod support;
use std::os::raw::c_int;
use std::process::{Child, Command, Stdio};

use support::*;

const PROC: i16 = EVFILT_PROC;

/// Starts a process that runs until its standard input is closed.
fn start() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn end(child: &mut Child) {
    drop(child.stdin.take());
}

fn watch(kq: &Kqueue, child: &Child, flags: u16) -> Result<(), c_int> {
    let change = kevent { fflags: NOTE_EXIT, ..record(child.id() as usize, PROC, flags) };
    kq.call(&[change], &mut [], None).map(drop)
}

fn exit_of(child: &Child) -> Event {
    eof(child.id() as usize, PROC, 0, NOTE_EXIT as c_int)
}

/// Waits until a child has exited, and leaves its status.
fn wait_for_zombie(child: &Child) {
    let kq = Kqueue::with("freebsd-zombies");
    watch(&kq, child, EV_ADD).unwrap();
    assert_eq!(kq.soon(), [exit_of(child)]);
}

#[test]
fn an_exit_is_reported_once_and_deletes_the_knote() {
    let kq = Kqueue::new();
    let mut child = start();
    watch(&kq, &child, EV_ADD).unwrap();
    kq.stays_silent();
    end(&mut child);
    assert_eq!(kq.soon(), [exit_of(&child)]);
    kq.stays_silent();
    assert_eq!(watch(&kq, &child, EV_DELETE), Err(ENOENT));
    child.wait().unwrap();
}

#[test]
fn an_exit_stays_pending_after_the_parent_has_waited() {
    let kq = Kqueue::new();
    let mut child = start();
    watch(&kq, &child, EV_ADD).unwrap();
    end(&mut child);
    child.wait().unwrap();
    assert!(is_readable(kq.0));
    assert_eq!(kq.soon(), [exit_of(&child)]);
}

#[test]
fn a_kqueue_reports_another_one_whose_process_has_exited_as_long_as_the_event_is_not_taken() {
    let (outer, inner) = (Kqueue::new(), Kqueue::new());
    let mut child = start();
    watch(&inner, &child, EV_ADD).unwrap();
    outer.change(inner.0 as usize, READ, EV_ADD).unwrap();
    outer.stays_silent();
    end(&mut child);
    for _ in 0..3 {
        assert_eq!(outer.soon(), [event(inner.0 as usize, READ, 1)]);
    }
    assert_eq!(inner.now(), [exit_of(&child)]);
    outer.now();
    outer.stays_silent();
    child.wait().unwrap();
}

#[test]
fn a_process_that_has_exited_is_not_found_except_on_freebsd() {
    let mut child = start();
    end(&mut child);
    wait_for_zombie(&child);
    let kq = Kqueue::new();
    assert_eq!(watch(&kq, &child, EV_ADD), Err(ESRCH));
    kq.configure("freebsd-zombies");
    watch(&kq, &child, EV_ADD).unwrap();
    assert_eq!(kq.soon(), [exit_of(&child)]);
    child.wait().unwrap();
    assert_eq!(watch(&kq, &child, EV_ADD), Err(ESRCH));
}

#[test]
fn a_deleted_or_disabled_knote_reports_no_exit() {
    let kq = Kqueue::new();
    let (mut deleted, mut disabled) = (start(), start());
    watch(&kq, &deleted, EV_ADD).unwrap();
    watch(&kq, &deleted, EV_DELETE).unwrap();
    watch(&kq, &disabled, EV_ADD | EV_DISABLE).unwrap();
    for child in [&mut deleted, &mut disabled] {
        end(child);
        child.wait().unwrap();
    }
    kq.stays_silent();
    watch(&kq, &disabled, EV_ENABLE).unwrap();
    assert_eq!(kq.soon(), [exit_of(&disabled)]);
}

#[test]
fn only_note_exit_reports_an_exit() {
    let kq = Kqueue::new();
    let mut child = start();
    kq.change(child.id() as usize, PROC, EV_ADD).unwrap();
    end(&mut child);
    child.wait().unwrap();
    assert!(!is_readable(kq.0));
    kq.stays_silent();
}
