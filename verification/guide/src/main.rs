//! The program of the guide's chapter *One registration, three kernels*, with a mark on standard error before and after
//! each step. `run.sh` runs it under strace and over the kqueue model, and compares the calls between the marks with
//! the chapter.

use std::io::{self, Read, Write};
use std::net;
use std::os::unix::io::AsRawFd;
use std::time::Duration;

use minimio::{Events, Interest, Poll, TcpStream, Token};

/// Runs `work` between two marks. Each mark is one call of `write`, so that it is one line in the trace.
fn step<R>(name: &str, work: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    io::stderr().write_all(format!("begin {name}\n").as_bytes())?;
    let result = work()?;
    io::stderr().write_all(b"end\n")?;
    Ok(result)
}

fn main() -> io::Result<()> {
    let server = net::TcpListener::bind("127.0.0.1:0")?;
    let mut peer = net::TcpStream::connect(server.local_addr()?)?;
    let (stream, _) = server.accept()?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    io::stderr().write_all(format!("name stream {}\n", stream.as_raw_fd()).as_bytes())?;

    let mut poll = step("Poll::new", Poll::new)?;
    let mut events = Events::with_capacity(16);
    step("register", || poll.registry().register(&mut stream, Token(7), Interest::READABLE))?;

    peer.write_all(b"hello")?;
    step("poll", || poll.poll(&mut events, None))?;
    assert!(events.iter().next().expect("an event").is_readable());
    let mut buffer = [0; 16];
    assert_eq!(stream.read(&mut buffer)?, 5);

    step("poll", || poll.poll(&mut events, Some(Duration::ZERO)))?;
    assert!(events.is_empty());
    step("deregister", || poll.registry().deregister(&mut stream))?;
    step("poll", || poll.poll(&mut events, Some(Duration::ZERO)))?;
    assert!(events.is_empty());
    Ok(())
}
