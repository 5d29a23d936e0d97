#!/usr/bin/env bash
# Holds every constant, type, struct and function of the ffi.rs files to the real headers of each system and processor.
#
#     check.sh                        all targets
#     check.sh --self-test            the same, and changes each of them in a copy, and sees that it is noticed
#     check.sh [--self-test] TARGET…  those, by rustc's names
#
# It prints a line for each target, with the number of facts, and what is not as the headers say. What is not held to
# headers stands in `exceptions`, with its reason; anything else that they don't have is an error, as is an exception
# without need. The last line counts targets, and as one more that nothing is left out. `check.py` tells how it is done.
#
# The headers, and a compiler for them, come with the `zig` that `ziglang.sh` brings, and are kept under
# ${MINIMIO_CACHE:-~/.cache/minimio}/headers; so is `core`, type-checked for each target from the source that
# `rust-src.sh` brings, which takes the first call a few minutes, unless `check-targets.sh` has done so before.
# CARGO_TARGET_DIR says where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
lab=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/headers
unset RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_BOOTSTRAP

verification/setup/debian.sh python3 python3-venv
zig=$(verification/setup/zig.sh)
mkdir -p "$lab"
# One at a time: whoever comes second finds the work done.
exec 9>"$lab/lock"
flock 9
source=$(verification/setup/rust-source.sh 9>&-)
/usr/bin/python3 -B verification/targets/headers/check.py --cache "$lab" --zig "$zig" --rust-source "$source" \
  --build "${CARGO_TARGET_DIR:-$PWD/target}/headers" "$@"
