#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing. Prints the output of apt only if the installation fails.
set -euo pipefail
missing=()
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi
echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt() {
  apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" >>"$log" 2>&1 </dev/null
}
for pause in 2 5 10 0; do
  if apt update && apt install --no-install-recommends "${missing[@]}"; then
    exit 0
  fi
  sleep "$pause"
done
tail -n 40 "$log" >&2
echo "cannot install ${missing[*]}" >&2
exit 1
