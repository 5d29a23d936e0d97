//! What an event says, where only Unix has what happens: the ends of a pipe, and an out-of-band byte. See `events.rs`.

#![cfg(unix)]

mod support;

use std::io::{Read, Write};
use std::os::unix::io::AsRawFd;
use std::process::{Child, Command, Stdio};

use minimio::unix::SourceFd;
use minimio::{Events, Interest, Poll, Token};
use support::*;

#[path = "support/descriptor.rs"]
mod descriptor;
#[path = "support/truth.rs"]
mod truth;

const SOURCE: Token = Token(1);

struct Scene {
    poll: Poll,
    events: Events,
}

impl Scene {
    fn new(source: &impl AsRawFd, interest: Interest) -> Scene {
        let (poll, events) = poll();
        poll.registry().register(&mut SourceFd(&source.as_raw_fd()), SOURCE, interest).unwrap();
        Scene { poll, events }
    }

    fn check(&mut self, happened: &str) {
        truth::check(&mut self.poll, &mut self.events, SOURCE, happened);
    }
}

/// A process that holds the other ends of two pipes until its standard input ends.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_pipe_without_a_writer_is_read_closed() {
    let mut cat = cat();
    let mut from_cat = cat.stdout.take().unwrap();
    let mut scene = Scene::new(&from_cat, Interest::READABLE);
    expect_silence(&mut scene.poll, &mut scene.events);
    drop(cat.stdin.take());
    scene.check("a pipe's writer is gone");
    assert_eq!(from_cat.read(&mut [0]).unwrap(), 0);
    cat.wait().unwrap();
}

#[test]
fn a_pipe_without_a_reader_is_write_closed() {
    let mut cat = cat();
    let to_cat = cat.stdin.take().unwrap();
    let mut scene = Scene::new(&to_cat, Interest::WRITABLE);
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_writable() && !event.is_write_closed());
    cat.kill().unwrap();
    cat.wait().unwrap();
    scene.check("a pipe's reader is gone");
}

#[test]
fn a_full_pipe_that_loses_its_reader_is_writable_again() {
    // This one never reads.
    let mut sleeper = Command::new("sleep").arg("60").stdin(Stdio::piped()).spawn().unwrap();
    let mut to_sleeper = sleeper.stdin.take().unwrap();
    descriptor::set_nonblocking(&to_sleeper);
    while to_sleeper.write(&[0; 4096]).is_ok() {}
    let mut scene = Scene::new(&to_sleeper, Interest::WRITABLE);
    expect_silence(&mut scene.poll, &mut scene.events);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    scene.check("a pipe's reader is gone");
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
#[test]
fn an_out_of_band_byte_has_priority() {
    let (stream, peer) = stream_and_peer();
    let mut scene = Scene::new(&stream, Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY);
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_writable());
    descriptor::send_out_of_band(&peer, b'!');
    scene.check("an out-of-band byte arrived (with `PRIORITY`)");
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(minimio_kqueue)))]
#[test]
fn an_out_of_band_byte_is_told_by_its_own_predicate() {
    let (stream, peer) = stream_and_peer();
    let mut scene = Scene::new(&stream, Interest::PRIORITY);
    expect_silence(&mut scene.poll, &mut scene.events);
    descriptor::send_out_of_band(&peer, b'!');
    wait_for(&mut scene.poll, &mut scene.events, SOURCE, |event| event.is_priority());
}
