#!/usr/bin/env bash
# Compares the system calls that the guide's chapter *One registration, three kernels* shows with those that the
# program in `src/` makes: on epoll, under strace, and on kqueue, over the model. (A test of
# `verification/windows/fake-afd` compares the calls of IOCP.) Also checks that a wrong transcript is detected.
#
#     run.sh
#
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
../setup/debian.sh strace python3
target=${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

count() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

CARGO_TARGET_DIR=$target cargo build --quiet
strace -qq -s 400 -o "$work/strace" "$target/debug/guide-transcripts" 2>"$work/errors" || cat "$work/errors"
count ./compare.py strace "$work/strace"

CARGO_TARGET_DIR=$target/kqueue-model cargo build --quiet --release --manifest-path ../kqueue/model/Cargo.toml
model=$target/kqueue-model/release
export RUSTFLAGS="--cfg minimio_kqueue -L native=$model -l dylib=kqueue_model -C link-arg=-Wl,-rpath,$model"
CARGO_TARGET_DIR=$target/kqueue cargo build --quiet
KQUEUE_MODEL=trace "$target/kqueue/debug/guide-transcripts" 2>"$work/model" || cat "$work/model"
count ./compare.py model "$work/model"

# A trace that lacks a call, or has another token, must be detected.
grep -v EPOLL_CTL_DEL "$work/strace" >"$work/without"
sed 's/udata=7/udata=8/' "$work/model" >"$work/changed"
for wrong in "strace $work/without" "model $work/changed"; do
  # shellcheck disable=SC2086 # Two words.
  output=$(./compare.py $wrong) || true
  if [[ $output != *"differs from the trace"* ]]; then
    echo "not detected: $wrong"
    failed=$((failed + 1))
  else
    passed=$((passed + 1))
  fi
done
echo "$passed passed, $failed failed"
((failed == 0))
