#!/usr/bin/env bash
# The standard library of other targets, type-checked, not compiled: its metadata is all that `cargo check` and rustdoc need.
#
#     sysroot=$(verification/setup/std-metadata.sh TARGET …)
#     CARGO_ENCODED_RUSTFLAGS=$'--sysroot\x1f'$sysroot cargo check --target TARGET
#
# Prints the folder that has it. Both cores have work, since cargo sees all targets at once; what is there already takes no
# time. CARGO_TARGET_DIR says where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. verification/setup/rust-source.sh
library=$__CARGO_TESTS_ONLY_SRC_ROOT
# One folder for each compiler: metadata of two would not mix.
std=${CARGO_TARGET_DIR:-$PWD/target}/std-checked-$(rustc -vV | sed -n 's/^commit-hash: //p')
sysroot=$std/sysroot
flags=()
for target in "$@"; do
  flags+=(--target "$target")
done
echo "the standard library for $# targets" >&2
RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$std CARGO_ENCODED_RUSTFLAGS=$'-Zforce-unstable-if-unmarked\x1f-Awarnings' \
  cargo check --quiet --locked --manifest-path "$library/sysroot/Cargo.toml" --package test "${flags[@]}" >&2
for target in "$@"; do
  rm -rf "$sysroot/lib/rustlib/$target"
  mkdir -p "$sysroot/lib/rustlib/$target/lib"
  cp "$std/$target/debug/deps"/*.rmeta "$sysroot/lib/rustlib/$target/lib/"
done
echo "$sysroot"
