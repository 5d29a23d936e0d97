#!/usr/bin/env bash
# Runs the stress test, and the tests of wakers, timers, registrations, descriptors, signals and children, under
# ThreadSanitizer, which reports data races.
#
#     thread-sanitizer.sh [seconds]      (of the stress test; default: 60)
#
# The standard library is built with the sanitizer too, from the source that `setup/rust-source.sh` installs. Nothing is
# suppressed.
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
verification/setup/debian.sh gcc libc6-dev
. verification/setup/rust-source.sh
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/thread-sanitizer
export RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 RUSTFLAGS="-Zsanitizer=thread" RUSTDOCFLAGS="-Zsanitizer=thread"
# The first report ends the program with this status. The sanitizer cannot report a race whose earlier access has left
# its history, so the history is as large as possible.
export TSAN_OPTIONS="halt_on_error=1 exitcode=66 history_size=7"
target=x86_64-unknown-linux-gnu
std=(-Zbuild-std=std,panic_unwind,test --target "$target")

# Checks that the sanitizer reports a deliberate race. Otherwise its silence about the tests would mean nothing.
self_test() {
  local scratch status=0
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' RETURN
  mkdir "$scratch/src"
  printf '[package]\nname = "race"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' >"$scratch/Cargo.toml"
  cat >"$scratch/src/main.rs" <<'RUST'
use std::sync::atomic::{AtomicUsize, Ordering};

static mut COUNT: usize = 0;
static STARTED: AtomicUsize = AtomicUsize::new(0);

// Each thread waits until both have started. Otherwise, on a busy machine, one thread could end before the other
// starts, and there would be no race. The relaxed accesses order nothing else. Each thread counts only a few times:
// after many accesses, the first one has left the sanitizer's history, and the race is not reported.
fn count() {
    STARTED.fetch_add(1, Ordering::Relaxed);
    while STARTED.load(Ordering::Relaxed) < 2 {
        std::thread::yield_now();
    }
    for _ in 0..100 {
        unsafe { COUNT += 1 };
    }
}

fn main() {
    let thread = std::thread::spawn(count);
    count();
    thread.join().unwrap();
}
RUST
  cargo build --quiet "${std[@]}" --manifest-path "$scratch/Cargo.toml"
  "$CARGO_TARGET_DIR/$target/debug/race" >"$scratch/output" 2>&1 || status=$?
  if ((status != 66)) || ! grep -q 'WARNING: ThreadSanitizer: data race' "$scratch/output"; then
    echo "the deliberate race was not reported (status $status):"
    cat "$scratch/output"
    return 1
  fi
  echo "the deliberate race: reported"
}

self_test
# A release build is faster, so accesses of the threads overlap more often.
MINIMIO_STRESS_SECONDS=$seconds cargo test --quiet --release "${std[@]}" --test stress -- --nocapture
cargo test --quiet --no-fail-fast "${std[@]}" --test behaviour -- wake:: timer:: registration:: source_fd:: unix:: poll_descriptor::
# A thousand children with the sanitizer need too much memory, and the sanitizer makes `fork` slow. The sanitizer keeps
# its own table of actions, so its `sigaction` does not replace an action in one step, as the kernel does. It delays a
# signal that arrives during a handler.
MINIMIO_SIGNAL_THIS_THREAD=1 cargo test --quiet --no-fail-fast "${std[@]}" --test isolated -- \
  signals:: sigpipe:: received_signals:: signal_handlers:: child_exits --skip many_children --skip child_of_fork \
  --skip a_handler_that_another_thread_installs_at_the_same_time --skip interrupted_by_its_own_signal
