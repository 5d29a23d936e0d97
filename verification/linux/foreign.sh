#!/usr/bin/env bash
# Runs the tests as programs for another processor.
#
#     run-foreign.sh i686 | aarch64 | mips
#
# | | proves | runs |
# |---|---|---|
# | i686 | 32-bit pointers and C types, on a 64-bit kernel | by the machine's own processor |
# | aarch64 | `epoll_event` is not packed; no `epoll_wait` but `epoll_pwait` | under qemu-user |
# | mips | the other byte order, and flags and calls with numbers of their own | under qemu-user |
#
# qemu-user passes system calls on and translates what it knows. It does not know `epoll_pwait2`, so there it is the fall-back
# that runs. Nor can a program under it start another one, so the tests of the example programs, and those that need a process
# of their own, are left to i686.
# CARGO_TARGET_DIR says where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
everything=no left_out=()
case ${1:-} in
i686)
  target=i686-unknown-linux-gnu everything=yes
  verification/setup/debian.sh gcc libc6-dev libc6-dev-i386
  verification/setup/debian.sh "lib32gcc-$(gcc -dumpversion)-dev"
  ;;
aarch64)
  target=aarch64-unknown-linux-gnu
  verification/setup/debian.sh gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
  ;;
mips)
  target=mips-unknown-linux-gnu
  verification/setup/debian.sh gcc-mips-linux-gnu libc6-dev-mips-cross qemu-user
  export CARGO_TARGET_MIPS_UNKNOWN_LINUX_GNU_LINKER=mips-linux-gnu-gcc
  export CARGO_TARGET_MIPS_UNKNOWN_LINUX_GNU_RUNNER="qemu-mips -L /usr/mips-linux-gnu"
  # qemu-user does not translate the number that SO_ERROR brings, and on MIPS errors have numbers of their own: the host's 111,
  # connection refused, is not its 146. So what these expect of `take_error` cannot be had there.
  left_out=(
    --skip a_connection_that_is_refused_is_an_error
    --skip a_reset_closes_everything_and_is_an_error
    --skip a_refused_connect_is_told_by_a_writable_event_and_take_error
  )
  ;;
*)
  echo "usage: run-foreign.sh i686 | aarch64 | mips" >&2
  exit 2
  ;;
esac

. verification/setup/rust-source.sh
export RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
run() {
  cargo test --quiet --no-fail-fast --target "$target" -Zbuild-std=std,panic_unwind,test "$@" -- "${left_out[@]}"
}

if [[ $everything == yes ]]; then
  run
  exit
fi
tests=() with_processes=0
for file in tests/*.rs; do
  case $file in
  tests/delayed.rs | tests/http.rs | tests/descriptors.rs | tests/examples.rs) with_processes=$((with_processes + 1)) ;;
  *) tests+=(--test "$(basename "$file" .rs)") ;;
  esac
done
if ((with_processes != 4)); then
  echo "run-foreign: tests/delayed.rs, http.rs, descriptors.rs and examples.rs are left out by name, and are not there" >&2
  exit 1
fi
status=0
run --lib "${tests[@]}" || status=1
run --doc || status=1
exit $status
