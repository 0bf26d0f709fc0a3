//! The pages for developers show what really goes on.

use crate::driver::Browser;
use crate::page::{State, number};
use crate::server::{Bots, Server};

const DESKTOP: (u32, u32) = (1200, 900);
/// The key, as WebDriver names it.
const ARROW_UP: char = '\u{E013}';

#[tokio::test]
async fn polling_and_push_stand_side_by_side() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 4);
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/compare")).await;
    let both = |state: &State, least: f64| {
        let side = |side: &str| number(&state[side]["asked"]) > least && number(&state[side]["leaders"]) > 0.0;
        side("poll") && side("push") && state["poll"]["late"].is_number() && state["push"]["late"].is_number()
    };
    let state = page.wait_for("both views", |state| both(state, 5.0)).await;
    assert_eq!((number(&state["poll"]["opened"]), number(&state["push"]["opened"])), (1.0, 1.0));
    // Bytes grow on both sides, and asking costs more for each value.
    let later = page.wait_for("more", |state| both(state, number(&state["poll"]["asked"]).max(20.0) - 1.0)).await;
    assert!(number(&later["poll"]["bytes"]) > number(&state["poll"]["bytes"]));
    assert!(number(&later["push"]["bytes"]) > number(&state["push"]["bytes"]));
    assert_eq!((page.errors().await, page.console().await), (vec![], vec![]));
}

#[tokio::test]
async fn polling_and_push_go_on_after_the_server_was_killed_and_started_again() {
    let server = Server::start().await;
    let bots = Bots::start(&server, 4);
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/compare")).await;
    let at = |state: &State, side: &str| state[side]["at"].as_f64();
    let sides = ["poll", "push"];
    let late_us = 5e6;
    page.wait_for("a late score", |state| sides.iter().all(|side| at(state, side) > Some(late_us))).await;
    drop(bots);
    let port = server.kill().await;
    page.wait_for("the page to say so", |state| state["link"].as_str().is_some_and(|link| link.contains("lost"))).await;

    let _server = Server::start_on(port).await;

    // The new server's clock starts again, and nobody has scored on it.
    let is_restarted = |at: Option<f64>| at.is_none_or(|at| at < late_us);
    page.wait_for("both to forget", |state| {
        state["link"] == "connected"
            && state["poll"]["at"].is_number()
            && sides.iter().all(|side| is_restarted(at(state, side)))
    })
    .await;
    page.wait_for("a room", |state| state["room"].is_number()).await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_wire_shows_its_handshake_and_every_frame() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 2);
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/wire")).await;
    let kinds = |state: &State, wanted: &[&str]| {
        let seen = state["kinds"].as_array().cloned().unwrap_or_default();
        wanted.iter().all(|kind| seen.iter().any(|seen| seen == kind))
    };
    let state = page.wait_for("the handshake", |state| kinds(state, &["welcome", "handshake", "pong"])).await;
    assert_eq!(state["handshake"], "HTTP/1.1 101 Switching Protocols");
    assert!(page.text("#asked").await.contains("sec-websocket-key"));
    page.click("#topic-form [type=submit]").await;
    page.wait_for("the leaderboard", |state| kinds(state, &["published"])).await;
    page.wait_for_element("#room option").await;
    page.click("#seat-form [type=submit]").await;
    page.wait_for("snapshots", |state| kinds(state, &["joined", "snapshot"]) && state["room"].is_number()).await;
    page.choose("#kind", "snapshot").await;
    page.click("#pause").await;
    let paused = page.state().await;
    let later = page.wait_for("frames that are held back", |state| number(&state["held"]) > 20.0).await;
    assert_eq!((&later["frames"], &later["shown"]), (&paused["frames"], &paused["shown"]));
    assert!(number(&later["down"]) > number(&paused["down"]));
    page.click("#frames li:last-child").await;
    let detail = page.text("#detail").await;
    assert!(detail.contains("cells") && detail.contains("0000  02"), "{detail}");
    page.hold_key(ARROW_UP).await;
    page.release_keys().await;
    assert_eq!(page.count("#frames li:nth-last-child(2)[aria-selected=true]").await, 1);
    assert_eq!(page.count("#frames [aria-selected=true]").await, 1);
    page.click("#pause").await;
    page.wait_for("what was held back", |state| number(&state["frames"]) > number(&paused["frames"])).await;
    page.click("#exit").await;
    page.wait_for("no room", |state| state["room"].is_null()).await;
    assert_eq!((page.errors().await, page.console().await), (vec![], vec![]));
}
