#!/usr/bin/env bash
# Sets up the Windows lab: all that it takes to compile programs for x86_64-pc-windows-gnu, and to run them under Wine.
#
#     . verification/setup/wine-setup.sh [wine10|wine8]      (default: wine10)
#     cargo test --target x86_64-pc-windows-gnu
#
# Sourced, by bash, it is silent on stdout and exports what cargo must know of that target; a script that has arguments of its
# own has to say which Wine it wants. Run as a program, it sets the lab up and exports nothing.
#
# | | |
# |---|---|
# | linker | Debian's mingw-w64 |
# | std | built once, from the source that `rust-src.sh` brings, into a sysroot of its own: a build needs neither `-Zbuild-std` nor RUSTC_BOOTSTRAP |
# | wine10 | Debian 13's, in a folder that `wine-run.sh` lays over /usr, in a mount namespace |
# | wine8 | Debian 12's own, with a DLL that it lacks and std needs |
#
# All but the Debian packages is kept under ${MINIMIO_CACHE:-~/.cache/minimio}/windows, so a second call takes no time. What is
# there is whole and has run a test. std's own crates come from crates.io. Every failure says what failed, and the status
# is not zero.

# Whoever sources this keeps a shell as it was: the work is done in a process of its own.
if [[ ${BASH_SOURCE[0]} != "$0" ]]; then
  minimio_exports=$("$(dirname "${BASH_SOURCE[0]}")/wine-setup.sh" "${1:-wine10}" --exports) && eval "$minimio_exports"
  return
fi

set -euo pipefail
wine=${1:-wine10}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=x86_64-pc-windows-gnu
linker=x86_64-w64-mingw32-gcc-win32
lab=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/windows
# What an earlier call has exported, among others, is no matter of this one.
unset RUSTC RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET
unset CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS MINIMIO_WINE_LIMIT
export MINIMIO_WINE=$wine

say() { echo "windows: $*" >&2; }
die() {
  say "FAILED: $*"
  if [[ -s ${log:-/dev/null} ]]; then tail -n 20 "$log" >&2; fi
  exit 1
}
# Nobody who stays behind may keep the lock.
run() {
  echo "+ $*" >>"$log"
  "$@" >>"$log" 2>&1 9>&- </dev/null
}
# A registry has bad moments.
retry() {
  local pause
  for pause in 2 5 0; do
    if run "$@"; then return 0; fi
    sleep "$pause"
  done
  return 1
}
# What a command mounts is gone when it ends.
mounting() { unshare --mount --propagation private "$@"; }

packages() {
  local packages=(gcc-mingw-w64-x86-64-win32)
  if [[ $wine == wine10 ]]; then packages+=(debootstrap); else packages+=(wine wine64); fi
  "$here/debian.sh" "${packages[@]}" >&2 9>&- || die "cannot install the packages"
}

# The standard library, as cargo would build it with `-Zbuild-std` every time.
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
  run ls "$objects"/libstd-*.rlib "$objects"/libtest-*.rlib || die "what was built is not std"
  # The two ends of a program. Older compilers link them.
  for object in rsbegin rsend; do
    RUSTC_BOOTSTRAP=1 run rustc --target "$target" --crate-type rlib --emit obj -o "$objects/$object.o" \
      "$source/rtstartup/$object.rs" || die "cannot compile $object.o"
  done
  mkdir -p "$work/sysroot/lib/rustlib/$target"
  mv "$objects" "$work/sysroot/lib/rustlib/$target/lib"
  mv "$work/sysroot" "$sysroot"
  rm -f "$lab"/proved-*
}

# Debian 13 and its Wine.
trixie() {
  local root=$work/trixie codename mirror
  [[ ! -e $lab/trixie ]] || return 0
  say "installing Debian 13's Wine in a folder"
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk -v r="$codename" '$2 == r { print $1 }' | sort -u | head -n 1)
  [[ -n $mirror ]] || die "apt has no mirror for '$codename'; is this Debian?"
  retry mounting debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    trixie "$root" "$mirror" || die "cannot install Debian 13"
  # No daemons.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  retry mounting chroot "$root" apt-get -q -y -o Acquire::Retries=3 update || die "cannot read Debian 13's list of packages"
  retry mounting chroot "$root" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o Acquire::Retries=3 install --no-install-recommends wine wine64 || die "cannot install Debian 13's Wine"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,locale}
  mv "$root" "$lab/trixie"
  rm -f "$lab"/proved-wine10-*
}

# Wine's drive C.
prefix() {
  local prefix=$lab/prefix-$wine system32=$lab/prefix-$wine/drive_c/windows/system32
  [[ ! -e $prefix/complete ]] || return 0
  say "making a drive C for $wine"
  rm -rf "$prefix"
  mkdir "$prefix"
  run "$here/wine-run.sh" --keep wineboot --init || die "wineboot does not succeed"
  [[ -e $system32/kernel32.dll && -e $prefix/system.reg ]] || die "wineboot has made no drive C"
  if [[ ! -e $system32/bcryptprimitives.dll ]]; then
    # std has its random numbers from there, by this one function.
    cat >"$work/random.c" <<'C'
__declspec(dllimport) unsigned char SystemFunction036(void *buffer, unsigned long size); // RtlGenRandom

__declspec(dllexport) int ProcessPrng(unsigned char *buffer, unsigned long long size)
{
    while (size > 0) {
        unsigned long part = size > 65536 ? 65536 : size;
        if (!SystemFunction036(buffer, part))
            return 0;
        buffer += part;
        size -= part;
    }
    return 1;
}
C
    run "$linker" -O2 -shared -o "$system32/bcryptprimitives.dll" "$work/random.c" -ladvapi32 ||
      die "cannot compile bcryptprimitives.dll"
  fi
  : >"$prefix/complete"
  rm -f "$lab/proved-$wine"-*
}

# A test that passes must pass, one that fails must fail, and one that hangs must end.
prove() {
  local proved=$lab/proved-$wine-${sysroot##*/} status=0
  [[ ! -e $proved ]] || return 0
  cat >"$work/lab.rs" <<'RUST'
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
  run rustc --test --target "$target" --sysroot "$sysroot" -C linker="$linker" -o "$work/lab.exe" "$work/lab.rs" ||
    die "cannot compile a test"
  run "$here/wine-run.sh" "$work/lab.exe" || die "a test does not run"
  grep -q '^test result: ok\. 1 passed; 0 failed; 2 ignored;' "$log" || die "a test has not run"
  run "$here/wine-run.sh" "$work/lab.exe" --ignored fails || status=$?
  ((status == 101)) || die "a test that fails has status $status"
  status=0
  MINIMIO_WINE_LIMIT=3 run "$here/wine-run.sh" "$work/lab.exe" --ignored hangs || status=$?
  ((status == 137)) || die "a test that hangs has status $status"
  ! grep -zqF "$work/lab.exe" /proc/[0-9]*/cmdline 2>/dev/null || die "a test that hangs is still there"
  : >"$proved"
}

[[ $wine == wine10 || $wine == wine8 ]] || die "'$wine' is neither wine10 nor wine8"
# cargo takes flags and the words of a command apart at blanks.
[[ $lab$here != *[[:space:]]* ]] || die "there must be no blank in $lab and $here"
mkdir -p "$lab" || die "cannot make $lab"
# One at a time: whoever comes second finds the work done.
exec 9>"$lab/lock"
flock 9
rm -rf "$lab"/setup.*
work=$(mktemp -d "$lab/setup.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
log=$work/log

version=$(rustc -vV) || die "there is no rustc"
release=$(sed -n 's/^release: //p' <<<"$version")
commit=$(sed -n 's/^commit-hash: //p' <<<"$version")
# One for each compiler: another's library would not do.
sysroot=$lab/std-$release-${commit:0:12}
packages
standard_library
if [[ $wine == wine10 ]]; then trixie; fi
prefix
prove

if [[ ${2:-} == --exports ]]; then
  cat <<EXPORTS
export MINIMIO_WINE=$wine
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=$linker
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$here/wine-run.sh
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS="--sysroot $sysroot"
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTDOCFLAGS="--sysroot $sysroot"
EXPORTS
fi
