//! Four complete programs of the book, rewritten with the book's calls of the queue. The `use` line and the host
//! differ, and each wait of the main thread has a limit. The fifth program is in `node.rs`.

#![allow(clippy::unnecessary_mut_passed)] // The book passes `&mut`, because its `register` requires it on Windows.

use std::io::{ErrorKind, Read};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use minimio::book::{Events, Interests, Poll, Registrator, TcpStream};

use super::{delayed_server, receive, send_request};
use crate::server::Background;

const SITE: &str = "url/http://www.google.com";

/// Starts the reactor: a thread that waits in steps of 200 ms, and sends the id of each event until the loop is closed.
fn start_reactor(mut poll: Poll, ready: Sender<usize>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut events = Events::with_capacity(1024);
        loop {
            println!("waiting: {poll:?}");
            match poll.poll(&mut events, Some(200)) {
                Ok(_) => events.iter().for_each(|event| ready.send(event.id()).unwrap()),
                Err(ref err) if err.kind() == ErrorKind::Interrupted => break,
                Err(err) => panic!("{err:?}"),
            }
        }
    })
}

/// The suspended tasks, each with the id of the event that resumes it.
struct Executor {
    tasks: Vec<(usize, Box<dyn FnMut()>)>,
    ready: Receiver<usize>,
    resumed: Vec<usize>,
}

impl Executor {
    fn suspend(&mut self, id: usize, task: impl FnMut() + 'static) {
        self.tasks.push((id, Box::new(task)));
    }

    /// Resumes the task of the next event. Returns false if the reactor has ended.
    fn resume_one(&mut self) -> bool {
        let ready = receive(&self.ready);
        if let Some(id) = ready {
            let (_, task) = self.tasks.iter_mut().find(|(task, _)| *task == id).expect("the id of a registration");
            task();
            self.resumed.push(id);
        }
        ready.is_some()
    }
}

/// What all four programs begin with.
fn begin() -> (Background, Poll, Sender<usize>, Executor) {
    let (sender, ready) = mpsc::channel();
    (delayed_server(), Poll::new().unwrap(), sender, Executor { tasks: Vec::new(), ready, resumed: Vec::new() })
}

fn read_to_end(stream: &mut TcpStream) {
    let mut buffer = String::new();
    stream.read_to_string(&mut buffer).unwrap();
    assert!(buffer.starts_with("HTTP/1.1 200 OK\r\n") && buffer.trim_end().ends_with(SITE), "{buffer}");
}

/// The repository's programs. The main thread closes the loop when the task of each registration has run.
fn main_thread_closes_the_loop(ids: &[usize]) {
    let (server, poll, sender, mut executor) = begin();
    let registrator = poll.registrator();
    let reactor = start_reactor(poll, sender);
    for &id in ids {
        let mut stream = send_request(server.addr(), 250, SITE);
        registrator.register(&mut stream, id, Interests::READABLE).unwrap();
        executor.suspend(id, move || read_to_end(&mut stream));
    }
    while executor.resume_one() {
        if executor.resumed.len() == ids.len() {
            registrator.close_loop().unwrap();
        }
    }
    reactor.join().unwrap();
    executor.resumed.sort_unstable();
    assert_eq!(executor.resumed, ids);
}

#[test]
fn the_program_with_one_registration_runs() {
    main_thread_closes_the_loop(&[10]);
}

#[test]
fn the_program_with_several_registrations_runs() {
    main_thread_closes_the_loop(&[10, 11]);
}

/// The main thread holds the reactor, whose drop joins the thread. The task owns the registrator and closes the loop.
#[test]
fn the_program_of_the_design_chapter_runs() {
    struct Reactor {
        thread: Option<JoinHandle<()>>,
        registrator: Option<Registrator>,
    }

    impl Drop for Reactor {
        fn drop(&mut self) {
            // After a failure, nothing closes the loop.
            if !thread::panicking() {
                self.thread.take().unwrap().join().unwrap();
            }
        }
    }

    let (server, poll, sender, mut executor) = begin();
    let registrator = Some(poll.registrator());
    let mut reactor = Reactor { thread: Some(start_reactor(poll, sender)), registrator };

    let mut stream = send_request(server.addr(), 100, SITE);
    let registrator = reactor.registrator.take().unwrap();
    registrator.register(&mut stream, 10, Interests::READABLE).unwrap();
    executor.suspend(10, move || {
        read_to_end(&mut stream);
        registrator.close_loop().unwrap();
    });
    while executor.resume_one() {}
    assert_eq!(executor.resumed, [10]);
}

/// The task owns the reactor, registers through a method of the reactor, and closes the loop through another.
#[test]
fn the_program_of_the_reactor_executor_appendix_runs() {
    struct Reactor {
        registrator: Registrator,
        _thread: JoinHandle<()>,
    }

    impl Reactor {
        fn register_read_interest(&self, stream: &mut TcpStream, id: usize) {
            self.registrator.register(stream, id, Interests::READABLE).unwrap();
        }

        fn stop_loop(&self) {
            self.registrator.close_loop().unwrap();
        }
    }

    let (server, poll, sender, mut executor) = begin();
    let reactor = Reactor { registrator: poll.registrator(), _thread: start_reactor(poll, sender) };

    let mut stream = send_request(server.addr(), 100, SITE);
    reactor.register_read_interest(&mut stream, 10);
    executor.suspend(10, move || {
        read_to_end(&mut stream);
        reactor.stop_loop();
    });
    while executor.resume_one() {}
    assert_eq!(executor.resumed, [10]);
}
