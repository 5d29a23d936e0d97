//! `async fn` without a runtime: a small executor and reactor.
//!
//! ```text
//! cargo run --example executor
//! ```
//!
//! A future runs only while it is polled. The executor polls it. If the future's operation returns `WouldBlock`, the
//! future stores its waker in the reactor. When the reactor receives an event for that socket, it uses the waker, and
//! the executor polls the future again:
//!
//! ```text
//!              polls the woken task            tries, then stores its waker
//!   Executor ──────────────────────► Attempt ───────────────────────────────► Reactor
//!      ▲                                                                         │
//!      └─────────────────────────────────────────────────────────────────────────┘
//!                   waits for events, and wakes the tasks that wait for them
//! ```

mod arguments;
mod http;
mod server;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use minimio::net::TcpStream;
use minimio::{Events, Interest, Token};

use http::{write_request, Responses};
use server::{Background, Limits, Server};

/// The requests of each task, one after the other: how many milliseconds to wait, and the text of the response.
const TASKS: [&[(u64, &str)]; 3] =
    [&[(700, "all")], &[(200, "one"), (400, "them")], &[(300, "thread"), (200, "awaits")]];

fn main() -> io::Result<()> {
    arguments::none("executor");
    let server = Background::start(Server::bind(([127, 0, 0, 1], 0).into(), Limits::default(), io::sink())?)?;
    let addr = server.addr();
    let mut executor = Executor::new()?;
    let start = Instant::now();
    let time = move || start.elapsed().as_secs_f64() * 1000.0;

    for (task, requests) in TASKS.iter().enumerate() {
        let reactor = Rc::clone(&executor.reactor);
        executor.spawn(async move {
            for (delay, word) in *requests {
                let response = get(&reactor, addr, &format!("/{delay}/{word}")).await?;
                println!("{:6.1} ms  task {task} waited for {delay} ms: {response}", time());
            }
            Ok(())
        });
    }
    executor.run()?;

    let sum: u64 = TASKS.iter().copied().flatten().map(|(delay, _)| delay).sum();
    println!("{:6.1} ms in total. One request after the other would have taken {sum} ms.", time());
    println!("Now try: other TASKS in examples/executor.rs; then cargo run --example delayed");
    server.stop()
}

/// Returns the body of the server's response. The code looks as if it blocked, but at each `await` other tasks can run.
async fn get(reactor: &Rc<RefCell<Reactor>>, addr: SocketAddr, path: &str) -> io::Result<String> {
    let mut socket = Socket::connect(reactor, addr).await?;
    let mut request = &write_request(addr, path)[..];
    while !request.is_empty() {
        let sent = socket.do_io(|stream| stream.write(request)).await?;
        request = &request[sent..];
    }
    let mut responses = Responses::default();
    let mut buffer = [0; 1024];
    loop {
        let count = socket.do_io(|stream| stream.read(&mut buffer)).await?;
        responses.push(&buffer[..count]);
        match responses.take() {
            Ok(Some(response)) => return Ok(response.text().into_owned()),
            Ok(None) if count == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(None) => {}
            Err(_) => return Err(io::Error::new(ErrorKind::InvalidData, "the response is not HTTP")),
        }
    }
}

/// A stream whose operations are futures.
struct Socket {
    stream: TcpStream,
    token: Token,
    reactor: Rc<RefCell<Reactor>>,
}

impl Socket {
    async fn connect(reactor: &Rc<RefCell<Reactor>>, addr: SocketAddr) -> io::Result<Socket> {
        let mut stream = TcpStream::connect(addr)?;
        let token = reactor.borrow_mut().register(&mut stream)?;
        let mut socket = Socket { stream, token, reactor: Rc::clone(reactor) };
        let is_connected = |stream: &mut TcpStream| match (stream.take_error()?, stream.peer_addr()) {
            (Some(err), _) => Err(err),
            (None, Err(err)) if err.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
            (None, result) => result,
        };
        socket.do_io(is_connected).await?;
        Ok(socket)
    }

    fn do_io<F, T>(&mut self, operation: F) -> Attempt<'_, F>
    where
        F: FnMut(&mut TcpStream) -> io::Result<T> + Unpin,
    {
        Attempt { socket: self, operation }
    }
}

/// The innermost future: an operation that is repeated until it does not return `WouldBlock`.
struct Attempt<'a, F> {
    socket: &'a mut Socket,
    operation: F,
}

impl<F, T> Future for Attempt<'_, F>
where
    F: FnMut(&mut TcpStream) -> io::Result<T> + Unpin,
{
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Attempt { socket, operation } = &mut *self;
        match operation(&mut socket.stream) {
            Err(err) if err.kind() == ErrorKind::WouldBlock => {
                socket.reactor.borrow_mut().waiting.insert(socket.token, context.waker().clone());
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

/// Waits for events and wakes the tasks that wait for them.
struct Reactor {
    poll: minimio::Poll,
    events: Events,
    waiting: HashMap<Token, Waker>,
    /// How many sockets were registered; the next token.
    sockets: usize,
}

impl Reactor {
    /// Registers a stream once, in edge mode, for both directions. A task waits only after `WouldBlock`, so its edge is
    /// still to come.
    fn register(&mut self, stream: &mut TcpStream) -> io::Result<Token> {
        let token = Token(self.sockets);
        self.sockets += 1;
        self.poll.registry().register(stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(token)
    }

    fn wait(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, None) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let tokens = self.events.iter().map(|event| event.token());
        for waker in tokens.filter_map(|token| self.waiting.remove(&token)) {
            waker.wake();
        }
        Ok(())
    }
}

/// Polls the woken tasks, one at a time.
struct Executor {
    reactor: Rc<RefCell<Reactor>>,
    tasks: HashMap<usize, (Task, Waker)>,
    spawned: usize,
    woken: Arc<Woken>,
}

type Task = Pin<Box<dyn Future<Output = io::Result<()>>>>;

impl Executor {
    fn new() -> io::Result<Executor> {
        let poll = minimio::Poll::new()?;
        let waker = minimio::Waker::new(poll.registry(), WOKEN)?;
        let woken = Arc::new(Woken { tasks: Mutex::default(), waker });
        let reactor = Reactor { poll, events: Events::with_capacity(64), waiting: HashMap::new(), sockets: 0 };
        Ok(Executor { reactor: Rc::new(RefCell::new(reactor)), tasks: HashMap::new(), spawned: 0, woken })
    }

    fn spawn(&mut self, task: impl Future<Output = io::Result<()>> + 'static) {
        let number = self.spawned;
        self.spawned += 1;
        let waker = Waker::from(Arc::new(TaskWaker { number, woken: Arc::clone(&self.woken) }));
        // A wake causes the first poll of a task too.
        waker.wake_by_ref();
        self.tasks.insert(number, (Box::pin(task), waker));
    }

    /// Runs until all tasks are done or one has failed.
    fn run(&mut self) -> io::Result<()> {
        while !self.tasks.is_empty() {
            match self.woken.next() {
                Some(number) => self.poll(number)?,
                None => self.reactor.borrow_mut().wait()?,
            }
        }
        Ok(())
    }

    fn poll(&mut self, number: usize) -> io::Result<()> {
        // A finished task can still be in the queue, if it was woken more than once.
        if let Some((task, waker)) = self.tasks.get_mut(&number) {
            if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(waker)) {
                self.tasks.remove(&number);
                return result;
            }
        }
        Ok(())
    }
}

/// The queue of woken tasks. Any thread may use a task's waker while the executor's thread is blocked in the reactor,
/// so a wake must also end that wait.
struct Woken {
    tasks: Mutex<VecDeque<usize>>,
    waker: minimio::Waker,
}

/// The token of `Woken::waker`. The tokens of sockets count up from 0.
const WOKEN: Token = Token(usize::MAX);

impl Woken {
    fn next(&self) -> Option<usize> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct TaskWaker {
    number: usize,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.tasks.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.number);
        // If this fails, the task is polled after the next event.
        let _ = self.woken.waker.wake();
    }
}
