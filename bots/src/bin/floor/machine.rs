//! File limit and CPU time of a process.

use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeVal;

/// Raises the limit of open files to `files`.
///
/// # Errors
/// The hard limit is lower; the message says how to raise it.
pub(crate) fn raise_files(files: u64) -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    if soft >= files {
        return Ok(());
    }
    if hard < files {
        bail!(
            "{files} open files are needed, {hard} are allowed; raise it with ulimit -n {files}, or use fewer --players"
        );
    }
    setrlimit(Resource::RLIMIT_NOFILE, files, hard).context("cannot raise the limit of open files")
}

/// CPU time of this process so far, user and system.
pub(crate) fn cpu() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("cannot read the CPU time")?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64)
}
