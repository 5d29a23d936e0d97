//! Everybody at once: threads that wake, set timers, register, talk and close at random, while one polls. Nothing is
//! lost, nothing comes twice, early, or after its end, nobody hangs, and no descriptor is left open.
//!
//! `MINIMIO_STRESS_SECONDS=60` runs longer than the two seconds it does by itself, `MINIMIO_STRESS_SEED=7` runs
//! otherwise. The seed decides what each thread wants to do; who comes first is the system's to decide.

#[path = "../support/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read, Write};
use std::net;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use minimio::net::{TcpListener, TcpStream, UdpSocket};
use minimio::{Event, Events, Interest, Poll, Registry, Timer, Token, Waker};
use support::*;

const SEED: u64 = 20_200_229;

/// Ends the poller. The long-lived wakers have the tokens below it.
const QUIT: usize = usize::MAX;
/// Threads that wake. Each has a waker to itself, and there are as many that all of them use.
const WAKING: usize = 3;
const WAKERS: usize = 2 * WAKING;

type Actor = fn(&mut Life);

/// Who takes part, beside the poller and the threads that wake it.
const ACTORS: &[(&str, Actor)] = &[
    ("short-lived wakers", short_lived_wakers),
    ("timers", timers),
    ("more timers", timers),
    ("streams", streams),
    ("more streams", streams),
    ("datagrams", datagrams),
    ("connections", connections),
];

#[test]
fn no_event_is_lost_while_all_actors_run() {
    let time = Duration::from_secs(parameter("MINIMIO_STRESS_SECONDS", 2));
    let seed = parameter("MINIMIO_STRESS_SEED", SEED);
    println!("MINIMIO_STRESS_SEED={seed}, for {time:?}");
    // The first socket of a process may need more than itself.
    drop(stream_and_peer());
    let before = handles::open_handles();

    // Each of them alone first: where nobody else ends a wait, what should have ended it can't be missed.
    let everybody: Vec<_> = (0..ACTORS.len()).collect();
    let share = time / 5 / (ACTORS.len() as u32 + 1);
    for actor in &everybody {
        play(seed, share, &[*actor], 0);
    }
    play(seed, share, &[], 1);
    play(seed, time - time / 5, &everybody, WAKING);

    match (before, handles::open_handles()) {
        (Some(before), Some(after)) => assert_eq!(before, after, "descriptors are left open; seed {seed}"),
        _ => println!("open descriptors are not counted here: there is no /proc/self/fd"),
    }
}

/// A poll, and some of the actors.
fn play(seed: u64, runs_for: Duration, actors: &[usize], waking: usize) {
    let hub = Arc::new(Hub::new(seed, runs_for));
    let poll = Poll::new().unwrap();
    let quit = Waker::new(poll.registry(), Token(QUIT)).unwrap();
    let wakers: Vec<_> =
        (0..WAKERS).map(|n| Arc::new(Waker::new(poll.registry(), Token(QUIT - 1 - n)).unwrap())).collect();

    // Whoever ends says so, a thread that panics too.
    let (ended, end) = mpsc::channel();
    let mut threads = Vec::new();
    for &n in actors {
        let (hub, ended, registry) = (Arc::clone(&hub), Ended(ended.clone()), poll.registry().try_clone().unwrap());
        let (name, actor) = ACTORS[n];
        threads.push(spawn(name, move || {
            let _ended = ended;
            actor(&mut Life::new(hub, registry, n));
        }));
    }
    let mut sleepers = Vec::new();
    for n in 0..waking {
        let (hub, ended, wakers) = (Arc::clone(&hub), Ended(ended.clone()), wakers.clone());
        threads.push(spawn("waking", move || {
            let _ended = ended;
            wake_again_and_again(&hub, n, &wakers);
        }));
        sleepers.extend(threads.last().map(|thread| thread.thread().clone()));
    }
    let poller = {
        let (hub, ended) = (Arc::clone(&hub), Ended(ended));
        spawn("poller", move || {
            let _ended = ended;
            reactor(&hub, poll, &sleepers)
        })
    };

    // Every wait of theirs has an end, so this one is for a poll that hangs.
    let last = Instant::now() + runs_for + 3 * PATIENCE;
    let wait_for_end = || {
        let ended = end.recv_timeout(last.saturating_duration_since(Instant::now()));
        ended.unwrap_or_else(|_| hub.fail("somebody hangs"));
    };
    for _ in &threads {
        wait_for_end();
    }
    // Nobody waits for anything any more, or somebody has failed.
    quit.wake().unwrap();
    wait_for_end();
    let polls = poller.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    for thread in threads {
        thread.join().unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    }
    println!("{polls} polls: {}", hub.summary());
}

fn parameter(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().name(name.to_string()).spawn(run).unwrap()
}

/// Says that a thread has ended, however it did.
struct Ended(mpsc::Sender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _nobody_listens_any_more = self.0.send(());
    }
}

/// What all threads know.
struct Hub {
    seed: u64,
    begin: Instant,
    runs_for: Duration,
    /// How many polls have begun.
    polls: AtomicUsize,
    /// Set by the poller when it can't go on, so that nobody waits for it.
    poller_is_gone: AtomicBool,
    books: Vec<Book>,
    posts: Vec<Post>,
    /// What was done, by what it is called.
    done: Mutex<HashMap<&'static str, u64>>,
}

impl Hub {
    fn new(seed: u64, runs_for: Duration) -> Hub {
        Hub {
            seed,
            begin: Instant::now(),
            runs_for,
            polls: AtomicUsize::new(0),
            poller_is_gone: AtomicBool::new(false),
            books: (0..WAKING).map(|_| Book::default()).collect(),
            posts: ACTORS.iter().map(|_| Post::default()).collect(),
            done: Mutex::default(),
        }
    }

    fn is_over(&self) -> bool {
        self.begin.elapsed() >= self.runs_for || self.poller_is_gone.load(Ordering::Relaxed)
    }

    /// The number of the poll that has begun last. Whatever ended before this call, has ended before the next one
    /// begins.
    fn last_poll(&self) -> u64 {
        self.polls.fetch_add(0, Ordering::SeqCst) as u64
    }

    #[track_caller]
    fn check(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.fail(&otherwise());
        }
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        let after = self.begin.elapsed();
        panic!("{what} (after {after:?}, MINIMIO_STRESS_SEED={})", self.seed);
    }

    fn check_poller(&self) {
        self.check(!self.poller_is_gone.load(Ordering::Relaxed), || "the poller has ended".into());
    }

    fn count(&self, what: &'static str, more: u64) {
        *self.done.lock().unwrap().entry(what).or_default() += more;
    }

    fn summary(&self) -> String {
        let mut done: Vec<_> =
            self.done.lock().unwrap().iter().map(|(what, count)| format!("{count} {what}")).collect();
        done.sort_by_key(|entry| entry.split_once(' ').map(|(_, what)| what.to_string()));
        done.join(", ")
    }
}

/// Xorshift, by Marsaglia.
struct Random(u64);

impl Random {
    fn new(seed: u64, stream: u64) -> Random {
        let mut random = Random((seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
        for _ in 0..20 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from 0 to `end`, without it.
    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// Lets a moment pass, most often a very short one, so that threads meet in ever new places.
    fn linger(&mut self) {
        let most = 1 << self.below(13);
        for _ in 0..self.below(most) {
            std::hint::spin_loop();
        }
    }

    /// Short, or very short.
    fn delay(&mut self) -> Duration {
        let most = if self.one_in(4) { 3000 } else { 200 };
        self.micros(most)
    }

    fn micros(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end))
    }
}

// The poller.

/// Polls, with any timeout and any buffer, and hands the events out. Returns how often.
fn reactor(hub: &Hub, mut poll: Poll, sleepers: &[Thread]) -> u64 {
    // Whoever waits for this thread, need not wait longer.
    struct Gone<'a>(&'a Hub, &'a [Thread]);
    impl Drop for Gone<'_> {
        fn drop(&mut self) {
            self.0.poller_is_gone.store(true, Ordering::Relaxed);
            self.0.posts.iter().for_each(|post| post.bell.notify_all());
            self.1.iter().for_each(Thread::unpark);
        }
    }
    let _gone = Gone(hub, sleepers);

    let mut random = Random::new(hub.seed, 1);
    let mut buffers: Vec<_> =
        [1, 1, 2, 3, 5, 16, 256].iter().map(|&capacity| Events::with_capacity(capacity)).collect();
    let buffer_count = buffers.len() as u64;
    loop {
        let events = &mut buffers[random.below(buffer_count) as usize];
        let timeout = match random.below(8) {
            0 | 1 => Some(Duration::ZERO),
            2 => Some(random.micros(50)),
            3 => Some(random.micros(3000)),
            4 => Some(PATIENCE),
            _ => None,
        };
        let number = hub.polls.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        let begin = Instant::now();
        match poll.poll(events, timeout) {
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result.unwrap_or_else(|err| hub.fail(&format!("poll: {err}"))),
        }
        let at = Instant::now();
        hub.check(events.len() <= events.capacity(), || format!("too many events: {}", events.len()));
        if events.is_empty() {
            let passed = timeout.map_or(false, |timeout| at - begin >= timeout);
            hub.check(passed, || format!("no event after {:?}, and the timeout was {timeout:?}", at - begin));
        }
        for event in events.iter() {
            match event.token().0 {
                QUIT => {
                    // All sources have ended. A wake may be left, if another's has shown what it stands for.
                    for _ in 0..=WAKERS {
                        poll.poll(events, Some(Duration::ZERO)).unwrap();
                        let is_waker = |event: &Event| event.token().0 >= QUIT - WAKERS;
                        hub.check(events.iter().all(is_waker), || format!("still there at the end: {events:?}"));
                    }
                    hub.check(events.is_empty(), || format!("still there at the end: {events:?}"));
                    return number;
                }
                token if token >= QUIT - WAKERS => {
                    // All that was written before the wakes which this event stands for; by whom, the event does not
                    // say.
                    for (book, sleeper) in hub.books.iter().zip(sleepers) {
                        let issued = book.issued[QUIT - 1 - token].load(Ordering::Relaxed);
                        book.seen[QUIT - 1 - token].store(issued, Ordering::Release);
                        sleeper.unpark();
                    }
                }
                token => hub.posts[token % ACTORS.len()].deliver(Delivery {
                    token,
                    poll: number,
                    at,
                    readable: event.is_readable(),
                    writable: event.is_writable(),
                }),
            }
        }
    }
}

/// Something has come for an actor.
#[derive(Clone, Copy, Debug)]
struct Delivery {
    token: usize,
    /// Which poll has brought it, and when that returned.
    poll: u64,
    at: Instant,
    readable: bool,
    writable: bool,
}

/// Where an actor finds what has come for it.
#[derive(Default)]
struct Post {
    tray: Mutex<Vec<Delivery>>,
    bell: Condvar,
}

impl Post {
    fn deliver(&self, delivery: Delivery) {
        self.tray.lock().unwrap().push(delivery);
        self.bell.notify_one();
    }
}

// Wakes. No lock stands between these threads and the poller but the crate's, and no ordering but that of a wake.

/// What one thread has done with each waker, and what the poller has seen of it.
#[derive(Default)]
struct Book {
    issued: [AtomicUsize; WAKERS],
    seen: [AtomicUsize; WAKERS],
}

fn wake_again_and_again(hub: &Hub, thread: usize, wakers: &[Arc<Waker>]) {
    let mut random = Random::new(hub.seed, 100 + thread as u64);
    let book = &hub.books[thread];
    let mut issued = [0_usize; WAKERS];
    loop {
        let is_last = hub.is_over();
        for _ in 0..=random.below(4) {
            let waker = if random.one_in(2) { thread } else { WAKING + random.below(WAKING as u64) as usize };
            for _ in 0..=random.below(3) {
                random.linger();
                issued[waker] += 1;
                book.issued[waker].store(issued[waker], Ordering::Relaxed);
                wakers[waker].wake().unwrap();
            }
        }
        if !is_last && random.one_in(3) {
            continue;
        }
        // No later wake of this thread comes to the help of the last one.
        let last = Instant::now() + PATIENCE;
        while !(0..WAKERS).all(|waker| book.seen[waker].load(Ordering::Acquire) == issued[waker]) {
            hub.check_poller();
            let left = last.saturating_duration_since(Instant::now());
            hub.check(!left.is_zero(), || format!("a wake is lost: {issued:?} were issued, {:?} seen", book.seen));
            thread::park_timeout(left);
        }
        if is_last {
            break;
        }
    }
    hub.count("wakes", issued.iter().sum::<usize>() as u64);
}

/// An actor: its tokens, and what has come for them.
struct Life {
    hub: Arc<Hub>,
    registry: Registry,
    random: Random,
    number: usize,
    tokens: usize,
    /// Tokens under which something is registered.
    live: HashSet<usize>,
    /// Tokens that have come to their end, each with the last poll that may still have reported it, and when that was.
    ended: HashMap<usize, (u64, Instant)>,
    /// How many connections were made.
    connections: u32,
}

impl Life {
    fn new(hub: Arc<Hub>, registry: Registry, number: usize) -> Life {
        let random = Random::new(hub.seed, 1000 + number as u64);
        let (live, ended) = (HashSet::new(), HashMap::new());
        Life { hub, registry, random, number, tokens: 0, live, ended, connections: 0 }
    }

    /// A token that was never used, for what is going to be registered.
    fn token(&mut self) -> usize {
        self.tokens += 1;
        let token = self.tokens * ACTORS.len() + self.number;
        self.live.insert(token);
        token
    }

    /// Nothing is registered under this token any more, since just now.
    fn end(&mut self, token: usize) {
        self.live.remove(&token);
        self.ended.insert(token, (self.hub.last_poll(), Instant::now()));
        if self.ended.len() % 65_536 == 0 {
            // No thread takes that long between a poll and the post.
            self.ended.retain(|_, (_, at)| at.elapsed() < PATIENCE);
        }
    }

    /// Takes what has come; if that is nothing, waits for something until `last`.
    fn fetch(&mut self, last: Instant) -> Vec<Delivery> {
        let post = &self.hub.posts[self.number];
        let mut tray = post.tray.lock().unwrap();
        while tray.is_empty() {
            self.hub.check_poller();
            let left = last.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tray = post.bell.wait_timeout(tray, left).unwrap().0;
        }
        let letters = std::mem::take(&mut *tray);
        drop(tray);
        for letter in &letters {
            let end = self.ended.get(&letter.token).map(|(last, _)| *last);
            let is_right = self.live.contains(&letter.token) || end.map_or(false, |last| letter.poll <= last);
            self.hub.check(is_right, || format!("{letter:?}, and its token came to its end before poll {end:?} + 1"));
        }
        letters
    }

    /// Waits until a source is as wanted. What has come for other sources, and for those that have ended, is passed
    /// over.
    fn wait_for(&mut self, token: usize, what: &str, wanted: impl Fn(&Delivery) -> bool) {
        let last = Instant::now() + PATIENCE;
        loop {
            let letters = self.fetch(last);
            if letters.iter().any(|letter| letter.token == token && wanted(letter)) {
                return;
            }
            self.hub.check(Instant::now() < last, || format!("{what}: no event of {token} within {PATIENCE:?}"));
        }
    }

    /// Whether there may be one connection more. Each leaves something behind in the system for a minute or more, and
    /// ports are few.
    fn may_connect(&mut self) -> bool {
        let allowed = 10 + self.hub.begin.elapsed().as_millis() / 50;
        let may = u128::from(self.connections) < allowed;
        self.connections += u32::from(may);
        may
    }

    fn mode(&mut self, readiness: Interest) -> Interest {
        match self.random.below(3) {
            0 => readiness.edge(),
            1 => readiness.level(),
            _ => readiness.oneshot(),
        }
    }
}

/// Wakers that come and go.
fn short_lived_wakers(life: &mut Life) {
    let mut woken = 0;
    while !life.hub.is_over() {
        let token = life.token();
        let waker = Waker::new(&life.registry, Token(token)).unwrap();
        // Half of them are not woken, and must not be heard of.
        if life.random.one_in(2) {
            waker.wake().unwrap();
            woken += 1;
            if life.random.one_in(2) {
                life.wait_for(token, "a wake is lost", |letter| letter.readable);
            }
            drop(waker);
            life.end(token);
        } else {
            life.live.remove(&token);
        }
    }
    life.fetch(Instant::now());
    life.hub.count("wakes of short-lived wakers", woken);
}

// Timers.

/// A timer, what it was set to, and what has come of it.
struct Clock {
    timer: Timer,
    /// The one it is registered under.
    token: Option<usize>,
    /// That one, and others since it was set.
    tokens: Vec<usize>,
    plan: Plan,
    /// The last poll that may have reported what the plan before this one wanted.
    settled: u64,
    /// An event has come that may be of either.
    is_unclear: bool,
    /// Events since then.
    events: u64,
}

#[derive(Clone, Copy, Debug)]
enum Plan {
    Never,
    At(Instant),
    Every(Duration, Instant),
}

impl Clock {
    fn new() -> Clock {
        Clock {
            timer: Timer::new(),
            token: None,
            tokens: Vec::new(),
            plan: Plan::Never,
            settled: 0,
            is_unclear: false,
            events: 0,
        }
    }

    fn set(&mut self, life: &mut Life) {
        let now = Instant::now();
        match life.random.below(8) {
            0..=2 => {
                let delay = life.random.delay();
                self.timer.set(delay).unwrap();
                self.settle(life, Plan::At(now + delay));
            }
            3 | 4 => {
                let deadline = now + life.random.delay();
                self.timer.set_at(deadline).unwrap();
                self.settle(life, Plan::At(deadline));
            }
            5 => {
                let period = Duration::from_micros(100) + life.random.micros(2000);
                self.timer.set_every(period).unwrap();
                self.settle(life, Plan::Every(period, now));
            }
            6 => {
                self.timer.set(Duration::from_secs(3600)).unwrap();
                self.settle(life, Plan::Never);
            }
            _ => self.cancel(life),
        }
    }

    fn cancel(&mut self, life: &Life) {
        self.timer.cancel();
        self.settle(life, Plan::Never);
    }

    /// It has just been set.
    fn settle(&mut self, life: &Life, plan: Plan) {
        self.plan = plan;
        self.settled = life.hub.last_poll();
        // What came under a token that had ended then, was not this setting's.
        self.tokens.clear();
        self.tokens.extend(self.token);
        self.is_unclear = false;
        self.events = 0;
    }

    fn note(&mut self, hub: &Hub, letter: &Delivery) {
        if letter.poll <= self.settled {
            self.is_unclear = true;
            return;
        }
        self.events += 1;
        let count = u32::try_from(self.events).unwrap();
        let is_right = match self.plan {
            Plan::Never => false,
            Plan::At(deadline) => letter.at >= deadline && self.events == 1,
            Plan::Every(period, begin) => letter.at - begin >= period * count,
        };
        hub.check(is_right, || {
            format!("{letter:?} is the {count}. event of a timer set to {:?} at poll {}", self.plan, self.settled)
        });
    }

    /// Whether there is an event that must come.
    fn is_due(&self) -> bool {
        match self.plan {
            Plan::Never => false,
            Plan::At(_) => self.events == 0 && !self.is_unclear,
            Plan::Every(..) => self.events < 3,
        }
    }

    fn register(&mut self, life: &mut Life) {
        let token = life.token();
        life.registry.register(&mut self.timer, Token(token), Interest::READABLE).unwrap();
        self.move_to(life, Some(token));
    }

    /// It is registered under another token now, or under none.
    fn move_to(&mut self, life: &mut Life, token: Option<usize>) {
        if let Some(old) = std::mem::replace(&mut self.token, token) {
            life.end(old);
        }
        self.tokens.extend(token);
    }
}

/// Some of them, and how many events they had.
struct Clocks {
    list: Vec<Clock>,
    events: u64,
}

impl Clocks {
    /// Notes what has come; if that is nothing, waits for something until `last`.
    fn look(&mut self, life: &mut Life, last: Instant) {
        for letter in life.fetch(last) {
            // It may have been another timer's, which is gone.
            if let Some(clock) = self.list.iter_mut().find(|clock| clock.tokens.contains(&letter.token)) {
                clock.note(&life.hub, &letter);
                self.events += 1;
            }
        }
    }

    /// Waits for what must come of one of them.
    fn wait(&mut self, life: &mut Life, n: usize) {
        let last = Instant::now() + PATIENCE;
        while self.list[n].is_due() {
            let plan = self.list[n].plan;
            life.hub.check(Instant::now() < last, || format!("{plan:?} has not come within {PATIENCE:?}"));
            self.look(life, last);
        }
    }
}

fn timers(life: &mut Life) {
    let mut clocks = Clocks { list: (0..8).map(|_| Clock::new()).collect(), events: 0 };
    while !life.hub.is_over() {
        let n = life.random.below(clocks.list.len() as u64) as usize;
        let clock = &mut clocks.list[n];
        match (life.random.below(12), clock.token) {
            (0..=4, _) => clock.set(life),
            (5, Some(_)) => {
                let token = life.token();
                life.registry.reregister(&mut clock.timer, Token(token), Interest::READABLE).unwrap();
                clock.move_to(life, Some(token));
            }
            (6, Some(_)) => {
                life.registry.deregister(&mut clock.timer).unwrap();
                clock.move_to(life, None);
            }
            (7, _) => {
                // The old one is dropped, as it is.
                let old = std::mem::replace(clock, Clock::new());
                drop(old.timer);
                old.token.into_iter().for_each(|token| life.end(token));
            }
            (8, Some(_)) => clocks.wait(life, n),
            (9 | 10, Some(_)) => {
                // The only one that is set: nothing else ends the poller's wait.
                clocks.list.iter_mut().for_each(|clock| clock.cancel(life));
                life.random.linger();
                clocks.list[n].set(life);
                clocks.wait(life, n);
            }
            (_, None) => clock.register(life),
            (_, Some(_)) => {}
        }
        clocks.look(life, Instant::now());
    }
    // What was set comes still.
    for n in 0..clocks.list.len() {
        if clocks.list[n].token.is_none() {
            clocks.list[n].register(life);
        }
        clocks.wait(life, n);
    }
    life.hub.count("timer events", clocks.events);
}

// Streams.

/// A stream and its peer.
struct Line {
    stream: TcpStream,
    peer: net::TcpStream,
    /// What it is registered as.
    place: Option<(usize, Interest)>,
    /// Bytes that the peer has sent, and those that have arrived.
    sent: u64,
    received: u64,
}

/// The byte at this place of every conversation.
fn byte(place: u64) -> u8 {
    (place ^ (place >> 8) ^ (place >> 16)) as u8
}

fn bytes(place: u64, count: usize) -> Vec<u8> {
    (place..).take(count).map(byte).collect()
}

impl Line {
    fn new() -> Line {
        let (stream, peer) = stream_and_peer();
        Line { stream, peer, place: None, sent: 0, received: 0 }
    }

    /// Under a new token, in any mode, whatever it was before.
    fn register(&mut self, life: &mut Life, readiness: Interest) -> (usize, Interest) {
        let (token, interest) = (life.token(), life.mode(readiness));
        match self.place {
            None => life.registry.register(&mut self.stream, Token(token), interest).unwrap(),
            Some((old, _)) => {
                life.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
                life.end(old);
            }
        }
        self.place = Some((token, interest));
        (token, interest)
    }

    fn deregister(&mut self, life: &mut Life) {
        if let Some((token, _)) = self.place.take() {
            life.registry.deregister(&mut self.stream).unwrap();
            life.end(token);
        }
    }

    /// As it is registered now, or else anew.
    fn readable(&mut self, life: &mut Life) -> (usize, Interest) {
        match self.place {
            Some((token, interest)) if interest.is_readable() && !interest.is_oneshot() => (token, interest),
            _ => self.register(life, Interest::READABLE),
        }
    }

    /// Sends a little at once, while the stream is registered, or before it is.
    fn talk(&mut self, life: &mut Life) {
        let ready = life.random.one_in(2).then(|| self.readable(life));
        let count = 1 + life.random.below(8000) as usize;
        self.peer.write_all(&bytes(self.sent, count)).unwrap();
        self.sent += count as u64;
        let place = match ready {
            Some(place) => place,
            // This time a source is ready when it is registered, or while it changes its mode.
            None => self.register(life, Interest::READABLE),
        };
        self.read_all(life, place);
    }

    /// Sends a lot, from another thread, while this one reads.
    fn flood(&mut self, life: &mut Life) {
        let place = self.readable(life);
        let mut peer = self.peer.try_clone().unwrap();
        let (from, count) = (self.sent, 1 + life.random.below(400_000) as usize);
        self.sent += count as u64;
        let sender = spawn("flood", move || peer.write_all(&bytes(from, count)).unwrap());
        self.read_all(life, place);
        sender.join().unwrap();
    }

    /// Reads, as an event says that there is something, until all has arrived that was sent.
    fn read_all(&mut self, life: &mut Life, (token, interest): (usize, Interest)) {
        let mut buf = [0; 4096];
        while self.received < self.sent {
            life.wait_for(token, "bytes are lost", |letter| letter.readable);
            loop {
                let len = 1 + life.random.below(buf.len() as u64) as usize;
                match self.stream.read(&mut buf[..len]) {
                    Ok(count) => {
                        let expected = bytes(self.received, count);
                        life.hub.check(count > 0 && buf[..count] == expected, || "wrong bytes have arrived".into());
                        self.received += count as u64;
                        // A stream may be taken for drained after a short read.
                        if count < len && life.random.one_in(2) {
                            break;
                        }
                    }
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => life.hub.fail(&format!("read: {err}")),
                }
                if !interest.is_edge() {
                    break;
                }
            }
            if interest.is_oneshot() && self.received < self.sent {
                life.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
            }
        }
        life.hub.check(self.received == self.sent, || "more bytes than were sent".into());
    }

    /// Sends from our side, as an event says that there is room, while another thread reads at the peer.
    fn reply(&mut self, life: &mut Life) {
        let (token, interest) = self.register(life, Interest::WRITABLE);
        let count = 1 + life.random.below(400_000) as usize;
        let mut peer = self.peer.try_clone().unwrap();
        let reader = spawn("reply", move || {
            let mut all = vec![0; count];
            peer.read_exact(&mut all).unwrap();
            all
        });
        let all = bytes(7, count);
        let mut written = 0;
        while written < count {
            life.wait_for(token, "room is not told", |letter| letter.writable);
            loop {
                match self.stream.write(&all[written..]) {
                    Ok(more) => written += more,
                    Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                    Err(err) => life.hub.fail(&format!("write: {err}")),
                }
                if written == count {
                    break;
                }
            }
            if interest.is_oneshot() && written < count {
                life.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
            }
        }
        life.hub.check(reader.join().unwrap() == all, || "wrong bytes have arrived at the peer".into());
    }

    /// The peer goes. The end of the stream is told, and then comes.
    fn end(mut self, life: &mut Life) {
        let (token, interest) = self.register(life, Interest::READABLE);
        drop(self.peer);
        loop {
            life.wait_for(token, "the end is not told", |letter| letter.readable);
            match self.stream.read(&mut [0; 16]) {
                Ok(0) => break,
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                other => life.hub.fail(&format!("the end is {other:?}")),
            }
            if interest.is_oneshot() {
                life.registry.reregister(&mut self.stream, Token(token), interest).unwrap();
            }
        }
        drop(self.stream);
        life.end(token);
    }
}

fn streams(life: &mut Life) {
    let mut lines: Vec<_> = (0..4).map(|_| Line::new()).collect();
    let mut received = 0;
    while !life.hub.is_over() {
        let n = life.random.below(lines.len() as u64) as usize;
        let line = &mut lines[n];
        match life.random.below(16) {
            0..=6 => line.talk(life),
            7 => line.flood(life),
            8 => line.reply(life),
            9 => drop(line.register(life, Interest::READABLE)),
            10 => drop(line.register(life, Interest::READABLE | Interest::WRITABLE)),
            11 => line.deregister(life),
            12 => {
                // Not registered, so nothing is told. It is read later.
                line.deregister(life);
                let count = 1 + life.random.below(1000) as usize;
                line.peer.write_all(&bytes(line.sent, count)).unwrap();
                line.sent += count as u64;
                let place = line.register(life, Interest::READABLE);
                line.read_all(life, place);
            }
            13 if life.may_connect() => {
                let old = std::mem::replace(line, Line::new());
                received += old.received;
                old.end(life);
            }
            14 if life.may_connect() => {
                // Dropped as it is, perhaps with something to say.
                let mut old = std::mem::replace(line, Line::new());
                received += old.received;
                if life.random.one_in(2) {
                    old.peer.write_all(b"!").unwrap();
                }
                drop(old.stream);
                old.place.into_iter().for_each(|(token, _)| life.end(token));
            }
            _ => {}
        }
    }
    received += lines.iter().map(|line| line.received).sum::<u64>();
    life.hub.count("bytes", received);
}

fn datagrams(life: &mut Life) {
    let sender = net::UdpSocket::bind(loopback()).unwrap();
    let mut received = 0;
    while !life.hub.is_over() {
        let mut receiver = UdpSocket::bind(loopback()).unwrap();
        let addr = receiver.local_addr().unwrap();
        for _ in 0..life.random.below(20) {
            let (token, interest) = (life.token(), life.mode(Interest::READABLE));
            life.registry.register(&mut receiver, Token(token), interest).unwrap();
            // So few that the system has no reason to drop one.
            let count = 1 + life.random.below(8) as u8;
            for n in 0..count {
                sender.send_to(&[n; 100], addr).unwrap();
            }
            let mut next = 0;
            while next < count {
                life.wait_for(token, "datagrams are lost", |letter| letter.readable);
                loop {
                    let mut buf = [0; 200];
                    match receiver.recv_from(&mut buf) {
                        Ok((len, _)) => {
                            life.hub.check(buf[..len] == [next; 100], || format!("not datagram {next}"));
                            next += 1;
                        }
                        Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                        Err(err) => life.hub.fail(&format!("recv_from: {err}")),
                    }
                    if !interest.is_edge() {
                        break;
                    }
                }
                if interest.is_oneshot() && next < count {
                    life.registry.reregister(&mut receiver, Token(token), interest).unwrap();
                }
            }
            received += u64::from(count);
            life.registry.deregister(&mut receiver).unwrap();
            life.end(token);
        }
    }
    life.hub.count("datagrams", received);
}

fn connections(life: &mut Life) {
    let mut accepted = 0;
    while !life.hub.is_over() {
        if !life.may_connect() {
            life.fetch(Instant::now() + Duration::from_millis(5));
            continue;
        }
        let mut listener = TcpListener::bind(loopback()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (token, interest) = (life.token(), life.mode(Interest::READABLE));
        life.registry.register(&mut listener, Token(token), interest).unwrap();
        let count = 1 + life.random.below(3) as usize;
        life.connections += count as u32;
        let mut clients = Vec::new();
        for _ in 0..count {
            // What connects is told as well.
            let mut client = TcpStream::connect(addr).unwrap();
            let (token, interest) = (life.token(), life.mode(Interest::WRITABLE));
            life.registry.register(&mut client, Token(token), interest).unwrap();
            clients.push((client, token));
        }
        let mut streams = Vec::new();
        // Events of the clients may come in between.
        let mut connected = Vec::new();
        let last = Instant::now() + PATIENCE;
        while streams.len() < count || connected.len() < count {
            for letter in life.fetch(last) {
                if clients.iter().any(|(_, token)| *token == letter.token)
                    && letter.writable
                    && !connected.contains(&letter.token)
                {
                    connected.push(letter.token);
                }
                if letter.token != token {
                    continue;
                }
                loop {
                    match listener.accept() {
                        Ok((stream, _)) => streams.push(stream),
                        Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                        Err(err) => life.hub.fail(&format!("accept: {err}")),
                    }
                    if !interest.is_edge() {
                        break;
                    }
                }
                if interest.is_oneshot() && streams.len() < count {
                    life.registry.reregister(&mut listener, Token(token), interest).unwrap();
                }
            }
            life.hub.check(Instant::now() < last, || {
                format!("{} of {count} connections were accepted, {} made", streams.len(), connected.len())
            });
        }
        accepted += count as u64;
        drop(listener);
        life.end(token);
        for (client, token) in clients {
            drop(client);
            life.end(token);
        }
    }
    life.hub.count("connections", accepted);
}
