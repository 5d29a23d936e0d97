//! The truth table in the docs of `Event`, as a test sees it. The docs are the only place where it is written down.

use std::time::Instant;

use minimio::{Event, Events, Poll, Token};

use super::{expect_silence, A_WHILE, PATIENCE};

const DOCS: &str = include_str!("../../src/event.rs");

/// A column of the table, and what tells it of an event.
type Column = (&'static str, fn(&Event) -> bool);

const COLUMNS: [Column; 5] = [
    ("readable", Event::is_readable),
    ("writable", Event::is_writable),
    ("read closed", Event::is_read_closed),
    ("write closed", Event::is_write_closed),
    ("error", Event::is_error),
];

/// The rows of the table, each its name and its cells.
pub fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.trim_start_matches("/// |").trim_end_matches('|').split('|').map(str::trim).collect()
    };
    let mut lines = DOCS.lines().skip_while(|line| !line.starts_with("/// | what happened"));
    let columns = COLUMNS.map(|(name, _)| name);
    assert_eq!(cells(lines.next().unwrap())[1..], columns, "the columns in the docs");
    let rows = lines.skip(1).take_while(|line| line.starts_with("/// |")).map(cells);
    rows.map(|row| (row[0], row[1..].to_vec())).collect()
}

/// Holds what comes for `token` from now on against the row: all that is set there must come, and nothing that is
/// clear.
pub fn check(poll: &mut Poll, events: &mut Events, token: Token, happened: &str) {
    let (_, row) = rows().into_iter().find(|(name, _)| *name == happened).expect("a row of the docs");
    let mut seen = [false; COLUMNS.len()];
    let end = Instant::now() + PATIENCE;
    // When all is there that must be, a while longer: for what must not.
    let complete = |seen: &[bool]| row.iter().zip(seen).all(|(cell, &seen)| seen || *cell != "■");
    loop {
        let missing = !complete(&seen);
        let left = if missing { end.saturating_duration_since(Instant::now()) } else { A_WHILE };
        poll.poll(events, Some(left)).unwrap();
        for event in events.iter().filter(|event| event.token() == token) {
            for (seen, (_, is_set)) in seen.iter_mut().zip(COLUMNS) {
                *seen |= is_set(event);
            }
        }
        if events.is_empty() {
            break;
        }
        assert!(Instant::now() < end, "{happened}: events without end");
    }
    for ((cell, seen), (column, _)) in row.iter().zip(seen).zip(COLUMNS) {
        match *cell {
            "■" => assert!(seen, "{happened}: {column} should have been set"),
            "·" => assert!(!seen, "{happened}: {column} should have stayed clear"),
            "?" => {}
            other => panic!("{happened}: what does {other:?} mean?"),
        }
    }
    expect_silence(poll, events);
}
