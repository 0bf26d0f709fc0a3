//! Chromium plays: the whole path from a key press through a real server to another player's screen.
//!
//! `cargo xtask test --only browser` builds what is needed and names it in variables; see [`setup`]. Each test starts a
//! server of its own on a free port and asks pages for `window.broadside.state()`, which is what the page believes. No
//! test waits for a time: each waits for a condition, with a deadline that only a failure meets.

mod access;
mod admin;
mod choices;
mod cluster;
mod developers;
mod driver;
mod gate;
mod hands;
mod honest;
mod install;
mod languages;
#[path = "../../../server/tests/cluster/nats.rs"]
#[expect(dead_code, reason = "the tests of the server use all of it")]
mod nats;
mod page;
mod path;
mod people;
#[path = "../../../store/src/testing.rs"]
#[expect(dead_code, reason = "the tests of the store use all of it")]
mod postgres;
mod puck;
mod replay;
mod restarts;
mod scores;
mod server;
mod settings;
mod setup;
mod share;
mod together;
mod visit;

use std::time::{Duration, Instant};

use serde_json::Value;

use driver::Browser;
use page::{Page, State, number, way};
use server::{Bots, Server};

/// How long anything may take on a busy machine that draws in software.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often we look.
const GLANCE: Duration = Duration::from_millis(50);
/// Small and without glow: pages are drawn in software here.
const SMALL: (u32, u32) = (640, 360);
/// As people have it.
const DESKTOP: (u32, u32) = (1280, 720);
/// How far a ship must come before we believe that it moves, in units of the arena; far above any quantization.
const A_GOOD_WAY: f64 = 20.0;
/// How far from the middle of the picture another ship is well in sight, in units of the arena.
const NEAR: f64 = 380.0;
/// How many ticks a ship must stay where it is before we believe that it rests.
const REST_TICKS: f64 = 30.0;

#[tokio::test]
async fn a_person_types_a_name_and_plays_without_a_console_error() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the menu", |state| state["phase"] == "menu").await;

    page.enter_name_and_play("Ann").await;

    let joined = page.wait_for("a ship to steer", State::is_playing).await;
    assert_eq!(joined["name"], "Ann");
    let seen = number(&joined["snapshots"]);
    page.wait_for("a hundred more snapshots", |state| number(&state["snapshots"]) > seen + 100.0).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
    assert_eq!(page.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_page_that_came_by_https_plays_by_wss() {
    let server = Server::start_secure().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?effects=low")).await;
    page.wait_for("the menu", |state| state["phase"] == "menu").await;
    page.enter_name_and_play("Ann").await;
    // The server speaks nothing but TLS.
    let joined = page.wait_for("a ship to steer", State::is_playing).await;
    let seen = number(&joined["snapshots"]);
    page.wait_for("thirty more snapshots", |state| number(&state["snapshots"]) > seen + 30.0).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
    assert_eq!(page.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_key_press_moves_the_ship_on_another_players_screen() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let ann = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    let ben = browser.open(SMALL, &server.url("/?name=Ben&autojoin=1&effects=low")).await;
    ben.wait_for("a ship to steer", State::is_playing).await;
    let mut rested = ann.wait_for("a ship to steer", State::is_playing).await;
    // Whatever she does afterwards, she does because of the key.
    ann.wait_for("Ann to lie still", |state| {
        if way(rested.own_ship(), state.own_ship()).is_none_or(|way| way > 1.0) {
            rested = state.clone();
        }
        number(&state["tick"]) > number(&rested["tick"]) + REST_TICKS
    })
    .await;

    ann.hold_key('w').await;

    // They may have begun out of each other's sight.
    let first = fly_into_sight(&ann, "Ann", &ben).await;
    ben.wait_for("Ann to move", |state| {
        way(first.other("Ann"), state.other("Ann")).is_some_and(|way| way > A_GOOD_WAY)
    })
    .await;
    ann.release_keys().await;
    assert_eq!((ann.errors().await, ben.errors().await), (vec![], vec![]));
}

/// Steers the ship of `page`, a player called `name` who thrusts already, toward that of `witness` until it is seen there.
/// Gives what the witness saw first.
async fn fly_into_sight(page: &Page, name: &str, witness: &Page) -> State {
    let started_at = Instant::now();
    loop {
        let (here, there) = (page.state().await, witness.state().await);
        if there.other(name).is_some() {
            return there;
        }
        assert!(started_at.elapsed() < DEADLINE, "{name} did not come into sight: {here:?}, {there:?}");
        if let (Some(from), Some(to)) = (here.own_ship(), there.own_ship()) {
            page.point((to.0 - from.0, to.1 - from.1)).await;
        }
    }
}

#[tokio::test]
async fn the_page_plays_on_after_the_server_was_killed_and_started_again() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=low")).await;
    page.wait_for("a ship to steer", State::is_playing).await;

    let port = server.kill().await;
    page.wait_for("the page to notice", |state| !state.is_playing()).await;
    let _server = Server::start_on(port).await;

    let back = page.wait_for("a ship to steer again", State::is_playing).await;
    let seen = number(&back["snapshots"]);
    page.wait_for("snapshots that go on", |state| state.is_playing() && number(&state["snapshots"]) > seen + 30.0)
        .await;
    // The console does hold refused connections, which the browser writes there itself; the page has said nothing.
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_world_has_the_same_hashes_in_the_browser_and_here() {
    const SEED: u64 = 7;
    const TICKS: u32 = 10_000;
    const EVERY: u32 = 500;
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/replay/none?effects=low")).await;
    page.wait_for("the menu", |state| state["phase"] == "menu").await;

    let there = page.world_hashes(SEED, TICKS, EVERY).await;

    let here = broadside_arena::script::world_hashes(SEED, TICKS, EVERY);
    let here: Vec<Value> = here.iter().map(|hash| format!("{hash:016x}").into()).collect();
    assert!(here.len() >= (TICKS / EVERY) as usize, "{} hashes", here.len());
    assert_eq!(there, here);
}

#[tokio::test]
async fn without_a_gpu_the_simple_renderer_is_chosen_within_two_seconds_of_play() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 12);
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?name=Ann&autojoin=1")).await;
    let begun = page.wait_for("a ship to steer", State::is_playing).await;
    // Two seconds by the game's own clock: this machine may be busy.
    let state = page
        .wait_for("two seconds of play", |state| {
            state["renderer"] == "simple" || number(&state["tick"]) > number(&begun["tick"]) + 120.0
        })
        .await;
    assert_eq!(state["renderer"], "simple");
    // It draws, in its own canvas, and the one below still takes the pointer.
    let drawn = number(&state["images"]);
    page.wait_for("more images", |state| number(&state["images"]) > drawn + 5.0).await;
    assert_eq!(page.count("canvas#flat").await, 1);
    assert_eq!((page.errors().await, page.console().await), (vec![], vec![]));
}

#[tokio::test]
async fn the_full_renderer_stays_if_it_is_asked_for_and_the_menu_changes_it() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(SMALL, &server.url("/?name=Ann&autojoin=1&effects=full")).await;
    let begun = page.wait_for("a ship to steer", State::is_playing).await;
    let late = |state: &State| state.is_playing() && number(&state["tick"]) > number(&begun["tick"]) + 300.0;
    let state = page.wait_for("five seconds of play", late).await;
    assert_eq!((&state["renderer"], page.count("canvas#flat").await), (&"full".into(), 0));
    // Full, automatic (which is simple here), simple, and full again over the same canvas.
    for (renderer, canvases) in [("simple", 1), ("simple", 1), ("full", 0)] {
        page.press("#effects").await;
        let state = page.wait_for("the other renderer", |state| state["renderer"] == renderer).await;
        let drawn = number(&state["images"]);
        page.wait_for("images", |state| number(&state["images"]) > drawn + 2.0).await;
        assert_eq!(page.count("canvas#flat").await, canvases);
    }
    assert_eq!((page.errors().await, page.console().await), (vec![], vec![]));
}

#[tokio::test]
async fn pictures_of_play_are_kept() {
    for (effects, name) in [("full", "play.png"), ("simple", "play-simple.png")] {
        let server = Server::start().await;
        let _bots = Bots::start(&server, 12);
        let browser = Browser::start().await;
        let page = browser.open(DESKTOP, &server.url(&format!("/?name=Ann&autojoin=1&effects={effects}"))).await;
        page.wait_for("a ship to steer", State::is_playing).await;
        page.hold_key(' ').await;
        page.wait_for("others", |state| state.is_playing() && state.others_within(f64::INFINITY) >= 3).await;
        // A fight in the middle of the picture is nicer, and nothing that a test may insist on.
        page.hope_for(Duration::from_secs(20), |state| state.is_playing() && state.others_within(NEAR) >= 2).await;
        page.hold_key('w').await;
        page.wait_for("a ship in the picture", State::is_playing).await;
        let picture = page.picture().await;

        let file = setup::artifacts().join(name);
        std::fs::write(&file, &picture).expect("the folder of artifacts can be written");
        // A page of one color packs to about 4 kB at this size.
        assert!(picture.len() > 20_000, "{} shows next to nothing: {} bytes", file.display(), picture.len());
        assert_eq!(page.errors().await, Vec::<String>::new());
    }
}
