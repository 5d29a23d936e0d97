#!/bin/sh
# mutations.sh - breaks the queue for Windows in a copy, one line at a time, and sees that a test notices.
#
# Each mutation is a sed script for one file of `src/iocp/`, and the tests that must fail for it, and must not without. A
# script that changes nothing, a mutant that does not compile, a test that does not exist and a mutant that survives are
# failures. Prints a line for each.
#
# KEEP_GOING=1 runs every test against every mutant, to find out which ones notice.

set -eu
cd "$(dirname "$0")"
lab=$PWD
src=$(cd ../../../src && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

mkdir -p "$work/verification/windows/fake-afd"
cp -r "$src" "$work/whole"
cp -r "$src" "$work/src"
cp -r Cargo.toml src "$work/verification/windows/fake-afd/"
cd "$work/verification/windows/fake-afd"
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$lab/target}/mutations
# A mutant is built often and runs shortly.
CARGO_PROFILE_DEV_OPT_LEVEL=0
CARGO_PROFILE_DEV_DEBUG=0
SEEDS=${SEEDS:-2000}
RUST_BACKTRACE=0
export CARGO_TARGET_DIR CARGO_PROFILE_DEV_OPT_LEVEL CARGO_PROFILE_DEV_DEBUG SEEDS RUST_BACKTRACE

passed=0
failed=0

# Prints the test program's path.
build() {
    cargo test --no-run --message-format short > "$work/build" 2>&1 &&
        sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$work/build"
}

# run PROGRAM TEST…: none of them, if there is none to be named, is all of them.
run() {
    program=$1
    shift
    timeout 300 "$program" --test-threads 1 --exact "$@" > "$work/run" 2>&1
}

# result WORD NAME DETAIL: one line of the table.
result() {
    if [ "$1" = caught ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    printf '%-8s  %s\n' "$1" "$2"
    printf '          %s\n' "$3"
}

# mutant NAME FILE SED TEST…: at least one of the tests fails.
mutant() {
    name=$1 file=iocp/$2 script=$3
    shift 3
    for test in "$@"; do
        if ! grep -qx "tests::$test: test" "$work/list"; then
            result FAILED "$name" "there is no test $test"
            return
        fi
    done
    for test in "$@"; do set -- "$@" "tests::$test"; shift; done
    if ! run "$whole" "$@"; then
        result FAILED "$name" "fails without it too: $(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$work/run" | tr '\n' ' ')"
        return
    fi
    sed "$script" "$work/whole/$file" > "$work/src/$file"
    if cmp -s "$work/whole/$file" "$work/src/$file"; then
        result FAILED "$name" "the sed script changes nothing in src/$file"
        return
    fi
    if ! program=$(build); then
        result FAILED "$name" "the mutant does not compile: $(grep -m 1 error "$work/build")"
    else
        if [ -n "${KEEP_GOING:-}" ]; then set --; fi
        run "$program" "$@" && status=0 || status=$?
        noticed=$(sed -n "s/^thread 'tests::\([^']*\)'.* panicked at .*/\1/p; s/^tests::\(.*\) hangs$/\1/p" "$work/run" | sort -u | tr '\n' ' ')
        # A test that hangs, or whose memory is spoilt, aborts the process: 134 instead of 101.
        if [ -n "$noticed" ] && { [ "$status" = 101 ] || [ "$status" = 134 ]; }; then
            result caught "$name" "$noticed"
        elif [ "$status" = 0 ]; then
            result SURVIVED "$name" "$(tail -n 2 "$work/run" | tr '\n' ' ')"
        else
            result FAILED "$name" "status $status: $(tail -n 1 "$work/run")"
        fi
    fi
    cp "$work/whole/$file" "$work/src/$file"
}

# Without a mutation, the tests pass; so what fails below, fails for its mutation.
program=$(build) || { cat "$work/build"; exit 1; }
whole=$work/program
cp "$program" "$whole"
"$whole" --list > "$work/list"

random=explore::random_programs_are_told_what_they_must_be_and_nothing_else

# What a sock wants, and what it has asked for.

mutant "a request is made while the last one is on its way back" sock.rs \
    's/AfdPoll::Cancelled { \.\. } => false,/AfdPoll::Cancelled { .. } => armed != 0,/; s/AfdPoll::Cancelled { \.\. } => {}/AfdPoll::Cancelled { .. } => self.submit(port, state),/' \
    cancels::a_request_is_not_made_anew_before_its_packet_is_back
mutant "a request is made while one is out, instead of a cancel" sock.rs \
    '/fn catch_up/,/^    }/s/match self\.request\.cancel(&self\.place) {/match { self.submit(port, state); io::Result::Ok(true) } {/' \
    costs::wanting_more_costs_one_cancel_and_one_request
mutant "more is wanted, and nothing is cancelled" sock.rs \
    's/AfdPoll::Pending { events } => armed & !events != 0,/AfdPoll::Pending { .. } => false,/' \
    reports::whoever_wants_more_while_another_thread_waits_is_told_at_once
mutant "less is wanted, and that costs a cancel" sock.rs \
    's/AfdPoll::Pending { events } => armed & !events != 0,/AfdPoll::Pending { events } => armed != events,/' \
    costs::wanting_less_costs_nothing
mutant "a cancel that fails is given up" sock.rs \
    's/Err(_) => self\.later(port, state),/Err(_) => {}/' \
    cancels::a_cancel_that_fails_when_more_is_wanted_is_tried_again
mutant "a cancel that fails counts as done" sock.rs \
    's/Err(_) => self\.later(port, state),/Err(_) => state.poll = AfdPoll::Cancelled { in_time: true },/' \
    cancels::a_cancel_that_fails_when_more_is_wanted_is_tried_again
mutant "what is queued is queued again" sock.rs \
    's/Queued::Yes => false,/Queued::Yes => !port.enqueue(self),/' \
    costs::after_a_warm_up_polling_and_arming_allocate_nothing
mutant "what has left the queue seems to be in it still" sock.rs \
    '/^        state\.queued = Queued::No;$/d' \
    modes::in_level_mode_every_poll_tells_what_is_ready
mutant "while somebody waits, nobody sees to what is registered" sock.rs \
    's/^        if is_late {$/        if is_late \&\& state.has_ended {/' \
    reports::whoever_is_registered_while_another_thread_waits_is_told_at_once
mutant "a request does not ask for the closing" sock.rs \
    's/events | AFD_POLL_LOCAL_CLOSE, packet/events, packet/' \
    reports::only_what_was_asked_for_is_told
mutant "a number's closing is not listened for after a oneshot" sock.rs \
    's/Some(_) => AFD_POLL_LOCAL_CLOSE,/Some(_) => 0,/' \
    closing::a_socket_that_is_closed_is_forgotten_by_the_next_poll
mutant "a request that is refused is told to nobody" sock.rs \
    's/if !accepted \&\& port\.post/if false \&\& !accepted \&\& port.post/' \
    failures::a_request_that_is_refused_is_one_error_of_its_source_then_silence
mutant "a refusal that can't be posted leaves the request out" sock.rs \
    '/^            port\.return_one();$/,/^            self\.later/s/state\.poll = AfdPoll::Idle;//' \
    failures::a_refusal_that_cannot_even_be_posted_is_tried_again
mutant "a refusal that can't be posted is not tried again" sock.rs \
    '/^            state\.poll = AfdPoll::Idle;$/,/^        }$/s/self\.later(port, state);//' \
    failures::a_refusal_that_cannot_even_be_posted_is_tried_again
mutant "a refusal that can't be posted keeps its reference" sock.rs \
    's/drop(unsafe { Sock::from_packet(packet) });//' \
    failures::a_refusal_that_cannot_even_be_posted_is_tried_again

# Deregistering.

mutant "deregister cancels nothing" sock.rs \
    's/if let AfdPoll::Pending { .. } = state\.poll {/if let (true, AfdPoll::Pending { .. }) = (false, \&state.poll) {/' \
    cancels::a_source_that_is_dropped_leaves_its_memory_to_the_kernel_until_the_packet_comes
mutant "deregister takes a cancelled request for one that is back" sock.rs \
    's/Ok(in_time) => AfdPoll::Cancelled { in_time },/Ok(_) => AfdPoll::Idle,/' \
    cancels::a_request_is_not_made_anew_before_its_packet_is_back
mutant "deregister frees what the kernel has" sock.rs \
    's/Ok(in_time) => AfdPoll::Cancelled { in_time },/Ok(in_time) => { unsafe { Arc::decrement_strong_count(self as *const Sock) }; AfdPoll::Cancelled { in_time } }/' \
    cancels::a_source_that_is_dropped_leaves_its_memory_to_the_kernel_until_the_packet_comes
mutant "deregister takes a request that can't be cancelled for one that is back" sock.rs \
    's/Err(_) => AfdPoll::Pending { events: 0 },/Err(_) => AfdPoll::Idle,/' \
    cancels::after_a_cancel_that_failed_at_deregister_the_source_may_come_back
mutant "deregister takes a request that can't be cancelled for one that is on its way back" sock.rs \
    's/Err(_) => AfdPoll::Pending { events: 0 },/Err(_) => AfdPoll::Cancelled { in_time: true },/' \
    cancels::after_a_cancel_that_failed_at_deregister_the_source_may_come_back
mutant "deregister leaves it registered" sock.rs \
    '/pub fn deregister/,/^    }$/{/state\.interest = None;/d; /self\.armed\.store(0/d}' \
    cancels::after_deregister_nothing_is_told_not_even_what_has_completed
mutant "deregister leaves it armed" sock.rs \
    '/pub fn deregister/,/^    }$/{/self\.armed\.store(0/d}' \
    costs::a_change_of_mind_before_the_next_poll_costs_nothing costs::sources_that_come_and_go_between_two_polls_do_not_pile_up $random
mutant "a source that is dropped is not deregistered" sock.rs \
    '/^impl Drop for SourceState/,/^}$/s/sock\.deregister();/let _ = sock;/' \
    closing::a_source_that_is_dropped_takes_its_registration_along

# What has come of a request.

mutant "a packet does not say that the request is back" sock.rs \
    '/pub unsafe fn complete/,/^    }$/s/state\.poll = AfdPoll::Idle;//' \
    modes::in_level_mode_every_poll_tells_what_is_ready
mutant "what is not wanted any more is told" sock.rs \
    's/let events = events & (armed | REFUSED);//' \
    modes::what_is_no_longer_wanted_is_not_told_though_it_was_asked_for
mutant "a refusal is filtered out" sock.rs \
    's/let events = events & (armed | REFUSED);/let events = events \& armed;/' \
    failures::a_request_that_is_refused_is_one_error_of_its_source_then_silence
mutant "a report arms nothing again" sock.rs \
    '/pub unsafe fn complete/,/^    }$/s/self\.settle(port, &mut state);//' \
    modes::in_level_mode_every_poll_tells_what_is_ready
mutant "a socket that is closed is an event" sock.rs \
    's/if events & AFD_POLL_LOCAL_CLOSE != 0 \&\& !is_refused {/if events == 0 \&\& is_refused {/' \
    closing::a_socket_that_is_closed_is_forgotten_by_the_next_poll
mutant "a socket that is closed is not forgotten" sock.rs \
    's/return News::Closed;/return News::Nothing;/' \
    closing::a_socket_that_is_closed_is_forgotten_by_the_next_poll
mutant "edge: a report disarms nothing" sock.rs \
    's/armed & !(events | ARRIVED)$/armed/; s/^            armed & !events$/            armed/' \
    modes::in_edge_mode_what_is_left_unread_without_a_read_is_told_once
mutant "edge: a report disarms both directions" sock.rs \
    's/armed & !(events | ARRIVED)$/armed \& 0/' \
    reports::an_end_that_comes_after_the_data_is_told_without_a_read
mutant "edge: a reset is told again and again" sock.rs \
    's/interest\.is_oneshot() || events & BROKEN != 0/interest.is_oneshot()/' \
    reports::after_a_reset_was_told_nothing_else_is
mutant "oneshot: it is edge" sock.rs \
    's/interest\.is_oneshot() || events & BROKEN != 0/events \& BROKEN != 0/' \
    modes::a_oneshot_source_is_told_once_until_it_is_registered_again
mutant "level: it is edge" sock.rs \
    's/} else if interest\.is_level() {/} else if interest.is_level() \&\& events == 0 {/' \
    modes::in_level_mode_every_poll_tells_what_is_ready
mutant "refused: it is asked for again and again" sock.rs \
    's/if events & REFUSED != 0 {/if events == 0 {/' \
    failures::a_request_that_is_refused_is_one_error_of_its_source_then_silence

# Reading and writing.

mutant "edge: reading and writing arm nothing" sock.rs \
    's/self\.armed\.fetch_or(wanted, Ordering::AcqRel);//' \
    modes::in_edge_mode_a_program_that_reads_once_an_event_gets_through
mutant "edge: what is armed is asked for some time" sock.rs \
    '/self\.armed\.fetch_or(wanted/{n;d}' \
    reports::whoever_reads_long_after_another_thread_has_begun_to_wait_is_told_of_what_comes_next
mutant "level and oneshot: reading arms" sock.rs \
    's/Some(interest) if interest\.is_edge() => flags(interest),/Some(interest) => flags(interest),/' \
    modes::in_level_and_oneshot_mode_reading_arms_nothing modes::a_oneshot_source_is_told_once_until_it_is_registered_again
mutant "edge: writing arms where reading is wanted" sock.rs \
    's/Some(interest) if interest\.is_edge() => flags(interest),/Some(interest) if interest.is_edge() => !0,/' \
    modes::in_edge_mode_a_write_arms_nothing_for_a_reader
mutant "edge: what was read before it was told hides what comes next" sock.rs \
    's/self\.used\.store(true, Ordering::SeqCst);//' \
    modes::in_edge_mode_what_was_read_before_it_was_told_does_not_hide_what_comes_next
mutant "edge: what was used once counts as used for ever" sock.rs \
    's/self\.used\.store(false, Ordering::SeqCst);//' \
    reports::each_connection_is_told_and_those_left_over_once_more
mutant "edge: what is left unread after a read is told twice" sock.rs \
    's/&& !has_unread(self\.base)//' $random
mutant "shutting down does not bring the end of both" sock.rs \
    's/self\.armed\.fetch_or(flags(interest) & AFD_POLL_DISCONNECT, Ordering::AcqRel);//' \
    reports::when_both_ends_have_shut_down_that_is_told_and_once_more_if_the_end_was_told_before
mutant "shutting down brings it also to whoever has not asked" sock.rs \
    's/fetch_or(flags(interest) & AFD_POLL_DISCONNECT/fetch_or(AFD_POLL_DISCONNECT/' \
    reports::shutting_down_brings_nothing_where_nothing_was_asked_for
mutant "in another poll, shutting down is forgotten" sock.rs \
    's/let has_ended = \*self\.has_ended\.get_mut();/let has_ended = false;/' \
    reports::when_both_ends_have_shut_down_that_is_told_and_once_more_if_the_end_was_told_before

# The port.

mutant "the queue serves while somebody waits" port.rs \
    's/queue\.waiting = may_block;/queue.waiting = may_block \&\& false;/' \
    reports::whoever_is_registered_while_another_thread_waits_is_told_at_once
mutant "after a wait, the queue does not serve again" port.rs \
    '/^impl Drop for Waiting/,/^}$/s/lock(&self\.port\.queue)\.waiting = false;//' \
    modes::in_level_mode_what_is_read_after_a_report_is_not_told_again
mutant "the queue serves again only when all has been told" selector.rs \
    's/let is_complete = waiting\.end();/let is_complete = true; let _still = \&waiting;/' \
    modes::in_level_mode_what_is_read_after_a_report_is_not_told_again
mutant "a wait passes over what it has passed over before" sock.rs \
    's/may_block \&\& no_hurry \&\& state\.queued == Queued::Yes/may_block \&\& no_hurry/' \
    reports::an_end_that_comes_after_the_data_is_told_while_others_keep_the_poller_busy
mutant "a wait that has passed over somebody lasts as long as any" port.rs \
    's/_ if self\.is_complete => timeout,/_ if self.is_complete || timeout != Some(NO_HURRY) => timeout,/' \
    reports::an_end_that_comes_after_the_data_ends_a_wait_without_a_read
mutant "a wait passes over nobody" sock.rs \
    's/may_block \&\& no_hurry \&\& state\.queued == Queued::Yes/may_block \&\& no_hurry \&\& state.has_ended/' \
    costs::a_worker_that_reads_while_the_next_wait_has_begun_costs_one_request_too
mutant "a wait passes over whoever is in a hurry" sock.rs \
    's/may_block \&\& no_hurry \&\& /may_block \&\& /' \
    costs::what_is_ready_is_told_by_the_first_wait
mutant "who was passed over is not seen to when he wants more" sock.rs \
    's/Queued::PassedOver => port\.is_waiting(),/Queued::PassedOver => false,/' \
    costs::a_worker_that_reads_while_the_next_wait_has_begun_costs_one_request_too
mutant "who was passed over once is not passed over again" sock.rs \
    's/^                state\.queued = Queued::Yes;$/                state.queued = Queued::PassedOver;/' \
    costs::a_worker_that_reads_while_the_next_wait_has_begun_costs_one_request_too
mutant "who was passed over is not put back" port.rs \
    '/if sock\.update(self, may_block) {/{n;s/self\.retry(&sock);//}' \
    reports::an_end_that_comes_after_the_data_ends_a_wait_without_a_read
mutant "the queue keeps those that are gone" port.rs \
    '/line\.retain/d' \
    costs::sources_that_come_and_go_between_two_polls_do_not_pile_up
mutant "a dropped port cancels nothing" port.rs \
    's/self\.helpers\.cancel_all();//' \
    cancels::dropping_the_poll_waits_for_the_packets_of_what_it_cancels
mutant "a dropped port waits for nothing" port.rs \
    's/while self\.lent() > 0 {/while self.lent() > usize::MAX - 1 {/' \
    cancels::dropping_the_poll_waits_for_the_packets_of_what_it_cancels
mutant "a dropped port keeps the references" port.rs \
    '/^impl Drop for Port/,/^}$/s/drop(unsafe { Sock::from_packet(packet\.lpOverlapped) }),/{}/' \
    cancels::dropping_the_poll_waits_for_the_packets_of_what_it_cancels
mutant "a dropped port does not count what comes back" port.rs \
    '/^impl Drop for Port/,/^}$/s/self\.return_one();//' \
    cancels::dropping_the_poll_waits_for_the_packets_of_what_it_cancels
mutant "a dropped port has no patience" port.rs \
    's/Duration::from_secs(5)/Duration::from_secs(0)/' \
    cancels::dropping_the_poll_waits_for_a_packet_that_comes_late
mutant "the timeout is rounded down" port.rs \
    's/ + 999_999//' \
    costs::a_poll_that_waits_rounds_its_timeout_up
mutant "only some threads may run" port.rs \
    's/const CONCURRENT_THREADS: DWORD = i32::MAX as DWORD;/const CONCURRENT_THREADS: DWORD = 1;/' \
    failures::without_a_port_there_is_no_poll

# Helpers and requests.

mutant "a helper takes one socket more" afd.rs \
    's/const SOCKETS_PER_HELPER: usize = 32;/const SOCKETS_PER_HELPER: usize = 33;/' \
    costs::five_thousand_sockets_have_157_helpers_and_leave_one
mutant "a helper is never full" afd.rs \
    's/with_room\.pop();//' \
    costs::five_thousand_sockets_have_157_helpers_and_leave_one
mutant "a place that is given back is not used again" afd.rs \
    's/with_room\.push(place\.helper);//' \
    costs::five_thousand_sockets_have_157_helpers_and_leave_one
mutant "a helper is never closed" afd.rs \
    's/_ => helper\.device = None,/_ => {}/' \
    costs::five_thousand_sockets_have_157_helpers_and_leave_one
mutant "the last helper is closed too" afd.rs \
    's/0 => \*idle = 1,/0 => helper.device = None,/' \
    costs::a_socket_that_comes_and_goes_does_not_open_a_helper_each_time
mutant "a sock that is gone keeps its place" sock.rs \
    's/port\.helpers\.give_back(&self\.place);/let _ = port;/' \
    costs::five_thousand_sockets_have_157_helpers_and_leave_one
mutant "a helper without a port" afd.rs \
    's/port\.connect(&device, AFD)/io::Result::Ok(())/' \
    reports::only_what_was_asked_for_is_told
mutant "a cancel takes all requests along" afd.rs \
    's/Some(device) => cancel(&device, self\.status\.get()),/Some(device) => cancel(\&device, ptr::null_mut()),/' \
    cancels::deregistering_one_leaves_the_others_requests_alone
mutant "a cancelled request tells what was asked" afd.rs \
    's/ffi::STATUS_CANCELLED => 0,/ffi::STATUS_CANCELLED => info.Handles[0].Events \& !ffi::AFD_POLL_LOCAL_CLOSE,/' \
    costs::wanting_more_costs_one_cancel_and_one_request
mutant "a cancelled request is an error" afd.rs \
    '/ffi::STATUS_CANCELLED => 0,/d' \
    costs::wanting_more_costs_one_cancel_and_one_request
mutant "a request that brings nothing tells what was asked" afd.rs \
    '/info\.NumberOfHandles == 0 => 0,/d' \
    reports::a_request_that_comes_back_with_nothing_is_made_again
mutant "a request that fails is nothing" afd.rs \
    's/status if status < 0 => REFUSED,/status if status < 0 => 0,/' \
    failures::a_request_that_fails_after_it_was_accepted_is_one_error_too
mutant "a request does not say that it is out" afd.rs \
    's/Status: ffi::STATUS_PENDING, /Status: ffi::STATUS_SUCCESS, /' \
    reports::only_what_was_asked_for_is_told
mutant "a request's refusal is not written down" afd.rs \
    's/unsafe { status\.write(IO_STATUS_BLOCK { Status: result, /unsafe { status.write(IO_STATUS_BLOCK { Status: result * 0, /' \
    failures::a_request_that_is_refused_is_one_error_of_its_source_then_silence
mutant "a request is exclusive" afd.rs \
    's/Exclusive: 0,/Exclusive: 1,/' \
    reports::a_source_is_told_in_each_of_two_polls
mutant "a request has an end" afd.rs \
    's/Timeout: i64::MAX,/Timeout: 0,/' \
    reports::only_what_was_asked_for_is_told
mutant "a warning counts as a refusal" ffi.rs \
    's/status as u32 >> 30 == 3/status as u32 >> 30 >= 2/' \
    failures::an_answer_that_is_a_warning_comes_with_a_packet
mutant "a connection is asked for as well" event.rs \
    's/flags |= WRITE;/flags |= WRITE | 0x40;/' \
    reports::data_and_room_are_told_together
mutant "the end of the stream is not asked for" event.rs \
    's/ARRIVED | ffi::AFD_POLL_DISCONNECT | BROKEN/ARRIVED | BROKEN/' \
    reports::data_and_the_end_are_told_together_or_one_by_one
mutant "writers don't hear of a reset" event.rs \
    's/pub(super) const WRITE: u32 = ffi::AFD_POLL_SEND | BROKEN;/pub(super) const WRITE: u32 = ffi::AFD_POLL_SEND;/' \
    reports::a_reset_is_told_to_readers_and_writers_alike reports::a_connection_that_is_refused_after_some_time_is_told_then $random
mutant "an answer that leads nowhere is followed" afd.rs \
    's/\.filter(|below| \*below != layer)//' \
    providers::an_answer_that_leads_nowhere_is_passed_over_for_the_next
mutant "what is no socket is asked on" afd.rs \
    's/\.filter(|_| !not_a_socket)/.filter(|_| !not_a_socket || true)/' \
    providers::what_is_no_socket_is_an_error_without_further_questions
mutant "only one layer is looked through" afd.rs \
    's/const LAYERS: usize = 32;/const LAYERS: usize = 2;/' \
    providers::where_the_question_for_the_base_is_kept_back_the_others_lead_down
mutant "the program's socket is watched, and not the base" sock.rs \
    's/let base = base_socket(socket)?;/let base = base_socket(socket).map(|_| socket)?;/' \
    providers::a_base_socket_is_asked_for_and_watched

# The selector.

mutant "a reference that comes back is not counted" selector.rs \
    's/self\.port\.return_one();//' \
    cancels::a_poll_that_has_nothing_out_is_dropped_without_waiting
mutant "a packet that says nothing hides those behind it" selector.rs \
    's/if kicked || list\.len() > kept || taken\.is_empty() \&\& (is_complete || !is_patient) {/if true {/' \
    costs::wanting_more_costs_one_cancel_and_one_request modes::the_mode_may_change_from_each_to_each cancels::a_cancel_that_comes_too_late_loses_nothing
mutant "a poll asks for ever what can't be asked for" selector.rs \
    's/(is_complete || !is_patient)/is_complete/' \
    cancels::a_cancel_that_always_fails_does_not_hold_up_a_poll_that_has_nothing_else failures::while_nothing_can_be_posted_a_poll_without_anything_else_still_ends
mutant "a number that was closed stays" selector.rs \
    '/^    fn forget/,/^    }$/s/raw\.remove(&socket);//' \
    closing::a_socket_that_is_closed_is_forgotten_by_the_next_poll
mutant "nobody looks whether the old socket is closed" selector.rs \
    's/map_or(false, |sock| sock\.is_current())/is_some()/' \
    closing::a_number_that_comes_back_before_the_next_poll_can_be_registered
mutant "an event that was told does not count for the end" sock.rs \
    's/AfdPoll::Idle => !state\.was_told,/AfdPoll::Idle => true,/' \
    closing::a_number_that_comes_back_after_a_report_can_be_registered
mutant "a refused source is asked for again when it is read" sock.rs \
    's/^                state\.interest = None;$//' \
    failures::a_source_that_was_refused_stays_silent_though_it_is_read
mutant "who was put off is forgotten by the wait" port.rs \
    's/queue\.socks\.is_empty() \&\& queue\.pipes\.is_empty()/true/' \
    cancels::a_cancel_that_fails_when_more_is_wanted_is_not_slept_over
mutant "registering twice is allowed" selector.rs \
    's/map_or(false, |sock| sock\.is_current())/map_or(false, |_| false)/' \
    closing::a_number_cannot_be_registered_twice_and_must_be_registered_to_be_changed

# Pipes.

mutant "what a pipe brings for one client is told to the next" pipe.rs \
    's/Some(outcome)\.filter(|_| flight == Flight::Out)/Some(outcome)/' \
    pipes::what_was_disowned_is_nobodys_however_it_ends
mutant "the next client is not read" pipe.rs \
    's/None if state\.is_connected => self\.begin_read(port, state),/None if state.is_stopped => self.begin_read(port, state),/' \
    pipes::the_next_client_is_read_when_the_read_of_the_last_is_back
mutant "the next client's end is not told" pipe.rs \
    's/state\.arm(READ | WRITE);/state.arm(WRITE);/' \
    pipes::a_second_client_that_is_gone_at_once_is_told_as_the_first
mutant "a connect that was called off is not made again" pipe.rs \
    's/None if mem::take(&mut state\.connects_again) => /None if mem::take(\&mut state.connects_again) \&\& state.is_stopped => /' \
    pipes::a_connect_that_is_called_off_is_made_again_when_it_is_back
mutant "what is left unread is not told" pipe.rs \
    '/if has_bytes {/,/}/s/state\.arm(READ);//' \
    pipes::a_pipe_is_told_of_what_has_ended
mutant "an end is told after each read of it" pipe.rs \
    's/if has_bytes {/if result.is_ok() {/' \
    pipes::an_end_is_told_once_in_edge_mode_and_by_a_client_in_both_directions
mutant "the rest of a write is forgotten" pipe.rs \
    's/_ => self\.begin_write(port, state),/_ => Ok(()),/' \
    pipes::what_is_written_in_part_is_written_on_and_what_can_not_be_is_told_by_the_next_write
mutant "the beginning is written again" pipe.rs \
    's/let left = &state\.output\[state\.written\.\.\];/let left = \&state.output[..];/' \
    pipes::what_is_written_in_part_is_written_on_and_what_can_not_be_is_told_by_the_next_write
mutant "a pipe is closed while it is written to" pipe.rs \
    's/if self\.is_orphan && self\.flights\[Verb::Write as usize\] != Flight::Out {/if self.is_orphan {/' \
    pipes::a_write_outlives_its_pipe_and_is_written_to_the_end
mutant "nothing is cancelled when a pipe is dropped" pipe.rs \
    '/^impl Drop for PipeState/,/^}$/s/state\.disown(&self\.pipe, Verb::Read);//' \
    pipes::what_is_out_is_cancelled_when_a_pipe_is_dropped_of_which_there_is_a_duplicate
mutant "nothing of a pipe is cancelled when the poll is dropped" port.rs \
    's/pipe\.stop();/let _ = pipe;/' \
    pipes::whatever_is_out_when_the_poll_is_dropped_is_cancelled_and_told_to_who_asks
mutant "an operation has no reference" pipe.rs \
    's/Arc::into_raw(Arc::clone(self)) as usize/Arc::as_ptr(self) as usize/' \
    pipes::whatever_is_out_when_a_pipe_is_dropped_lives_until_it_is_back
mutant "an operation that has not begun keeps its reference" pipe.rs \
    's/drop(unsafe { Pipe::from_packet(lent) });/mem::forget(unsafe { Pipe::from_packet(lent) });/' \
    pipes::random_programs_leave_nothing_behind
mutant "a pipe that can't post gives up" pipe.rs \
    's/port\.retry_pipe(self);//' \
    pipes::what_can_not_be_put_into_the_port_is_told_later
mutant "a pipe posts a packet for each time it is looked at" pipe.rs \
    's/if state\.own_packet == OwnPacket::No && state\.news() != 0 {/if state.news() != 0 {/' \
    pipes::to_tell_of_a_pipe_asks_for_no_memory_and_for_one_packet

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
