//! The same work with polling and with `compat/polling`, for `cost.py`, which counts instructions and system calls.
//!
//! ```text
//! polling-comparison LIBRARY WORK COUNT
//! ```

use std::env;

/// Defines a module with the work, which uses one of the two crates.
macro_rules! work {
    ($module:ident, $library:ident) => {
        mod $module {
            use $library as polling;
            include!("work.rs");
        }
    };
}

work!(published, polling);
work!(minimio, minimio_polling);

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let (library, work, count) = (&*words[0], &*words[1], words[2].parse().unwrap());
    match library {
        "polling" => published::run(work, count),
        "minimio" => minimio::run(work, count),
        _ => panic!("there is no library {library}"),
    }
}
