//! The same calls to polling and to `compat/polling`. Each scenario returns what the program observes, as text.

#![cfg(all(target_os = "linux", test))]

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
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // polling cannot append to a full list.
    ("full list", "Ok [0w], InvalidInput [0w]", "Ok [0w], Ok [0w 1w]"),
    // A signal makes polling clear the list.
    ("signal", "[]", "[1w]"),
];

#[test]
fn they_differ_only_where_it_is_listed() {
    let (published, minimio) = (published::all(), minimio::all());
    assert!(published.len() > 300 && published.len() == minimio.len());
    let mut differences = Vec::new();
    for ((name, published), (_, minimio)) in published.iter().zip(&minimio) {
        if published != minimio {
            differences.push((name.as_str(), published.as_str(), minimio.as_str()));
        }
    }
    assert_eq!(differences, DIFFERENCES);
}
