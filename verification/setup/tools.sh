#!/usr/bin/env bash
# Installs Debian's rustc and cargo, of the minimum Rust version, a C compiler, Perl and Python. Prints the versions of
# the Rust tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
verification/setup/debian.sh rustc cargo gcc libc6-dev perl-base python3
rustc -V
cargo -V
cargo clippy -V
cargo fmt -- -V
/usr/bin/rustc -V
