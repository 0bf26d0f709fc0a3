//! Servers that cannot outlive the program that started them, even when it is killed and no destructor runs.
//!
//! The kernel can signal a process when its parent dies, but the process must ask for that itself. So on Linux the program starts
//! itself once more; that one asks, and then becomes the server. Elsewhere only destructors end it.

use std::path::Path;
use std::process::Command;

#[cfg(target_os = "linux")]
use anyhow::{Context, bail};

/// The first word by which a program knows that it is to become another one.
#[cfg(target_os = "linux")]
const WORD: &str = "guard";

/// What starts `program` in such a way that our death ends it; its arguments may be added. It may have `files_max` files open, or
/// as many as we may.
///
/// The death of the thread that spawns it counts as ours: spawn it from one that lives as long as it shall.
///
/// # Errors
/// When the system does not say where this program is.
#[cfg(target_os = "linux")]
pub fn guarded(program: &Path, files_max: Option<u64>) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program to start it once more")?);
    command.arg(WORD).arg(std::process::id().to_string()).arg(files_max.unwrap_or(0).to_string()).arg(program);
    Ok(command)
}

/// What starts `program`.
///
/// # Errors
/// None on this system.
#[cfg(not(target_os = "linux"))]
pub fn guarded(program: &Path, _files_max: Option<u64>) -> anyhow::Result<Command> {
    Ok(Command::new(program))
}

/// To be called first of all: if this process was started to become another program, it does. Where it cannot, it says why on
/// standard output, where whoever started it listens, and `true` tells to end.
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

/// Nothing asks for this here.
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

    let [parent, files_max, program, rest @ ..] = words else { bail!("{WORD} is not for people") };
    // Asked and not killed: so it takes along what it has left on the disk.
    set_pdeathsig(Signal::SIGTERM).context("cannot ask to end with the parent")?;
    if nix::unistd::getppid().to_string().as_str() != parent {
        bail!("the program that started this one has ended already");
    }
    if let Some(most) = files_max.to_str().and_then(|text| text.parse().ok()).filter(|most| *most > 0) {
        setrlimit(Resource::RLIMIT_NOFILE, most, most).context("cannot limit the open files")?;
    }
    Err(Command::new(program).args(rest).exec())
        .with_context(|| format!("cannot start {}", Path::new(program).display()))
}
