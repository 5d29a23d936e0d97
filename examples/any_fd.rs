//! A source that the crate has no type for: any descriptor on Unix, any socket on Windows.
//!
//! ```text
//! cargo run --example any_fd                  # prints lines from a pipe of another process (Windows: from a socket)
//! ls | cargo run --example any_fd stdin       # prints its own standard input; on Unix only
//! ```
//!
//! The descriptor may be in blocking mode. This program must not make its standard input non-blocking, because the
//! shell shares that open file. Level mode works with a blocking source: after an event, *one* read does not block.
//! (Edge mode needs a non-blocking source, because the program reads until `WouldBlock`.)
//!
//! A regular file (`any_fd stdin <Cargo.toml`) never blocks, so it is not registered. Epoll would refuse the file with
//! `PermissionDenied`; a kqueue would report it as readable until its end, and then not at all.

mod arguments;

use std::io::{self, ErrorKind, Write};

use arguments::Arguments;
use minimio::event::Source;
use minimio::{Events, Interest, Poll, Token};

const USAGE: &str = "any_fd [stdin]

stdin  print the standard input (not on Windows: only sockets can be registered)";

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
        io::copy(&mut file, &mut io::stdout())?;
        println!("No events: this source never blocks, so it was read to its end without a poll.");
        Ok(())
    }
}

#[cfg(windows)]
mod system {
    use std::io::{self, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::windows::io::AsRawSocket;
    use std::thread;
    use std::time::Duration;

    use minimio::windows::SourceSocket;

    use super::Arguments;

    /// On Windows only sockets report readiness, so the source is a socket of the standard library.
    pub fn run(arguments: Arguments) -> io::Result<()> {
        arguments.end();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut sender = TcpStream::connect(listener.local_addr()?)?;
        let (mut receiver, _) = listener.accept()?;
        thread::spawn(move || {
            ["one", "two", "three"].iter().try_for_each(|word| {
                writeln!(sender, "{word}")?;
                thread::sleep(Duration::from_millis(100));
                io::Result::Ok(())
            })
        });
        let socket = receiver.as_raw_socket();
        super::print_all(&mut SourceSocket(&socket), |buffer| receiver.read(buffer))
    }
}
