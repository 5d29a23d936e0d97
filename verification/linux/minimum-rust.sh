#!/usr/bin/env bash
# Runs the tests with the minimum Rust version: Debian 12's own compiler, which is installed beside rustup's. Also
# type-checks `compat/polling` with it, for Linux and for kqueue.
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
verification/setup/debian.sh rustc cargo gcc libc6-dev
export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/minimum-rust
$RUSTC -V
$RUSTC -V | grep -q '^rustc 1\.63\.' || { echo "$RUSTC is not Rust 1.63" >&2 && exit 1; }
/usr/bin/cargo test --quiet --no-fail-fast
for flags in "" "--cfg minimio_kqueue"; do
  RUSTFLAGS=$flags /usr/bin/cargo check --quiet --tests --manifest-path compat/polling/Cargo.toml
done
