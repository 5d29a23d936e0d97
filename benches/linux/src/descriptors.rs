//! The limit of open descriptors.

use std::io;

use crate::measure::Result;

/// What the largest scenario needs: 19,000 sources, and some descriptors for valgrind and for this program.
const NEEDED: libc::rlim_t = 19_050;

/// Raises the limit to the highest value that this process may set.
pub fn raise_limit() -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call, which writes it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(format!("cannot get the limit of descriptors: {}", io::Error::last_os_error()).into());
    }
    limit.rlim_cur = limit.rlim_max;
    if limit.rlim_max < NEEDED {
        let hint = "raise it with `ulimit -Hn`, as root";
        return Err(format!("needs {NEEDED} descriptors, but the limit is {}: {hint}", limit.rlim_max).into());
    }
    // SAFETY: `limit` outlives the call, which reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(format!("cannot set the limit of descriptors: {}", io::Error::last_os_error()).into());
    }
    Ok(())
}
