#!/usr/bin/env bash
# Links the library's tests, all other tests and the examples for macOS and the BSDs, to check that every function that the crate
# or a test declares exists on that system under its name. Runs no program.
#
#     link.sh [target …]                (default: the targets that `targets.txt` marks with `link`)
#     link.sh --self-test [target …]    also gives each function in a copy a name that no system has, and checks that the linker
#                                       rejects each of them
#
# `setup/zig.sh` installs the linker, with the names in each system's C library. The standard library is built from the source
# that `setup/rust-source.sh` installs, in two minutes per target.
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# zig supports neither DragonFly nor Apple's other systems.
mapfile -t targets < <(awk '!/^(#|$)/ && $3 == "link" { print $1 }' verification/targets/targets.txt)
self_test=no
if [[ ${1:-} == --self-test ]]; then
  self_test=yes
  shift
fi
(($# == 0)) || targets=("$@")

verification/setup/debian.sh gcc libc6-dev perl-base
. verification/setup/rust-source.sh
zig=$(verification/setup/zig.sh)
unset RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
export ZIG_GLOBAL_CACHE_DIR=${zig%/*/*}/zig-cache ZIG_LOCAL_CACHE_DIR=${zig%/*/*}/zig-cache
# rustc looks for libSystem in the SDK; zig has a stub of libSystem here.
export SDKROOT=${zig%/*}/lib/libc/darwin

# One linker for all targets, a script that calls zig. rustc derives a linker's kind from its name, and treats `link` as
# Microsoft's linker, so the script has another name.
linker=$CARGO_TARGET_DIR/zig-cc
mkdir -p "$CARGO_TARGET_DIR"
cat >"$linker" <<'BASH'
#!/usr/bin/env bash
arguments=()
for argument in "$@"; do
  case $argument in
  # FreeBSD's standard library names these libraries but uses none of them, and zig does not have them.
  -lkvm | -lmemstat | -lprocstat | -ldevstat) ;;
  *) arguments+=("$argument") ;;
  esac
done
exec "$ZIG" cc -target "$ZIG_TARGET" "${arguments[@]}"
BASH
chmod +x "$linker"

# cargo_for TARGET ARGUMENT…: runs cargo with that linker.
cargo_for() {
  local target=$1 variable zig_target
  shift
  variable=CARGO_TARGET_${target^^}_LINKER
  zig_target=${target/-apple-darwin/-macos}
  env "${variable//-/_}=$linker" ZIG="$zig" ZIG_TARGET="${zig_target/-unknown/}" cargo "$@" --quiet \
    --target "$target" -Zbuild-std=std,panic_unwind,test
}

# Makes a copy in which no declared function exists, and prints the names that the functions have in it.
spoil() {
  rm -rf "$spoiled"
  mkdir -p "$spoiled"
  cp -r Cargo.toml README.md src tests examples "$spoiled/"
  cd "$spoiled"
  # cargo does not distinguish packages by their folders: with the same version, it would reuse the original's build.
  sed -i 's/^version = .*/version = "0.0.0"/' Cargo.toml
  perl -0777 -pi -e '
    s/^\s*#\[[^\n]*\blink_name\b[^\n]*\n//mg;
    my $file = $ARGV =~ s/\.rs$//r =~ s/\W/_/gr;
    s{^( *)extern "C" \{\n.*?^\1\}$}{ $& =~ s/^( *)(?=(?:pub\S* )?fn (\w+))/$1#[link_name = "absent_${file}_$2"]\n$1/mgr }mgse;
  ' src/unix/ffi.rs src/kqueue/ffi.rs tests/support/*.rs
  grep -rhow 'absent_\w*' src tests | sort
}

# Checks that the linker rejects every declared function, except for those that the target does not use.
rejects() {
  local target=$1 names=$2 rejected difference
  # Only tests for Linux filter system calls, send a signal to one thread and receive an urgent byte, and the kqueue model runs
  # only there.
  names=$(grep -vxE 'absent_tests_support_(descriptor_kqueue_model_(complete|configure)|seccomp_.*|signal_syscall|urgent_recv)' <<<"$names")
  # Each system has one of the three names.
  case $target in
  *netbsd | *openbsd) names=$(grep -vxE 'absent_src_unix_ffi_(__errno_location|__error)' <<<"$names") ;;
  *) names=$(grep -vxE 'absent_src_unix_ffi_(__errno_location|__errno)' <<<"$names") ;;
  esac
  if [[ $target == *-apple-* ]]; then
    # Apple's systems do not have these functions, and the crate does not call them there.
    names=$(grep -vxE 'absent_src_unix_ffi_(accept4|pipe2)' <<<"$names")
  else
    # The other systems have them, so the crate does not call `accept` and `pipe` there.
    names=$(grep -vxE 'absent_src_unix_ffi_(accept|pipe)' <<<"$names")
  fi
  rejected=$(cargo_for "$target" build --keep-going --tests --manifest-path "$spoiled/Cargo.toml" 2>&1 |
    grep -oE 'undefined symbol: _?absent_\w+' | sed 's/.*: _*//' | sort -u) || true
  if difference=$(diff <(echo "$names") <(echo "$rejected")); then
    echo "  ok  $target: the linker rejects all $(wc -l <<<"$names") names that do not exist"
  else
    echo "  not $target: not rejected (<), or not expected (>)"
    grep '^[<>]' <<<"$difference" | sed 's/^/    /'
    return 1
  fi
}

names=
if [[ $self_test == yes ]]; then
  spoiled=$CARGO_TARGET_DIR/link-spoiled
  names=$(spoil)
fi
passed=0 failed=0
for target in "${targets[@]}"; do
  start=$SECONDS
  if cargo_for "$target" test --no-run --lib --tests --examples; then
    echo "  ok  $target, $((SECONDS - start)) s"
    passed=$((passed + 1))
  else
    echo "  not $target"
    failed=$((failed + 1))
    continue
  fi
  [[ $self_test == yes ]] || continue
  if rejects "$target" "$names"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
((failed == 0))
