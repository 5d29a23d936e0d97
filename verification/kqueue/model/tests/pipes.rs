//! Pipes, files and other descriptors.

use std::fs::File;
use std::io::Read;
use std::os::unix::io::{AsRawFd, OwnedFd};

mod support;
use support::*;

#[test]
fn closing_the_writer_is_reported_with_the_unread_bytes() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    write_to(&writer, b"abc");
    drop(writer);
    assert_eq!(kq.soon(), [eof(ident(&reader), READ, 3, 0)]);
}

#[test]
fn closing_the_reader_is_an_end_for_the_writer() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&writer), WRITE, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&writer), WRITE, 0)]);
    drop(reader);
    assert_eq!(kq.soon(), [no_reader(&writer)]);
}

fn no_reader(writer: &OwnedFd) -> Event {
    Event { data: 0, ..eof(ident(writer), WRITE, 0, 0) }
}

#[test]
fn the_settings_select_the_error_of_adding_a_pipe_without_a_reader() {
    for (words, result) in [("", Err(EBADF)), ("freebsd-pipes", Err(EPIPE)), ("macos-pipes", Ok(()))] {
        let (kq, (reader, writer)) = (Kqueue::with(words), pipe());
        kq.change(ident(&writer), WRITE, EDGE).unwrap();
        drop(reader);
        // A knote that already exists stays.
        kq.change(ident(&writer), WRITE, EDGE).unwrap();
        assert_eq!(kq.soon(), [no_reader(&writer)]);
        kq.change(ident(&writer), WRITE, EV_DELETE).unwrap();
        assert_eq!(kq.change(ident(&writer), WRITE, EDGE), result, "{words}");
        assert_eq!(kq.now(), if result.is_ok() { vec![no_reader(&writer)] } else { vec![] });
    }
}

#[test]
fn the_settings_select_whether_a_full_pipe_reports_the_close_of_its_reader() {
    for (words, is_reported) in [("", false), ("freebsd-pipes", true), ("macos-pipes", true)] {
        for mode in [EDGE, EV_ADD] {
            let (kq, (reader, writer)) = (Kqueue::with(words), pipe());
            // The pipe's default size on Linux.
            write_to(&writer, &[0; 1 << 16]);
            kq.change(ident(&writer), WRITE, mode).unwrap();
            kq.stays_silent();
            drop(reader);
            assert_eq!(kq.wait(A_WHILE).unwrap(), if is_reported { vec![no_reader(&writer)] } else { vec![] });
            // A change checks the condition again.
            kq.change(ident(&writer), WRITE, EV_ENABLE).unwrap();
            assert_eq!(kq.soon(), [no_reader(&writer)]);
        }
    }
}

#[test]
fn the_wrong_end_of_a_pipe_is_accepted_and_never_ready() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), WRITE, EV_ADD).unwrap();
    kq.change(ident(&writer), READ, EV_ADD).unwrap();
    kq.stays_silent();
    drop(writer);
    kq.stays_silent();
    assert!(!is_readable(kq.0));
}

#[test]
fn a_file_is_readable_until_its_end() {
    let mut file = File::open("Cargo.toml").unwrap();
    let length = file.metadata().unwrap().len() as isize;
    let kq = Kqueue::new();
    kq.change(ident(&file), READ, EV_ADD).unwrap();
    for _ in 0..2 {
        assert_eq!(kq.soon(), [event(ident(&file), READ, length)]);
    }
    kq.change(ident(&file), READ, EV_DELETE).unwrap();
    kq.change(ident(&file), READ, EDGE).unwrap();
    assert_eq!(kq.soon(), [event(ident(&file), READ, length)]);
    kq.stays_silent();
    kq.change(ident(&file), READ, EV_DELETE).unwrap();
    kq.change(ident(&file), READ, EV_ADD).unwrap();
    assert_eq!(kq.soon(), [event(ident(&file), READ, length)]);
    file.read_to_end(&mut Vec::new()).unwrap();
    kq.stays_silent();
}

#[test]
fn an_eventfd_is_readable_and_writable() {
    // SAFETY: the call takes no pointer.
    let counter = unsafe { eventfd(0, 0) };
    let kq = Kqueue::new();
    kq.change(counter as usize, READ, EDGE).unwrap();
    kq.stays_silent();
    write_to(&Raw(counter), &1u64.to_ne_bytes());
    assert_eq!(kq.soon(), [event(counter as usize, READ, 1)]);
    kqueue_model::close(counter);
}

struct Raw(i32);

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> i32 {
        self.0
    }
}
