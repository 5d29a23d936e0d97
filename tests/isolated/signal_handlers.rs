//! What `Signals` does to the signal handlers of a process.

#![cfg(unix)]

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use minimio::signal::{Signal, Signals};
use minimio::{Event, Events, Interest};

use crate::support::fork;
use crate::support::isolation::isolated;
use crate::support::raise::raise;
use crate::support::random::Random;
use crate::support::signal::{counted, Action};
use crate::support::*;

#[test]
fn a_signal_that_cannot_be_received_is_invalid_input_and_replaces_no_action() {
    isolated(|| {
        let (stop, bus, sys) = (signal::STOP, signal::BUS, signal::SYS);
        for number in [9, stop, 11, bus, sys, 4, 8, 0, -1, 127 + 2, i32::MIN, i32::MAX] {
            let before = Action::of(Signal::INTERRUPT);
            let result = Signals::new(&[Signal::INTERRUPT, Signal::from_raw(number), Signal::QUIT]);
            assert_eq!(kind(result), ErrorKind::InvalidInput, "{number}");
            assert_eq!(Action::of(Signal::INTERRUPT), before);
        }
    });
}

#[test]
fn the_handler_that_was_installed_before_is_called_too_and_restored() {
    isolated(|| {
        for with_information in [false, true] {
            let before = counted::install(Signal::USER1, with_information);
            let signals = Signals::new(&[Signal::USER1]).unwrap();
            for count in 1..=3 {
                raise(Signal::USER1);
                assert_eq!((signals.receive(), counted::take()), (Some(Signal::USER1), 1), "{count}");
            }
            drop(signals);
            assert_eq!(Action::of(Signal::USER1), before);
            raise(Signal::USER1);
            assert_eq!(counted::take(), 1);
        }
    });
}

#[test]
fn a_previous_handler_that_handles_only_one_signal_handles_each_and_is_restored_with_its_flag() {
    isolated(|| {
        for with_information in [false, true] {
            counted::install(Signal::USER1, with_information);
            let is_reset = Action::reset_after_one_signal(Signal::USER1);
            let before = Action::of(Signal::USER1);
            let signals = Signals::new(&[Signal::USER1]).unwrap();
            for count in 1..=3 {
                raise(Signal::USER1);
                assert_eq!((signals.receive(), counted::take()), (Some(Signal::USER1), 1), "{count}");
            }
            drop(signals);
            assert_eq!(Action::of(Signal::USER1), before);
            raise(Signal::USER1);
            assert_eq!(counted::take(), 1);
            assert_eq!(signal::is_default(Signal::USER1), is_reset);
        }
    });
}

#[test]
fn a_previous_handler_can_be_interrupted_by_its_own_signal_if_it_could_be_before() {
    isolated(|| {
        assert!(fork::child_succeeds(|| check_nested(false)));
        assert!(fork::child_succeeds(|| check_nested(true)));
    });
}

/// The previous handler raises its own signal, and must be interrupted by it, or be called again afterwards.
fn check_nested(could_be_interrupted: bool) -> bool {
    let is_interrupted = signal::nested::install(Signal::USER1, could_be_interrupted);
    let before = Action::of(Signal::USER1);
    let signals = Signals::new(&[Signal::USER1]).unwrap();
    raise(Signal::USER1);
    assert_eq!(signal::nested::calls_and_depth(), (2, if is_interrupted { 2 } else { 1 }));
    assert_eq!((signals.receive(), signals.receive()), (Some(Signal::USER1), None));
    drop(signals);
    Action::of(Signal::USER1) == before
}

#[test]
fn the_default_action_and_an_ignored_signal_are_restored() {
    isolated(|| {
        for install in [Action::install_default, Action::install_ignore] {
            let action = install(Signal::USER2);
            let (one, other) = (Signals::new(&[Signal::USER2]).unwrap(), Signals::new(&[Signal::USER2]).unwrap());
            raise(Signal::USER2);
            drop(one);
            raise(Signal::USER2);
            assert_eq!((other.receive(), other.receive()), (Some(Signal::USER2), None));
            drop(other);
            assert_eq!(Action::of(Signal::USER2), action);
        }
    });
}

#[test]
fn a_handler_runs_on_the_alternate_stack_unless_the_previous_handler_does_not() {
    isolated(|| {
        let is_on_alternate_stack = || {
            let _signals = Signals::new(&[Signal::USER1]).unwrap();
            Action::of(Signal::USER1).is_on_alternate_stack()
        };
        assert_ne!(is_on_alternate_stack(), Some(false));
        counted::install(Signal::USER1, false);
        assert_ne!(is_on_alternate_stack(), Some(true));
    });
}

#[test]
fn a_handler_that_other_code_installs_later_stays_installed() {
    isolated(|| {
        let signals = Signals::new(&[Signal::USER1]).unwrap();
        let theirs = counted::install(Signal::USER1, true);
        drop(signals);
        assert_eq!(Action::of(Signal::USER1), theirs);
        raise(Signal::USER1);
        assert_eq!(counted::take(), 1);
    });
}

#[test]
fn the_drop_of_the_last_signals_does_not_replace_a_handler_of_other_code_even_for_an_instant() {
    isolated(|| {
        // While another thread raises the signal all the time, the default action would end the process.
        let [may_raise, raises, stop] = [(); 3].map(|()| AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    raises.store(true, Ordering::SeqCst);
                    if may_raise.load(Ordering::SeqCst) {
                        raise(Signal::USER1);
                    }
                    raises.store(false, Ordering::SeqCst);
                }
            });
            let _stop = SetOnDrop(&stop);
            let end = Instant::now() + Duration::from_millis(500);
            while Instant::now() < end {
                Action::install_default(Signal::USER1);
                let signals = Signals::new(&[Signal::USER1]).unwrap();
                counted::install_at_once(Signal::USER1);
                may_raise.store(true, Ordering::SeqCst);
                while counted::take() == 0 {
                    thread::yield_now();
                }
                drop(signals);
                may_raise.store(false, Ordering::SeqCst);
                while raises.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            }
        });
    });
}

#[test]
fn a_handler_that_another_thread_installs_at_the_same_time_is_called() {
    isolated(|| {
        let mut random = Random::new(3, 0);
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            for drops in [false, true] {
                // `new` makes more system calls before it replaces the action than `drop`.
                let delay = random.below(if drops { 100 } else { 3000 });
                Action::install_ignore(Signal::USER1);
                let signals = drops.then(|| Signals::new(&[Signal::USER1]).unwrap());
                let started = AtomicBool::new(false);
                let signals = thread::scope(|scope| {
                    scope.spawn(|| {
                        started.store(true, Ordering::SeqCst);
                        (0..delay).for_each(|_| std::hint::spin_loop());
                        counted::install_at_once(Signal::USER1);
                    });
                    while !started.load(Ordering::SeqCst) {
                        std::hint::spin_loop();
                    }
                    match signals {
                        Some(signals) => drop(signals),
                        None => return Signals::new(&[Signal::USER1]).ok(),
                    }
                    None
                });
                raise(Signal::USER1);
                assert_eq!(counted::take(), 1, "drops: {drops}");
                drop(signals);
            }
        }
    });
}

#[test]
fn two_handlers_do_not_call_each_other_without_end() {
    isolated(|| {
        // The other handler calls ours, also after the last `Signals` is dropped, and after a new one is created.
        let signals = Signals::new(&[Signal::USER1]).unwrap();
        counted::install_and_call_previous(Signal::USER1);
        for _ in 0..2 {
            drop(Signals::new(&[Signal::USER1]).unwrap());
            raise(Signal::USER1);
            assert_eq!((signals.receive(), counted::take()), (Some(Signal::USER1), 1));
        }
        drop(signals);
        raise(Signal::USER1);
        assert_eq!(counted::take(), 1);
        let signals = Signals::new(&[Signal::USER1]).unwrap();
        raise(Signal::USER1);
        assert_eq!((signals.receive(), signals.receive(), counted::take()), (Some(Signal::USER1), None, 1));
    });
}

#[test]
fn an_action_that_other_code_has_reset_is_replaced_again() {
    isolated(|| {
        let signals = Signals::new(&[Signal::USER1]).unwrap();
        Action::install_ignore(Signal::USER1);
        let other = Signals::new(&[Signal::USER1]).unwrap();
        raise(Signal::USER1);
        assert_eq!((signals.receive(), other.receive()), (Some(Signal::USER1), Some(Signal::USER1)));
    });
}

#[test]
fn the_constants_are_received_under_their_own_names() {
    isolated(|| {
        let all = [
            (Signal::INTERRUPT, "INTERRUPT"),
            (Signal::TERMINATE, "TERMINATE"),
            (Signal::HANGUP, "HANGUP"),
            (Signal::QUIT, "QUIT"),
            (Signal::USER1, "USER1"),
            (Signal::USER2, "USER2"),
            (Signal::CHILD, "CHILD"),
            (Signal::WINDOW_CHANGE, "WINDOW_CHANGE"),
            (Signal::PIPE, "PIPE"),
            (Signal::ALARM, "ALARM"),
            (Signal::CONTINUE, "CONTINUE"),
        ];
        for (signal, name) in all {
            assert_eq!(format!("{signal:?}"), name);
            let signals = Signals::new(&[signal]).unwrap();
            raise(signal);
            assert_eq!((signals.receive(), signals.receive()), (Some(signal), None));
        }
        assert_eq!(format!("{:?}", Signal::from_raw(42)), "Signal(42)");
    });
}

#[test]
fn a_handler_keeps_errno() {
    isolated(|| {
        let signals = Signals::new(&[Signal::USER1]).unwrap();
        for _ in 0..10 {
            assert!(File::open("/there is no such file").is_err());
            let before = io::Error::last_os_error().raw_os_error();
            raise(Signal::USER1);
            assert_eq!(io::Error::last_os_error().raw_os_error(), before);
            assert!(signals.receive().is_some());
        }
    });
}

#[test]
fn interrupted_system_calls_continue() {
    isolated(|| {
        let _signals = Signals::new(&[Signal::USER1]).unwrap();
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let reader = signal::Target::current_thread();
        let sender = thread::spawn(move || {
            for _ in 0..20 {
                thread::sleep(Duration::from_millis(1));
                reader.send_signal(Signal::USER1);
            }
            there.write_all(b"x").unwrap();
        });
        assert_eq!(here.read(&mut [0]).unwrap(), 1);
        sender.join().unwrap();
    });
}

#[test]
fn a_signal_is_reported_to_a_thread_that_blocks_it_and_does_not_interrupt_its_poll() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut signals = Signals::new(&[Signal::USER1]).unwrap();
        poll.registry().register(&mut signals, SOURCE, READ).unwrap();
        signal::block(Signal::USER1);
        let (here, mut there) = UnixStream::pair().unwrap();
        let (sender, target) = mpsc::channel();
        let receiver = thread::spawn(move || {
            signal::unblock(Signal::USER1);
            sender.send(signal::ProcessTarget::current()).unwrap();
            // Until the test ends.
            there.read(&mut [0]).unwrap()
        });
        let target = target.recv().unwrap();
        for _ in 0..20 {
            target.send(Signal::USER1);
            poll.poll(&mut events, Some(WAIT_LIMIT)).unwrap();
            assert_eq!(events.iter().map(Event::token).collect::<Vec<_>>(), [SOURCE]);
            assert_eq!((signals.receive(), signals.receive()), (Some(Signal::USER1), None));
        }
        drop(here);
        receiver.join().unwrap();
    });
}

#[test]
fn a_signal_that_all_threads_block_is_received_when_one_unblocks_it() {
    // A child of `fork` has one thread.
    isolated(|| assert!(fork::child_succeeds(receive_after_unblocking)));
}

fn receive_after_unblocking() -> bool {
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        for sent_before in [false, true] {
            let (mut poll, mut events) = poll();
            signal::block(Signal::USER1);
            if sent_before {
                raise(Signal::USER1);
            }
            let mut signals = Signals::new(&[Signal::USER1]).unwrap();
            poll.registry().register(&mut signals, SOURCE, mode(READ)).unwrap();
            if !sent_before {
                raise(Signal::USER1);
            }
            expect_no_event(&mut poll, &mut events);
            assert_eq!(signals.receive(), None);
            signal::unblock(Signal::USER1);
            assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
            assert_eq!((signals.receive(), signals.receive()), (Some(Signal::USER1), None));
        }
    }
    true
}

/// How many signals the next test sends.
const SIGNALS: usize = 100_000;
const BURST: usize = 1000;

#[test]
fn of_many_bursts_from_another_process_none_is_lost() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        // The last signal of each burst has a number of its own, so it must be received once.
        let (burst, last) = (Signal::USER1, Signal::USER2);
        let mut signals = Signals::new(&[burst, last]).unwrap();
        poll.registry().register(&mut signals, SOURCE, READ).unwrap();
        let (mut request, child_requests) = UnixStream::pair().unwrap();
        let target = signal::ProcessTarget::current();
        let child = fork::start_child(|| send_bursts(child_requests, target, burst, last));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // Another thread creates and drops `Signals` of the same numbers all the time.
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let (poll, _) = crate::support::poll();
                    let mut others = Signals::new(&[last, burst]).unwrap();
                    poll.registry().register(&mut others, SOURCE, READ).unwrap();
                }
            });
            let _stop = SetOnDrop(&stop);
            for round in 0..SIGNALS / BURST {
                if round % 10 == 9 {
                    // All signals of the last burst were received, so no signal is lost with the dropped `Signals`.
                    signals = Signals::new(&[burst, last]).unwrap();
                    poll.registry().register(&mut signals, SOURCE, READ).unwrap();
                }
                request.write_all(b"!").unwrap();
                let asleep = round % 2 == 0;
                receive_burst(&mut poll, &mut events, &signals, burst, last, asleep);
            }
        });
        request.write_all(b".").unwrap();
        assert!(child.has_succeeded());
    });
}

/// Receives signals until the last one of the burst and at least one of the others were received. A thread may run the
/// handler of the last one while another thread is about to run the handler of one before.
fn receive_burst(
    poll: &mut minimio::Poll,
    events: &mut Events,
    signals: &Signals,
    burst: Signal,
    last: Signal,
    asleep: bool,
) {
    let end = Instant::now() + WAIT_LIMIT;
    let (mut has_received, mut has_ended) = (false, false);
    while !(has_received && has_ended) {
        if asleep {
            wait_for(poll, events, SOURCE, Event::is_readable);
        } else {
            match poll.poll(events, Some(Duration::ZERO)) {
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                result => result.unwrap(),
            }
            assert!(Instant::now() < end, "a signal of a burst was lost: {has_received} {has_ended}");
            if events.is_empty() {
                continue;
            }
        }
        while let Some(signal) = signals.receive() {
            has_received |= signal == burst;
            has_ended |= signal == last;
        }
    }
}

/// Sets a flag when it is dropped, also by a panic.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends a burst to the parent for each `!` that it requests.
fn send_bursts(mut requests: UnixStream, parent: signal::ProcessTarget, burst: Signal, last: Signal) -> bool {
    let mut request = [0];
    while requests.read_exact(&mut request).is_ok() && request == *b"!" {
        (1..BURST).for_each(|_| parent.send(burst));
        parent.send(last);
    }
    true
}

#[test]
fn a_number_that_is_listed_twice_is_received_once() {
    isolated(|| {
        let signals = Signals::new(&[Signal::USER1, Signal::USER2, Signal::USER1]).unwrap();
        assert_eq!(format!("{signals:?}"), "Signals([USER1, USER2])");
        // While one thread runs the handler, the other one receives.
        let received = AtomicUsize::new(0);
        thread::scope(|scope| {
            let sender = scope.spawn(|| {
                for count in 1..=SIGNALS / 10 {
                    raise(Signal::USER1);
                    while received.load(Ordering::SeqCst) < count {
                        thread::yield_now();
                    }
                }
            });
            while !sender.is_finished() {
                received.fetch_add(signals.receive().iter().count(), Ordering::SeqCst);
            }
        });
        assert_eq!((received.into_inner(), signals.receive()), (SIGNALS / 10, None));
    });
}

#[test]
fn threads_can_create_and_drop_signals_of_one_number_while_it_is_received() {
    isolated(|| {
        let end = Instant::now() + Duration::from_millis(500);
        let before = [Signal::USER1, Signal::USER2].map(Action::of);
        thread::scope(|scope| {
            for i in 0..4 {
                scope.spawn(move || {
                    let others = [Signal::USER2, Signal::WINDOW_CHANGE];
                    let keep = Signals::new(&[Signal::USER1]).unwrap();
                    while Instant::now() < end {
                        let signals = Signals::new(&[Signal::USER1, others[i % 2]]).unwrap();
                        raise(Signal::USER1);
                        assert_eq!(signals.receive(), Some(Signal::USER1));
                        assert_eq!(keep.receive(), Some(Signal::USER1));
                    }
                });
            }
        });
        assert_eq!([Signal::USER1, Signal::USER2].map(Action::of), before);
    });
}

#[test]
fn a_signal_of_a_child_of_fork_is_not_reported_to_the_parent() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut signals = Signals::new(&[Signal::USER1]).unwrap();
        poll.registry().register(&mut signals, SOURCE, READ).unwrap();
        assert!(fork::child_succeeds(|| {
            raise(Signal::USER1);
            true
        }));
        expect_no_event(&mut poll, &mut events);
        assert_eq!(signals.receive(), None);
        raise(Signal::USER1);
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        assert_eq!(signals.receive(), Some(Signal::USER1));
    });
}

#[test]
fn a_child_of_fork_that_calls_receive_takes_no_signal_from_its_parent() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut signals = Signals::new(&[Signal::USER1]).unwrap();
        poll.registry().register(&mut signals, SOURCE, READ).unwrap();
        for _ in 0..2 {
            raise(Signal::USER1);
            assert!(fork::start_child(|| signals.receive().is_none()).has_succeeded());
            assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
            assert_eq!((signals.receive(), signals.receive()), (Some(Signal::USER1), None));
        }
    });
}

#[test]
fn a_child_of_fork_can_create_signals_while_threads_of_its_parent_create_and_drop_signals() {
    isolated(|| {
        let stop = AtomicBool::new(false);
        let _kept = Signals::new(&[Signal::USER2]).unwrap();
        let failed = thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let signals = Signals::new(&[Signal::USER1, Signal::USER2]).unwrap();
                        raise(Signal::USER1);
                        drop(signals);
                    }
                });
            }
            let failed = (0..50).find(|_| !fork::child_succeeds(use_signals));
            stop.store(true, Ordering::Relaxed);
            failed
        });
        assert_eq!(failed, None, "this child has failed or does not end");
    });
}

fn use_signals() -> bool {
    let (mut poll, mut events) = poll();
    let mut signals = Signals::new(&[Signal::USER1, Signal::USER2]).unwrap();
    poll.registry().register(&mut signals, SOURCE, READ).unwrap();
    raise(Signal::USER1);
    raise(Signal::USER2);
    wait_until_readable(&mut poll, &mut events);
    let received: Vec<Signal> = std::iter::from_fn(|| signals.receive()).collect();
    drop(signals);
    received == [Signal::USER1, Signal::USER2] && signal::is_default(Signal::USER1)
}
