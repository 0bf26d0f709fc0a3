//! The load tester's own health: whether it was fast enough for its figures to be the server's.

/// Files a process needs besides one per player: logs, queues, the metrics connection.
const FILES_SPARE: u64 = 64;

/// Threads the machine can run at once.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// CPU time of this process so far, in seconds; `None` where the system does not say.
#[cfg(unix)]
#[must_use]
pub fn cpu_seconds() -> Option<f64> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
}

/// CPU time of this process so far, in seconds; `None` where the system does not say.
#[cfg(not(unix))]
#[must_use]
pub fn cpu_seconds() -> Option<f64> {
    None
}

/// Makes room for a file per player.
///
/// # Errors
/// How many files the system allows, and what to do about it.
#[cfg(unix)]
pub fn make_room(players: usize) -> Result<(), String> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let needed = players as u64 + FILES_SPARE;
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| format!("cannot read the limit of open files: {error}"))?;
    // To the top at once: a server that this program starts inherits it.
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

/// Makes room for a file per player: nothing to do here.
///
/// # Errors
/// None on this system.
#[cfg(not(unix))]
pub fn make_room(_players: usize) -> Result<(), String> {
    let _ = FILES_SPARE;
    Ok(())
}
