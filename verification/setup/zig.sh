#!/usr/bin/env bash
# Installs `zig` and prints its path. zig is a C compiler and linker, and its package contains the headers and the
# symbol lists of the C libraries of macOS, FreeBSD, NetBSD and OpenBSD, among others.
#
#     zig=$(verification/setup/zig.sh)
#
# The package is `ziglang` of PyPI. The script installs it under ${MINIMIO_CACHE:-~/.cache/minimio}/headers, and a second
# call finds it there. Stdout gets the path only. The script takes the lock `headers/lock`, so a caller must not hold it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=0.17.1
cache=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/headers
folder=$cache/ziglang-$version

if [[ ! -e $folder ]]; then
  verification/setup/debian.sh python3 python3-venv >&2
  mkdir -p "$cache"
  # The lock lets one process at a time install. A second process then finds the folder.
  exec 9>"$cache/lock"
  flock 9
fi
if [[ ! -e $folder ]]; then
  echo "installing ziglang $version" >&2
  rm -rf "$cache"/ziglang.*
  new=$(mktemp -d "$cache/ziglang.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  /usr/bin/python3 -m venv "$new/venv" >&2
  "$new/venv/bin/pip" --quiet --disable-pip-version-check --retries 5 install "ziglang==$version" >&2
  # The package is one folder and works from any place. The rename is the last step: a folder of this name is complete.
  mv "$new"/venv/lib/python3*/site-packages/ziglang "$new/ziglang"
  "$new/ziglang/zig" version | grep -qx "${version%.post*}"
  mv "$new/ziglang" "$folder"
fi
echo "$folder/zig"
