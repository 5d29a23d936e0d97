//! `Interest`: combining and removing readiness, and the mode.

use minimio::Interest;

use crate::support::{READ, WRITE};

#[test]
fn the_default_mode_is_edge() {
    assert!(READ.is_edge() && !READ.is_level() && !READ.is_oneshot());
    assert_eq!(READ, READ.edge());
}

#[test]
fn the_mode_that_is_set_last_replaces_the_mode_before() {
    let interest = READ.level().oneshot().level();
    assert!(interest.is_level() && !interest.is_edge() && !interest.is_oneshot());
    assert_eq!(READ.level().oneshot(), READ.oneshot());
    assert_eq!(READ.oneshot().edge(), READ);
}

#[test]
fn adding_two_interests_keeps_the_stronger_mode() {
    let modes = [Interest::edge, Interest::level, Interest::oneshot];
    for (weaker, a) in modes.iter().enumerate() {
        for (stronger, b) in modes.iter().enumerate().skip(weaker) {
            let expected = modes[stronger](READ.add(WRITE));
            assert_eq!(a(READ) | b(WRITE), expected);
            assert_eq!(b(READ) | a(WRITE), expected);
            assert_eq!(a(READ).add(b(WRITE)), expected);
        }
    }
    let mut sum = READ;
    sum |= WRITE.level();
    assert_eq!(sum, (READ | WRITE).level());
}

#[test]
fn removing_an_interest_removes_readiness_and_keeps_the_mode() {
    let both = (READ | WRITE).oneshot();
    assert_eq!(both.remove(WRITE), Some(READ.oneshot()));
    assert_eq!(both.remove(WRITE.level()), Some(READ.oneshot()));
    assert_eq!(READ.level().remove(READ), None);
    assert_eq!(READ.level().remove(WRITE), Some(READ.level()));
}

#[test]
fn equality_and_order_include_the_mode() {
    let all = [READ, READ.level(), READ.oneshot(), WRITE, WRITE.level(), WRITE.oneshot()];
    for (i, a) in all.iter().enumerate() {
        for (k, b) in all.iter().enumerate() {
            assert_eq!(a == b, i == k, "{a:?} {b:?}");
            assert_eq!(a.cmp(b) == std::cmp::Ordering::Equal, i == k, "{a:?} {b:?}");
        }
    }
}

#[test]
fn the_debug_output_of_an_interest_lists_its_readiness_and_its_mode() {
    assert_eq!(format!("{READ:?}"), "READABLE");
    assert_eq!(format!("{:?}", READ | WRITE), "READABLE | WRITABLE");
    assert_eq!(format!("{:?}", (READ | WRITE).level()), "READABLE | WRITABLE (level)");
    assert_eq!(format!("{:?}", WRITE.oneshot()), "WRITABLE (oneshot)");
}

#[test]
fn hang_up_is_a_separate_interest() {
    const HANG_UP: Interest = Interest::HANG_UP;
    assert!(HANG_UP.is_hang_up() && HANG_UP.is_edge());
    assert!(!HANG_UP.is_readable() && !HANG_UP.is_writable() && !HANG_UP.is_priority());
    assert!(!HANG_UP.is_aio() && !HANG_UP.is_lio());
    assert!(!(READ | WRITE).is_hang_up() && (READ | HANG_UP).is_hang_up());
    assert_eq!((READ | HANG_UP.oneshot()).remove(READ), Some(HANG_UP.oneshot()));
    assert_eq!((READ | HANG_UP).level().remove(HANG_UP), Some(READ.level()));
    assert_eq!(HANG_UP.level().remove(HANG_UP), None);
    assert!(WRITE < HANG_UP && HANG_UP < HANG_UP.level() && HANG_UP.level() < HANG_UP.oneshot());
    assert_eq!(format!("{:?}", (READ | HANG_UP).level()), "READABLE | HANG_UP (level)");
    assert_eq!(format!("{HANG_UP:?}"), "HANG_UP");
}

#[test]
fn interests_can_be_constants() {
    const BOTH: Interest = READ.add(WRITE).level();
    assert_eq!(BOTH, (READ | WRITE).level());
}
