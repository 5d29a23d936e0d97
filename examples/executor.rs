//! `async fn` without a runtime: an executor and a reactor, by hand.
//!
//! ```text
//! cargo run --example executor
//! ```
//!
//! A future does nothing by itself. Somebody polls it; when it can't go on, it leaves its waker with somebody who will
//! know when it can; and when that has used the waker, it is polled again. These three go round in a circle:
//!
//! ```text
//!              polls who was woken              tries, and leaves its waker
//!   Executor ──────────────────────► Attempt ───────────────────────────────► Reactor
//!      ▲                                                                         │
//!      └─────────────────────────────────────────────────────────────────────────┘
//!                       waits for events, and wakes whom they are for
//! ```

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

/// What each task asks for, one after the other: how many milliseconds to wait, and what to answer then.
const TASKS: [&[(u64, &str)]; 3] =
    [&[(700, "all")], &[(200, "one"), (400, "them")], &[(300, "thread"), (200, "awaits")]];

fn main() -> io::Result<()> {
    let server = Background::start(Server::bind(([127, 0, 0, 1], 0).into(), Limits::default(), io::sink())?)?;
    let addr = server.addr();
    let mut executor = Executor::new()?;
    let start = Instant::now();
    let time = move || start.elapsed().as_secs_f64() * 1000.0;

    for (task, requests) in TASKS.iter().enumerate() {
        let reactor = Rc::clone(&executor.reactor);
        executor.spawn(async move {
            for (delay, word) in *requests {
                let answer = get(&reactor, addr, &format!("/{delay}/{word}")).await?;
                println!("{:6.1} ms  task {task} has waited for {delay} ms: {answer}", time());
            }
            Ok(())
        });
    }
    executor.run()?;

    let sum: u64 = TASKS.iter().copied().flatten().map(|(delay, _)| delay).sum();
    println!("{:6.1} ms  is all it took. One after the other, it would have been {sum} ms.", time());
    println!("Now try: all the requests in one task; then cargo run --example book");
    server.stop()
}

/// What the server answers. It reads as if it blocked; each `await` is a place where others have their turn.
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
            Ok(Some(response)) => return Ok(String::from_utf8_lossy(&response.body).into_owned()),
            Ok(None) if count == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(None) => {}
            Err(_) => return Err(io::Error::new(ErrorKind::InvalidData, "the answer is not HTTP")),
        }
    }
}

/// A stream that can be awaited.
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

/// The future below all others: an operation that is tried until it is done, or has failed.
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

/// Waits for events, and knows who else waits for them.
struct Reactor {
    poll: minimio::Poll,
    events: Events,
    waiting: HashMap<Token, Waker>,
    sockets: usize,
}

impl Reactor {
    /// In edge mode, once and for everything: whoever waits has been told `WouldBlock`, so the edge is still to come.
    fn register(&mut self, stream: &mut TcpStream) -> io::Result<Token> {
        let token = Token(self.sockets);
        self.sockets += 1;
        self.poll.registry().register(stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(token)
    }

    fn wait(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, None) {
            // A signal came, and nothing else.
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

/// Polls tasks, one at a time.
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
        // It is polled for the first time as it is ever after.
        waker.wake_by_ref();
        self.tasks.insert(number, (Box::pin(task), waker));
    }

    /// Goes on until all tasks are done, or one has failed.
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
        // If it is done and gone, somebody has woken it once too often.
        if let Some((task, waker)) = self.tasks.get_mut(&number) {
            if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(waker)) {
                self.tasks.remove(&number);
                return result;
            }
        }
        Ok(())
    }
}

/// The tasks that were woken. Any thread may use a task's waker, while this one waits in the reactor and sees no queue:
/// so the reactor has to be woken as well.
struct Woken {
    tasks: Mutex<VecDeque<usize>>,
    waker: minimio::Waker,
}

/// The token of that waker. Sockets count from 0.
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
        // If this fails, the task goes on with the next event.
        let _ = self.woken.waker.wake();
    }
}
