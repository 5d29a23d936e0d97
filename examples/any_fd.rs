//! What the crate has no type for, as a source: any descriptor on Unix, any socket on Windows.
//!
//! ```text
//! cargo run --example any_fd                  # what another process prints, through a pipe
//! ls | cargo run --example any_fd stdin       # what is typed or piped in; on Unix only
//! ```
//!
//! It may be one that blocks. To switch the standard input to non-blocking would switch the shell's, and is not needed:
//! in level mode, an event says that there is something, and whoever reads *once* does not wait. (Edge mode is for what
//! does not block: there, a program reads until `WouldBlock`.)
//!
//! A regular file is another matter (`any_fd stdin <Cargo.toml`): nobody ever waits for one, so it is not registered.
//! Epoll would refuse it, with `PermissionDenied`; a kqueue would say that it is readable until its end, then nothing.

use std::io::{self, ErrorKind, Write};

use minimio::event::Source;
use minimio::{Events, Interest, Poll, Token};

fn main() -> io::Result<()> {
    system::run()?;
    println!("Now try: a buffer of two bytes; then cargo run --example delayed");
    Ok(())
}

/// Prints what `read` brings whenever `source` is readable, until the end of it.
fn print_all(source: &mut impl Source, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    poll.registry().register(source, Token(0), Interest::READABLE.level())?;
    let mut buffer = [0; 1024];
    loop {
        match poll.poll(&mut events, None) {
            // A signal came, and nothing else.
            Err(err) if err.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        // There is one source, so this is its event.
        match read(&mut buffer)? {
            // The crate would not see it close: it is told before.
            0 => return poll.registry().deregister(source),
            count => io::stdout().write_all(&buffer[..count])?,
        }
    }
}

#[cfg(unix)]
mod system {
    use std::env;
    use std::fs::File;
    use std::io::{self, ErrorKind, Read};
    use std::os::unix::io::{AsFd, AsRawFd, OwnedFd};
    use std::process::{Command, Stdio};

    use minimio::unix::SourceFd;

    pub fn run() -> io::Result<()> {
        if env::args().nth(1).as_deref() == Some("stdin") {
            // Not `io::stdin()` itself: that reads ahead, into a buffer of its own that no poll knows of.
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
                // Nobody waits for `/dev/null` either.
                Err(err) if err.kind() == ErrorKind::PermissionDenied => {}
                result => return result,
            }
        }
        io::copy(&mut file, &mut io::stdout()).map(drop)
    }
}

#[cfg(windows)]
mod system {
    use std::env;
    use std::io::{self, ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::windows::io::AsRawSocket;
    use std::thread;
    use std::time::Duration;

    use minimio::windows::SourceSocket;

    /// Only sockets can be asked whether they are ready, so here it is one, of the standard library's.
    pub fn run() -> io::Result<()> {
        if env::args().nth(1).is_some() {
            return Err(io::Error::new(ErrorKind::Unsupported, "only sockets can be waited for here"));
        }
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
