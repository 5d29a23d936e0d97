//! Programs that a test starts: the examples, and the test binary itself.

use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[cfg(windows)]
use {
    minimio::signal::{Signal, Signals},
    std::{io, net::TcpStream, sync::Once},
};

use super::WAIT_LIMIT;

/// Returns the path of an example program, built with the profile of this test. `cargo test` builds the examples, but
/// `cargo test --test` does not, so this builds them if they are missing (except under Wine).
pub fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name.to_owned() + env::consts::EXE_SUFFIX);
    if !path.exists() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
        // Under Wine, cargo is a program of Linux, which would create a folder with the name `Z:\…`.
        let understands_path = Path::new(&cargo).is_absolute();
        assert!(understands_path, "{} is missing: run `cargo build --examples` first", path.display());
        let name = match profile.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--examples", "--profile", name, "--target-dir"])
            .arg(profile.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(path.exists(), "cannot build {} ({built:?}): run `cargo build --examples` first", path.display());
    }
    path
}

/// Sends SIGINT to a program, as Ctrl-C does in its terminal. Returns whether this is possible.
#[cfg(unix)]
pub fn interrupt(program: &Program) -> bool {
    let status = Command::new("kill").args(["-s", "INT", &program.0.id().to_string()]).status();
    assert!(status.unwrap().success());
    true
}

/// Presses Ctrl-C in the console of all programs. Returns whether this is possible.
#[cfg(windows)]
pub fn interrupt(_: &Program) -> bool {
    press_ctrl_c()
}

/// Requests Ctrl-C from `verification/windows/ctrl-c.py`, and waits until this process has received it. Returns false
/// if that program does not run the test, because only a terminal can press a key in a console.
#[cfg(windows)]
pub fn press_ctrl_c() -> bool {
    let addr = match env::var("MINIMIO_TEST_CONSOLE") {
        Ok(addr) => addr,
        Err(_) => {
            println!("not tested here: this needs a console, in which verification/windows/ctrl-c.sh runs this test");
            return false;
        }
    };
    static READ_INPUT: Once = Once::new();
    READ_INPUT.call_once(|| {
        // Wine's console handles keys only while a program reads from the console.
        thread::spawn(|| io::copy(&mut io::stdin(), &mut io::sink()));
    });
    let (mut poll, mut events) = super::poll();
    let mut signals = Signals::new(&[Signal::INTERRUPT]).unwrap();
    poll.registry().register(&mut signals, super::SOURCE, super::READ).unwrap();
    drop(TcpStream::connect(addr).unwrap());
    super::wait_until_readable(&mut poll, &mut events);
    assert_eq!((signals.receive(), signals.receive()), (Some(Signal::INTERRUPT), None));
    true
}

/// A running program, which is killed when this is dropped.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        // Both calls fail only if the program has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    pub fn start(command: &mut Command) -> Program {
        Program(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until the program has ended. Returns its exit code and what it printed.
    pub fn finish(self) -> (Option<i32>, String) {
        self.finish_within(2 * WAIT_LIMIT)
    }

    pub fn finish_within(mut self, limit: Duration) -> (Option<i32>, String) {
        let (sender, output) = mpsc::channel();
        let (mut stdout, mut stderr) = (self.0.stdout.take().unwrap(), self.0.stderr.take().unwrap());
        thread::spawn(move || {
            let mut text = Vec::new();
            let read = stdout.read_to_end(&mut text).and_then(|_| stderr.read_to_end(&mut text));
            sender.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()))
        });
        let printed = output.recv_timeout(limit).unwrap_or_else(|_| {
            // When the program is dead, its pipes are closed, and the output until then can be shown.
            let _ = self.0.kill();
            let printed = output.recv_timeout(WAIT_LIMIT).map(|text| text.unwrap_or_default()).unwrap_or_default();
            panic!("the program has not ended within {limit:?}, and has printed: {printed}");
        });
        (self.0.wait().unwrap().code(), printed.unwrap())
    }
}
