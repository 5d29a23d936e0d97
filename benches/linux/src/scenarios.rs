//! The work, the same for all libraries. Each scenario does it `count` times and returns the time, without its setup
//! and cleanup.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::iter;
use std::net;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::libraries::Library;

pub struct Scenario {
    pub name: String,
    pub kind: Kind,
    /// How many operations a run does.
    pub count: usize,
    /// `None` if the library cannot do this work.
    pub run: Option<Run>,
}

type Run = Box<dyn Fn(usize) -> Duration>;

/// The kind of a scenario, which decides what is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One thread that never blocks: everything is counted.
    Work,
    /// The same, among many objects: no times.
    Among,
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

/// Returns all scenarios of a library, without those among more than `most` objects.
pub fn scenarios<L: Library + 'static>(most: usize) -> Vec<Scenario> {
    use Kind::*;
    let mut scenarios = Vec::new();
    let mut add = |name: &str, kind, count, run: fn(usize) -> Duration| {
        scenarios.push(Scenario { name: name.to_string(), kind, count, run: Some(Box::new(run)) });
    };
    add("poll, nothing ready", Work, 128, nothing_ready::<L>);
    add("ping-pong", Work, 128, |count| ping_pong::<L>(count, answer));
    add("ping-pong, with a waker and an unset timer", Work, 128, ping_pong_beside_others::<L>);
    add("ping-pong, drained", Work, 128, |count| ping_pong::<L>(count, answer_all));
    add("64 ready streams", Work, 128, |count| batch::<L>(count, take));
    add("64 ready streams, drained", Work, 128, |count| batch::<L>(count, take_all));
    add("register, reregister, deregister", Work, 128, |count| register::<L>(0, count));
    add("connect, accept, close", Work, 32, accept::<L>);
    add("wake, then poll", Work, 128, |count| wake_and_poll::<L>(1, count));
    add("create and drop a poll", Work, 32, |count| create_poll::<L>(0, count));
    add("timeout of 100 µs", Sleep, 20, |count| sleep::<L>(count, Duration::from_micros(100)));
    add("timeout of 1 ms", Sleep, 5, |count| sleep::<L>(count, Duration::from_millis(1)));
    add("wake of a blocked thread", Alternating, 32, wake_blocked::<L>);
    add("wake of a busy thread, by 4 threads", Concurrent, 1_000_000, wake_busy::<L>);

    let mut add_among = |name, objects, sizes: &[usize], possible, run: fn(usize, usize) -> Duration| {
        for &size in sizes.iter().filter(|&&size| size <= most) {
            let name = format!("{name}, among {} {objects}", thousands(size));
            let run = move |count| run(size, count);
            let run = (size <= possible).then(|| Box::new(run) as Run);
            scenarios.push(Scenario { name, kind: Among, count: 512, run });
        }
    };
    let (wakers, sources, any) = (&[10, 1_000, 50_000], &[10, 1_000, 19_000], usize::MAX);
    add_among("wake, then poll", "wakers", wakers, L::MOST_WAKERS, wake_and_poll::<L>);
    add_among("one of 64 wakes, then poll", "wakers", &[1_000, 50_000], L::MOST_WAKERS, wake_many::<L>);
    add_among("create and drop a waker", "wakers", wakers, L::MOST_WAKERS, create_waker::<L>);
    add_among("register, reregister, deregister", "sources", sources, any, register::<L>);
    add_among("ping-pong", "idle sources", sources, any, ping_pong_among::<L>);
    add_among("create and drop a poll", "polls", &[10, 1_000, 5_000], any, create_poll::<L>);
    let timers = &[10, 1_000, 1_000_000];
    let possible = if L::new().timer().is_some() { any } else { 0 };
    add_among("set a timer to the earliest deadline", "timers", timers, possible, set_timer::<L>);
    add_among("cancel and set the earliest timer", "timers", timers, possible, cancel_and_set_timer::<L>);
    scenarios
}

/// Returns a number with a comma after each group of digits.
fn thousands(number: usize) -> String {
    match number {
        0..=999 => number.to_string(),
        _ => format!("{},{:03}", thousands(number / 1_000), number % 1_000),
    }
}

fn timed(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    compare_measured(&mut work);
    start.elapsed()
}

/// Does the work whose instructions are counted. Callgrind knows this function by its name.
#[no_mangle]
#[inline(never)]
fn compare_measured(work: &mut dyn FnMut()) {
    work();
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
    exchange(&mut L::new(), count, serve)
}

fn ping_pong_beside_others<L: Library>(count: usize) -> Duration {
    let mut library = L::new();
    let _registered = (library.waker(), library.timer());
    exchange(&mut library, count, answer)
}

fn ping_pong_among<L: Library>(sources: usize, count: usize) -> Duration {
    let mut library = L::new();
    let _sources = register_idle(&library, sources);
    exchange(&mut library, count, answer)
}

#[inline(always)]
fn exchange<L: Library>(library: &mut L, count: usize, serve: impl Fn(&mut L::Stream, &mut [u8]) -> usize) -> Duration {
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

fn register<L: Library>(sources: usize, count: usize) -> Duration {
    let library = L::new();
    let _sources = register_idle(&library, sources);
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

/// A wake before the poll, which then reports the wake without blocking. Each time, another waker is woken.
fn wake_and_poll<L: Library>(wakers: usize, count: usize) -> Duration {
    let mut library = L::new();
    let wakers = new_wakers(&library, wakers);
    let order: Vec<_> = wakers.iter().cycle().take(count).collect();
    timed(|| {
        for waker in &order {
            L::wake(waker);
            library.poll(FOR_EVER, |_| ());
        }
    })
}

/// Wakes a batch of wakers before the poll, which then reports all of them.
fn wake_many<L: Library>(wakers: usize, count: usize) -> Duration {
    let mut library = L::new();
    let wakers = new_wakers(&library, wakers);
    let order: Vec<_> = wakers.iter().cycle().take(count).collect();
    timed(|| {
        for batch in order.chunks_exact(BATCH) {
            for waker in batch {
                L::wake(waker);
            }
            library.poll(FOR_EVER, |_| ());
        }
    })
}

/// Returns wakers in random order.
fn new_wakers<L: Library>(library: &L, count: usize) -> Vec<L::Waker> {
    let mut wakers: Vec<_> = (0..count).map(|_| library.waker()).collect();
    for (index, random) in (1..count).zip(random_numbers()) {
        wakers.swap(index, random % (index + 1));
    }
    wakers
}

fn create_waker<L: Library>(wakers: usize, count: usize) -> Duration {
    let library = L::new();
    let _wakers = new_wakers(&library, wakers);
    timed(|| {
        for _ in 0..count {
            black_box(library.waker());
        }
    })
}

fn create_poll<L: Library>(polls: usize, count: usize) -> Duration {
    let _polls: Vec<_> = (0..polls).map(|_| L::new_poll()).collect();
    timed(|| {
        for _ in 0..count {
            black_box(L::new_poll());
        }
    })
}

/// Registers sources that never become ready: duplicates of one stream, whose peer is returned too.
fn register_idle<L: Library>(library: &L, count: usize) -> (Vec<L::Stream>, net::TcpStream) {
    let [stream, peer] = std_pair();
    let duplicate = |key| {
        let mut stream = L::adopt(stream.try_clone().unwrap());
        library.register(&mut stream, key);
        stream
    };
    ((BATCH..BATCH + count).map(duplicate).collect(), peer)
}

/// Sets timers, each to an earlier deadline than all others.
fn set_timer<L: Library>(timers: usize, count: usize) -> Duration {
    let library = L::new();
    let (timers, earliest) = set_timers(&library, timers);
    let order: Vec<_> = timers.iter().cycle().zip(deadlines_before(earliest)).take(count).collect();
    timed(|| {
        for &(timer, deadline) in &order {
            L::set(timer, deadline);
        }
    })
}

fn cancel_and_set_timer<L: Library>(timers: usize, count: usize) -> Duration {
    let library = L::new();
    let (timers, earliest) = set_timers(&library, timers);
    L::set(&timers[0], earliest);
    let deadlines: Vec<_> = deadlines_before(earliest).take(count).collect();
    timed(|| {
        for &deadline in &deadlines {
            L::cancel(&timers[0]);
            L::set(&timers[0], deadline);
        }
    })
}

/// Returns timers that are set to random deadlines, and a deadline that is earlier than all of them.
fn set_timers<L: Library>(library: &L, count: usize) -> (Vec<L::Timer>, Instant) {
    const HOUR: usize = 3_600_000_000;
    let earliest = Instant::now() + Duration::from_micros(HOUR as u64);
    let set = |random| {
        let timer = library.timer().expect("a timer");
        L::set(&timer, earliest + Duration::from_micros((1 + random % HOUR) as u64));
        timer
    };
    (random_numbers().take(count).map(set).collect(), earliest)
}

fn deadlines_before(deadline: Instant) -> impl Iterator<Item = Instant> {
    (1..).map(move |number| deadline - Duration::from_micros(number))
}

/// Returns the same random numbers each time: those of a linear congruential generator.
fn random_numbers() -> impl Iterator<Item = usize> {
    let mut state: u64 = 1;
    iter::repeat_with(move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
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

fn pair<L: Library>() -> [L::Stream; 2] {
    std_pair().map(L::adopt)
}

/// Returns a connected pair that sends small writes immediately.
fn std_pair() -> [net::TcpStream; 2] {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let one = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    for stream in [&one, &other] {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    [one, other]
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
