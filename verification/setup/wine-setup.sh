#!/usr/bin/env bash
# Sets up everything that compiles programs for x86_64-pc-windows-gnu and runs them under Wine.
#
#     . verification/setup/wine-setup.sh
#     cargo test --target x86_64-pc-windows-gnu
#
# Sourced by bash, it prints nothing to stdout and exports cargo's settings for that target. Run as a program, it sets everything up
# and exports nothing.
#
# | | |
# |---|---|
# | linker | Debian's mingw-w64 |
# | std | built once, from the source that `rust-source.sh` installs, into a sysroot of its own; a build then needs neither `-Zbuild-std` nor RUSTC_BOOTSTRAP |
# | Wine | Debian 13's Wine 10, in a folder that `wine-run.sh` mounts over /usr, in a mount namespace |
#
# Everything except the Debian packages is kept under ${MINIMIO_CACHE:-~/.cache/minimio}/windows, so a second call takes
# no time. A part is kept only if it is complete. A test of all parts runs in every call until it has passed, and again
# after a part has changed. The crates of std come from crates.io. On failure, the script prints the step that failed,
# and its status is not zero.

# If sourced, the work is done in a process of its own, so that the shell's options and variables do not change.
if [[ ${BASH_SOURCE[0]} != "$0" ]]; then
  minimio_exports=$("$(dirname "${BASH_SOURCE[0]}")/wine-setup.sh" --exports) && eval "$minimio_exports"
  return
fi

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=x86_64-pc-windows-gnu
linker=x86_64-w64-mingw32-gcc-win32
cache=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/windows
# The exports of an earlier call must not change the builds below.
unset RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET
unset CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS MINIMIO_WINE_LIMIT

say() { echo "windows: $*" >&2; }
die() {
  say "FAILED: $*"
  if [[ -s ${log:-/dev/null} ]]; then tail -n 20 "$log" >&2; fi
  exit 1
}
# Runs a command with its output in the log. The command does not inherit the lock (descriptor 9), so that a process that it leaves
# behind does not keep the lock.
run() {
  echo "+ $*" >>"$log"
  "$@" >>"$log" 2>&1 9>&- </dev/null
}
# Repeats a command that fails, because a registry can fail for a moment.
retry() {
  local pause
  for pause in 2 5 0; do
    if run "$@"; then return 0; fi
    sleep "$pause"
  done
  return 1
}
# Runs a command in a mount namespace of its own. The kernel removes the mounts of that namespace when the command ends.
mounting() { unshare --mount --propagation private "$@"; }

packages() {
  "$here/debian.sh" gcc-mingw-w64-x86-64-win32 debootstrap >&2 9>&- || die "cannot install the packages"
}

# Builds the standard library, as cargo does with `-Zbuild-std`.
standard_library() {
  local source object objects=$work/lib
  [[ ! -e $sysroot ]] || return 0
  say "building std $release for $target"
  source=$("$here/rust-source.sh" 9>&-) || die "there is no source of std"
  mkdir -p "$work/empty/src" "$objects"
  : >"$work/empty/src/lib.rs"
  printf '%s\n' '[package]' 'name = "empty"' 'version = "0.0.0"' 'edition = "2021"' '[workspace]' \
    '[profile.release]' 'debug = 1' >"$work/empty/Cargo.toml"
  cd "$work/empty"
  RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work/target __CARGO_TESTS_ONLY_SRC_ROOT=$source retry cargo build --release \
    --target "$target" -Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro || die "cannot build std"
  find "$work/target/$target/release/deps" -name '*.rlib' ! -name 'libempty-*' -exec cp {} "$objects/" \;
  run ls "$objects"/libstd-*.rlib "$objects"/libtest-*.rlib || die "the build contains no std"
  # The start and end objects of a program, which older compilers link.
  for object in rsbegin rsend; do
    RUSTC_BOOTSTRAP=1 run rustc --target "$target" --crate-type rlib --emit obj -o "$objects/$object.o" \
      "$source/rtstartup/$object.rs" || die "cannot compile $object.o"
  done
  mkdir -p "$work/sysroot/lib/rustlib/$target"
  mv "$objects" "$work/sysroot/lib/rustlib/$target/lib"
  mv "$work/sysroot" "$sysroot"
  rm -f "$cache"/proved-*
}

# Installs Debian 13 with its Wine.
trixie() {
  local root=$work/trixie codename mirror
  [[ ! -e $cache/trixie ]] || return 0
  say "installing Debian 13's Wine in a folder"
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk -v r="$codename" '$2 == r { print $1 }' | sort -u | head -n 1)
  [[ -n $mirror ]] || die "apt has no mirror for '$codename'; is this Debian?"
  retry mounting debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    trixie "$root" "$mirror" || die "cannot install Debian 13"
  # Keep packages from starting daemons.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  retry mounting chroot "$root" apt-get -q -y -o Acquire::Retries=3 update || die "cannot read Debian 13's list of packages"
  retry mounting chroot "$root" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o Acquire::Retries=3 install --no-install-recommends wine wine64 || die "cannot install Debian 13's Wine"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,locale}
  mv "$root" "$cache/trixie"
  rm -f "$cache"/proved-wine10-*
}

# Creates Wine's drive C.
prefix() {
  local prefix=$cache/prefix-wine10 system32=$cache/prefix-wine10/drive_c/windows/system32
  [[ ! -e $prefix/complete ]] || return 0
  say "creating a drive C"
  rm -rf "$prefix"
  mkdir "$prefix"
  run "$here/wine-run.sh" --keep wineboot --init || die "wineboot failed"
  [[ -e $system32/kernel32.dll && -e $prefix/system.reg ]] || die "wineboot has created no drive C"
  : >"$prefix/complete"
  rm -f "$cache"/proved-wine10-*
}

# Checks that a passing test passes, a failing test fails, and a hanging test is killed.
prove() {
  local proved=$cache/proved-wine10-${sysroot##*/} status=0
  [[ ! -e $proved ]] || return 0
  cat >"$work/check.rs" <<'RUST'
#[test]
fn passes() {
    assert!(cfg!(windows));
    let listener = std::thread::spawn(|| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    assert_ne!(listener.join().unwrap().local_addr().unwrap().port(), 0);
    let _random = std::collections::HashMap::<u8, u8>::new();
}

#[test]
#[ignore]
fn fails() {
    panic!();
}

#[test]
#[ignore]
fn hangs() {
    loop {}
}
RUST
  run rustc --test --target "$target" --sysroot "$sysroot" -C linker="$linker" -o "$work/check.exe" "$work/check.rs" ||
    die "cannot compile a test"
  run "$here/wine-run.sh" "$work/check.exe" || die "a test did not run"
  grep -q '^test result: ok\. 1 passed; 0 failed; 2 ignored;' "$log" || die "a test was not executed"
  run "$here/wine-run.sh" "$work/check.exe" --ignored fails || status=$?
  ((status == 101)) || die "a failing test has status $status"
  status=0
  MINIMIO_WINE_LIMIT=3 run "$here/wine-run.sh" "$work/check.exe" --ignored hangs || status=$?
  ((status == 137)) || die "a hanging test has status $status"
  ! grep -zqF "$work/check.exe" /proc/[0-9]*/cmdline 2>/dev/null || die "a hanging test still runs"
  : >"$proved"
}

[[ $# == 0 || $* == --exports ]] || die "it takes no arguments: $*"
# cargo splits flags and commands at blanks.
[[ $cache$here != *[[:space:]]* ]] || die "there must be no blank in $cache and $here"
mkdir -p "$cache" || die "cannot create $cache"
# Only one process at a time sets up; the next one finds the work done.
exec 9>"$cache/lock"
flock 9
rm -rf "$cache"/setup.*
work=$(mktemp -d "$cache/setup.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
log=$work/log

version=$(rustc -vV) || die "there is no rustc"
release=$(sed -n 's/^release: //p' <<<"$version")
commit=$(sed -n 's/^commit-hash: //p' <<<"$version")
# Each compiler needs its own standard library.
sysroot=$cache/std-$release-${commit:0:12}
packages
standard_library
trixie
prefix
prove

if [[ ${1:-} == --exports ]]; then
  cat <<EXPORTS
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=$linker
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$here/wine-run.sh
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS="--sysroot $sysroot"
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTDOCFLAGS="--sysroot $sysroot"
EXPORTS
fi
