#!/usr/bin/env bash
# Holds the model to what a kernel does: runs a C program of seventeen scenarios with it, and compares what that prints with
# what it printed on NetBSD 11. What differs must be exactly what `differences` lists. Then links a Rust program to the
# model as the crate is linked to it.
#
# CARGO_TARGET_DIR says where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
../../setup/debian.sh gcc libc6-dev diffutils
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(cd ../../.. && pwd)/target}
cargo build --quiet --release --manifest-path ../model/Cargo.toml
library=$CARGO_TARGET_DIR/release
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0

# The program prints what fails, so the compiler need not warn that it goes on.
gcc -w -pthread kqueue-trace.c -o "$out/kqueue-trace" -L"$library" -lkqueue_model -Wl,-rpath,"$library"
# The last scenario opens as many pipes as it may.
(ulimit -n 1024 && timeout 60 "$out/kqueue-trace") >"$out/trace"
diff netbsd-11.trace "$out/trace" >"$out/differences" || (($? == 1))
if diff <(grep -vE '^(#|$)' differences) "$out/differences"; then
  echo "ok  $(wc -l <netbsd-11.trace) lines, of which $(grep -c '^<' "$out/differences") differ as listed"
  passed=$((passed + 1))
else
  echo "not the differences that are listed (<), but others (>)"
  failed=$((failed + 1))
fi

rustc --edition 2021 --test linked.rs -o "$out/linked" \
  -L native="$library" -l dylib=kqueue_model -C link-arg=-Wl,-rpath,"$library"
if "$out/linked" --quiet --test-threads=1 >"$out/linked.log" 2>&1; then
  echo "ok  a Rust program, linked as the crate is"
  passed=$((passed + 1))
else
  cat "$out/linked.log"
  failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
((failed == 0))
