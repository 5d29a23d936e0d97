//! The work, the same for all libraries. Each scenario does it `count` times and returns the time, without its setup
//! and cleanup.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::libraries::Library;

pub struct Scenario {
    pub name: &'static str,
    pub kind: Kind,
    /// How many operations a run does.
    pub count: usize,
    pub run: fn(usize) -> Duration,
}

/// The kind of a scenario, which decides what is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One thread that never blocks: everything is counted.
    Work,
    /// One thread that waits for a timeout: no instructions, because valgrind does not know `epoll_pwait2`.
    Sleep,
    /// Two threads in turn: no instructions, because they depend on the scheduling.
    Alternating,
    /// Many threads at once: no instructions, and writes instead of system calls, because strace would change the
    /// scheduling.
    Concurrent,
}

/// The number of streams in a batch.
const BATCH: usize = 64;
const FOR_EVER: Option<Duration> = None;
const NO_TIME: Option<Duration> = Some(Duration::ZERO);

pub fn scenarios<L: Library>() -> [Scenario; 12] {
    use Kind::*;
    let scenario = |name, kind, count, run| Scenario { name, kind, count, run };
    [
        scenario("poll, nothing ready", Work, 128, nothing_ready::<L>),
        scenario("ping-pong", Work, 128, |count| ping_pong::<L>(count, answer)),
        scenario("ping-pong, drained", Work, 128, |count| ping_pong::<L>(count, answer_all)),
        scenario("64 ready streams", Work, 128, |count| batch::<L>(count, take)),
        scenario("64 ready streams, drained", Work, 128, |count| batch::<L>(count, take_all)),
        scenario("register, reregister, deregister", Work, 128, register::<L>),
        scenario("connect, accept, close", Work, 32, accept::<L>),
        scenario("wake, then poll", Work, 128, wake_and_poll::<L>),
        scenario("timeout of 100 µs", Sleep, 20, |count| sleep::<L>(count, Duration::from_micros(100))),
        scenario("timeout of 1 ms", Sleep, 5, |count| sleep::<L>(count, Duration::from_millis(1))),
        scenario("wake of a blocked thread", Alternating, 32, wake_blocked::<L>),
        scenario("wake of a busy thread, by 4 threads", Concurrent, 1_000_000, wake_busy::<L>),
    ]
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn nothing_ready<L: Library>(count: usize) -> Duration {
    let mut library = L::new();
    timed(|| {
        for _ in 0..count {
            library.poll(NO_TIME, |_| ());
        }
    })
}

/// Two streams of one queue send a byte to each other. `serve` reads the byte and sends it back.
fn ping_pong<L: Library>(count: usize, serve: impl Fn(&mut L::Stream, &mut [u8]) -> usize) -> Duration {
    let mut library = L::new();
    let mut ends = pair::<L>();
    for (key, stream) in ends.iter_mut().enumerate() {
        library.register(stream, key);
    }
    let (mut left, mut buf) = (2 * count, [0; 64]);
    write(&mut ends[0], b"x");
    timed(|| {
        while left > 0 {
            library.poll(FOR_EVER, |key| left -= serve(&mut ends[key], &mut buf));
        }
    })
}

/// Each stream of a batch receives a byte; then `serve` reads all streams.
fn batch<L: Library>(count: usize, serve: impl Fn(&mut L::Stream, &mut [u8]) -> usize) -> Duration {
    let mut library = L::new();
    let mut pairs: Vec<_> = (0..BATCH).map(|_| pair::<L>()).collect();
    for (key, [stream, _]) in pairs.iter_mut().enumerate() {
        library.register(stream, key);
    }
    let mut buf = [0; 64];
    timed(|| {
        for _ in 0..count / BATCH {
            for [_, peer] in &mut pairs {
                write(peer, b"x");
            }
            let mut left = BATCH;
            while left > 0 {
                library.poll(FOR_EVER, |key| left -= serve(&mut pairs[key][0], &mut buf));
            }
        }
    })
}

fn register<L: Library>(count: usize) -> Duration {
    let library = L::new();
    let [mut stream, _peer] = pair::<L>();
    timed(|| {
        for _ in 0..count {
            library.register(&mut stream, 0);
            library.reregister(&mut stream, 0);
            library.deregister(&mut stream);
        }
    })
}

fn accept<L: Library>(count: usize) -> Duration {
    let (listener, address) = L::listen();
    timed(|| {
        for _ in 0..count {
            let client = L::connect(address);
            // On loopback, the connection is usually complete before `connect` returns, but not on a very busy machine.
            let accepted = loop {
                match L::accept(&listener) {
                    Err(err) if err.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                    result => break result.unwrap(),
                }
            };
            black_box((client, accepted));
        }
    })
}

/// A wake before the poll, which then reports the wake without blocking.
fn wake_and_poll<L: Library>(count: usize) -> Duration {
    let mut library = L::new();
    let waker = library.waker();
    timed(|| {
        for _ in 0..count {
            L::wake(&waker);
            library.poll(FOR_EVER, |_| ());
        }
    })
}

fn sleep<L: Library>(count: usize, timeout: Duration) -> Duration {
    let mut library = L::new();
    timed(|| {
        for _ in 0..count {
            library.poll(Some(timeout), |_| ());
        }
    })
}

/// The time from the wake of a blocked polling thread to the return of its poll.
fn wake_blocked<L: Library>(count: usize) -> Duration {
    let mut library = L::new();
    let waker = library.waker();
    let poller = File::open("/proc/thread-self/stat").unwrap();
    let awoken = AtomicUsize::new(0);
    thread::scope(|scope| {
        let wakes = scope.spawn(|| {
            let mut wakes = Vec::with_capacity(count);
            for number in 0..count {
                while awoken.load(Ordering::Acquire) < number || !is_blocked(&poller) {
                    thread::yield_now();
                }
                wakes.push(Instant::now());
                L::wake(&waker);
            }
            wakes
        });
        let mut returns = Vec::with_capacity(count);
        for number in 1..=count {
            library.poll(FOR_EVER, |_| ());
            returns.push(Instant::now());
            awoken.store(number, Ordering::Release);
        }
        let latency = |(wake, back): (Instant, Instant)| back.checked_duration_since(wake).expect("a wake");
        wakes.join().unwrap().into_iter().zip(returns).map(latency).sum()
    })
}

/// Four threads wake the polling thread as fast as they can, and the polling thread polls as fast as it can.
fn wake_busy<L: Library>(count: usize) -> Duration {
    const THREADS: usize = 4;
    let mut library = L::new();
    let waker = library.waker();
    let running = AtomicUsize::new(THREADS);
    let start = Barrier::new(THREADS + 1);
    // The measurement begins before the threads start, not at the barrier: the polling thread may pass the barrier
    // last, when the other threads have already begun to wake it.
    timed(|| {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..count / THREADS {
                        L::wake(&waker);
                    }
                    running.fetch_sub(1, Ordering::AcqRel);
                    // The polling thread may be blocked by now.
                    L::wake(&waker);
                });
            }
            start.wait();
            while running.load(Ordering::Acquire) > 0 {
                library.poll(FOR_EVER, |_| ());
            }
        });
    })
}

/// Returns a connected pair that sends small writes immediately.
fn pair<L: Library>() -> [L::Stream; 2] {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let one = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    [one, other].map(|stream| {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        L::adopt(stream)
    })
}

// Four ways to serve a readable stream. All return the number of bytes read; `take_all` and `answer_all` read until
// `WouldBlock`.

#[inline(always)]
fn take(stream: &mut impl Read, buf: &mut [u8]) -> usize {
    stream.read(buf).unwrap()
}

#[inline(always)]
fn take_all(stream: &mut impl Read, buf: &mut [u8]) -> usize {
    let mut total = 0;
    while let Some(count) = or_would_block(stream.read(buf)) {
        total += count;
    }
    total
}

#[inline(always)]
fn answer(stream: &mut (impl Read + Write), buf: &mut [u8]) -> usize {
    let count = stream.read(buf).unwrap();
    write(stream, &buf[..count]);
    count
}

#[inline(always)]
fn answer_all(stream: &mut (impl Read + Write), buf: &mut [u8]) -> usize {
    let mut total = 0;
    while let Some(count) = or_would_block(stream.read(buf)) {
        write(stream, &buf[..count]);
        total += count;
    }
    total
}

#[inline(always)]
fn or_would_block(result: io::Result<usize>) -> Option<usize> {
    match result {
        Ok(0) => panic!("the stream has ended"),
        Ok(count) => Some(count),
        Err(err) if err.kind() == ErrorKind::WouldBlock => None,
        Err(err) => panic!("cannot read: {err}"),
    }
}

#[inline(always)]
fn write(stream: &mut impl Write, bytes: &[u8]) {
    assert_eq!(stream.write(bytes).unwrap(), bytes.len());
}

/// Returns whether a thread is blocked, from its `stat` file in `/proc`.
fn is_blocked(thread: &File) -> bool {
    let mut stat = [0; 64];
    let len = thread.read_at(&mut stat, 0).unwrap();
    let name_end = stat[..len].iter().rposition(|&byte| byte == b')').unwrap();
    stat[name_end + 2] == b'S'
}
