//! The pages for developers show what really goes on.

use crate::driver::Browser;
use crate::page::number;
use crate::server::{Bots, Server};

const DESK: (u32, u32) = (1200, 900);

#[tokio::test]
async fn polling_and_push_stand_side_by_side() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 4);
    let browser = Browser::start().await;
    let page = browser.open(DESK, &server.url("/compare")).await;
    let both = |state: &crate::page::State, least: f64| {
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
async fn the_wire_shows_its_handshake_and_every_frame() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 2);
    let browser = Browser::start().await;
    let page = browser.open(DESK, &server.url("/wire")).await;
    let kinds = |state: &crate::page::State, wanted: &[&str]| {
        let seen = state["kinds"].as_array().cloned().unwrap_or_default();
        wanted.iter().all(|kind| seen.iter().any(|seen| seen == kind))
    };
    let state = page.wait_for("the handshake", |state| kinds(state, &["Welcome", "Handshake", "Pong"])).await;
    assert_eq!(state["handshake"], "HTTP/1.1 101 Switching Protocols");
    assert!(page.text("#asked").await.contains("sec-websocket-key"));
    page.click("#topic-form [type=submit]").await;
    page.wait_for("the leaderboard", |state| kinds(state, &["Published"])).await;
    page.wait_for_element("#room option").await;
    page.click("#seat-form [type=submit]").await;
    page.wait_for("snapshots", |state| kinds(state, &["Joined", "snapshot"]) && state["room"].is_number()).await;
    page.choose("#kind", "snapshot").await;
    page.click("#pause").await;
    page.press("#frames li:last-child").await;
    let detail = page.text("#detail").await;
    assert!(detail.contains("cells") && detail.contains("0000  02"), "{detail}");
    page.click("#exit").await;
    page.wait_for("no room", |state| state["room"].is_null()).await;
    assert_eq!((page.errors().await, page.console().await), (vec![], vec![]));
}
