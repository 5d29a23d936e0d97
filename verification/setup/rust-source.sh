#!/bin/sh
# Finds or downloads the source of the standard library of exactly the installed rustc, for `-Zbuild-std`.
#
#   . verification/setup/rust-source.sh || exit 1        (under `set -e`, the dot alone is enough)
#   RUSTC_BOOTSTRAP=1 cargo check -Zbuild-std=std,panic_abort --target x86_64-unknown-netbsd
#
# Sourced, it prints nothing on stdout and exports __CARGO_TESTS_ONLY_SRC_ROOT, the variable in which cargo looks for the
# source. It does not change the toolchain. Run as a program, it prints the folder:
# `src=$(verification/setup/rust-source.sh) || exit 1`.
#
# The source comes from the toolchain if rustup's component `rust-src` is installed, otherwise from Debian's package
# `rust-src` of the same version: the script searches the suites below on the mirror that apt is configured with. It
# keeps the source under ${MINIMIO_CACHE:-~/.cache/minimio}, and a second call finds it there. In the first build, cargo
# downloads the crates that std depends on from crates.io.
#
# RUST_SRC=/path/to/library      use this folder instead
# RUST_SRC_SUITES="sid …"        search these suites, in this order
#
# It needs Debian and a rustc. If a step fails, it prints which one and returns a status other than 0.

minimio_rust_src() (
    set -eu

    say() { echo "rust-source.sh: $*" >&2; }
    die() {
        say "FAILED: $*"
        if [ -s "${log:-/dev/null}" ]; then tail -n 20 "$log" >&2; fi
        exit 1
    }
    # A download can fail for a moment: three attempts.
    retry() {
        for pause in 2 5 0; do
            echo "+ $*" >> "$log"
            if "$@" >> "$log" 2>&1; then return 0; fi
            sleep "$pause"
        done
        return 1
    }

    version=$(rustc -vV) || die "no rustc"
    release=$(echo "$version" | sed -n 's/^release: //p')
    [ -n "$release" ] || die "rustc -vV prints no release"

    # The caller named a folder, or the toolchain has the component.
    if [ -n "${RUST_SRC:-}" ]; then
        [ -e "$RUST_SRC/std/Cargo.toml" ] || die "RUST_SRC=$RUST_SRC is not a library folder"
        echo "$RUST_SRC"
        exit
    fi
    toolchain=$(rustc --print sysroot)/lib/rustlib/src/rust/library
    if [ -e "$toolchain/std/Cargo.toml" ]; then
        echo "$toolchain"
        exit
    fi

    cache=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}
    library=$cache/rust-src-$release/library
    if [ -e "$library/std/Cargo.toml" ]; then
        echo "$library"
        exit
    fi

    # The lock lets one process at a time download. A second process then finds the source in the cache.
    mkdir -p "$cache" || die "cannot make $cache"
    exec 9> "$cache/rust-src.lock"
    flock 9
    if [ -e "$library/std/Cargo.toml" ]; then
        echo "$library"
        exit
    fi

    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk -v r="$codename" '$2 == r { print $1; exit }')
    [ -n "$mirror" ] || die "apt has no mirror for '$codename'; is this Debian?"

    # apt runs with its own lists and folders, and the machine's package sources do not change.
    work=$(mktemp -d "$cache/rust-src.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
    log=$work/log
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/none"
    : > "$work/status"
    cat > "$work/apt.conf" <<CONF
Dir::Etc { sourcelist "$work/list"; sourceparts "$work/none"; preferences "$work/none"; preferencesparts "$work/none"; };
Dir::State "$work"; Dir::State::lists "$work/lists"; Dir::State::status "$work/status";
Dir::Cache "$work"; Dir::Cache::archives "$work/archives";
APT::Sandbox::User "root"; Acquire::Languages "none"; Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
CONF
    export APT_CONFIG="$work/apt.conf"

    found=
    for suite in ${RUST_SRC_SUITES:-trixie-backports trixie forky sid experimental "$codename"}; do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$work/list"
        retry apt-get -q update || { say "no list of packages of $suite"; continue; }
        found=$(apt-cache madison rust-src 2>> "$log" |
            awk -F' *[|] *' -v r="$release" 'index($2, r "+") == 1 || index($2, r "-") == 1 { print $2; exit }')
        if [ -n "$found" ]; then break; fi
    done
    [ -n "$found" ] || die "no suite has rust-src $release; set RUST_SRC, or use another rustc"
    say "rust-src $found from $suite"

    cd "$work/archives"
    retry apt-get -q download "rust-src=$found" || die "cannot download rust-src $found"
    mkdir "$work/x"
    dpkg-deb -x rust-src_*.deb "$work/x" >> "$log" 2>&1 || die "cannot unpack rust-src"
    unpacked=$(echo "$work"/x/usr/src/rustc-*/library)
    [ -e "$unpacked/std/Cargo.toml" ] || die "rust-src $found has no folder library/std"
    [ -e "$unpacked/Cargo.lock" ] || die "rust-src $found has no library/Cargo.lock"

    # The rename is the last step: a folder of this name is complete.
    rm -rf "$cache/rust-src-$release"
    mkdir "$work/rust-src"
    mv "$unpacked" "$work/rust-src/library"
    mv "$work/rust-src" "$cache/rust-src-$release"
    [ -e "$library/std/Cargo.toml" ] || die "cannot move the source to $library"
    echo "$library"
)

__CARGO_TESTS_ONLY_SRC_ROOT=$(minimio_rust_src) && export __CARGO_TESTS_ONLY_SRC_ROOT &&
    case ${0##*/} in rust-source.sh) echo "$__CARGO_TESTS_ONLY_SRC_ROOT" ;; esac
