//! A source that the crate has no type for: any descriptor on Unix, any socket on Windows.
//!
//! ```text
//! cargo run --example any_fd                  # prints lines from a pipe of another process (Windows: from a socket)
//! ls | cargo run --example any_fd stdin       # prints its own standard input
//! ```
//!
//! The descriptor may be in blocking mode. This program must not make its standard input non-blocking, because the
//! shell shares that open file. Level mode works with a blocking source: after an event, *one* read does not block.
//! (Edge mode needs a non-blocking source, because the program reads until `WouldBlock`.)
//!
//! Standard input can be a pipe, a terminal or a file, and what a program can register depends on it:
//!
//! | | Unix | Windows |
//! |---|---|---|
//! | a pipe, a terminal | the descriptor | nothing: a thread reads, and a waker reports what it has read |
//! | a regular file, which never blocks | nothing: the program reads it to its end | nothing, as on Unix |
//!
//! Epoll would refuse a regular file (`any_fd stdin <Cargo.toml`) with `PermissionDenied`; a kqueue would report it as
//! readable until its end, and then not at all.

mod arguments;

use std::io::{self, ErrorKind, Read, Write};

use arguments::Arguments;
use minimio::event::Source;
use minimio::{Events, Interest, Poll, Token};

const USAGE: &str = "any_fd [stdin]

stdin  print the standard input: a pipe, a terminal or a file";

fn main() -> io::Result<()> {
    system::run(Arguments::read(USAGE))?;
    println!("Now try: BUFFER_SIZE = 2 in examples/any_fd.rs; then cargo run --example book");
    Ok(())
}

const SOURCE: Token = Token(0);

/// How many bytes the program reads after each event. In level mode, a smaller buffer only means more events.
const BUFFER_SIZE: usize = 1024;

/// Calls `read` whenever `source` is readable and prints the bytes, until `read` returns 0. Then prints the number of
/// events.
fn print_all(source: &mut impl Source, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    poll.registry().register(source, SOURCE, Interest::READABLE.level())?;
    let mut buffer = [0; BUFFER_SIZE];
    let mut reads = 0;
    loop {
        match poll.poll(&mut events, None) {
            // A signal interrupted the wait.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        // Only one source is registered, so there is one event, and it is from that source.
        reads += 1;
        match read(&mut buffer)? {
            0 => break,
            count => io::stdout().write_all(&buffer[..count])?,
        }
    }
    // `SourceFd` and `SourceSocket` only borrow the descriptor, so deregister it before it is closed.
    poll.registry().deregister(source)?;
    println!("{reads} events, each followed by one read of at most {BUFFER_SIZE} bytes: no read blocked.");
    Ok(())
}

/// Prints a file that never blocks.
fn print_without_poll(file: &mut impl Read) -> io::Result<()> {
    io::copy(file, &mut io::stdout())?;
    println!("No events: this source never blocks, so it was read to its end without a poll.");
    Ok(())
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io::{self, ErrorKind, Read};
    use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
    use std::process::{Command, Stdio};

    use minimio::unix::SourceFd;

    use super::Arguments;

    pub fn run(mut arguments: Arguments) -> io::Result<()> {
        let reads_stdin = arguments.word("stdin");
        arguments.end();
        if reads_stdin {
            // Read from a duplicate of the descriptor. A read through `io::stdin()` would read ahead into a buffer, and
            // no event reports the bytes in that buffer.
            return print_file(io::stdin().as_fd().try_clone_to_owned()?.into());
        }
        let script = "for word in one two three; do echo $word; sleep 0.1; done";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn()?;
        if let Some(output) = child.stdout.take() {
            print_file(OwnedFd::from(output).into())?;
        }
        child.wait().map(drop)
    }

    fn print_file(mut file: File) -> io::Result<()> {
        if !file.metadata()?.is_file() {
            let fd = file.as_raw_fd();
            match super::print_all(&mut SourceFd(&fd), |buffer| (&file).read(buffer)) {
                // Epoll refuses this descriptor because it never blocks, for example `/dev/null`. Read it to its end.
                Err(err) if err.kind() == ErrorKind::PermissionDenied => {}
                result => return result,
            }
        }
        super::print_without_poll(&mut file)
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io::{self, ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::windows::io::{AsHandle, AsRawSocket};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use minimio::windows::SourceSocket;
    use minimio::{Events, Poll, Waker};

    use super::{Arguments, BUFFER_SIZE, SOURCE};

    pub fn run(mut arguments: Arguments) -> io::Result<()> {
        let reads_stdin = arguments.word("stdin");
        arguments.end();
        if !reads_stdin {
            return print_socket();
        }
        let mut stdin = File::from(io::stdin().as_handle().try_clone_to_owned()?);
        // A pipe and a console have no metadata.
        match stdin.metadata() {
            Ok(metadata) if metadata.is_file() => super::print_without_poll(&mut stdin),
            _ => print_by_thread(stdin),
        }
    }

    /// The source is a socket of the standard library.
    fn print_socket() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut sender = TcpStream::connect(listener.local_addr()?)?;
        let (mut receiver, _) = listener.accept()?;
        thread::spawn(move || {
            ["one", "two", "three"].iter().try_for_each(|word| {
                sender.write_all(format!("{word}\n").as_bytes())?;
                thread::sleep(Duration::from_millis(100));
                io::Result::Ok(())
            })
        });
        let socket = receiver.as_raw_socket();
        super::print_all(&mut SourceSocket(&socket), |buffer| receiver.read(buffer))
    }

    /// Reads a pipe or a console in a thread, because Windows cannot wait for the bytes of a pipe that it has opened
    /// for blocking reads.
    fn print_by_thread(mut file: File) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(16);
        let waker = Waker::new(poll.registry(), SOURCE)?;
        let (sender, received) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut buffer = [0; BUFFER_SIZE];
            loop {
                let result = match file.read(&mut buffer) {
                    // The process at the other end has closed the pipe.
                    Err(err) if err.kind() == ErrorKind::BrokenPipe => Ok(Vec::new()),
                    result => result.map(|count| buffer[..count].to_vec()),
                };
                let is_end = result.as_ref().map_or(true, Vec::is_empty);
                // Send first, and wake then: the polling thread looks into the channel after the event.
                if sender.send(result).is_err() || waker.wake().is_err() || is_end {
                    // Dropping the waker would discard its event.
                    return waker;
                }
            }
        });
        let mut count = 0;
        loop {
            poll.poll(&mut events, None)?;
            count += 1;
            // Several wakes can be one event.
            while let Ok(bytes) = received.try_recv() {
                let bytes = bytes?;
                if bytes.is_empty() {
                    let _waker = reader.join();
                    println!("{count} events, each by the waker of a thread that reads: this thread never blocked.");
                    return Ok(());
                }
                io::stdout().write_all(&bytes)?;
            }
        }
    }
}
