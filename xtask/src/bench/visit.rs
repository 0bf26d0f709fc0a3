//! How long a visit takes over a line as people have it: to the first picture, to the title that moves, and to playing, in headless Chromium
//! whose network is slowed down.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::level::shown;
use crate::games::Game;
use crate::process::{Service, run};
use crate::table::Table;
use crate::webdriver::{Line, Page};
use crate::workspace::{cargo, program, root};
use crate::{site, sizes, toolchain};

/// The window, in CSS pixels.
const SIZE: (u32, u32) = (1280, 720);
/// The line.
const LINE: Line = Line { mbit_per_s: 20.0, latency_ms: 40 };
/// How often the first visit is measured, each time by a new browser.
const TIMES: usize = 3;

/// What one visit took, in milliseconds from its begin.
struct Visit {
    picture: Option<f64>,
    image: Option<f64>,
    playing: Option<f64>,
    kilobytes: Option<f64>,
}

/// Builds, visits, and gives the values as two tables: times, and sizes.
pub(super) fn measure() -> Result<(String, String)> {
    let tools = toolchain::ensure_browser()?;
    toolchain::ensure_wasm_target()?;
    let game = Game::arena();
    site::build(&game)?;
    // A debug build, as in the browser tests: the page is what is measured.
    run(&mut cargo("build --package broadside-server --bins"))?;
    let mut command = Command::new(program("debug", "broadside-server"));
    command.args(["--host", "127.0.0.1", "--port", "0", "--data", "memory", "--bots", "8", "--assets"]).arg(&game.web);
    command.current_dir(root()).env("RUST_LOG", "warn");
    let mut server = Service::start("server", &command, Stdio::piped(), Stdio::inherit())?;
    let url = format!("http://{}/?name=Ann&autojoin=1&effects=simple", server.listening()?);
    let mut table = Table::new(&["visit", "first picture ms", "first image ms", "playing ms", "loaded kB"]);
    for number in 1..=TIMES {
        let page = Page::open(&tools, SIZE, "data:,")?;
        page.slow_down(LINE)?;
        add(&mut table, &format!("first, {number}"), &visit(&page, &url)?);
        if number == TIMES {
            page.visit("data:,")?;
            add(&mut table, "second", &visit(&page, &url)?);
        }
    }
    server.end()?;
    Ok((table.to_string(), sizes::table(&game.web)?.trim_end().to_owned()))
}

fn add(table: &mut Table, name: &str, visit: &Visit) {
    let Visit { picture, image, playing, kilobytes } = visit;
    table.row([name.to_owned(), shown(*picture, 0), shown(*image, 0), shown(*playing, 0), shown(*kilobytes, 1)]);
}

fn visit(page: &Page, url: &str) -> Result<Visit> {
    page.visit(url)?;
    // Not by the page's state, which belongs to what is loaded only after a while of play.
    let reached = |what: &str, condition: &str| -> Result<Option<f64>> {
        let script = format!(
            "window.reached ??= {{}};
             if ({condition}) window.reached.{what} ??= performance.now();
             return window.reached.{what} !== undefined"
        );
        page.wait_for(what, &script)?;
        Ok(page.run(&format!("return window.reached.{what}"))?.as_f64())
    };
    let image = reached("image", "window.broadside?.program && !document.getElementById('loading')")?;
    let playing = reached("playing", "document.body.classList.contains('play')")?;
    let picture = page.run("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime")?;
    let bytes = page.run(
        "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .filter(entry => !entry.name.includes('/api/')).reduce((sum, entry) => sum + entry.transferSize, 0)",
    )?;
    let kilobytes = bytes.as_f64().context("the page counts what it loads")? / 1000.0;
    Ok(Visit { picture: picture.as_f64(), image, playing, kilobytes: Some(kilobytes) })
}
