#!/usr/bin/env bash
# The rules of the house that no compiler checks. Without arguments: checks this checkout. With `--self-test`: plants
# violations of every rule in a copy and fails unless each is caught, by its rule and at its place.
#
# A rule is a function that prints what breaks it, a line each, and nothing if all is well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=$PWD
rules=(
  unsafe_stands_in_the_platform_folders
  only_lib_rs_asks_which_system_this_is
  nothing_but_the_platform_folders_uses_a_system
  there_are_no_dependencies
  the_package_holds_what_is_meant
  no_file_names_a_place_on_a_machine
  lines_end_cleanly
  code_is_at_most_120_columns_wide
  nothing_is_left_over
)
# Where a system may be named and used, and unsafe code may stand.
platform='^(src/(epoll|kqueue|iocp|unix|windows)|tests/support)/'

# All files that are in the repository or would be with the next commit, as far as they match a pattern.
files() {
  git -c safe.directory='*' ls-files --cached --others --exclude-standard | sort -u | grep -E "$1" |
    while read -r file; do
      # One that is deleted but not committed yet is still listed; one without text is no matter of ours.
      if [[ -f $file ]] && grep -qI . "$file"; then echo "$file"; fi
    done
}

# Prints file, line and text of whatever a Perl pattern finds in the code of the files given on stdin, comments left out.
find_in_code() {
  xargs -r perl -CSD -e '
    my $pattern = shift;
    for my $file (@ARGV) {
      open my $in, "<", $file or die "$file: $!";
      local $/;
      my $code = <$in>;
      $code =~ s{//[^\n]*}{}g;
      while ($code =~ m/$pattern/g) {
        my $line = 1 + substr($code, 0, $-[0]) =~ tr/\n//;
        my $text = $& =~ s/\s+/ /gr;
        print "$file:$line: $text\n";
      }
    }
  ' "$1"
}

# As above, in whole files: code, comments, everything.
find_in_text() {
  xargs -r perl -CSD -ne 'BEGIN { $pattern = shift } print "$ARGV:$.: $_" if /$pattern/; close ARGV if eof' "$1"
}

# What must not know which system it runs on. A test may know if all of it is for that system, and its first lines say so;
# the two that are mio's API; and the example of what only one system has.
portable_files() {
  files '^(src|tests|examples)/.*\.rs$' |
    grep -vE "$platform|^tests/mio/(parity|surface)\.rs$|^examples/any_fd\.rs$" | while read -r file; do
    if [[ $file != tests/* ]] || ! grep -qE '^#!\[cfg\((unix|windows)\)\]$' "$file"; then echo "$file"; fi
  done
}

unsafe_stands_in_the_platform_folders() {
  # `unsafe fn(…)` is a type.
  files '^(src|tests|examples)/.*\.rs$' | grep -vE "$platform" | find_in_code '\bunsafe\b(?!\s+fn\s*\().*'
}

only_lib_rs_asks_which_system_this_is() {
  portable_files | grep -vx src/lib.rs |
    find_in_code '\bcfg(_attr|!)?\s*\([^;{}\]]*?\b(target_\w+|unix|windows)\b[^\n]*'
}

nothing_but_the_platform_folders_uses_a_system() {
  portable_files | find_in_code '\b((minimio|crate|self|super)::(unix|windows)|os::(unix|linux|android|windows|fd))\b.*'
}

there_are_no_dependencies() {
  echo Cargo.toml | find_in_text '^\s*\[.*dependencies|^\s*build\s*='
  files '(^|/)build\.rs$' | grep -vE '^(verification|benches|compat)/' || true
  local tree
  tree=$(cargo tree --quiet -e all --target all 2>&1) || true
  if [[ $tree != "minimio v"* || $tree == *$'\n'* ]]; then
    printf 'cargo tree: %s\n' "${tree//$'\n'/ | }"
  fi
}

the_package_holds_what_is_meant() {
  local list
  list=$(cargo package --quiet --list --allow-dirty 2>&1) || true
  grep -vxE '(src|tests|examples)/.*\.rs|README\.md|LICENSE|CHANGELOG\.md|Cargo\.(toml|lock)|Cargo\.toml\.orig|\.cargo_vcs_info\.json' \
    <<<"$list" | sed 's/^/packed: /' || true
  files '^(src|tests|examples)/|^(README\.md|LICENSE|CHANGELOG\.md)$' | sort | comm -23 - <(sort <<<"$list") |
    sed 's/^/not packed: /'
}

no_file_names_a_place_on_a_machine() {
  files '.' | find_in_text '(?<![\w.~}/-])/(work|root|home)\b(?![-.])'
}

lines_end_cleanly() {
  # A blank at the end of a line means something in a patch.
  files '.' | grep -vE '\.(patch|diff)$' | find_in_text '[ \t\r]$'
  files '.' | while read -r file; do
    if [[ $(tail -c 1 "$file") != '' ]]; then echo "$file: no newline at the end"; fi
  done
}

code_is_at_most_120_columns_wide() {
  # The rows of a table in the documentation, and links, can't be broken.
  files '\.rs$' | find_in_text '^(?!\s*//[/!] ([|]|\[.*\]: http)).{121}'
}

nothing_is_left_over() {
  files '^(src|tests|examples)/.*\.rs$' | find_in_code '\b(todo|unimplemented|dbg)!.*|#\[ignore.*'
  files '\.(rs|sh|toml|md|yml)$' | find_in_text '\b(FIX''ME|X''XX)\b'
}

check() {
  local rule broken passed=0 failed=0
  for rule in "${rules[@]}"; do
    broken=$("$rule")
    if [[ -z $broken ]]; then
      passed=$((passed + 1))
    else
      printf '%s:\n%s\n' "${rule//_/ }" "$(sed 's/^/  /' <<<"$broken")"
      failed=$((failed + 1))
    fi
  done
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

# A copy of the checkout to spoil, a repository of its own.
copy() {
  local copy=$1 file
  files '.' | while read -r file; do
    mkdir -p "$copy/$(dirname "$file")"
    cp "$file" "$copy/$file"
  done
  git -c init.defaultBranch=main init -q "$copy"
}

# plant RULE FILE TEXT: the text at the end of the file (or the beginning of a new one) must break that rule, there.
caught=0 missed=0
plant() {
  local rule=$1 file=$2 text=$3 broken existed=no
  if [[ -e $file ]]; then existed=yes && cp "$file" "$spoiled/saved"; fi
  mkdir -p "$(dirname "$file")"
  printf '%b' "$text" >>"$file"
  broken=$("$rule") || true
  if grep -qF "$file" <<<"$broken"; then
    caught=$((caught + 1))
  else
    echo "${rule//_/ }: did not catch '$text' in $file"
    missed=$((missed + 1))
  fi
  if [[ $existed == yes ]]; then mv "$spoiled/saved" "$file"; else rm "$file"; fi
}

# harmless RULE FILE TEXT: this must not break the rule.
harmless() {
  local broken
  mkdir -p "$(dirname "$2")"
  printf '%b' "$3" >"$2"
  broken=$("$1") || true
  if ! grep -qF "$2" <<<"$broken"; then
    caught=$((caught + 1))
  else
    echo "${1//_/ }: took offence at '$3' in $2"
    missed=$((missed + 1))
  fi
  rm "$2"
}

self_test() {
  spoiled=$(mktemp -d)
  trap 'rm -rf "$spoiled"' EXIT
  copy "$spoiled/copy"
  cd "$spoiled/copy"

  local rule=unsafe_stands_in_the_platform_folders
  plant $rule src/poll.rs 'unsafe fn f() {}\n'
  plant $rule src/net/new.rs 'fn f() {\n    unsafe { g() }\n}\n'
  plant $rule tests/new.rs 'unsafe impl Send for T {}\n'
  plant $rule examples/new.rs 'fn f() { unsafe{ g() } }\n'
  harmless $rule src/new.rs '// unsafe\n#![deny(unsafe_op_in_unsafe_fn)]\n'
  plant $rule src/new.rs 'extern "C" {\n}\nunsafe\nimpl Send for T {}\n'
  harmless $rule src/iocp/new.rs 'unsafe fn f() {}\n'
  harmless $rule tests/support/new.rs 'fn f() {\n    unsafe { g() }\n}\n'
  harmless $rule tests/new.rs 'const F: unsafe fn(i32) = f;\n'

  rule=only_lib_rs_asks_which_system_this_is
  plant $rule src/poll.rs '#[cfg(target_os = "linux")]\nfn f() {}\n'
  plant $rule src/timer.rs '#[cfg(any(\n    test,\n    not(windows)\n))]\nfn f() {}\n'
  plant $rule src/waker.rs 'const C: bool = cfg!(unix);\n'
  plant $rule examples/new.rs '#[cfg_attr(all(unix), inline)]\nfn f() {}\n'
  plant $rule tests/new.rs '#[cfg(unix)]\nmod f {}\n'
  plant $rule tests/new.rs '#![cfg(any(unix, target_os = "wasi"))]\n'
  harmless $rule tests/new.rs '#![cfg(unix)]\n#[cfg(target_os = "linux")]\nmod f {}\n'
  harmless $rule tests/support/new.rs '#[cfg(unix)]\nmod f {}\n'
  harmless $rule src/kqueue/new.rs '#[cfg(target_os = "netbsd")]\nfn f() {}\n'

  rule=nothing_but_the_platform_folders_uses_a_system
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
  if $rule | grep -q '^cargo tree: .*other'; then caught=$((caught + 1)); else missed=$((missed + 1)); fi
  mv "$spoiled/saved.toml" Cargo.toml

  rule=the_package_holds_what_is_meant
  plant $rule tests/notes.txt 'a file\n'
  plant $rule examples/picture.rs.bak 'a file\n'
  cp Cargo.toml "$spoiled/saved.toml"
  sed -i 's,"/src",\0/lib.rs,; s,"/src"/lib.rs,"/src/lib.rs",' Cargo.toml
  if $rule | grep -q '^not packed: src/poll.rs'; then caught=$((caught + 1)); else missed=$((missed + 1)); fi
  mv "$spoiled/saved.toml" Cargo.toml

  rule=no_file_names_a_place_on_a_machine
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

  rule=code_is_at_most_120_columns_wide
  local wide
  wide=$(printf '%0121d' 0)
  plant $rule src/new.rs "// $wide\\n"
  plant $rule tests/new.rs "${wide//0/ä}\\n"
  harmless $rule src/new.rs "${wide:1}\\n"
  harmless $rule src/new.rs "    /// | $wide |\\n"
  wide=${wide:1}
  harmless $rule src/new.rs "${wide//0/ä}\\n"

  rule=nothing_is_left_over
  plant $rule src/new.rs 'fn f() { todo!() }\n'
  plant $rule tests/new.rs '#[ignore]\nfn f() {}\n'
  plant $rule README.md 'FIX''ME\n'

  cd "$here"
  echo "$caught passed, $missed failed"
  ((missed == 0))
}

case ${1:-} in
--self-test) self_test ;;
'') check ;;
*)
  echo "usage: house-rules.sh [--self-test]" >&2
  exit 2
  ;;
esac
