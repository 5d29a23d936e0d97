//! macOS and other Apple systems, the BSDs only.

#[cfg(not(minimio_kqueue))]
compile_error!("compat/polling does not yet contain `os::kqueue`, so it does not compile for systems with a kqueue");
