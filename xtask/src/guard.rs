//! Programs that cannot outlive us, even when we are killed and no destructor runs.
//!
//! The kernel can signal a process when its parent dies, but the process must ask for that itself. So on Linux we
//! start ourselves once more; that one asks, and then becomes the program. Elsewhere only destructors end children.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

/// Arguments of `xtask guard`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The process whose death ends the program.
    #[arg(long)]
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux can notify a process of its parent's end")
    )]
    parent: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// What starts `command` in such a way that our death ends it. Its program, arguments, folder and variables are
/// kept; its standard streams are not.
pub(crate) fn guarded(command: &Command) -> Command {
    let mut guarded = if cfg!(target_os = "linux") {
        // Not by its path: while it runs, cargo may put another program there.
        let mut guarded = Command::new("/proc/self/exe");
        guarded.arg("guard").arg("--parent").arg(std::process::id().to_string()).arg("--");
        guarded.arg(command.get_program());
        guarded
    } else {
        Command::new(command.get_program())
    };
    guarded.args(command.get_args());
    guarded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(dir) = command.get_current_dir() {
        guarded.current_dir(dir);
    }
    guarded
}

/// Becomes the program that `args` names; returns only on an error.
#[cfg(target_os = "linux")]
pub(crate) fn become_program(args: &Args) -> Result<()> {
    use std::os::unix::process::CommandExt;

    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
    let parent = nix::unistd::getppid().as_raw().cast_unsigned();
    anyhow::ensure!(parent == args.parent, "the process {} has ended already", args.parent);
    let error = Command::new(&args.program[0]).args(&args.program[1..]).exec();
    Err(error.into())
}

/// Fails: nothing calls this outside Linux.
#[cfg(not(target_os = "linux"))]
pub(crate) fn become_program(args: &Args) -> Result<()> {
    anyhow::bail!("cannot run {:?}: guard is for Linux", args.program)
}
