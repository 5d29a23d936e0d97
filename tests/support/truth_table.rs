//! The truth table of `Event`. The tests read it from the documentation of `Event`, so it is written only once.

use std::time::Instant;

use minimio::{Event, Events, Poll, Token};

use super::{expect_no_event, SHORT_WAIT, WAIT_LIMIT};

const DOCS: &str = include_str!("../../src/event.rs");

/// A column of the table: its name and the predicate of `Event` that it is about.
type Column = (&'static str, fn(&Event) -> bool);

const COLUMNS: [Column; 6] = [
    ("readable", Event::is_readable),
    ("writable", Event::is_writable),
    ("read closed", Event::is_read_closed),
    ("write closed", Event::is_write_closed),
    ("error", Event::is_error),
    ("hang-up", Event::is_hang_up),
];

/// Returns the rows of the table: for each, its name and its cells.
pub fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.trim_start_matches("/// |").trim_end_matches('|').split('|').map(str::trim).collect()
    };
    let mut lines = DOCS.lines().skip_while(|line| !line.starts_with("/// | what happened"));
    let columns = COLUMNS.map(|(name, _)| name);
    assert_eq!(cells(lines.next().unwrap())[1..], columns, "the columns in the documentation");
    let rows = lines.skip(1).take_while(|line| line.starts_with("/// |")).map(cells);
    rows.map(|row| (row[0], row[1..].to_vec())).collect()
}

/// Compares all events of `token` from now on with the row named `happened`: every predicate that is set in the row
/// must be reported, and none that is clear.
pub fn check(poll: &mut Poll, events: &mut Events, token: Token, happened: &str) {
    let (_, row) = rows().into_iter().find(|(name, _)| *name == happened).expect("the documentation has no such row");
    let mut seen = [false; COLUMNS.len()];
    let end = Instant::now() + WAIT_LIMIT;
    // After all set predicates have been reported, the loop goes on until a short poll reports nothing, because no
    // clear predicate may be reported.
    let complete = |seen: &[bool]| row.iter().zip(seen).all(|(cell, &seen)| seen || *cell != "■");
    loop {
        let missing = !complete(&seen);
        let left = if missing { end.saturating_duration_since(Instant::now()) } else { SHORT_WAIT };
        poll.poll(events, Some(left)).unwrap();
        for event in events.iter().filter(|event| event.token() == token) {
            for (seen, (_, is_set)) in seen.iter_mut().zip(COLUMNS) {
                *seen |= is_set(event);
            }
        }
        if events.is_empty() {
            break;
        }
        assert!(Instant::now() < end, "{happened}: events are reported without end");
    }
    for ((cell, seen), (column, _)) in row.iter().zip(seen).zip(COLUMNS) {
        match *cell {
            "■" => assert!(seen, "{happened}: {column} should have been set"),
            "·" => assert!(!seen, "{happened}: {column} should have stayed clear"),
            "?" => {}
            other => panic!("{happened}: unknown cell {other:?}"),
        }
    }
    expect_no_event(poll, events);
}
