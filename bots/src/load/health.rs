//! The load tester's own CPU time and file limit.

/// Open files besides one per player: logs, readiness queues, the metrics connection.
const FILES_SPARE: u64 = 64;

/// Threads that the machine can run at once.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// CPU time of this process so far, in seconds; `None` where the system does not say.
#[cfg(unix)]
#[must_use]
pub(crate) fn cpu_seconds() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
}

/// CPU time of this process so far, in seconds; `None` where the system does not say.
#[cfg(not(unix))]
#[must_use]
pub(crate) fn cpu_seconds() -> Option<f64> {
    None
}

/// Raises the limit of open files to fit one per player.
///
/// # Errors
/// The system allows too few; the message says how to raise the limit.
#[cfg(unix)]
pub fn raise_file_limit(players: usize) -> Result<(), String> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let needed = players as u64 + FILES_SPARE;
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| format!("cannot read the limit of open files: {error}"))?;
    // To the hard limit: a server started by this program inherits it.
    if soft < hard {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    if hard < needed {
        return Err(format!(
            "{players} players need {needed} open files, the system allows {hard}: raise it with `ulimit -Hn {needed}` as \
             root, or run fewer players"
        ));
    }
    Ok(())
}

/// Does nothing on this system.
///
/// # Errors
/// None on this system.
#[cfg(not(unix))]
pub fn raise_file_limit(_players: usize) -> Result<(), String> {
    let _ = FILES_SPARE;
    Ok(())
}
