//! The commands of a workspace: `cargo xtask play | test`, and in Broadside's own also `new | dist | bench | chaos | faults | soak | audit`.
//!
//! The program of Broadside's workspace is [`broadside`]. The workspace of a game has a program `xtask` that is one call of [`game()`].
//!
//! - [`mod@play`]: builds a game, starts its server, and lets a person play. [`play_cluster`] starts several, with their [`postgres`] and [`nats`].
//! - [`mod@test`]: every check there is, step by step; continuous integration runs only this command. [`game_test`] is the same for the
//!   workspace of a game.
//! - [`mod@new`]: writes the workspace of a game.
//! - [`dist`]: one server binary with the browser client inside.
//! - [`mod@bench`]: what the server costs on this machine, and a gate that holds on noisy ones.
//! - [`chaos`]: the whole server in one simulation, driven by a seed.
//! - [`faults`]: what players feel while something breaks, and [`faults_cluster`] the same with the [`nodes`] of a cluster. [`felt`] has the
//!   bots, [`server`] a server with those it hands over to, [`link`] a link to cut.
//! - [`audit`]: licences, banned crates, sources and advisories of the dependencies.
//!
//! Below those: [`games`] knows the packages of each game; [`site`] makes the folder that a browser loads from, [`sizes`] says how large a first visit is, [`parts`] the game's
//! parts of its page; [`steps`] runs checks;
//! [`engine`] runs the tests of what knows no game; [`purity`], [`floors`], [`tidy`] and [`numbers`] check the
//! sources with the help of [`imports`] and [`source`]; [`toolchain`] finds what must be installed, [`firefox`] another browser; [`files`] lists folders; [`process`], [`guard`] and
//! [`http`] start programs, end them and ask whether they are up; [`workspace`] has the paths.
//!
//! The browser tests are `tests/browser/`, a test target of this crate, so that only `cargo xtask test` builds the WebDriver client.

mod audit;
mod bench;
mod chaos;
mod dist;
mod engine;
mod faults;
mod faults_cluster;
mod felt;
mod files;
mod firefox;
mod floors;
mod game_test;
mod games;
mod guard;
mod guide;
mod http;
mod imports;
mod languages;
mod link;
mod nats;
mod new;
mod nodes;
mod numbers;
mod parts;
mod play;
mod play_cluster;
mod plot;
mod postgres;
mod process;
mod purity;
mod server;
mod site;
mod sizes;
mod soak;
mod source;
mod split;
mod steps;
mod table;
mod template;
mod test;
mod tidy;
mod toolchain;
mod webdriver;
mod workspace;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
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
    /// Build the page and the server of a game, and play on this machine until Ctrl-C.
    Play {
        /// The game: a folder of games/.
        #[arg(long, value_name = "NAME", default_value = games::DEFAULT)]
        game: String,
        #[command(flatten)]
        args: play::Args,
    },
    /// Run every check: format, lints, tests, purity, docs, browser.
    Test(test::Args),
    /// Make the workspace of a game of your own, in a folder that is named like it.
    New(new::Args),
    /// Build the folder that a browser loads a game from.
    Site(site::Args),
    /// Make one server binary with the browser client inside: target/dist/broadside-server.
    Dist,
    /// Measure what the server costs on this machine, and write it to docs/BENCHMARKS.md.
    Bench(bench::Args),
    /// Simulate the whole server with everything that can go wrong; a failure prints the command that repeats it.
    Chaos(chaos::Args),
    /// Break one thing after another under a server with bots, and print what they felt.
    Faults(faults::Args),
    /// Let a server with everything on run for a while, and print what it takes minute by minute.
    Soak(soak::Args),
    /// Check licences, banned crates and sources of all dependencies; or, with --advisories, known vulnerabilities.
    Audit(audit::Args),
    /// Run a program that must not outlive this one's parent (used by the other commands).
    #[command(hide = true)]
    Guard(guard::Args),
}

/// The project commands of a game.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct GameArgs {
    #[command(subcommand)]
    command: GameCommand,
}

#[derive(Subcommand)]
enum GameCommand {
    /// Build the page and the server, and play on this machine until Ctrl-C.
    Play(play::Args),
    /// Run every check: format, lints, tests, the page.
    Test(game_test::Args),
    /// Run a program that must not outlive this one's parent (used by the other commands).
    #[command(hide = true)]
    Guard(guard::Args),
}

/// The program `xtask` of Broadside's own workspace.
#[must_use]
pub fn broadside() -> ExitCode {
    let (args, _) = parse::<Args>();
    let passes_exit_code_on = matches!(args.command, Command::Chaos(_));
    let done = match args.command {
        Command::Play { game, args } => games::Game::named(&game).and_then(|game| play(&args, &game)),
        Command::Test(args) => test::test(&args),
        Command::New(args) => new::new(&args),
        Command::Site(args) => site::site(&args),
        Command::Dist => dist::dist(),
        Command::Bench(args) => bench::bench(&args),
        Command::Chaos(args) => chaos::chaos(&args),
        Command::Faults(args) if args.cluster => faults_cluster::faults(&args),
        Command::Faults(args) => faults::faults(&args),
        Command::Soak(args) => soak::soak(&args),
        Command::Audit(args) => audit::audit(&args),
        Command::Guard(args) => guard::become_program(&args),
    };
    exit_code(done, passes_exit_code_on)
}

/// The program `xtask` of the workspace of the game `name`, whose packages are `name`, `name-page` and `name-server`, in folders beside
/// the program's own. `manifest_folder` is the latter: `env!("CARGO_MANIFEST_DIR")`.
#[must_use]
pub fn game(name: &str, manifest_folder: &str) -> ExitCode {
    let (args, _) = parse::<GameArgs>();
    let done = Path::new(manifest_folder).parent().context("xtask is a folder inside the workspace").and_then(|root| {
        workspace::set_root(root.to_path_buf());
        let game = games::Game::of_workspace(name);
        match args.command {
            GameCommand::Play(args) => play(&args, &game),
            GameCommand::Test(args) => game_test::test(&args, &game),
            GameCommand::Guard(args) => guard::become_program(&args),
        }
    });
    exit_code(done, false)
}

fn play(args: &play::Args, game: &games::Game) -> Result<()> {
    match args.nodes {
        None => play::play(args, game),
        Some(nodes) => play_cluster::play(args, nodes, game),
    }
}

fn exit_code(done: Result<()>, passes_exit_code_on: bool) -> ExitCode {
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
