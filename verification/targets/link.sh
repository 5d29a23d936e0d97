#!/usr/bin/env bash
# Links the library's tests, all other tests and the examples for macOS and the BSDs: every function that the crate or a test
# declares is there, by the name that it has on that system.
#
#     link.sh [target …]                (default: all of the list below)
#     link.sh --self-test [target …]    the same, and gives each function in a copy a name that no system has, and sees
#                                       each of them refused
#
# The linker, and the names in each system's C library, come with the `zig` that `ziglang.sh` brings; the standard library is
# built from the source that `rust-src.sh` brings, two minutes a target. Nothing is run.
# CARGO_TARGET_DIR says where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# zig knows neither DragonFly nor iOS and its kin.
targets=(
  x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-freebsd x86_64-unknown-netbsd x86_64-unknown-openbsd
)
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
# Where rustc would look for libSystem, had it an SDK.
export SDKROOT=${zig%/*}/lib/libc/darwin

# One for all targets. rustc judges a linker by its name, and would take one called `link` for Microsoft's.
linker=$CARGO_TARGET_DIR/zig-cc
mkdir -p "$CARGO_TARGET_DIR"
cat >"$linker" <<'BASH'
#!/usr/bin/env bash
arguments=()
for argument in "$@"; do
  case $argument in
  # FreeBSD's std names these, and uses nothing of them; zig has none of them.
  -lkvm | -lmemstat | -lprocstat | -ldevstat) ;;
  *) arguments+=("$argument") ;;
  esac
done
exec "$ZIG" cc -target "$ZIG_TARGET" "${arguments[@]}"
BASH
chmod +x "$linker"

# cargo_for TARGET WORD…: with that linker.
cargo_for() {
  local target=$1 variable zig_target
  shift
  variable=CARGO_TARGET_${target^^}_LINKER
  zig_target=${target/-apple-darwin/-macos}
  env "${variable//-/_}=$linker" ZIG="$zig" ZIG_TARGET="${zig_target/-unknown/}" cargo "$@" --quiet \
    --target "$target" -Zbuild-std=std,panic_unwind,test
}

# A copy in which no function that is declared exists. Prints the names that they have now.
spoil() {
  rm -rf "$spoiled"
  mkdir -p "$spoiled"
  cp -r Cargo.toml README.md src tests examples "$spoiled/"
  cd "$spoiled"
  # cargo does not tell packages by their folders: it would take what was built for the other.
  sed -i 's/^version = .*/version = "0.0.0"/' Cargo.toml
  perl -0777 -pi -e '
    s/^\s*#\[[^\n]*\blink_name\b[^\n]*\n//mg;
    my $file = $ARGV =~ s/\.rs$//r =~ s/\W/_/gr;
    s{^( *)extern "C" \{\n.*?^\1\}$}{ $& =~ s/^( *)(?=(?:pub\S* )?fn (\w+))/$1#[link_name = "absent_${file}_$2"]\n$1/mgr }mgse;
  ' src/unix/ffi.rs src/kqueue/ffi.rs tests/support/*.rs
  grep -rhow 'absent_\w*' src tests | sort
}

# Whatever is declared, a program must have wanted it, but for what is left out here.
refuses() {
  local target=$1 names=$2 refused difference
  # A byte out of band is sent by tests for Linux alone, and the model of a kqueue runs there alone.
  names=$(grep -vxE 'absent_tests_support_descriptor_(send|kqueue_model_complete)' <<<"$names")
  if [[ $target == *-apple-* ]]; then
    # Apple's systems have no such functions, and the crate knows.
    names=$(grep -vxE 'absent_src_unix_ffi_(accept4|pipe2)' <<<"$names")
  else
    # All others have them, so that nobody wants `accept` and `pipe`.
    names=$(grep -vxE 'absent_src_unix_ffi_(accept|pipe)' <<<"$names")
  fi
  refused=$(cargo_for "$target" build --keep-going --tests --manifest-path "$spoiled/Cargo.toml" 2>&1 |
    grep -oE 'undefined symbol: _?absent_\w+' | sed 's/.*: _*//' | sort -u) || true
  if difference=$(diff <(echo "$names") <(echo "$refused")); then
    echo "  ok  $target: refuses all $(wc -l <<<"$names") names that do not exist"
  else
    echo "  not $target: does not refuse (<), or should not want (>)"
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
  if refuses "$target" "$names"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
((failed == 0))
