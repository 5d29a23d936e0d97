//! `ChildExit`: the exits of child processes, which run a function of this program. Each test has a process of its own,
//! because the tests count descriptors.

use std::env;
use std::io::ErrorKind;
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use minimio::process::ChildExit;
use minimio::{Event, Interest, Poll, Token};

use crate::support::isolation::{isolated, isolated_with_many_descriptors};
use crate::support::random::Random;
use crate::support::*;

/// The environment variable with the exit code of a child.
const EXIT_CODE: &str = "MINIMIO_TEST_EXIT_CODE";

/// What a child runs: reads its standard input to the end, and exits.
#[test]
fn this_runs_as_a_child() {
    if let Some(code) = env::var_os(EXIT_CODE) {
        let mut delay = String::new();
        std::io::Read::read_to_string(&mut std::io::stdin(), &mut delay).unwrap();
        thread::sleep(Duration::from_millis(delay.trim().parse().unwrap_or(0)));
        process::exit(code.to_str().unwrap().parse().unwrap());
    }
}

/// A child that runs until `end` closes its standard input.
struct TestChild(Child);

impl TestChild {
    fn start(code: i32) -> TestChild {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "child_exits::this_runs_as_a_child", "--nocapture"]);
        command.env(EXIT_CODE, code.to_string());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        TestChild(child)
    }

    fn end(&mut self) {
        drop(self.0.stdin.take());
    }

    /// Ends the child after a delay.
    fn end_after(&mut self, delay: Duration) {
        let mut stdin = self.0.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, delay.as_millis().to_string().as_bytes()).unwrap();
    }

    fn wait(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for TestChild {
    fn drop(&mut self) {
        // Both calls fail only if the child has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn registered(poll: &Poll, child: &TestChild, token: Token, interest: Interest) -> ChildExit {
    let mut exit = ChildExit::new(&child.0).unwrap();
    poll.registry().register(&mut exit, token, interest).unwrap();
    exit
}

/// Waits until a child has exited, and leaves its status.
fn wait_for_exit(child: &TestChild) {
    let (mut poll, mut events) = poll();
    let _exit = registered(&poll, child, SOURCE, READ);
    wait_until_readable(&mut poll, &mut events);
}

/// All checks that run with every mechanism of a system.
#[allow(dead_code)] // Only Linux has two mechanisms.
pub fn check_all() {
    check_exit_is_reported();
    check_modes();
    check_exit_before();
    check_dropping();
    check_many(20);
}

#[test]
fn an_exit_is_reported_and_the_status_stays_with_the_child() {
    isolated(|| {
        check_exit_is_reported();
    });
}

fn check_exit_is_reported() {
    let (mut poll, mut events) = poll();
    for code in [0, 7] {
        let mut child = TestChild::start(code);
        let mut exit = registered(&poll, &child, SOURCE, READ);
        expect_no_event(&mut poll, &mut events);
        child.end();
        let event = wait_for(&mut poll, &mut events, SOURCE, Event::is_readable);
        assert!(!event.is_writable(), "{event:?}");
        assert_eq!(child.wait(), Some(code));
        poll.registry().deregister(&mut exit).unwrap();
        expect_no_event(&mut poll, &mut events);
    }
    let mut child = TestChild::start(0);
    let _exit = registered(&poll, &child, SOURCE, READ);
    child.0.kill().unwrap();
    wait_until_readable(&mut poll, &mut events);
    assert_ne!(child.wait(), Some(0));
}

#[test]
fn the_mode_selects_how_often_an_exit_is_reported() {
    isolated(|| {
        check_modes();
    });
}

fn check_modes() {
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let (mut poll, mut events) = poll();
        let mut child = TestChild::start(0);
        let mut exit = registered(&poll, &child, SOURCE, mode(READ));
        child.end();
        for waited in [false, true] {
            if waited {
                child.wait();
            }
            for _ in 0..2 {
                if !mode(READ).is_level() {
                    poll.registry().reregister(&mut exit, SOURCE, mode(READ)).unwrap();
                    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
                    expect_no_event(&mut poll, &mut events);
                } else {
                    assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
                }
            }
        }
        // A registration with another poll reports it too.
        poll.registry().deregister(&mut exit).unwrap();
        expect_no_event(&mut poll, &mut events);
        let (mut other, _) = crate::support::poll();
        other.registry().register(&mut exit, Token(4), mode(READ)).unwrap();
        assert_eq!(next_tokens(&mut other, &mut events), [Token(4)]);
    }
}

#[test]
fn an_edge_is_reported_once_also_when_the_status_is_taken_later() {
    isolated(|| {
        let (mut poll, mut events) = poll();
        let mut child = TestChild::start(0);
        let _exit = registered(&poll, &child, SOURCE, READ);
        child.end();
        assert_eq!(next_tokens(&mut poll, &mut events), [SOURCE]);
        child.wait();
        expect_no_event(&mut poll, &mut events);
    });
}

#[test]
fn an_exit_before_new_or_register_is_reported() {
    isolated(|| {
        check_exit_before();
    });
}

fn check_exit_before() {
    for mode in [Interest::edge, Interest::level, Interest::oneshot] {
        let (mut poll, mut events) = poll();
        let mut child = TestChild::start(3);
        let mut before = ChildExit::new(&child.0).unwrap();
        child.end();
        wait_for_exit(&child);
        let mut after = ChildExit::new(&child.0).unwrap();
        for (i, exit) in [&mut before, &mut after].into_iter().enumerate() {
            poll.registry().register(exit, Token(i), mode(READ)).unwrap();
            wait_for(&mut poll, &mut events, Token(i), Event::is_readable);
        }
        assert_eq!(child.wait(), Some(3));
        // No new process is likely to have the child's number yet.
        let mut waited = ChildExit::new(&child.0).unwrap();
        poll.registry().register(&mut waited, Token(2), mode(READ)).unwrap();
        wait_for(&mut poll, &mut events, Token(2), Event::is_readable);
    }
}

#[test]
fn dropping_an_exit_does_not_end_the_child_and_reports_nothing() {
    isolated(|| {
        check_dropping();
    });
}

fn check_dropping() {
    let (mut poll, mut events) = poll();
    let mut child = TestChild::start(5);
    let second = ChildExit::new(&child.0).unwrap();
    drop(registered(&poll, &child, SOURCE, READ));
    drop(second);
    assert!(child.0.try_wait().unwrap().is_none());
    child.end();
    assert_eq!(child.wait(), Some(5));
    expect_no_event(&mut poll, &mut events);
    let child = TestChild::start(5);
    let exit = registered(&poll, &child, SOURCE, READ);
    // The child is killed, and its source outlives it.
    drop(child);
    wait_until_readable(&mut poll, &mut events);
    drop(exit);
}

#[test]
fn an_exit_records_its_registration_like_every_source() {
    isolated(|| {
        let ((poll, _), (other, _)) = (poll(), poll());
        let child = TestChild::start(0);
        let mut exit = ChildExit::new(&child.0).unwrap();
        let registry = poll.registry();
        assert_eq!(kind(registry.reregister(&mut exit, SOURCE, READ)), ErrorKind::NotFound);
        assert_eq!(kind(registry.deregister(&mut exit)), ErrorKind::NotFound);
        assert_eq!(kind(registry.register(&mut exit, SOURCE, WRITE)), ErrorKind::InvalidInput);
        registry.register(&mut exit, SOURCE, BOTH).unwrap();
        assert_eq!(kind(registry.register(&mut exit, SOURCE, READ)), ErrorKind::AlreadyExists);
        assert_eq!(kind(other.registry().register(&mut exit, SOURCE, READ)), ErrorKind::AlreadyExists);
        registry.deregister(&mut exit).unwrap();
        other.registry().register(&mut exit, SOURCE, READ).unwrap();
        assert!(format!("{exit:?}").contains(&child.0.id().to_string()));
    });
}

#[test]
fn many_children_exit_at_once() {
    isolated_with_many_descriptors(|| {
        check_many(count_from("MINIMIO_CHILDREN_AT_ONCE", system::CHILDREN_AT_ONCE));
    });
}

/// Starts children in all modes, ends all of them, and waits until each was reported.
fn check_many(count: usize) {
    let (mut poll, mut events) = poll();
    let modes = [Interest::edge, Interest::level, Interest::oneshot];
    let mut children: Vec<TestChild> = (0..count).map(|i| TestChild::start(i as i32 % 256)).collect();
    let mut exits: Vec<Option<ChildExit>> = Vec::new();
    for (i, child) in children.iter().enumerate() {
        exits.push(Some(registered(&poll, child, Token(i), modes[i % 3](READ))));
    }
    let (running, ending) = children.split_at_mut(1);
    ending.iter_mut().for_each(TestChild::end);
    let end = Instant::now() + 3 * WAIT_LIMIT;
    while exits.iter().filter(|exit| exit.is_some()).count() > 1 {
        assert!(Instant::now() < end);
        for event in next_batch(&mut poll, &mut events) {
            let i = event.token().0;
            assert!(exits[i].take().is_some(), "{i} was reported again");
            assert_eq!(ending[i - 1].wait(), Some(i as i32 % 256));
        }
    }
    assert!(running[0].0.try_wait().unwrap().is_none());
    expect_no_event(&mut poll, &mut events);
}

/// Returns the number in an environment variable, or the default.
fn count_from(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |count| count.parse().unwrap())
}

/// How many children of the next test run at the same time.
const RUNNING: usize = 30;

#[test]
fn children_that_exit_after_random_delays_are_reported_once_and_leave_nothing() {
    isolated(|| {
        let count = count_from("MINIMIO_CHILDREN", system::CHILDREN);
        let mut random = Random::new(7, 0);
        let (mut poll, mut events) = poll();
        // The first child opens what is opened once.
        wait_for_exit(&{
            let mut child = TestChild::start(0);
            child.end();
            child
        });
        let before = handles::open_handles();
        let mut running: Vec<Option<(TestChild, ChildExit)>> = (0..RUNNING).map(|_| None).collect();
        let (mut started, mut exited) = (0, 0);
        while exited < count {
            for (i, place) in running.iter_mut().enumerate() {
                if place.is_none() && started < count {
                    let mut child = TestChild::start(started as i32 % 256);
                    // Some children exit before `new`, some before `register`, some later.
                    let delay = Duration::from_millis(random.below(8));
                    let early = random.below(3);
                    if early == 0 {
                        child.end();
                    }
                    let mut exit = ChildExit::new(&child.0).unwrap();
                    if early == 1 {
                        child.end();
                    }
                    let token = Token(started * RUNNING + i);
                    let mode = [Interest::edge, Interest::oneshot][started % 2];
                    poll.registry().register(&mut exit, token, mode(READ)).unwrap();
                    if early == 2 {
                        child.end_after(delay);
                    }
                    *place = Some((child, exit));
                    started += 1;
                }
            }
            for event in next_batch(&mut poll, &mut events) {
                let (number, i) = (event.token().0 / RUNNING, event.token().0 % RUNNING);
                let (mut child, exit) = running[i].take().expect("an exit was reported again");
                assert_eq!(child.wait(), Some(number as i32 % 256));
                drop(exit);
                exited += 1;
            }
        }
        expect_no_event(&mut poll, &mut events);
        let left = handles::open_handles().zip(before).map_or(0, |(after, before)| after.saturating_sub(before));
        assert!((0..=system::POOL_HANDLES).contains(&left), "{left} handles are left");
        assert!(!system::has_children(), "a child was not waited for");
    });
}
