#!/usr/bin/env bash
# Runs the tests as programs for another processor.
#
#     foreign.sh i686 | aarch64 | mips
#
# | processor | covers | executed by |
# |---|---|---|
# | i686 | 32-bit pointers and C types, on a 64-bit kernel | the machine's own processor |
# | aarch64 | `epoll_event` is not packed; the system call is `epoll_pwait`, because there is no `epoll_wait` | qemu-user |
# | mips | big-endian byte order, and other numbers for flags and system calls | qemu-user |
#
# qemu-user translates the system calls that it knows. It does not know `epoll_pwait2`, so the crate's fallback runs
# there. Only i686 runs these tests:
#
# - `tests/examples`, which starts the example programs, `tests/isolated/descriptors.rs`, which starts each test in a process
#   with a low limit of descriptors, and `tests/isolated/child_exits.rs`, whose children are the test program itself: a program
#   under qemu-user cannot start another program;
# - the tests of the memory of many timers and wakers, those of many children of `fork`, and the doctests, which would take
#   several minutes and depend on no processor.
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
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
  emulator="qemu-aarch64 -L /usr/aarch64-linux-gnu"
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=$emulator
  ;;
mips)
  target=mips-unknown-linux-gnu
  verification/setup/debian.sh gcc-mips-linux-gnu libc6-dev-mips-cross qemu-user
  export CARGO_TARGET_MIPS_UNKNOWN_LINUX_GNU_LINKER=mips-linux-gnu-gcc
  emulator="qemu-mips -L /usr/mips-linux-gnu"
  export CARGO_TARGET_MIPS_UNKNOWN_LINUX_GNU_RUNNER=$emulator
  # On MIPS, errors have other numbers: connection refused is 146, on the host 111. qemu-user does not translate the
  # number that SO_ERROR returns, so the expectations of these tests about `take_error` cannot hold there.
  left_out=(
    --skip a_refused_connection_is_an_error
    --skip a_reset_closes_both_directions_and_is_an_error
    --skip a_refused_connect_is_reported_by_a_writable_event_and_take_error
  )
  ;;
*)
  echo "usage: foreign.sh i686 | aarch64 | mips" >&2
  exit 2
  ;;
esac

. verification/setup/rust-source.sh
export RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
run() {
  cargo test --quiet --no-fail-fast --target "$target" -Zbuild-std=std,panic_unwind,test "$@"
}

if [[ $everything == yes ]]; then
  run
  exit
fi
status=0
run --lib --test behaviour --test stress --test oracle --test mio -- "${left_out[@]}" || status=1
# Run each of these tests directly as the child process that it would otherwise start.
read -ra emulator <<<"$emulator"
isolated=$(run --test isolated --no-run --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
tests=$("${emulator[@]}" "$isolated" --list | sed -n 's/: test$//p' |
  grep -vE '^(descriptors::|child_exits::|dropped::the_memory_)|_while_threads_of_its_parent_')
for test in $tests; do
  MINIMIO_TEST_CHILD=$test "${emulator[@]}" "$isolated" --quiet --exact "$test" || status=1
done
exit $status
