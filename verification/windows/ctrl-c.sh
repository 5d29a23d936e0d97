#!/usr/bin/env bash
# Presses Ctrl-C in the console of a Windows program under Wine, and checks that `Signals` receives INTERRUPT. The tests
# call the crate's handler directly, so only this check shows that the system calls the handler.
#
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
verification/setup/debian.sh python3-minimal
. verification/setup/wine-setup.sh
target=x86_64-pc-windows-gnu
program=$(cargo test --no-run --target $target --test isolated --message-format json 2>/dev/null |
  sed -n 's/.*"executable":"\([^"]*isolated[^"]*\)".*/\1/p')
export MINIMIO_TEST_CONSOLE=1
python3 verification/windows/ctrl-c.py verification/setup/wine-run.sh "$program" \
  --exact console_events::this_waits_for_ctrl_c_if_a_console_is_given --nocapture
