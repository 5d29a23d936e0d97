//! Threads and signals.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::os::raw::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

mod support;
use support::*;

/// Returns a handle of the same kqueue for another thread, which must end before the test does. Dropping the handle
/// does not close the kqueue.
fn share(kq: &Kqueue) -> ManuallyDrop<Kqueue> {
    ManuallyDrop::new(Kqueue(kq.0))
}

#[test]
fn a_change_by_another_thread_takes_effect_in_a_wait() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    write_to(&writer, b"x");
    let other = share(&kq);
    let expected = event(ident(&reader), READ, 1);
    let waiter = thread::spawn(move || other.soon());
    thread::sleep(A_WHILE);
    kq.change(ident(&reader), READ, EDGE).unwrap();
    assert_eq!(waiter.join().unwrap(), [expected]);
}

#[test]
fn a_trigger_or_a_write_by_another_thread_ends_a_wait() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(77, USER, EDGE).unwrap();
    kq.change(ident(&reader), READ, EDGE).unwrap();
    let other = share(&kq);
    let triggers = thread::spawn(move || {
        thread::sleep(A_WHILE);
        other.trigger(77).unwrap();
    });
    assert_eq!(kq.soon(), [event(77, USER, 0)]);
    triggers.join().unwrap();
    let writes = thread::spawn(move || {
        thread::sleep(A_WHILE);
        write_to(&writer, b"x");
        writer
    });
    assert_eq!(kq.soon(), [event(ident(&reader), READ, 1)]);
    writes.join().unwrap();
}

#[test]
fn no_trigger_is_lost_between_threads() {
    const ROUNDS: usize = 20_000;
    let kq = Kqueue::new();
    kq.change(1, USER, EDGE).unwrap();
    kq.change(2, USER, EDGE).unwrap();
    let other = share(&kq);
    let answers = Kqueue::new();
    answers.change(1, USER, EDGE).unwrap();
    let to = share(&answers);
    let echo = thread::spawn(move || {
        for _ in 0..ROUNDS {
            assert_eq!(other.soon(), [event(1, USER, 0)]);
            to.trigger(1).unwrap();
        }
    });
    for _ in 0..ROUNDS {
        kq.trigger(1).unwrap();
        assert_eq!(answers.soon(), [event(1, USER, 0)]);
    }
    echo.join().unwrap();
}

#[test]
fn several_waiting_threads_share_the_edges_and_lose_none() {
    const BYTES: usize = 5_000;
    let kq = Kqueue::new();
    let pipes: Vec<_> = (0..8).map(|_| pipe()).collect();
    for (reader, _) in &pipes {
        // SAFETY: this command takes an integer.
        unsafe { fcntl(ident(reader) as c_int, 4, O_NONBLOCK) };
        kq.change(ident(reader), READ, EV_ADD | EV_DISPATCH).unwrap();
    }
    let read = Arc::new(AtomicUsize::new(0));
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let (kq, read) = (share(&kq), read.clone());
            thread::spawn(move || {
                while read.load(Ordering::SeqCst) < 8 * BYTES {
                    // One thread reads the last byte. The timeout ends the waits of the others, which then see that
                    // all bytes are read.
                    for event in kq.wait_for(2, Duration::from_millis(50)).unwrap() {
                        let count = std::cmp::max(read_from(&Number(event.ident as c_int), 7), 0);
                        read.fetch_add(count as usize, Ordering::SeqCst);
                        kq.change(event.ident, READ, EV_ADD | EV_ENABLE | EV_DISPATCH).unwrap();
                    }
                }
            })
        })
        .collect();
    let start = Instant::now();
    for _ in 0..BYTES {
        pipes.iter().for_each(|(_, writer)| write_to(writer, b"x"));
    }
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    assert_eq!(read.load(Ordering::SeqCst), 8 * BYTES);
    assert!(start.elapsed() < SOON);
}

struct Number(c_int);

impl std::os::unix::io::AsRawFd for Number {
    fn as_raw_fd(&self) -> c_int {
        self.0
    }
}

#[test]
fn registering_and_closing_other_descriptors_during_a_wait_loses_no_event() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EDGE).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let registering: Vec<_> = (0..2)
        .map(|_| {
            let (kq, stop) = (share(&kq), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let (reader, writer) = pipe();
                    kq.change(ident(&writer), WRITE, EDGE).unwrap();
                    kq.change(ident(&reader), READ, EDGE).unwrap();
                    write_to(&writer, b"x");
                }
            })
        })
        .collect();
    for round in 0..500 {
        write_to(&writer, b"x");
        let deadline = Instant::now() + SOON;
        while !kq.wait(SOON).unwrap().contains(&event(ident(&reader), READ, 1)) {
            assert!(Instant::now() < deadline, "round {round}");
        }
        read_from(&reader, 9);
    }
    stop.store(true, Ordering::Relaxed);
    registering.into_iter().for_each(|thread| thread.join().unwrap());
    kq.now();
    assert!(!is_readable(kq.0));
}

#[test]
fn a_wait_blocks_and_does_not_spin() {
    let (kq, (reader, writer)) = (Kqueue::new(), pipe());
    kq.change(ident(&reader), READ, EV_ADD).unwrap();
    let socket = unconnected();
    kq.change(ident(&socket), WRITE, EV_ADD).unwrap();
    // The knote is reported, and then its pipe is drained, so the knote is still in the queue when the wait begins.
    write_to(&writer, b"x");
    assert_eq!(kq.soon().len(), 1);
    read_from(&reader, 1);
    let before = processor_time();
    assert_eq!(kq.wait(Duration::from_millis(300)), Ok(vec![]));
    let spent = processor_time() - before;
    assert!(spent < Duration::from_millis(30), "{spent:?}");
}

/// Returns the processor time of this thread.
fn processor_time() -> Duration {
    extern "C" {
        fn clock_gettime(clock: c_int, time: *mut timespec) -> c_int;
    }
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    const CLOCK_THREAD_CPUTIME_ID: c_int = 3;
    // SAFETY: `time` outlives the call.
    assert_eq!(unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

// Signals. A process has one handler for each signal, which all tests share. The handler triggers the kqueue in its
// thread's `TRIGGERS`.

thread_local! {
    static TRIGGERS: Cell<c_int> = const { Cell::new(-1) };
}
static HANDLED: AtomicI32 = AtomicI32::new(0);
static SIGNALS: Mutex<()> = Mutex::new(());
const SIGUSR1: c_int = 10;

extern "C" fn handler(_: c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
    let kq = TRIGGERS.with(Cell::get);
    if kq >= 0 {
        let change = kevent { fflags: NOTE_TRIGGER, ..record(77, USER, 0) };
        // SAFETY: `change` is one change, and the event list is empty.
        unsafe { kqueue_model::kevent(kq, &change, 1, std::ptr::null_mut(), 0, std::ptr::null()) };
    }
}

extern "C" {
    fn signal(number: c_int, handler: extern "C" fn(c_int)) -> usize;
    fn pthread_self() -> usize;
    fn pthread_kill(thread: usize, signal: c_int) -> c_int;
}

fn this_thread() -> usize {
    // SAFETY: the call takes no argument.
    unsafe { pthread_self() }
}

/// Sends a signal to a thread that has not ended.
fn send_to(thread: usize) {
    // SAFETY: the caller keeps the thread alive until this returns.
    assert_eq!(unsafe { pthread_kill(thread, SIGUSR1) }, 0);
}

#[test]
fn a_signal_interrupts_a_wait_after_the_changes_were_applied() {
    let _alone = SIGNALS.lock();
    // SAFETY: the handler only calls the model, which is safe in a signal handler, and accesses atomics and a `Cell`.
    unsafe { signal(SIGUSR1, handler) };
    let kq = Kqueue::new();
    let waiter = this_thread();
    let sender = thread::spawn(move || {
        thread::sleep(A_WHILE);
        send_to(waiter);
    });
    let before = HANDLED.load(Ordering::SeqCst);
    assert_eq!(kq.call(&[record(77, USER, EDGE)], &mut [record(0, 0, 0)], None), Err(EINTR));
    assert_eq!(HANDLED.load(Ordering::SeqCst), before + 1);
    sender.join().unwrap();
    kq.trigger(77).unwrap();
}

#[test]
fn a_signal_handler_can_trigger_at_any_moment() {
    const ENOUGH: c_int = 10_000;
    let _alone = SIGNALS.lock();
    // SAFETY: the handler only calls the model, which is safe in a signal handler, and accesses atomics and a `Cell`.
    unsafe { signal(SIGUSR1, handler) };
    let kq = Kqueue::new();
    kq.change(77, USER, EDGE).unwrap();
    TRIGGERS.with(|number| number.set(kq.0));
    let target = this_thread();
    let enough = HANDLED.load(Ordering::SeqCst) + ENOUGH;
    let done = Arc::new(AtomicBool::new(false));
    let sender = thread::spawn({
        let done = Arc::clone(&done);
        move || {
            // Pauses of all lengths up to two waits, so that sometimes the event comes first and sometimes the signal.
            for number in (0..200).cycle().step_by(7) {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                send_to(target);
                let pause = Instant::now() + Duration::from_micros(number);
                while Instant::now() < pause {
                    thread::yield_now();
                }
            }
        }
    });
    // Signals interrupt this thread in the model, in the allocator, and while it is blocked.
    let (reader, _writer) = pipe();
    let (mut events, mut interruptions) = (0, 0);
    let end = Instant::now() + Duration::from_secs(60);
    while HANDLED.load(Ordering::SeqCst) < enough || events == 0 || interruptions == 0 {
        assert!(Instant::now() < end, "{events} events, {interruptions} interruptions");
        for _ in 0..20 {
            kq.change(ident(&reader), READ, EDGE).unwrap();
            kq.change(ident(&reader), READ, EV_DELETE).unwrap();
        }
        match kq.wait(Duration::from_micros(100)) {
            Ok(some) => events += some.len(),
            Err(errno) => {
                assert_eq!(errno, EINTR);
                interruptions += 1;
            }
        }
    }
    done.store(true, Ordering::SeqCst);
    sender.join().unwrap();
    TRIGGERS.with(|number| number.set(-1));
}
