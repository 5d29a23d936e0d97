//! Programs whose system calls `run.sh` counts, under strace.
//!
//! [`counted`] writes a line to standard error before and after a piece of work. Both lines appear in the trace; the
//! second one lists the expected calls. The script compares them with the calls between the lines, one by one and in
//! order. A call is written as its name, `epoll_wait` with its timeout: `epoll_wait(-1)`; `*10` means ten of them. Each
//! thread is counted separately.

use std::fs;
use std::hint;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net;
use std::os::unix::io::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use minimio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use minimio::{Events, Interest, Poll, Timer, Token, Waker};

const NOTHING: &str = "";
const SOURCE: Token = Token(0);
const TIMER: Token = Token(1);
const WAKER: Token = Token(2);
const MILLISECOND: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(1000);

fn main() {
    let program = std::env::args().nth(1).unwrap_or_default();
    match program.as_str() {
        "polls" => polls(),
        "timers" => timers(),
        "wakes" => wakes(),
        "blocked" => blocked(),
        "sockets" => sockets(),
        "unix-sockets" => unix_sockets(),
        "storm" => storm(),
        "old-kernel" => old_kernel(),
        "interrupted" => interrupted(),
        _ => panic!(
            "usage: system-calls PROGRAM, one of polls, timers, wakes, blocked, \
             sockets, unix-sockets, storm, old-kernel, interrupted"
        ),
    }
}

/// Runs `work` between the two lines.
fn counted<R>(what: &str, calls: &str, work: impl FnOnce() -> R) -> R {
    // A duplicate of the descriptor, because `io::stderr` has a lock, which makes system calls when threads contend for
    // it.
    let mut marks = fs::File::from(io::stderr().as_fd().try_clone_to_owned().unwrap());
    let (begin, end) = (format!("begin {what}\n"), format!("end {calls}\n"));
    marks.write_all(begin.as_bytes()).unwrap();
    let result = work();
    marks.write_all(end.as_bytes()).unwrap();
    result
}

/// Polls once and compares the tokens of the events.
fn poll_once(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>, expected: &[Token]) {
    poll.poll(events, timeout).unwrap();
    assert!(events.iter().map(|event| event.token()).eq(expected.iter().copied()), "{events:?}, not {expected:?}");
}

fn poll_ten_times(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>, expected: &[Token]) {
    for _ in 0..10 {
        poll_once(poll, events, timeout, expected);
    }
}

fn new() -> (Poll, Events) {
    (Poll::new().unwrap(), Events::with_capacity(16))
}

/// Returns a stream of the crate and its peer.
fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (TcpStream::from_std(stream), peer)
}

/// Every poll is one call, whatever its timeout is and whether or not a source is ready.
fn polls() {
    let (mut poll, mut events) = new();
    let registry = poll.registry().try_clone().unwrap();

    counted("ten polls with a timeout of zero", "epoll_wait(0)*10", || {
        poll_ten_times(&mut poll, &mut events, Some(Duration::ZERO), &[]);
    });
    counted("ten polls with a timeout that passes", "epoll_wait(1)*10", || {
        poll_ten_times(&mut poll, &mut events, Some(MILLISECOND), &[]);
    });
    counted("ten polls with a timeout of a nanosecond", "epoll_pwait2*10", || {
        poll_ten_times(&mut poll, &mut events, Some(Duration::from_nanos(1)), &[]);
    });

    let (mut stream, mut peer) = pair();
    peer.write_all(b"ready").unwrap();
    registry.register(&mut stream, SOURCE, Interest::READABLE.level()).unwrap();
    counted("ten polls with a timeout of zero, a source is ready", "epoll_wait(0)*10", || {
        poll_ten_times(&mut poll, &mut events, Some(Duration::ZERO), &[SOURCE]);
    });
    counted("ten polls with a timeout, a source is ready", "epoll_wait(1000000)*10", || {
        poll_ten_times(&mut poll, &mut events, Some(LONG), &[SOURCE]);
    });
    counted("ten polls without a timeout, a source is ready", "epoll_wait(-1)*10", || {
        poll_ten_times(&mut poll, &mut events, None, &[SOURCE]);
    });

    let mut timer = Timer::new();
    registry.register(&mut timer, TIMER, Interest::READABLE).unwrap();
    timer.set(LONG).unwrap();
    counted("ten polls with a timeout of zero, a source is ready, a timer is set", "epoll_wait(0)*10", || {
        poll_ten_times(&mut poll, &mut events, Some(Duration::ZERO), &[SOURCE]);
    });
    counted("ten polls without a timeout, a source is ready, a timer is set", "epoll_pwait2*10", || {
        poll_ten_times(&mut poll, &mut events, None, &[SOURCE]);
    });
    registry.deregister(&mut stream).unwrap();
    counted("ten polls with a timeout that passes, a timer is set", "epoll_wait(1)*10", || {
        poll_ten_times(&mut poll, &mut events, Some(MILLISECOND), &[]);
    });

    counted("a poll is created", "epoll_create1", Poll::new).unwrap();
    let other = Poll::new().unwrap();
    counted("a poll is dropped", "close", || drop(other));
    let other = Poll::new().unwrap();
    let waker = || Waker::new(other.registry(), WAKER).unwrap();
    let first = counted("the first waker of a poll is created", "eventfd2 epoll_ctl", waker);
    counted("another waker is created and dropped", NOTHING, || drop(waker()));
    counted("a poll with a waker is dropped", "close*2", || drop(other));
    counted("a waker of a dropped poll is dropped", NOTHING, || drop(first));
    counted("a registry is cloned", NOTHING, || drop(registry.try_clone().unwrap()));
}

/// While the polling thread is not blocked, an operation on a timer makes no call. Each poll makes one.
fn timers() {
    let (mut poll, mut events) = new();
    let registry = poll.registry().try_clone().unwrap();
    let mut timers: Vec<Timer> = (0..1000).map(|_| Timer::new()).collect();
    let register = |timers: &mut Vec<Timer>| {
        for (number, timer) in timers.iter_mut().enumerate() {
            registry.register(timer, Token(number), Interest::READABLE).unwrap();
        }
    };
    let set = |timers: &Vec<Timer>| {
        for (number, timer) in (0..).zip(timers.iter()) {
            timer.set(LONG - MILLISECOND * number).unwrap();
        }
    };
    let cancel = |timers: &Vec<Timer>| timers.iter().for_each(Timer::cancel);
    // The first use allocates the heap.
    register(&mut timers);
    set(&timers);
    cancel(&timers);
    timers.iter_mut().for_each(|timer| registry.deregister(timer).unwrap());

    counted("a thousand timers are registered", NOTHING, || register(&mut timers));
    counted("a thousand timers are set, each earlier than the last", NOTHING, || set(&timers));
    counted("a poll with a thousand timers set", "epoll_wait(0)", || {
        poll_once(&mut poll, &mut events, Some(Duration::ZERO), &[]);
    });
    counted("a thousand timers are cancelled", NOTHING, || cancel(&timers));
    counted("a thousand timers are deregistered", NOTHING, || {
        timers.iter_mut().for_each(|timer| registry.deregister(timer).unwrap());
    });

    let mut timer = Timer::new();
    registry.register(&mut timer, TIMER, Interest::READABLE).unwrap();
    counted("ten timers set and waited for", "epoll_pwait2*10", || {
        for _ in 0..10 {
            timer.set(20 * MILLISECOND).unwrap();
            poll_once(&mut poll, &mut events, None, &[TIMER]);
        }
    });
    counted("ten timers that are due already", "epoll_wait(0)*10", || {
        for _ in 0..10 {
            timer.set(Duration::ZERO).unwrap();
            poll_once(&mut poll, &mut events, None, &[TIMER]);
        }
    });
    timer.set_every(MILLISECOND).unwrap();
    poll_once(&mut poll, &mut events, None, &[TIMER]);
    counted("a timer that expires again", "epoll_pwait2", || {
        timer.set_every(50 * MILLISECOND).unwrap();
        poll_once(&mut poll, &mut events, None, &[TIMER]);
    });
    counted("the next deadline is read", NOTHING, || assert!(poll.next_deadline().is_some()));
}

/// A wake of a polling thread that is not blocked makes no call, and the poll that reports the wake makes one. If the
/// poll's descriptor is exposed, the first wake makes one call too.
fn wakes() {
    let (mut poll, mut events) = new();
    let registry = poll.registry().try_clone().unwrap();
    let waker = Arc::new(Waker::new(&registry, WAKER).unwrap());

    counted("a thousand wakes before the poll", NOTHING, || {
        for _ in 0..1000 {
            waker.wake().unwrap();
        }
    });
    counted("the poll that reports them", "epoll_wait(0)", || {
        poll_once(&mut poll, &mut events, None, &[WAKER]);
    });
    counted("the poll after it", "epoll_wait(0)", || {
        poll_once(&mut poll, &mut events, Some(Duration::ZERO), &[]);
    });
    counted("ten wakes, each with a poll of its own", "epoll_wait(0)*10", || {
        for timeout in [None, Some(LONG), Some(Duration::ZERO), None, Some(LONG)].iter().cycle().take(10) {
            waker.wake().unwrap();
            poll_once(&mut poll, &mut events, *timeout, &[WAKER]);
        }
    });

    let more: Vec<Waker> = (10..14).map(|number| Waker::new(&registry, Token(number)).unwrap()).collect();
    counted("five wakers and a poll", "epoll_wait(0)", || {
        waker.wake().unwrap();
        more.iter().for_each(|waker| waker.wake().unwrap());
        poll_once(&mut poll, &mut events, None, &[WAKER, Token(10), Token(11), Token(12), Token(13)]);
    });

    // Four threads wake at the same time while the polling thread does other work.
    let start = Arc::new(Barrier::new(5));
    let running = Arc::new(AtomicUsize::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (waker, start, running) = (Arc::clone(&waker), Arc::clone(&start), Arc::clone(&running));
            thread::spawn(move || {
                start.wait();
                counted("250,000 wakes of a busy polling thread, by one of four threads", NOTHING, || {
                    for _ in 0..250_000 {
                        waker.wake().unwrap();
                    }
                });
                running.fetch_sub(1, Ordering::Release);
            })
        })
        .collect();
    start.wait();
    while running.load(Ordering::Acquire) > 0 {
        hint::spin_loop();
    }
    counted("the poll after a million wakes", "epoll_wait(0)", || {
        poll_once(&mut poll, &mut events, None, &[WAKER]);
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());

    poll.as_raw_fd();
    counted("the first wake of a poll whose descriptor is exposed", "write", || waker.wake().unwrap());
    counted("the wakes after it", NOTHING, || {
        for _ in 0..100 {
            waker.wake().unwrap();
        }
    });
    counted("the poll that reports them, and consumes the notifier's event", "epoll_wait(0)", || {
        poll_once(&mut poll, &mut events, Some(Duration::ZERO), &[WAKER]);
    });
}

/// Runs `work` on another thread while the main thread is blocked in a poll. The main thread sets the returned flag
/// just before that poll.
fn while_blocked<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> (thread::JoinHandle<R>, Arc<AtomicBool>) {
    let polling = Arc::new(AtomicBool::new(false));
    let main_stat = format!("/proc/self/task/{}/stat", std::process::id());
    let other = thread::spawn({
        let polling = Arc::clone(&polling);
        move || {
            let end = Instant::now() + Duration::from_secs(20);
            while !(polling.load(Ordering::Acquire) && fs::read_to_string(&main_stat).unwrap().contains(") S ")) {
                assert!(Instant::now() < end, "the polling thread does not block");
                thread::yield_now();
            }
            work()
        }
    });
    (other, polling)
}

/// A thread that must wake a blocked polling thread makes one call, and the polling thread makes no unnecessary call.
fn blocked() {
    let (mut poll, mut events) = new();
    let registry = poll.registry().try_clone().unwrap();
    let waker = Arc::new(Waker::new(&registry, WAKER).unwrap());
    let mut timer = Timer::new();
    registry.register(&mut timer, TIMER, Interest::READABLE).unwrap();
    let timer = Arc::new(timer);

    for (timeout, wait) in [(None, "epoll_wait(-1)"), (Some(LONG), "epoll_wait(1000000)")] {
        let waker = Arc::clone(&waker);
        let (other, polling) =
            while_blocked(move || counted("a wake of a blocked polling thread", "write", || waker.wake().unwrap()));
        counted("the poll that it ends", wait, || {
            polling.store(true, Ordering::Release);
            poll_once(&mut poll, &mut events, timeout, &[WAKER]);
        });
        other.join().unwrap();
    }

    let (other, polling) = while_blocked({
        let timer = Arc::clone(&timer);
        move || {
            counted("an earlier deadline for a blocked polling thread", "write", || {
                timer.set(200 * MILLISECOND).unwrap()
            })
        }
    });
    // The poll waits once with the old deadline and once with the new one.
    counted("the poll that it shortens", "epoll_wait(-1) epoll_pwait2", || {
        polling.store(true, Ordering::Release);
        poll_once(&mut poll, &mut events, None, &[TIMER]);
    });
    other.join().unwrap();

    timer.set(500 * MILLISECOND).unwrap();
    let mut later = Timer::new();
    registry.register(&mut later, Token(9), Interest::READABLE).unwrap();
    let (other, polling) = while_blocked(move || {
        counted("a later deadline for a blocked polling thread", NOTHING, || later.set(LONG).unwrap());
        counted("a deadline cancelled while the polling thread is blocked", NOTHING, || later.cancel());
    });
    counted("the poll that they do not interrupt", "epoll_pwait2", || {
        polling.store(true, Ordering::Release);
        poll_once(&mut poll, &mut events, None, &[TIMER]);
    });
    other.join().unwrap();

    let (stream, mut peer) = pair();
    let (other, polling) = while_blocked(move || {
        let mut stream = stream;
        counted("a source registered while the polling thread is blocked", "epoll_ctl", || {
            registry.register(&mut stream, SOURCE, Interest::READABLE).unwrap();
        });
        peer.write_all(b"!").unwrap();
        (stream, peer)
    });
    counted("the poll that reports it", "epoll_wait(-1)", || {
        polling.store(true, Ordering::Release);
        poll_once(&mut poll, &mut events, None, &[SOURCE]);
    });
    other.join().unwrap();
}

/// Each operation on a socket makes at most one call, except `connect`, which also creates the socket.
fn sockets() {
    let (mut poll, mut events) = new();
    let registry = poll.registry().try_clone().unwrap();
    let (mut stream, mut peer) = pair();
    let both = Interest::READABLE | Interest::WRITABLE;

    counted("register", "epoll_ctl", || registry.register(&mut stream, SOURCE, both).unwrap());
    counted("reregister", "epoll_ctl", || registry.reregister(&mut stream, SOURCE, both.level()).unwrap());
    counted("register twice", NOTHING, || {
        let err = registry.register(&mut stream, SOURCE, both).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::AlreadyExists);
    });
    counted("deregister", "epoll_ctl", || registry.deregister(&mut stream).unwrap());
    counted("deregister twice", NOTHING, || {
        assert_eq!(registry.deregister(&mut stream).unwrap_err().kind(), ErrorKind::NotFound);
    });

    let mut buf = [0; 16];
    counted("a read that would block", "recvfrom", || {
        assert_eq!(stream.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
    peer.write_all(b"12345678").unwrap();
    counted("a read", "recvfrom", || assert_eq!(stream.read(&mut buf[..4]).unwrap(), 4));
    counted("a peek", "recvfrom", || assert_eq!(stream.peek(&mut buf).unwrap(), 4));
    counted("a write", "sendto", || assert_eq!(stream.write(b"1234").unwrap(), 4));
    counted("a vectored write", "sendmsg", || {
        assert_eq!(stream.write_vectored(&[IoSlice::new(b"12"), IoSlice::new(b"34")]).unwrap(), 4);
    });
    counted("a flush", NOTHING, || stream.flush().unwrap());
    let mut echo = [0; 8];
    peer.read_exact(&mut echo).unwrap();

    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    registry.register(&mut listener, Token(5), Interest::READABLE).unwrap();
    let client = counted("connect", "socket connect", || TcpStream::connect(addr).unwrap());
    poll_once(&mut poll, &mut events, None, &[Token(5)]);
    let accepted = counted("accept", "accept4", || listener.accept().unwrap().0);
    counted("an accept that would block", "accept4", || {
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
    counted("a stream is dropped", "close", || drop(accepted));
    drop(client);

    let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    counted("a datagram sent", "sendto", || assert_eq!(socket.send_to(b"1234", addr).unwrap(), 4));
    counted("a datagram received", "recvfrom", || assert_eq!(socket.recv_from(&mut buf).unwrap(), (4, addr)));
}

/// Each operation on a Unix socket is one call too, including operations with addresses.
fn unix_sockets() {
    let path = |name: &str| std::env::temp_dir().join(format!("c{}{name}", std::process::id()));
    let (server, client) = (path("s"), path("c"));
    let mut listener = UnixListener::bind(&server).unwrap();
    let mut stream = counted("connect", "socket connect", || UnixStream::connect(&server).unwrap());
    let (mut peer, _) = counted("accept", "accept4", || listener.accept().unwrap());
    counted("an accept that would block", "accept4", || {
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
    counted("a write", "sendto", || assert_eq!(stream.write(b"1234").unwrap(), 4));
    counted("a vectored write", "sendmsg", || {
        assert_eq!(stream.write_vectored(&[IoSlice::new(b"12"), IoSlice::new(b"34")]).unwrap(), 4);
    });
    let mut buf = [0; 16];
    counted("a read", "recvfrom", || assert_eq!(peer.read(&mut buf).unwrap(), 8));
    counted("a pair is created and dropped", "socketpair close*2", || drop(UnixStream::pair().unwrap()));

    let socket = counted("a datagram socket", "socket", || UnixDatagram::unbound().unwrap());
    let receiver = UnixDatagram::bind(&client).unwrap();
    counted("a datagram sent to a path", "sendto", || assert_eq!(socket.send_to(b"1234", &client).unwrap(), 4));
    counted("a datagram received", "recvfrom", || assert_eq!(receiver.recv_from(&mut buf).unwrap().0, 4));
    fs::remove_file(&client).unwrap();

    // The standard library cannot bind a stream to an address before it connects.
    let script = "use Socket; socket(my $it, AF_UNIX, SOCK_STREAM, 0); bind($it, sockaddr_un($ARGV[0])) \
                    && connect($it, sockaddr_un($ARGV[1])) || die $!; <STDIN>";
    let mut perl =
        Command::new("perl").args(["-e", script]).args([&client, &server]).stdin(Stdio::piped()).spawn().unwrap();
    let (mut poll, mut events) = new();
    poll.registry().register(&mut listener, SOURCE, Interest::READABLE).unwrap();
    poll_once(&mut poll, &mut events, None, &[SOURCE]);
    let (_, addr) = counted("accept from a path", "accept4", || listener.accept().unwrap());
    assert_eq!(addr.as_pathname(), Some(&*client));
    drop(perl.stdin.take());
    assert!(perl.wait().unwrap().success());
    fs::remove_file(client).unwrap();
    fs::remove_file(server).unwrap();
}

/// Polls with timeouts that `epoll_wait` must round up to milliseconds. No wait is shorter than its timeout.
fn poll_with_short_timeouts(poll: &mut Poll, events: &mut Events) {
    for micros in [1, 999, 1000, 1001, 2500, 3000] {
        let (start, timeout) = (Instant::now(), Duration::from_micros(micros));
        poll_once(poll, events, Some(timeout), &[]);
        assert!(start.elapsed() >= timeout);
    }
}

/// If the kernel does not have `epoll_pwait2`, the crate tries the call only once. strace injects the kernel's error
/// into that call.
fn old_kernel() {
    let (mut poll, mut events) = new();
    counted("the first wait tries epoll_pwait2", "epoll_pwait2 epoll_wait(2)", || {
        poll_once(&mut poll, &mut events, Some(Duration::from_micros(1500)), &[]);
    });
    let in_milliseconds = "epoll_wait(1)*3 epoll_wait(2) epoll_wait(3)*2";
    counted("later waits do not", in_milliseconds, || poll_with_short_timeouts(&mut poll, &mut events));
    let (mut poll, mut events) = new();
    counted("nor do other polls", in_milliseconds, || poll_with_short_timeouts(&mut poll, &mut events));

    let mut timer = Timer::new();
    poll.registry().register(&mut timer, TIMER, Interest::READABLE).unwrap();
    timer.set(LONG).unwrap();
    counted("a timer is set, but the timeout comes first", "epoll_wait(2)", || {
        poll_once(&mut poll, &mut events, Some(Duration::from_micros(1999)), &[]);
    });
    counted("a timeout of zero", "epoll_wait(0)", || poll_once(&mut poll, &mut events, Some(Duration::ZERO), &[]));
    let waker = Waker::new(poll.registry(), WAKER).unwrap();
    waker.wake().unwrap();
    counted("a wake", "epoll_wait(0)", || poll_once(&mut poll, &mut events, Some(LONG), &[WAKER]));
}

/// A signal does not mean that the kernel lacks `epoll_pwait2`. In place of a signal, strace injects the error `EINTR`
/// into the first wait.
fn interrupted() {
    let (mut poll, mut events) = new();
    counted("a wait that a signal interrupts", "epoll_pwait2", || {
        assert_eq!(
            poll.poll(&mut events, Some(LONG + Duration::from_nanos(1))).unwrap_err().kind(),
            ErrorKind::Interrupted
        );
        assert!(events.is_empty());
    });
    counted("the waits after it", "epoll_pwait2*2 epoll_wait(1) epoll_pwait2*2 epoll_wait(3)", || {
        poll_with_short_timeouts(&mut poll, &mut events)
    });
}

/// Four threads wake a million times in total while the polling thread polls: in the first round as fast as it can, in
/// the second with 20 µs of work after each event. Not traced: strace would slow the threads down. The crate never
/// reads the eventfd, so its counter is the number of notifications.
fn storm() {
    const WAKES: usize = 1_000_000;
    const THREADS: usize = 4;
    for work in [Duration::ZERO, Duration::from_micros(20)] {
        let (mut poll, mut events) = new();
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
        let (other, polling) = while_blocked({
            let waker = Arc::clone(&waker);
            move || waker.wake().unwrap()
        });
        polling.store(true, Ordering::Release);
        poll_once(&mut poll, &mut events, None, &[WAKER]);
        other.join().unwrap();
        assert_eq!(notifications(), 1, "the wake of a blocked polling thread notifies the kernel, and is counted");

        let running = Arc::new(AtomicUsize::new(THREADS));
        let start = Arc::new(Barrier::new(THREADS + 1));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (waker, running, start) = (Arc::clone(&waker), Arc::clone(&running), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    for _ in 0..WAKES / THREADS {
                        waker.wake().unwrap();
                    }
                    running.fetch_sub(1, Ordering::AcqRel);
                    // The polling thread may be blocked by now.
                    waker.wake().unwrap();
                })
            })
            .collect();
        start.wait();
        let mut batches = 0;
        while running.load(Ordering::Acquire) > 0 {
            poll_once(&mut poll, &mut events, None, &[WAKER]);
            batches += 1;
            let end = Instant::now() + work;
            while Instant::now() < end {
                hint::spin_loop();
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let notifications = notifications() - 1;
        println!("{WAKES} wakes, {work:?} of work for each event: {batches} events, {notifications} notifications");
        assert!(notifications <= WAKES / 100, "more than one notification for a hundred wakes");
    }
}

/// Returns the counter of the only eventfd of this process.
fn notifications() -> usize {
    let eventfds: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| fs::read_link(entry.path()).map_or(false, |link| link.to_string_lossy().contains("[eventfd]")))
        .collect();
    assert_eq!(eventfds.len(), 1);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", eventfds[0].file_name().to_string_lossy())).unwrap();
    let count = info.lines().find_map(|line| line.strip_prefix("eventfd-count:")).unwrap();
    usize::from_str_radix(count.trim(), 16).unwrap()
}
