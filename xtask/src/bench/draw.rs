//! What a machine without a GPU makes of the page: images per second and script time of both renderers, in headless Chromium with
//! software GL, on the cores that the server and its bots run on too.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::level::shown;
use crate::games::Game;
use crate::process::{Service, run};
use crate::table::Table;
use crate::webdriver::Page;
use crate::workspace::{cargo, program, root};
use crate::{site, toolchain};

/// The window, in CSS pixels.
const SIZE: (u32, u32) = (1280, 720);
/// Bots in the arena.
const BOTS: &str = "14";
/// Time for the clock and the lead to find their place.
const SETTLE: Duration = Duration::from_secs(6);
/// Time measured.
const MEASURED: Duration = Duration::from_secs(20);

/// What one renderer made of it.
#[derive(Debug, Clone, PartialEq)]
struct Drawn {
    renderer: &'static str,
    /// Milliseconds from each image to the next, and of script for each; both sorted.
    intervals_ms: Vec<f64>,
    scripts_ms: Vec<f64>,
    missing: Option<f64>,
    largest_correction: Option<f64>,
}

/// Builds, plays with one renderer after the other, and gives the values as a table.
pub(super) fn measure() -> Result<String> {
    let tools = toolchain::ensure_browser()?;
    toolchain::ensure_wasm_target()?;
    site::build(&Game::arena())?;
    // A debug build, as in the browser tests: the page is what is measured.
    run(&mut cargo("build --package broadside-server --bins"))?;
    let mut drawn = Vec::new();
    for renderer in ["full", "simple"] {
        drawn.push(play(&tools, renderer)?);
    }
    Ok(table(&drawn))
}

fn play(tools: &toolchain::Browser, renderer: &'static str) -> Result<Drawn> {
    let mut command = Command::new(program("debug", "broadside-server"));
    command
        .args(["--host", "127.0.0.1", "--port", "0", "--data", "memory", "--bots", BOTS])
        .arg("--assets")
        .arg(Game::arena().web);
    command.current_dir(root()).env("RUST_LOG", "warn");
    let mut server = Service::start("server", &command, Stdio::piped(), Stdio::inherit())?;
    let address = server.listening()?;
    let page = Page::open(tools, SIZE, &format!("http://{address}/?name=Ann&autojoin=1&effects={renderer}"))?;
    page.wait_for("play", "const s = window.broadside.state(); return s.phase === 'playing' && s.ship !== null")?;
    page.run(include_str!("draw.js"))?;
    std::thread::sleep(SETTLE);
    let missing =
        || -> Result<Option<f64>> { Ok(page.run("return window.broadside.state().net.inputs_missing")?.as_f64()) };
    page.run("window.drawn = []")?;
    let before = missing()?;
    std::thread::sleep(MEASURED);
    let images = page.run("return window.drawn")?;
    let after = missing()?;
    let state = page.run("return window.broadside.state()")?;
    ensure!(state["renderer"] == renderer, "the page draws with {} and not with {renderer}", state["renderer"]);
    drop(page);
    server.end()?;
    let (intervals_ms, scripts_ms) = times(&images);
    let missing = after.zip(before).map(|(after, before)| after - before);
    let largest_correction = state["net"]["largest_correction_units"].as_f64();
    Ok(Drawn { renderer, intervals_ms, scripts_ms, missing, largest_correction })
}

/// From when each image began and how long its script took to the times between them and those of the scripts, sorted.
fn times(images: &Value) -> (Vec<f64>, Vec<f64>) {
    let images = images.as_array().map_or(&[][..], Vec::as_slice);
    let column = |at: usize| images.iter().filter_map(move |image| image.get(at)?.as_f64());
    let mut intervals: Vec<f64> = column(0).zip(column(0).skip(1)).map(|(one, next)| next - one).collect();
    let mut scripts: Vec<f64> = column(1).collect();
    intervals.sort_by(f64::total_cmp);
    scripts.sort_by(f64::total_cmp);
    (intervals, scripts)
}

fn at(sorted: &[f64], quantile: f64) -> Option<f64> {
    sorted.get((quantile * sorted.len().saturating_sub(1) as f64).round() as usize).copied()
}

fn table(drawn: &[Drawn]) -> String {
    let mut table = Table::new(&[
        "renderer",
        "images per second p50",
        "p5",
        "script ms per image p50",
        "p95",
        "inputs missing",
        "largest correction, units",
    ]);
    for drawn in drawn {
        let rate = |quantile| at(&drawn.intervals_ms, quantile).filter(|ms| *ms > 0.0).map(|ms| 1000.0 / ms);
        table.row([
            drawn.renderer.to_owned(),
            shown(rate(0.5), 1),
            shown(rate(0.95), 1),
            shown(at(&drawn.scripts_ms, 0.5), 1),
            shown(at(&drawn.scripts_ms, 0.95), 1),
            shown(drawn.missing, 0),
            shown(drawn.largest_correction, 1),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_become_rates_and_script_times() {
        let (intervals_ms, scripts_ms) = times(&json!([[0.0, 2.0], [20.0, 1.0], [40.0, 3.0], [140.0, 2.5]]));
        assert_eq!(
            (intervals_ms.as_slice(), scripts_ms.as_slice()),
            (&[20.0, 20.0, 100.0][..], &[1.0, 2.0, 2.5, 3.0][..])
        );
        let drawn = Drawn { renderer: "full", intervals_ms, scripts_ms, missing: Some(7.0), largest_correction: None };
        assert!(table(&[drawn]).ends_with("| full | 50.0 | 10.0 | 2.5 | 3.0 | 7 | - |"), "{}", table(&[]));
    }
}
