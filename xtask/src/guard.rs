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
    /// The user to become, by number.
    #[arg(long, requires = "group")]
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "elsewhere the program starts as its user"))]
    user: Option<u32>,
    /// The group to become, by number.
    #[arg(long, requires = "user")]
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "elsewhere the program starts as its user"))]
    group: Option<u32>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// A user and a group, by number, that a program runs as in place of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    /// The user.
    pub(crate) user: u32,
    /// The group.
    pub(crate) group: u32,
}

/// What starts `command` in such a way that our death ends it, as `owner` if there is one. Its program, arguments, folder and variables
/// are kept; its standard streams are not.
pub(crate) fn guarded(command: &Command, owner: Option<Owner>) -> Command {
    let mut guarded = if cfg!(target_os = "linux") {
        // Not by its path: while it runs, cargo may put another program there.
        let mut guarded = Command::new("/proc/self/exe");
        guarded.arg("guard").arg("--parent").arg(std::process::id().to_string());
        if let Some(Owner { user, group }) = owner {
            guarded.args(["--user", &user.to_string(), "--group", &group.to_string()]);
        }
        guarded.arg("--").arg(command.get_program());
        guarded
    } else {
        let mut unguarded = Command::new(command.get_program());
        #[cfg(unix)]
        if let Some(Owner { user, group }) = owner {
            std::os::unix::process::CommandExt::gid(&mut unguarded, group);
            std::os::unix::process::CommandExt::uid(&mut unguarded, user);
        }
        unguarded
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

    if let (Some(user), Some(group)) = (args.user, args.group) {
        // In this order: once we are another user, we may not leave our groups.
        nix::unistd::setgroups(&[])?;
        nix::unistd::setgid(nix::unistd::Gid::from_raw(group))?;
        nix::unistd::setuid(nix::unistd::Uid::from_raw(user))?;
    }
    // Only now: the kernel forgets the wish of a process that becomes another user.
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
