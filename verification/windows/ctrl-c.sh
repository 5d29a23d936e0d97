#!/usr/bin/env bash
# Runs the tests that need Ctrl-C, in a console of Wine: that `Signals` receives it, and that the examples
# `delayed_server` and `supervisor` end as they promise. All other tests call the crate's handler directly, so only this
# check shows that the system calls the handler.
#
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
verification/setup/debian.sh python3-minimal
. verification/setup/wine-setup.sh
target=x86_64-pc-windows-gnu
cargo build --quiet --target $target --examples
for tests in isolated examples; do
  program=$(cargo test --no-run --target $target --test $tests --message-format json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*deps[^"]*'$tests'-[^"]*\)".*/\1/p')
  python3 verification/windows/ctrl-c.py verification/setup/wine-run.sh "$program" ctrl_c_is_pressed is_interrupted --test-threads 1
done
