#!/usr/bin/env bash
# Counts system calls: runs the programs in `src/` under strace. Each program marks sections and lists the calls that
# each section must make; the script compares the lists with the trace: each call, in order, and no other.
#
#     run.sh
#
# CARGO_TARGET_DIR: where to build (default: `target` in the checkout).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
../../setup/debian.sh strace perl-base
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(cd ../../.. && pwd)/target}
cargo build --quiet --release --manifest-path Cargo.toml
program=$CARGO_TARGET_DIR/release/system-calls
traces=$(mktemp -d)
trap 'rm -rf "$traces"' EXIT
passed=0 failed=0

# Reads the traces of all threads of a program. Prints a line for each section, `ok` or `not`.
compare() {
  perl -e '
    # Shortens ten equal calls in a row to `call*10`.
    sub shorten {
      my @runs;
      for my $call (@_) {
        if (@runs && $runs[-1][0] eq $call) { $runs[-1][1]++ } else { push @runs, [$call, 1] }
      }
      return join(" ", map { $_->[1] > 1 ? "$_->[0]*$_->[1]" : $_->[0] } @runs) || "nothing";
    }
    for my $trace (@ARGV) {
      open my $in, "<", $trace or die "$trace: $!";
      my ($section, @calls);
      while (<$in>) {
        if (/^write\(\d+, "begin (.*?)\\n", /) {
          print "not $section: it has no end\n" if defined $section;
          ($section, @calls) = ($1);
        } elsif (/^write\(\d+, "end (.*?)\\n", /) {
          my @wanted = map { /(.*)\*(\d+)$/ ? ($1) x $2 : $_ } split " ", $1;
          my $same = "@calls" eq "@wanted";
          my ($is, $should) = map { shorten(@$_) } \@calls, \@wanted;
          print $same ? "ok  $section: $is\n" : "not $section: should be <$should>, is <$is>\n";
          undef $section;
        } elsif (/^(\w+)\(/) {
          my $name = $1;
          # On some machines, reading the clock is a system call, so this call depends on the machine, not on the
          # program.
          next if $name eq "clock_gettime";
          $name .= "($1)" if $name eq "epoll_wait" && /, (-?\d+)\) += /;
          push @calls, $name;
        }
      }
      print "not $section: it has no end\n" if defined $section;
    }
  ' "$@"
}

# run_traced NAME SECTIONS [strace option …]: the program must succeed and have this number of sections.
run_traced() {
  local name=$1 sections=$2 lines status=0
  shift 2
  rm -f "$traces"/*
  timeout 120 strace -ff -qq -s 400 -o "$traces/trace" "$@" "$program" "$name" 2>"$traces/errors" || status=$?
  lines=$(compare "$traces"/trace.*)
  echo "$name${*:+ $*}"
  sed 's/^/  /' <<<"$lines"
  passed=$((passed + $(grep -c '^ok' <<<"$lines" || true)))
  failed=$((failed + $(grep -c '^not' <<<"$lines" || true)))
  if ((status != 0)); then
    echo "  not: the program ended with status $status"
    grep -vE '^(begin|end) ' "$traces/errors" | sed 's/^/    /' || true
    failed=$((failed + 1))
  elif (($(wc -l <<<"$lines") != sections)); then
    echo "  not: $(wc -l <<<"$lines") sections were counted, not $sections"
    failed=$((failed + 1))
  fi
}

run_untraced() {
  if timeout 120 "$program" "$1"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
}

# Checks that the comparison finds differences.
self_test() {
  printf '%s\n' 'write(2, "begin a\n", 8) = 8' 'epoll_wait(3, [], 16, 0) = 0' 'write(2, "end epoll_wait(0)\n", 20) = 20' \
    'write(2, "begin b\n", 8) = 8' 'epoll_wait(3, [], 16, 1) = 0' 'write(2, "end epoll_wait(0)\n", 20) = 20' \
    'write(2, "begin c\n", 8) = 8' 'write(4, "12345678", 8) = 8' 'write(2, "end \n", 5) = 5' \
    'write(2, "begin d\n", 8) = 8' 'write(2, "end close*2\n", 11) = 11' \
    'write(2, "begin e\n", 8) = 8' 'close(3) = 0' 'close(4) = 0' 'write(2, "end close*2\n", 11) = 11' \
    'write(2, "begin f\n", 8) = 8' 'close(3) = 0' >"$traces/sample"
  if [[ $(compare "$traces/sample" | cut -c 1-5 | tr -s ' ' | tr '\n' ';') == 'ok a;not b;not c;not d;ok e;not f;' ]]; then
    passed=$((passed + 1))
  else
    echo "the comparison does not find differences:"
    compare "$traces/sample"
    failed=$((failed + 1))
  fi
}

self_test
run_traced polls 16
run_traced timers 9
run_traced wakes 13
run_traced blocked 11
run_traced sockets 17
run_traced unix-sockets 11
for error in ENOSYS EPERM EOPNOTSUPP; do
  run_traced old-kernel 6 -e "inject=epoll_pwait2:error=$error"
done
run_traced interrupted 2 -e inject=epoll_pwait2:error=EINTR:when=1
run_untraced storm
echo "$passed passed, $failed failed"
((failed == 0))
