#!/usr/bin/env bash
# Builds and runs a small program in a workspace that has minimio in one of its folders: once the checkout, once the unpacked
# package. The program depends on minimio by its own name and by mio's, with mio's features; on a patched mio; and on
# `compat/mio` by its path. Also runs the package's tests of its examples there, which read the package's files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR=$work/target CARGO_NET_OFFLINE=true
passed=0 failed=0

# program NAME CRATE DEPENDENCY: adds a member to the workspace in the current folder.
program() {
  mkdir -p "$1/src"
  printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s\n' "$1" "$3" >"$1/Cargo.toml"
  sed "s/CRATE/$2/" >"$1/src/main.rs" <<'RUST'
use CRATE::{net::UdpSocket, Events, Interest, Poll, Token};

fn main() -> std::io::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(4));
    let mut socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
    poll.registry().register(&mut socket, Token(7), Interest::READABLE)?;
    socket.send_to(b"hello", socket.local_addr()?)?;
    poll.poll(&mut events, None)?;
    assert!(events.iter().all(|event| event.token() == Token(7) && event.is_readable()));
    Ok(())
}
RUST
}

# workspace NAME PROGRAM…: builds and runs the programs in the workspace of this name, which has minimio in `minimio`.
workspace() {
  local name=$1 program
  shift
  cd "$work/$name"
  program own-name minimio 'minimio = { path = "../minimio" }'
  program mio-name mio 'mio = { package = "minimio", path = "../minimio", features = ["os-poll", "os-ext", "net", "log"] }'
  program patched mio 'mio = { version = "1.2", features = ["os-poll", "os-ext", "net"] }'
  program mio-path mio 'mio = { path = "../minimio/compat/mio", features = ["os-poll", "os-ext", "net"] }'
  printf '[workspace]\nresolver = "2"\nmembers = [%s]\n' "$(printf '"%s", ' "$@")" >Cargo.toml
  [[ " $* " != *" patched "* ]] || printf '[patch.crates-io]\nmio = { path = "minimio/compat/mio" }\n' >>Cargo.toml
  for program in "$@"; do
    if timeout 300 cargo run --quiet --package "$program"; then
      echo "  ok  $name, $program" && passed=$((passed + 1))
    else
      echo "  not $name, $program" && failed=$((failed + 1))
    fi
  done
  cd "$root"
}

mkdir -p "$work/checkout/minimio" "$work/package"
# A deleted file is listed until the next commit.
git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
  xargs -0 cp --parents --target-directory="$work/checkout/minimio"
workspace checkout own-name mio-name patched mio-path

cargo package --quiet --allow-dirty --no-verify
tar -xzf "$CARGO_TARGET_DIR"/package/minimio-*.crate -C "$work/package"
mv "$work"/package/minimio-* "$work/package/minimio"
workspace package own-name mio-name
if (cd "$work/package" && timeout 300 cargo test --quiet --package minimio --test examples); then
  echo "  ok  package, its tests of the examples" && passed=$((passed + 1))
else
  echo "  not package, its tests of the examples" && failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
((failed == 0))
