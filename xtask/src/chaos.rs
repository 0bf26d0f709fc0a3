//! `cargo xtask chaos`: the whole server in one simulation, for as long as asked.
//!
//! The simulation is the server's example `chaos`; only the command is here.

use anyhow::Result;

use crate::process::{self, run};
use crate::workspace::cargo;

/// Arguments of `cargo xtask chaos`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minutes to run, on two threads.
    #[arg(long, value_name = "N", default_value_t = 60)]
    minutes: u32,
    /// The first seed: a run with the same seed does the same things in the same order.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

pub(crate) fn chaos(args: &Args) -> Result<()> {
    process::catch_stop_signals()?;
    let mut simulation = cargo("run --release -p broadside-server --example chaos --");
    simulation.arg("--minutes").arg(args.minutes.to_string()).arg("--seed").arg(args.seed.to_string());
    run(&mut simulation)
}
