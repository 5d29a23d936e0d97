#!/bin/sh
# mutations.sh - breaks the crate in a copy, one rule at a time, and sees that a model notices.
#
# Each mutation is a sed script for one file of `src/`, and the models that must fail for it. A script that changes
# nothing, a mutant that does not compile, a model that does not exist and a mutant that survives are failures. Prints a
# line for each.
#
# KEEP_GOING=1 runs every model against every mutant, to find out which ones notice.

set -eu
cd "$(dirname "$0")"
lab=$PWD
src=$(cd ../../src && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

mkdir -p "$work/verification/wait"
cp -r "$src" "$work/whole"
cp -r "$src" "$work/src"
cp -r Cargo.toml .cargo src "$work/verification/wait/"
if [ -e Cargo.lock ]; then cp Cargo.lock "$work/verification/wait/"; fi
cd "$work/verification/wait"
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$lab/target}/mutations
# A mutant is built often and runs shortly.
CARGO_PROFILE_RELEASE_OPT_LEVEL=0
export CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_OPT_LEVEL

passed=0
failed=0

# Prints the test program's path.
build() {
    cargo test --release --no-run --message-format short > "$work/build" 2>&1 &&
        sed -n 's/^ *Executable .*(\(.*\))$/\1/p' "$work/build"
}

# result WORD NAME DETAIL: one line of the table.
result() {
    if [ "$1" = caught ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    printf '%-8s  %s\n' "$1" "$2"
    printf '          %s\n' "$3"
}

# mutant NAME FILE SED MODEL…: at least one of the models fails.
mutant() {
    name=$1 file=$2 script=$3
    shift 3
    sed "$script" "$work/whole/$file" > "$work/src/$file"
    if cmp -s "$work/whole/$file" "$work/src/$file"; then
        result FAILED "$name" "the sed script changes nothing in src/$file"
        return
    fi
    if ! program=$(build); then
        result FAILED "$name" "the mutant does not compile: $(grep -m 1 error "$work/build")"
    else
        if [ -n "${KEEP_GOING:-}" ]; then set --; fi
        RUST_BACKTRACE=0 timeout 300 "$program" --test-threads 1 --exact "$@" > "$work/run" 2>&1 && status=0 || status=$?
        # A panic in a model may unwind into loom's own bookkeeping, which then aborts the process: 134 instead of 101.
        noticed=$(sed -n "s/^thread 'models::\([^']*\)'.* panicked at .*/\1/p" "$work/run" | sort -u | tr '\n' ' ')
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

# Without a mutation, the models hold; so what fails below, fails for its mutation. A few of them do here.
program=$(build) || { cat "$work/build"; exit 1; }

# What is said in `waker.rs` and `wait.rs` of the wakers' side.

mutant "wake: the flag is raised relaxed" waker.rs \
    's/pending\.swap(true, Ordering::AcqRel)/pending.swap(true, Ordering::Relaxed)/' \
    models::wake::two_wakers_each_with_its_token
mutant "wake: the flag is stored, not swapped" waker.rs \
    's/pending\.swap(true, Ordering::AcqRel)/pending.store(true, Ordering::Release)/' \
    models::wake::wakes_that_are_one_event_publish_it_to_a_poll_that_looks_first
mutant "wake: no more to do if the flag is up already (a load)" waker.rs \
    's/self\.flag\.pending\.swap(true, Ordering::AcqRel);/if self.flag.pending.load(Ordering::Acquire) { return Ok(()); } &/' \
    models::wake::wakes_that_are_one_event_publish_it_to_a_poll_that_looks_first
mutant "wake: no more to do if the flag was up already (the swap)" waker.rs \
    's/self\.flag\.pending\.swap(true, Ordering::AcqRel);/if self.flag.pending.swap(true, Ordering::AcqRel) { return Ok(()); }/' \
    models::failure::a_waker_tries_again_after_its_kick_has_failed
mutant "wake: the state first, then the flag" waker.rs \
    's/self\.flag\.pending\.swap(true, Ordering::AcqRel);/let told = self.shared.notify(); &/; s/^        self\.shared\.notify()$/        told/' \
    models::wake::a_wake_before_while_and_after_the_poll_begins_to_wait
mutant "notify: kicks only a poller that slept all along" wait.rs \
    's/old & BLOCKED != 0/old == BLOCKED/' \
    models::failure::a_waker_tries_again_after_its_kick_has_failed
mutant "notify: nobody kicks" wait.rs \
    's/if !unseen {/if true {/' \
    models::wake::a_wake_before_while_and_after_the_poll_begins_to_wait
mutant "notify: a failed kick leaves Notified" wait.rs \
    '/compare_exchange(NOTIFIED, UNKICKED/d' \
    models::failure::a_waker_tries_again_after_its_kick_has_failed
mutant "notify: a failed kick takes the notification back" wait.rs \
    's/compare_exchange(NOTIFIED, UNKICKED/compare_exchange(NOTIFIED, BLOCKED/' \
    models::failure::a_wake_whose_kick_failed_comes_with_whatever_else_ends_the_wait
mutant "notify: a failed kick is stored over what has happened since" wait.rs \
    's/let _ = self\.state\.compare_exchange(NOTIFIED, UNKICKED, Ordering::AcqRel, Ordering::Relaxed);/self.state.store(BLOCKED, Ordering::Release);/' \
    models::failure::one_of_two_kicks_fails_and_is_tried_again
mutant "notify: no kick for a descriptor that is watched" wait.rs \
    's/ || old == IDLE && self\.watched\.load(Ordering::Acquire)//' \
    models::watched::a_wake_shows_on_the_descriptor

mutant "notify: the state is swapped relaxed" wait.rs \
    's/self\.state\.swap(NOTIFIED, Ordering::AcqRel)/self.state.swap(NOTIFIED, Ordering::Relaxed)/' \
    models::capacity::one_place_for_two_wakers

# Timers.

mutant "set: nobody is told of an earlier deadline" timer.rs \
    's/true => shared\.nudge(),/true => Ok(()),/' \
    models::timer::a_deadline_that_has_passed_ends_a_wait_for_ever
mutant "register: nobody is told of an earlier deadline" timer.rs \
    's/return registry\.shared\.nudge();/return Ok(());/' \
    models::timer::a_timer_that_is_due_is_registered_while_a_poll_waits
mutant "nudge: reads the state with a plain load" wait.rs \
    's/self\.state\.fetch_or(0, Ordering::AcqRel) & BLOCKED/self.state.load(Ordering::Acquire) \& BLOCKED/' \
    models::timer::a_deadline_that_has_passed_ends_a_wait_for_ever
mutant "nudge: reads the state relaxed" wait.rs \
    's/self\.state\.fetch_or(0, Ordering::AcqRel) & BLOCKED/self.state.fetch_or(0, Ordering::Relaxed) \& BLOCKED/' \
    models::timer::a_deadline_that_has_passed_ends_a_wait_for_ever
mutant "nudge: kicks only a poller that nobody else has woken, or tried to" wait.rs \
    's/self\.state\.fetch_or(0, Ordering::AcqRel) & BLOCKED {/(self.state.fetch_or(0, Ordering::AcqRel) == BLOCKED) as u8 {/' \
    models::failure::a_timer_set_after_a_failed_kick_ends_the_wait
mutant "remove: a timer that is gone still expires" timer.rs \
    's/self\.set(key, Setting::NEVER);/let _ = key;/' \
    models::timer::no_event_after_a_timer_was_dropped

# The poller's side.

mutant "sleep: looks at the timers before it is blocked" poll.rs \
    's/let blocked = match shared\.wait\.block() {/let armed = shared.timers.is_armed(); &/; s/^        if shared\.timers\.is_armed() {/        if armed {/' \
    models::timer::a_deadline_that_has_passed_ends_a_wait_for_ever
mutant "block: does not mind a notification" wait.rs \
    's/match self\.state\.compare_exchange(IDLE, BLOCKED, Ordering::AcqRel, Ordering::Acquire) {/match Ok::<u8, u8>(self.state.swap(BLOCKED, Ordering::AcqRel)) {/' \
    models::wake::a_wake_before_while_and_after_the_poll_begins_to_wait
mutant "block: relaxed" wait.rs \
    's/compare_exchange(IDLE, BLOCKED, Ordering::AcqRel, Ordering::Acquire)/compare_exchange(IDLE, BLOCKED, Ordering::Relaxed, Ordering::Relaxed)/' \
    models::timer::a_deadline_that_has_passed_ends_a_wait_for_ever
mutant "leave: flags only if there is nothing else" poll.rs \
    's/if blocked\.leave() {/if blocked.leave() \&\& events.list.is_empty() {/' \
    models::wake::a_wake_while_a_source_becomes_ready
mutant "take: the flags first, then the state" poll.rs \
    's/^        self\.wait\.clear();$//; s/if self\.wakers\.take(&mut events\.list, room) {/let rest = self.wakers.take(\&mut events.list, room); self.wait.clear(); if rest {/' \
    models::wake::polls_that_only_look_see_a_wake_in_the_end_and_nobody_kicks
mutant "take: the state is cleared relaxed" wait.rs \
    's/self\.state\.swap(IDLE, Ordering::AcqRel)/self.state.swap(IDLE, Ordering::Relaxed)/' \
    models::capacity::one_place_for_two_wakers
mutant "take: the flag is lowered relaxed" waker.rs \
    's/pending\.swap(false, Ordering::AcqRel)/pending.swap(false, Ordering::Relaxed)/' \
    models::wake::two_wakers_each_with_its_token
mutant "take: the flag is read, then lowered" waker.rs \
    's/flag\.pending\.swap(false, Ordering::AcqRel)/flag.pending.load(Ordering::Acquire) \&\& { flag.pending.store(false, Ordering::Release); true }/' \
    models::wake::wakes_that_are_one_event_publish_it_to_a_poll_that_looks_first
mutant "take: forgets what has no room" waker.rs \
    's/return true;/return false;/' \
    models::capacity::one_place_for_two_wakers
mutant "take: what has no room is not said to the next poll" poll.rs \
    's/let _not_kicked = self\.notify();//' \
    models::capacity::one_place_for_two_wakers
mutant "take: what has no room does not show on the descriptor" poll.rs \
    's/let _not_kicked = self\.notify();/let _not_kicked = self.wait.notify(|| Ok::<(), ()>(()));/' \
    models::watched::what_has_no_room_shows_on_the_descriptor
mutant "take: every poll begins with the same waker" waker.rs \
    's/ring\.next = at;//' \
    models::capacity::one_place_for_a_waker_beside_one_that_never_rests
mutant "remove: a waker that is gone is still reported" waker.rs \
    's/lock(&self\.list)\.flags\.retain(.*);/let _ = flag;/' \
    models::timer::no_event_after_a_waker_was_dropped
mutant "error: the way out clears the state and takes no flags" wait.rs \
    's/let _ = self\.wait\.state\.compare_exchange(BLOCKED, IDLE, Ordering::AcqRel, Ordering::Relaxed);/self.wait.clear();/' \
    models::failure::a_wake_survives_an_interrupted_wait
mutant "error: the way out leaves Blocked" wait.rs \
    's/let _ = self\.wait\.state\.compare_exchange(BLOCKED, IDLE, Ordering::AcqRel, Ordering::Relaxed);//' \
    models::failure::a_wake_survives_an_interrupted_wait
mutant "error: takes what was reported with it" poll.rs \
    's/Err(_) if !events\.list\.is_empty() => return Ok(()),//' \
    models::failure::a_timer_that_is_due_goes_before_the_error
mutant "glance: swallows a kick" poll.rs \
    's/if kicked && shared\.wait\.is_notified() {/if false \&\& kicked {/' \
    models::watched::a_look_that_swallows_a_kick_answers_it
mutant "busy: a wake that stood back for the kernel waits on" poll.rs \
    's/None => (kicked || events\.list\.is_empty()) && self\.wait\.is_notified(),/None => kicked \&\& self.wait.is_notified(),/' \
    models::capacity::one_place_and_every_look_finds_the_wake_before_it
mutant "busy: swallows a kick" poll.rs \
    's/None => (kicked || events\.list\.is_empty()) && self\.wait\.is_notified(),/None => events.list.is_empty() \&\& self.wait.is_notified(),/' \
    models::watched::a_look_that_swallows_a_kick_answers_it_where_a_timer_is_set
mutant "busy: leaves Blocked without looking at the state" poll.rs \
    's/Some(blocked) => blocked\.leave(),/Some(blocked) => { blocked.leave(); false }/' \
    models::timer::one_thread_wakes_and_another_sets_a_timer

# The watched descriptor.

mutant "watch: reads the state with a plain load" wait.rs \
    's/self\.state\.fetch_or(0, Ordering::AcqRel) & NOTIFIED/self.state.load(Ordering::Acquire) \& NOTIFIED/' \
    models::watched::the_descriptor_is_asked_for_while_somebody_wakes
mutant "watch: reads the state relaxed" wait.rs \
    's/self\.state\.fetch_or(0, Ordering::AcqRel) & NOTIFIED/self.state.fetch_or(0, Ordering::Relaxed) \& NOTIFIED/' \
    models::watched::the_descriptor_is_asked_for_while_somebody_wakes
mutant "watch: what is pending already does not show" wait.rs \
    's/self\.state\.fetch_or(0, Ordering::AcqRel) & NOTIFIED/self.state.fetch_or(0, Ordering::AcqRel) \& 0/' \
    models::watched::a_wake_before_the_descriptor_is_asked_for_by_two
mutant "watch: looks at what is pending, then says that it watches" wait.rs \
    's/^        self\.watched\.store(true, Ordering::Release);$/        let state = self.state.fetch_or(0, Ordering::AcqRel); &/; s/match self\.state\.fetch_or(0, Ordering::AcqRel) & NOTIFIED/match state \& NOTIFIED/' \
    models::watched::the_descriptor_is_asked_for_while_somebody_wakes

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
