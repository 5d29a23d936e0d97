#!/usr/bin/env bash
# Checks the conventions that no compiler checks. `self-test.sh` plants violations of every rule in a copy of the checkout, and
# checks that the rule catches each.
#
#     run.sh           checks this checkout
#     run.sh RULE…     only these rules
#
# A rule is a function that prints each violation on a line of its own, and nothing if there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rules=(
  only_the_platform_folders_contain_unsafe
  only_lib_rs_selects_code_by_system
  only_the_platform_folders_use_modules_of_a_system
  there_are_no_dependencies
  the_package_has_the_intended_files
  no_file_contains_a_path_of_one_machine
  lines_end_cleanly
  lines_have_at_most_120_columns
  links_name_files
  table_cells_have_at_most_120_characters
  nothing_is_left_over
  imports_have_no_cycles
  the_reading_path_has_the_printed_length
  words_name_the_actor_and_the_mechanism
)
# Folders in which a system may be named and used, and in which unsafe code may stand.
platform='^(src/(epoll|kqueue|iocp|unix|windows)|tests/support)/'

# Prints the files of the repository, including those of the next commit, that match a pattern.
files() {
  git -c safe.directory='*' ls-files --cached --others --exclude-standard | sort -u | grep -E "$1" |
    while read -r file; do
      # A deleted file is listed until the next commit. A file without text cannot break a rule.
      if [[ -f $file ]] && grep -qI . "$file"; then echo "$file"; fi
    done
}

# Prints file, line and text of each match of a Perl pattern in the code of the files on stdin, comments left out.
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

# Prints file, line and text of each match of a Perl pattern in the files on stdin, comments included.
find_in_text() {
  xargs -r perl -CSD -ne 'BEGIN { $pattern = shift } print "$ARGV:$.: $_" if /$pattern/; close ARGV if eof' "$1"
}

# Prints the files that must not depend on the system. Exceptions are the platform folders; tests with the attribute
# `#![cfg(unix)]` or `#![cfg(windows)]`; two files of tests of mio's API, which differs by system; the tests of
# `Interest::PRIORITY`, which a kqueue does not have; and the example `any_fd`, which opens a descriptor or a socket.
portable_files() {
  files '^(src|tests|examples)/.*\.rs$' |
    grep -vE "$platform|^tests/(mio/(parity|surface)|behaviour/priority)\.rs$|^examples/any_fd\.rs$" | while read -r file; do
    if [[ $file != tests/* ]] || ! grep -qE '^#!\[cfg\((unix|windows)\)\]$' "$file"; then echo "$file"; fi
  done
}

only_the_platform_folders_contain_unsafe() {
  # `unsafe fn(…)` is a type.
  files '^(src|tests|examples)/.*\.rs$' | grep -vE "$platform" | find_in_code '\bunsafe\b(?!\s+fn\s*\().*'
}

only_lib_rs_selects_code_by_system() {
  portable_files | grep -vx src/lib.rs |
    find_in_code '\bcfg(_attr|!)?\s*\([^;{}\]]*?\b(target_\w+|unix|windows)\b[^\n]*'
}

only_the_platform_folders_use_modules_of_a_system() {
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

the_package_has_the_intended_files() {
  local list
  list=$(cargo package --quiet --list --allow-dirty 2>&1) || true
  grep -vxE '(src|tests|examples)/.*\.rs|examples/delayed\.svg|src/guide/[a-z_]+\.md|README\.md|LICENSE|CHANGELOG\.md|Cargo\.(toml|lock)|Cargo\.toml\.orig|\.cargo_vcs_info\.json' \
    <<<"$list" | sed 's/^/packed: /' || true
  files '^(src|tests|examples)/|^(README\.md|LICENSE|CHANGELOG\.md)$' | sort | comm -23 - <(sort <<<"$list") |
    sed 's/^/not packed: /'
}

no_file_contains_a_path_of_one_machine() {
  files '.' | find_in_text '(?<![\w.~}/-])/(work|root|home)\b(?![-.])'
}

lines_end_cleanly() {
  # In a patch, a blank at the end of a line has a meaning.
  files '.' | grep -vE '\.(patch|diff)$' | find_in_text '[ \t\r]$'
  files '.' | while read -r file; do
    if [[ $(tail -c 1 "$file") != '' ]]; then echo "$file: no newline at the end"; fi
  done
}

lines_have_at_most_120_columns() {
  # A row of a table and a link cannot be broken into lines.
  files '\.rs$' | find_in_text '^(?!\s*//[/!] ([|]|\[.*\]: http)).{121}'
  files '^src/guide/.*\.md$' | find_in_text '^(?![|]).{121}'
}

# A reader follows links in the repository, and in the published package, which has only some of the files.
links_name_files() {
  local packed file line target
  packed=$(cargo package --quiet --list --allow-dirty 2>&1) || true
  files '\.md$' | grep -v '^src/' |
    xargs -r perl -ne 'print "$ARGV|$.|$1\n" while /\]\((?!https?:|#)([^)#]+)/g; close ARGV if eof' |
    while IFS='|' read -r file line target; do
      if [[ ! -e $(dirname "$file")/$target ]]; then
        echo "$file:$line: there is no $target"
      elif grep -qxF "$file" <<<"$packed" && ! grep -qE "^${target%/}(/|$)" <<<"$packed"; then
        echo "$file:$line: the package has no $target"
      fi
    done
}

# Longer facts are a paragraph under the table. A link counts as its text.
table_cells_have_at_most_120_characters() {
  files '\.(md|rs)$' | xargs -r perl -CSD -ne '
    if (s{^\s*(//[/!] )?(?=\|)}{}) {
      s/\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^)]*\)/$1/g;
      for my $cell (split /(?<!\\)\|/) {
        $cell =~ s/^\s+|\s+$//g;
        print "$ARGV:$.: ", length $cell, ": ", substr($cell, 0, 60), "\n" if length $cell > 120;
      }
    }
    close ARGV if eof'
}

nothing_is_left_over() {
  files '^(src|tests|examples)/.*\.rs$' | find_in_code '\b(todo|unimplemented|dbg)!.*|#\[ignore.*'
  files '\.(rs|sh|toml|md|yml)$' | find_in_text '\b(FIX''ME|X''XX)\b'
}

# A cycle of imports keeps a reader from reading the files one after the other.
imports_have_no_cycles() {
  verification/rules/imports.py
}

the_reading_path_has_the_printed_length() {
  verification/rules/reading-path.py
}

words_name_the_actor_and_the_mechanism() {
  files '.' | verification/rules/words.py
}

check() {
  local rule broken passed=0 failed=0
  for rule in "$@"; do
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

# `self-test.sh` sources this file and calls the rules itself.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  (($# > 0)) || set -- "${rules[@]}"
  check "$@"
fi
