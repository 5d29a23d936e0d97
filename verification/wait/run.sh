#!/usr/bin/env bash
# Explores the models, or those with WORD in their names. Each model runs in a process of its own, as many at a time as
# there are processors.
#
#     run.sh [WORD]
#
# `cargo test --release` explores the same models one after the other: loom maps and unmaps a stack for every thread of
# every execution, so two models in one process would wait for each other's mappings most of the time.
# CARGO_TARGET_DIR: where to build (default: `target` in this folder).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
program=$(cargo test --quiet --release --lib --no-run --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
export program

# Prints a line with the result, after the output of a model that fails.
explore() {
  local output
  if output=$("$program" --exact "$1" 2>&1); then
    echo "  ok  $1"
  else
    printf '%s\n  not %s\n' "$output" "$1"
  fi
}
export -f explore
models=$("$program" --list "$@" | sed -n 's/: test$//p')
[[ -n $models ]] || { echo "no model has $* in its name" >&2 && exit 2; }
# The longest models are among the last of the list, so they run first.
results=$(tac <<<"$models" | xargs -P "$(nproc)" -I{} bash -c 'explore {}' | tee /dev/stderr)
passed=$(grep -c '^  ok ' <<<"$results" || true) failed=$(($(wc -l <<<"$models") - passed))
echo "$passed passed, $failed failed"
((failed == 0))
