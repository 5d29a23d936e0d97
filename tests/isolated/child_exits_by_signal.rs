//! `ChildExit` on Linux if `pidfd_open` fails: on an older kernel and in a sandbox, a handler of SIGCHLD reports the
//! exits. Elsewhere, these tests do nothing.

#![cfg(unix)]

use std::fs::File;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use minimio::process::ChildExit;
use minimio::signal::{Signal, Signals};

use crate::support::isolation::{isolated, isolated_with_descriptor_limit};
use crate::support::raise::raise;
use crate::support::seccomp::forbid_pidfd_open;
use crate::support::signal::counted;
use crate::support::*;
use crate::{child_exits, descriptors};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const EMFILE: u32 = 24;
const ENOMEM: u32 = 12;
/// The kernel was built without the file system of process descriptors.
const ENODEV: u32 = 19;

#[test]
fn without_pidfd_open_every_exit_is_reported_in_every_mode() {
    isolated(|| {
        if forbid_pidfd_open(ENOSYS) {
            child_exits::check_all();
        }
    });
}

#[test]
fn a_sandbox_that_forbids_pidfd_open_makes_no_difference() {
    isolated(|| {
        if forbid_pidfd_open(EPERM) {
            let before = signal::Action::of(Signal::CHILD);
            child_exits::check_all();
            assert_eq!(signal::Action::of(Signal::CHILD), before);
        }
    });
}

#[test]
fn another_error_of_pidfd_open_is_returned_and_no_handler_hides_it() {
    isolated(|| {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let (action, open) = (signal::Action::of(Signal::CHILD), handles::open_handles());
        for errno in [EMFILE, ENOMEM, ENODEV] {
            if !forbid_pidfd_open(errno) {
                break;
            }
            for _ in 0..3 {
                assert_eq!(ChildExit::new(&child).unwrap_err().raw_os_error(), Some(errno as i32));
            }
            assert_eq!((signal::Action::of(Signal::CHILD), handles::open_handles()), (action, open));
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    });
}

#[test]
fn without_pidfd_open_and_without_free_descriptors_new_fails_and_leaves_nothing() {
    isolated_with_descriptor_limit(descriptors::LIMIT, || {
        if forbid_pidfd_open(ENOSYS) {
            let action = signal::Action::of(Signal::CHILD);
            assert_eq!(descriptors::check_child_exit(), 2);
            assert_eq!(signal::Action::of(Signal::CHILD), action);
        }
    });
}

#[test]
fn the_exit_of_another_child_is_not_reported() {
    isolated(|| {
        if !forbid_pidfd_open(ENOSYS) {
            return;
        }
        let (mut poll, mut events) = poll();
        // The program's own handler and its own `Signals` see SIGCHLD too.
        counted::install(Signal::CHILD, true);
        let signals = Signals::new(&[Signal::CHILD]).unwrap();
        let mut running = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut exit = ChildExit::new(&running).unwrap();
        poll.registry().register(&mut exit, SOURCE, READ).unwrap();
        // If the child exited while this thread is still in `spawn`, which blocks all signals, another thread would get
        // the signal. ThreadSanitizer runs no handler in a thread that is blocked in a call that it does not know.
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(other.stdin.take());
        other.wait().unwrap();
        let end = Instant::now() + WAIT_LIMIT;
        while signals.receive().is_none() {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(counted::take() > 0);
        while poll.poll(&mut events, Some(SHORT_WAIT)).is_err() {}
        assert!(events.is_empty());
        drop(running.stdin.take());
        wait_until_readable(&mut poll, &mut events);
        running.wait().unwrap();
    });
}

#[test]
fn an_exit_while_all_threads_block_sigchld_is_reported_when_one_unblocks_it() {
    isolated(|| {
        if forbid_pidfd_open(ENOSYS) {
            // A child of `fork` has one thread.
            assert!(fork::child_succeeds(exit_while_blocked));
        }
    });
}

fn exit_while_blocked() -> bool {
    let (mut poll, mut events) = poll();
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    signal::block(Signal::CHILD);
    let mut exit = ChildExit::new(&child).unwrap();
    poll.registry().register(&mut exit, SOURCE, READ).unwrap();
    drop(child.stdin.take());
    // The child closes its output when it ends.
    child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    expect_no_event(&mut poll, &mut events);
    signal::unblock(Signal::CHILD);
    wait_until_readable(&mut poll, &mut events);
    child.wait().unwrap().success()
}

#[test]
fn the_handler_keeps_errno_when_it_finds_a_child_that_was_waited_for() {
    isolated(|| {
        if !forbid_pidfd_open(ENOSYS) {
            return;
        }
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let _exit = ChildExit::new(&child).unwrap();
        // Our handler is not installed while the child exits, so that its `waitid` fails later.
        let ours = signal::Action::of(Signal::CHILD);
        signal::Action::install_default(Signal::CHILD);
        drop(child.stdin.take());
        child.wait().unwrap();
        ours.install_again(Signal::CHILD);
        assert!(File::open("/there is no such file").is_err());
        let before = io::Error::last_os_error().raw_os_error();
        raise(Signal::CHILD);
        assert_eq!(io::Error::last_os_error().raw_os_error(), before);
    });
}
