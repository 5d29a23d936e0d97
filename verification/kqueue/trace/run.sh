#!/usr/bin/env bash
# Compares the model with a kernel: runs a C program of eighteen scenarios over the model, and compares its output with
# the output on NetBSD 11. The differences must be exactly those that `differences` lists.
#
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
../../setup/debian.sh gcc libc6-dev diffutils
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(cd ../../.. && pwd)/target}
cargo build --quiet --release --manifest-path ../model/Cargo.toml
library=$CARGO_TARGET_DIR/release
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# -w: the program prints errors and continues, so warnings about unchecked results are not useful.
gcc -w -pthread kqueue-trace.c -o "$out/kqueue-trace" -L"$library" -lkqueue_model -Wl,-rpath,"$library"
# The last scenario opens as many pipes as the limit allows.
(ulimit -n 1024 && timeout 60 "$out/kqueue-trace") >"$out/trace"
# How many periods of a timer pass during a sleep depends on the load of the machine.
without_periods() { sed -E 's/(data = expirations: .* data=)([2-9]|[1-9][0-9]+)\]/\1(>1)]/' "$1"; }
diff <(without_periods netbsd-11.trace) <(without_periods "$out/trace") >"$out/differences" || (($? == 1))
if diff <(grep -vE '^(#|$)' differences) "$out/differences"; then
  echo "ok  $(wc -l <netbsd-11.trace) lines, of which $(grep -c '^<' "$out/differences") differ as listed"
  echo "1 passed, 0 failed"
else
  echo "the differences (>) are not the listed ones (<)"
  echo "0 passed, 1 failed"
  exit 1
fi
