#!/usr/bin/env bash
# Runs real programs on minimio: published packages with `compat/mio` in the place of mio, or `compat/polling` in the place of polling,
# by `[patch.crates-io]`; and two of mio's own examples, moved to minimio in each of the three ways that the README describes. The
# packages and their tests are unchanged, except three tests of async-io (see `expect_half_a_second`).
#
#     compat/run.sh             all parts
#     compat/run.sh linux …     only the named parts
#
# | part | what it checks |
# |---|---|
# | linux | `compat/programs/tokio`, which uses everything that tokio builds on mio, prints the same with mio and with minimio |
# | examples | mio's examples `tcp_server` and `udp_server` do the same with mio and, in each of the three ways, with minimio |
# | throughput | prints the program's TCP round trips a second with both, measured alternately, and the ratio; only an indication |
# | wine | the program prints the same with both as a Windows program |
# | kqueue | the program prints the same over the model of a kqueue as on Linux |
# | tokio, notify, signal_hook, serial | the package's own tests pass on Linux |
# | tokio_wine | tokio's own tests for Windows pass under Wine |
# | smol, calloop_program | `compat/programs/smol` and `compat/programs/calloop` print the same with polling and with minimio |
# | smol_throughput | as throughput, for the smol program |
# | polling, async_io, async_process, calloop, async_net, async_signal | the package's own tests pass on Linux |
# | polling_wine, async_io_wine | the package's own tests for Windows, without those of its documentation, pass under Wine; for polling, also `compat/polling/tests/packets.rs` |
# | comparison_wine | polling and `compat/polling` differ under Wine only where `compat/polling/comparison` lists it |
# | filters_kqueue | the tests of `compat/polling/tests/filters.rs` pass over the model of a kqueue |
# | polling_kqueue, async_io_kqueue | the same tests for Linux pass over the model of a kqueue |
#
# The packages and the dependencies of their tests come from crates.io. CARGO_TARGET_DIR: where to build (default: `target` in
# the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
parts=(linux examples throughput wine kqueue tokio tokio_wine notify signal_hook serial smol calloop_program smol_throughput polling
  async_io async_process calloop async_net async_signal polling_wine comparison_wine async_io_wine polling_kqueue filters_kqueue
  async_io_kqueue)
(($# == 0)) || parts=("$@")

root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
work=$target/compat
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$work"
patch=(--config "patch.crates-io.mio.path='$root/compat/mio'")
patch_polling=(--config "patch.crates-io.polling.path='$root/compat/polling'")
export CARGO_PROFILE_TEST_DEBUG=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_TERM_COLOR=never
# The programs open more connections at the same time than the default limit of some shells allows.
ulimit -n "$(ulimit -H -n)"

passed=0 failed=0
ok() { echo "  ok  $*" && passed=$((passed + 1)); }
not() { echo "  not $*" && failed=$((failed + 1)); }

# logged SECONDS LOG COMMAND…: runs a command with a time limit, its output in a file. If the command fails, prints the end of the
# file and fails too.
logged() {
  local seconds=$1 log=$2 status=0
  shift 2
  timeout --kill-after=10 "$seconds" "$@" >"$log" 2>&1 || status=$?
  if ((status != 0)); then
    tail -n 40 "$log"
    echo "status $status: $*"
  fi
  return "$status"
}

# build NAME [argument of cargo build …]: builds `$program` (default: tokio), with `$replaced` (default: mio) or with the patch. Each
# build has its own folder, so that later parts can reuse it.
build() {
  local name=$1 program=${program:-tokio} replaced=${replaced:-mio}
  shift
  (cd "compat/programs/$program" && CARGO_TARGET_DIR=$work/$name logged 900 "$work/$name.build" cargo build --release "$@") || return
  local used
  used=$(cd "compat/programs/$program" && cargo tree --quiet --invert "$replaced" --depth 0 "$@")
  case $name in
  *minimio*) [[ $used == "$replaced v"*"/compat/$replaced)" ]] ;;
  *) [[ $used == "$replaced v"* && $used != *"("* ]] ;;
  esac || { echo "$name is built on $used" && return 1; }
}

# run NAME COMMAND…: runs a command and keeps its output, with Unix line ends.
run() {
  local name=$1
  shift
  logged 900 "$work/$name.out" "$@" || return
  sed -i 's/\r$//' "$work/$name.out"
}

# same NAME OTHER CLAIM: checks that both outputs are equal and not empty.
same() {
  if [[ -s $work/$1.out ]] && diff "$work/$1.out" "$work/$2.out"; then
    cat "$work/$1.out"
    ok "$3"
  else
    not "$3"
  fi
}

linux() {
  build mio && build minimio "${patch[@]}" &&
    run mio "$work/mio/release/tokio-program" 1000 &&
    run minimio "$work/minimio/release/tokio-program" 1000 || { not "the program on Linux" && return; }
  same mio minimio "the program prints the same with mio and with minimio, on Linux"
}

# build_examples WAY: builds mio's examples, whose source is in `$folder`. `mio` depends on mio, `patched` on the patched mio, `renamed` on
# minimio under mio's name, and `replaced` on minimio, with `mio::` replaced by `minimio::` in the source.
build_examples() {
  local package=$work/examples/$1 features='features = ["os-poll", "net"]' crate=mio dependency used example
  case $1 in
  mio | patched) dependency="mio = { version = \"=$version\", $features }" used=mio ;;
  renamed) dependency="mio = { package = \"minimio\", path = \"$root\", $features }" used="minimio ($root)" ;;
  replaced) crate=minimio dependency="minimio = { path = \"$root\" }" used="minimio ($root)" ;;
  esac
  if [[ $1 == patched ]]; then
    dependency+=$'\n[patch.crates-io]\n'"mio = { path = \"$root/compat/mio\" }"
    used+=" ($root/compat/mio)"
  fi
  mkdir -p "$package/src/bin"
  printf '%s\n' '[package]' 'name = "examples"' 'version = "0.0.0"' 'edition = "2021"' '[workspace]' '[dependencies]' \
    'env_logger = { version = "0.11", default-features = false }' 'log = "0.4"' "$dependency" >"$package/Cargo.toml"
  for example in tcp_server udp_server; do
    sed "s/\\bmio::/$crate::/g" "$folder/examples/$example.rs" >"$package/src/bin/$example.rs" || return
  done
  CARGO_TARGET_DIR=$package/target logged 300 "$package/build" cargo build --manifest-path "$package/Cargo.toml" || return
  cargo tree --quiet --manifest-path "$package/Cargo.toml" --prefix none --depth 1 | sed 's/ v[0-9.]*//' | grep -Fx "$used" ||
    { echo "the examples are not built on $used" && return 1; }
}

# The examples listen on a fixed port, so each run has a network namespace of its own.
examples() {
  local name=mio version=1.2.5 folder=$work/published/mio way
  verification/setup/debian.sh iproute2
  fetch_source || { not "mio $version: its source" && return; }
  for way in mio patched renamed replaced; do
    build_examples "$way" &&
      run "$way-examples" unshare --map-root-user --net sh -c 'ip link set lo up && exec "$@"' sh \
        compat/programs/mio-examples.py "$work/examples/$way/target/debug" || { not "mio's examples, $way" && continue; }
    [[ $way == mio ]] || same mio-examples "$way-examples" "mio's examples do the same with mio and with minimio, $way"
  done
}

throughput() {
  build mio && build minimio "${patch[@]}" || { not "the program on Linux" && return; }
  measure mio tokio-program mio minimio
}

smol_throughput() {
  build_smol || { not "the smol program" && return; }
  measure polling smol-program smol-polling smol-minimio
}

# measure OTHER PROGRAM BUILD BUILD: runs the benchmark of a program, built with the other library and with minimio, alternately, and
# prints the medians and their ratio. Each run must print how many round trips it made a second.
measure() {
  local other=$1 program=$2 names=("$3" "$4") name round rate medians=()
  rm -f "${names[@]/#/$work/throughput.}"
  for round in 1 2 3 4 5; do
    for name in "${names[@]}"; do
      rate=$(timeout 60 "$work/$name/release/$program" throughput 1) ||
        { not "$name, round $round: the benchmark failed with status $?" && return; }
      [[ $rate =~ ^[1-9][0-9]*$ ]] || { not "$name, round $round: the benchmark printed '$rate', not a number of round trips" && return; }
      echo "$rate" >>"$work/throughput.$name"
    done
  done
  for name in "${names[@]}"; do
    medians+=("$(sort -n "$work/throughput.$name" | sed -n 3p)")
  done
  awk -v other="$other" -v first="${medians[0]}" -v second="${medians[1]}" 'BEGIN {
    printf "  round trips a second, median of five rounds: %s %d, minimio %d, ratio %.2f\n", other, first, second, second / first }'
  ok "both made round trips"
}

build_smol() {
  local program=smol replaced=polling
  build smol-polling && build smol-minimio "${patch_polling[@]}"
}

# Without optimisation, both programs build in half the time.
smol() {
  local -x CARGO_PROFILE_RELEASE_OPT_LEVEL=0
  build_smol && run smol-polling "$work/smol-polling/release/smol-program" &&
    run smol-minimio "$work/smol-minimio/release/smol-program" || { not "the smol program" && return; }
  same smol-polling smol-minimio "the smol program prints the same with polling and with minimio"
}

calloop_program() {
  local program=calloop replaced=polling
  local -x CARGO_PROFILE_RELEASE_OPT_LEVEL=0
  build calloop-polling && build calloop-minimio "${patch_polling[@]}" &&
    run calloop-polling "$work/calloop-polling/release/calloop-program" &&
    run calloop-minimio "$work/calloop-minimio/release/calloop-program" || { not "the calloop program" && return; }
  same calloop-polling calloop-minimio "the calloop program prints the same with polling and with minimio"
}

# The second run has only 100 connections: Wine's work grows with the square of their number, and Wine keeps some memory
# until the process ends.
wine() {
  local windows=x86_64-pc-windows-gnu
  . verification/setup/wine-setup.sh
  local -x MINIMIO_WINE_LIMIT=900
  build mio-windows --target $windows && build minimio-windows --target $windows "${patch[@]}" &&
    run mio-windows verification/setup/wine-run.sh "$work/mio-windows/$windows/release/tokio-program.exe" 1000 100 &&
    run minimio-windows verification/setup/wine-run.sh "$work/minimio-windows/$windows/release/tokio-program.exe" 1000 100 ||
    { not "the program under Wine" && return; }
  same mio-windows minimio-windows "the program prints the same with mio and with minimio, under Wine"
}

# Builds the model of a kqueue, and sets `model_flags` to the RUSTFLAGS of programs that use it. Such a program is built with
# `--target`, which applies the flags to the program and its dependencies only, so build scripts are not linked to the model.
build_model() {
  local model=$target/kqueue-model/release
  CARGO_TARGET_DIR=$target/kqueue-model logged 600 "$work/model.build" \
    cargo build --release --manifest-path verification/kqueue/model/Cargo.toml || { not "the model" && return 1; }
  model_flags="--cfg minimio_kqueue -L native=$model -l dylib=kqueue_model -C link-arg=-Wl,-rpath,$model"
}

kqueue() {
  build_model || return 0
  build mio && run mio "$work/mio/release/tokio-program" 1000 || { not "the program on Linux" && return; }
  local -x RUSTFLAGS=$model_flags
  build minimio-kqueue --target "$host" "${patch[@]}" &&
    run minimio-kqueue "$work/minimio-kqueue/$host/release/tokio-program" 1000 ||
    { not "the program over the model of a kqueue" && return; }
  same mio minimio-kqueue "the program prints the same over the model of a kqueue as on Linux"
}

# Copies the published source of the package `$name` to `$folder`. If that is the replaced package, an empty library takes the place of
# its source, and its tests use the replacement.
fetch_source() {
  mkdir -p "$work/fetch/src" "$work/published"
  printf '%s\n' '[package]' 'name = "fetch"' 'version = "0.0.0"' 'edition = "2021"' '[workspace]' '[dependencies]' \
    "$name = \"=$version\"" >"$work/fetch/Cargo.toml"
  : >"$work/fetch/src/lib.rs"
  rm -rf "$folder" "$work/fetch/Cargo.lock"
  local source
  source=$(cd "$work/fetch" && cargo metadata --quiet --format-version 1 | python3 -c 'import json, os, sys
(manifest,) = [p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == sys.argv[1] and p["source"]]
print(os.path.dirname(manifest))' "$name") &&
    cp -r "$source" "$folder" || return
  if [[ $name == "${replaced:-}" ]]; then
    sed -i "s/^name = \"$name\"/name = \"published_$name\"/" "$folder/Cargo.toml"
    printf '\n[dependencies.%s]\nversion = "=%s"\n' "$name" "$version" >>"$folder/Cargo.toml"
    : >"$folder/src/lib.rs"
  fi
  # The folder may be inside a workspace, but the package is not a part of that workspace.
  grep -q '^\[workspace\]' "$folder/Cargo.toml" || printf '\n[workspace]\n' >>"$folder/Cargo.toml"
}

# published NAME VERSION [argument of cargo test …]: runs the package's own tests, with its published lock file except for the replaced
# package, `$replaced` (default: mio). If `$edit` is set, this command first changes the package's source.
published() {
  local name=$1 version=$2 folder=$work/published/$1 replaced=${replaced:-mio} updates=() other
  local flags=(--config "patch.crates-io.$replaced.path='$root/compat/$replaced'")
  local replaced_version
  replaced_version=$(sed -n 's/^version = "\(.*\)"/\1/p' "compat/$replaced/Cargo.toml")
  shift 2
  fetch_source && (cd "$folder" && ${edit:-true}) || { not "$name $version: its source" && return; }
  # A dependency of the tests may depend on another version of this package. Replace that version with this folder too.
  for other in $(locked "$name"); do
    if [[ $other != "$version" ]]; then
      flags+=(--config "patch.crates-io.$name.path='$folder'")
      updates+=(--package "$name@$other")
    fi
  done
  # Cargo treats versions with another first number as other crates, so they stay.
  for other in $(locked "$replaced"); do
    [[ ${other%%.*} != "${replaced_version%%.*}" ]] || updates+=(--package "$replaced@$other")
  done
  cd "$folder"
  local -x CARGO_TARGET_DIR=$work/published-target
  logged 600 "$folder.update" cargo update "${flags[@]}" "${updates[@]}" &&
    is_patched &&
    logged 900 "$folder.build" cargo test --no-run "${flags[@]}" "$@" &&
    logged 600 "$folder.log" cargo test --no-fail-fast "${flags[@]}" "$@" ||
    { cd "$root" && not "$name $version: its own tests" && return; }
  cd "$root"
  passed_tests "$folder.log" "$name $version: its own tests"
}

# passed_tests LOG CLAIM: adds the passed tests of a log of `cargo test` to the total. If no test has run, this is a failure.
passed_tests() {
  local tests
  tests=$(awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$1")
  ((tests > 0)) || { not "$2: no test has run" && return; }
  passed=$((passed + tests - 1))
  ok "$2, $tests of them"
}

# locked NAME: prints the versions of a package in the lock file.
locked() {
  # Some packages are published without a lock file.
  [[ ! -e $folder/Cargo.lock ]] || sed -n "/^name = \"$1\"/{n;s/version = \"\(.*\)\"/\1/p}" "$folder/Cargo.lock"
}

is_patched() {
  local used
  used=$(cargo tree --quiet "${flags[@]}" --all-features --edges normal,dev --invert "$replaced@$replaced_version" --depth 0)
  [[ $used == *"/compat/$replaced)" ]] || { echo "the package uses $used, not compat/$replaced" && return 1; }
}

tokio() {
  # All tests that use sockets, pipes, processes, signals, timers or tokio's I/O driver.
  local tests=() name
  for name in async_send_sync io_async_fd io_copy_bidirectional io_driver io_driver_drop net_bind_resource net_panic \
    net_quickack net_unix_pipe no_rt process_arg0 process_change_of_runtime process_issue_2174 process_issue_42 \
    process_issue_7144 process_kill_after_wait process_kill_on_drop process_smoke rt_basic rt_common rt_handle_block_on \
    rt_threaded signal_ctrl_c signal_drop_recv signal_drop_rt signal_drop_signal signal_info signal_multi_rt signal_no_rt \
    signal_notify_both signal_panic signal_realtime signal_twice signal_usr1 tcp_accept tcp_connect tcp_echo \
    tcp_into_split tcp_into_std tcp_peek tcp_shutdown tcp_socket tcp_split tcp_stream time_interval time_rt time_sleep \
    time_timeout udp uds_cred uds_datagram uds_socket uds_split uds_stream unix_shutdown unwindsafe; do
    tests+=(--test "$name")
  done
  published tokio 1.54.1 --features full,test-util "${tests[@]}"
}

# Runs tokio's tests as Windows programs under Wine. One is skipped: under Wine, a refused datagram does not make a socket readable,
# neither with minimio nor with mio.
tokio_wine() {
  . verification/setup/wine-setup.sh
  local -x MINIMIO_WINE_LIMIT=200
  published tokio 1.54.1 --features full,test-util --target x86_64-pc-windows-gnu --test net_named_pipe --test io_driver \
    --test tcp_accept --test tcp_echo --test tcp_peek --test tcp_shutdown --test tcp_stream --test udp --test process_smoke \
    -- --skip send_to_recv_closed_returns_err
}

notify() { published notify 8.2.2 --lib; }

signal_hook() { published signal-hook-mio 0.2.5 --features support-v1_0 --test mio_1_0; }

# socat creates the two serial ports of these tests.
serial() {
  verification/setup/debian.sh socat pkg-config libudev-dev
  published mio-serial 5.0.7 --test test_serialstream -- --test-threads 1
}

polling() { replaced=polling published polling 3.11.0 --tests; }

# Three tests of async-io start a thread that sleeps for a second and wakes the test, and then read the clock, which can be late on a
# busy machine. They expect the wake a second after that; half a second is as good, because a wake by mistake comes at once.
expect_half_a_second() {
  sed -i 's/elapsed.elapsed() >= Duration::from_secs(1)/elapsed.elapsed() >= Duration::from_millis(500)/' tests/block_on.rs
  (($(grep -c 'from_millis(500)' tests/block_on.rs) == 3))
}

async_io() { edit=expect_half_a_second replaced=polling published async-io 2.6.0; }

# Runs the tests over the model of a kqueue. async-io uses its code for Linux, because the model runs there.
polling_kqueue() {
  build_model || return 0
  RUSTFLAGS=$model_flags replaced=polling published polling 3.11.0 --target "$host" --tests
}

# The tests of `os::kqueue`, which polling's own tests do not use.
filters_kqueue() {
  build_model || return 0
  local log=$work/filters.log
  (cd compat/polling && RUSTFLAGS=$model_flags CARGO_TARGET_DIR=$work/filters logged 300 "$log" cargo test --target "$host" --tests) ||
    { not "the tests of os::kqueue" && return; }
  passed_tests "$log" "the tests of os::kqueue"
}

async_io_kqueue() {
  build_model || return 0
  RUSTFLAGS=$model_flags edit=expect_half_a_second replaced=polling published async-io 2.6.0 --target "$host" --lib --tests
}

# Under Wine, the tests of the documentation are left out, because each is a program of its own.
polling_wine() {
  . verification/setup/wine-setup.sh
  local -x MINIMIO_WINE_LIMIT=200
  replaced=polling published polling 3.11.0 --target x86_64-pc-windows-gnu --tests
  local log=$work/packets.log
  (cd compat/polling && CARGO_TARGET_DIR=$work/packets logged 300 "$log" cargo test --target x86_64-pc-windows-gnu --test packets) ||
    { not "the tests of os::iocp" && return; }
  passed_tests "$log" "the tests of os::iocp"
}

comparison_wine() {
  . verification/setup/wine-setup.sh
  local -x MINIMIO_WINE_LIMIT=100
  local log=$work/comparison.log
  (cd compat/polling/comparison &&
    CARGO_TARGET_DIR=$work/comparison logged 300 "$log" cargo test --target x86_64-pc-windows-gnu --lib) ||
    { not "the comparison with polling under Wine" && return; }
  passed_tests "$log" "the comparison with polling under Wine"
}

async_io_wine() {
  . verification/setup/wine-setup.sh
  local -x MINIMIO_WINE_LIMIT=200
  edit=expect_half_a_second replaced=polling published async-io 2.6.0 --target x86_64-pc-windows-gnu --lib --tests
}

async_process() { replaced=polling published async-process 2.5.0; }

calloop() { replaced=polling published calloop 0.14.5 --features block_on,executor,futures-io,signals,stream; }

async_net() { replaced=polling published async-net 2.0.0; }

async_signal() { replaced=polling published async-signal 0.2.14; }

for part in "${parts[@]}"; do
  echo "$part"
  "$part"
done
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
