#!/usr/bin/env bash
# Sets up everything that compiles programs for x86_64-pc-windows-gnu and i686-pc-windows-gnu and runs them under Wine.
#
#     . verification/setup/wine-setup.sh
#     cargo test --target x86_64-pc-windows-gnu
#
# Sourced by bash, it prints nothing to stdout and exports cargo's settings for both targets. Run as a program, it sets
# everything up and exports nothing.
#
# | | |
# |---|---|
# | linkers | Debian's mingw-w64 |
# | std | built once for each target, from the source that `rust-source.sh` installs, into a sysroot of its own; a build then needs neither `-Zbuild-std` nor RUSTC_BOOTSTRAP |
# | Wine | Debian 13's Wine 10, in a folder that `wine-run.sh` mounts over /usr, in a mount namespace; with the 32-bit DLLs of the same version, which Wine's WoW64 mode loads into a 64-bit process |
#
# Everything except the Debian packages and the source of std is kept under
# ${MINIMIO_CACHE:-~/.cache/minimio}/windows, so a second call takes no time. A part is kept only if it is complete. A
# test of all parts runs in every call until it has passed, and again after a part has changed. The crates of std come
# from crates.io. On failure, the script prints the step that failed, and its status is not zero.

# If sourced, the work is done in a process of its own, so that the shell's options and variables do not change.
if [[ ${BASH_SOURCE[0]} != "$0" ]]; then
  minimio_exports=$("$(dirname "${BASH_SOURCE[0]}")/wine-setup.sh" --exports) && eval "$minimio_exports"
  return
fi

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
targets=(x86_64-pc-windows-gnu i686-pc-windows-gnu)
linker_of() { echo "${1%%-*}-w64-mingw32-gcc-win32"; }
cache=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/windows
# The exports of an earlier call must not change the builds below.
unset RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET
unset CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS CARGO_TARGET_I686_PC_WINDOWS_GNU_RUSTFLAGS MINIMIO_WINE_LIMIT

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
  "$here/debian.sh" gcc-mingw-w64-{x86-64,i686}-win32 debootstrap >&2 9>&- || die "cannot install the packages"
}

# Builds the standard library for a target, as cargo does with `-Zbuild-std`.
standard_library() {
  local target=$1 source object objects=$work/lib-$1
  [[ ! -e $sysroot/lib/rustlib/$target ]] || return 0
  say "building std $release for $target"
  source=$("$here/rust-source.sh" 9>&-) || die "there is no source of std"
  rm -rf "$work/empty"
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
  mkdir -p "$work/$target" "$sysroot/lib/rustlib"
  mv "$objects" "$work/$target/lib"
  mv "$work/$target" "$sysroot/lib/rustlib/$target"
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

# Adds the 32-bit DLLs of the same version, from the package for i386. Only the DLLs are needed: its programs and Linux
# libraries belong to the old mode, in which a 32-bit program is a 32-bit process.
wow64() {
  local dlls=usr/lib/i386-linux-gnu/wine/i386-windows wine=$cache/trixie/usr/lib/x86_64-linux-gnu/wine
  local download=tmp/libwine-i386
  [[ ! -e $wine/i386-windows/kernel32.dll ]] || return 0
  say "adding the 32-bit DLLs of Wine"
  cp /etc/resolv.conf "$cache/trixie/etc/resolv.conf"
  rm -rf "${cache:?}/trixie/$download"
  run mounting chroot "$cache/trixie" dpkg --add-architecture i386 || die "cannot add the architecture i386"
  retry mounting chroot "$cache/trixie" apt-get -q -y -o Acquire::Retries=3 update || die "cannot read the list of packages"
  mkdir -p "$cache/trixie/$download"
  retry mounting chroot "$cache/trixie" sh -ec "
    cd /$download
    apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root download libwine:i386=\$(dpkg-query -W -f '\${Version}' libwine)
    dpkg -x libwine_*.deb ." || die "cannot get the 32-bit DLLs"
  # The folder already has the DLLs of other packages. `kernel32.dll` comes last, because it marks the folder as complete.
  mkdir -p "$wine/i386-windows"
  mv "$cache/trixie/$download/$dlls/kernel32.dll" "$cache/trixie/$download/" &&
    mv "$cache/trixie/$download/$dlls"/* "$cache/trixie/$download/kernel32.dll" "$wine/i386-windows/" || die "the package has no 32-bit DLLs"
  rm -rf "${cache:?}/trixie/$download"
  rm -f "$cache"/proved-wine10-*
}

# Creates Wine's drive C.
prefix() {
  local prefix=$cache/prefix-wine10-wow64 windows=$cache/prefix-wine10-wow64/drive_c/windows
  [[ ! -e $prefix/complete ]] || return 0
  say "creating a drive C"
  rm -rf "$prefix"
  mkdir "$prefix"
  run "$here/wine-run.sh" --keep wineboot --init || die "wineboot failed"
  [[ -e $windows/system32/kernel32.dll && -e $windows/syswow64/kernel32.dll && -e $prefix/system.reg ]] ||
    die "wineboot has created no drive C"
  : >"$prefix/complete"
  rm -f "$cache"/proved-wine10-*
}

# Checks, for a target, that a passing test passes, a failing test fails, and a hanging test is killed.
prove() {
  local target=$1 proved=$cache/proved-wine10-$1-${sysroot##*/} status=0
  [[ ! -e $proved ]] || return 0
  cat >"$work/check.rs" <<'RUST'
#[test]
fn passes() {
    assert!(cfg!(windows) && std::env::consts::ARCH == env!("EXPECTED_ARCH"));
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
  EXPECTED_ARCH=$(sed 's/^i686/x86/; s/-.*//' <<<"$target") \
    run rustc --test --target "$target" --sysroot "$sysroot" -C linker="$(linker_of "$target")" -o "$work/check.exe" "$work/check.rs" ||
    die "cannot compile a test"
  : >"$log"
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
# A 32-bit program crashes while it prints a backtrace, in Wine's dbghelp.dll.
export RUST_BACKTRACE=0

version=$(rustc -vV) || die "there is no rustc"
release=$(sed -n 's/^release: //p' <<<"$version")
commit=$(sed -n 's/^commit-hash: //p' <<<"$version")
# Each compiler needs its own standard library.
sysroot=$cache/std-$release-${commit:0:12}
packages
for target in "${targets[@]}"; do
  standard_library "$target"
done
trixie
wow64
prefix
for target in "${targets[@]}"; do
  prove "$target"
done

if [[ ${1:-} == --exports ]]; then
  for target in "${targets[@]}"; do
    variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    cat <<EXPORTS
export ${variable}_LINKER=$(linker_of "$target")
export ${variable}_RUNNER=$here/wine-run.sh
export ${variable}_RUSTFLAGS="--sysroot $sysroot"
export ${variable}_RUSTDOCFLAGS="--sysroot $sysroot"
EXPORTS
  done
fi
