//! What the tests are built from: a fixture with the fake kernel, sockets, their peers, and a poll with its events.

use std::io::{self, Write};
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::event::{Event, Source};
use crate::handle::Socket;
use crate::io_source::IoSource;
use crate::kernel::layout::*;
use crate::kernel::{self, Behaviour, Counts, KernelGuard};
use crate::queue::Notifier;
use crate::{Events, Interest, Poll, Registry, Token};

/// All tests share one kernel, so they run one after the other.
static WORLD: Mutex<()> = Mutex::new(());

/// A kernel in its initial state. When it is dropped, after everything that used it, no rule may be broken.
pub(crate) struct World {
    leaks: usize,
    _alone: MutexGuard<'static, ()>,
}

/// Runs a test on each kind of kernel.
pub(crate) fn everywhere(test: impl Fn(&World)) {
    for behaviour in Behaviour::ALL {
        let world = World::new(behaviour);
        test(&world);
    }
}

/// Runs a test on each kind of kernel, with a new poll each.
pub(crate) fn with_loop(test: impl Fn(&World, Loop)) {
    everywhere(|world| test(world, Loop::new()));
}

/// The running test, and the time at which its `World` was created.
static RUNNING: Mutex<Option<(String, Instant)>> = Mutex::new(None);
/// The time limit of a `World`, after which its test counts as hanging.
const LONGEST: Duration = Duration::from_secs(30);

/// Aborts the process if a test hangs, after printing its name.
fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        thread::spawn(|| loop {
            thread::sleep(Duration::from_secs(1));
            if let Some((name, since)) = &*RUNNING.lock().unwrap_or_else(PoisonError::into_inner) {
                if since.elapsed() > LONGEST {
                    // `eprintln!` would be captured, and the output of a hanging test is never shown.
                    let _write_failed = writeln!(io::stderr(), "\n{name} hangs");
                    process::abort();
                }
            }
        });
    });
}

impl World {
    pub fn new(behaviour: Behaviour) -> World {
        let alone = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
        watch();
        let name = thread::current().name().unwrap_or_default().to_owned();
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some((name, Instant::now()));
        kernel::lock().reset(behaviour);
        World { leaks: 0, _alone: alone }
    }

    pub fn kernel(&self) -> KernelGuard {
        kernel::lock()
    }

    pub fn counts(&self) -> Counts {
        self.kernel().counts
    }

    /// Returns the number of submits, cancels and waits since `before`.
    pub fn since(&self, before: Counts) -> (usize, usize, usize) {
        let now = self.counts();
        (now.submits - before.submits, now.cancels - before.cancels, now.waits - before.waits)
    }

    /// Opens a connected stream and its peer.
    pub fn pair(&self) -> (Stream, Peer) {
        let (stream, peer) = self.unconnected();
        peer.makes_room(1 << 16);
        (stream, peer)
    }

    /// Returns a poll, and a connected stream that is registered with token 1, and its peer.
    #[track_caller]
    pub fn registered(&self, interest: Interest) -> (Loop, Stream, Peer) {
        let queue = Loop::new();
        let (stream, peer) = queue.registered(self.pair(), interest);
        (queue, stream, peer)
    }

    /// Opens a socket that is not connected: a connecting stream or a listener.
    pub fn unconnected(&self) -> (Stream, Peer) {
        let (number, endpoint) = self.kernel().open_socket();
        (Stream::new(number), Peer { endpoint })
    }

    /// Opens a source socket, which the test must close.
    pub fn raw(&self) -> (RawSocket, Peer) {
        let (number, endpoint) = self.kernel().open_socket();
        (RawSocket(number), Peer { endpoint })
    }

    /// Blocks until this number of threads are blocked in a wait.
    pub fn until_blocked(&self, threads: usize) {
        until("no thread blocks in a wait", || self.kernel().blocked_threads == threads);
    }

    /// Blocks until a thread is blocked in a wait without a timeout.
    pub fn until_blocked_without_timeout(&self) {
        until("no thread blocks without a timeout", || {
            let kernel = self.kernel();
            kernel.blocked_threads == 1 && kernel.timeouts.last() == Some(&u32::MAX)
        });
    }

    /// Checks that no rule is broken so far.
    #[track_caller]
    pub fn check(&self) {
        let violations = std::mem::take(&mut self.kernel().violations);
        assert!(violations.is_empty(), "broken rules: {violations:#?}");
        assert_eq!(crate::guard::freed_early(), 0, "blocks were freed while the kernel could still write there");
    }

    /// Expects that the packets of this many requests never arrive, so that their memory must stay allocated.
    pub fn expect_leaks(&mut self, requests: usize) {
        self.leaks = requests;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut kernel = kernel::lock();
        if self.leaks == 0 {
            kernel.check_end();
        } else {
            let expected = (self.leaks, 2 * self.leaks, 0);
            let found = (kernel.requests_pending(), crate::guard::kept(), crate::guard::freed_early());
            if found != expected {
                kernel.violation(format!(
                    "pending requests, kept addresses, blocks freed early: {found:?}, not {expected:?}"
                ));
            }
            kernel.violations.retain(|violation| !violation.starts_with("a device is closed that has"));
        }
        let violations = std::mem::take(&mut kernel.violations);
        let behaviour = kernel.behaviour;
        drop(kernel);
        if !violations.is_empty() {
            let objection = format!("broken rules ({behaviour:?}): {violations:#?}");
            if thread::panicking() {
                eprintln!("{objection}");
            } else {
                panic!("{objection}");
            }
        }
    }
}

/// Blocks until another thread has made the condition true.
#[track_caller]
pub(crate) fn until(failure: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{failure}");
        thread::sleep(Duration::from_micros(50));
    }
}

/// A stream or a listener, built like those of the crate.
#[derive(Debug)]
pub(crate) struct Stream {
    inner: IoSource<Socket>,
}

impl Stream {
    pub fn new(number: usize) -> Stream {
        Stream { inner: IoSource::new(Socket(number)) }
    }

    pub fn number(&self) -> usize {
        self.inner.get().0
    }

    /// Reads like the crate's `TcpStream`: a read that returned data or would block rearms reading.
    pub fn read(&self, most: usize) -> io::Result<usize> {
        self.inner.do_io(
            |socket| kernel::lock().receive(socket.0, most),
            |result| match result {
                Ok(1..) | Err(io::ErrorKind::WouldBlock) => Some(Interest::READABLE),
                _ => None,
            },
        )
    }

    /// Writes like the crate's `TcpStream`: a write that would block or was partial rearms writing.
    pub fn write(&self, bytes: usize) -> io::Result<usize> {
        self.inner.do_io(
            |socket| kernel::lock().send(socket.0, bytes),
            |result| match result {
                Ok(written) if *written < bytes => Some(Interest::WRITABLE),
                Err(io::ErrorKind::WouldBlock) => Some(Interest::WRITABLE),
                _ => None,
            },
        )
    }

    pub fn accept(&self) -> io::Result<()> {
        self.inner.do_io(
            |socket| kernel::lock().accept(socket.0),
            |result| match result {
                Ok(()) | Err(io::ErrorKind::WouldBlock) => Some(Interest::READABLE),
                _ => None,
            },
        )
    }

    /// Shuts down writing, like the crate's `TcpStream::shutdown`.
    pub fn shuts_down(&self) {
        self.inner.write_shut_down();
    }

    /// Runs an operation, like the crate's `try_io`.
    pub fn do_io<R>(&self, operation: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.inner.do_io(
            |_| operation(),
            |result| match result {
                Ok(_) => Some(Interest::READABLE),
                Err(io::ErrorKind::WouldBlock) => Some(Interest::READABLE | Interest::WRITABLE),
                Err(_) => None,
            },
        )
    }

    /// Reads until a read would block or the stream ends. Returns the number of bytes, and whether the stream has
    /// ended.
    pub fn drain(&self) -> (usize, bool) {
        let mut sum = 0;
        loop {
            match self.read(64) {
                Ok(0) => return (sum, true),
                Ok(got) => sum += got,
                Err(_) => return (sum, false),
            }
        }
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.inner.register(registry, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.inner.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.inner.deregister(registry)
    }
}

/// A source socket, like the crate's `SourceSocket`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawSocket(pub usize);

impl RawSocket {
    pub fn close(self) {
        kernel::lock().close_socket(self.0);
    }
}

impl Source for RawSocket {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        registry.selector().register_raw(self.0, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        registry.selector().reregister_raw(self.0, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.selector().deregister_raw(self.0)
    }
}

/// The peer of a socket, with all other actions of a test on that socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub endpoint: usize,
}

impl Peer {
    pub fn change(self, what: impl FnOnce(&mut kernel::Endpoint)) {
        kernel::lock().change(self.endpoint, what);
    }

    pub fn sends(self, bytes: usize) {
        self.change(|socket| socket.unread += bytes);
    }

    pub fn sends_urgent_byte(self) {
        self.change(|socket| socket.urgent = true);
    }

    /// Removes the urgent byte, as if the program had received it with `MSG_OOB`.
    pub fn loses_urgent_byte(self) {
        self.change(|socket| socket.urgent = false);
    }

    pub fn shuts_down(self) {
        self.change(|socket| socket.ended = true);
    }

    pub fn resets(self) {
        self.change(|socket| socket.reset = true);
    }

    /// Reads, so that the socket has room for this many more bytes.
    pub fn makes_room(self, bytes: usize) {
        self.change(|socket| socket.room += bytes);
    }

    pub fn leaves_no_room(self) {
        self.change(|socket| socket.room = 0);
    }

    pub fn connects(self) {
        self.change(|socket| (socket.listens, socket.backlog) = (true, socket.backlog + 1));
    }

    pub fn refuses_to_connect(self) {
        self.change(|socket| socket.connect_failed = true);
    }

    pub fn ready_events(self) -> u32 {
        kernel::lock().ready_events(self.endpoint)
    }

    pub fn unread(self) -> usize {
        kernel::lock().endpoint_state(self.endpoint).unread
    }
}

/// A poll and its events.
pub(crate) struct Loop {
    pub poll: Poll,
    pub events: Events,
}

/// A flag beside those of AFD: the kernel rejected the request.
pub(crate) const REJECTED: u32 = 1 << 31;
/// A flag beside those of AFD: both ends have shut down writing.
pub(crate) const FINISHED: u32 = 1 << 30;

impl Loop {
    pub fn new() -> Loop {
        Loop::with_capacity(64)
    }

    pub fn with_capacity(capacity: usize) -> Loop {
        Loop { poll: Poll::new().unwrap(), events: Events::with_capacity(capacity) }
    }

    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    pub fn notifier(&self) -> Arc<Notifier> {
        self.registry().shared.handle().unwrap().notifier.upgrade().unwrap()
    }

    #[track_caller]
    pub fn register(&self, source: &mut impl Source, token: usize, interest: Interest) {
        self.registry().register(source, Token(token), interest).unwrap();
    }

    /// Registers a source with token 1, and returns it and its peer.
    #[track_caller]
    pub fn registered<S: Source>(&self, (mut source, peer): (S, Peer), interest: Interest) -> (S, Peer) {
        self.register(&mut source, 1, interest);
        (source, peer)
    }

    #[track_caller]
    pub fn reregister(&self, source: &mut impl Source, token: usize, interest: Interest) {
        self.registry().reregister(source, Token(token), interest).unwrap();
    }

    #[track_caller]
    pub fn deregister(&self, source: &mut impl Source) {
        self.registry().deregister(source).unwrap();
    }

    /// Polls without blocking. Returns the sorted tokens and AFD flags of the events.
    #[track_caller]
    pub fn now(&mut self) -> Vec<(usize, u32)> {
        self.within(Duration::ZERO)
    }

    #[track_caller]
    pub fn within(&mut self, timeout: Duration) -> Vec<(usize, u32)> {
        self.poll.poll(&mut self.events, Some(timeout)).unwrap();
        self.reported()
    }

    /// Polls without a timeout. Returns the sorted tokens and AFD flags of the events.
    #[track_caller]
    pub fn wait(&mut self) -> Vec<(usize, u32)> {
        self.poll.poll(&mut self.events, None).unwrap();
        self.reported()
    }

    fn reported(&self) -> Vec<(usize, u32)> {
        let mut reported: Vec<_> = self.events.iter().map(|event| (event.token().0, afd_flags(event))).collect();
        reported.sort_unstable();
        reported
    }
}

/// Returns the AFD flags of an event, from its `Debug` output.
pub(crate) fn afd_flags(event: &Event) -> u32 {
    let spelled = format!("{:?}", event.0);
    let word = |word: &str| match word {
        "AFD_POLL_RECEIVE" => RECEIVE,
        "AFD_POLL_RECEIVE_EXPEDITED" => RECEIVE_EXPEDITED,
        "AFD_POLL_SEND" => SEND,
        "AFD_POLL_DISCONNECT" => DISCONNECT,
        "AFD_POLL_ABORT" => ABORT,
        "AFD_POLL_ACCEPT" => ACCEPT,
        "AFD_POLL_CONNECT_FAIL" => CONNECT_FAIL,
        "WRITE_CLOSED" => FINISHED,
        "POLL_REJECTED" => REJECTED,
        other => panic!("an unknown flag: {other:?}"),
    };
    let words = spelled.split(" | ").map(word).fold(0, |sum, word| sum | word);
    let any = |flags| words & (flags | REJECTED) != 0;
    let broken = ABORT | CONNECT_FAIL;
    assert_eq!(event.is_readable(), any(RECEIVE | RECEIVE_EXPEDITED | ACCEPT | DISCONNECT | broken), "{event:?}");
    assert_eq!(event.is_writable(), any(SEND | FINISHED | broken), "{event:?}");
    assert_eq!(event.is_read_closed(), any(DISCONNECT | broken), "{event:?}");
    assert_eq!(event.is_write_closed(), any(FINISHED | broken), "{event:?}");
    assert_eq!(event.is_error(), any(broken), "{event:?}");
    assert_eq!(event.is_priority(), words & RECEIVE_EXPEDITED != 0, "{event:?}");
    words
}
