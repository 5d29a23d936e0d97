#!/usr/bin/env bash
# Checks that the crate has mio's whole API, on every system: `surface.py` generates `tests/mio/surface.rs` from rustdoc's
# description of mio, and the file compiles with mio and with `compat/mio`. (`verification/targets/check.sh` checks that it
# compiles with the crate itself, on these systems and others.)
#
#     check.sh              prints what is missing, and fails
#     check.sh --write      writes a new `tests/mio/surface.rs`
#
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
verification/setup/debian.sh python3-minimal

# mio's name of each system, and a target. One processor stands for all, because mio selects code only by system.
list() { awk -v column="$1" '!/^(#|$)/ && $6 != "-" { print $column }' verification/targets/targets.txt; }
mapfile -t systems < <(list 6)
mapfile -t targets < <(list 1)
sysroot=$(verification/setup/std-metadata.sh "${targets[@]}")
# CARGO_ENCODED_RUSTFLAGS, because the path may contain blanks. `--target` keeps the flags away from build scripts.
export CARGO_ENCODED_RUSTFLAGS=$'--sysroot\x1f'"$sysroot" CARGO_ENCODED_RUSTDOCFLAGS=$'--sysroot\x1f'"$sysroot"
target_dir=$CARGO_TARGET_DIR/parity
export CARGO_TARGET_DIR=$target_dir
patch="patch.crates-io.mio.path='$PWD/compat/mio'"
passed=0 failed=0
ok() { echo "  ok  $*" && passed=$((passed + 1)); }
not() { echo "  not $*" && failed=$((failed + 1)); }

# The version of compat/mio must be that of the mio with which the API tests are compiled.
version() { sed -n 's/^version = "\([0-9.]*\)"$/\1/p' compat/mio/Cargo.toml; }
grep -q "^minimio = .*version = \"=$(version)\"" compat/mio/api/Cargo.toml && ok "compat/mio is mio $(version)" ||
  not "compat/mio is $(version), but compat/mio/api depends on another mio"

docs=()
for number in "${!systems[@]}"; do
  target=${targets[number]}
  (cd compat/mio/api && RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --package mio --lib --target "$target" -- \
    -Zunstable-options --output-format json --cap-lints allow)
  docs+=("${systems[number]}=$target_dir/$target/doc/mio.json")
done
surface=$target_dir/surface.rs
compat/mio/api/surface.py "${docs[@]}" >"$surface"
rustfmt --edition 2021 --config-path rustfmt.toml "$surface"
if [[ ${1:-} == --write ]]; then
  cp "$surface" tests/mio/surface.rs
fi
if diff -u tests/mio/surface.rs "$surface"; then
  ok "tests/mio/surface.rs names all of mio $(version): $(grep -cE "^ *(const|has)" "$surface") checks for ${#systems[@]} systems"
else
  not "tests/mio/surface.rs is not mio's API: run check.sh --write, then add the missing items to the crate"
fi

cd compat/mio/api
for target in "${targets[@]}"; do
  if cargo check --quiet --lib --tests --target "$target"; then ok "mio itself, $target"; else not "mio itself, $target"; fi
done
for target in "${targets[@]}"; do
  if cargo check --quiet --lib --tests --target "$target" --config "$patch"; then
    ok "compat/mio, $target"
  else
    not "compat/mio, $target"
  fi
done
echo "$passed passed, $failed failed"
((failed == 0))
