//! The step `template`: the workspace that `cargo xtask new` writes passes its own checks, and its game is played in Chromium, by bots and
//! by the load tester; and the steps of the guide lead from it to a game that passes its tests.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::files::remove_folder;
use crate::process::{Service, run};
use crate::webdriver::Page;
use crate::workspace::{cargo, program, root, target_dir};
use crate::{guide, new, toolchain};

/// The game's name, unlike any word in the template.
const NAME: &str = "trial-game";
const GUIDE: &str = include_str!("../../docs/YOUR-GAME.md");
/// The window, in CSS pixels.
const SIZE: (u32, u32) = (800, 600);

/// Writes a game, checks it, plays it and removes it.
pub(crate) fn check() -> Result<()> {
    let tools = toolchain::ensure_browser()?;
    toolchain::ensure_wasm_target()?;
    let folder = root().join("target/template").join(NAME);
    remove_folder(&folder)?;
    new::write(&folder, None)?;
    run(&mut cargo_in(&folder, "xtask test"))?;
    run(&mut cargo_in(&folder, "build --workspace --exclude xtask --bins"))?;
    play(&tools, &folder)?;
    guide::apply(GUIDE, &folder, NAME, |step| {
        println!("docs/YOUR-GAME.md: {step}");
        run(&mut cargo_in(&folder, &format!("check --package {NAME} --package {NAME}-page --all-targets")))
    })?;
    run(&mut cargo_in(&folder, "test --workspace --exclude xtask"))?;
    remove_folder(&folder)
}

/// Cargo in the game's workspace. It builds into our folder, so that the two share what they depend on.
fn cargo_in(folder: &Path, args: &str) -> Command {
    let mut command = cargo(args);
    command.current_dir(folder).env("CARGO_TARGET_DIR", target_dir());
    command
}

fn play(tools: &toolchain::Browser, folder: &Path) -> Result<()> {
    let mut command = Command::new(program("debug", &format!("{NAME}-server")));
    command.args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--data",
        "memory",
        "--bots",
        "3",
        "--limit-exempt",
        "127.0.0.1",
        "--assets",
    ]);
    command.arg(folder.join("target/web")).current_dir(folder).env("RUST_LOG", "warn");
    let mut server = Service::start("server", &command, Stdio::piped(), Stdio::inherit())?;
    let address = server.listening()?;
    collect_a_star(tools, address)?;
    let url = format!("ws://{address}/ws");
    run(Command::new(program("debug", "bot")).args([&url, "--count", "2", "--seconds", "2"]).current_dir(folder))?;
    let mut load = Command::new(program("debug", "load"));
    run(load.args([&url, "--players", "20", "--seconds", "3"]).current_dir(folder))?;
    server.end()
}

/// Joins with a page, moves by a key, and collects a star among the server's bots.
fn collect_a_star(tools: &toolchain::Browser, address: SocketAddr) -> Result<()> {
    let page = Page::open(tools, SIZE, &format!("http://{address}/?name=Ann&autojoin=1&effects=simple"))?;
    let state = |condition: &str| format!("const s = window.broadside.state(); return {condition}");
    page.wait_for("play", &state("s.phase === 'playing' && s.x !== undefined && s.star_x !== undefined"))?;
    let begun = page.run(&state("[s.x, s.score]"))?;
    let (x, score) = (begun[0].as_f64().unwrap_or_default(), begun[1].as_f64().unwrap_or_default());
    // Away from the wall that is nearer.
    page.hold(if x < 0.0 { 'd' } else { 'a' })?;
    page.wait_for("another place", &state(&format!("Math.abs(s.x - {x}) > 50")))?;
    page.release()?;
    page.run(include_str!("template.js"))?;
    page.wait_for("a star", &state(&format!("s.score > {score}")))?;
    page.wait_for("bots beside it", &state("s.board.length >= 3"))?;
    let errors = page.run("return window.broadside.errors")?;
    ensure!(errors == Value::Array(Vec::new()), "the page reports {errors}");
    Ok(())
}
