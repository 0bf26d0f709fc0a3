//! Child processes that cannot outlive the program that started them, even if it is killed and no destructor runs.
//!
//! The Linux kernel can signal a process when its parent dies, but the process must request that itself. So the program starts itself
//! again; that process requests the signal and then executes the server. On other systems only destructors stop the server.

use std::path::Path;
use std::process::Command;

#[cfg(target_os = "linux")]
use anyhow::{Context, bail};

/// First argument of a process that must execute another program.
#[cfg(target_os = "linux")]
const WORD: &str = "guard";

/// A command that starts `program` so that it ends when this process dies; arguments can be appended. It may open `files_max` files,
/// or as many as this process.
///
/// The signal is sent when the spawning *thread* ends: spawn from a thread that lives as long as the program must.
///
/// # Errors
/// The system does not report the path of this program.
#[cfg(target_os = "linux")]
pub fn guarded(program: &Path, files_max: Option<u64>) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program to start it again")?);
    command.arg(WORD).arg(std::process::id().to_string()).arg(files_max.unwrap_or(0).to_string()).arg(program);
    Ok(command)
}

/// A command that starts `program`.
///
/// # Errors
/// None on this system.
#[cfg(not(target_os = "linux"))]
pub fn guarded(program: &Path, _files_max: Option<u64>) -> anyhow::Result<Command> {
    Ok(Command::new(program))
}

/// Must be called first in `main`: if this process was started by [`guarded`], it executes the other program. If that fails, it prints
/// the reason to standard output, which the parent reads, and gives `true`: the process must exit.
#[cfg(target_os = "linux")]
#[must_use]
pub fn took_over() -> bool {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_none_or(|word| word != WORD) {
        return false;
    }
    let words: Vec<_> = words.collect();
    let Err(error) = become_program(&words);
    let _ = crate::output::print_line(format_args!("{error:#}"));
    true
}

/// Not used on this system.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn took_over() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn become_program(words: &[std::ffi::OsString]) -> anyhow::Result<std::convert::Infallible> {
    use nix::sys::prctl::set_pdeathsig;
    use nix::sys::resource::{Resource, setrlimit};
    use nix::sys::signal::Signal;
    use std::os::unix::process::CommandExt;

    let [parent, files_max, program, rest @ ..] = words else { bail!("{WORD} is an internal argument") };
    // SIGTERM and not SIGKILL, so that it can remove its files.
    set_pdeathsig(Signal::SIGTERM).context("cannot request a signal at the parent's death")?;
    if nix::unistd::getppid().to_string().as_str() != parent {
        bail!("the program that started this one has ended already");
    }
    if let Some(most) = files_max.to_str().and_then(|text| text.parse().ok()).filter(|most| *most > 0) {
        setrlimit(Resource::RLIMIT_NOFILE, most, most).context("cannot limit the open files")?;
    }
    Err(Command::new(program).args(rest).exec())
        .with_context(|| format!("cannot start {}", Path::new(program).display()))
}
