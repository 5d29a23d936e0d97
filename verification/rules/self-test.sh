#!/usr/bin/env bash
# Plants violations of every rule of `run.sh` in a copy of the checkout, and fails unless the rule catches each at its place.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/run.sh"
here=$PWD

# Copies the checkout to a repository of its own.
copy() {
  local copy=$1 file
  files '.' | while read -r file; do
    mkdir -p "$copy/$(dirname "$file")"
    cp "$file" "$copy/$file"
  done
  git -c init.defaultBranch=main init -q "$copy"
}

# record MESSAGE COMMAND…: counts a test, which passes if the command succeeds.
passed=0 failed=0
record() {
  if "${@:2}"; then
    passed=$((passed + 1))
  else
    echo "$1"
    failed=$((failed + 1))
  fi
}

lacks() { ! grep -q "$@"; }

# plant RULE FILE TEXT: appends the text to the file, or creates the file. The rule must print a violation in that file.
plant() {
  local rule=$1 file=$2 text=$3 existed=no
  if [[ -e $file ]]; then existed=yes && cp "$file" "$spoiled/saved"; fi
  mkdir -p "$(dirname "$file")"
  printf '%b' "$text" >>"$file"
  record "${rule//_/ }: did not catch '$text' in $file" grep -qF -- "$file" <<<"$("$rule" || true)"
  if [[ $existed == yes ]]; then mv "$spoiled/saved" "$file"; else rm "$file"; fi
}

# harmless RULE FILE TEXT: a new file with this text. The rule must print no violation in it.
harmless() {
  mkdir -p "$(dirname "$2")"
  printf '%b' "$3" >"$2"
  record "${1//_/ }: wrongly reported '$3' in $2" lacks -F -- "$2" <<<"$("$1" || true)"
  rm "$2"
}

# expect RULE PATTERN: the rule must print a line that matches the pattern.
expect() {
  record "${1//_/ }: did not print '$2'" grep -qE -- "$2" <<<"$("$1" || true)"
}

# expect_not RULE PATTERN: the rule must print no line that matches the pattern.
expect_not() {
  record "${1//_/ }: wrongly printed '$2'" lacks -E -- "$2" <<<"$("$1" || true)"
}

self_test() {
  spoiled=$(mktemp -d)
  trap 'rm -rf "$spoiled"' EXIT
  copy "$spoiled/copy"
  cd "$spoiled/copy"
  git add -A

  local rule=only_the_platform_folders_contain_unsafe
  plant $rule src/poll.rs 'unsafe fn f() {}\n'
  plant $rule src/net/new.rs 'fn f() {\n    unsafe { g() }\n}\n'
  plant $rule tests/new.rs 'unsafe impl Send for T {}\n'
  plant $rule examples/new.rs 'fn f() { unsafe{ g() } }\n'
  harmless $rule src/new.rs '// unsafe\n#![deny(unsafe_op_in_unsafe_fn)]\n'
  plant $rule src/new.rs 'extern "C" {\n}\nunsafe\nimpl Send for T {}\n'
  harmless $rule src/iocp/new.rs 'unsafe fn f() {}\n'
  harmless $rule tests/support/new.rs 'fn f() {\n    unsafe { g() }\n}\n'
  harmless $rule tests/new.rs 'const F: unsafe fn(i32) = f;\n'

  rule=only_lib_rs_selects_code_by_system
  plant $rule src/poll.rs '#[cfg(target_os = "linux")]\nfn f() {}\n'
  plant $rule src/timer.rs '#[cfg(any(\n    test,\n    not(windows)\n))]\nfn f() {}\n'
  plant $rule src/waker.rs 'const C: bool = cfg!(unix);\n'
  plant $rule examples/new.rs '#[cfg_attr(all(unix), inline)]\nfn f() {}\n'
  plant $rule tests/new.rs '#[cfg(unix)]\nmod f {}\n'
  plant $rule tests/new.rs '#![cfg(any(unix, target_os = "wasi"))]\n'
  harmless $rule tests/new.rs '#![cfg(unix)]\n#[cfg(target_os = "linux")]\nmod f {}\n'
  harmless $rule tests/support/new.rs '#[cfg(unix)]\nmod f {}\n'
  harmless $rule src/kqueue/new.rs '#[cfg(target_os = "netbsd")]\nfn f() {}\n'

  rule=only_the_platform_folders_use_modules_of_a_system
  plant $rule src/poll.rs 'use std::os::unix::io::RawFd;\n'
  plant $rule src/net/tcp.rs 'use crate::unix::ffi;\n'
  plant $rule tests/new.rs 'use minimio::windows::NamedPipe;\n'
  plant $rule examples/new.rs 'use std::{io, os::fd::RawFd};\n'
  harmless $rule tests/new.rs '#![cfg(unix)]\nuse std::os::unix::io::RawFd;\n'

  rule=there_are_no_dependencies
  plant $rule Cargo.toml '\n[dev-dependencies]\n'
  plant $rule Cargo.toml '\n[target.x.dependencies]\n'
  plant $rule build.rs 'fn main() {}\n'
  mkdir -p "$spoiled/other/src"
  printf '[package]\nname = "other"\nversion = "1.0.0"\n' >"$spoiled/other/Cargo.toml"
  : >"$spoiled/other/src/lib.rs"
  cp Cargo.toml "$spoiled/saved.toml"
  printf '\n[dependencies]\nother = { path = "%s" }\n' "$spoiled/other" >>Cargo.toml
  expect $rule '^cargo tree: .*other'
  mv "$spoiled/saved.toml" Cargo.toml

  rule=the_package_has_the_intended_files
  plant $rule tests/notes.txt 'a file\n'
  plant $rule examples/picture.rs.bak 'a file\n'
  plant $rule src/guide/picture.svg 'a file\n'
  harmless $rule src/guide/new_chapter.md 'a file\n'
  cp Cargo.toml "$spoiled/saved.toml"
  sed -i 's,"/src",\0/lib.rs,; s,"/src"/lib.rs,"/src/lib.rs",' Cargo.toml
  expect $rule '^not packed: src/poll.rs'
  mv "$spoiled/saved.toml" Cargo.toml

  rule=no_file_contains_a_path_of_one_machine
  local place
  for place in work root home; do
    plant $rule README.md "see /$place/notes\\n"
    plant $rule verification/linux/new.sh "cd \"/$place\"\\n"
  done
  harmless $rule verification/new.md "the \$HOME/.cache and https://example.org/home/index\\n"

  rule=lines_end_cleanly
  plant $rule README.md 'a line with a blank \n'
  plant $rule src/new.rs 'fn f() {}\t\n'
  plant $rule CHANGELOG.md 'no newline'
  plant $rule verification/new.sh 'a line of another system\r\n'

  rule=lines_have_at_most_120_columns
  local wide
  wide=$(printf '%0121d' 0)
  plant $rule src/new.rs "// $wide\\n"
  plant $rule tests/new.rs "${wide//0/ä}\\n"
  plant $rule src/guide/new.md "$wide\\n"
  harmless $rule src/guide/new.md "| $wide |\\n"
  harmless $rule src/new.rs "${wide:1}\\n"
  harmless $rule src/new.rs "    /// | $wide |\\n"
  wide=${wide:1}
  harmless $rule src/new.rs "${wide//0/ä}\\n"

  rule=links_name_files
  plant $rule verification/README.md 'See [a page](../src/none.rs).\n'
  plant $rule README.md 'See [a page](verification/README.md).\n'
  harmless $rule verification/new.md 'See [a page](../src/poll.rs#top), [another](#top), [a site](https://example.org/none).\n'

  rule=table_cells_have_at_most_120_characters
  plant $rule README.md "| a | ${wide//0/ä}ä |\\n"
  plant $rule src/new.rs "    /// | a | $wide. |\\n"
  harmless $rule README.new.md "| $wide | $wide | [a](https://example.org/$wide) |\\n$wide.\\n"

  rule=nothing_is_left_over
  plant $rule src/new.rs 'fn f() { todo!() }\n'
  plant $rule tests/new.rs '#[ignore]\nfn f() {}\n'
  plant $rule README.md 'FIX''ME\n'

  rule=imports_have_no_cycles
  printf 'use crate::poll::Poll;\n' >>src/wait.rs
  expect $rule '^a cycle: .*wait'
  git checkout -q src/wait.rs
  printf 'use crate::blocks::Blocks;\n' >>src/wait.rs
  expect_not $rule '^a cycle: .*wait'
  git checkout -q src/wait.rs

  rule=the_reading_path_has_the_printed_length
  printf 'const EXTRA: u8 = 0;\n' >>src/wait.rs
  expect $rule '^README.md: core and epoll: '
  expect $rule '^src/lib.rs: core and kqueue: '
  git checkout -q src/wait.rs
  printf '// A comment.\n\n' >>src/wait.rs
  expect_not $rule .
  git checkout -q src/wait.rs

  rule=words_name_the_actor_and_the_mechanism
  local word
  for word in nob''ody Whoe''ver to''ld te''lls ki''cked ane''w 'by its''elf'; do
    plant $rule src/new.rs "// The file says $word.\\n"
  done
  plant $rule verification/new.sh '# by\n# its''elf\n'
  plant $rule README.md 'fn some''body_waits\n'
  harmless $rule src/new.rs '// The kernel itself notifies the polling thread.\n'

  cd "$here"
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

self_test
