//! Pipes, files and other descriptors.

use std::fs::File;
use std::io::Read;
use std::os::unix::io::AsRawFd;

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
    let expected = Event { data: 0, ..eof(ident(&writer), WRITE, 0, 0) };
    assert_eq!(kq.soon(), [expected]);
    // As on NetBSD 11, the write end can also be added after the reader was closed.
    let other = Kqueue::new();
    other.change(ident(&writer), WRITE, EDGE).unwrap();
    assert_eq!(other.soon(), [expected]);
}

#[test]
fn with_broken_pipe_adding_a_pipe_without_a_reader_fails() {
    let (kq, (reader, writer)) = (Kqueue::with("broken-pipe"), pipe());
    kq.change(ident(&writer), WRITE, EDGE).unwrap();
    drop(reader);
    // A knote that already exists stays.
    kq.change(ident(&writer), WRITE, EDGE).unwrap();
    kq.change(ident(&writer), WRITE, EV_DELETE).unwrap();
    assert_eq!(kq.change(ident(&writer), WRITE, EDGE), Err(EPIPE));
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
