//! What minimio asks of Windows beside mio: requests to AFD, cancelled ones, waits, events, allocations, and time, for
//! the same work, in one run.
//!
//!     . verification/setup/wine-setup.sh
//!     cd benches/windows && cargo run --release --target x86_64-pc-windows-gnu
//!
//! The calls are counted where they leave the program, in its import table, so each number is exact. Times are for
//! comparison within a row only: below Wine, a call takes several times what it takes on Windows.

#[cfg(windows)]
mod calls;
#[cfg(windows)]
mod counting;
#[cfg(windows)]
mod table;

#[cfg(windows)]
fn main() {
    table::print();
}

#[cfg(not(windows))]
fn main() {
    eprintln!("this is a program for Windows");
    std::process::exit(2);
}
