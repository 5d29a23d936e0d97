//! A supervisor: it starts children, restarts a child that has exited, and ends all of them on Ctrl-C. One thread, one
//! poll.
//!
//! ```text
//! cargo run --example supervisor [SECONDS]
//! ```
//!
//! The exit of a child, the end of a delay, and Ctrl-C are sources, as sockets are. The delay before a restart doubles
//! each time, so that a child that cannot run does not use all of the machine's time.

mod arguments;

use std::env;
use std::io::{self, ErrorKind};
use std::process::{self, Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use arguments::Arguments;
use minimio::process::ChildExit;
use minimio::signal::{Signal, Signals};
use minimio::{Events, Interest, Poll, Registry, Timer, Token};

const USAGE: &str = "supervisor [SECONDS]

SECONDS  when to end all children (default: on Ctrl-C)";

/// The children: a name, and how long each runs before it fails.
const CHILDREN: [(&str, Duration); 3] = [("steady", ms(3_600_000)), ("brittle", ms(800)), ("broken", ms(50))];

/// The delay before the first restart.
const FIRST_DELAY: Duration = ms(100);
/// The longest delay.
const MAX_DELAY: Duration = ms(5000);
/// A child that has run for this time is restarted after the first delay again.
const STABLE: Duration = ms(2000);

const SIGNALS: Token = Token(usize::MAX);
const END: Token = Token(usize::MAX - 1);

fn main() -> io::Result<()> {
    let mut arguments = Arguments::read(USAGE);
    if arguments.word("child") {
        run_as_child(&mut arguments);
    }
    let seconds = arguments.number(0, 3600);
    arguments.end();

    // From now on, Ctrl-C does not end this process. `signals` is dropped last: on Windows, its drop ends the process
    // at once if the console closes.
    let mut signals = Signals::new(&[Signal::INTERRUPT, Signal::TERMINATE])?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(64);
    poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
    let mut end = Timer::new();
    poll.registry().register(&mut end, END, Interest::READABLE)?;
    if seconds > 0 {
        end.set(Duration::from_secs(seconds as u64))?;
    }

    let mut children = Vec::new();
    for (number, (name, lifetime)) in CHILDREN.into_iter().enumerate() {
        children.push(Supervised::new(number, name, lifetime, poll.registry())?);
    }
    let mut is_ending = false;
    while !is_ending || children.iter().any(|child| child.running.is_some()) {
        match poll.poll(&mut events, None) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                SIGNALS => {
                    while let Some(signal) = signals.receive() {
                        println!("{signal:?}: end all children");
                        is_ending = true;
                    }
                }
                END => {
                    println!("the time is over: end all children");
                    is_ending = true;
                }
                // An even token is that of an exit, an odd one that of a restart.
                Token(token) if token % 2 == 0 => children[token / 2].has_exited(is_ending)?,
                Token(token) => children[token / 2].start(poll.registry())?,
            }
        }
        if is_ending {
            children.iter_mut().for_each(Supervised::end);
        }
    }
    println!("All children have exited, and no process is left.");
    println!("Now try: MAX_DELAY in examples/supervisor.rs; then cargo run --example udp");
    Ok(())
}

struct Supervised {
    number: usize,
    name: &'static str,
    lifetime: Duration,
    running: Option<Running>,
    restart: Timer,
    delay: Duration,
}

struct Running {
    process: Process,
    /// Dropping it ends its registration.
    _exit: ChildExit,
    since: Instant,
}

/// A process that is killed when this is dropped, so that no error leaves it running.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both calls fail only if the process has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Supervised {
    fn new(number: usize, name: &'static str, lifetime: Duration, registry: &Registry) -> io::Result<Supervised> {
        let mut restart = Timer::new();
        registry.register(&mut restart, Token(2 * number + 1), Interest::READABLE)?;
        let mut new = Supervised { number, name, lifetime, running: None, restart, delay: FIRST_DELAY };
        new.start(registry)?;
        Ok(new)
    }

    /// Starts the child, or sets the timer of its restart if the start fails: the machine may lack a resource, such as
    /// a free descriptor, only for a moment.
    fn start(&mut self, registry: &Registry) -> io::Result<()> {
        match self.spawn(registry) {
            Ok(running) => {
                println!("{}: started as process {}", self.name, running.process.0.id());
                self.running = Some(running);
                Ok(())
            }
            Err(err) => self.restart_later(&format!("cannot start: {err}")),
        }
    }

    fn spawn(&self, registry: &Registry) -> io::Result<Running> {
        // The child is this program, with other arguments.
        let lifetime = self.lifetime.as_millis().to_string();
        let process = Process(Command::new(env::current_exe()?).args(["child", &lifetime]).spawn()?);
        // If the child has exited already, its exit is reported nevertheless.
        let mut exit = ChildExit::new(&process.0)?;
        registry.register(&mut exit, Token(2 * self.number), Interest::READABLE)?;
        Ok(Running { process, _exit: exit, since: Instant::now() })
    }

    /// Takes the exit status of the child, and sets the timer of its restart.
    fn has_exited(&mut self, is_ending: bool) -> io::Result<()> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => return Ok(()),
        };
        // On macOS and the BSDs, the kernel reports the exit an instant before the status is available. `wait` blocks
        // for this instant.
        let status = running.process.0.wait()?;
        if is_ending {
            println!("{}: {status}", self.name);
            return Ok(());
        }
        if running.since.elapsed() >= STABLE {
            self.delay = FIRST_DELAY;
        }
        self.restart_later(&status.to_string())
    }

    fn restart_later(&mut self, reason: &str) -> io::Result<()> {
        println!("{}: {reason}; starts again in {} ms", self.name, self.delay.as_millis());
        self.restart.set(self.delay)?;
        self.delay = MAX_DELAY.min(2 * self.delay);
        Ok(())
    }

    fn end(&mut self) {
        self.restart.cancel();
        if let Some(running) = &mut self.running {
            // An error means that the child has exited already. Either way, its exit is reported.
            let _ = running.process.0.kill();
        }
    }
}

/// What a child does: it runs for a while and fails.
fn run_as_child(arguments: &mut Arguments) -> ! {
    let lifetime = arguments.number(1, usize::MAX);
    thread::sleep(ms(lifetime as u64));
    process::exit(1);
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
