#!/usr/bin/env bash
# Breaks the model in a copy, one rule at a time, and sees that the tests which speak of the rule notice. In the end, every
# test must have been seen to fail.
#
# A mutation is a file of `src/`, what stands there and what shall stand there instead, and the tests that must fail for it. A
# text that is not found, a mutant that does not compile and a test that passes, or hangs unless it is alone, are failures.
#
#     mutations.sh          all of them; 7 minutes
#     mutations.sh WORD     those with this word in their names
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(cd ../../.. && pwd)/target}/kqueue-mutations RUST_BACKTRACE=0
wanted=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cp -r Cargo.toml src tests "$work"
cp -r src "$work/whole"
passed=0 failed=0

result() {
  if [[ $1 == caught ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  printf '%-8s %s\n' "$1" "$2"
  if [[ -n ${3:-} ]]; then echo "         $3"; fi
}

# mutant NAME FILE TEXT INSTEAD TEST…, a test being FILE::NAME, all of one file.
mutant() {
  local name=$1 file=$2 from=$3 to=$4 target test status
  shift 4
  [[ $name == *"$wanted"* ]] || return 0
  target=${1%%::*}
  rm -rf "$work/src" && cp -r "$work/whole" "$work/src"
  if ! from=$from to=$to perl -0pi -e 's/\Q$ENV{from}\E/$ENV{to}/ or exit 1' "$work/src/$file"; then
    result FAILED "$name" "src/$file has no such text"
  elif ! (cd "$work" && cargo test --quiet --no-run --test "$target") >"$work/build" 2>&1; then
    result FAILED "$name" "it does not compile: $(grep -m 1 '^error' "$work/build")"
  else
    status=0
    (cd "$work" && timeout --kill-after=5 60 cargo test --quiet --test "$target" -- --exact "${@#*::}") >"$work/log" 2>&1 || status=$?
    for test in "$@"; do
      if ((status == 124 && $# == 1)) || grep -q "^    ${test#*::}\$" "$work/log"; then
        echo "$test" >>"$work/seen"
      else
        result FAILED "$name" "$test has not noticed"
        return
      fi
    done
    result caught "$name"
  fi
}

# Modes.

mutant "what stays ready is told once" kqueue.rs '} else if !knote.has(ffi::EV_CLEAR) {' '} else if false {' \
  knotes::a_level_knote_is_reported_as_long_as_it_is_ready
mutant "an edge is told for ever" kqueue.rs '} else if !knote.has(ffi::EV_CLEAR) {' '} else {' \
  knotes::an_edge_is_reported_once_for_each_arrival_with_all_that_waits
mutant "what is pending is told without a look" knote.rs \
  'knote.ready(key).map(|ready| knote.event(key, ready))' 'Some(knote.event(key, knote.ready(key).unwrap_or_default()))' \
  knotes::an_edge_is_forgotten_if_the_program_reads_first
mutant "adding again looks at nothing" kqueue.rs \
  $'told before or not.\n        self.notes.activate(key);' 'told before or not.' \
  knotes::adding_an_edge_again_reports_again_what_is_ready
mutant "adding again changes nothing" kqueue.rs 'knote.modify(change);' '' \
  knotes::adding_again_changes_the_udata_and_leaves_the_mode
mutant "adding again changes the mode" knote.rs \
  $'self.udata = change.udata as usize;\n' $'self.udata = change.udata as usize; self.flags = change.flags;\n' \
  knotes::adding_again_changes_the_udata_and_leaves_the_mode
mutant "a oneshot stays" kqueue.rs 'if knote.has(ffi::EV_ONESHOT) {' 'if false {' \
  knotes::a_oneshot_is_gone_after_its_report
mutant "a dispatched knote stays enabled" kqueue.rs $'knote.dispatched = true;\n            self.disable(key);' '' \
  knotes::a_dispatched_knote_waits_to_be_enabled_and_adding_it_does_not
mutant "adding enables" kqueue.rs 'adds && system.add_enables && knote.dispatched' 'adds' \
  knotes::a_dispatched_knote_waits_to_be_enabled_and_adding_it_does_not
mutant "adding never enables" kqueue.rs 'adds && system.add_enables && knote.dispatched' 'false' \
  knotes::where_adding_enables_it_does
mutant "none begins disabled" knote.rs 'disabled: change.flags & ffi::EV_DISABLE != 0' 'disabled: false' \
  knotes::a_disabled_knote_says_nothing_until_it_is_enabled
mutant "what is deleted stays pending" knote.rs $'self.withdraw(key);\n        self.knotes' 'self.knotes' \
  knotes::a_deleted_knote_says_nothing_even_if_it_was_pending
mutant "what arrives is an edge of both filters" kqueue.rs \
  'ffi::EPOLLOUT | ffi::EPOLLET)' 'ffi::EPOLLIN | ffi::EPOLLOUT | ffi::EPOLLET)' \
  knotes::the_filters_of_a_descriptor_are_two_knotes
mutant "what becomes pending goes first" knote.rs 'self.queue.push_back(key);' 'self.queue.push_front(key);' \
  knotes::what_does_not_fit_comes_next_and_nobody_is_starved
mutant "what stays pending has a second turn" kqueue.rs \
  'for _ in 0..self.notes.pending() {' 'while self.notes.pending() > 0 {' \
  knotes::what_does_not_fit_comes_next_and_nobody_is_starved
mutant "all kqueues are one" table.rs 'let known = kqueues.iter().find(|(number, _)| *number == fd);' 'let known = kqueues.first();' \
  knotes::two_kqueues_watch_one_descriptor_each_for_itself

# Sockets.

mutant "the peer's end is none" filter.rs 'let eof = poll.has(ffi::POLLRDHUP) || error != 0;' 'let eof = error != 0;' \
  sockets::the_peers_end_comes_together_with_the_data_before_it sockets::our_own_shutdown_ends_reading \
  sockets::a_unix_peer_that_closes_ends_both_halves
mutant "the peer's end is ours" filter.rs ' | ffi::TCP_CLOSE_WAIT' '' \
  sockets::the_peers_end_leaves_our_half_open
mutant "no connection fails" filter.rs 'if !poll.has(ffi::POLLERR) {' 'if true {' \
  sockets::a_reset_ends_both_halves_and_leaves_its_error_to_the_program \
  sockets::a_refused_connection_ends_both_halves_and_leaves_its_error_to_the_program
mutant "a look takes the error" ffi.rs 'SO_ACCEPTCONN: c_int = 30' 'SO_ACCEPTCONN: c_int = 4' \
  sockets::a_reset_ends_both_halves_and_leaves_its_error_to_the_program \
  sockets::a_refused_connection_ends_both_halves_and_leaves_its_error_to_the_program
mutant "a refusal is a reset" filter.rs 'tcpi_delivered == 0' 'tcpi_delivered == 99' \
  sockets::a_refused_connection_ends_both_halves_and_leaves_its_error_to_the_program
mutant "a reset is a refusal" filter.rs 'tcpi_delivered == 0' 'tcpi_delivered < 99' \
  sockets::a_reset_ends_both_halves_and_leaves_its_error_to_the_program
mutant "an unconnected socket is like any other" filter.rs 'poll.has(ffi::POLLHUP) && !poll.has(ffi::POLLRDHUP)' 'false && poll.has(0)' \
  sockets::of_an_unconnected_socket_nothing_is_said_until_it_connects
mutant "TCP never ends writing" filter.rs '!matches!(state' 'false && !matches!(state' \
  sockets::our_own_shutdown_ends_writing
mutant "Unix never ends writing" filter.rs 'linux::is_unix_stream(fd) && linux' 'false && linux::is_unix_stream(fd) && linux' \
  sockets::our_own_shutdown_ends_writing
mutant "room is no edge" kqueue.rs 'ffi::EPOLLOUT | ffi::EPOLLET)' 'ffi::EPOLLET)' \
  sockets::a_full_socket_is_writable_again_when_the_peer_has_read
mutant "one waits at any listener" filter.rs 'linux::tcp_info(fd).tcpi_unacked as isize' '0' \
  sockets::a_listener_tells_how_many_wait
mutant "none waits at a Unix listener" filter.rs 'false => 1,' 'false => 0,' \
  sockets::a_unix_listener_tells_that_somebody_waits
mutant "a datagram's error is not told" filter.rs \
  'poll.has(ffi::POLLIN | ffi::POLLERR) || eof' 'poll.has(ffi::POLLIN) || eof' \
  sockets::a_datagram_socket_tells_of_a_refusal_without_an_end

# Pipes and the rest.

mutant "a pipe has no end" filter.rs \
  $'let eof = poll.has(ffi::POLLHUP);\n            ready_if(poll.has(ffi::POLLIN)' $'let eof = false;\n            ready_if(poll.has(ffi::POLLIN)' \
  pipes::a_pipe_whose_writer_is_gone_ends_with_the_data_left
mutant "a pipe without a reader is writable" filter.rs 'Kind::Pipe if poll.has(ffi::POLLERR)' 'Kind::Pipe if false' \
  pipes::a_pipe_whose_reader_is_gone_ends_for_its_writer
mutant "every broken pipe is refused" kqueue.rs 'self.settings.system.broken_pipe && key.1' 'key.1' \
  pipes::a_pipe_whose_reader_is_gone_ends_for_its_writer
mutant "no broken pipe is refused" kqueue.rs 'return Err(Errno(ffi::EPIPE));' '' \
  pipes::where_a_broken_pipe_is_refused_it_is
mutant "the end for reading ends for a writer" filter.rs 'Kind::Pipe if poll.has(ffi::POLLERR)' 'Kind::Pipe if poll.has(ffi::POLLERR | ffi::POLLHUP)' \
  pipes::the_wrong_end_of_a_pipe_is_accepted_and_never_ready
mutant "files are refused" kqueue.rs 'Err(Errno(ffi::EPERM)) => Ok(Kind::NeverWaits),' '' \
  pipes::a_file_is_ready_until_its_end
mutant "a file has no end" filter.rs 'Kind::NeverWaits => ready_if(bytes() > 0,' 'Kind::NeverWaits => ready_if(true,' \
  pipes::a_file_is_ready_until_its_end
mutant "a device has nothing" filter.rs 'bytes_waiting(fd).unwrap_or(1)' 'bytes_waiting(fd).unwrap_or(0)' \
  pipes::an_eventfd_is_as_good_as_a_pipe

# What the program triggers.

mutant "a trigger lasts" knote.rs $'self.triggered = false;' '' \
  user::triggers_before_the_wait_are_one_event
mutant "a trigger never lasts" knote.rs 'if self.has(ffi::EV_CLEAR) {' 'if true {' \
  user::without_clear_it_stays_triggered
mutant "adding triggers" kqueue.rs 'if !adds || system.add_triggers {' 'if true {' \
  user::a_trigger_that_adds_does_not_trigger
mutant "adding for the first time never triggers" kqueue.rs \
  'self.settings.system.add_triggers && key.1' 'false && key.1' \
  user::a_trigger_that_adds_does_not_trigger
mutant "a trigger brings nothing" kqueue.rs 'knote.modify(change);' '' \
  user::a_trigger_brings_its_udata_too_even_if_it_is_none
mutant "what is not there is made" kqueue.rs 'None if change.flags & ffi::EV_ADD == 0 =>' 'None if false =>' \
  user::what_is_not_there_cannot_be_triggered
mutant "flags are not joined" knote.rs 'ffi::NOTE_FFOR => self.fflags |= given,' '' \
  user::a_trigger_brings_flags_and_data
mutant "a close takes what is no descriptor" kqueue.rs 'state.delete((ident, Filter::Write));' 'state.delete((ident, Filter::User));' \
  user::its_identifier_is_no_descriptor
mutant "the filter is always there" kqueue.rs '|| !self.settings.system.no_user' '|| true' \
  user::where_there_is_none_it_is_an_unknown_filter
mutant "what is complete goes without a word" kqueue.rs \
  $'Kind::NeverWaits));\n        state.notes.activate(key);' 'Kind::NeverWaits));' \
  user::what_the_kernel_completes_is_told_once_and_nobody_else_can_add_it

# The call.

mutant "a descriptor that is not open is just not there" kqueue.rs '!descriptor(key).map_or(false, linux::is_open)' 'false' \
  calls::a_change_of_what_is_not_there_is_an_error
mutant "what is no kqueue is an invalid one" table.rs 'kqueue.clone()).ok_or(Errno(ffi::EBADF))' 'kqueue.clone()).ok_or(Errno(ffi::EINVAL))' \
  calls::what_is_no_kqueue_is_a_bad_descriptor
mutant "success has no receipt" kqueue.rs 'result.is_ok() && change.flags & ffi::EV_RECEIPT == 0' 'result.is_ok()' \
  calls::a_receipt_answers_every_change_and_then_nothing_is_waited_for
mutant "an answer overtakes the changes" arrays.rs 'self.first.add(self.count)' 'self.first.add(self.count + 1)' \
  calls::the_changes_and_the_answers_may_be_the_same_memory
mutant "an error without room stops nothing" kqueue.rs 'return result;' 'continue;' \
  calls::an_error_without_room_is_the_calls_and_what_comes_after_is_lost
mutant "a receipt without room stops nothing" kqueue.rs 'return result;' 'result?; continue;' \
  calls::a_receipt_without_room_loses_what_comes_after
mutant "a call with changes does not wait" lib.rs '&& events.room() > 0 {' '&& events.room() > 0 && nchanges == 0 {' \
  calls::changes_are_made_before_the_wait_of_the_same_call
mutant "no room waits" lib.rs '&& events.room() > 0 {' '{' \
  calls::without_room_there_is_no_wait
mutant "a wait takes longer" kqueue.rs 'checked_add(timeout)' 'checked_add(timeout + Duration::from_millis(1))' \
  calls::a_timeout_is_kept_to_the_nanosecond_and_never_short
mutant "a wait is shorter" kqueue.rs 'checked_add(timeout)' 'checked_add(timeout - timeout / 100)' \
  calls::a_timeout_is_kept_to_the_nanosecond_and_never_short
mutant "a second may have more nanoseconds" arrays.rs 'if nanoseconds < 1_000_000_000 ' '' \
  calls::a_time_that_is_none_is_refused
mutant "a very long time is none" kqueue.rs 'None | Some(None) => None,' 'None => None, Some(None) => Some(Duration::ZERO),' \
  calls::a_time_beyond_all_clocks_never_comes
mutant "success leaves an errno" call.rs 'set_errno(before);' '' \
  calls::errno_stays_as_it_was_when_all_is_well
mutant "a call counts twice" lib.rs 'fetch_add(1' 'fetch_add(2' \
  calls::calls_are_counted

# Descriptors.

mutant "a close spares what is read" kqueue.rs 'state.delete((ident, Filter::Read));' '' \
  descriptors::a_knote_dies_with_the_number_even_if_a_duplicate_lives \
  descriptors::the_next_descriptor_of_that_number_begins_without_knotes
mutant "a close spares what is written" kqueue.rs 'state.delete((ident, Filter::Write));' '' \
  descriptors::the_next_descriptor_of_that_number_begins_without_knotes
mutant "what is pending does not show" kqueue.rs 'let should = self.notes.pending() > 0;' 'let should = false;' \
  descriptors::a_kqueue_is_readable_as_long_as_something_is_pending
mutant "the bell rings for ever" kqueue.rs 'self.bell.silence();' '' \
  descriptors::a_kqueue_is_readable_as_long_as_something_is_pending
mutant "the bell rings once" kqueue.rs 'self.rings = should;' 'self.rings |= should;' \
  descriptors::an_edge_triggered_epoll_around_a_kqueue_sees_each_arrival
mutant "every trigger rings" kqueue.rs 'if should && !self.rings {' 'if should {' \
  descriptors::an_edge_triggered_epoll_around_a_kqueue_sees_each_arrival
mutant "a kqueue in itself is a loop" kqueue.rs 'Err(Errno(ffi::ELOOP)) => Err(Errno(ffi::EINVAL)),' '' \
  descriptors::a_kqueue_watches_a_kqueue
mutant "a duplicate is no kqueue" table.rs 'kqueue.is(fd)' 'kqueue.is(-1)' \
  descriptors::a_duplicate_of_a_kqueue_is_the_same_kqueue
mutant "a kqueue dies with its first number" table.rs '*other != fd && ' 'false && ' \
  descriptors::a_duplicate_of_a_kqueue_is_the_same_kqueue
mutant "a closed kqueue goes on" kqueue.rs 'if state.closed {' 'if false {' \
  descriptors::a_kqueue_that_is_closed_ends_the_waits_in_it
mutant "a child inherits" table.rs 'process == linux::process()' 'process > 0' \
  descriptors::a_forked_child_has_no_kqueue_and_can_close
mutant "the model's own descriptors stay open" linux.rs $'fn drop(&mut self) {\n        close(self.0);' 'fn drop(&mut self) {' \
  leaks::a_kqueue_leaves_no_descriptor_behind

# Threads and signals.

mutant "a change rings no bell" kqueue.rs $'state.answer_the_bell();\n        result' 'result' \
  threads::a_change_by_another_thread_takes_effect_in_a_wait
mutant "nobody waits for what is read" kqueue.rs '[&reading.0, &writing.0, &bell.0]' '[&writing.0, &bell.0]' \
  threads::a_trigger_or_a_write_by_another_thread_ends_a_wait
mutant "the bell rings once, among threads" kqueue.rs 'self.rings = should;' 'self.rings |= should;' \
  threads::no_trigger_is_lost_between_threads
mutant "a dispatched knote still collects edges" kqueue.rs \
  $'let kind = knote.kind;\n                self.unwatch(key, kind);' '' \
  threads::several_waiters_share_the_edges_and_lose_none
mutant "a change throws edges away" kqueue.rs $'state.look();\n        state.answer_the_bell();\n        result' \
  $'state.reading.take(drop);\n        state.answer_the_bell();\n        result' \
  threads::registering_and_closing_beside_a_wait_disturbs_nobody
mutant "the inner epoll is level-triggered" kqueue.rs 'ffi::EPOLLOUT | ffi::EPOLLET)' 'ffi::EPOLLOUT)' \
  threads::a_wait_sleeps_and_does_not_spin
mutant "no signal comes through" linux.rs 'signals.of_the_program() as' '{ signals.of_the_program(); &ffi::ALL_SIGNALS } as' \
  threads::a_signal_interrupts_a_wait_after_the_changes_were_made
mutant "signals come everywhere" call.rs 'SIG_SETMASK, &ffi::ALL_SIGNALS' 'SIG_SETMASK - 2, &ffi::NO_SIGNALS' \
  threads::a_signal_handler_triggers_whatever_it_interrupts

# Faults.

mutant "nothing interrupts" kqueue.rs 'if self.is_interrupted() {' 'if false && self.is_interrupted() {' \
  faults::a_wait_is_interrupted_only_where_it_would_sleep
mutant "there is always memory" kqueue.rs 'self.settings.faults.happens(self.settings.faults.enomem)' 'false' \
  faults::memory_ends_for_new_knotes_only
mutant "no batch is short" kqueue.rs 'if faults.happens(faults.short)' 'if false' \
  faults::a_batch_cut_short_loses_nothing
mutant "nothing is spurious" kqueue.rs 'if !faults.happens(faults.spurious) {' 'if true || faults.happens(0.0) {' \
  faults::a_spurious_event_is_of_a_descriptor_that_is_watched
mutant "a disabled knote is reported by chance" knote.rs 'if knote.disabled { None }' 'if false && knote.disabled { None }' \
  faults::a_spurious_event_is_of_a_descriptor_that_is_watched
mutant "all seeds are one" settings.rs 'sown(seed.parse().ok()?)' 'sown(seed.parse::<u64>().ok()?.min(0))' \
  faults::a_seed_tells_what_happens
mutant "any word will do" settings.rs '_ => return None,' '_ => {}' \
  faults::a_word_that_is_not_understood_is_refused

if [[ -z $wanted ]]; then
  unseen=$(grep -A1 -h '^#\[test\]' tests/*.rs | sed -n 's/^fn \(.*\)() {$/\1/p' | sort |
    comm -23 - <(sed 's/.*:://' "$work/seen" | sort -u))
  for test in $unseen; do
    result FAILED "never seen to fail: $test"
  done
fi
echo "$passed passed, $failed failed"
((failed == 0))
