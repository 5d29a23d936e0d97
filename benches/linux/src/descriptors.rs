//! The limit of open descriptors.

use std::io;

use crate::measure::Result;

/// Raises the limit to the highest value that this process may set. Fails if that is less than `needed`.
pub fn raise_limit(needed: libc::rlim_t) -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call, which writes it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(format!("cannot get the limit of descriptors: {}", io::Error::last_os_error()).into());
    }
    limit.rlim_cur = limit.rlim_max;
    if limit.rlim_max < needed {
        let hint = "root can raise it with `ulimit -Hn`";
        return Err(format!("needs {needed} descriptors, but the limit is {}: {hint}", limit.rlim_max).into());
    }
    // SAFETY: `limit` outlives the call, which reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(format!("cannot set the limit of descriptors: {}", io::Error::last_os_error()).into());
    }
    Ok(())
}
