//! `EVFILT_USER`: the filter that the program triggers.

mod support;
use support::*;

#[test]
fn several_triggers_before_the_wait_are_one_event() {
    let kq = Kqueue::new();
    kq.change(77, USER, EDGE).unwrap();
    kq.stays_silent();
    kq.trigger(77).unwrap();
    kq.trigger(77).unwrap();
    assert_eq!(kq.soon(), [event(77, USER, 0)]);
    kq.stays_silent();
    // Adding the knote again does not trigger it again.
    kq.change(77, USER, EDGE).unwrap();
    kq.stays_silent();
}

#[test]
fn without_ev_clear_the_knote_stays_triggered() {
    let kq = Kqueue::new();
    kq.change(77, USER, EV_ADD).unwrap();
    kq.trigger(77).unwrap();
    for _ in 0..3 {
        assert_eq!(kq.soon(), [event(77, USER, 0)]);
    }
}

#[test]
fn adding_with_note_trigger_does_not_trigger() {
    let kq = Kqueue::new();
    let change = kevent { fflags: NOTE_TRIGGER, ..record(77, USER, EDGE) };
    for _ in 0..2 {
        kq.call(&[change], &mut [], None).unwrap();
        kq.stays_silent();
    }
    kq.configure("add-triggers");
    kq.call(&[change], &mut [], None).unwrap();
    assert_eq!(kq.soon(), [event(77, USER, 0)]);
    // The same holds for a knote that did not exist before.
    kq.call(&[kevent { ident: 78, ..change }], &mut [], None).unwrap();
    assert_eq!(kq.soon(), [event(78, USER, 0)]);
}

#[test]
fn a_knote_that_does_not_exist_cannot_be_triggered() {
    let kq = Kqueue::new();
    assert_eq!(kq.trigger(78), Err(ENOENT));
    kq.change(78, USER, EDGE).unwrap();
    kq.change(78, USER, EV_DELETE).unwrap();
    assert_eq!(kq.trigger(78), Err(ENOENT));
}

#[test]
fn a_trigger_sets_fflags_and_data() {
    let kq = Kqueue::new();
    kq.change(77, USER, EDGE).unwrap();
    let change = kevent { fflags: NOTE_TRIGGER | NOTE_FFCOPY | 6, data: 5, ..record(77, USER, 0) };
    kq.call(&[change], &mut [], None).unwrap();
    let change = kevent { fflags: NOTE_FFAND | 4, data: 5, ..change };
    kq.call(&[change], &mut [], None).unwrap();
    let change = kevent { fflags: NOTE_FFOR | 1, data: 5, ..change };
    kq.call(&[change], &mut [], None).unwrap();
    assert_eq!(kq.soon(), [Event { error: 5, ..event(77, USER, 5) }]);
    // The flags stay after the report, and a trigger without `NOTE_FF…` keeps them. It sets `data` to 0.
    kq.trigger(77).unwrap();
    assert_eq!(kq.soon(), [Event { error: 5, ..event(77, USER, 0) }]);
}

#[test]
fn a_trigger_sets_udata_even_to_null() {
    let kq = Kqueue::new();
    kq.call(&[kevent { udata: 7 as *mut _, ..record(77, USER, EDGE) }], &mut [], None).unwrap();
    let trigger = kevent { fflags: NOTE_TRIGGER, ..record(77, USER, 0) };
    kq.call(&[kevent { udata: 8 as *mut _, ..trigger }], &mut [], None).unwrap();
    assert_eq!(kq.soon(), [Event { token: 8, ..event(77, USER, 0) }]);
    kq.call(&[trigger], &mut [], None).unwrap();
    assert_eq!(kq.soon(), [event(77, USER, 0)]);
}

#[test]
fn the_identifier_is_not_a_descriptor() {
    let kq = Kqueue::new();
    let (reader, _writer) = pipe();
    let number = ident(&reader);
    kq.change(number, USER, EDGE).unwrap();
    kq.change(usize::MAX, USER, EDGE).unwrap();
    drop(reader);
    kq.trigger(number).unwrap();
    kq.trigger(usize::MAX).unwrap();
    assert_eq!(kq.soon(), [event(number, USER, 0), event(usize::MAX, USER, 0)]);
}

#[test]
fn with_no_user_the_filter_is_unknown() {
    let kq = Kqueue::with("no-user");
    assert_eq!(kq.change(77, USER, EDGE), Err(EINVAL));
}

#[test]
fn a_completion_is_reported_once_and_a_program_cannot_add_the_filter() {
    let kq = Kqueue::new();
    assert_eq!(kq.change(77, EVFILT_AIO, EV_ADD), Err(EINVAL));
    assert_eq!(kqueue_model::kqueue_model_complete(kq.0, 0x7000, 5 as *mut _), 0);
    assert!(is_readable(kq.0));
    assert_eq!(kq.soon(), [Event { token: 5, ..eof(0x7000, EVFILT_AIO, 0, 0) }]);
    kq.stays_silent();
}
