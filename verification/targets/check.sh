#!/usr/bin/env bash
# Type-checks the library, layout assertions included, for every target that `targets.txt` marks as checked, and checks
# that the compilation for a system without a queue stops with the crate's own error. For one target of each system
# except Linux, also type-checks the tests, the examples and `compat/polling`, which do not depend on the processor.
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
systems=$(awk '!/^(#|$)/ && $2 == "checked" && $6 != "-" { printf " %s ", $1 }' verification/targets/targets.txt)
[[ -n $systems ]] || { echo "no target for the tests" >&2 && exit 1; }
export systems
(($# == 0)) || { targets=("$@") && without_queue=(); }

sysroot=$(verification/setup/std-metadata.sh "${targets[@]}" "${without_queue[@]}")
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# Like RUSTFLAGS, but the path may contain blanks.
export CARGO_ENCODED_RUSTFLAGS=$'--sysroot\x1f'"$sysroot"

# Prints what cargo prints, and then a line with the result.
check_target() {
  local output claim=$1 check=check_library
  [[ $systems != *" $1 "* ]] || claim+=", also the tests, the examples and compat/polling" check=check_all
  export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/type-check/$1 CARGO_ENCODED_RUSTFLAGS+=$'\x1f-Dwarnings'
  if output=$($check "$1" 2>&1); then
    echo "  ok  $claim"
  else
    printf '%s\n  not %s\n' "$output" "$claim"
  fi
}

check_library() {
  cargo check --quiet --lib --target "$1"
}

check_all() {
  cargo check --quiet --lib --tests --examples --target "$1" &&
    cargo check --quiet --lib --tests --manifest-path compat/polling/Cargo.toml --target "$1"
}

check_without_queue() {
  local output errors
  output=$(cargo check --quiet --lib --target "$1" 2>&1 || true)
  errors=$(grep -E '^error' <<<"$output" | grep -v '^error: could not compile' || true)
  if [[ $errors == "error: minimio has no queue for this system"* && $errors != *$'\n'* ]]; then
    echo "  ok  $1: $errors"
  else
    printf '%s\n  not %s: should stop with one error: there is no queue for this system\n' "$output" "$1"
  fi
}

export -f check_target check_library check_all
results=$(
  # Each target has a build folder of its own, so that cargo does not wait for the lock of another one.
  printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check_target {}'
  for target in "${without_queue[@]}"; do
    check_without_queue "$target"
  done
)
echo "$results"
passed=$(grep -c '^  ok ' <<<"$results" || true) failed=$((${#targets[@]} + ${#without_queue[@]} - passed))
echo "$passed passed, $failed failed"
((failed == 0))
