//! The examples, as programs that a test starts.

use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::support::PATIENCE;

/// An example program of this package, in the profile of this test. `cargo test` has built it; `cargo test --test` has
/// not.
pub fn example(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name.to_owned() + env::consts::EXE_SUFFIX);
    if !path.exists() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
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

/// A program that is ended with this.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    pub fn start(command: &mut Command) -> Program {
        Program(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits for its end. Its exit code, and what it has printed.
    pub fn finish(mut self) -> (Option<i32>, String) {
        let (sender, output) = mpsc::channel();
        let (mut stdout, mut stderr) = (self.0.stdout.take().unwrap(), self.0.stderr.take().unwrap());
        thread::spawn(move || {
            let mut text = Vec::new();
            let read = stdout.read_to_end(&mut text).and_then(|_| stderr.read_to_end(&mut text));
            sender.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()))
        });
        let output = output.recv_timeout(PATIENCE * 2).expect("the program ends").unwrap();
        (self.0.wait().unwrap().code(), output)
    }
}
