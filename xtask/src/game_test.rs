//! `cargo xtask test` in the workspace of a game: every check there is, cheapest first.

use anyhow::Result;
use clap::ValueEnum;

use crate::games::Game;
use crate::process::{self, run};
use crate::steps::run_in_order;
use crate::workspace::{WASM_TARGET, cargo};
use crate::{site, toolchain};

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run this step alone.
    #[arg(long, value_name = "STEP")]
    only: Option<Step>,
}

/// One check.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Step {
    Tools,
    Fmt,
    Clippy,
    ClippyWasm,
    Unit,
    Site,
}

/// Runs every step, or the chosen one.
pub(crate) fn test(args: &Args, game: &Game) -> Result<()> {
    process::catch_stop_signals()?;
    run_in_order(args.only, Step::about, |step| step.run(game))
}

impl Step {
    fn about(self) -> &'static str {
        match self {
            Step::Tools => "the wasm target, rustfmt and clippy are there",
            Step::Fmt => "the code is formatted",
            Step::Clippy => "no lint in any native target",
            Step::ClippyWasm => "no lint in what runs in the browser",
            Step::Unit => "every test passes",
            Step::Site => "the page is compiled",
        }
    }

    fn run(self, game: &Game) -> Result<()> {
        match self {
            Step::Tools => {
                toolchain::ensure_wasm_target()?;
                toolchain::ensure_components()
            }
            // Without `--all`, which would format Broadside too where that is a folder beside this one.
            Step::Fmt => run(&mut cargo("fmt --check")),
            // Without this program, which has been built already, of dependencies with fewer features.
            Step::Clippy => run(&mut cargo("clippy --workspace --exclude xtask --all-targets -- -D warnings")),
            Step::ClippyWasm => {
                run(&mut cargo(&format!("clippy --package {} --target {WASM_TARGET} -- -D warnings", game.page)))
            }
            Step::Unit => run(&mut cargo("test --workspace --exclude xtask")),
            Step::Site => site::build(game),
        }
    }
}
