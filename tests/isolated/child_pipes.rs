//! Pipes to and from child processes. Each test has a process of its own: between `fork` and `exec`, a child has
//! duplicates of all descriptors of its parent, and would keep the sockets and pipes of other tests open.

#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use minimio::unix::pipe::{Receiver, Sender};
use minimio::{Interest, Token};

use crate::support::isolation::isolated;
use crate::support::pipe::*;
use crate::support::*;

/// A child process, which is killed when this is dropped.
struct ChildProcess(Child);

impl ChildProcess {
    fn new(program: &str, args: &[&str]) -> ChildProcess {
        let piped = Stdio::piped;
        ChildProcess(Command::new(program).args(args).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap())
    }

    fn stdin(&mut self) -> Sender {
        Sender::from(self.0.stdin.take().unwrap())
    }

    fn stdout(&mut self) -> Receiver {
        Receiver::from(self.0.stdout.take().unwrap())
    }

    fn stderr(&mut self) -> Receiver {
        Receiver::from(self.0.stderr.take().unwrap())
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Both calls fail only if the child has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn no_child_inherits_a_pipe() {
    isolated(|| {
        let ((mut poll, mut events), (sender, mut receiver)) = registered_pipe(Interest::edge);
        let ((mut other, mut other_events), (mut other_sender, other_receiver)) = registered_pipe(Interest::edge);
        // An end that the child had inherited would stay open as long as the child runs.
        let mut cat = ChildProcess::new("cat", &[]);
        let (mut to_cat, mut from_cat) = (cat.stdin(), cat.stdout());
        to_cat.write_all(b"x").unwrap();
        from_cat.read_exact(&mut [0]).unwrap();
        drop((sender, other_receiver));
        wait_for(&mut poll, &mut events, RECEIVER, is_read_closed);
        assert_eq!(receiver.read(&mut [0]).unwrap(), 0);
        wait_for(&mut other, &mut other_events, SENDER, is_write_closed);
        assert_eq!(other_sender.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn the_pipes_of_a_child_block_until_they_are_set_non_blocking() {
    isolated(|| {
        // The child writes after it has read all its input.
        let mut child = ChildProcess::new("sh", &["-c", "wc -c; cat >&2 </dev/null; echo done >&2"]);
        let (mut stdin, mut stdout, mut stderr) = (child.stdin(), child.stdout(), child.stderr());
        assert_eq!(stdin.write(&vec![1; LARGER_THAN_A_PIPE]).unwrap(), LARGER_THAN_A_PIPE);
        drop(stdin);
        let mut count = String::new();
        stdout.read_to_string(&mut count).unwrap();
        assert_eq!(count.trim(), LARGER_THAN_A_PIPE.to_string());
        let mut done = String::new();
        stderr.read_to_string(&mut done).unwrap();
        assert_eq!(done, "done\n");

        let mut child = ChildProcess::new("sleep", &["60"]);
        let (stdin, stdout, stderr) = (child.stdin(), child.stdout(), child.stderr());
        stdin.set_nonblocking(true).unwrap();
        assert!(fill(&stdin) < LARGER_THAN_A_PIPE);
        for output in [stdout, stderr] {
            output.set_nonblocking(true).unwrap();
            assert_eq!((&output).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
    });
}

/// Sends many bytes to a child and receives all of them back. The test blocks only in `poll`.
fn check_echo(program: &str, args: &[&str], output: fn(&mut ChildProcess) -> Receiver) {
    let mut child = ChildProcess::new(program, args);
    let mut receiver = output(&mut child);
    let mut sender = child.stdin();
    let (mut poll, mut events) = poll();
    sender.set_nonblocking(true).unwrap();
    receiver.set_nonblocking(true).unwrap();
    poll.registry().register(&mut sender, SENDER, WRITE).unwrap();
    poll.registry().register(&mut receiver, RECEIVER, READ).unwrap();

    let text: Vec<u8> = (0..LARGER_THAN_A_PIPE).map(|i| (i / 3) as u8).collect();
    let (mut rest, mut bytes, mut sender) = (&text[..], Vec::new(), Some(sender));
    let mut has_ended = false;
    while !has_ended {
        for event in next_batch(&mut poll, &mut events) {
            if event.token() == RECEIVER {
                has_ended = drain(&receiver, &mut bytes);
                continue;
            }
            while let Some(to_child) = &mut sender {
                match to_child.write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => panic!("write: {err}"),
                }
                if rest.is_empty() {
                    sender = None;
                }
            }
        }
    }
    assert!(bytes == text, "only {} bytes of {} were received, or wrong ones", bytes.len(), text.len());
    assert!(child.0.wait().unwrap().success());
}

#[test]
fn a_child_is_reached_through_its_standard_input_and_output() {
    isolated(|| {
        check_echo("cat", &[], ChildProcess::stdout);
    });
}

#[test]
fn a_child_is_reached_through_its_standard_input_and_error_output() {
    isolated(|| {
        check_echo("sh", &["-c", "cat >&2"], ChildProcess::stderr);
    });
}

#[test]
fn all_pipes_of_a_killed_child_are_reported_as_closed() {
    isolated(|| {
        let mut child = ChildProcess::new("sleep", &["60"]);
        let (mut poll, mut events) = poll();
        let (mut stdin, mut stdout, mut stderr) = (child.stdin(), child.stdout(), child.stderr());
        stdin.set_nonblocking(true).unwrap();
        poll.registry().register(&mut stdin, SENDER, WRITE.level()).unwrap();
        poll.registry().register(&mut stdout, RECEIVER, READ.level()).unwrap();
        poll.registry().register(&mut stderr, Token(3), READ.level()).unwrap();
        assert_eq!(next_tokens(&mut poll, &mut events), [SENDER]);
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        wait_for(&mut poll, &mut events, SENDER, is_write_closed);
        wait_for(&mut poll, &mut events, RECEIVER, is_read_closed);
        wait_for(&mut poll, &mut events, Token(3), is_read_closed);
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
        assert_eq!(stderr.read(&mut [0]).unwrap(), 0);
        assert_eq!(stdin.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        // In level mode, the next poll reports all three again.
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.len(), 3, "{events:?}");
    });
}
