#!/usr/bin/env bash
# Prints the path of `zig`, a C compiler and linker that carries the headers and the names in the C libraries of macOS and
# the BSDs, among others.
#
#     zig=$(verification/setup/zig.sh)
#
# It comes with PyPI's `ziglang`, and is kept under ${MINIMIO_CACHE:-~/.cache/minimio}/headers, so a second call takes no
# time. Nothing but the path is printed on stdout. Whoever holds the lock in that folder must not call this.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=0.17.1
lab=${MINIMIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/minimio}/headers
folder=$lab/ziglang-$version

if [[ ! -e $folder ]]; then
  verification/setup/debian.sh python3 python3-venv >&2
  mkdir -p "$lab"
  # One at a time: whoever comes second finds the work done.
  exec 9>"$lab/lock"
  flock 9
fi
if [[ ! -e $folder ]]; then
  echo "installing ziglang $version" >&2
  rm -rf "$lab"/ziglang.*
  new=$(mktemp -d "$lab/ziglang.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  /usr/bin/python3 -m venv "$new/venv" >&2
  "$new/venv/bin/pip" --quiet --disable-pip-version-check --retries 5 install "ziglang==$version" >&2
  # All of it is in one folder, which may stand anywhere. The rename comes last, so what is there is whole.
  mv "$new"/venv/lib/python3*/site-packages/ziglang "$new/ziglang"
  "$new/ziglang/zig" version | grep -qx "${version%.post*}"
  mv "$new/ziglang" "$folder"
fi
echo "$folder/zig"
