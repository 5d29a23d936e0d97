#!/usr/bin/env bash
# Runs a command in the folder of each package beside the crate: `each-package.sh COMMAND…`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for manifest in $(find verification benches compat -name Cargo.toml -not -path '*/target/*' | sort); do
  echo "${manifest%/*}"
  (cd "${manifest%/*}" && "$@")
done
