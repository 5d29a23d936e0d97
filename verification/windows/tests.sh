#!/usr/bin/env bash
# Runs the tests as Windows programs under Wine, then the example `delayed`; with `release`, also `delayed_load`. Only
# `debug` runs the doctests.
#
#     tests.sh debug | release | i686 | rust-1.63
#
# i686 runs the tests as 32-bit programs, in debug mode.
# rust-1.63 is Debian's own compiler, with Debian's standard library for Windows. Its cargo runs no doctests of other targets. It also
# type-checks `compat/polling`.
#
# A test program that takes longer than MINIMIO_WINE_LIMIT seconds (default: 300) is killed and fails.
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
cargo=cargo profile=() tests=(--lib --tests) target=x86_64-pc-windows-gnu
case ${1:-} in
debug) tests=() ;;
i686)
  target=i686-pc-windows-gnu
  # A 32-bit program crashes while it prints a backtrace, in Wine's dbghelp.dll.
  export RUST_BACKTRACE=0
  ;;
release) profile=(--release) ;;
rust-1.63) verification/setup/debian.sh rustc cargo libstd-rust-dev-windows ;;
*)
  echo "usage: tests.sh debug | release | i686 | rust-1.63" >&2
  exit 2
  ;;
esac
. verification/setup/wine-setup.sh

if [[ $1 == rust-1.63 ]]; then
  cargo=/usr/bin/cargo
  export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc CARGO_TARGET_DIR=$CARGO_TARGET_DIR/minimum-rust
  unset CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTDOCFLAGS
  $RUSTC -V | grep '^rustc 1\.63\.' || { echo "$RUSTC is not Rust 1.63" >&2 && exit 1; }
fi
status=0
# With a selection of targets, `cargo test` does not build the examples, which tests run.
$cargo build --examples --target "$target" "${profile[@]}" || status=1
$cargo test --no-fail-fast --target "$target" "${profile[@]}" "${tests[@]}" || status=1
$cargo run --quiet --target "$target" "${profile[@]}" --example delayed || status=1
if [[ $1 == release ]]; then
  # A thousand requests wait at the same time.
  $cargo run --quiet --target "$target" --release --example delayed_load 1000 3000 || status=1
fi
if [[ $1 == rust-1.63 ]]; then
  $cargo check --quiet --tests --manifest-path compat/polling/Cargo.toml --target "$target" || status=1
fi
exit $status
