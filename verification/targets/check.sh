#!/usr/bin/env bash
# Type-checks the library, the tests and the examples, layout assertions included, for every target that `targets.txt`
# marks as checked, and checks that the compilation for a system without a queue stops with the crate's own error.
#
#     check.sh [target …]      (default: all)
#
# `setup/std-metadata.sh` type-checks the standard library of each target.
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
list() { awk -v use="$1" '!/^(#|$)/ && $2 == use { print $1 }' verification/targets/targets.txt; }
mapfile -t targets < <(list checked)
mapfile -t without_queue < <(list no-queue)
(($# == 0)) || { targets=("$@") && without_queue=(); }

sysroot=$(verification/setup/std-metadata.sh "${targets[@]}" "${without_queue[@]}")
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# Like RUSTFLAGS, but the path may contain blanks.
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
  for target in "${without_queue[@]}"; do
    local output errors
    output=$(cargo check --quiet --lib --target "$target" 2>&1 || true)
    errors=$(grep -E '^error' <<<"$output" | grep -v '^error: could not compile' || true)
    if [[ $errors == "error: minimio has no queue for this system"* && $errors != *$'\n'* ]]; then
      echo "  ok  $target: $errors"
      passed=$((passed + 1))
    else
      printf '  not %s: should stop with one error: there is no queue for this system\n%s\n' "$target" "$output"
      failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

check_crate
