//! `cargo xtask audit`: licences, banned crates and sources of all dependencies and, with `--advisories`, known vulnerabilities.
//! The rules and their exceptions are in `deny.toml`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{self, run};
use crate::toolchain::find_program;
use crate::workspace::{cargo, root, target_dir};

/// The version to install: a newer one may apply the rules differently.
const VERSION: &str = "0.20.2";

/// Arguments of `cargo xtask audit`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Look for known vulnerabilities and unmaintained crates instead. Fetches the RustSec database from GitHub, and fails when
    /// it cannot.
    #[arg(long)]
    advisories: bool,
}

/// Checks everything but advisories, or advisories alone.
pub(crate) fn audit(args: &Args) -> Result<()> {
    process::catch_stop_signals()?;
    let deny = match find_deny() {
        Some(deny) => deny,
        None => install()?,
    };
    if args.advisories {
        // A check that could not run must not pass.
        run(&mut command(&deny, &["fetch", "db"])).context(
            "NOT CHECKED: the advisory database cannot be reached; it comes from https://github.com/RustSec/advisory-db",
        )?;
        return run(&mut command(&deny, &["check", "advisories"])).context(
            "there are advisories: update the crate, or add it to deny.toml with the reason why it does no harm",
        );
    }
    rules(&deny)?;
    println!("advisories were not checked: `cargo xtask audit --advisories` does that, and needs a network");
    Ok(())
}

/// The same without advisories, for `cargo xtask test`. Without cargo-deny it prints a note and succeeds.
pub(crate) fn check_rules() -> Result<()> {
    match find_deny() {
        Some(deny) => rules(&deny),
        None => {
            println!("left out: cargo-deny is not installed; `cargo xtask audit` does that, which takes minutes");
            Ok(())
        }
    }
}

fn rules(deny: &Path) -> Result<()> {
    run(&mut command(deny, &["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
        .context("a dependency breaks a rule of deny.toml: replace the crate, or add an exception with its reason")
}

fn command(deny: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(deny);
    command.arg("--locked").args(args).current_dir(root());
    command
}

fn find_deny() -> Option<PathBuf> {
    let ours = tools_dir().join("bin/cargo-deny").with_extension(std::env::consts::EXE_EXTENSION);
    if ours.is_file() { Some(ours) } else { find_program("cargo-deny") }
}

fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// Installs cargo-deny into `target/tools`.
fn install() -> Result<PathBuf> {
    let mut install = cargo(&format!("install cargo-deny --locked --version {VERSION} --root"));
    install.arg(tools_dir());
    eprintln!("installing cargo-deny into target/tools, once; that takes minutes");
    let need = format!("cargo-deny is needed: type `cargo install cargo-deny --locked --version {VERSION}`");
    run(&mut install).context(need.clone())?;
    find_deny().context(need)
}
