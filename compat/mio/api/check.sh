#!/usr/bin/env bash
# Checks that the crate has mio's whole API, on every system: `surface.py` generates `tests/mio/surface.rs` from rustdoc's
# description of mio, and the file compiles with mio and with `compat/mio`. (`verification/targets/check.sh` checks that it
# compiles with the crate itself, on these systems and others.) Also checks that `beyond-mio.txt` lists all other public items of
# the crate, which keeps them from changing by accident.
#
#     check.sh              prints what is missing, and fails
#     check.sh --write      writes a new `tests/mio/surface.rs` and a new `beyond-mio.txt`
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

docs=() own_docs=()
for number in "${!systems[@]}"; do
  target=${targets[number]}
  json=(--lib --target "$target" -- -Zunstable-options --output-format json --cap-lints allow)
  (cd compat/mio/api && RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --package mio "${json[@]}")
  RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet "${json[@]}"
  docs+=("${systems[number]}=$target_dir/$target/doc/mio.json")
  own_docs+=("${systems[number]}=$target_dir/$target/doc/minimio.json")
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

beyond=$target_dir/beyond-mio.txt
compat/mio/api/surface.py "${docs[@]}" --beyond "${own_docs[@]}" >"$beyond"
if [[ ${1:-} == --write ]]; then
  cp "$beyond" compat/mio/api/beyond-mio.txt
fi
if diff -u compat/mio/api/beyond-mio.txt "$beyond"; then
  ok "compat/mio/api/beyond-mio.txt names all other items: $(grep -cE "^(const|has|check|type)" "$beyond") lines"
else
  not "the API beyond mio has changed: if that is intended, run check.sh --write, and write it in CHANGELOG.md"
fi
# The list must change with the name of a method.
sed 's/"next_deadline"/"later_deadline"/g' "${own_docs[0]#*=}" >"$target_dir/renamed.json"
if compat/mio/api/surface.py "${docs[0]}" --beyond "${systems[0]}=$target_dir/renamed.json" | grep later_deadline >/dev/null; then
  ok "a renamed method changes the list"
else
  not "a renamed method does not change the list"
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
