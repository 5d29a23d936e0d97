//! `SourceFd`: any descriptor as a source. Also the registrations of descriptors that have duplicates.

#![cfg(unix)]

use std::io::{ErrorKind, Write};
use std::os::unix::io::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use minimio::unix::SourceFd;
use minimio::Token;

use crate::support::*;

#[test]
fn a_descriptor_is_reported_once_in_edge_and_oneshot_mode_and_by_each_poll_in_level_mode() {
    let (mut poll, mut events) = poll();
    let (mut peer, watched) = UnixStream::pair().unwrap();
    let fd = watched.as_raw_fd();
    peer.write_all(b"x").unwrap();
    poll.registry().register(&mut SourceFd(&fd), SOURCE, READ).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    expect_no_event(&mut poll, &mut events);
    poll.registry().reregister(&mut SourceFd(&fd), SOURCE, READ.level()).unwrap();
    for _ in 0..3 {
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    }
    poll.registry().reregister(&mut SourceFd(&fd), SOURCE, READ.oneshot()).unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
    peer.write_all(b"x").unwrap();
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn registration_errors_of_a_descriptor_come_from_the_kernel() {
    let (poll, _) = poll();
    let (other, _) = crate::support::poll();
    let (_peer, watched) = UnixStream::pair().unwrap();
    let fd = watched.as_raw_fd();
    let mut source = SourceFd(&fd);
    for err in [
        poll.registry().reregister(&mut source, SOURCE, READ).unwrap_err(),
        poll.registry().deregister(&mut source).unwrap_err(),
    ] {
        assert_eq!(err.kind(), ErrorKind::NotFound, "{err}");
    }
    poll.registry().register(&mut source, SOURCE, READ).unwrap();
    let again = poll.registry().register(&mut SourceFd(&fd), Token(2), READ);
    assert_eq!(again.is_err(), system::SECOND_REGISTRATION_FAILS);
    if let Err(err) = again {
        assert_eq!(err.kind(), ErrorKind::AlreadyExists);
        assert!(err.raw_os_error().is_some(), "not an error of the system: {err:?}");
    }
    other.registry().register(&mut source, SOURCE, READ).unwrap();
    poll.registry().deregister(&mut source).unwrap();
    other.registry().deregister(&mut source).unwrap();
}

#[test]
fn registering_a_closed_descriptor_is_an_error() {
    let (poll, _) = poll();
    // No process has a descriptor with such a high number.
    let fd: RawFd = 1_000_000_000;
    let err = poll.registry().register(&mut SourceFd(&fd), SOURCE, READ).unwrap_err();
    assert!(err.raw_os_error().is_some(), "not an error of the system: {err:?}");
    assert!(poll.registry().register(&mut SourceFd(&-1), SOURCE, READ).is_err());
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
#[test]
fn registering_a_file_or_a_directory_is_an_error() {
    let (poll, _) = poll();
    for path in [std::env::current_exe().unwrap(), std::env::temp_dir()] {
        let file = std::fs::File::open(path).unwrap();
        let err = poll.registry().register(&mut SourceFd(&file.as_raw_fd()), SOURCE, READ).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::PermissionDenied);
        assert!(err.raw_os_error().is_some(), "not an error of the system: {err:?}");
    }
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
#[test]
fn a_duplicate_keeps_the_registration_of_a_dropped_source() {
    let (mut poll, mut events) = poll();
    let (stream, mut peer) = stream_and_peer();
    let duplicate = stream.as_fd().try_clone_to_owned().unwrap();
    let mut stream = stream;
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
    drop(stream);
    peer.write_all(b"x").unwrap();
    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE], "the documentation of `Source` describes this");
    drop(duplicate);
    expect_no_event(&mut poll, &mut events);
}

#[test]
fn a_duplicate_of_a_deregistered_source_is_not_reported() {
    let (mut poll, mut events) = poll();
    let (mut stream, mut peer) = stream_and_peer();
    let _duplicate = stream.as_fd().try_clone_to_owned().unwrap();
    poll.registry().register(&mut stream, SOURCE, READ).unwrap();
    poll.registry().deregister(&mut stream).unwrap();
    drop(stream);
    peer.write_all(b"x").unwrap();
    expect_no_event(&mut poll, &mut events);
}
