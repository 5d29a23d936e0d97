#!/usr/bin/env bash
# Installs Debian's compiler, which is of the minimum Rust version, and prints the versions of the tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
verification/setup/debian.sh rustc cargo gcc libc6-dev perl-base python3
rustc -V
cargo -V
cargo clippy -V
cargo fmt -- -V
/usr/bin/rustc -V
