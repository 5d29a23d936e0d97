#!/usr/bin/env bash
# Compares every constant, type, struct and function of the ffi.rs files with the real headers of each system and
# processor. A fact is one property that is compared, for example a value, a size, or the type of a parameter.
#
#     check.sh                        all targets
#     check.sh --self-test            all targets; then changes each fact in a copy and checks that the comparison fails
#     check.sh [--self-test] TARGET…  these targets, by rustc's names
#
# It prints a line for each target, with the number of facts and the differences from the headers. `exceptions` lists the
# allowed differences with their reasons. A declaration that the headers do not have, and an exception that no target
# uses, are errors. The last line counts targets, plus one for "every declaration exists on some target". `check.py`
# describes the method.
#
# `verification/setup/zig.sh` installs the headers and a compiler for them. The check needs `core`, type-checked for each
# target, and keeps it under ${MINIMIO_CACHE:-~/.cache/minimio}/headers. The first call takes a few minutes for that, unless
# `verification/setup/std-metadata.sh` has built it before. CARGO_TARGET_DIR is the build folder (default: `target` in the
# checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
cache=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/headers
unset RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTC_BOOTSTRAP

verification/setup/debian.sh python3 python3-venv
zig=$(verification/setup/zig.sh)
mkdir -p "$cache"
# The lock lets one process at a time fill the cache.
exec 9>"$cache/lock"
flock 9
source=$(verification/setup/rust-source.sh 9>&-)
/usr/bin/python3 -B verification/targets/headers/check.py --cache "$cache" --zig "$zig" --rust-source "$source" \
  --build "${CARGO_TARGET_DIR:-$PWD/target}/headers" "$@"
