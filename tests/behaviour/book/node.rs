//! The runtime of *The Node Experiment*, rewritten with that book's calls of the queue: a thread polls with the time
//! until the next timer, and the main thread runs callbacks for the results of the polling thread, of a thread pool,
//! and of the timers.

#![allow(clippy::unnecessary_mut_passed)] // The book passes `&mut`, because its `register` requires it on Windows.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use minimio::book as minimio;

use super::{delayed_server, receive, send_request};

enum Done {
    Pool { thread: usize, callback: usize, result: String },
    Io { callback: usize },
    TimedOut,
}

type Work = (usize, Box<dyn FnOnce() -> String + Send>);
type Callback = Box<dyn FnOnce(&mut Runtime, String)>;

struct Runtime {
    callbacks: HashMap<usize, Callback>,
    newest_id: usize,
    timers: BTreeMap<Instant, usize>,
    done: Receiver<Done>,
    pool: Vec<(Sender<Work>, JoinHandle<()>)>,
    idle: Vec<usize>,
    registrator: minimio::Registrator,
    polling_thread: JoinHandle<()>,
    poll_timeout: Arc<Mutex<Option<i32>>>,
    log: Vec<String>,
}

impl Runtime {
    fn new() -> Runtime {
        let (sender, done) = mpsc::channel();
        let start_pool_thread = |thread| {
            let (work, receiver) = mpsc::channel::<Work>();
            let sender = sender.clone();
            let run = move |(callback, work): Work| Done::Pool { thread, callback, result: work() };
            (work, thread::spawn(move || receiver.iter().for_each(|work| sender.send(run(work)).unwrap())))
        };
        let pool = (0..2).map(start_pool_thread).collect();
        let poll = minimio::Poll::new().unwrap();
        let registrator = poll.registrator();
        let poll_timeout = Arc::new(Mutex::new(None));
        let timeout = Arc::clone(&poll_timeout);
        let polling_thread = thread::spawn(move || poll_until_closed(poll, &timeout, &sender));
        let (callbacks, timers, log) = Default::default();
        let idle = vec![0, 1];
        Runtime { callbacks, newest_id: 0, timers, done, pool, idle, registrator, polling_thread, poll_timeout, log }
    }

    /// Runs the program, and then callbacks until none is left. Returns the log.
    fn run(mut self, program: impl FnOnce(&mut Runtime)) -> Vec<String> {
        program(&mut self);
        while !self.callbacks.is_empty() {
            let later = self.timers.split_off(&Instant::now());
            for callback in std::mem::replace(&mut self.timers, later).into_values() {
                self.call(callback, String::new());
            }
            if self.callbacks.is_empty() {
                break;
            }
            let until = |due: &Instant| due.saturating_duration_since(Instant::now()).as_millis() as i32;
            *self.poll_timeout.lock().unwrap() = self.timers.keys().next().map(until);
            match receive(&self.done).expect("the polling thread has ended") {
                Done::Pool { thread, callback, result } => {
                    self.idle.push(thread);
                    self.call(callback, result);
                }
                Done::Io { callback } => self.call(callback, String::new()),
                Done::TimedOut => {}
            }
        }
        for (work, thread) in self.pool {
            drop(work);
            thread.join().unwrap();
        }
        self.registrator.close_loop().unwrap();
        while receive(&self.done).is_some() {}
        self.polling_thread.join().unwrap();
        self.log
    }

    fn call(&mut self, callback: usize, result: String) {
        let callback = self.callbacks.remove(&callback).expect("an event was reported twice");
        callback(self, result);
    }

    fn add_callback(&mut self, callback: impl FnOnce(&mut Runtime, String) + 'static) -> usize {
        self.newest_id += 1;
        self.callbacks.insert(self.newest_id, Box::new(callback));
        self.newest_id
    }

    fn set_timeout(&mut self, ms: u64, callback: impl FnOnce(&mut Runtime, String) + 'static) {
        let id = self.add_callback(callback);
        assert_eq!(self.timers.insert(Instant::now() + Duration::from_millis(ms), id), None);
    }

    fn run_in_pool(
        &mut self,
        work: impl FnOnce() -> String + Send + 'static,
        callback: impl FnOnce(&mut Runtime, String) + 'static,
    ) {
        let id = self.add_callback(callback);
        let thread = self.idle.pop().expect("an idle thread");
        self.pool[thread].0.send((id, Box::new(work))).unwrap();
    }

    fn http_get_slow(&mut self, server: SocketAddr, delay: u32, callback: impl FnOnce(&mut Runtime, String) + 'static) {
        let mut stream: minimio::TcpStream = send_request(server, delay, "url/http://http//www.google.com");
        let to_register = self.newest_id + 1;
        self.registrator.register(&mut stream, to_register, minimio::Interests::READABLE).unwrap();
        let id = self.add_callback(move |runtime, _| {
            let mut response = String::new();
            stream.read_to_string(&mut response).unwrap();
            callback(runtime, response);
        });
        assert_eq!(id, to_register);
    }
}

fn poll_until_closed(mut poll: minimio::Poll, timeout: &Mutex<Option<i32>>, sender: &Sender<Done>) {
    let mut events = minimio::Events::with_capacity(1024);
    loop {
        let timeout = *timeout.lock().unwrap();
        match poll.poll(&mut events, timeout) {
            Ok(0) => sender.send(Done::TimedOut).unwrap(),
            Ok(count) => {
                for index in 0..count {
                    let event = events.get_mut(index).expect("as many events as `poll` has returned");
                    sender.send(Done::Io { callback: event.id() }).unwrap();
                }
            }
            Err(ref err) if err.kind() == ErrorKind::Interrupted => break,
            Err(err) => panic!("{err:?}"),
        }
    }
}

/// The first request is sent after the runtime has set the first timeout. Otherwise the polling thread could handle the
/// response before, and wait without a limit although there is a timer: the book's runtime does not wake it.
#[test]
fn the_node_like_runtime_runs() {
    let server = delayed_server();
    let addr = server.addr();
    let mut log = Runtime::new().run(|runtime| {
        runtime.set_timeout(0, |runtime, _| runtime.log.push("immediate timer".into()));
        runtime.set_timeout(60, |runtime, _| {
            runtime.log.push("timer".into());
            runtime.set_timeout(20, |runtime, _| runtime.log.push("timer of a timer".into()));
        });
        let read_file = || {
            thread::sleep(Duration::from_millis(10));
            "text".to_owned()
        };
        runtime.run_in_pool(read_file, move |runtime, text| {
            runtime.log.push("pool".into());
            runtime.run_in_pool(move || text.len().to_string(), |runtime, length| runtime.log.push(length));
            for delay in [150, 20] {
                runtime.http_get_slow(addr, delay, move |runtime, response| {
                    assert!(response.ends_with("url/http://http//www.google.com\n"), "{response}");
                    runtime.log.push(format!("response after {delay} ms"));
                });
            }
        });
    });
    log.sort_unstable();
    let expected =
        ["4", "immediate timer", "pool", "response after 150 ms", "response after 20 ms", "timer", "timer of a timer"];
    assert_eq!(log, expected);
}
