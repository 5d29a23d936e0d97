//! The same calls to polling and to `compat/polling`. Each scenario returns what the program observes, as text.

#![cfg(all(any(target_os = "linux", windows), test))]

mod sockets;
mod threads;

/// Defines a module with the scenarios, which use one of the two crates.
macro_rules! scenarios {
    ($module:ident, $library:ident) => {
        mod $module {
            use $library as polling;
            include!("scenarios.rs");
        }
    };
}

scenarios!(published, polling);
scenarios!(minimio, minimio_polling);

/// The scenarios in which the two differ, and what each returns: polling, then minimio. README.md describes them.
#[cfg(unix)]
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // polling cannot append to a full list.
    ("full list", "Ok [0w], InvalidInput [0w]", "Ok [0w], Ok [0w 1w]"),
    // A signal makes polling clear the list.
    ("signal", "[]", "[1w]"),
];
#[cfg(windows)]
const DIFFERENCES: &[(&str, &str, &str)] = &[];

/// The situations and interests with which the two differ, in `Oneshot` and in `Level`, and what each reports: polling,
/// then minimio.
#[cfg(unix)]
const REPORTS: &[(&str, &str, &str, &str)] = &[];
#[cfg(windows)]
const REPORTS: &[(&str, &str, &str, &str)] = &[
    // minimio reports a reset as an interrupt and an error.
    ("a reset", "readable", "7ri", "7rie"),
    ("a reset", "writable", "7wi", "7wie"),
    ("a reset", "all", "7rwi", "7rwie"),
    ("a reset", "interrupt", "7i", "7ie"),
    ("a reset", "readable, interrupt, priority", "7ri", "7rie"),
    // The same for a refusal. polling reports a refusal only with an interest in readable or writable.
    ("a refused connection", "readable", "7re", "7rie"),
    ("a refused connection", "writable", "7we", "7wie"),
    ("a refused connection", "all", "7rwe", "7rwie"),
    ("a refused connection", "interrupt", "", "7ie"),
    ("a refused connection", "readable, interrupt, priority", "7re", "7rie"),
];

/// Returns all scenarios in which the two should differ.
fn differences() -> Vec<(String, String, String)> {
    let oneshot = |report: &str| format!("[{report}][][][{report}][][]");
    let level = |report: &str| format!("[{report}]").repeat(5) + "[]";
    let mut differences = Vec::new();
    for (situation, interest, published, minimio) in REPORTS {
        let name = format!("{situation}: {interest}");
        differences.push((format!("{name}, Oneshot"), oneshot(published), oneshot(minimio)));
        differences.push((format!("{name}, Level"), level(published), level(minimio)));
    }
    for (name, published, minimio) in DIFFERENCES {
        differences.push((name.to_string(), published.to_string(), minimio.to_string()));
    }
    differences
}

#[test]
fn they_differ_only_where_it_is_listed() {
    let (published, minimio) = (published::all(), minimio::all());
    assert!(published.len() > 400 && published.len() == minimio.len());
    let mut observed = Vec::new();
    for ((name, published), (_, minimio)) in published.into_iter().zip(minimio) {
        if published != minimio {
            observed.push((name, published, minimio));
        }
    }
    assert_eq!(observed, differences());
}
