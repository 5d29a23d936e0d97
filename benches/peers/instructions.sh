#!/bin/sh
# User-space instructions a round, of a bare epoll loop, minimio and mio, default release profile. Counted by valgrind (Debian's
# package of that name): a run of 3840 rounds less one of 1280, so that beginning and end cancel out.
#
#     benches/peers/instructions.sh [scenario …]
set -eu
cd "$(dirname "$0")"
cargo build --release --quiet
peers=${CARGO_TARGET_DIR:-target}/release/peers

count() { # library, scenario, rounds
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$peers" "$@" 2>&1 | sed -n 's/.*Collected : //p'
}

printf '%-10s %8s %8s %8s\n' '' bare minimio mio
for scenario in ${*:-empty ping-pong batch register connect}; do
  printf '%-10s' "$scenario"
  for library in bare minimio mio; do
    few=$(count $library "$scenario" 1280)
    many=$(count $library "$scenario" 3840)
    printf ' %8s' "$(((many - few + 1280) / 2560))"
  done
  echo
done
