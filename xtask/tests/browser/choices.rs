//! What a player chooses: a ship, the event of the day; and what a spectator looks at.

use serde_json::json;

use crate::DESKTOP;
use crate::driver::Browser;
use crate::page::{Page, number};
use crate::server::{Bots, Server};

/// Whether the page says whom it watches.
const FOLLOWS: &str = "return !/…|free camera/.test(document.getElementById('watch-name').textContent)";

/// A key of the game goes down or up.
async fn key(page: &Page, kind: &str, code: &str) {
    const SCRIPT: &str = "const [kind, code] = arguments;
        const event = new KeyboardEvent(kind, { code, key: code.slice(-1).toLowerCase(), bubbles: true, cancelable: true });
        document.body.dispatchEvent(event)";
    page.script(SCRIPT, vec![json!(kind), json!(code)]).await;
}

#[tokio::test]
async fn a_ship_is_chosen_in_the_card_flown_at_once_and_changed_for_the_next_one() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?effects=low&name=Ann")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    assert_eq!(page.text("#card [data-set=craft] [aria-pressed=true] b").await, "Sloop");
    page.press("#card [value=brig]").await;
    assert_eq!(page.text("#card [data-set=craft] [aria-pressed=true] b").await, "Brig");
    page.press("#play").await;
    page.wait_for("a brig", |state| state["ship"]["craft"] == "brig").await;
    let kept = page.script("return JSON.parse(localStorage.getItem('broadside.settings')).craft", vec![]).await;
    assert_eq!(kept, json!("brig"));
    // It has done nothing yet, so the server fits it out again.
    page.script("window.broadside.settings.set({ craft: 'skiff' })", vec![]).await;
    page.wait_for("a skiff", |state| state["ship"]["craft"] == "skiff").await;
    let state = page.state().await;
    assert_eq!(number(&state["net"]["corrections"]["unknown"]), 0.0, "the page knows why it was corrected");
    assert_eq!(page.errors().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_card_of_the_daily_event_names_it_and_the_room_plays_it() {
    let server = Server::start().await;
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?effects=low&name=Ann")).await;
    page.wait_for("the lobby", |state| state["connected"] == true).await;
    page.wait_for_text(".mode.daily small", "today: ").await;
    page.press(".mode.daily").await;
    let state = page.wait_for("the event of today", |state| state["ship"]["twist"].is_string()).await;
    assert_eq!(state["mode"], "daily");
    assert_ne!(state["ship"]["twist"], "none");
}

#[tokio::test]
async fn a_spectator_looks_around_freely_and_then_follows_again() {
    let server = Server::start().await;
    let _bots = Bots::start(&server, 3);
    let browser = Browser::start().await;
    let page = browser.open(DESKTOP, &server.url("/?name=Sam&room=1&watch=1&autojoin=1&effects=low")).await;
    page.wait_for("a room to watch", |state| state["spectating"] == json!(true)).await;
    page.wait_for_script("somebody to watch", FOLLOWS).await;
    let began = number(&page.state().await["camera"]["x"]);
    // Toward the middle, where there is room to move.
    let (code, way) = if began > 0.0 { ("KeyA", -1.0) } else { ("KeyD", 1.0) };
    key(&page, "keydown", code).await;
    page.wait_for_text("#watch-name", "free camera").await;
    page.wait_for("a camera that moves", |state| (number(&state["camera"]["x"]) - began) * way > 200.0).await;
    key(&page, "keyup", code).await;
    page.press("#watch [data-act=next]").await;
    page.wait_for_script("somebody to watch", FOLLOWS).await;
    page.press("#watch [data-act=free]").await;
    page.wait_for_text("#watch-name", "free camera").await;
    assert_eq!(page.errors().await, Vec::<String>::new());
}
