#!/usr/bin/env bash
# Type-checks the standard library for other targets: `cargo check` and rustdoc need its metadata only, no compiled code.
#
#     sysroot=$(verification/setup/std-metadata.sh TARGET …)
#     CARGO_ENCODED_RUSTFLAGS=$'--sysroot\x1f'$sysroot cargo check --target TARGET
#
# Prints the folder with the metadata, which is kept under ${MINIMIO_CACHE:-~/.cache/minimio}, because it depends only on
# the compiler. One call of cargo gets all targets and uses all cores; it skips targets that are up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. verification/setup/rust-source.sh
library=$__CARGO_TESTS_ONLY_SRC_ROOT
# One folder for each compiler: rustc rejects the metadata of another version.
std=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/std-checked-$(rustc -vV | sed -n 's/^commit-hash: //p')
sysroot=$std/sysroot
flags=()
for target in "$@"; do
  flags+=(--target "$target")
done
echo "type-checking the standard library for $# targets" >&2
# The settings of a profile are a part of the file names, and the folder must have one set of files for each target.
unset "${!CARGO_PROFILE_@}"
RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$std CARGO_ENCODED_RUSTFLAGS=$'-Zforce-unstable-if-unmarked\x1f-Awarnings' \
  cargo check --quiet --locked --manifest-path "$library/sysroot/Cargo.toml" --package test "${flags[@]}" >&2
for target in "$@"; do
  rm -rf "$sysroot/lib/rustlib/$target"
  mkdir -p "$sysroot/lib/rustlib/$target/lib"
  cp --link "$std/$target/debug/deps"/*.rmeta "$sysroot/lib/rustlib/$target/lib/"
done
echo "$sysroot"
