//! How many files the process may have open: every connection is one.

/// Raises the limit of open files as far as the system lets us, and gives it; `None` where there is no such limit.
#[cfg(unix)]
pub fn raise_limit() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { Some(hard) } else { Some(soft) }
}

/// Raises the limit of open files as far as the system lets us, and gives it; `None` where there is no such limit.
#[cfg(not(unix))]
pub fn raise_limit() -> Option<u64> {
    None
}
