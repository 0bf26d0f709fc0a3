//! `cargo xtask test`: every check there is, cheapest first, ending at the first that fails.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::firefox::Firefox;
use crate::games::Game;
use crate::process::{self, run};
use crate::steps::run_in_order;
use crate::workspace::{WASM_TARGET, cargo, root, target_dir};
use crate::{audit, bench, engine, floors, purity, site, sizes, template, tidy, toolchain};

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run this step alone.
    #[arg(long, value_name = "STEP")]
    only: Option<Step>,
    /// The browser of the step `browser`.
    #[arg(long, value_name = "NAME", default_value = "chromium")]
    browser: BrowserName,
}

/// A browser that plays the tests.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum BrowserName {
    Chromium,
    /// Installed or built when it is absent, which takes minutes.
    Firefox,
}

/// One check.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Step {
    Tools,
    Fmt,
    Purity,
    Floors,
    Tidy,
    Audit,
    Clippy,
    ClippyWasm,
    Docs,
    Unit,
    Engine,
    Fuzz,
    Counts,
    Foreign,
    Site,
    Browser,
    Template,
}

/// Runs every step, or the chosen one.
pub(crate) fn test(args: &Args) -> Result<()> {
    process::catch_stop_signals()?;
    run_in_order(args.only, Step::about, |step| step.run(args.browser))
}

impl Step {
    fn about(self) -> &'static str {
        match self {
            Step::Tools => {
                "the wasm target, rustfmt, clippy, Node, PostgreSQL, NATS, Chromium and chromedriver are there"
            }
            Step::Fmt => "the code is formatted",
            Step::Purity => "pure crates have no exceptions, and each library has one owner",
            Step::Floors => {
                "modules import only what their tables in docs/ARCHITECTURE.md allow, and no files in a cycle"
            }
            Step::Tidy => "no leftovers, no giants, and the documents name what the tree has and quote its numbers",
            Step::Audit => "licences, banned crates and sources of all dependencies are as deny.toml has them",
            Step::Clippy => "no lint in any native target",
            Step::ClippyWasm => "no lint in what runs in the browser",
            Step::Docs => "the documentation builds without a warning",
            Step::Unit => "every test that needs no browser",
            Step::Engine => "the engine is built without any game, and passes its tests with a toy",
            Step::Fuzz => "no bytes of a remote, from fuzz/seeds/ or mutated from these, break what reads them",
            Step::Counts => "no part of the server takes more instructions than it may",
            Step::Foreign => {
                "a client in JavaScript, written from docs/PROTOCOL.md alone, plays every game on a real server"
            }
            Step::Site => "the browser client is compiled, a first visit to it is small, and the server can embed it",
            Step::Template => "a game made by `cargo xtask new` passes its checks, and Chromium, bots and load play it",
            Step::Browser => "headless Chromium, or Firefox with --browser, plays on a real server",
        }
    }

    fn run(self, browser: BrowserName) -> Result<()> {
        match self {
            Step::Tools => tools(),
            Step::Fmt => run(&mut cargo("fmt --all --check")),
            Step::Purity => purity::check(),
            Step::Floors => floors::check(),
            Step::Tidy => tidy::check(),
            Step::Audit => audit::check_rules(),
            // `browser` and `seeds` by name: a target that plain `cargo test` leaves out is none of `--all-targets`.
            Step::Clippy => {
                run(&mut cargo("clippy --workspace --all-targets --test browser --test seeds -- -D warnings"))
            }
            Step::ClippyWasm => run(&mut cargo(&format!(
                "clippy --package broadside-shared --package broadside-client --package broadside-arena-page --package broadside-puck-page --target {WASM_TARGET} -- -D warnings"
            ))),
            Step::Docs => run(cargo("doc --workspace --no-deps --document-private-items")
                .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links")),
            Step::Unit => run(&mut cargo("test --workspace")),
            Step::Engine => engine::check(),
            Step::Fuzz => run(&mut cargo("test --workspace --test seeds")),
            Step::Counts => bench::check_counts(),
            Step::Foreign => foreign(),
            Step::Site => embedded_site(),
            Step::Browser => play_in(browser),
            Step::Template => template::check(),
        }
    }
}

/// Builds the programs that tests start: as tests, whose features differ from those of programs alone. `build --bins` would build every
/// dependency once more, which took seven minutes.
const PROGRAMS: &str = "test --workspace --no-run";

fn tools() -> Result<()> {
    toolchain::ensure_wasm_target()?;
    toolchain::ensure_components()?;
    toolchain::ensure_node()?;
    toolchain::ensure_postgres()?;
    toolchain::ensure_nats()?;
    toolchain::ensure_browser().map(|_| ())
}

/// Runs the tests of the JavaScript client, and those of the example that uses it.
fn foreign() -> Result<()> {
    let program = toolchain::ensure_node()?;
    run(&mut cargo(PROGRAMS))?;
    for folder in ["packages/client", "examples/javascript"].map(|folder| root().join(folder)) {
        ensure_packages(&program, &folder)?;
        let programs = target_dir().join("debug");
        run(Command::new(&program).arg("test").current_dir(&folder).env("BROADSIDE_PROGRAMS", programs))?;
    }
    Ok(())
}

/// Fetches the packages of a folder once, and again when their lock file changes.
fn ensure_packages(npm: &Path, folder: &Path) -> Result<()> {
    let (lock, fetched) = (folder.join("package-lock.json"), folder.join("node_modules/.package-lock.json"));
    if fetched.metadata().and_then(|made| made.modified()).ok() < Some(lock.metadata()?.modified()?) {
        run(Command::new(npm).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))?;
    }
    Ok(())
}

/// Lints the server as `cargo xtask dist` builds it: that code needs the site to compile.
fn embedded_site() -> Result<()> {
    site::build(&Game::arena())?;
    sizes::check(&Game::arena().web)?;
    run(&mut cargo("clippy --workspace --all-targets --features broadside-server/embed -- -D warnings"))
}

/// Always with `--workspace`, like the steps before: other selections of packages would build the dependencies again.
fn play_in(browser: BrowserName) -> Result<()> {
    let tools = toolchain::ensure_browser()?;
    ensure_packages(&toolchain::ensure_node()?, &root().join("xtask/tests/browser/npm"))?;
    let firefox = (browser == BrowserName::Firefox).then(Firefox::ensure).transpose()?;
    let (arena, puck) = (Game::arena(), Game::named("puck")?);
    site::build(&arena)?;
    site::build(&puck)?;
    run(&mut cargo(PROGRAMS))?;
    // One at a time: each test has a browser and a server of its own, and drawing is done in software.
    let mut tests = cargo("test --workspace --test browser -- --test-threads=1");
    tests.envs([
        ("CHROMIUM", tools.browser),
        ("CHROMEDRIVER", tools.driver),
        ("BROADSIDE_PROGRAMS", target_dir().join("debug")),
        ("BROADSIDE_SITE", arena.web),
        ("BROADSIDE_PUCK_SITE", puck.web),
        ("BROADSIDE_ARTIFACTS", target_dir().join("artifacts")),
    ]);
    if let Some(firefox) = &firefox {
        tests.envs(firefox.variables());
    }
    run(&mut tests)
}
