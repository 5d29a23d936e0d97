#!/usr/bin/env bash
# Type-checks the library, the tests and the examples for every kind of machine that a backend is for, layout assertions
# included; and that on systems without a backend the crate stops with one error, its own.
#
#     check-targets.sh [target …]      (default: all of the list below)
#
# The standard library of each target is type-checked too, by `linux/checked-std.sh`.
# CARGO_TARGET_DIR says where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Left out are the Linux machines on which the tests are run: `run-foreign.sh` has them.
targets=(
  # Other processors, of 32 and 64 bits and both byte orders; the MIPS and SPARC families number their flags and calls
  # in their own ways, and m68k aligns 64 bits to 16.
  armv7-unknown-linux-gnueabihf arm-unknown-linux-musleabi riscv64gc-unknown-linux-gnu loongarch64-unknown-linux-gnu
  powerpc-unknown-linux-gnu powerpc64-unknown-linux-gnu powerpc64le-unknown-linux-gnu
  mips-unknown-linux-gnu mipsel-unknown-linux-musl mips64-unknown-linux-gnuabi64
  mipsisa32r6-unknown-linux-gnu mipsisa64r6el-unknown-linux-gnuabi64
  sparc64-unknown-linux-gnu m68k-unknown-linux-gnu
  # Other C libraries, and 32-bit pointers on a 64-bit processor.
  x86_64-unknown-linux-gnux32 x86_64-unknown-linux-musl aarch64-unknown-linux-musl i686-unknown-linux-musl
  aarch64-linux-android armv7-linux-androideabi x86_64-linux-android i686-linux-android
  # macOS and its kin, and the BSDs.
  x86_64-apple-darwin aarch64-apple-darwin aarch64-apple-ios aarch64-apple-tvos aarch64-apple-watchos aarch64-apple-visionos
  arm64_32-apple-watchos
  x86_64-unknown-freebsd i686-unknown-freebsd aarch64-unknown-freebsd x86_64-unknown-netbsd i686-unknown-netbsd
  aarch64-unknown-netbsd x86_64-unknown-openbsd i686-unknown-openbsd aarch64-unknown-openbsd x86_64-unknown-dragonfly
  # Windows: 32 and 64 bits, another processor, and both C libraries.
  x86_64-pc-windows-msvc i686-pc-windows-msvc aarch64-pc-windows-msvc x86_64-pc-windows-gnu i686-pc-windows-gnu
)
# A Unix, and something else entirely.
without_backend=(x86_64-unknown-illumos wasm32-wasip1)
(($# == 0)) || { targets=("$@") && without_backend=(); }

sysroot=$(verification/setup/std-metadata.sh "${targets[@]}" "${without_backend[@]}")
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# As RUSTFLAGS, but the path may hold blanks.
export CARGO_ENCODED_RUSTFLAGS=$'--sysroot\x1f'"$sysroot"

check_crate() {
  local target passed=0 failed=0
  for target in "${targets[@]}"; do
    if CARGO_ENCODED_RUSTFLAGS+=$'\x1f-Dwarnings' cargo check --quiet --lib --tests --examples --target "$target"; then
      echo "  ok  $target"
      passed=$((passed + 1))
    else
      echo "  not $target"
      failed=$((failed + 1))
    fi
  done
  for target in "${without_backend[@]}"; do
    local output errors
    output=$(cargo check --quiet --lib --target "$target" 2>&1 || true)
    errors=$(grep -E '^error' <<<"$output" | grep -v '^error: could not compile' || true)
    if [[ $errors == "error: minimio has no queue for this system"* && $errors != *$'\n'* ]]; then
      echo "  ok  $target: $errors"
      passed=$((passed + 1))
    else
      printf '  not %s: should stop with one error, that there is no queue for this system\n%s\n' "$target" "$output"
      failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

check_crate
