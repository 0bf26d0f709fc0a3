//! The project's own commands: `cargo xtask play | test | dist | bench | chaos | audit`.
//!
//! - [`play`]: builds everything, starts server and bots, and lets a person play.
//! - [`mod@test`]: every check there is, step by step; continuous integration runs only this command.
//! - [`dist`]: one server binary with the browser client inside.
//! - [`mod@bench`]: what the server costs on this machine, and a gate that holds on noisy ones.
//! - [`chaos`]: the whole server in one simulation, driven by a seed.
//! - [`audit`]: licences, banned crates, sources and advisories of the dependencies.
//!
//! Below those: [`site`] makes the folder that a browser loads from; [`purity`], [`floors`], [`tidy`] and [`numbers`] check the
//! sources with the help of [`imports`] and [`source`]; [`toolchain`] finds what must be installed; [`process`], [`guard`] and
//! [`http`] start programs, end them and ask whether they are up; [`workspace`] has the paths.
//!
//! The browser tests are `tests/browser/`, a test target of this crate, so that only `cargo xtask test` builds the WebDriver client.

mod audit;
mod bench;
mod chaos;
mod dist;
mod floors;
mod guard;
mod http;
mod imports;
mod numbers;
mod play;
mod process;
mod purity;
mod site;
mod source;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use broadside_cli::{parse, say};
use clap::{Parser, Subcommand};

/// Broadside's project commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the browser client, the server and the bots, and play on this machine until Ctrl-C.
    Play(play::Args),
    /// Run every check: format, lints, tests, purity, docs, browser.
    Test(test::Args),
    /// Make one server binary with the browser client inside: target/dist/broadside-server.
    Dist,
    /// Measure what the server costs on this machine, and write it to docs/BENCHMARKS.md.
    Bench(bench::Args),
    /// Simulate the whole server with everything that can go wrong; a failure prints the command that repeats it.
    Chaos(chaos::Args),
    /// Check licences, banned crates and sources of all dependencies; or, with --advisories, known vulnerabilities.
    Audit(audit::Args),
    /// Run a program that must not outlive this one's parent (used by the other commands).
    #[command(hide = true)]
    Guard(guard::Args),
}

fn main() -> ExitCode {
    let (args, _) = parse::<Args>();
    let passes_exit_code_on = matches!(args.command, Command::Chaos(_));
    let done = match args.command {
        Command::Play(args) => play::play(&args),
        Command::Test(args) => test::test(&args),
        Command::Dist => dist::dist(),
        Command::Bench(args) => bench::bench(&args),
        Command::Chaos(args) => chaos::chaos(&args),
        Command::Audit(args) => audit::audit(&args),
        Command::Guard(args) => guard::become_program(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<process::Stopped>() => ExitCode::from(130), // what a shell reports for Ctrl-C
        Err(error) => {
            let code =
                error.downcast_ref::<process::Failed>().filter(|_| passes_exit_code_on).and_then(|failed| failed.code);
            say(&format!("error: {error:#}"));
            code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
