#!/usr/bin/env bash
# Runs the crate's tests with the queue for kqueue on Linux, over the model of kqueue. Without arguments, also runs the
# example `delayed`, and a program that counts the calls of `kevent`.
#
#     tests.sh [argument of cargo test …]
#
# KQUEUE_MODEL and KQUEUE_MODEL_FAULTS select the modelled system and random faults: see model/README.md.
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target/kqueue-model
cargo build --quiet --release --manifest-path verification/kqueue/model/Cargo.toml
model=$CARGO_TARGET_DIR/release

export CARGO_TARGET_DIR=$target/kqueue
export RUSTFLAGS="--cfg minimio_kqueue -L native=$model -l dylib=kqueue_model -C link-arg=-Wl,-rpath,$model"
export RUSTDOCFLAGS="--cfg minimio_kqueue -L native=$model -C link-arg=-Wl,-rpath,$model"
status=0
cargo test --no-fail-fast "$@" || status=1
if (($# == 0)); then
  cargo run --quiet --example delayed || status=1
  cargo run --quiet --manifest-path verification/kqueue/counted/Cargo.toml || status=1
fi
exit $status
