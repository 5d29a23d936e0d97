#!/usr/bin/env bash
# Checks that `compat/polling` has polling's public API, on each system: `compare.py` compares rustdoc's descriptions of both.
#
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
verification/setup/debian.sh python3-minimal
systems=(linux windows macos freebsd) targets=(x86_64-unknown-linux-gnu x86_64-pc-windows-gnu x86_64-apple-darwin x86_64-unknown-freebsd)
sysroot=$(verification/setup/std-metadata.sh "${targets[@]}")
# `--target` keeps the flags away from build scripts.
export CARGO_ENCODED_RUSTFLAGS=$'--sysroot\x1f'"$sysroot" CARGO_ENCODED_RUSTDOCFLAGS=$'--sysroot\x1f'"$sysroot"
target_dir=$CARGO_TARGET_DIR/polling-parity
passed=0 failed=0

# compare SYSTEM POLLING COMPAT: prints the result and counts it.
compare() {
  if compat/polling/api/compare.py "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

for number in "${!systems[@]}"; do
  system=${systems[number]} target=${targets[number]}
  json=(--lib --target "$target" -- -Zunstable-options --output-format json --cap-lints allow)
  (cd compat/polling/api && CARGO_TARGET_DIR=$target_dir/published RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --package polling "${json[@]}")
  (cd compat/polling && CARGO_TARGET_DIR=$target_dir/compat RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet "${json[@]}")
  published=$target_dir/published/$target/doc/polling.json own=$target_dir/compat/$target/doc/polling.json
  compare "$system" "$published" "$own"
  # The comparison must notice the name of a method.
  sed 's/"wait_deadline"/"wait_until"/g' "$own" >"$target_dir/renamed.json"
  if compat/polling/api/compare.py "$system" "$published" "$target_dir/renamed.json" >/dev/null; then
    echo "  not a renamed method is noticed" && failed=$((failed + 1))
  else
    echo "  ok  a renamed method is noticed" && passed=$((passed + 1))
  fi
done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
