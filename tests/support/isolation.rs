//! Runs a test in a child process of its own, so that no other test shares its descriptors, signal handlers and limits.

use std::any;
use std::env;
use std::process::{Command, Stdio};

use super::program::Program;
use super::WAIT_LIMIT;

/// The environment variable with the name of the test for which a child process was started.
const CHILD: &str = "MINIMIO_TEST_CHILD";

/// Runs `test`, a closure in the body of the test function, in a child process of its own. The closure's type has the
/// name of the test function in it, and the child runs the test of that name.
pub fn isolated<F: FnOnce()>(test: F) {
    run(Command::new(env::current_exe().unwrap()), test);
}

/// As `isolated`, in a process that can have at least 8192 descriptors open, if the system allows so many.
pub fn isolated_with_many_descriptors<F: FnOnce()>(test: F) {
    #[cfg(unix)]
    return isolated_with_descriptor_limit(8192, test);
    #[cfg(windows)]
    return isolated(test);
}

/// As `isolated`, in a process that can have no more than `limit` descriptors open.
#[cfg(unix)]
pub fn isolated_with_descriptor_limit<F: FnOnce()>(limit: u32, test: F) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!(r#"ulimit -n {limit} && exec "$0" "$@""#)]);
    command.arg(env::current_exe().unwrap());
    run(command, test);
}

fn run<F: FnOnce()>(mut command: Command, test: F) {
    let path = any::type_name::<F>().strip_suffix("::{{closure}}").unwrap();
    let (_crate, name) = path.split_once("::").unwrap();
    if env::var_os(CHILD).map_or(false, |child| child == name) {
        return test();
    }
    command.args(["--exact", name, "--nocapture", "--test-threads", "1"]);
    let (code, output) = Program::start(command.env(CHILD, name).stdin(Stdio::null())).finish_within(3 * WAIT_LIMIT);
    // "1 passed" shows that the child has found the test.
    assert!(code == Some(0) && output.contains("1 passed"), "the child process of {name} failed: {output}");
}
